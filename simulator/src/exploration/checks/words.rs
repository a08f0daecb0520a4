//! Rule 8: an upgrade that stands as before says it in the same words: each other sentence is a write of its
//! record, and an event.

use super::{Checks, rules};
use crate::exploration::{hub::Record, sim::State};

/// Reasons whose matter is an instant or a length of time: another one is another matter.
const TELL_WHEN: [&str; 4] = ["WaitingForWindow", "Frozen", "NotBefore", "WindowTooShort"];

impl Checks {
    /// A record was written: its words are not those of before with another clock, counter or id in them.
    pub(super) fn keeps_to_its_words(state: &mut State, index: usize, after: &Record) {
        let Some((reason, words)) = &after.standing else { return };
        if TELL_WHEN.contains(&reason.as_str()) {
            return;
        }
        let said = state.checks.watched[index].said.insert(reason.clone(), words.clone());
        if let Some(before) = said.filter(|before| before != words && matter(before) == matter(words)) {
            let name = &state.hub.upgrades[index].name;
            let what = format!("{name} stands on {reason} as before, and says {words:?} after {before:?}");
            Self::violated(state, rules::WORDS, what);
        }
    }
}

/// The words without what says nothing of the matter.
fn matter(words: &str) -> String {
    let words = words.split(|c: char| c.is_whitespace() || "'\"()[]{},;=".contains(c));
    let mut matter = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        // What is left of a quota, and needed of it, says how much somebody is to ask for; and a pool that was
        // resized should have another number of nodes.
        let is_amount = matches!(matter.last(), Some(&"left" | &"needed" | &"the" | &"have"));
        // So does the status of an answer, which ends with a colon.
        let is_status = word.len() == 4 && word.ends_with(':');
        let is_matter = is_amount || is_status;
        let is_of_the_moment = !is_matter && is_of_the_moment(word.trim_end_matches(['.', ':']));
        matter.push(if is_of_the_moment { "#" } else { word });
    }
    matter.join(" ")
}

/// Whether it is a number, a date, a time, or an id as long as that of a request. Names of nodes, versions and
/// images are none of these.
fn is_of_the_moment(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = digits(word.trim_end_matches(['s', 'm', 'h', '%']));
    let is_clock = word.split('T').all(|part| {
        let mut parts = part.trim_end_matches('Z').split(['-', ':', '.', '+']).peekable();
        part.contains(['-', ':']) && parts.peek().is_some() && parts.all(digits)
    });
    let is_id = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_number || is_clock || is_id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_counters_and_ids_are_not_the_matter() {
        for (one, other) in [
            ("a: started at 2026-11-20T22:00:01Z.", "a: started at 2026-11-20T23:10:59.5Z."),
            ("started at 2026-11-20 22:00:01 +0000 UTC", "started at 2026-11-21 02:00:01 +0000 UTC"),
            ("try again after 12 seconds", "try again after 7 seconds"),
            (
                "Trace ID: 0a0a0a0a-0000-4000-8000-000000000001, no",
                "Trace ID: 0b0b0b0b-0000-4000-8000-000000000001, no",
            ),
        ] {
            assert_eq!(matter(one), matter(other));
        }
        for (one, other) in [
            ("pool linux1 is to show 1.34.4", "pool linux1 is to show 1.35.1"),
            ("pool linux1 upgrades", "pool linux2 upgrades"),
            ("Azure could not be read: 502: HTML body", "Azure could not be read: 503: HTML body"),
            (
                "quota vCPUs of standardDSv5Family, left 0, needed 4",
                "quota vCPUs of standardDSv5Family, left 0, needed 12",
            ),
            ("fewer nodes than the 2 it should have", "fewer nodes than the 3 it should have"),
            ("pool linux0 should have 2 nodes", "pool linux0 should have 1 nodes"),
            ("node aks-a-1-vmss000001 is old", "node aks-a-1-vmss000002 is old"),
            ("to AKSUbuntu-2404gen2containerd-202609.01.0", "to AKSUbuntu-2404gen2containerd-202610.01.0"),
        ] {
            assert_ne!(matter(one), matter(other));
        }
    }
}
