"""Upgrades to their end, by the SDK's own pollers: GET, change a field, PUT, wait for the result."""

import json

from azure.core import MatchConditions

from .azure import client, cluster_id, control, done, expect, held

GROUP = "change"
OLD_IMAGE = "AKSUbuntu-2204gen2containerd-202610.01.0"
NEW_IMAGE = "AKSUbuntu-2204gen2containerd-202611.10.0"


def check_a_control_plane_is_upgraded():
    azure = client()
    cluster = azure.managed_clusters.get(GROUP, "control-plane")
    cluster.kubernetes_version = "1.35.3"
    with held("control-plane"):
        poller = azure.managed_clusters.begin_create_or_update(GROUP, "control-plane", cluster)
        meanwhile = azure.managed_clusters.get(GROUP, "control-plane")
        expect("state meanwhile", meanwhile.provisioning_state, "Upgrading")
        expect("versions meanwhile", versions(meanwhile), ("1.35.3", "1.35.3"))
    upgraded = done(poller)
    expect("state", upgraded.provisioning_state, "Succeeded")
    expect("versions", versions(upgraded), ("1.35.3", "1.35.3"))
    pools = {pool.name: pool.orchestrator_version for pool in upgraded.agent_pool_profiles}
    expect("pools stay", pools, {"apps": "1.34.2", "system": "1.34.4"})
    expect("settings stay", in_lower_case(upgraded.network_profile), in_lower_case(cluster.network_profile))


def check_a_cluster_is_upgraded_with_its_pools():
    """What `az aks upgrade` does without --control-plane-only."""
    azure = client()
    cluster = azure.managed_clusters.get(GROUP, "whole")
    cluster.kubernetes_version = "1.35.3"
    for pool in cluster.agent_pool_profiles:
        pool.orchestrator_version = "1.35.3"
    cluster.service_principal_profile = None
    upgraded = done(azure.managed_clusters.begin_create_or_update(GROUP, "whole", cluster))
    pools = {(pool.name, pool.current_orchestrator_version, pool.node_image_version) for pool in upgraded.agent_pool_profiles}
    expect("pools", pools, {("apps", "1.35.3", NEW_IMAGE), ("system", "1.35.3", NEW_IMAGE)})
    nodes = {node["kubernetesVersion"] for pool in view("whole")["pools"] for node in pool["nodes"]}
    expect("versions of the nodes", nodes, {"1.35.3"})


def check_a_pool_is_upgraded():
    azure = client()
    pool = azure.agent_pools.get(GROUP, "pool", "apps")
    pool.orchestrator_version = "1.34.4"
    with held("pool"):
        poller = azure.agent_pools.begin_create_or_update(GROUP, "pool", "apps", pool)
        expect("state meanwhile", azure.agent_pools.get(GROUP, "pool", "apps").provisioning_state, "Upgrading")
    upgraded = done(poller)
    expect("version", (upgraded.orchestrator_version, upgraded.current_orchestrator_version), ("1.34.4", "1.34.4"))
    expect("image", upgraded.node_image_version, NEW_IMAGE)
    expect("state", upgraded.provisioning_state, "Succeeded")


def check_an_image_is_upgraded():
    azure = client()
    with held("image"):
        poller = azure.agent_pools.begin_upgrade_node_image_version(GROUP, "image", "apps")
        expect("state meanwhile", azure.agent_pools.get(GROUP, "image", "apps").provisioning_state, "UpgradingNodeImageVersion")
    done(poller)
    pool = azure.agent_pools.get(GROUP, "image", "apps")
    expect("image", pool.node_image_version, NEW_IMAGE)
    expect("version stays", pool.orchestrator_version, "1.34.2")


def check_a_pool_is_rolled_back():
    azure = client()
    pool = azure.agent_pools.get(GROUP, "rollback", "apps")
    pool.orchestrator_version = "1.34.4"
    done(azure.agent_pools.begin_create_or_update(GROUP, "rollback", "apps", pool))
    recent = azure.agent_pools.get_upgrade_profile(GROUP, "rollback", "apps").recently_used_versions
    expect("recently used", [(it.orchestrator_version, it.node_image_version) for it in recent], [("1.34.2", OLD_IMAGE)])
    pool = azure.agent_pools.get(GROUP, "rollback", "apps")
    pool.orchestrator_version = recent[0].orchestrator_version
    pool.node_image_version = recent[0].node_image_version
    back = done(azure.agent_pools.begin_create_or_update(GROUP, "rollback", "apps", pool))
    expect("version and image", (back.current_orchestrator_version, back.node_image_version), ("1.34.2", OLD_IMAGE))


def check_upgrade_settings_are_changed():
    azure = client()
    pool = azure.agent_pools.get(GROUP, "settings", "apps")
    pool.upgrade_settings.max_surge = "50%"
    pool.upgrade_settings.drain_timeout_in_minutes = 5
    changed = done(azure.agent_pools.begin_create_or_update(GROUP, "settings", "apps", pool))
    settings = changed.upgrade_settings
    expect("settings", (settings.max_surge, settings.drain_timeout_in_minutes), ("50%", 5))
    expect("image stays", changed.node_image_version, OLD_IMAGE)


def check_an_upgrade_under_its_etag():
    azure = client()
    cluster = azure.managed_clusters.get(GROUP, "if-match")
    cluster.kubernetes_version = "1.35.1"
    upgraded = done(
        azure.managed_clusters.begin_create_or_update(
            GROUP, "if-match", cluster, etag=cluster.e_tag, match_condition=MatchConditions.IfNotModified
        )
    )
    expect("version", upgraded.current_kubernetes_version, "1.35.1")
    expect("another eTag", upgraded.e_tag != cluster.e_tag, True)


def check_an_upgrade_is_followed_by_another_process():
    """A poller written down and taken up again, as after a restart."""
    azure = client()
    cluster = azure.managed_clusters.get(GROUP, "token")
    cluster.kubernetes_version = "1.35.3"
    started = azure.managed_clusters.begin_create_or_update(GROUP, "token", cluster)
    again = client().managed_clusters.begin_create_or_update(
        GROUP, "token", cluster, continuation_token=started.continuation_token()
    )
    expect("version", done(again).current_kubernetes_version, "1.35.3")


def in_lower_case(model):
    """Azure does not always write the same id in the same case."""
    return json.dumps(model.as_dict(), sort_keys=True).lower()


def versions(cluster):
    return (cluster.kubernetes_version, cluster.current_kubernetes_version)


def view(name):
    """The simulator's own truth about a cluster."""
    wanted = cluster_id(GROUP, name).lower()
    return next(view for view in control("/clusters") if view["id"].lower() == wanted)
