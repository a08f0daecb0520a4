//! Temporary.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
/// t
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// t
    pub status: Option<u16>,
    /// t
    pub code: Option<String>,
    /// t
    pub subcode: Option<String>,
    /// t
    pub message: String,
}
/// t
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// t
    Transient,
    /// t
    Busy,
    /// t
    Blocked,
    /// t
    Failed,
    /// t
    Bug,
}
impl Failure {
    /// t
    pub fn class(&self) -> FailureClass {
        match self.code.as_deref() {
            Some("UpgradeFailed") => FailureClass::Failed,
            Some("OperationNotAllowed") => FailureClass::Busy,
            Some("Throttled") | None => FailureClass::Transient,
            Some("QuotaExceeded" | "UnsatisfiablePDB") => FailureClass::Blocked,
            Some(_) => FailureClass::Bug,
        }
    }
    /// t
    pub fn blockers(&self) -> Vec<Blocker> {
        Vec::new()
    }
}
/// t
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Blocker {
    /// t
    Pod {
        /// t
        namespace: String,
        /// t
        name: String,
        /// t
        node: Option<String>,
    },
    /// t
    DisruptionBudget {
        /// t
        namespace: String,
        /// t
        name: String,
        /// t
        message: String,
    },
    /// t
    Other {
        /// t
        message: String,
    },
}
