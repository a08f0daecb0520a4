//! Whether edits are made: at once, after a person on a terminal has said yes, or not at all; and what is said of them
//! before.

use std::io::{self, BufRead, IsTerminal};

use super::edit::Edit;
use crate::cli::output::print;

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

/// Whether somebody is there to be asked.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether the answer is yes; anything else is no.
pub(super) fn ask() -> io::Result<bool> {
    print("Go on? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_yes_is_no() {
        assert!(is_yes("y\n") && is_yes(" YES "));
        assert!(!is_yes("") && !is_yes("\n") && !is_yes("yo") && !is_yes("n"));
    }
}
