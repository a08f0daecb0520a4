"""What else can be known about pools: versions for a new one, machines, images."""

from azure.core.rest import HttpRequest

from .azure import client, expect, expect_in

GROUP, CLUSTER = "read", "first"


def check_the_versions_for_a_new_pool():
    versions = client().agent_pools.get_available_agent_pool_versions(GROUP, CLUSTER).agent_pool_versions
    expect("versions", sorted(version.kubernetes_version for version in versions), ["1.33.101", "1.34.2", "1.34.4"])


def check_the_machines_of_a_pool():
    machines = list(client().machines.list(GROUP, CLUSTER, "apps"))
    expect("how many", len(machines), 2)
    for machine in machines:
        expect_in("name", "aks-apps-", machine.name)
        expect_in("resource", "/virtualMachineScaleSets/aks-apps-", machine.properties.resource_id)
        expect("addresses", [address.family for address in machine.properties.network.ip_addresses], ["IPv4"])
        one = client().machines.get(GROUP, CLUSTER, "apps", machine.name)
        expect("the same machine by its name", one.properties.resource_id, machine.properties.resource_id)


def check_the_node_images_of_a_region():
    """The SDK has no method for it in its stable API version, and `send_request` for such calls."""
    azure = client()
    path = f"/subscriptions/{azure._config.subscription_id}/providers/Microsoft.ContainerService/locations/westeurope"
    request = HttpRequest("GET", f"{{endpoint}}{path}/nodeImageVersions?api-version=2026-07-02-preview")
    response = azure.send_request(request)
    response.raise_for_status()
    images = [image["fullName"] for image in response.json()["value"]]
    expect_in("images", "AKSUbuntu-2204gen2containerd-202611.10.0", images)
