//! The Azure in which all examples live: their clusters, and what its regions release in these weeks.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::story::Story;

/// Each story that waits for a release has regions of its own.
const REGIONS: &str = "
swedencentral:
  releases:
    at:
    - {at: 2026-12-03T06:00:00Z, nodeImages: {Ubuntu2204: AKSUbuntu-2204gen2containerd-202611.30.0}}
    - at: 2026-12-10T06:00:00Z
      nodeImages:
        Ubuntu2204: AKSUbuntu-2204gen2containerd-202612.07.0
        Windows2022: AKSWindows-2022-containerd-20348.4467.261209
    - {at: 2026-12-17T06:00:00Z, nodeImages: {Ubuntu2204: AKSUbuntu-2204gen2containerd-202612.14.0}}
polandcentral:
  releases:
    at: [{at: 2026-12-22T06:00:00Z, versions: [{version: 1.33.102, lts: true}]}]
norwayeast:
  releases:
    at:
    - {at: 2026-12-16T06:00:00Z, versions: [{version: 1.36.3}]}
    - {at: 2027-01-05T06:00:00Z, nodeImages: {Ubuntu2204: AKSUbuntu-2204gen2containerd-202612.28.0}}
francecentral:
  nodeImages: {Ubuntu2204: AKSUbuntu-2204gen2containerd-202611.24.0}
italynorth:
  releases:
    at: [{at: 2026-12-08T06:00:00Z, nodeImages: {Ubuntu2204: AKSUbuntu-2204gen2containerd-202611.24.0}}]
";

/// The clusters that the examples register, each as its story says that it is.
pub(crate) fn scenario(stories: &[&Story]) -> Result<String> {
    let mut clusters = Vec::new();
    for story in stories {
        let registered = story.values()?.into_iter().filter(|value| value["kind"] == "AKSCluster");
        let registered: Vec<Value> = registered.collect();
        ensure!(registered.len() == story.azure.len(), "{}: clusters without a place in Azure", story.file);
        for object in registered {
            clusters.push(cluster(story, &object)?);
        }
    }
    let regions: Value = serde_saphyr::from_str(REGIONS).context("regions")?;
    Ok(json!({ "regions": regions, "clusters": clusters }).to_string())
}

fn cluster(story: &Story, object: &Value) -> Result<Value> {
    let name = object["metadata"]["name"].as_str().context("a name")?;
    let id = object["spec"]["resourceId"].as_str().context("an ARM id")?;
    let parts: Vec<&str> = id.trim_start_matches('/').split('/').collect();
    let [_, subscription, _, group, _, _, _, in_azure] = parts[..] else {
        anyhow::bail!("{id} is no ARM id of a cluster");
    };
    ensure!(name == in_azure, "{name} is {in_azure} in Azure");
    let (_, fields) = story.azure.iter().find(|(known, _)| *known == name).context(name.to_owned())?;
    let mut cluster: Value = serde_saphyr::from_str(fields).with_context(|| name.to_owned())?;
    let given = cluster.as_object_mut().context("fields of a cluster")?;
    for (field, value) in [("subscription", subscription), ("resourceGroup", group), ("name", name)] {
        given.insert(field.to_owned(), value.into());
    }
    Ok(cluster)
}
