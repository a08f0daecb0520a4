//! The names of the rules: those of the architecture's invariants by their number, those of
//! docs/reliability.md by their row.

/// 1: what is sent, and what is taken for ours, never overlaps with another operation.
pub(in crate::exploration) const ONE_OPERATION: &str = "1 one operation per cluster";
/// 1: a wave never works on more clusters than it may.
pub(in crate::exploration) const CONCURRENT: &str = "1 at most maxConcurrent";
/// 2: whatever is sent was recorded before.
pub(in crate::exploration) const INTENT: &str = "2 intent first";
/// 3: steps start while a window is open.
pub(in crate::exploration) const WINDOWS: &str = "3 steps start inside their windows";
/// 3: and for as long as they take.
pub(in crate::exploration) const FIT: &str = "3 steps fit into what remains";
/// 3: and nothing starts under a freeze.
pub(in crate::exploration) const FREEZES: &str = "3 nothing starts under a freeze";
/// 4: nothing is asked for that leaves a pool newer than its control plane, or too far behind.
pub(in crate::exploration) const SKEW: &str = "4 version skew";
/// 5: what we do not own comes back as it was read.
pub(in crate::exploration) const FIELDS: &str = "5 fields that are not ours";
/// 6: what was changed for a step is on record until it is as before.
pub(in crate::exploration) const SETTINGS: &str = "6 temporary settings";
/// 7: nothing goes on past a gate that fails or has no data.
pub(in crate::exploration) const GATES: &str = "7 gates";
/// 7: and they are watched for as long as was asked.
pub(in crate::exploration) const SOAKS: &str = "7 soaks are kept";
/// 8: every wait says what for.
pub(in crate::exploration) const REASON: &str = "8 every wait has a reason";
/// 8: and ends when that is over.
pub(in crate::exploration) const PROMISE: &str = "8 no wait outlasts its reason";
/// 8: and in the same words for as long as it is the same.
pub(in crate::exploration) const WORDS: &str = "8 words change only with the matter";
/// 9: whatever happened, everything wanted is so in the end.
pub(in crate::exploration) const END: &str = "9 it comes to its end";
/// 9: what is done is not sent again.
pub(in crate::exploration) const TWICE: &str = "9 nothing twice";
/// 9: a record that is finished stays as it is, and so does Azure.
pub(in crate::exploration) const FINISHED: &str = "9 done is done";
/// 10: a step is done when the nodes show it.
pub(in crate::exploration) const NODES: &str = "10 done means that the nodes show it";
/// R2: what is changed is read again after it was claimed.
pub(in crate::exploration) const READ_AGAIN: &str = "R2 read again before it is sent";
/// R3: only who holds the lease changes anything.
pub(in crate::exploration) const LEADER: &str = "R3 only the leader acts";
/// R7: a cluster is neither read nor written more often than a step needs.
pub(in crate::exploration) const EFFORT: &str = "R7 few reads and writes";
/// R8: what passes by itself waits for no person.
pub(in crate::exploration) const TRANSIENT: &str = "R8 what passes by itself is not final";
/// R9: what others have moved is a reason to stop.
pub(in crate::exploration) const OTHERS: &str = "R9 others' changes stop it";
/// R15: what has failed is tried so often and no more.
pub(in crate::exploration) const ATTEMPTS: &str = "R15 attempts are bounded";
/// What is suspended starts nothing.
pub(in crate::exploration) const SUSPENDED: &str = "suspended starts nothing";
/// An abort stops what is ours, and nothing else.
pub(in crate::exploration) const ABORT: &str = "only what is ours is aborted";
/// Whoever asks for something is told what came of it, or that nothing will.
pub(in crate::exploration) const ANSWERED: &str = "what is asked for is answered";
/// After an abort or a rollback nothing goes on until somebody asks for it.
pub(in crate::exploration) const HALTED: &str = "halted until retry";
/// A pool goes back to what it had, and only where Azure takes it back.
pub(in crate::exploration) const ROLLBACK: &str = "a rollback leads back";
/// A cluster that is left out gets its settings back, and nothing else.
pub(in crate::exploration) const SKIPPED: &str = "what is left out is left alone";
/// More failures of a wave than its budget allows stop everything that has not begun.
pub(in crate::exploration) const STOPPED: &str = "failures beyond the budget stop the others";
/// A wave starts with the approvals that it needs.
pub(in crate::exploration) const APPROVED: &str = "nothing unapproved starts";
/// What asks a plan's clusters for another try asks those that have stopped, once.
pub(in crate::exploration) const RETRIED: &str = "only what has stopped is retried";
/// A wave starts when the one before it is done.
pub(in crate::exploration) const WAVES: &str = "waves one after the other";
/// Clusters of one subscription and region start apart from each other.
pub(in crate::exploration) const SPREAD: &str = "clusters of one place start apart";
/// Of two plans that want a cluster the older rollout has it.
pub(in crate::exploration) const OLDER: &str = "the older rollout has the cluster";
/// Nothing is begun on what is not registered.
pub(in crate::exploration) const REGISTERED: &str = "only what is registered starts";
/// No record is deleted, none grows.
pub(in crate::exploration) const RECORDS: &str = "records are kept, and stay small";

/// A continuous plan runs one rollout after the other, and none past one that has stopped.
pub(in crate::exploration) const ONE_ROLLOUT: &str = "one rollout after the other";
/// A rollout starts for what clusters need, within its promise.
pub(in crate::exploration) const IN_TIME: &str = "a rollout starts in time";
/// And for nothing else.
pub(in crate::exploration) const NOT_NEEDED: &str = "no rollout for nothing";
/// And finds something to do, unless others have done it since.
pub(in crate::exploration) const FOR_NOTHING: &str = "no rollout finds nothing to do";
/// And on what is known well enough.
pub(in crate::exploration) const OLD_KNOWLEDGE: &str = "no rollout on old knowledge";
/// One image for a whole rollout.
pub(in crate::exploration) const ONE_IMAGE: &str = "one image for a whole rollout";
/// What is remembered is what was so.
pub(in crate::exploration) const HISTORY: &str = "history tells what was done";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[&str] = &[
        ONE_OPERATION,
        CONCURRENT,
        INTENT,
        WINDOWS,
        FIT,
        FREEZES,
        SKEW,
        FIELDS,
        SETTINGS,
        GATES,
        SOAKS,
        REASON,
        PROMISE,
        WORDS,
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
        ABORT,
        ANSWERED,
        HALTED,
        ROLLBACK,
        SKIPPED,
        STOPPED,
        APPROVED,
        RETRIED,
        SPREAD,
        OLDER,
        REGISTERED,
        WAVES,
        RECORDS,
        ONE_ROLLOUT,
        IN_TIME,
        NOT_NEEDED,
        FOR_NOTHING,
        OLD_KNOWLEDGE,
        ONE_IMAGE,
        HISTORY,
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
            assert!(listed.contains(rule), "docs/simulation.md does not list {rule:?}");
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
