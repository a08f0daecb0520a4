//! A file with an UpgradePlan: read, and checked by the API server without being stored.

use std::path::Path;

use anyhow::Context as _;
use crds::UpgradePlan;
use kube::{
    Api,
    api::{Patch, PatchParams, ValidationDirective},
};
use serde_json::Value;

use crate::cli::hub::Hub;

/// The one UpgradePlan of a file.
pub(super) struct PlanFile {
    path: String,
    name: String,
    namespace: Option<String>,
    document: Value,
}

impl PlanFile {
    /// Reads the file; `None` when there is none of that name.
    pub(super) fn find(path: &str) -> anyhow::Result<Option<Self>> {
        if !Path::new(path).exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
        Self::parse(path, &text).map(Some)
    }

    /// The namespace that it names.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The plan as it would be if it were applied.
    pub(super) async fn checked(mut self, hub: &Hub) -> anyhow::Result<UpgradePlan> {
        self.document["metadata"]["namespace"] = hub.namespace.clone().into();
        let params = PatchParams {
            dry_run: true,
            force: true,
            field_manager: Some("tidegate-plan".to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let api: Api<UpgradePlan> = hub.api();
        api.patch(&self.name, &params, &Patch::Apply(&self.document))
            .await
            .with_context(|| format!("{} is not accepted", self.path))
    }

    fn parse(path: &str, text: &str) -> anyhow::Result<Self> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
            let words = error.to_string();
            anyhow::anyhow!("{path} is not YAML: {}", words.strip_prefix("error: ").unwrap_or(&words))
        })?;
        let mut plans = documents.into_iter().filter(|document| document["kind"] == "UpgradePlan");
        let document = plans.next().with_context(|| format!("{path} has no UpgradePlan"))?;
        anyhow::ensure!(plans.next().is_none(), "{path} has more than one UpgradePlan: split the file");
        let metadata = |field: &str| document["metadata"][field].as_str().map(str::to_owned);
        let name = metadata("name").with_context(|| format!("{path}: metadata.name is missing"))?;
        Ok(Self { path: path.to_owned(), name, namespace: metadata("namespace"), document })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, Option<String>), String> {
        let file = PlanFile::parse("plan.yaml", text);
        file.map(|file| (file.name, file.namespace)).map_err(|error| error.to_string())
    }

    #[test]
    fn finds_the_one_plan_with_its_namespace() {
        let plan = "kind: UpgradePlan\nmetadata: {name: autumn, namespace: platform}\n";
        let found = Ok(("autumn".to_owned(), Some("platform".to_owned())));
        assert_eq!(parse(plan), found);
        assert_eq!(parse(&format!("kind: AKSCluster\n---\n{plan}")), found);
        assert_eq!(parse("{kind: UpgradePlan, metadata: {name: a}}"), Ok(("a".to_owned(), None)));
        let twice = parse(&format!("{plan}---\n{plan}")).unwrap_err();
        assert!(twice.contains("more than one UpgradePlan"), "{twice}");
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
