//! Recorded answers of the real service: every one can be read, and none loses anything.

use std::{collections::BTreeMap, path::PathBuf};

use azure_mgmt_containerservice::{
    AgentPool, AgentPoolUpgradeProfile, ApiError, ClusterUpgradeProfile, Document, KubernetesVersions,
    ManagedCluster, OperationState, OperationStatus, View, writes,
};
use serde_json::Value;

/// A recorded call: method, path in lower case, request body, status, response body.
struct Call {
    method: String,
    path: String,
    sent: Value,
    status: u64,
    body: Value,
}

impl Call {
    /// Which resource the path names: its last segment but one, then the last.
    fn ends_with(&self, kind: &str) -> bool {
        let mut segments = self.path.rsplit('/');
        segments.next().is_some_and(|name| !name.is_empty()) && segments.next() == Some(kind)
    }
}

/// The recordings, one list of calls per file; nothing when they are not there.
fn recordings() -> Option<BTreeMap<String, Vec<Call>>> {
    let Some(folder) = std::env::var_os("TIDEGATE_ARM_RECORDINGS").map(PathBuf::from) else {
        eprintln!("skipped: no recordings");
        return None;
    };
    let mut recordings = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder of recordings") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).expect("a recording");
            let file: Value = serde_json::from_str(&text).expect("JSON");
            let calls =
                file.get("interactions").and_then(Value::as_array).into_iter().flatten().map(call).collect();
            recordings.insert(path.file_name().expect("a name").to_string_lossy().into_owned(), calls);
        }
    }
    assert!(recordings.len() > 10, "only {} recordings", recordings.len());
    Some(recordings)
}

fn call(interaction: &Value) -> Call {
    let (request, response) = (&interaction["request"], &interaction["response"]);
    let url = request["url"].as_str().expect("a URL");
    let sent = &request["body"];
    Call {
        method: request["method"].as_str().expect("a method").to_owned(),
        path: url.split('?').next().unwrap_or_default().to_ascii_lowercase(),
        sent: sent.as_str().map_or(sent.clone(), |text| serde_json::from_str(text).unwrap_or_default()),
        status: response["status"].as_u64().expect("a status"),
        body: response["body"].clone(),
    }
}

/// The view, after checking that the document comes back as it went in.
fn view<V: View + Clone>(body: &Value) -> V {
    let document = Document::<V>::from_value(body.clone());
    let view = document.view().clone();
    assert_eq!(document.into_value(), *body);
    view
}

#[test]
fn every_recorded_answer_can_be_read() {
    let Some(recordings) = recordings() else { return };
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, calls) in &recordings {
        for call in calls {
            *seen.entry(check(file, call)).or_default() += 1;
        }
    }
    for kind in
        ["cluster", "pool", "pools", "cluster profile", "pool profile", "operation", "versions", "error"]
    {
        assert!(seen.contains_key(kind), "no {kind} in {seen:?}");
    }
}

/// Reads one answer by what was asked, and says what it was.
fn check(file: &str, call: &Call) -> &'static str {
    let body = &call.body;
    if call.status >= 400 {
        let error =
            ApiError::from_body(u16::try_from(call.status).expect("a status"), body.to_string().as_bytes());
        assert_eq!(error.code.is_some(), body.is_object(), "{file}: {error}");
        assert!(!error.message.is_empty(), "{file}");
        "error"
    } else if !body.is_object() {
        "no body"
    } else if call.path.contains("/operations/") {
        let status = OperationStatus::from_value(body);
        let word = body["status"].as_str().expect("a status");
        let ended = matches!(word, "Succeeded" | "Failed" | "Canceled");
        assert_eq!(status.state.is_terminal(), ended, "{file}: {word}");
        assert!(status.start_time.is_some(), "{file}");
        "operation"
    } else if call.path.ends_with("/kubernetesversions") {
        let versions = KubernetesVersions::read(body);
        assert!(versions.minors.iter().all(|minor| !minor.patch_versions.is_empty()), "{file}");
        assert_eq!(versions.minors.len(), body["values"].as_array().map_or(0, Vec::len), "{file}");
        "versions"
    } else if call.path.ends_with("/upgradeprofiles/default") {
        check_profile(file, call)
    } else if call.path.ends_with("/agentpools") {
        for item in body["value"].as_array().expect("a list") {
            check_pool(file, &view(item));
        }
        "pools"
    } else if call.ends_with("agentpools") {
        check_pool(file, &view(body));
        "pool"
    } else if call.ends_with("managedclusters") {
        let cluster: ManagedCluster = view(body);
        let known = [
            &cluster.id,
            &cluster.name,
            &cluster.location,
            &cluster.provisioning_state,
            &cluster.power_state,
        ];
        assert!(known.into_iter().all(Option::is_some), "{file}: {cluster:?}");
        let pools = body["properties"]["agentPoolProfiles"].as_array().map_or(0, Vec::len);
        assert_eq!(cluster.agent_pool_profiles.len(), pools, "{file}");
        cluster.agent_pool_profiles.iter().for_each(|pool| check_pool(file, pool));
        "cluster"
    } else {
        "other"
    }
}

fn check_profile(file: &str, call: &Call) -> &'static str {
    if call.path.contains("/agentpools/") {
        let profile: AgentPoolUpgradeProfile = view(&call.body);
        assert!(profile.latest_node_image_version.is_some(), "{file}: {profile:?}");
        return "pool profile";
    }
    let profile: ClusterUpgradeProfile = view(&call.body);
    assert!(profile.kubernetes_version.is_some(), "{file}: {profile:?}");
    "cluster profile"
}

fn check_pool(file: &str, pool: &AgentPool) {
    let known =
        [&pool.name, &pool.mode, &pool.os_type, &pool.os_sku, &pool.orchestrator_version, &pool.vm_size];
    assert!(known.into_iter().all(Option::is_some), "{file}: {pool:?}");
    assert!(pool.count.is_some() && pool.provisioning_state.is_some(), "{file}: {pool:?}");
}

#[test]
fn our_pool_upgrades_have_the_fields_that_the_cli_sends() {
    let Some(recordings) = recordings() else { return };
    let mut compared = 0;
    for (file, calls) in &recordings {
        for (index, put) in
            calls.iter().enumerate().filter(|(_, c)| c.method == "PUT" && c.ends_with("agentpools"))
        {
            let is_read = |call: &&Call| call.method == "GET" && call.path == put.path && call.status == 200;
            let Some(read) = calls[..index].iter().rev().find(is_read) else { continue };
            let version = put.sent["properties"]["orchestratorVersion"].as_str().expect("a version");
            let mut ours = writes::agent_pool_upgrade(&read.body, version);
            if let Some(image) = put.sent["properties"]["nodeImageVersion"].as_str() {
                ours = writes::agent_pool_rollback(&read.body, version, image);
            }
            let names =
                |body: &Value| body["properties"].as_object().map(|p| p.keys().cloned().collect::<Vec<_>>());
            let sorted = |body: &Value| {
                names(body).map(|mut names| {
                    names.sort();
                    names
                })
            };
            assert_eq!(sorted(&ours), sorted(&put.sent), "{file}");
            compared += 1;
        }
    }
    assert!(compared >= 4, "only {compared} upgrades");
}

#[test]
fn every_recorded_operation_body_can_be_read() {
    if recordings().is_none() {
        return;
    }
    let folder = PathBuf::from(std::env::var_os("TIDEGATE_ARM_RECORDINGS").expect("checked above"));
    let text =
        std::fs::read_to_string(folder.join("unique_operation_status_bodies.jsonl")).expect("the list");
    let mut preempted = 0;
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let body = entry["body"].as_str().expect("text");
        if entry["status"] != 200 {
            let error = ApiError::from_body(502, body.as_bytes());
            assert!(error.code.is_some() || error.message == "HTML body", "{error}");
            continue;
        }
        let status = OperationStatus::from_value(&serde_json::from_str(body).expect("JSON"));
        assert!(status.start_time.is_some());
        if status.was_preempted() {
            assert_eq!(status.state, OperationState::Succeeded);
            preempted += 1;
        }
    }
    assert!(preempted > 0);
}
