"""What Azure Resource Manager says by itself, before the resource provider is asked."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from .azure import (
    GROUP_OPERATOR, NOBODY, READER, SUBSCRIPTION, client, done, expect, expect_error, secret_credential,
)


def check_a_resource_group_that_is_not_there():
    expect_error(
        lambda: client().managed_clusters.get("nowhere", "weu"),
        ResourceNotFoundError, 404, "ResourceGroupNotFound", "nowhere",
    )


def check_a_resource_type_that_is_not_there():
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/tugboats"
    request = HttpRequest("GET", f"{{endpoint}}{path}?api-version=2026-05-01")
    expect_error(
        lambda: client().send_request(request).raise_for_status(),
        HttpResponseError, 404, "InvalidResourceType", "tugboats",
    )


def check_an_api_version_that_is_not_there():
    expect_error(
        lambda: client(api_version="2001-02-03").managed_clusters.get("read", "first"),
        HttpResponseError, 400, "NoRegisteredProviderFound", "2001-02-03",
    )


def check_a_reader_reads_and_does_not_write():
    azure = client(secret_credential(client_id=READER))
    cluster = azure.managed_clusters.get("read", "first")
    expect_error(
        lambda: azure.managed_clusters.begin_create_or_update("read", "first", cluster),
        HttpResponseError, 403, "AuthorizationFailed", "'Microsoft.ContainerService/managedClusters/write'",
    )
    expect_error(
        lambda: azure.agent_pools.begin_upgrade_node_image_version("read", "first", "apps"),
        HttpResponseError, 403, "AuthorizationFailed",
        "'Microsoft.ContainerService/managedClusters/agentPools/upgradeNodeImageVersion/action'",
    )


def check_nobody_reads_nothing():
    azure = client(secret_credential(client_id=NOBODY))
    expect_error(
        lambda: azure.managed_clusters.get("read", "first"),
        HttpResponseError, 403, "AuthorizationFailed", "'Microsoft.ContainerService/managedClusters/read'",
    )


def check_a_role_on_a_resource_group_holds_there_alone():
    azure = client(secret_credential(client_id=GROUP_OPERATOR))
    expect("its clusters", {cluster.name for cluster in azure.managed_clusters.list()}, {"confined"})
    cluster = azure.managed_clusters.get("confined", "confined")
    cluster.kubernetes_version = "1.35.3"
    done(azure.managed_clusters.begin_create_or_update("confined", "confined", cluster))
    expect_error(
        lambda: azure.managed_clusters.get("read", "first"),
        HttpResponseError, 403, "AuthorizationFailed", "/resourceGroups/read/",
    )
    expect_error(
        lambda: azure.managed_clusters.list_kubernetes_versions("westeurope"),
        HttpResponseError, 403, "AuthorizationFailed", "'Microsoft.ContainerService/locations/kubernetesVersions/read'",
    )


def check_an_answer_has_its_request_id_and_what_is_left_of_the_limits():
    seen = {}
    client().managed_clusters.get(
        "read", "first", raw_response_hook=lambda response: seen.update(response.http_response.headers)
    )
    for header in ("x-ms-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id"):
        expect(f"{header} is there", bool(seen.get(header)), True)
    left = seen.get("x-ms-ratelimit-remaining-subscription-reads", "missing")
    expect(f"x-ms-ratelimit-remaining-subscription-reads is a number: {left}", left.isdigit(), True)
