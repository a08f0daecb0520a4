"""Pools and clusters come and go, stop and start."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerservice import models

from .azure import client, done, expect, expect_error, held

GROUP = "create"


def check_a_pool_comes_and_goes():
    azure = client()
    pool = models.AgentPool(
        properties=models.ManagedClusterAgentPoolProfileProperties(
            count=2, vm_size="Standard_D4s_v5", mode="User", os_type="Linux", os_sku="Ubuntu2204",
            orchestrator_version="1.34.2", type="VirtualMachineScaleSets",
        )
    )
    with held("grows"):
        poller = azure.agent_pools.begin_create_or_update(GROUP, "grows", "extra", pool)
        expect("state meanwhile", azure.agent_pools.get(GROUP, "grows", "extra").provisioning_state, "Creating")
    created = done(poller)
    expect("state", created.provisioning_state, "Succeeded")
    expect("version and count", (created.current_orchestrator_version, created.count), ("1.34.2", 2))
    names = sorted(pool.name for pool in azure.agent_pools.list(GROUP, "grows"))
    expect("pools", names, ["apps", "extra", "system"])

    with held("grows"):
        poller = azure.agent_pools.begin_delete(GROUP, "grows", "extra")
        expect("state meanwhile", azure.agent_pools.get(GROUP, "grows", "extra").provisioning_state, "Deleting")
    done(poller)
    expect_error(
        lambda: azure.agent_pools.get(GROUP, "grows", "extra"), ResourceNotFoundError, 404, "NotFound", "extra"
    )


def check_the_last_system_pool_stays():
    azure = client()
    expect_error(
        lambda: azure.agent_pools.begin_delete("read", "second", "system"),
        HttpResponseError, 400, "OperationNotAllowed", "system",
    )


def check_a_cluster_comes_and_goes():
    azure = client()
    cluster = models.ManagedCluster(
        location="westeurope",
        identity=models.ManagedClusterIdentity(type="SystemAssigned"),
        properties=models.ManagedClusterProperties(
            dns_prefix="born",
            kubernetes_version="1.35.1",
            agent_pool_profiles=[
                models.ManagedClusterAgentPoolProfile(
                    name="system", mode="System", count=1, vm_size="Standard_D4s_v5", os_type="Linux",
                    type="VirtualMachineScaleSets",
                )
            ],
        ),
    )
    with held():
        poller = azure.managed_clusters.begin_create_or_update(GROUP, "born", cluster)
        expect("state meanwhile", azure.managed_clusters.get(GROUP, "born").provisioning_state, "Creating")
    created = done(poller)
    expect("version", created.current_kubernetes_version, "1.35.1")
    expect("its pool's version", created.agent_pool_profiles[0].current_orchestrator_version, "1.35.1")

    with held("born"):
        poller = azure.managed_clusters.begin_delete(GROUP, "born")
        expect("state meanwhile", azure.managed_clusters.get(GROUP, "born").provisioning_state, "Deleting")
    done(poller)
    expect_error(lambda: azure.managed_clusters.get(GROUP, "born"), ResourceNotFoundError, 404, "ResourceNotFound", "born")


def check_a_cluster_stops_and_starts():
    azure = client()
    with held("rests"):
        poller = azure.managed_clusters.begin_stop(GROUP, "rests")
        expect("state meanwhile", azure.managed_clusters.get(GROUP, "rests").provisioning_state, "Stopping")
    done(poller)
    expect("power", azure.managed_clusters.get(GROUP, "rests").power_state.code, "Stopped")
    done(azure.managed_clusters.begin_start(GROUP, "rests"))
    cluster = azure.managed_clusters.get(GROUP, "rests")
    expect("power and state", (cluster.power_state.code, cluster.provisioning_state), ("Running", "Succeeded"))


def check_a_cluster_of_an_unknown_version_is_not_made():
    azure = client()
    cluster = azure.managed_clusters.get("read", "second")
    cluster.kubernetes_version = "1.12.3"
    expect_error(
        lambda: azure.managed_clusters.begin_create_or_update(GROUP, "never", cluster),
        HttpResponseError, 400, "K8sVersionNotSupported", "1.12.3",
    )
