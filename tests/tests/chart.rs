//! The chart on a real API server: it installs where the restricted Pod Security Standard is
//! enforced, gives the operator the rights that it uses and no others, and refuses bad values by name.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use control_plane::{ControlPlane, Environment, Options};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec},
        core::v1::{Namespace, Pod, Secret},
        networking::v1::NetworkPolicy,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::json;
use tokio::process::Command;

const NAMESPACE: &str = "tidegate-system";
const OPERATOR: (&str, &[&str]) =
    ("system:serviceaccount:tidegate-system:tidegate", &["system:serviceaccounts", "system:authenticated"]);
/// Without these the chart says what is missing.
const NEEDED: &str =
    "image.repository=example.org/tidegate,azure.clientId=00000000-0000-0000-0000-00000000000a";

#[tokio::test]
async fn helm_lint_finds_nothing() -> Result<()> {
    let mut helm = Command::new(control_plane::assets().await?.join("helm"));
    run(helm.args(["lint", "--strict"]).arg(chart())).await.map(drop)
}

#[test]
fn manifests_are_generated_from_the_types() -> Result<()> {
    for folder in ["crds/manifests", "charts/tidegate/files/crds"] {
        let mut names = BTreeSet::new();
        for definition in crds::definitions() {
            let name = format!("{}.yaml", definition.spec.names.plural);
            let path = root().join(folder).join(&name);
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("run `make manifests`: {name}"))?;
            let written: CustomResourceDefinition = serde_saphyr::from_str(&text)?;
            ensure!(written == definition, "{folder}/{name} is out of date: run `make manifests`");
            names.insert(name);
        }
        for entry in std::fs::read_dir(root().join(folder))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            ensure!(names.contains(&name), "{folder}/{name} belongs to no kind: run `make manifests`");
        }
    }
    Ok(())
}

#[tokio::test]
async fn bad_values_are_refused_by_name() -> Result<()> {
    let cases = [
        ("replicas=-1", "/replicas"),
        ("replicas=two", "/replicas"),
        ("replica=2", "'replica'"),
        ("image.repository=https://example.org/tidegate", "/image/repository"),
        ("image.repository=", "image.repository is needed"),
        ("azure.clientId=", "azure.clientId is needed"),
        ("azure.clientId=my-identity", "/azure/clientId"),
        ("azure.cloud=AzureCloud", "/azure/cloud"),
        ("azure.credential=developer-tools", "/azure/credential"),
        ("azure.credential=client-secret", "azure.clientSecret.name is needed"),
        ("azure.endpoint=http://management.example.org", "/azure/endpoint"),
        ("azure.audience=management.azure.com", "/azure/audience"),
        ("azure.apiVersion=latest", "/azure/apiVersion"),
        ("extraArgs[0]=debug", "/extraArgs/0"),
        ("kubeconfigSecrets[0].namespace=platform", "/kubeconfigSecrets/0"),
        ("networkPolicy.httpsPorts[0]=0", "/networkPolicy/httpsPorts/0"),
    ];
    let helm = control_plane::assets().await?.join("helm");
    for (values, named) in cases {
        let answer = render(&helm, &["--set", values]).await;
        assert_refused(values, answer, named)?;
    }
    // A role without names would allow every Secret of the namespace.
    let empty = r#"kubeconfigSecrets=[{"namespace": "platform", "names": []}]"#;
    assert_refused(empty, render(&helm, &["--set-json", empty]).await, "/kubeconfigSecrets/0/names")?;
    let twice =
        r#"kubeconfigSecrets=[{"namespace": "a", "names": ["x"]}, {"namespace": "a", "names": ["y"]}]"#;
    assert_refused(twice, render(&helm, &["--set-json", twice]).await, "namespace a is listed twice")
}

#[tokio::test]
async fn the_identity_block_becomes_the_flags_of_the_operator() -> Result<()> {
    let helm = control_plane::assets().await?.join("helm");
    let cases: [(&str, &[&str]); 4] = [
        ("azure.credential=workload-identity", &["--azure-credential=workload-identity"]),
        (
            "azure.credential=managed-identity",
            &[
                "--azure-credential=managed-identity",
                "--azure-client-id=00000000-0000-0000-0000-00000000000a",
            ],
        ),
        (
            "azure.credential=client-secret,azure.clientSecret.name=tidegate,\
             azure.tenantId=00000000-0000-0000-0000-00000000000b",
            &[
                "--azure-client-id=00000000-0000-0000-0000-00000000000a",
                "--azure-client-secret-file=/etc/tidegate/client-secret/client-secret",
                "--azure-credential=client-secret",
                "--azure-tenant-id=00000000-0000-0000-0000-00000000000b",
            ],
        ),
        (
            "azure.cloud=china,azure.endpoint=https://arm.example,azure.authority=https://login.example,\
             azure.audience=https://management.chinacloudapi.cn,azure.apiVersion=2026-08-01,azure.ca.configMap=ca",
            &[
                "--azure-api-version=2026-08-01",
                "--azure-audience=https://management.chinacloudapi.cn",
                "--azure-authority=https://login.example",
                "--azure-ca-file=/etc/tidegate/ca/ca.crt",
                "--azure-cloud=china",
                "--azure-endpoint=https://arm.example",
            ],
        ),
    ];
    for (values, expected) in cases {
        let text = render(&helm, &["--set", values, "--show-only", "templates/deployment.yaml"]).await?;
        // Not as a Deployment: its octal file modes are numbers of YAML 1.1, which Kubernetes reads.
        let deployment: serde_json::Value = serde_saphyr::from_str(&text)?;
        let args = deployment.pointer("/spec/template/spec/containers/0/args").context("arguments")?;
        let args = args.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        let defaults = ["--azure-cloud=public", "--azure-credential=workload-identity"];
        let mut found: Vec<&str> = args.filter(|arg| arg.starts_with("--azure-")).collect();
        found.retain(|arg| expected.contains(arg) || !defaults.contains(arg));
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        ensure!(found == expected, "{values}: {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn only_managed_identity_reaches_the_metadata_endpoint() -> Result<()> {
    let helm = control_plane::assets().await?.join("helm");
    let policy = async |credential: &str| -> Result<NetworkPolicy> {
        let credential = format!("azure.credential={credential}");
        let text =
            render(&helm, &["--set", &credential, "--show-only", "templates/networkpolicy.yaml"]).await?;
        Ok(serde_saphyr::from_str(&text)?)
    };
    ensure!(!reaches_metadata_endpoint(&policy("workload-identity").await?));
    ensure!(reaches_metadata_endpoint(&policy("managed-identity").await?));
    Ok(())
}

/// K6, K7, and the life of a release: install, use, upgrade, uninstall, install again.
#[tokio::test]
async fn the_chart_installs_upgrades_and_leaves_the_definitions() -> Result<()> {
    let environment = Environment::start("chart").await?;
    let hub = environment.control_plane(Options { controllers: true, ..Options::new("hub") }).await?;
    let client = hub.client()?;
    create_namespaces(&client).await?;
    install(&hub).await?;
    assert_pods_are_admitted(&client).await?;
    assert_definitions_work(&client).await?;
    assert_operator_rights(&hub).await?;
    assert_secrets_only_by_name(&hub).await?;
    assert_user_rights(&hub).await?;
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), NAMESPACE);
    ensure!(!reaches_metadata_endpoint(&policies.get("tidegate").await?));

    upgrade_to_a_changed_chart(&hub).await?;
    run(hub.helm().args(["uninstall", "tidegate", "-n", NAMESPACE, "--wait"])).await?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    ensure!(deployments.get_opt("tidegate").await?.is_none());
    ensure!(clusters(&client).get_opt("weu-prod-1").await?.is_some(), "an AKSCluster went with the release");
    install(&hub).await
}

async fn create_namespaces(client: &Client) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for (name, labels) in
        [(NAMESPACE, json!({"pod-security.kubernetes.io/enforce": "restricted"})), ("platform", json!({}))]
    {
        let namespace = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
        namespaces.create(&PostParams::default(), &namespace).await?;
    }
    Ok(())
}

async fn install(hub: &ControlPlane) -> Result<()> {
    let secrets = r#"kubeconfigSecrets=[{"namespace": "platform", "names": ["weu-prod-1"]}]"#;
    let mut helm = hub.helm();
    helm.args(["install", "tidegate"]).arg(chart()).args(["-n", NAMESPACE, "--set", NEEDED]);
    let notes = run(helm.args(["--set-json", secrets])).await?;
    ensure!(notes.contains("system:serviceaccount:tidegate-system:tidegate"), "{notes}");
    Ok(())
}

/// They stay Pending, as there are no nodes; a pod that is not restricted is refused.
async fn assert_pods_are_admitted(client: &Client) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let refused = serde_json::from_value(json!({
        "metadata": {"name": "unrestricted"},
        "spec": {"containers": [{"name": "main", "image": "example.org/main"}]},
    }))?;
    let answer = pods.create(&PostParams::default(), &refused).await;
    ensure!(
        matches!(&answer, Err(kube::Error::Api(status)) if status.message.contains("violates PodSecurity"))
    );

    let ours = ListParams::default().labels("app.kubernetes.io/instance=tidegate");
    let admitted =
        eventually("two pods are admitted", async || Ok(pods.list(&ours).await?.items.len() == 2)).await;
    if admitted.is_err() {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
        bail!("no pods: {:?}", deployments.get("tidegate").await?.status);
    }
    let pod = pods.list(&ours).await?.items.pop().context("a pod")?;
    let spec = serde_json::to_value(pod.spec)?;
    for (pointer, expected) in [
        ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ("/securityContext/appArmorProfile/type", json!("RuntimeDefault")),
        ("/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
    ] {
        ensure!(spec.pointer(pointer) == Some(&expected), "{pointer}: {spec}");
    }
    Ok(())
}

async fn assert_definitions_work(client: &Client) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in crds::definitions() {
        let name = definition.name_any();
        eventually(&format!("{name} is established"), async || {
            let conditions = definitions.get(&name).await?.status.and_then(|status| status.conditions);
            let established = |of| matches!(of, ("Established", "True"));
            let mut conditions = conditions.iter().flatten();
            Ok(conditions.any(|condition| established((&condition.type_, &condition.status))))
        })
        .await?;
    }
    let cluster = serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "AKSCluster",
        "metadata": {"name": "weu-prod-1"},
        "spec": {"resourceId": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/weu/providers/Microsoft.ContainerService/managedClusters/weu-prod-1"},
    }))?;
    clusters(client).create(&PostParams::default(), &cluster).await.map(drop).context("an AKSCluster")
}

/// Exactly what the operator does: a rule too many fails as a rule too few does.
async fn assert_operator_rights(hub: &ControlPlane) -> Result<()> {
    let everywhere = rights(&[
        ("tidegate.dev/aksclusters", "get list watch patch"),
        ("tidegate.dev/maintenancewindows", "get list watch"),
        ("tidegate.dev/upgradefreezes", "get list watch"),
        ("tidegate.dev/upgradeplans", "get list watch"),
        ("tidegate.dev/upgradeapprovals", "get list watch"),
        ("tidegate.dev/upgradeapprovals/status", "patch"),
        ("tidegate.dev/clusterupgrades", "get list watch create patch delete"),
        ("tidegate.dev/aksclusters/status", "update"),
        ("tidegate.dev/clusterupgrades/status", "update"),
        ("tidegate.dev/maintenancewindows/status", "update"),
        ("tidegate.dev/upgradefreezes/status", "update"),
        ("tidegate.dev/upgradeplans/status", "update"),
        ("events.k8s.io/events", "create patch"),
    ]);
    let leader = rights(&[
        ("coordination.k8s.io/leases", "create"),
        ("coordination.k8s.io/leases tidegate", "get update"),
    ]);
    let kubeconfigs = rights(&[("/secrets weu-prod-1", "get")]);
    assert_eq!(rights_of(hub, OPERATOR, "default").await?, everywhere);
    assert_eq!(rights_of(hub, OPERATOR, NAMESPACE).await?, &everywhere | &leader);
    assert_eq!(rights_of(hub, OPERATOR, "platform").await?, &everywhere | &kubeconfigs);
    Ok(())
}

async fn assert_secrets_only_by_name(hub: &ControlPlane) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(hub.client()?, "platform");
    for name in ["weu-prod-1", "payroll"] {
        let secret = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        secrets.create(&PostParams::default(), &secret).await?;
    }
    let operator = hub.client_as(OPERATOR.0, OPERATOR.1)?;
    let secrets: Api<Secret> = Api::namespaced(operator.clone(), "platform");
    secrets.get("weu-prod-1").await.context("a Secret that is named in kubeconfigSecrets")?;
    ensure!(is_forbidden(secrets.get("payroll").await));
    ensure!(is_forbidden(secrets.list(&ListParams::default()).await));
    ensure!(is_forbidden(Api::<Secret>::all(operator.clone()).list(&ListParams::default()).await));
    ensure!(is_forbidden(Api::<Pod>::all(operator).list(&ListParams::default()).await));
    Ok(())
}

async fn assert_user_rights(hub: &ControlPlane) -> Result<()> {
    let bindings = [
        ("ann", "tidegate-planner"),
        ("ben", "tidegate-registrar"),
        ("cem", "view"),
        ("dan", "tidegate-approver"),
    ];
    for (user, role) in bindings {
        let binding = format!("{user}-{role}");
        let (role, user) = (format!("--clusterrole={role}"), format!("--user={user}"));
        run(hub.kubectl().args(["create", "rolebinding", &binding, &role, &user, "-n", "platform"])).await?;
    }
    // Freezes belong to no namespace.
    let freezer = ["create", "clusterrolebinding", "dora", "--clusterrole=tidegate-freezer", "--user=dora"];
    run(hub.kubectl().args(freezer)).await?;
    let write = "get list watch create update patch delete";
    let planner = rights(&[
        ("tidegate.dev/aksclusters", "get list watch"),
        ("tidegate.dev/upgradeapprovals", "get list watch"),
        ("tidegate.dev/upgradefreezes", "get list watch"),
        ("tidegate.dev/clusterupgrades", write),
        ("tidegate.dev/maintenancewindows", write),
        ("tidegate.dev/upgradeplans", write),
    ]);
    assert_eq!(rights_of(hub, ("ann", &["system:authenticated"]), "platform").await?, planner);
    assert_eq!(rights_of(hub, ("ann", &["system:authenticated"]), "default").await?, BTreeSet::new());
    let registrar = rights(&[("tidegate.dev/aksclusters", write)]);
    assert_eq!(rights_of(hub, ("ben", &["system:authenticated"]), "platform").await?, registrar);
    let approver = rights(&[
        ("tidegate.dev/aksclusters", "get list watch"),
        ("tidegate.dev/clusterupgrades", "get list watch"),
        ("tidegate.dev/maintenancewindows", "get list watch"),
        ("tidegate.dev/upgradefreezes", "get list watch"),
        ("tidegate.dev/upgradeplans", "get list watch"),
        ("tidegate.dev/upgradeapprovals", "get list watch create delete"),
    ]);
    assert_eq!(rights_of(hub, ("dan", &["system:authenticated"]), "platform").await?, approver);
    let seen = "get list watch";
    let freezer = rights(&[("tidegate.dev/aksclusters", seen), ("tidegate.dev/upgradefreezes", write)]);
    assert_eq!(rights_of(hub, ("dora", &["system:authenticated"]), "default").await?, freezer);
    let viewer = rights(&[("tidegate.dev/maintenancewindows", seen), ("tidegate.dev/upgradeplans", seen)]);
    eventually("the built-in view includes plans and windows", async || {
        Ok(rights_of(hub, ("cem", &["system:authenticated"]), "platform").await?.is_superset(&viewer))
    })
    .await
}

/// `("group/resource name", "verb verb")`, one element each.
fn rights(rules: &[(&str, &str)]) -> BTreeSet<String> {
    rules.iter().flat_map(|(on, verbs)| verbs.split(' ').map(move |verb| format!("{verb} {on}"))).collect()
}

/// What `user` may do in `namespace` beyond what everybody may.
async fn rights_of(hub: &ControlPlane, user: (&str, &[&str]), namespace: &str) -> Result<BTreeSet<String>> {
    let everybody = review(hub.client_as("nobody", &["system:authenticated"])?, namespace).await?;
    Ok(&review(hub.client_as(user.0, user.1)?, namespace).await? - &everybody)
}

async fn review(client: Client, namespace: &str) -> Result<BTreeSet<String>> {
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) };
    let question = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
    let answer = Api::all(client).create(&PostParams::default(), &question).await?;
    let status = answer.status.context("an answer")?;
    ensure!(!status.incomplete, "{status:?}");
    let mut rights = BTreeSet::new();
    for rule in status.resource_rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let names = rule.resource_names.clone().filter(|names| !names.is_empty());
                for name in names.map_or(vec![String::new()], |names| names) {
                    let on = format!("{group}/{resource} {name}");
                    rights.extend(rule.verbs.iter().map(|verb| format!("{verb} {}", on.trim_end())));
                }
            }
        }
    }
    Ok(rights)
}

/// The next version has another short name for a kind: `helm upgrade` must bring it.
async fn upgrade_to_a_changed_chart(hub: &ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    run(Command::new("cp").arg("-R").arg(chart()).arg(folder.path())).await?;
    let chart = folder.path().join("tidegate");
    let file = chart.join("files/crds/upgradeplans.yaml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace("    - upl\n", "    - upl\n    - nextplan\n"))?;
    let mut helm = hub.helm();
    helm.args(["upgrade", "tidegate"]).arg(&chart).args([
        "-n",
        NAMESPACE,
        "--reuse-values",
        "--set",
        "replicas=3",
    ]);
    run(&mut helm).await?;

    let definitions: Api<CustomResourceDefinition> = Api::all(hub.client()?);
    let names = definitions.get("upgradeplans.tidegate.dev").await?.spec.names.short_names;
    ensure!(names == Some(vec!["upl".to_owned(), "nextplan".to_owned()]), "{names:?}");
    let deployments: Api<Deployment> = Api::namespaced(hub.client()?, NAMESPACE);
    ensure!(deployments.get("tidegate").await?.spec.and_then(|spec| spec.replicas) == Some(3));
    Ok(())
}

/// Whether an egress rule lets packets to 169.254.169.254 through; 0.0.0.0/0 and the address
/// itself are the only IPv4 blocks of the chart.
fn reaches_metadata_endpoint(policy: &NetworkPolicy) -> bool {
    let rules = policy.spec.iter().flat_map(|spec| spec.egress.iter().flatten());
    let peers = rules.flat_map(|rule| rule.to.iter().flatten());
    let mut blocks = peers.filter_map(|peer| peer.ip_block.as_ref());
    blocks.any(|block| {
        let excepted = block.except.iter().flatten().any(|range| range == "169.254.169.254/32");
        ["0.0.0.0/0", "169.254.169.254/32"].contains(&block.cidr.as_str()) && !excepted
    })
}

fn clusters(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(crds::GROUP, "v1alpha1", "AKSCluster");
    Api::namespaced_with(client.clone(), "platform", &ApiResource::from_gvk_with_plural(&kind, "aksclusters"))
}

fn is_forbidden<T>(answer: Result<T, kube::Error>) -> bool {
    matches!(answer, Err(kube::Error::Api(status)) if status.code == 403)
}

fn assert_refused(values: &str, answer: Result<String>, named: &str) -> Result<()> {
    match answer {
        Ok(_) => bail!("{values} was accepted"),
        Err(error) => {
            ensure!(error.to_string().contains(named), "{values}: {named} is not named in: {error}");
            Ok(())
        }
    }
}

async fn render(helm: &PathBuf, arguments: &[&str]) -> Result<String> {
    let mut helm = Command::new(helm);
    run(helm
        .args(["template", "tidegate", "--kube-version", "1.33.0"])
        .arg(chart())
        .args(["--set", NEEDED])
        .args(arguments))
    .await
}

/// What it prints; an error says what it complains about.
async fn run(command: &mut Command) -> Result<String> {
    let output = command.kill_on_drop(true).output().await.with_context(|| format!("{command:?}"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    ensure!(output.status.success(), "{}{}", text(output.stdout), text(output.stderr));
    Ok(text(output.stdout))
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..300 {
        if holds().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("not within 30 s: {what}")
}

fn chart() -> PathBuf {
    root().join("charts/tidegate")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
