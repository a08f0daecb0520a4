//! One step of an upgrade: the unit that is recorded, submitted, verified and gated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a step changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum StepKind {
    #[expect(missing_docs, reason = "the version of the control plane")]
    ControlPlane,
    #[expect(missing_docs, reason = "the version, and with it the image, of a node pool")]
    NodePoolVersion,
    #[expect(missing_docs, reason = "the node image of a node pool")]
    NodePoolImage,
}

/// A change of one resource from one version or image to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What is changed.
    pub kind: StepKind,
    /// The node pool, unless the control plane is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12))]
    pub pool: Option<String>,
    /// The version or image before.
    #[schemars(length(max = 256))]
    pub from: String,
    /// The version or image after.
    #[schemars(length(max = 256))]
    pub to: String,
}

impl Step {
    /// Names the step within its upgrade, for example `cp-1.34.2`, `pool-system-1.34.2`, `image-win1`.
    #[must_use]
    pub fn id(&self) -> String {
        let pool = self.pool.as_deref().unwrap_or_default();
        match self.kind {
            StepKind::ControlPlane => format!("cp-{}", self.to),
            StepKind::NodePoolVersion => format!("pool-{pool}-{}", self.to),
            StepKind::NodePoolImage => format!("image-{pool}"),
        }
    }

    /// The resource in words: `control plane` or `pool system`.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.pool {
            None => "control plane".to_owned(),
            Some(pool) => format!("pool {pool}"),
        }
    }
}
