//! Whether edits are made: at once, after a person on a terminal has said yes, or not at all; and what is said of them
//! before.

use super::edit::Edit;

/// What is done about edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// All of it is so already.
    Done,
    /// Only shown, as was asked for.
    Shown,
    /// They disrupt, and nobody can be asked.
    Unasked,
    /// They disrupt: a person is asked.
    Ask,
    /// They are written.
    Write,
}

impl Course {
    /// `is_possible`: whether somebody is there to be asked.
    pub(super) fn of(edits: &[Edit], (dry_run, yes): (bool, bool), is_possible: bool) -> Self {
        let mut changes = edits.iter().filter(|edit| !edit.is_done).peekable();
        match (changes.peek().is_some(), changes.any(|edit| edit.disrupts) && !yes) {
            (false, _) => Self::Done,
            (true, _) if dry_run => Self::Shown,
            (true, false) => Self::Write,
            (true, true) if is_possible => Self::Ask,
            (true, true) => Self::Unasked,
        }
    }

    /// What is said of the edits before anything is written.
    pub(super) fn announced(self, edits: &[Edit]) -> String {
        let sets = if self == Self::Write { "sets " } else { "would set " };
        let line =
            |edit: &Edit| if edit.is_done { edit.standing() } else { format!("{sets}{}", edit.told()) };
        edits.iter().map(|edit| format!("{}\n", line(edit))).collect()
    }
}
