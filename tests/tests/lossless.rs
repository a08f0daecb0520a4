//! What Tidegate does not know of a cluster and its pools is there after its writes as it was before.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tests::stage::{Setup, Stage};

/// Fields of today and of years to come, nested, of every type, in every place.
const SCENARIO: &str = r#"
durations: {controlPlane: 1m, surgeCreate: 1m, reimageLinux: 1m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.34.4
  tags: {owner: payments, "weird / key": "ünïcode"}
  extra:
    plan: {name: a, product: b}
    futureTopLevel: [1, 2.5, null, {deep: {deeper: [true, "x"]}}]
    properties:
      futureProfile: {enabled: true, ratio: 0.25, big: 9007199254740993, list: [], map: {}, none: null}
      networkProfile: {networkPlugin: azure, futureNetwork: {mode: quantum}}
      aadProfile: {managed: true, enableAzureRBAC: true}
  pools:
  - name: system
    mode: System
    labels: {team: core}
    taints: ["dedicated=core:NoSchedule"]
    maxSurge: 33%
    drainTimeoutInMinutes: 17
    nodeSoakDurationInMinutes: 1
    extra:
      futurePool: {a: [1, {b: 2}], c: null}
      upgradeSettings: {futureSetting: keep}
      kubeletConfig: {cpuManagerPolicy: static, futureFlag: 7}
"#;

const PLAN: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: main}
spec:
  target: {kubernetes: {version: 1.35.3}}
  waves: [{name: all, clusters: {names: [weu-1]}}]
";

#[tokio::test(flavor = "multi_thread")]
async fn only_the_version_and_what_azure_derives_from_it_changes() -> Result<()> {
    Stage::run(Setup::new("lossless", SCENARIO), async |stage| {
        let before = (stage.arm("weu-1", "").await?, stage.arm("weu-1", "/agentPools/system").await?);
        assert_eq!(before.0["properties"]["futureProfile"]["big"], json!(9_007_199_254_740_993_u64));
        stage.register("fleet", "weu-1", &[]).await?;
        stage.apply(PLAN).await?;
        stage.plan_reaches("fleet", "main", "Succeeded").await?;
        assert_eq!(stage.mutations("weu-1"), ["PUT cluster", "PUT pool system"]);

        let after = (stage.arm("weu-1", "").await?, stage.arm("weu-1", "/agentPools/system").await?);
        assert_eq!(after.1["properties"]["upgradeSettings"]["futureSetting"], "keep");
        let changed = differences("", &before.0, &after.0);
        let pool = "/properties/agentPoolProfiles/0";
        assert_eq!(
            changed,
            [
                "/eTag".to_owned(),
                format!("{pool}/currentOrchestratorVersion"),
                format!("{pool}/eTag"),
                format!("{pool}/orchestratorVersion"),
                "/properties/currentKubernetesVersion".to_owned(),
                "/properties/kubernetesVersion".to_owned(),
            ]
        );
        let changed = differences("", &before.1, &after.1);
        let expected =
            ["/properties/currentOrchestratorVersion", "/properties/eTag", "/properties/orchestratorVersion"];
        assert_eq!(changed, expected);
        Ok(())
    })
    .await
    .context("lossless")
}

/// Paths of everything that is not the same, sorted.
fn differences(path: &str, before: &Value, after: &Value) -> Vec<String> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            keys.into_iter()
                .flat_map(|key| match (before.get(key), after.get(key)) {
                    (Some(before), Some(after)) => differences(&format!("{path}/{key}"), before, after),
                    _ => vec![format!("{path}/{key}")],
                })
                .collect()
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => before
            .iter()
            .zip(after)
            .enumerate()
            .flat_map(|(index, (before, after))| differences(&format!("{path}/{index}"), before, after))
            .collect(),
        _ if before == after => Vec::new(),
        _ => vec![path.to_owned()],
    }
}
