//! Long-running operations, as their status URL shows them.

use jiff::Timestamp;
use serde::Serialize;
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

impl OperationState {
    fn text(&self) -> &str {
        match self {
            Self::Running(text) => text,
            Self::Succeeded => "Succeeded",
            Self::Failed(_) => "Failed",
            Self::Canceled => "Canceled",
        }
    }
}

/// An operation as it really went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    /// Its id.
    pub id: String,
    /// When it was accepted.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The text of its status.
    pub status: String,
}

impl Operation {
    pub(crate) fn view(&self) -> OperationView {
        let Self { id, location: _, started, ended, state } = self;
        let status = state.text().to_owned();
        OperationView { id: id.clone(), started: *started, ended: *ended, status }
    }

    /// The status body; AKS gives no percentage.
    pub(crate) fn render(&self) -> Value {
        let Self { id, location: _, started, ended, state } = self;
        let mut body = json!({ "name": id, "status": state.text(), "startTime": started.to_string() });
        if let Some(ended) = ended {
            body["endTime"] = json!(ended.to_string());
        }
        if let OperationState::Failed(error) = state {
            body["error"] = error.clone();
        }
        body
    }
}
