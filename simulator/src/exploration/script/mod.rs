//! A script: one story about an upgrade, told in a file that a person can read.
//!
//! It takes the place of the random draw: the engine, its executor and the client for Azure run as in
//! every exploration, but nothing is left to chance. What comes of it is told in lines for people,
//! and compared with what the file says came of it before. Decides nothing about upgrades; touches no files.

mod check;
mod given;
mod spec;
mod story;
mod trigger;
mod waves;

use super::{Mode, Run, case::Case};
use spec::Spec;

pub(super) use story::{answered, ended, saved, stands};
pub(super) use trigger::Trigger;

/// The line of a script after which its recorded timeline follows, to the end of the file.
const TIMELINE: &str = "\ntimeline:";

/// A script that has been read and checked.
#[derive(Debug)]
pub struct Script {
    case: Case,
    recorded: String,
}

/// Why a text is not a script, or cannot be played as it says.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Not YAML, or a field that is unknown, missing or of the wrong type.
    #[error(transparent)]
    Unreadable(#[from] serde_saphyr::Error),
    /// A value that means nothing.
    #[error("{field}: {problem}")]
    Invalid {
        /// Path of the field, for example `events[1].after`.
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

fn invalid(field: impl Into<String>, problem: impl Into<String>) -> ScriptError {
    ScriptError::Invalid { field: field.into(), problem: problem.into() }
}

impl Script {
    /// Reads and checks a script.
    ///
    /// # Errors
    /// When it is not YAML, has unknown fields, or says what cannot be.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let spec: Spec = serde_saphyr::from_str(text)?;
        let after = text.find(TIMELINE).map_or("", |at| &text[at + TIMELINE.len()..]);
        if after.lines().skip(1).any(|line| line.starts_with(|first: char| !first.is_whitespace())) {
            return Err(invalid(
                "timeline",
                "is not the last field: what follows would be lost when it is recorded",
            ));
        }
        let recorded = spec.timeline.trim_end().to_owned();
        Ok(Self { case: given::case(spec)?, recorded })
    }

    /// Plays it to its end; the timeline is the story.
    ///
    /// # Errors
    /// When something that the script wants to happen did not: the story is not the one that it tells.
    pub fn play(&self) -> Result<Run, ScriptError> {
        let run = super::run_case(&self.case, Mode::Story);
        match run.never.first() {
            None => Ok(run),
            Some(index) => {
                let changes = run.asked.join("; ");
                let problem = format!("never happened; what was asked of Azure is, in order: {changes}");
                Err(invalid(format!("events[{index}].when"), problem))
            }
        }
    }

    /// The timeline that the file has recorded; empty when it has none yet.
    #[must_use]
    pub fn recorded(&self) -> &str {
        &self.recorded
    }
}

/// The text of a script with this timeline in the place of the one that it has.
#[must_use]
pub fn with_timeline(text: &str, timeline: &[String]) -> String {
    let story = text.find(TIMELINE).map_or(text, |at| &text[..at]).trim_end();
    let mut written = format!("{story}{TIMELINE} |\n");
    for line in timeline {
        written.push_str("  ");
        written.push_str(line);
        written.push('\n');
    }
    written
}

#[cfg(test)]
mod tests;
