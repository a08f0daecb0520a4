"""Calls that change nothing."""

import yaml

from .azure import client, cluster_id, expect, expect_in

GROUP, CLUSTER = "read", "first"


def check_the_clusters_of_a_subscription():
    names = {cluster.name for cluster in client().managed_clusters.list()}
    for name in ("first", "second", "third", "stopped", "control-plane", "windows"):
        expect_in("names of all clusters", name, names)


def check_the_clusters_of_a_resource_group_come_in_pages():
    listed = client().managed_clusters.list_by_resource_group(GROUP.upper())
    pages = [[cluster.name for cluster in page] for page in listed.by_page()]
    expect("names", sorted(name for page in pages for name in page), ["first", "second", "stopped", "third"])
    expect("more than one page", len(pages) > 1, True)


def check_a_cluster():
    cluster = client().managed_clusters.get(GROUP, CLUSTER)
    expect("id", cluster.id.lower(), cluster_id(GROUP, CLUSTER).lower())
    expect("type", cluster.type.lower(), "microsoft.containerservice/managedclusters")
    expect("location", cluster.location, "westeurope")
    expect("tags", cluster.tags, {"stage": "production"})
    expect("version", cluster.kubernetes_version, "1.34.4")
    expect("current version", cluster.current_kubernetes_version, "1.34.4")
    expect("state", cluster.provisioning_state, "Succeeded")
    expect("power", cluster.power_state.code, "Running")
    expect("tier", (cluster.sku.name, cluster.sku.tier), ("Base", "Standard"))
    expect("pools", sorted(pool.name for pool in cluster.agent_pool_profiles), ["apps", "system", "win"])
    expect("has an eTag", bool(cluster.e_tag), True)


def check_a_stopped_cluster():
    expect("power", client().managed_clusters.get(GROUP, "stopped").power_state.code, "Stopped")


def check_the_pools_of_a_cluster():
    pools = {pool.name: pool for pool in client().agent_pools.list(GROUP, CLUSTER)}
    expect("names", sorted(pools), ["apps", "system", "win"])
    apps, system, win = pools["apps"], pools["system"], pools["win"]
    expect("versions", (apps.orchestrator_version, apps.current_orchestrator_version), ("1.34.2", "1.34.2"))
    expect("image", apps.node_image_version, "AKSUbuntu-2204gen2containerd-202610.01.0")
    expect("surge", apps.upgrade_settings.max_surge, "33%")
    expect("taints", system.node_taints, ["CriticalAddonsOnly=true:NoSchedule"])
    expect("modes", (system.mode, apps.mode), ("System", "User"))
    expect("windows", (win.os_type, win.os_sku), ("Windows", "Windows2022"))


def check_a_pool():
    pool = client().agent_pools.get(GROUP, CLUSTER, "apps")
    expect("id", pool.id.lower(), f"{cluster_id(GROUP, CLUSTER)}/agentPools/apps".lower())
    expect("count", pool.count, 2)
    expect("state", pool.provisioning_state, "Succeeded")


def check_the_upgrades_of_a_cluster():
    profile = client().managed_clusters.get_upgrade_profile(GROUP, CLUSTER)
    expect("from", profile.control_plane_profile.kubernetes_version, "1.34.4")
    offered = {upgrade.kubernetes_version for upgrade in profile.control_plane_profile.upgrades}
    expect("offered", offered, {"1.35.1", "1.35.3"})


def check_the_upgrades_of_a_pool():
    profile = client().agent_pools.get_upgrade_profile(GROUP, CLUSTER, "apps")
    expect("from", profile.kubernetes_version, "1.34.2")
    expect("offered", [upgrade.kubernetes_version for upgrade in profile.upgrades], ["1.34.4"])
    expect("image", profile.latest_node_image_version, "AKSUbuntu-2204gen2containerd-202611.10.0")


def check_the_versions_of_a_region():
    minors = {minor.version: minor for minor in client().managed_clusters.list_kubernetes_versions("westeurope").values_property}
    expect("minors", sorted(minors), ["1.33", "1.34", "1.35", "1.36", "1.37", "1.38"])
    expect("patches of 1.35", sorted(minors["1.35"].patch_versions), ["1.35.1", "1.35.3"])
    expect("upgrades of 1.35.3", minors["1.35"].patch_versions["1.35.3"].upgrades, ["1.36.2"])
    expect("the default", [name for name, minor in minors.items() if minor.is_default], ["1.35"])
    expect("previews", [name for name, minor in minors.items() if minor.is_preview], ["1.38"])
    expect("long-term support", "AKSLongTermSupport" in minors["1.33"].capabilities.support_plan, True)


def check_a_kubeconfig():
    credentials = client().managed_clusters.list_cluster_user_credentials(GROUP, CLUSTER)
    expect("names", [kubeconfig.name for kubeconfig in credentials.kubeconfigs], ["clusterUser"])
    kubeconfig = yaml.safe_load(bytes(credentials.kubeconfigs[0].value))
    expect("kind", kubeconfig["kind"], "Config")
    context = kubeconfig["contexts"][0]
    expect("current context", kubeconfig["current-context"], context["name"])
    clusters = {cluster["name"]: cluster["cluster"] for cluster in kubeconfig["clusters"]}
    expect_in("server", "https://", clusters[context["context"]["cluster"]]["server"])
    expect("users", [user["name"] for user in kubeconfig["users"]], [context["context"]["user"]])
