"""Pools stop and start; tags change; an administrator's kubeconfig."""

from azure.core.exceptions import HttpResponseError
from azure.mgmt.containerservice import models

from .azure import client, done, expect, expect_error

GROUP = "change"


def check_a_pool_stops_and_starts():
    azure = client()
    for state, machines in (("Stopped", 0), ("Running", 2)):
        pool = azure.agent_pools.get(GROUP, "pool-rests", "apps")
        pool.power_state = models.PowerState(code=state)
        pool = done(azure.agent_pools.begin_create_or_update(GROUP, "pool-rests", "apps", pool))
        expect("power", (pool.power_state.code, pool.provisioning_state), (state, "Succeeded"))
        expect("machines", len(list(azure.machines.list(GROUP, "pool-rests", "apps"))), machines)


def check_tags_change():
    azure = client()
    tags = models.TagsObject(tags={"stage": "test"})
    cluster = done(azure.managed_clusters.begin_update_tags(GROUP, "tagged", tags))
    expect("tags", cluster.tags, {"stage": "test"})
    expect("version", cluster.current_kubernetes_version, "1.34.4")


def check_no_kubeconfig_of_an_administrator_without_local_accounts():
    azure = client()
    expect_error(
        lambda: azure.managed_clusters.list_cluster_admin_credentials(GROUP, "tagged"),
        HttpResponseError, 400, "BadRequest", "disable local accounts",
    )
