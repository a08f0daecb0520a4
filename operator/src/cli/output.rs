//! How the command line writes: tables, JSON, YAML, symbols with their words.

use std::{
    collections::BTreeSet,
    io::{IsTerminal, Write},
};

use clap::{
    ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

/// How an answer looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Table,
    /// For people who want to know all of it.
    Wide,
    /// For programs, with exact instants.
    Json,
    /// For programs, with exact instants.
    Yaml,
}

impl Format {
    /// The answer as JSON or YAML; `None` when a table is wanted.
    pub(super) fn render(self, answer: &impl Serialize) -> anyhow::Result<Option<String>> {
        Ok(match self {
            Self::Table | Self::Wide => None,
            Self::Json => Some(format!("{}\n", serde_json::to_string_pretty(answer)?)),
            Self::Yaml => Some(serde_saphyr::to_string(answer)?),
        })
    }
}

/// Reads `-o` of a command whose table already tells everything, so that `wide` is refused there.
pub(super) fn without_wide() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["table", "json", "yaml"]).map(|word| match word.as_str() {
        "json" => Format::Json,
        "yaml" => Format::Yaml,
        _ => Format::Table,
    })
}

/// A table without lines, for people and for `awk`: a line each row, but on a terminal that is too
/// narrow for that.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    table_within(terminal_width(), header, rows)
}

/// The same, as a part of a text that is indented by two.
pub(super) fn indented_table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let width = terminal_width().map(|width| width.saturating_sub(2));
    table_within(width, header, rows).lines().map(|line| format!("  {line}\n")).collect()
}

/// At most so many characters of a text, for a cell of a table; the other formats have all of it.
pub(super) fn brief(text: &str) -> String {
    const LONGEST: usize = 90;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// Names in order, each once; not more than a person reads.
pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    const MOST: usize = 20;
    let names: BTreeSet<String> = names.collect();
    let shown: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    match (shown.is_empty(), names.len().saturating_sub(MOST)) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn table_within(width: Option<u16>, header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
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
            "Stopped" | "CompletedWithFailures" => Self::Stopped,
            "Parked" | "Pending" | "WaitingForApproval" | "Skipped" => Self::Waiting,
            _ => Self::Working,
        }
    }

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Done => "✔",
            Self::Working => "●",
            Self::Waiting => "○",
            Self::Stopped => "✖",
        }
    }
}

/// Whether the terminal can only show ASCII, line by line.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The same text in ASCII, as far as it is ours.
fn plain(text: &str) -> String {
    const ASCII: [(char, &str); 8] = [
        ('✔', "+"),
        ('●', "*"),
        ('○', "-"),
        ('✖', "!"),
        ('→', "->"),
        ('–', "-"),
        ('…', "..."),
        ('\u{a0}', " "),
    ];
    ASCII.iter().fold(text.to_owned(), |text, (symbol, ascii)| text.replace(*symbol, ascii))
}

/// An instant in the reader's own time zone, with the name of that zone.
pub(super) fn local(instant: Timestamp) -> String {
    in_zone(instant, TimeZone::system())
}

fn in_zone(instant: Timestamp, zone: TimeZone) -> String {
    instant.to_zoned(zone).strftime("%a %-d %b %H:%M %Z").to_string()
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
#[expect(clippy::let_underscore_must_use, reason = "nobody is left to tell")]
pub(super) fn print(text: &str) {
    let plain = is_dumb().then(|| plain(text));
    let text = plain.as_deref().unwrap_or(text);
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

/// Writes a line to standard error.
#[expect(clippy::let_underscore_must_use, reason = "nobody is left to tell")]
pub(super) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether a person looks at it, on a terminal that can be painted anew.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal() && !is_dumb()
}

/// Columns of the terminal; `None` when standard output is none.
fn terminal_width() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_gets_ascii() {
        let text = [Mark::Done, Mark::Working, Mark::Waiting, Mark::Stopped].map(Mark::symbol).join(" ");
        assert!(plain(&format!("{text} 1.34.4 → 1.35.3 – cut…")).is_ascii());
        assert_eq!(plain("✖ a   → tidegate explain a"), "! a   -> tidegate explain a");
    }

    #[test]
    fn a_table_has_no_lines_and_no_trailing_spaces() {
        let text = table(&["A", "B"], vec![vec!["1".to_owned(), "2".to_owned()]]);
        assert_eq!(text, "A   B\n1   2\n");
    }

    #[test]
    fn a_narrow_terminal_breaks_cells_and_keeps_columns() {
        let rows =
            || vec![vec!["weu-1".to_owned(), "1.35.3 until Mar 2027, 1.36.2 until Jun 2027".to_owned()]];
        let narrow = table_within(Some(40), &["CLUSTER", "OFFERED"], rows());
        let lines: Vec<&str> = narrow.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= 40), "{narrow}");
        let column = lines[0].find("OFFERED").unwrap();
        assert!(lines[2..].iter().all(|line| line.trim_start().len() == line.len() - column), "{narrow}");
        assert_eq!(table_within(Some(80), &["CLUSTER", "OFFERED"], rows()).lines().count(), 2);
    }

    #[test]
    fn an_instant_tells_its_zone() {
        let berlin =
            |instant: &str| in_zone(instant.parse().unwrap(), TimeZone::get("Europe/Berlin").unwrap());
        assert_eq!(berlin("2026-12-05T22:00:00Z"), "Sat 5 Dec 23:00 CET");
        assert_eq!(berlin("2026-10-24T22:00:00Z"), "Sun 25 Oct 00:00 CEST", "each time its own");
        assert!(local("2026-12-05T22:00:00Z".parse().unwrap()).len() > "Sat 5 Dec 22:00 ".len());
    }

    #[test]
    fn names_are_told_in_order_and_not_by_the_hundred() {
        let listed = |names: &[&str]| listed(names.iter().map(|name| (*name).to_owned()));
        assert_eq!((listed(&[]), listed(&["b", "a", "b"])), ("none".to_owned(), "a, b".to_owned()));
        let many = super::listed((0..500).map(|number| format!("c-{number:03}")));
        assert!(many.starts_with("c-000, ") && many.ends_with("c-019 and 480 more"), "{many}");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(brief("short"), "short");
        let cut = brief(&"é".repeat(200));
        assert_eq!((cut.chars().count(), cut.ends_with("é…")), (91, true));
    }

    #[test]
    fn phases_and_states_have_their_mark() {
        for (phase, mark) in [
            ("Succeeded", Mark::Done),
            ("Stopped", Mark::Stopped),
            ("Parked", Mark::Waiting),
            ("Pending", Mark::Waiting),
            ("RollingOut", Mark::Working),
            ("Working", Mark::Working),
        ] {
            assert_eq!(Mark::of_phase(phase), mark, "{phase}");
        }
    }
}
