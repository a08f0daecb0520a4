//! A file with UpgradePlans: read, and checked by the API server without being stored.

use std::path::Path;

use anyhow::Context as _;
use crds::{MaintenanceWindow, UpgradePlan, window_of};
use engine::Window;
use kube::{
    Api, Resource,
    api::{Patch, PatchParams, ValidationDirective},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::hub::Hub;

/// One UpgradePlan of a file, and what the file says besides.
pub(super) struct PlanFile {
    path: String,
    plan: Document,
    /// Its MaintenanceWindows: they count as if they were there already.
    windows: Vec<Document>,
}

/// An object as the file has it.
#[derive(Clone)]
struct Document {
    name: String,
    namespace: Option<String>,
    value: Value,
}

impl PlanFile {
    /// Reads the file, a plan each; `None` when there is none of that name.
    pub(super) fn find(path: &str) -> anyhow::Result<Option<Vec<Self>>> {
        if !Path::new(path).exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
        Self::parse(path, &text).map(Some)
    }

    /// The namespace that it names.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.plan.namespace.as_deref()
    }

    /// The plan as it would be if it were applied.
    pub(super) async fn checked(&self, hub: &Hub) -> anyhow::Result<UpgradePlan> {
        self.plan.checked(hub, &self.path).await
    }

    /// The window of that name as the file has it, if it does; the inner error says what is wrong with it.
    pub(super) async fn window(
        &self,
        hub: &Hub,
        name: &str,
    ) -> anyhow::Result<Option<Result<Window, String>>> {
        let here = |window: &&Document| {
            window.name == name && window.namespace.as_ref().is_none_or(|of_file| *of_file == hub.namespace)
        };
        let Some(document) = self.windows.iter().find(here) else { return Ok(None) };
        let window: MaintenanceWindow = document.checked(hub, &self.path).await?;
        Ok(Some(window_of(&window).map_err(|fields| {
            let words: Vec<String> = fields.iter().take(3).map(ToString::to_string).collect();
            format!("MaintenanceWindow {name} of {} cannot be used: {}", self.path, words.join("; "))
        })))
    }

    fn parse(path: &str, text: &str) -> anyhow::Result<Vec<Self>> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
            let words = error.to_string();
            anyhow::anyhow!("{path} is not YAML: {}", words.strip_prefix("error: ").unwrap_or(&words))
        })?;
        let of_kind = |kind: &str| -> anyhow::Result<Vec<Document>> {
            let found = documents.iter().filter(|document| document["kind"] == kind);
            found.map(|document| Document::of(document, path)).collect()
        };
        let (plans, windows) = (of_kind("UpgradePlan")?, of_kind("MaintenanceWindow")?);
        anyhow::ensure!(!plans.is_empty(), "{path} has no UpgradePlan");
        let file = |plan| Self { path: path.to_owned(), plan, windows: windows.clone() };
        Ok(plans.into_iter().map(file).collect())
    }
}

impl Document {
    fn of(value: &Value, path: &str) -> anyhow::Result<Self> {
        let metadata = |field: &str| value["metadata"][field].as_str().map(str::to_owned);
        let name = metadata("name").with_context(|| format!("{path}: metadata.name is missing"))?;
        Ok(Self { name, namespace: metadata("namespace"), value: value.clone() })
    }

    /// The object as it would be if it were applied.
    async fn checked<K>(&self, hub: &Hub, path: &str) -> anyhow::Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let mut value = self.value.clone();
        value["metadata"]["namespace"] = hub.namespace.clone().into();
        let params = PatchParams {
            dry_run: true,
            force: true,
            field_manager: Some("tidegate-plan".to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let api: Api<K> = hub.api();
        api.patch(&self.name, &params, &Patch::Apply(&value))
            .await
            .with_context(|| format!("{} {} of {path} is not accepted", K::kind(&()), self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Namespace, plan and windows of each plan of a file.
    fn parse(text: &str) -> Result<Vec<String>, String> {
        let files = PlanFile::parse("plan.yaml", text).map_err(|error| error.to_string())?;
        let words = |file: PlanFile| {
            let windows = file.windows.iter().map(|window| format!(" {}", window.name));
            let namespace = file.plan.namespace.unwrap_or_default();
            format!("{namespace}/{}{}", file.plan.name, windows.collect::<String>())
        };
        Ok(files.into_iter().map(words).collect())
    }

    #[test]
    fn finds_each_plan_with_its_namespace_and_the_windows_of_the_file() {
        let plan = "kind: UpgradePlan\nmetadata: {name: autumn, namespace: platform}\n";
        let of = |words: &[&str]| Ok(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(parse(plan), of(&["platform/autumn"]));
        assert_eq!(parse(&format!("kind: AKSCluster\n---\n{plan}")), of(&["platform/autumn"]));
        assert_eq!(parse("{kind: UpgradePlan, metadata: {name: a}}"), of(&["/a"]));
        let more = "kind: MaintenanceWindow\nmetadata: {name: nights}\n---\nkind: UpgradePlan\nmetadata: {name: b}\n";
        assert_eq!(parse(&format!("{plan}---\n{more}")), of(&["platform/autumn nights", "/b nights"]));
        assert_eq!(parse("kind: Plan").unwrap_err(), "plan.yaml has no UpgradePlan");
        assert_eq!(parse("kind: UpgradePlan").unwrap_err(), "plan.yaml: metadata.name is missing");
        let broken = parse("kind: UpgradePlan\n a: [").unwrap_err();
        assert!(broken.starts_with("plan.yaml is not YAML: line 2"), "{broken}");
    }

    #[test]
    fn a_name_that_is_no_file_is_none() {
        assert!(PlanFile::find("no-such-file").unwrap().is_none());
    }
}
