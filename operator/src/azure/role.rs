//! What `docs/azure-role.json` grants is what the operator asks of Azure: no more, and no less. Tests only.

use std::{collections::BTreeSet, fs, path::Path};

use azure_mgmt_containerservice::CallKind;
use serde_json::Value;

/// How a call looks in the operator's source.
const fn forms(kind: CallKind) -> &'static [&'static str] {
    match kind {
        CallKind::ListClusters => &["managed_clusters().list(", "managed_clusters().list_by_resource_group("],
        CallKind::GetCluster => &["managed_clusters().get("],
        CallKind::PutCluster => &["managed_clusters().put("],
        CallKind::ClusterUpgradeProfile => &["managed_clusters().upgrade_profile("],
        CallKind::UserCredential => &["managed_clusters().user_credential("],
        CallKind::AbortCluster => &["managed_clusters().abort("],
        CallKind::AvailablePoolVersions => &["managed_clusters().available_agent_pool_versions("],
        CallKind::ListPools => &["agent_pools().list("],
        CallKind::GetPool => &["agent_pools().get("],
        CallKind::PutPool => &["agent_pools().put("],
        CallKind::PoolUpgradeProfile => &["agent_pools().upgrade_profile("],
        CallKind::UpgradeNodeImage => &["agent_pools().upgrade_node_image("],
        CallKind::AbortPool => &["agent_pools().abort("],
        CallKind::ListMachines => &["agent_pools().machines("],
        CallKind::GetMachine => &["agent_pools().machine("],
        CallKind::ListMaintenanceConfigurations => &["maintenance_configurations().list("],
        CallKind::GetMaintenanceConfiguration => &["maintenance_configurations().get("],
        CallKind::KubernetesVersions => &["locations().kubernetes_versions("],
        CallKind::NodeImageVersions => &["locations().node_image_versions("],
        CallKind::OperationStatus => &["operations().status(", "operations().status_by_id("],
        CallKind::OperationResult => &["operations().result("],
        CallKind::ListPermissions => &["authorization().permissions("],
        CallKind::ListLocks => &["authorization().locks("],
    }
}

#[test]
fn the_role_grants_what_the_operator_asks_for_and_nothing_else() {
    let needed: BTreeSet<_> = made().into_iter().map(CallKind::action).collect();
    let wanted: BTreeSet<String> = needed.into_iter().map(str::to_owned).collect();
    assert_eq!(
        granted(),
        wanted,
        "docs/azure-role.json (left) and the calls in operator and azure_fleet (right)"
    );
}

#[test]
fn the_page_of_metrics_has_each_call() {
    let page = fs::read_to_string(docs().join("metrics.md")).unwrap();
    let line = page
        .lines()
        .skip_while(|line| !line.starts_with("What `call` says"))
        .take_while(|line| !line.is_empty());
    let line: String = line.collect();
    let said: BTreeSet<_> = line.split('`').skip(1).step_by(2).filter(|word| *word != "call").collect();
    let made: BTreeSet<_> = made().into_iter().map(CallKind::as_str).collect();
    assert_eq!(said, made, "docs/metrics.md (left) and the calls in operator and azure_fleet (right)");
}

#[test]
fn each_call_is_made_in_a_form_that_is_looked_for() {
    let source = sources();
    let all: Vec<_> = CallKind::ALL.into_iter().flat_map(forms).collect();
    for accessor in all.iter().filter_map(|form| form.split_once('.')).map(|(accessor, _)| accessor) {
        for (at, _) in source.match_indices(&format!(".{accessor}")) {
            let call = &source[at + 1..];
            let known = all.iter().any(|form| call.starts_with(**form));
            assert!(known, "not recognised: {}", call.chars().take(80).collect::<String>());
        }
    }
}

#[test]
fn the_documentation_has_each_permission_in_its_table() {
    let page = fs::read_to_string(docs().join("azure.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let rows: BTreeSet<_> = rows
        .map(|(action, _)| action)
        .filter(|action| action.starts_with("managedClusters/") || action.starts_with("locations/"))
        .map(|action| format!("Microsoft.ContainerService/{action}"))
        .collect();
    assert_eq!(rows, granted(), "docs/azure.md (left) and docs/azure-role.json (right)");
}

/// The calls that the operator makes.
fn made() -> Vec<CallKind> {
    let source = sources();
    let is_made = |kind: &CallKind| forms(*kind).iter().any(|form| source.contains(form));
    CallKind::ALL.into_iter().filter(is_made).collect()
}

fn granted() -> BTreeSet<String> {
    let role: Value =
        serde_json::from_str(&fs::read_to_string(docs().join("azure-role.json")).unwrap()).unwrap();
    for field in ["NotActions", "DataActions", "NotDataActions"] {
        assert_eq!(role[field], Value::Array(Vec::new()), "{field}");
    }
    let actions = role["Actions"].as_array().unwrap();
    let set: BTreeSet<_> = actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect();
    assert_eq!(set.len(), actions.len(), "an action is there twice");
    set
}

fn docs() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Everything that the operator is made of that calls Azure.
fn sources() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["src", "../azure_fleet/src"].into_iter().map(|folder| source(&here.join(folder))).collect()
}

/// The source in a folder without line breaks and indentation, so that a call is found however it is laid out.
fn source(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&source(&path));
        } else if !path.ends_with("azure/role.rs") {
            text.extend(fs::read_to_string(&path).unwrap().split_whitespace());
        }
    }
    text
}
