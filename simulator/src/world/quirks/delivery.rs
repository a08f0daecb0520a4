//! How an answer travels: late, as HTML, or not at all.

use jiff::{SignedDuration, Timestamp};

use super::{Quirks, subject::Subject};
use crate::{scenario::QuirkName, world::call::Answer};

/// How long an answer is late when the rule does not say.
const DELAY_SECONDS: u32 = 30;

/// What happens to an answer on its way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    /// It never arrives: the connection is cut. Whether the call was carried out is a matter of the
    /// answer's status.
    pub lost: bool,
    /// It arrives this much later, in simulated time.
    pub delay: SignedDuration,
    /// It has this HTML for a body.
    pub html: Option<String>,
    /// Another answer arrives in its place.
    pub instead: Option<Box<Answer>>,
    /// The quirks that had a hand in it.
    pub quirks: Vec<QuirkName>,
}

impl Quirks {
    /// Sees the answer of a call off.
    pub(super) fn deliver(&mut self, now: Timestamp, subject: &Subject, answer: &mut Answer) {
        if self.meet(now, QuirkName::LostAnswers, subject).is_some() {
            answer.delivery.lost = true;
        }
        if let Some((rule, _)) = self.meet(now, QuirkName::Delays, subject) {
            answer.delivery.delay = SignedDuration::from_secs(rule.seconds.unwrap_or(DELAY_SECONDS).into());
        }
        answer.delivery.quirks = std::mem::take(&mut self.struck);
    }
}
