//! Conditions after kstatus: `Ready`, `Reconciling`, `Stalled`, and our `UpToDate`.
//!
//! Parked is Ready, so that Helm, Flux and Argo CD do not wait for days.

use crds::condition;
use engine::Stance;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// How an object stands, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// `None` when all is done.
    pub(crate) stance: Option<Stance>,
    /// In one word.
    pub(crate) reason: String,
    /// In one sentence.
    pub(crate) message: String,
}

impl Standing {
    pub(crate) fn phase(&self) -> &'static str {
        match self.stance {
            Some(Stance::Parked) => "Parked",
            Some(Stance::Working) => "Working",
            Some(Stance::Stopped) => "Stopped",
            None => "Succeeded",
        }
    }
}

/// The four conditions for a standing; transition times are kept where the status is the same.
pub(crate) fn conditions_of(
    previous: &[Condition],
    standing: &Standing,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let (ready, reconciling, stalled, up_to_date) = match standing.stance {
        Some(Stance::Parked) => ("True", "False", "False", "False"),
        Some(Stance::Working) => ("False", "True", "False", "False"),
        Some(Stance::Stopped) => ("False", "False", "True", "False"),
        None => ("True", "False", "False", "True"),
    };
    [("Ready", ready), ("Reconciling", reconciling), ("Stalled", stalled), ("UpToDate", up_to_date)]
        .map(|(type_, status)| {
            condition(previous, type_, status, &standing.reason, &standing.message, generation, now)
        })
        .into()
}
