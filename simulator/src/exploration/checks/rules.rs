//! The names of the rules: those of the architecture's invariants by their number, those of
//! docs/reliability.md by their row.

/// 1: what is sent, and what is taken for ours, never overlaps with another operation.
pub(super) const ONE_OPERATION: &str = "1 one operation per cluster";
/// 1: a wave never works on more clusters than it may.
pub(super) const CONCURRENT: &str = "1 at most maxConcurrent";
/// 2: whatever is sent was recorded before.
pub(super) const INTENT: &str = "2 intent first";
/// 4: nothing is asked for that leaves a pool newer than its control plane, or too far behind.
pub(super) const SKEW: &str = "4 version skew";
/// 5: what we do not own comes back as it was read.
pub(super) const FIELDS: &str = "5 fields that are not ours";
/// 6: what was changed for a step is on record until it is as before.
pub(super) const SETTINGS: &str = "6 temporary settings";
/// 7: nothing goes on past a gate that fails or has no data.
pub(super) const GATES: &str = "7 gates";
/// 7: and they are watched for as long as was asked.
pub(super) const SOAKS: &str = "7 soaks are kept";
/// 8: every wait says what for.
pub(super) const REASON: &str = "8 every wait has a reason";
/// 8: and ends when that is over.
pub(super) const PROMISE: &str = "8 no wait outlasts its reason";
/// 9: whatever happened, everything wanted is so in the end.
pub(super) const END: &str = "9 it comes to its end";
/// 9: what is done is not sent again.
pub(super) const TWICE: &str = "9 nothing twice";
/// 9: a record that is finished stays as it is, and so does Azure.
pub(super) const FINISHED: &str = "9 done is done";
/// 10: a step is done when the nodes show it.
pub(super) const NODES: &str = "10 done means that the nodes show it";
/// R2: what is changed is read again after it was claimed.
pub(super) const READ_AGAIN: &str = "R2 read again before it is sent";
/// R3: only who holds the lease changes anything.
pub(super) const LEADER: &str = "R3 only the leader acts";
/// R7: a cluster is neither read nor written more often than a step needs.
pub(super) const EFFORT: &str = "R7 few reads and writes";
/// R8: what passes by itself waits for no person.
pub(super) const TRANSIENT: &str = "R8 what passes by itself is not final";
/// R9: what others have moved is a reason to stop.
pub(super) const OTHERS: &str = "R9 others' changes stop it";
/// R15: what has failed is tried so often and no more.
pub(super) const ATTEMPTS: &str = "R15 attempts are bounded";
/// What is suspended starts nothing.
pub(super) const SUSPENDED: &str = "suspended starts nothing";
/// A cluster that has stopped stops those that have not begun.
pub(super) const STOPPED: &str = "a stopped cluster stops the others";
/// A wave starts when the one before it is done.
pub(super) const WAVES: &str = "waves one after the other";
/// No record is deleted, none grows.
pub(super) const RECORDS: &str = "records are kept, and stay small";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 24] = [
        ONE_OPERATION,
        CONCURRENT,
        INTENT,
        SKEW,
        FIELDS,
        SETTINGS,
        GATES,
        SOAKS,
        REASON,
        PROMISE,
        END,
        TWICE,
        FINISHED,
        NODES,
        READ_AGAIN,
        LEADER,
        EFFORT,
        TRANSIENT,
        OTHERS,
        ATTEMPTS,
        SUSPENDED,
        STOPPED,
        WAVES,
        RECORDS,
    ];

    #[test]
    fn the_documentation_lists_every_rule_and_every_invariant() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/simulation.md");
        let text = std::fs::read_to_string(file).unwrap();
        let table = text.split("## What is checked").nth(1).unwrap().split("\n## ").next().unwrap();
        let listed: Vec<&str> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
            .filter(|name| *name != "rule")
            .collect();
        for rule in ALL {
            assert!(listed.contains(&rule), "docs/simulation.md does not list {rule:?}");
        }
        for number in 1..=10 {
            let of_number = |name: &&&str| name.split(' ').next() == Some(number.to_string().as_str());
            let rules: Vec<_> = listed.iter().filter(of_number).collect();
            assert!(!rules.is_empty(), "docs/simulation.md says nothing of invariant {number}");
            let known = |name: &&&str| ALL.contains(*name) || name.ends_with("(elsewhere)");
            assert!(rules.iter().all(known), "{rules:?} are not all rules of the simulation");
        }
    }
}
