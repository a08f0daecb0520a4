"""The simulator as an Azure cloud, by the SDK's documented parameters alone, and what is expected of it."""

import json
import os
import time
import urllib.request

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.containerservice import ContainerServiceClient

# The line that the simulator prints when it is ready.
SIMULATOR = json.loads(os.environ["SIMULATOR"])
TENANT = SIMULATOR["tenant"]
SUBSCRIPTION = "20000000-0000-4000-8000-000000000001"
SECRET_CLIENT = "40000000-0000-4000-8000-000000000001"
FEDERATED_CLIENT = "40000000-0000-4000-8000-000000000002"
READER = "40000000-0000-4000-8000-000000000003"
NOBODY = "40000000-0000-4000-8000-000000000004"
GROUP_OPERATOR = "40000000-0000-4000-8000-000000000005"
MANAGED_CLIENT = "40000000-0000-4000-8000-000000000006"
FLEETING_CLIENT = "40000000-0000-4000-8000-000000000007"
SCOPE = "https://management.azure.com/.default"

# Entra, for a credential of azure-identity. The instance discovery would ask login.microsoftonline.com
# whether the authority is one of Microsoft's.
AUTHORITY = {"authority": SIMULATOR["authority"], "disable_instance_discovery": True}


def client(credential=None, **options):
    """A client of the simulator's subscription; polls quickly, because simulated time runs fast."""
    options = {"base_url": SIMULATOR["endpoint"], "credential_scopes": [SCOPE], "polling_interval": 0.1} | options
    return ContainerServiceClient(credential or secret_credential(), SUBSCRIPTION, **options)


def secret_credential(secret="not-a-secret", client_id=SECRET_CLIENT):
    return ClientSecretCredential(TENANT, client_id, secret, **AUTHORITY)


def cluster_id(group, name):
    return (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
        f"/providers/Microsoft.ContainerService/managedClusters/{name}"
    )


def control(path, body=None, method=None):
    """A call on the simulator's control port, which is no part of Azure: GET, or POST of a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        SIMULATOR["control"] + path, data=data, headers={"content-type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        text = response.read()
    return json.loads(text) if text else None


class held:
    """Operations that begin within make no progress before it is left, however slow this machine is.

    Names the clusters; without names it is about all, those that are yet to be made included.
    """

    def __init__(self, *clusters):
        self.rule = {"quirk": "stuckOperations", "clusters": list(clusters)}

    def __enter__(self):
        self.id = control("/quirks", self.rule)["id"]

    def __exit__(self, *_error):
        control(f"/quirks/{self.id}", method="DELETE")


def eventually(what, is_so):
    """Tries until it is so, in a time that only what never comes needs."""
    deadline = time.monotonic() + 60
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within 60 s")
        time.sleep(0.2)


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: expected {wanted!r}, got {got!r}")


def expect_in(what, part, whole):
    if part not in whole:
        raise AssertionError(f"{what}: expected {part!r} in {whole!r}")


def expect_error(call, kind, status, code, words):
    """The SDK raises exactly this kind of exception, with Azure's status and code, and these words."""
    try:
        result = call()
    except HttpResponseError as error:
        expect("kind of exception", type(error), kind)
        expect("status", error.status_code, status)
        expect("code", error.error.code if error.error else None, code)
        expect_in("message", words, error.message)
        return error
    raise AssertionError(f"expected {kind.__name__} with {code}, got {result!r}")


def done(poller):
    """The result of a long-running operation, in a time that only a hanging one needs."""
    result = poller.result(timeout=60)
    if not poller.done():
        raise AssertionError(f"the operation is not done after 60 s: {poller.status()}")
    expect("status of the poller", poller.status(), "Succeeded")
    return result
