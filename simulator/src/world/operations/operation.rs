//! Long-running operations: how each stands, what its status URL shows, and for how long.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::scenario::OperationSpec;

/// A long-running operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) subscription: String,
    pub(crate) location: String,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) state: OperationState,
    /// An error that AKS has met on the way and is dealing with: it stays in the body, also when
    /// the operation succeeds (recorded).
    pub(crate) hitch: Option<Value>,
    /// An error that is in the body only when it has succeeded.
    pub(crate) afterthought: Option<Value>,
    /// When it stops being found, sooner than others.
    pub(crate) forgotten_at: Option<Timestamp>,
}

/// How an operation stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OperationState {
    /// Free text, as AKS writes it.
    Running(String),
    Succeeded,
    Failed(Value),
    /// Aborted by somebody.
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

/// How long an operation can be asked for after its end. Nothing says it; `expiredOperations` makes it shorter.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// All operations that can still be asked for.
#[derive(Debug)]
pub(crate) struct Operations {
    all: BTreeMap<String, Operation>,
    mixed_endian_names: bool,
}

impl Operations {
    pub(crate) const fn new(spec: OperationSpec) -> Self {
        let OperationSpec { mixed_endian_names } = spec;
        Self { all: BTreeMap::new(), mixed_endian_names }
    }

    /// Takes a new operation up, and forgets those that are over for too long.
    pub(crate) fn add(&mut self, operation: Operation) {
        let now = operation.started;
        self.all.retain(|_, old| old.ended.is_none() || !old.is_forgotten(now));
        self.all.insert(operation.id.clone(), operation);
    }

    /// The operation of a status URL, when subscription and region are right and it is not
    /// forgotten yet.
    pub(crate) fn find(
        &self,
        now: Timestamp,
        subscription: &str,
        location: &str,
        id: &str,
    ) -> Option<&Operation> {
        let operation = self.all.get(id)?;
        let same = operation.subscription.eq_ignore_ascii_case(subscription)
            && operation.location.eq_ignore_ascii_case(location);
        (same && !operation.is_forgotten(now)).then_some(operation)
    }

    /// Whether an operation is under way.
    pub(crate) fn is_running(&self, id: &str) -> bool {
        self.all.get(id).is_some_and(|operation| operation.ended.is_none())
    }

    /// Says what goes on in a running operation.
    pub(crate) fn report(&mut self, id: &str, text: String, hitch: Option<&Value>) {
        if let Some(operation) = self.all.get_mut(id).filter(|operation| operation.ended.is_none()) {
            operation.state = OperationState::Running(text);
            if operation.hitch.is_none() {
                operation.hitch = hitch.cloned();
            }
        }
    }

    /// Ends a running operation.
    pub(crate) fn end(&mut self, now: Timestamp, id: &str, state: OperationState) {
        if let Some(operation) = self.all.get_mut(id).filter(|operation| operation.ended.is_none()) {
            operation.ended = Some(now);
            operation.state = state;
        }
    }

    /// Ends an operation that a newer one has taken over from: `Succeeded`, with an error that
    /// says so (recorded).
    pub(crate) fn preempt(&mut self, now: Timestamp, id: &str) {
        if let Some(operation) = self.all.get_mut(id).filter(|operation| operation.ended.is_none()) {
            operation.hitch = Some(json!({
                "code": "NotLatestOperation",
                "message": "The operation has been preempted by another one. Please wait for the other operation to complete and try again..",
            }));
        }
        self.end(now, id, OperationState::Succeeded);
    }

    /// Every operation that is not forgotten yet.
    pub(crate) fn view(&self) -> Vec<OperationView> {
        let views = self.all.values().map(|operation| OperationView {
            id: operation.id.clone(),
            started: operation.started,
            ended: operation.ended,
            status: operation.state.text().to_owned(),
        });
        views.collect()
    }

    /// The status body; AKS gives no percentage.
    pub(crate) fn render(&self, operation: &Operation) -> Value {
        let Operation { id, started, ended, state, hitch, .. } = operation;
        let status = state.text();
        let name = if self.mixed_endian_names { mixed_endian(id) } else { id.clone() };
        let mut body = json!({ "name": name, "status": status, "startTime": started.to_string() });
        if let Some(ended) = ended {
            body["endTime"] = json!(ended.to_string());
        }
        let error = match state {
            OperationState::Failed(error) => Some(error.clone()),
            OperationState::Canceled => {
                Some(json!({ "code": "Canceled", "message": "Operation is being canceled by user" }))
            }
            OperationState::Running(_) => hitch.clone(),
            OperationState::Succeeded => hitch.clone().or_else(|| operation.afterthought.clone()),
        };
        if let Some(error) = error {
            body["error"] = error;
        }
        body
    }
}

impl Operation {
    fn is_forgotten(&self, now: Timestamp) -> bool {
        self.ended.is_some_and(|ended| now.duration_since(ended) > KEPT_FOR)
            || self.forgotten_at.is_some_and(|at| now >= at)
    }
}

/// The same id with the bytes of its first three groups turned round: until the middle of 2023 the
/// name in the body was so (recorded).
fn mixed_endian(id: &str) -> String {
    let turned = id.split('-').enumerate().map(|(index, group)| {
        if index > 2 {
            return group.to_owned();
        }
        let bytes = group.as_bytes().chunks(2).rev().flatten().copied();
        bytes.map(char::from).collect()
    });
    turned.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations() -> Operations {
        let mut operations = Operations::new(OperationSpec { mixed_endian_names: true });
        operations.add(Operation {
            id: "1f57f54e-99f4-4677-b8b6-80dbc330e776".into(),
            subscription: "s".into(),
            location: "westeurope".into(),
            started: Timestamp::UNIX_EPOCH,
            ended: None,
            state: OperationState::Running("InProgress".into()),
            hitch: None,
            afterthought: None,
            forgotten_at: None,
        });
        operations
    }

    const ID: &str = "1f57f54e-99f4-4677-b8b6-80dbc330e776";

    #[test]
    fn a_status_url_is_right_for_one_subscription_and_region_and_for_some_time() {
        let mut operations = operations();
        let hours = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        assert!(operations.find(hours(99), "S", "WestEurope", ID).is_some(), "it runs");
        operations.end(hours(100), ID, OperationState::Succeeded);
        assert!(operations.find(hours(124), "s", "westeurope", ID).is_some());
        assert!(operations.find(hours(124), "other", "westeurope", ID).is_none());
        assert!(operations.find(hours(124), "s", "northeurope", ID).is_none());
        assert!(operations.find(hours(125), "s", "westeurope", ID).is_none());
    }

    #[test]
    fn what_has_ended_stays_as_it_ended() {
        let mut operations = operations();
        operations.preempt(Timestamp::UNIX_EPOCH, ID);
        operations.end(Timestamp::MAX, ID, OperationState::Canceled);
        operations.report(ID, "InProgress".into(), None);
        let operation = operations.find(Timestamp::UNIX_EPOCH, "s", "westeurope", ID).unwrap();
        let body = operations.render(operation);
        assert_eq!(
            (&body["status"], &body["error"]["code"]),
            (&json!("Succeeded"), &json!("NotLatestOperation"))
        );
        assert_eq!(body["name"], "4ef5571f-f499-7746-b8b6-80dbc330e776");
    }
}
