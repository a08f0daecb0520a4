"""Upgrades that Azure does not take: the SDK's exception, Azure's status, code and words."""

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError,
)

from .azure import client, expect_error

GROUP = "change"


def check_a_minor_is_not_skipped():
    refuse_control_plane("refusing", "1.36.2", "OperationNotAllowed", "Available upgrades: [1.35.3 1.35.1]")


def check_a_control_plane_does_not_go_back():
    refuse_control_plane("refusing", "1.34.2", "OperationNotAllowed", "is not allowed")


def check_a_version_must_be_offered():
    refuse_control_plane("refusing", "1.35.2", "K8sVersionNotSupported", "Version 1.35.2 is not supported in this region")


def check_a_pool_is_never_ahead_of_its_control_plane():
    refuse_pool("refusing", "1.35.3", "NodePoolMcVersionIncompatible", "Node pool version 1.35.3")


def check_a_pool_does_not_go_back():
    refuse_pool("refusing", "1.33.101", "OperationNotAllowed", "downgrade is not supported")


def check_a_version_of_a_pool_must_exist():
    refuse_pool("refusing", "1.34.3", "AgentPoolK8sVersionNotSupported", "Version 1.34.3 is not supported")


def check_a_control_plane_does_not_leave_its_pools_behind():
    refuse_control_plane("old", "1.37.0", "NodePoolMcVersionIncompatible", "Node pool version 1.33.101")


def check_a_stopped_cluster_is_not_upgraded():
    refuse_control_plane("stopped", "1.35.3", "OperationNotAllowed", "stopped state", group="read")


def check_settings_that_cannot_be():
    azure = client()
    pool = azure.agent_pools.get(GROUP, "refusing", "apps")
    pool.upgrade_settings.max_surge = "0"
    expect_error(
        lambda: azure.agent_pools.begin_create_or_update(GROUP, "refusing", "apps", pool),
        HttpResponseError, 400, "InvalidParameter", "cannot both be 0",
    )


def check_an_auto_upgrade_channel_wants_all_pools():
    refuse_control_plane(
        "channel", "1.35.3", "NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged", "must be all specified"
    )


def check_an_etag_that_has_passed():
    azure = client()
    cluster = azure.managed_clusters.get(GROUP, "refusing")
    expect_error(
        lambda: azure.managed_clusters.begin_create_or_update(
            GROUP, "refusing", cluster, etag="of-yesterday", match_condition=MatchConditions.IfNotModified
        ),
        ResourceModifiedError, 412, "PreconditionFailed", "of-yesterday",
    )


def check_a_cluster_that_is_not_there():
    expect_error(
        lambda: client().managed_clusters.get(GROUP, "nowhere"),
        ResourceNotFoundError, 404, "ResourceNotFound", "managedClusters/nowhere",
    )


def check_a_pool_that_is_not_there():
    expect_error(
        lambda: client().agent_pools.get(GROUP, "refusing", "nowhere"),
        ResourceNotFoundError, 404, "NotFound", "nowhere",
    )


def check_a_busy_cluster_takes_no_second_operation():
    azure = client()
    cluster = azure.managed_clusters.get(GROUP, "busy-cluster")
    cluster.kubernetes_version = "1.35.3"
    azure.managed_clusters.begin_create_or_update(GROUP, "busy-cluster", cluster, polling=False)
    expect_error(
        lambda: azure.managed_clusters.begin_create_or_update(GROUP, "busy-cluster", cluster),
        ResourceExistsError, 409, "OperationNotAllowed", "in progress",
    )
    pool = azure.agent_pools.get(GROUP, "busy-cluster", "apps")
    pool.orchestrator_version = "1.34.4"
    expect_error(
        lambda: azure.agent_pools.begin_create_or_update(GROUP, "busy-cluster", "apps", pool),
        ResourceExistsError, 409, "EtagMismatch", "Another operation is in progress",
    )


def check_a_busy_pool_takes_no_second_operation():
    azure = client()
    azure.agent_pools.begin_upgrade_node_image_version(GROUP, "busy-pool", "apps", polling=False)
    expect_error(
        lambda: azure.agent_pools.begin_upgrade_node_image_version(GROUP, "busy-pool", "apps"),
        ResourceExistsError, 409, "OperationNotAllowed", "in progress",
    )


def refuse_control_plane(name, version, code, words, group=GROUP):
    azure = client()
    cluster = azure.managed_clusters.get(group, name)
    cluster.kubernetes_version = version
    expect_error(
        lambda: azure.managed_clusters.begin_create_or_update(group, name, cluster),
        HttpResponseError, 400, code, words,
    )


def refuse_pool(name, version, code, words):
    azure = client()
    pool = azure.agent_pools.get(GROUP, name, "apps")
    pool.orchestrator_version = version
    expect_error(
        lambda: azure.agent_pools.begin_create_or_update(GROUP, name, "apps", pool),
        HttpResponseError, 400, code, words,
    )
