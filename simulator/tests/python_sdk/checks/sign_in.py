"""Who is let in, and how the SDK is told why somebody is not."""

import json
import tempfile
import time

import jwt
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential, WorkloadIdentityCredential
from cryptography.hazmat.primitives.asymmetric import ec

from .azure import (
    AUTHORITY, FEDERATED_CLIENT, FLEETING_CLIENT, MANAGED_CLIENT, SCOPE, TENANT, client, control, eventually, expect,
    expect_error, expect_in, secret_credential,
)

ISSUER = "https://issuer.invalid/hub"
KEY = ec.generate_private_key(ec.SECP256R1())


class Given:
    """A credential with a token that somebody else got."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_options):
        return AccessToken(self.token, int(time.time()) + 3600)


def check_a_client_secret_signs_in():
    expect("a cluster", client().managed_clusters.get("read", "first").name, "first")


def check_a_wrong_secret_is_refused():
    refused(secret_credential("guessed"), "AADSTS7000215")


def check_an_unknown_application_is_refused():
    refused(secret_credential(client_id="40000000-0000-4000-8000-00000000ffff"), "AADSTS700016")


def check_a_federated_token_signs_in():
    """As in a pod with workload identity: the token comes from a file and is exchanged for Entra's."""
    trust_issuer()
    with federated(KEY) as credential:
        expect("a cluster", client(credential).managed_clusters.get("read", "first").name, "first")


def check_a_federated_token_of_another_service_account_is_refused():
    trust_issuer()
    with federated(KEY, sub="system:serviceaccount:default:other") as credential:
        refused(credential, "AADSTS700213")


def check_a_federated_token_with_another_signature_is_refused():
    trust_issuer()
    with federated(ec.generate_private_key(ec.SECP256R1())) as credential:
        refused(credential, "AADSTS50013")


def check_a_federated_token_that_has_expired_is_refused():
    trust_issuer()
    with federated(KEY, exp=int(time.time()) - 60) as credential:
        refused(credential, "AADSTS700024")


def check_a_managed_identity_signs_in():
    """From the metadata endpoint of a machine, whose address main.rs puts into the environment."""
    azure = client(ManagedIdentityCredential(client_id=MANAGED_CLIENT))
    expect("a cluster", azure.managed_clusters.get("read", "first").name, "first")


def check_a_managed_identity_of_another_machine_is_refused():
    refused(ManagedIdentityCredential(client_id=FEDERATED_CLIENT), "Identity not found")


def check_a_token_that_has_expired_is_refused():
    def is_let_in(token):
        try:
            return client(Given(token)).managed_clusters.get("read", "first").name == "first"
        except ClientAuthenticationError:
            return False

    # It lasts for some seconds: on a slow machine the first may have expired before it is shown.
    tokens = []

    def is_good_at_first():
        tokens.append(secret_credential(client_id=FLEETING_CLIENT).get_token(SCOPE).token)
        return is_let_in(tokens[-1])

    eventually("a new token is good", is_good_at_first)
    eventually("it is not for ever", lambda: not is_let_in(tokens[-1]))
    expect_error(
        lambda: client(Given(tokens[-1])).managed_clusters.get("read", "first"),
        ClientAuthenticationError, 401, "ExpiredAuthenticationToken", "expiry",
    )


def check_what_is_no_token_is_refused():
    get = client(Given("no.token.atall")).managed_clusters.get
    expect_error(
        lambda: get("read", "first"), ClientAuthenticationError, 401, "InvalidAuthenticationToken", "access token"
    )


def check_a_token_for_something_else_is_refused():
    graph = secret_credential().get_token("https://graph.microsoft.com/.default")
    get = client(Given(graph.token)).managed_clusters.get
    expect_error(
        lambda: get("read", "first"),
        ClientAuthenticationError, 401, "InvalidAuthenticationTokenAudience", "wrong audience",
    )


def refused(credential, code):
    try:
        client(credential).managed_clusters.get("read", "first")
    except ClientAuthenticationError as error:
        expect_in("why there is no token", code, error.message)
        return
    raise AssertionError(f"expected ClientAuthenticationError with {code}, and it was let in")


class federated:
    """The credential of a pod whose service-account token is signed with a key."""

    def __init__(self, key, **claims):
        now = int(time.time())
        subject = "system:serviceaccount:tidegate:tidegate"
        claims = {
            "iss": ISSUER, "sub": subject, "aud": "api://AzureADTokenExchange", "iat": now, "exp": now + 600,
        } | claims
        self.file = tempfile.NamedTemporaryFile("w", suffix=".jwt")
        self.file.write(jwt.encode(claims, key, algorithm="ES256", headers={"kid": "hub"}))
        self.file.flush()

    def __enter__(self):
        return WorkloadIdentityCredential(
            tenant_id=TENANT, client_id=FEDERATED_CLIENT, token_file_path=self.file.name, **AUTHORITY
        )

    def __exit__(self, *_error):
        self.file.close()


def trust_issuer():
    """Tells the tenant the issuer's keys, as its discovery document would."""
    key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
    control("/issuers", {"issuer": ISSUER, "jwks": {"keys": [key | {"kid": "hub", "alg": "ES256", "use": "sig"}]}})
