//! Recorded answers of the real service: the client reads every one of them, and nothing is lost on the
//! way back. The recordings are not part of the project: `TIDEGATE_ARM_RECORDINGS` names their folder.

mod read;
mod refusals;
mod write;

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::Value;

/// A recorded call and its answer.
#[derive(Clone, Debug)]
struct Call {
    method: String,
    /// As recorded.
    path: String,
    query: String,
    /// The JSON that was sent.
    sent: Value,
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Call {
    /// The segments of the path, those of the API's own words in lower case.
    fn segments(&self) -> Vec<String> {
        const WORDS: [&str; 14] = [
            "subscriptions",
            "resourcegroups",
            "providers",
            "microsoft.containerservice",
            "managedclusters",
            "agentpools",
            "upgradeprofiles",
            "maintenanceconfigurations",
            "machines",
            "locations",
            "operations",
            "operationresults",
            "kubernetesversions",
            "upgradenodeimageversion",
        ];
        let folded = |segment: &str| {
            let lower = segment.to_ascii_lowercase();
            if WORDS.contains(&lower.as_str()) { lower } else { segment.to_owned() }
        };
        self.path.trim_start_matches('/').split('/').map(folded).collect()
    }

    /// Whether the path names one resource of that kind.
    fn is_one_of(&self, kind: &str) -> bool {
        let mut segments = self.path.rsplit('/');
        segments.next().is_some_and(|name| !name.is_empty())
            && segments.next().is_some_and(|found| found.eq_ignore_ascii_case(kind))
    }
}

/// The folder of the recordings, if there is one.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("TIDEGATE_ARM_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: no recordings");
    }
    folder
}

/// The recordings, one list of calls per file.
fn recordings() -> Option<BTreeMap<String, Vec<Call>>> {
    let mut recordings = BTreeMap::new();
    for entry in std::fs::read_dir(folder()?).expect("the folder of recordings") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let file: Value =
                serde_json::from_str(&std::fs::read_to_string(&path).expect("a recording")).expect("JSON");
            let calls =
                file.get("interactions").and_then(Value::as_array).into_iter().flatten().map(call).collect();
            recordings.insert(path.file_name().expect("a name").to_string_lossy().into_owned(), calls);
        }
    }
    assert!(recordings.len() > 10, "only {} recordings", recordings.len());
    Some(recordings)
}

/// The entries of a list of distinct bodies.
fn lines(name: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(folder()?.join(name)).expect("the list");
    Some(text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

fn call(interaction: &Value) -> Call {
    let (request, response) = (&interaction["request"], &interaction["response"]);
    let url: url::Url = request["url"].as_str().expect("a URL").parse().expect("a URL");
    let sent = &request["body"];
    let headers = response["headers"].as_object().into_iter().flatten();
    Call {
        method: request["method"].as_str().expect("a method").to_owned(),
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        sent: sent.as_str().map_or(sent.clone(), |text| serde_json::from_str(text).unwrap_or_default()),
        status: response["status"].as_u64().and_then(|status| status.try_into().ok()).expect("a status"),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        body: response["body"].clone(),
    }
}
