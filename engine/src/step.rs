//! One step of an upgrade: the unit that is recorded, submitted, verified and gated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::version::KubernetesVersion;

/// What a step changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum StepKind {
    #[expect(missing_docs, reason = "the version of the control plane")]
    ControlPlane,
    #[expect(missing_docs, reason = "the version, and with it the image, of a node pool")]
    NodePoolVersion,
    #[expect(missing_docs, reason = "the node image of a node pool")]
    NodePoolImage,
    /// A node pool returns to the version and image that it had before its last upgrade.
    NodePoolRollback,
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
    /// The version or image before; of a rollback both, separated by a space.
    #[schemars(length(max = 256))]
    pub from: String,
    /// The version or image after; of a rollback both, separated by a space.
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
            StepKind::NodePoolRollback => format!("rollback-{pool}"),
        }
    }

    /// The rollback of a pool, from a version and image to another.
    #[must_use]
    pub fn rollback(pool: &str, from: (&KubernetesVersion, &str), to: (&KubernetesVersion, &str)) -> Self {
        let both = |(version, image): (&KubernetesVersion, &str)| format!("{version} {image}");
        let kind = StepKind::NodePoolRollback;
        Self { kind, pool: Some(pool.to_owned()), from: both(from), to: both(to) }
    }

    /// Whether it takes a pool back.
    #[must_use]
    pub fn is_rollback(&self) -> bool {
        self.kind == StepKind::NodePoolRollback
    }

    /// The Kubernetes version before, as text; of an image step the image.
    #[must_use]
    pub fn version_before(&self) -> &str {
        first_word(&self.from)
    }

    /// The Kubernetes version after, as text; of an image step the image.
    #[must_use]
    pub fn version_after(&self) -> &str {
        first_word(&self.to)
    }

    /// The image that a rollback returns to; `None` for other steps, which take whatever is newest.
    #[must_use]
    pub fn image_after(&self) -> Option<&str> {
        let image = self.to.split_once(' ').map(|(_, image)| image);
        image.filter(|_| self.is_rollback())
    }

    /// What it does, in a word or two: `upgrade` or `roll back`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        if self.is_rollback() { "roll back" } else { "upgrade" }
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

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}
