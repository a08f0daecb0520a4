//! What happened in a run, in lines that a person can read, and a hash that tells two runs apart.

use std::fmt::Write as _;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::Mode;

/// Lines kept of a run. One that writes more is as wrong as one that never ends.
const KEPT: usize = 200_000;

/// Characters of a line of a story, as far as words allow.
const WIDTH: usize = 108;
/// Where what happens begins in a line of a story.
const INDENT: usize = 19;

/// The lines of a run, in order.
#[derive(Debug)]
pub(super) struct Timeline {
    start: Timestamp,
    mode: Mode,
    hash: Sha256,
    /// Absent when nobody is to read them: the hash is enough.
    lines: Option<Vec<String>>,
}

impl Timeline {
    /// An empty one.
    pub(super) fn new(start: Timestamp, mode: Mode) -> Self {
        let lines = (mode != Mode::Silent).then(Vec::new);
        Self { start, mode, hash: Sha256::new(), lines }
    }

    /// Whether it is told to people, in fewer and other words.
    pub(super) fn is_story(&self) -> bool {
        self.mode == Mode::Story
    }

    /// Adds what somebody did at an instant.
    pub(super) fn add(&mut self, now: Timestamp, who: &str, what: &str) {
        let past = now.duration_since(self.start).as_millis();
        if self.is_story() {
            let minutes = past / 60_000;
            return self.tell(&format!("{}:{:02}", minutes / 60, minutes % 60), who, what);
        }
        let mut line = String::with_capacity(what.len() + 40);
        let (days, rest) = (past / 86_400_000, past % 86_400_000);
        let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
        let (seconds, millis) = (rest / 1000 % 60, rest % 1000);
        let written =
            write!(line, "day {days} {hours:02}:{minutes:02}:{seconds:02}.{millis:03}  {who:<12} {what}");
        debug_assert!(written.is_ok(), "a string takes everything");
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        if let Some(lines) = self.lines.as_mut().filter(|lines| lines.len() < KEPT) {
            lines.push(line);
        }
    }

    /// Adds how something is in the end.
    pub(super) fn end(&mut self, who: &str, what: &str) {
        self.tell("end", who, what);
    }

    /// Adds a line of a story, folded where it is too long to read.
    fn tell(&mut self, when: &str, who: &str, what: &str) {
        let mut line = format!("{when:<7}{who:<11}");
        self.hash.update(format!("{line} {what}\n").as_bytes());
        let lines = self.lines.get_or_insert_default();
        let mut width = line.chars().count();
        for word in what.split_whitespace() {
            let longer = width + 1 + word.chars().count();
            if longer > WIDTH && width > INDENT {
                lines.push(std::mem::replace(&mut line, " ".repeat(INDENT)));
                width = INDENT;
            }
            line.push(' ');
            line.push_str(word);
            width += 1 + word.chars().count();
        }
        lines.push(line);
    }

    /// The lines, and the hash of all of them.
    pub(super) fn finish(self) -> (Vec<String>, String) {
        let hash = self.hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        (self.lines.unwrap_or_default(), hash)
    }
}
