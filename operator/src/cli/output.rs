//! How the command line writes: tables, JSON, YAML, symbols with their words.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

/// How an answer looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs, with exact instants.
    Json,
    /// For programs, with exact instants.
    Yaml,
}

impl Format {
    /// The answer as JSON or YAML; `None` when a table is wanted.
    pub(super) fn render(self, answer: &impl Serialize) -> anyhow::Result<Option<String>> {
        Ok(match self {
            Self::Table => None,
            Self::Json => Some(format!("{}\n", serde_json::to_string_pretty(answer)?)),
            Self::Yaml => Some(serde_saphyr::to_string(answer)?),
        })
    }
}

/// A table without lines, for people and for `awk`.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

/// A symbol that repeats what the words beside it say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Done,
    Working,
    Waiting,
    Stopped,
}

impl Mark {
    pub(super) fn of_phase(phase: &str) -> Self {
        match phase {
            "Succeeded" => Self::Done,
            "Stopped" => Self::Stopped,
            "Parked" | "Pending" => Self::Waiting,
            _ => Self::Working,
        }
    }

    pub(super) fn symbol(self) -> &'static str {
        let plain = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match (self, plain) {
            (Self::Done, false) => "✔",
            (Self::Working, false) => "●",
            (Self::Waiting, false) => "○",
            (Self::Stopped, false) => "✖",
            (Self::Done, true) => "+",
            (Self::Working, true) => "*",
            (Self::Waiting, true) => "-",
            (Self::Stopped, true) => "!",
        }
    }
}

/// An instant in the reader's own time zone.
pub(super) fn local(instant: Timestamp) -> String {
    instant.to_zoned(TimeZone::system()).strftime("%a %-d %b %H:%M").to_string()
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
#[expect(clippy::let_underscore_must_use, reason = "nobody is left to tell")]
pub(super) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

/// Writes a line to standard error.
#[expect(clippy::let_underscore_must_use, reason = "nobody is left to tell")]
pub(super) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether a person looks at it.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}
