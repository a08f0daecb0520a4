//! Conditions after kstatus: `Ready`, `Reconciling`, `Stalled`, and our `UpToDate`.
//!
//! Parked is Ready, so that Helm, Flux and Argo CD do not wait for days.

use crds::condition;
use engine::Stance;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::context::bounded;

/// How long a condition's message may be, in bytes.
const MESSAGE_LIMIT: usize = 200;

/// The reason, and the phase, of an upgrade whose cluster was left out of its rollout.
pub(crate) const SKIPPED: &str = "Skipped";

/// How an object stands, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// `None` when all is done.
    pub(crate) stance: Option<Stance>,
    /// In one word.
    pub(crate) reason: String,
    /// In one sentence.
    pub(crate) message: String,
    /// What has to be said besides, however long the message is; empty if nothing.
    pub(crate) besides: String,
}

impl Standing {
    pub(crate) fn phase(&self) -> &'static str {
        match self.stance {
            Some(Stance::Parked) => "Parked",
            Some(Stance::Working) => "Working",
            Some(Stance::Stopped) => "Stopped",
            None if self.reason == SKIPPED => SKIPPED,
            None => "Succeeded",
        }
    }

    /// All that there is to say, in at most so many bytes: the message is cut first.
    pub(crate) fn in_words(&self, bytes: usize) -> String {
        if self.besides.is_empty() {
            return bounded(&self.message, bytes);
        }
        let besides = bounded(&self.besides, bytes * 3 / 4);
        let room = bytes - besides.len() - "; ".len();
        format!("{}; {besides}", bounded(&self.message, room))
    }
}

/// The four conditions for a standing; transition times are kept where the status is the same.
///
/// `Ready` and what is True say why, as far as it is short, the others in one word: the summary says it
/// in full, and the object is to stay small.
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
        // Over, and nobody waits for it; but not at its target.
        None if standing.reason == SKIPPED => ("True", "False", "False", "False"),
        None => ("True", "False", "False", "True"),
    };
    [("Ready", ready), ("Reconciling", reconciling), ("Stalled", stalled), ("UpToDate", up_to_date)]
        .map(|(type_, status)| {
            let says_why = type_ == "Ready" || status == "True";
            let message = if says_why { standing.in_words(MESSAGE_LIMIT) } else { String::new() };
            condition(previous, type_, status, &standing.reason, &message, generation, now)
        })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn shown(stance: Option<Stance>) -> (&'static str, Vec<String>) {
        let (reason, message) = ("Why".to_owned(), "because".to_owned());
        let standing = Standing { stance, reason, message, besides: String::new() };
        let conditions = conditions_of(&[], &standing, Some(3), at("2026-12-05T22:00:00Z"));
        assert!(conditions.iter().all(|condition| {
            let says_why = condition.type_ == "Ready" || condition.status == "True";
            (condition.reason.as_str(), condition.message.as_str(), condition.observed_generation)
                == ("Why", if says_why { "because" } else { "" }, Some(3))
        }));
        let words =
            conditions.into_iter().map(|condition| format!("{}={}", condition.type_, condition.status));
        (standing.phase(), words.collect())
    }

    #[test]
    fn what_each_stance_shows() {
        let table = [
            (Some(Stance::Parked), "Parked", ["True", "False", "False", "False"]),
            (Some(Stance::Working), "Working", ["False", "True", "False", "False"]),
            (Some(Stance::Stopped), "Stopped", ["False", "False", "True", "False"]),
            (None, "Succeeded", ["True", "False", "False", "True"]),
        ];
        for (stance, phase, [ready, reconciling, stalled, up_to_date]) in table {
            let words = [
                format!("Ready={ready}"),
                format!("Reconciling={reconciling}"),
                format!("Stalled={stalled}"),
                format!("UpToDate={up_to_date}"),
            ];
            assert_eq!(shown(stance), (phase, words.into()));
        }
    }

    #[test]
    fn a_transition_time_moves_only_with_the_status() {
        let (early, late) = (at("2026-12-05T22:00:00Z"), at("2026-12-05T23:00:00Z"));
        let standing = |stance, reason: &str| Standing {
            stance: Some(stance),
            reason: reason.to_owned(),
            message: String::new(),
            besides: String::new(),
        };
        let before = conditions_of(&[], &standing(Stance::Working, "A"), Some(1), early);
        assert_eq!(conditions_of(&before, &standing(Stance::Working, "A"), Some(1), late), before);
        let after = conditions_of(&before, &standing(Stance::Stopped, "B"), Some(1), late);
        let times: Vec<_> = after.iter().map(|condition| condition.last_transition_time.0).collect();
        assert_eq!(times, [early, late, late, early], "Ready and UpToDate were False before");
    }

    #[test]
    fn a_long_message_is_cut() {
        let message = "ä".repeat(3000);
        let (stance, reason) = (Some(Stance::Stopped), "Why".to_owned());
        let standing = Standing { stance, reason, message, besides: String::new() };
        let conditions = conditions_of(&[], &standing, None, at("2026-12-05T22:00:00Z"));
        let lengths: Vec<_> = conditions.iter().map(|condition| condition.message.len()).collect();
        assert!(lengths[0] <= MESSAGE_LIMIT && conditions[0].message.ends_with('…'), "{lengths:?}");
        assert_eq!(lengths[1..], [0, lengths[0], 0], "Reconciling, Stalled, UpToDate");
    }

    #[test]
    fn what_has_to_be_said_besides_is_not_cut_off_by_a_long_message() {
        let words = |message: &str, besides: &str| {
            let (message, besides) = (message.to_owned(), besides.to_owned());
            Standing { stance: None, reason: "Why".to_owned(), message, besides }.in_words(MESSAGE_LIMIT)
        };
        assert_eq!(words("because", ""), "because");
        assert_eq!(words("because", "and more"), "because; and more");
        let cut = words(&"ä".repeat(3000), "and more");
        assert!(cut.len() <= MESSAGE_LIMIT && cut.ends_with("…; and more"), "{cut}");
        let both = words(&"ä".repeat(3000), &"ö".repeat(3000));
        assert!(both.len() <= MESSAGE_LIMIT && both.starts_with("ää") && both.contains("öö"), "{both}");
    }
}
