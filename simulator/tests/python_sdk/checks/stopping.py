"""Operations that do not end well: stopped, failed, blocked; and what can be done next."""

from azure.core.exceptions import HttpResponseError, ResourceExistsError

from .azure import client, done, expect, expect_error, expect_in

GROUP = "change"


def check_a_cluster_operation_is_aborted():
    azure = client()
    upgrade = begin_control_plane(azure, "abort-cluster", "1.35.3")
    done(azure.managed_clusters.begin_abort_latest_operation(GROUP, "abort-cluster"))
    cluster = azure.managed_clusters.get(GROUP, "abort-cluster")
    expect("state", cluster.provisioning_state, "Canceled")
    error = ended(upgrade, "Canceled")
    expect_in("the poller's message", "Canceled", str(error))
    again = begin_control_plane(azure, "abort-cluster", "1.35.3")
    expect("a new PUT goes on", azure.managed_clusters.get(GROUP, "abort-cluster").provisioning_state, "Upgrading")
    done(azure.managed_clusters.begin_abort_latest_operation(GROUP, "abort-cluster"))
    ended(again, "Canceled")


def check_a_pool_operation_is_aborted():
    azure = client()
    upgrade = begin_pool(azure, "abort-pool", "1.34.4")
    done(azure.agent_pools.begin_abort_latest_operation(GROUP, "abort-pool", "apps"))
    expect("state", azure.agent_pools.get(GROUP, "abort-pool", "apps").provisioning_state, "Canceled")
    ended(upgrade, "Canceled")


def check_there_is_nothing_to_abort():
    azure = client()
    expect_error(
        lambda: azure.managed_clusters.begin_abort_latest_operation("read", "second"),
        ResourceExistsError, 409, "OperationNotAllowed", "",
    )


def check_a_control_plane_upgrade_fails():
    azure = client()
    error = ended(begin_control_plane(azure, "failing", "1.35.3"), "Failed")
    expect("code", error.error.code, "ControlPlaneAddOnsNotReady")
    expect_in("message", "coredns is not ready", error.message)
    cluster = azure.managed_clusters.get(GROUP, "failing")
    expect("state", cluster.provisioning_state, "Failed")
    expect("the version shown is the target", cluster.current_kubernetes_version, "1.35.3")
    done(begin_control_plane(azure, "failing", "1.35.3"))
    pool = ended(begin_pool(azure, "failing", "1.35.3"), "Failed")
    expect("code", pool.error.code, "OverconstrainedAllocationRequest")
    expect("pool's state", azure.agent_pools.get(GROUP, "failing", "apps").provisioning_state, "Failed")
    done(begin_pool(azure, "failing", "1.35.3"))


def check_a_drain_is_blocked_by_a_budget():
    azure = client()
    error = ended(begin_pool(azure, "blocked", "1.34.4"), "Failed")
    expect("code", error.error.code, "UpgradeFailed")
    expect_in("who blocked", "db-0", error.message)


def begin_control_plane(azure, name, version):
    cluster = azure.managed_clusters.get(GROUP, name)
    cluster.kubernetes_version = version
    return azure.managed_clusters.begin_create_or_update(GROUP, name, cluster)


def begin_pool(azure, name, version):
    pool = azure.agent_pools.get(GROUP, name, "apps")
    pool.orchestrator_version = version
    return azure.agent_pools.begin_create_or_update(GROUP, name, "apps", pool)


def ended(poller, status):
    """The exception of an operation that ended so."""
    try:
        result = poller.result(timeout=60)
    except HttpResponseError as error:
        expect("status of the poller", poller.status(), status)
        return error
    raise AssertionError(f"expected the operation to end as {status}, got {result!r}")
