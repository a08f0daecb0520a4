//! From Azure's documents, as it answers them, to what a plan says: one row a situation that is planned
//! in its own way, or refused.

use azure_mgmt_containerservice::View as _;
use engine::{NodeImagePolicy, Offers, Outline, Policy, PoolMatch, Scope, Target, outline};
use serde_json::{Value, json};

use super::*;

const OLD: &str = "AKSUbuntu-2404gen2containerd-202609.01.0";
const NEW: &str = "AKSUbuntu-2404gen2containerd-202611.10.0";

/// A pool as it stands inline in its cluster.
fn pool_document(name: &str, mode: &str) -> Value {
    json!({
        "name": name, "mode": mode, "osType": "Linux", "osSKU": "Ubuntu2404", "count": 3,
        "type": "VirtualMachineScaleSets", "vmSize": "Standard_D4ds_v5", "maxPods": 110,
        "orchestratorVersion": "1.34.4", "currentOrchestratorVersion": "1.34.4", "nodeImageVersion": OLD,
        "provisioningState": "Succeeded", "powerState": {"code": "Running"}, "eTag": "1",
        "upgradeSettings": {"maxSurge": "10%", "maxUnavailable": "0"},
    })
}

/// A cluster at 1.34.4 with the pools `apps`, `spare` and `system`.
fn document() -> Value {
    json!({
        "id": "/subscriptions/20000000-0000-4000-8000-000000000001/resourcegroups/shop/providers/Microsoft.ContainerService/managedClusters/weu-1",
        "name": "weu-1", "location": "westeurope", "type": "Microsoft.ContainerService/ManagedClusters",
        "sku": {"name": "Base", "tier": "Standard"},
        "properties": {
            "provisioningState": "Succeeded", "powerState": {"code": "Running"},
            "kubernetesVersion": "1.34", "currentKubernetesVersion": "1.34.4",
            "supportPlan": "KubernetesOfficial",
            "autoUpgradeProfile": {"upgradeChannel": "none", "nodeOSUpgradeChannel": "Unmanaged"},
            "nodeProvisioningProfile": {"mode": "Manual", "defaultNodePools": "Auto"},
            "agentPoolProfiles":
                [pool_document("system", "System"), pool_document("apps", "User"), pool_document("spare", "User")],
        },
    })
}

/// What the region and the upgrade profile answer: 1.34 to 1.36, and 1.37 as a preview.
fn offers_documents() -> (Value, Value) {
    let both = json!({"supportPlan": ["KubernetesOfficial", "AKSLongTermSupport"]});
    let minor = |version: &str, patches: Value| json!({"version": version, "isPreview": false, "capabilities": both, "patchVersions": patches});
    let region = json!({"values": [
        {"version": "1.37", "isPreview": true, "patchVersions": {"1.37.0": {"upgrades": null}}},
        minor("1.36", json!({"1.36.2": {"upgrades": ["1.37.0"]}})),
        minor("1.35", json!({"1.35.3": {"upgrades": ["1.36.2"]}, "1.35.1": {"upgrades": ["1.35.3", "1.36.2"]}})),
        minor("1.34", json!({"1.34.4": {"upgrades": ["1.35.1", "1.35.3"]}})),
        {"version": "1.33", "capabilities": {"supportPlan": ["AKSLongTermSupport"]},
            "patchVersions": {"1.33.100": {"upgrades": ["1.34.4"]}}},
    ]});
    let profile = json!({"properties": {"controlPlaneProfile": {"kubernetesVersion": "1.34.4",
        "upgrades": [{"kubernetesVersion": "1.35.3"}, {"kubernetesVersion": "1.35.1", "isPreview": null}]},
        "agentPoolProfiles": null}});
    (region, profile)
}

/// What is planned for the document after `change`, in words: steps, what is left alone, what is
/// refused, what is said.
fn told(scope: Scope, to: Option<&str>, change: impl FnOnce(&mut Value, &mut Value)) -> Vec<String> {
    let (mut document, (region_document, mut profile)) = (document(), offers_documents());
    change(&mut document, &mut profile);
    let cluster = cluster(&ManagedCluster::read(&document)).unwrap();
    let offers = Offers {
        control_plane: offered(&ClusterUpgradeProfile::read(&profile)),
        region: region(&KubernetesVersions::read(&region_document)),
        images: ["apps", "spare", "system"].map(|name| (name.to_owned(), NEW.to_owned())).into(),
    };
    let kubernetes = to.map(|to| to.parse().unwrap());
    let target = Target {
        scope,
        kubernetes,
        node_image: NodeImagePolicy::Latest,
        images: std::collections::BTreeMap::new(),
        max_image_age: None,
    };
    let spare = PoolMatch { names: vec!["spare".to_owned()], ..PoolMatch::default() };
    let policy = Policy { exclude: vec![spare], ..Policy::default() };
    let now = "2026-11-22T21:00:00Z".parse().unwrap();
    let Outline { plan, refusals } = outline(&cluster, &target, &policy, &offers, now);
    let steps = plan.steps.iter().map(|planned| planned.step.id());
    let left = plan.left_alone.iter().filter(|left| left.pool.as_deref() != Some("spare"));
    let left =
        left.map(|left| format!("{} stays: {}", left.pool.as_deref().unwrap_or("-"), left.why.reason()));
    let refusals = refusals.iter().map(|r| format!("{} refused: {}", r.pool().unwrap_or("-"), r.reason()));
    steps.chain(left).chain(refusals).chain(plan.warnings.iter().map(|words| format!("! {words}"))).collect()
}

fn full(change: impl FnOnce(&mut Value, &mut Value)) -> Vec<String> {
    told(Scope::Full, Some("1.36.2"), change)
}

/// Sets a field of the pool `apps`, the second one.
fn apps<'a>(field: &'a str, value: Value) -> impl FnOnce(&mut Value, &mut Value) + 'a {
    move |document, _| document["properties"]["agentPoolProfiles"][1][field] = value
}

/// Sets a property of the cluster.
fn of_cluster<'a>(field: &'a str, value: Value) -> impl FnOnce(&mut Value, &mut Value) + 'a {
    move |document, _| document["properties"][field] = value
}

const USUAL: [&str; 4] = ["cp-1.35.3", "cp-1.36.2", "pool-apps-1.36.2", "pool-system-1.36.2"];

/// The usual steps without those of the pool `apps`, and what is said in their stead.
fn without_apps(instead: &[&str]) -> Vec<String> {
    let usual = USUAL.iter().filter(|step| !step.contains("apps"));
    usual.chain(instead).map(|words| (*words).to_owned()).collect()
}

#[test]
fn nothing_in_the_way() {
    assert_eq!(full(|_, _| ()), USUAL);
    assert_eq!(told(Scope::NodeImage, None, |_, _| ()), ["image-apps", "image-system"]);
}

#[test]
fn a_preview_is_planned_when_it_is_named_in_full() {
    let preview = told(Scope::Full, Some("1.37.0"), |_, _| ());
    let expected = ["cp-1.35.3", "cp-1.36.2", "cp-1.37.0", "pool-apps-1.37.0", "pool-system-1.37.0"];
    assert_eq!(preview[..5], expected);
    assert_eq!(preview[5..], ["! 1.37.0 is a preview: without support, and without a way back"]);
}

#[test]
fn skips_are_for_long_term_support() {
    let skip = |plan: &'static str| {
        move |document: &mut Value, profile: &mut Value| {
            document["properties"]["supportPlan"] = json!(plan);
            let upgrades = &mut profile["properties"]["controlPlaneProfile"]["upgrades"];
            *upgrades = json!([{"kubernetesVersion": "1.36.2"}]);
        }
    };
    let expected = ["cp-1.36.2", "pool-apps-1.36.2", "pool-system-1.36.2"];
    assert_eq!(full(skip("AKSLongTermSupport")), expected);
    assert_eq!(full(skip("KubernetesOfficial")), ["- refused: WholeClusterOnly"]);
    assert_eq!(told(Scope::Full, Some("1.33.100"), |_, _| ()), ["- refused: Downgrade"]);
}

#[test]
fn failed_and_aborted_pools() {
    let failed = full(apps("provisioningState", json!("Failed")));
    assert_eq!(failed[0], "pool-apps-1.34.4", "repaired first");
    assert_eq!(failed[1..], USUAL);
    let aborted = full(apps("provisioningState", json!("Canceled")));
    assert_eq!(aborted, without_apps(&["apps refused: PoolAborted"]));
    let images = told(Scope::NodeImage, None, apps("provisioningState", json!("Failed")));
    assert_eq!(images, ["image-system", "apps refused: PoolNotReady"]);
    let spare = full(|document, _| {
        document["properties"]["agentPoolProfiles"][2]["provisioningState"] = json!("Failed");
    });
    assert_eq!(spare.last().unwrap(), "spare refused: PoolNotReady");
    assert_eq!(
        full(of_cluster("provisioningState", json!("Failed"))).last().unwrap(),
        "- refused: ClusterNotReady"
    );
}

#[test]
fn node_auto_provisioning() {
    let auto =
        full(of_cluster("nodeProvisioningProfile", json!({"mode": "Auto", "defaultNodePools": "Auto"})));
    assert_eq!(auto[..4], USUAL);
    assert_eq!(auto[4..], ["- stays: NodeAutoProvisioning"]);
    let machines = full(apps("mode", json!("Machines")));
    assert_eq!(machines, without_apps(&["apps stays: NodeAutoProvisioning"]));
}

#[test]
fn stopped_clusters_and_pools() {
    let stopped = json!({"code": "Stopped"});
    let pool = full(apps("powerState", stopped.clone()));
    assert_eq!(pool, without_apps(&["apps stays: PoolStopped"]));
    let cluster = full(of_cluster("powerState", stopped));
    assert_eq!(cluster[4..], ["- refused: ClusterStopped"]);
}

#[test]
fn snapshots_pin_their_pools() {
    let id = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.ContainerService/snapshots/golden";
    let pinned = json!({ "sourceResourceId": id });
    assert_eq!(full(apps("creationData", pinned.clone())), without_apps(&["apps refused: Pinned"]));
    let images = told(Scope::NodeImage, None, apps("creationData", pinned));
    assert_eq!(images, ["image-system", "apps stays: Pinned"]);
    assert_eq!(full(apps("creationData", Value::Null)), USUAL);
}

#[test]
fn pools_of_machines_and_availability_sets() {
    assert_eq!(full(apps("type", json!("VirtualMachines"))), USUAL);
    let uncounted = full(apps("count", Value::Null));
    assert_eq!(uncounted, without_apps(&["apps refused: CountUnknown"]));
    let set = full(apps("type", json!("AvailabilitySet")));
    assert_eq!(set.last().unwrap(), "apps refused: AvailabilitySet");
}

#[test]
fn operating_systems_that_end() {
    let ends = |sku: &str| told(Scope::Full, Some("1.37.0"), apps("osSKU", json!(sku)));
    assert!(ends("Windows2022").contains(&"apps refused: OsSkuEnds".to_owned()));
    assert!(ends("Ubuntu2404").iter().all(|words| !words.contains("refused")));
    let becomes = full(apps("osSKU", json!("Ubuntu")));
    assert_eq!(becomes[4..], ["! pool apps runs Ubuntu, which becomes 24.04 with Kubernetes 1.35"]);
}

#[test]
fn automatic_clusters_and_channels() {
    let automatic = full(|document, _| document["sku"]["name"] = json!("Automatic"));
    assert_eq!(automatic[4..], ["- refused: Automatic"]);
    let channel = json!({"upgradeChannel": "stable", "nodeOSUpgradeChannel": "NodeImage"});
    let hops = full(of_cluster("autoUpgradeProfile", channel.clone()));
    assert_eq!(hops[4..], ["- refused: AutoUpgrade"]);
    let images = told(Scope::NodeImage, None, of_cluster("autoUpgradeProfile", channel));
    assert_eq!(images[..2], ["image-apps", "image-system"]);
    assert!(
        images[2].contains("node OS channel") && images[3].contains("auto-upgrade channel"),
        "{images:?}"
    );
}

#[test]
fn pools_too_far_behind() {
    let old = |document: &mut Value, _: &mut Value| {
        document["properties"]["agentPoolProfiles"][2]["currentOrchestratorVersion"] = json!("1.32.9");
    };
    assert_eq!(full(old).last().unwrap(), "spare refused: Skew");
    let behind = full(apps("currentOrchestratorVersion", json!("1.32.9")));
    let forced = ["cp-1.35.3", "pool-apps-1.35.3", "cp-1.36.2", "pool-apps-1.36.2", "pool-system-1.36.2"];
    assert_eq!(behind, forced);
}
