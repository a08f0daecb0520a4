//! Long-running operations, as their status URL shows them.

use jiff::Timestamp;
use serde_json::{Value, json};

/// A long-running operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) location: String,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) state: OperationState,
}

/// How an operation stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OperationState {
    /// Free text, as AKS writes it.
    Running(String),
    Succeeded,
    Failed(Value),
    Canceled,
}

impl Operation {
    /// The status body; AKS gives no percentage.
    pub(crate) fn render(&self) -> Value {
        let Self { id, location: _, started, ended, state } = self;
        let status = match state {
            OperationState::Running(text) => text.as_str(),
            OperationState::Succeeded => "Succeeded",
            OperationState::Failed(_) => "Failed",
            OperationState::Canceled => "Canceled",
        };
        let mut body = json!({ "name": id, "status": status, "startTime": started.to_string() });
        if let Some(ended) = ended {
            body["endTime"] = json!(ended.to_string());
        }
        if let OperationState::Failed(error) = state {
            body["error"] = error.clone();
        }
        body
    }
}
