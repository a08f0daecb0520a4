//! Reads the status of a running operation, and its result.

use jiff::Timestamp;
use serde_json::Value;

use crate::{ApiError, Call, CallKind, Client, Error, OperationUrl};

/// The api-version of operations that are asked for by id: that of AKS's own links, whatever the
/// version of the call that started the operation (recorded since 2024).
const OPERATIONS_API_VERSION: &str = "2025-03-01";

/// Calls on running operations; see [`Client::operations`].
#[derive(Debug)]
pub struct Operations<'a> {
    pub(crate) client: &'a Client,
}

impl Operations<'_> {
    /// Reads an operation's status from its URL, verbatim.
    ///
    /// # Errors
    /// [`Error::ForeignOrigin`] when the URL leads elsewhere; otherwise when Azure refuses, cannot be
    /// reached, or answers with something that the API does not promise. Polls fail now and then with
    /// 500, 502 or 504: that says nothing about the operation.
    pub async fn status(&self, url: &OperationUrl) -> Result<OperationStatus, Error> {
        let url = self.client.link(url.expose())?;
        let answer = self.client.get(Call::of_link(CallKind::OperationStatus, &url), url).await?;
        Ok(OperationStatus::from_value(&answer.object("reading an operation's status")?))
    }

    /// Reads an operation's status by its id (the last segment of its URL), when the URL is not at hand.
    ///
    /// Needs `Microsoft.ContainerService/locations/operations/read`: the signature in a URL does without.
    ///
    /// # Errors
    /// See [`Self::status`]; 404 when Azure has forgotten the operation.
    pub async fn status_by_id(
        &self,
        subscription: &str,
        location: &str,
        id: &str,
    ) -> Result<OperationStatus, Error> {
        let provider = "Microsoft.ContainerService";
        let path =
            ["subscriptions", subscription, "providers", provider, "locations", location, "operations", id];
        let call = Call::of_subscription(CallKind::OperationStatus, subscription);
        let answer = self.client.get(call, self.client.url_at(OPERATIONS_API_VERSION, path)).await?;
        Ok(OperationStatus::from_value(&answer.object("reading an operation's status")?))
    }

    /// Reads an operation's result from its URL (`Location`), verbatim.
    ///
    /// Source: Microsoft Learn, "Track asynchronous Azure operations".
    ///
    /// # Errors
    /// See [`Self::status`]; [`Error::Api`] also with the error of an operation that failed.
    pub async fn result(&self, url: &OperationUrl) -> Result<OperationResult, Error> {
        let url = self.client.link(url.expose())?;
        let answer = self.client.get(Call::of_link(CallKind::OperationResult, &url), url).await?;
        match answer.status {
            202 => Ok(OperationResult::Running),
            _ if answer.body.trim_ascii().is_empty() => Ok(OperationResult::Done(None)),
            _ => answer.object("reading an operation's result").map(Some).map(OperationResult::Done),
        }
    }
}

/// What an operation's result says.
#[derive(Clone, Debug, PartialEq)]
pub enum OperationResult {
    /// Not there yet (202).
    Running,
    /// It ended well, with the resource if the operation has one (200), else with nothing (204).
    Done(Option<Value>),
}

/// What an operation's status says.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationStatus {
    /// The operation's id. Recorded before 2024: the bytes of its first three groups in another order
    /// than in the URL.
    pub name: Option<String>,
    /// How far the operation is.
    pub state: OperationState,
    /// An error in the body. Not a failure by itself: running and succeeded operations carry
    /// errors that AKS got over.
    pub error: Option<ApiError>,
    /// When the operation began.
    pub start_time: Option<Timestamp>,
    /// When it ended; also present on some that are still running.
    pub end_time: Option<Timestamp>,
    /// How much is done, 0 to 100, when Azure says so.
    pub percent_complete: Option<f64>,
}

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// It is running; the text is Azure's, for example `CreatingAgentPool: 1/3 nodes completed`.
    InProgress(String),
    /// It ended, says Azure. Not proof: preempted operations end so, too.
    Succeeded,
    /// It failed; see [`OperationStatus::error`].
    Failed,
    /// It was stopped.
    Canceled,
}

impl OperationState {
    /// Whether the operation has ended, in whatever way.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::InProgress(_))
    }

    /// Only three words end an operation; all others, absent ones included, are progress.
    fn from_text(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "canceled" | "cancelled" => Self::Canceled,
            _ => Self::InProgress(text.chars().take(256).collect()),
        }
    }
}

impl OperationStatus {
    /// Reads a status body.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        let time = |name| value.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok());
        Self {
            name: value.get("name").and_then(Value::as_str).map(str::to_owned),
            state: OperationState::from_text(value.get("status").and_then(Value::as_str).unwrap_or_default()),
            error: value.get("error").filter(|error| error.is_object()).map(ApiError::from_value),
            start_time: time("startTime"),
            end_time: time("endTime"),
            percent_complete: value.get("percentComplete").and_then(Value::as_f64),
        }
    }

    /// Whether the operation gave way to another one: it ends as succeeded without having done its work.
    #[must_use]
    pub fn was_preempted(&self) -> bool {
        self.error.as_ref().is_some_and(|error| {
            error.code.as_deref() == Some("NotLatestOperation") || error.summary().contains("preempted")
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn three_words_end_an_operation() {
        let table = [
            (json!("Succeeded"), OperationState::Succeeded),
            (json!("FAILED"), OperationState::Failed),
            (json!("Canceled"), OperationState::Canceled),
            (json!("InProgress"), OperationState::InProgress("InProgress".to_owned())),
            (json!("Draining: 1/3"), OperationState::InProgress("Draining: 1/3".to_owned())),
            (json!(null), OperationState::InProgress(String::new())),
        ];
        for (text, state) in table {
            assert_eq!(OperationStatus::from_value(&json!({"status": text})).state, state);
        }
    }

    #[test]
    fn an_error_in_a_succeeded_body_is_kept_but_does_not_fail_it() {
        let body = json!({"status": "Succeeded", "startTime": "2026-11-22T09:21:22.1636627Z",
            "endTime": "2026-11-22T09:24:22.98Z", "percentComplete": 100.0,
            "error": {"code": "NotLatestOperation", "message": "another one came"}});
        let status = OperationStatus::from_value(&body);
        assert_eq!(status.state, OperationState::Succeeded);
        assert!(status.state.is_terminal() && status.was_preempted());
        assert!(status.end_time > status.start_time);
        assert_eq!(status.percent_complete, Some(100.0));
    }
}
