//! `docs/azure-quirks.md` names each quirk of the simulator, with a source, and tests that there are.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result, ensure};
use simulator::scenario::QuirkName;

use super::cases::CASES;

/// A row of a table.
#[derive(Debug)]
struct Row {
    what: String,
    /// The simulator's name, if it has one.
    quirk: String,
    source: String,
    does: String,
    tests: String,
}

fn rows(text: &str) -> Result<Vec<Row>> {
    let lines = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let mut rows = Vec::new();
    for line in lines {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let [what, quirk, source, does, tests] =
            <[String; 5]>::try_from(cells).ok().with_context(|| format!("five cells: {line}"))?;
        rows.push(Row { what, quirk: quirk.trim_matches('`').to_owned(), source, does, tests });
    }
    rows.retain(|row| row.what != "what Azure does");
    Ok(rows)
}

/// Names in backticks, each with the words before it.
fn names(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split('`').collect();
    parts.chunks_exact(2).map(|pair| (pair[0].trim_matches([',', ' ']), pair[1])).collect()
}

#[test]
fn each_row_has_a_source_and_tests_that_exist() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the top of the checkout")?;
    let rows = rows(&std::fs::read_to_string(root.join("docs/azure-quirks.md"))?)?;
    let mut missing: BTreeSet<&str> = QuirkName::ALL.iter().map(|quirk| quirk.name()).collect();
    let mut clusters: BTreeSet<&str> =
        CASES.iter().map(|case| case.name).filter(|name| *name != "plain").collect();
    for row in &rows {
        ensure!(!row.source.is_empty() && !row.does.is_empty(), "{row:?} says too little");
        ensure!(
            row.quirk.is_empty() || missing.remove(row.quirk.as_str()),
            "{:?} is no quirk, or there twice",
            row.quirk
        );
        let mut found = 0;
        let mut file = "";
        for (before, name) in names(&row.tests) {
            match before {
                "cluster" => {
                    ensure!(CASES.iter().any(|case| case.name == name), "there is no cluster {name}");
                    clusters.remove(name);
                    found += 1;
                }
                _ if name.ends_with(".rs") => file = name,
                _ => {
                    let source = std::fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
                    ensure!(source.contains(&format!("fn {name}(")), "there is no {name} in {file}");
                    found += 1;
                }
            }
        }
        ensure!(found > 0, "{:?} has no test", row.what);
    }
    ensure!(missing.is_empty(), "docs/azure-quirks.md does not mention {missing:?}");
    ensure!(clusters.is_empty(), "docs/azure-quirks.md does not mention the clusters {clusters:?}");
    Ok(())
}
