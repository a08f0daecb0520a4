//! Calls that are refused although nothing is wrong with them, and failures of the gateway.
//!
//! Statuses, codes and shapes are those seen in recorded traffic and in "Throttling limits on AKS
//! resource provider APIs"; the sentences are ours.

use jiff::Timestamp;
use serde_json::json;

use super::{Quirks, subject::Subject};
use crate::{
    scenario::{QuirkName, QuirkRule},
    world::call::{Answer, Refusal},
};

/// Seconds of a Retry-After when the rule does not say.
const RETRY_AFTER: u32 = 10;

/// Failures of a look at an operation in turn: status, and whether the body is HTML.
const POLLS: &[(u16, bool)] = &[(500, false), (502, true), (504, false), (502, false)];

/// Failures of other calls in turn.
const OTHERS: &[(u16, bool)] = &[(503, false), (503, true)];

impl Quirks {
    /// The answer that a call gets instead of being carried out.
    pub(super) fn refuse(&mut self, now: Timestamp, subject: &Subject) -> Option<Answer> {
        if self.meet(now, QuirkName::CutRequests, subject).is_some() {
            // Nobody reads this status but the log and callers in this process.
            let mut answer = failure(503, false);
            answer.delivery.lost = true;
            return Some(answer);
        }
        if let Some((rule, _)) = self.meet(now, QuirkName::Throttled, subject) {
            return Some(throttled(rule.seconds.unwrap_or(RETRY_AFTER)));
        }
        for (quirk, turns) in [
            (QuirkName::FailingPolls, POLLS),
            (QuirkName::FailingReads, OTHERS),
            (QuirkName::FailingWrites, OTHERS),
        ] {
            if let Some((rule, before)) = self.meet(now, quirk, subject) {
                return Some(fail(&rule, before, turns));
            }
        }
        if subject.conditional && self.meet(now, QuirkName::PreconditionFailed, subject).is_some() {
            let message = "The eTag of the request does not match the current eTag of the resource.";
            return Some(Refusal::aks(412, "PreconditionFailed", "", message).into());
        }
        let (rule, before) = self.meet(now, QuirkName::Busy, subject)?;
        let turn = if before.is_multiple_of(2) { "OperationNotAllowed" } else { "EtagMismatch" };
        Some(busy(rule.code.as_deref().unwrap_or(turn), now))
    }

    /// A call that was carried out, and of which the gateway knows nothing any more.
    pub(super) fn lose(&mut self, now: Timestamp, subject: &Subject, answer: &mut Answer) {
        if let Some((rule, before)) = self.meet(now, QuirkName::GatewayTimeouts, subject) {
            answer.delivery.instead = Some(Box::new(fail(&rule, before, &[(504, false)])));
        }
    }
}

fn fail(rule: &QuirkRule, before: u32, turns: &[(u16, bool)]) -> Answer {
    let turn = usize::try_from(before).unwrap_or_default() % turns.len();
    let (status, html) = turns[turn];
    failure(rule.status.unwrap_or(status), rule.html.unwrap_or(html))
}

fn failure(status: u16, html: bool) -> Answer {
    let (code, title, message) = match status {
        500 => ("InternalServerError", "Internal Server Error", "Encountered internal server error."),
        502 => (
            "BadGatewayConnection",
            "Bad Gateway",
            "The network connectivity issue encountered for 'Microsoft.ContainerService'; cannot fulfill the request.",
        ),
        504 => (
            "GatewayTimeout",
            "Gateway Time-out",
            "The gateway did not receive a response from 'Microsoft.ContainerService' within the specified time period.",
        ),
        _ => ("ServiceUnavailable", "Service Temporarily Unavailable", "The service is unavailable now."),
    };
    let mut answer = Answer::from(Refusal::arm(status, code, message));
    if html {
        let title = format!("{status} {title}");
        answer.delivery.html = Some(format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        ));
    }
    answer
}

fn throttled(seconds: u32) -> Answer {
    let message = format!(
        "The request is throttled. Please try again after {seconds} seconds. For more information, see \
         aka.ms/aks/throttling"
    );
    let refusal = Refusal::aks(429, "Throttled", "", message);
    Answer { retry_after: Some(seconds), ..Answer::from(refusal) }
}

fn busy(code: &str, now: Timestamp) -> Answer {
    if code == "EtagMismatch" {
        let mut refusal = Refusal::aks(
            409,
            code,
            "PutManagedClusterAndComponents_FailedPrecondition",
            "Operation is not allowed: Another operation is in progress",
        );
        refusal.body["details"] = json!([
            { "code": "Unspecified", "message": "rpc error: code = FailedPrecondition desc = Etag mismatched" }
        ]);
        return refusal.into();
    }
    let message = format!(
        "Operation is not allowed because there's an in progress reconcile managed cluster operation on the \
         resource started at {now}. Please wait for it to finish before starting a new operation."
    );
    Refusal::aks(409, code, "", message).into()
}
