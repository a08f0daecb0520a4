//! Several control planes at once, who may enter, and the tools.

use anyhow::Result;
use control_plane::{ControlPlane, Environment, Options};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{Api, GetParams, ListParams, PostParams};
use kube::config::AuthInfo;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// One control plane for several tests, never dropped: it goes away with the process.
async fn shared() -> Result<&'static ControlPlane> {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = async || {
        let environment = Environment::start("shared").await?;
        environment.control_plane(Options::new("hub")).await
    };
    SHARED.get_or_try_init(start).await
}

#[tokio::test]
async fn a_hub_and_three_targets_start_at_once() -> Result<()> {
    let start = Instant::now();
    let environment = Environment::start("fleet").await?;
    println!("etcd answers after {:?}", start.elapsed());
    let start = Instant::now();
    let hub = environment.control_plane(Options::new("hub").workloads());
    let target = |n| environment.control_plane(Options::new(format!("target-{n}")).workloads());
    let fleet = tokio::try_join!(hub, target(1), target(2), target(3))?;
    println!("four control planes are ready after {:?}", start.elapsed());

    let fleet = [fleet.0, fleet.1, fleet.2, fleet.3];
    for cluster in &fleet {
        create_namespace(cluster, cluster.name()).await?;
    }
    for cluster in &fleet {
        let namespaces: Api<Namespace> = Api::all(cluster.client()?);
        let found = namespaces.list(&ListParams::default()).await?;
        let names = found.into_iter().filter_map(|n| n.metadata.name);
        let own: Vec<_> = names.filter(|name| name == "hub" || name.starts_with("target")).collect();
        assert_eq!(own, [cluster.name()]);
    }
    let folder = environment.folder();
    assert!(folder.exists());
    let start = Instant::now();
    drop((fleet, environment));
    println!("stopped after {:?}", start.elapsed());
    assert!(!folder.exists());
    Ok(())
}

#[tokio::test]
async fn client_certificates_carry_users_and_groups() -> Result<()> {
    let cluster = shared().await?;

    let groups = ["platform", "on-call", "readers"];
    let client = cluster.client_as("alice", &groups)?;
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = review.status.and_then(|s| s.user_info).unwrap();
    assert_eq!(user.username.as_deref(), Some("alice"));
    assert_eq!(user.groups.unwrap(), ["platform", "on-call", "readers", "system:authenticated"]);
    let refused = Api::<Node>::all(client).list(&ListParams::default()).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 403));
    Ok(())
}

#[tokio::test]
async fn kubectl_and_helm_talk_to_it() -> Result<()> {
    let cluster = shared().await?;

    let output = cluster.kubectl().args(["auth", "can-i", "*", "*"]).output().await?;
    assert!(output.status.success(), "{output:?}");

    let output = cluster.helm().args(["list", "--all-namespaces"]).output().await?;
    assert!(output.status.success(), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn the_issuer_of_service_account_tokens_is_public() -> Result<()> {
    let cluster = shared().await?;

    let mut config = cluster.config_as("nobody", &[])?;
    config.auth_info = AuthInfo::default();
    let anonymous = kube::Client::try_from(config)?;
    let request =
        kube::core::Request::new("/.well-known").get("openid-configuration", &GetParams::default())?;
    let document: serde_json::Value = anonymous.request(request).await?;
    assert_eq!(document["issuer"], cluster.url());
    assert_eq!(document["jwks_uri"], format!("{}/openid/v1/jwks", cluster.url()));
    assert_eq!(document["id_token_signing_alg_values_supported"][0], "RS256");
    Ok(())
}

async fn create_namespace(cluster: &ControlPlane, name: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(cluster.client()?);
    let namespace = serde_json::from_value(serde_json::json!({ "metadata": { "name": name } }))?;
    namespaces.create(&PostParams::default(), &namespace).await?;
    Ok(())
}
