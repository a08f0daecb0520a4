//! Reads the recordings: pairs of request and response.

use std::{collections::BTreeMap, fs, path::PathBuf};

use reqwest::Method;
use serde_json::Value;
use url::Url;

/// Names the folder of the recordings.
const FOLDER: &str = "TIDEGATE_ARM_RECORDINGS";

/// One recorded sequence.
pub(crate) struct Recording {
    /// The name of its file, without the extension.
    pub(crate) name: String,
    pub(crate) interactions: Vec<Interaction>,
}

/// A request and what Azure answered.
pub(crate) struct Interaction {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Value>,
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    /// Null for none.
    pub(crate) answer: Value,
}

/// The folder, when there is one.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Every recorded sequence of the folder, by name.
pub(crate) fn recordings(folder: &PathBuf) -> Vec<Recording> {
    let mut files = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{FOLDER} {}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect::<Vec<_>>();
    files.sort();
    let recordings = files.into_iter().filter_map(|path| {
        let content: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let interactions = content.get("interactions")?.as_array()?.iter().map(interaction).collect();
        Some(Recording { name: path.file_stem().unwrap().to_string_lossy().into_owned(), interactions })
    });
    recordings.collect()
}

fn interaction(value: &Value) -> Interaction {
    let (request, response) = (&value["request"], &value["response"]);
    let headers = response["headers"].as_object().into_iter().flatten();
    Interaction {
        method: request["method"].as_str().unwrap().parse().unwrap(),
        url: request["url"].as_str().unwrap().parse().unwrap(),
        body: Some(request["body"].clone()).filter(|body| !body.is_null()),
        status: response["status"].as_u64().unwrap().try_into().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        answer: response["body"].clone(),
    }
}

impl Interaction {
    /// The service that it is about, when it is neither AKS nor Azure Resource Manager itself: provider and type.
    pub(crate) fn other_service(&self) -> Option<String> {
        let path = self.url.path();
        let Some((_, last)) = path.rsplit_once("/providers/") else {
            // Resource groups, which the simulator has.
            return None;
        };
        let mut parts = last.split('/');
        let (provider, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let ours = provider.eq_ignore_ascii_case("Microsoft.ContainerService")
            && ["managedclusters", "locations"].contains(&kind.to_lowercase().as_str());
        (!ours).then(|| format!("{provider}/{kind}"))
    }

    /// The id of the operation that its URL asks about.
    pub(crate) fn operation(&self) -> Option<&str> {
        operation_id(self.url.path())
    }

    /// The path below the cluster, such as `/agentPools/apps`, when it is about a cluster.
    pub(crate) fn below_cluster(&self) -> Option<Vec<&str>> {
        let parts = self.url.path().split('/').collect::<Vec<_>>();
        let at = parts.iter().position(|part| part.eq_ignore_ascii_case("managedClusters"))?;
        Some(parts.get(at + 2..).unwrap_or_default().to_vec())
    }
}

/// The id of an operation in the path of its status or its result.
pub(crate) fn operation_id(path: &str) -> Option<&str> {
    let parts = path.split('/').collect::<Vec<_>>();
    let at = parts.iter().position(|part| {
        part.eq_ignore_ascii_case("operations") || part.eq_ignore_ascii_case("operationresults")
    })?;
    parts.get(at + 1).copied()
}
