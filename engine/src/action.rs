//! One write to Azure, whole: nothing about it is decided any more.

use crate::{
    settings::Changes,
    step::{Step, StepKind},
};

/// One write to Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sends a step, with the settings of the same resource that it overrides.
    Step {
        /// The step.
        step: Step,
        /// Settings of what the step writes. None for image steps, which write no document.
        settings: Changes,
    },
    /// Overrides settings for a step that cannot bring them along.
    Override {
        /// The node pool; `None` for the cluster.
        pool: Option<String>,
        /// The settings.
        settings: Changes,
    },
    /// Puts settings back as they were before a step.
    Restore {
        /// The node pool; `None` for the cluster.
        pool: Option<String>,
        /// The settings.
        settings: Changes,
    },
    /// Aborts the operation in flight; nothing is undone.
    Abort {
        /// The node pool; `None` for the cluster.
        pool: Option<String>,
        /// Azure's name of the operation, which was seen to run.
        operation: String,
    },
}

impl Action {
    /// The node pool whose document is written; `None` when it is the cluster's, or none.
    #[must_use]
    pub fn pool_document(&self) -> Option<&str> {
        match self {
            Self::Step { step, .. } => match step.kind {
                StepKind::NodePoolVersion | StepKind::NodePoolRollback => step.pool.as_deref(),
                StepKind::ControlPlane | StepKind::NodePoolImage => None,
            },
            Self::Abort { .. } => None,
            Self::Override { pool, .. } | Self::Restore { pool, .. } => pool.as_deref(),
        }
    }
}
