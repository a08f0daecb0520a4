//! Tokens of an issuer that takes the place of Entra authenticate as object ids and groups.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use axum::{Json, Router, routing::get};
use axum_server::tls_rustls::RustlsConfig;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use control_plane::{ControlPlane, EntraIssuer, Environment, Options};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Api, PostParams};
use kube::config::AuthInfo;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

const AUDIENCE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

#[tokio::test]
async fn a_token_authenticates_as_its_object_id_and_groups() -> Result<()> {
    let issuer = Issuer::start().await?;
    let environment = Environment::start("entra").await?;
    let options = Options::new("target").entra(issuer.entra()).audit_log();
    let cluster = environment.control_plane(options).await?;

    let (user, groups) = review(&cluster, issuer.token(AUDIENCE)?).await?;
    assert_eq!(user, "8f5b2f6e-1111-4222-8333-444455556666");
    assert_eq!(groups, ["upgraders", "system:authenticated"]);

    let other = review(&cluster, issuer.token("another audience")?).await;
    assert!(other.is_err());

    let log = std::fs::read_to_string(cluster.audit_log().unwrap())?;
    assert!(log.contains("8f5b2f6e-1111-4222-8333-444455556666"));
    Ok(())
}

async fn review(cluster: &ControlPlane, token: String) -> Result<(String, Vec<String>)> {
    let mut config = cluster.config_as("nobody", &[])?;
    config.auth_info = AuthInfo { token: Some(token.into()), ..AuthInfo::default() };
    let reviews: Api<SelfSubjectReview> = Api::all(kube::Client::try_from(config)?);
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = review.status.and_then(|s| s.user_info).context("a user")?;
    Ok((user.username.context("a name")?, user.groups.unwrap_or_default()))
}

/// A discovery document and one ES256 key, served over https.
struct Issuer {
    url: String,
    certificate: String,
    signer: KeyPair,
}

impl Issuer {
    async fn start() -> Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let tls_key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["localhost".to_owned()])?;
        let certificate = params.self_signed(&tls_key)?.pem();
        let tls_key = tls_key.serialize_pem().into_bytes();
        let config = RustlsConfig::from_pem(certificate.clone().into_bytes(), tls_key).await?;

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let signer = KeyPair::generate()?;
        let (document, keys) = (discovery(&url), key_set(&signer));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(|| async { Json(document) }))
            .route("/keys", get(|| async { Json(keys) }));
        let server = axum_server::from_tcp_rustls(listener, config)?;
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(server.serve(router.into_make_service()));
        Ok(Self { url, certificate, signer })
    }

    fn entra(&self) -> EntraIssuer {
        EntraIssuer {
            issuer_url: self.url.clone(),
            ca_pem: self.certificate.clone(),
            audience: AUDIENCE.to_owned(),
        }
    }

    fn token(&self, audience: &str) -> Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("one".to_owned());
        let now = jsonwebtoken::get_current_timestamp();
        let claims = json!({
            "iss": self.url,
            "aud": audience,
            "sub": "pairwise",
            "oid": "8f5b2f6e-1111-4222-8333-444455556666",
            "groups": ["upgraders"],
            "iat": now,
            "exp": now + 600,
        });
        let key = EncodingKey::from_ec_pem(self.signer.serialize_pem().as_bytes())?;
        Ok(jsonwebtoken::encode(&header, &claims, &key)?)
    }
}

fn discovery(url: &str) -> Value {
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

/// The key as JSON: an uncompressed point is one byte, then 32 for each coordinate.
fn key_set(signer: &KeyPair) -> Value {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let point = signer.public_key_raw();
    json!({ "keys": [{
        "kid": "one", "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
        "x": encode(&point[1..33]), "y": encode(&point[33..]),
    }]})
}
