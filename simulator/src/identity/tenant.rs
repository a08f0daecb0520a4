//! The tenant's identities and keys; it issues tokens and reads them back.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::JwkSet};
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{API_SERVER_AUDIENCE, ARM_AUDIENCE, certificate, federation};
use crate::scenario::{Identity, Role};

/// How long a token is good for, in real seconds, unless the identity says something else.
const LIFETIME_SECONDS: i64 = 3600;

/// Id of the signing key; each start has one.
const KEY_ID: &str = "tidegate-simulator";

/// What Azure Resource Manager takes tokens for, in each cloud.
const ARM_AUDIENCES: [&str; 6] = [
    ARM_AUDIENCE,
    "https://management.core.windows.net",
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
    "https://management.core.chinacloudapi.cn",
];

/// A name for the tenant besides its id.
const DOMAIN: &str = "tidegate.example";

/// The tenant.
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(super) endpoint: String,
    identities: Vec<Identity>,
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: Vec<u8>,
    /// Keys of issuers of federated tokens, by issuer.
    trusted: Mutex<BTreeMap<String, JwkSet>>,
}

/// The tenant's keys could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// No key.
    #[error("the tenant's signing key cannot be made: {0}")]
    Key(#[from] rcgen::Error),
    /// A key that the token library refuses.
    #[error("the tenant's signing key cannot be used: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// An issuer's key set that is none.
    #[error("not a set of JSON web keys: {0}")]
    Keys(#[from] serde_json::Error),
}

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    sub: String,
    pub(crate) oid: String,
    tid: String,
    pub(crate) appid: String,
    azp: String,
    groups: Vec<String>,
    ver: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// How a client shows who it is.
pub(crate) enum Credential<'a> {
    Secret(&'a str),
    Assertion(&'a str),
}

/// A token.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) token: String,
    /// How long it is good for, in seconds.
    pub(super) lifetime: i64,
    /// When it was issued, in seconds since 1970.
    pub(super) at: i64,
}

/// Why there is no token: Entra's number and words.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) error: &'static str,
    pub(crate) number: u32,
    pub(crate) message: String,
}

impl Tenant {
    pub(crate) fn new(id: String, endpoint: String, identities: Vec<Identity>) -> Result<Self, TenantError> {
        let key = KeyPair::generate()?;
        let public = key.public_key_raw().to_vec();
        Ok(Self {
            issuer: format!("{endpoint}/{id}/v2.0"),
            id,
            endpoint,
            identities,
            encoding: EncodingKey::from_ec_pem(key.serialize_pem().as_bytes())?,
            decoding: DecodingKey::from_ec_pem(key.public_key_pem().as_bytes())?,
            public,
            trusted: Mutex::new(BTreeMap::new()),
        })
    }

    /// From now on federated tokens of `issuer` must be signed with one of these keys.
    pub(crate) fn trust(&self, issuer: &str, keys: Value) -> Result<(), TenantError> {
        let keys = serde_json::from_value(keys)?;
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        trusted.insert(issuer.to_owned(), keys);
        Ok(())
    }

    /// Refuses a tenant that is another one; `common` and the like are any.
    pub(super) fn find(&self, tenant: &str) -> Result<(), Denied> {
        if is_any(tenant) || [self.id.as_str(), DOMAIN].iter().any(|name| name.eq_ignore_ascii_case(tenant)) {
            return Ok(());
        }
        let message = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
             correct cloud."
        );
        Err(Denied { error: "invalid_request", number: 90_002, message })
    }

    /// A token for a resource such as `https://management.azure.com`.
    pub(super) fn issue(
        &self,
        now: Timestamp,
        client_id: &str,
        credential: &Credential<'_>,
        resource: &str,
    ) -> Result<Issued, Denied> {
        let identity = self.identity(client_id).ok_or_else(|| Denied {
            error: "unauthorized_client",
            number: 700_016,
            message: format!(
                "Application with identifier '{client_id}' was not found in the directory '{}'.",
                self.id
            ),
        })?;
        self.check(now, identity, credential)?;
        self.sign(now, identity, resource)
    }

    /// The identities that are assigned to machines.
    pub(super) fn managed(&self) -> Vec<&Identity> {
        self.identities.iter().filter(|identity| identity.managed).collect()
    }

    /// A token of an identity that is assigned to whoever asks.
    pub(super) fn issue_managed(
        &self,
        now: Timestamp,
        identity: &Identity,
        resource: &str,
    ) -> Result<Issued, Denied> {
        self.sign(now, identity, resource)
    }

    /// What the bearer of a token may do; everything when that was not said.
    pub(crate) fn roles(&self, claims: &Claims) -> Option<Vec<Role>> {
        self.identity(&claims.appid)?.roles.clone()
    }

    fn identity(&self, client_id: &str) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.client_id.eq_ignore_ascii_case(client_id))
    }

    fn sign(&self, now: Timestamp, identity: &Identity, resource: &str) -> Result<Issued, Denied> {
        let at = now.as_second();
        let lifetime = identity.token_lifetime.map_or(LIFETIME_SECONDS, |lifetime| lifetime.as_secs());
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: resource.trim_end_matches('/').to_owned(),
            sub: identity.object_id.clone(),
            oid: identity.object_id.clone(),
            tid: self.id.clone(),
            appid: identity.client_id.clone(),
            azp: identity.client_id.clone(),
            groups: identity.groups.clone(),
            ver: "2.0".to_owned(),
            iat: at,
            nbf: at - 5,
            exp: at + lifetime,
        };
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) };
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding).map_err(|error| Denied {
            error: "server_error",
            number: 90_033,
            message: format!("The token could not be signed: {error}."),
        })?;
        Ok(Issued { token, lifetime, at })
    }

    fn check(&self, now: Timestamp, identity: &Identity, credential: &Credential<'_>) -> Result<(), Denied> {
        match credential {
            Credential::Secret(secret) if identity.secret.as_deref() == Some(*secret) => Ok(()),
            Credential::Secret(_) => Err(Denied {
                error: "invalid_client",
                number: 7_000_215,
                message: format!("Invalid client secret provided for app '{}'.", identity.client_id),
            }),
            Credential::Assertion(token) if is_own_assertion(identity, token) => {
                let Self { endpoint, id, issuer, .. } = self;
                let audiences = [
                    format!("{endpoint}/{id}/oauth2/v2.0/token"),
                    format!("{endpoint}/{id}/oauth2/token"),
                    format!("{endpoint}/{id}"),
                    issuer.clone(),
                ];
                certificate::check(now, &identity.client_id, &identity.certificates, token, &audiences)
            }
            Credential::Assertion(token) => {
                let trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
                federation::check(now, identity, token, &trusted)
            }
        }
    }

    /// Who presents this token to Azure Resource Manager; nobody when it is not good for that.
    pub(crate) fn arm_caller(&self, token: &str) -> Result<Claims, jsonwebtoken::errors::Error> {
        let audiences = ARM_AUDIENCES.iter().copied().chain([self.endpoint.as_str()]);
        self.caller(token, &audiences.collect::<Vec<_>>())
    }

    /// Who presents this token to a cluster's API server; nobody when it is not good for that.
    pub(crate) fn api_server_caller(&self, token: &str) -> Result<Claims, jsonwebtoken::errors::Error> {
        self.caller(token, &[API_SERVER_AUDIENCE])
    }

    fn caller(&self, token: &str, audiences: &[&str]) -> Result<Claims, jsonwebtoken::errors::Error> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(audiences);
        // The clock that the token was made by is our own.
        validation.leeway = 0;
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).map(|token| token.claims)
    }

    /// The public key, as the point's two coordinates.
    pub(crate) fn keys(&self) -> Value {
        let (x, y) = self.public[1..].split_at(32);
        json!({ "keys": [{
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        }] })
    }
}

/// Whether an alias stands for whichever tenant it is.
pub(super) fn is_any(tenant: &str) -> bool {
    ["common", "organizations", "consumers"].iter().any(|alias| alias.eq_ignore_ascii_case(tenant))
}

/// Whether the identity issued the assertion itself, which it does with a certificate's key.
fn is_own_assertion(identity: &Identity, token: &str) -> bool {
    federation::issuer(token).is_some_and(|issuer| issuer.eq_ignore_ascii_case(&identity.client_id))
}
