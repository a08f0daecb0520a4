"""What Azure Resource Manager says by itself, before the resource provider is asked."""

from azure.core.exceptions import ResourceNotFoundError

from .azure import client, expect_error


def check_a_resource_group_that_is_not_there():
    expect_error(
        lambda: client().managed_clusters.get("nowhere", "weu"),
        ResourceNotFoundError, 404, "ResourceGroupNotFound", "nowhere",
    )
