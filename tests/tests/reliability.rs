//! `docs/reliability.md` has a row for each thing that goes wrong, with tests that carry its number and exist;
//! and every test with such a number is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// About what Tidegate does not have yet.
const LATER: [usize; 1] = [10];
const ROWS: usize = 20;
/// Where tests are.
const FOLDERS: [&str; 4] = ["engine/src", "operator/src", "simulator", "tests/tests"];

fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the top of the checkout")
}

/// The cells of the rows of the table, by number.
fn rows(text: &str) -> Result<BTreeMap<usize, Vec<String>>> {
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| R")) {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        ensure!(cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()), "four cells: {line}");
        let number = cells[0].trim_start_matches('R').parse().with_context(|| format!("a number: {line}"))?;
        ensure!(rows.insert(number, cells).is_none(), "R{number} is there twice");
    }
    Ok(rows)
}

/// The names of tests in a cell, each with its file: names in backticks, after that of their file.
fn tests_of(cell: &str) -> Vec<(String, String)> {
    let mut file = String::new();
    let mut tests = Vec::new();
    for name in cell.split('`').skip(1).step_by(2) {
        if name.ends_with(".rs") {
            file = name.to_owned();
        } else if name.starts_with('r') {
            tests.push((file.clone(), name.to_owned()));
        }
    }
    tests
}

/// The numbers that a test's name begins with: `r3_r19_…`.
fn numbers(name: &str) -> BTreeSet<usize> {
    name.split('_').map_while(|part| part.strip_prefix('r')?.parse().ok()).collect()
}

/// Every test whose name begins with a number, and its file.
fn numbered(root: &Path) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root)?.display().to_string();
                let source = std::fs::read_to_string(&path).with_context(|| file.clone())?;
                let names =
                    source.lines().filter_map(|line| line.trim().split("fn ").nth(1)?.split('(').next());
                let names = names.filter(|name| !numbers(name).is_empty());
                found.extend(names.map(|name| (file.clone(), name.to_owned())));
            }
        }
    }
    Ok(found)
}

#[test]
fn each_row_has_tests_that_carry_its_number_and_none_is_left_out() -> Result<()> {
    let root = root()?;
    let rows = rows(&std::fs::read_to_string(root.join("docs/reliability.md"))?)?;
    let expected: Vec<usize> = (1..=ROWS).filter(|number| !LATER.contains(number)).collect();
    ensure!(rows.keys().copied().eq(expected), "the rows are {:?}", rows.keys());
    let there = numbered(root)?;
    let mut told = BTreeSet::new();
    for (number, cells) in &rows {
        let tests = tests_of(&cells[3]);
        ensure!(!tests.is_empty(), "R{number} has no test");
        for test in tests {
            ensure!(there.contains(&test), "R{number}: there is no {} in {}", test.1, test.0);
            ensure!(numbers(&test.1).contains(number), "R{number}: {} does not carry its number", test.1);
            told.insert(test);
        }
    }
    let untold: Vec<_> = there.difference(&told).collect();
    ensure!(untold.is_empty(), "docs/reliability.md does not name {untold:?}");
    for (file, name) in &there {
        for number in numbers(name) {
            let row = rows.get(&number).with_context(|| format!("{file}: {name}: there is no R{number}"))?;
            ensure!(row[3].contains(name.as_str()), "R{number} does not name {name}");
        }
    }
    Ok(())
}

#[test]
fn numbers_and_names_are_read() {
    assert_eq!(numbers("r3_r19_a_leader"), BTreeSet::from([3, 19]));
    assert_eq!(numbers("reads_r3"), BTreeSet::new());
    let tests = tests_of("`a/b.rs` `r1_x`, `r2_y`, `c.rs` `r1_z`; the story `drain`");
    let names = [("a/b.rs", "r1_x"), ("a/b.rs", "r2_y"), ("c.rs", "r1_z")];
    assert_eq!(tests, names.map(|(file, name)| (file.to_owned(), name.to_owned())));
}
