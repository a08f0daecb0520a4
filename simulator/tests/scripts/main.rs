//! Every script of this folder tells the story that it has recorded, and nothing happens in it that must
//! not. `UPDATE=1 cargo test -p simulator --test scripts` records anew.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it has done")]

use std::{fmt::Write as _, fs, path::PathBuf, process::Command};

use simulator::exploration::{Script, with_timeline};

/// As many as there are stories that the README promises.
const AT_LEAST: usize = 12;
/// Lines of a script, timeline included: what fits on a page.
const PAGE: usize = 75;

fn scripts() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|file| file.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn each_script_tells_the_story_that_it_has_recorded() {
    let update = std::env::var("UPDATE").is_ok_and(|update| update == "1");
    let mut wrong = String::new();
    let files = scripts();
    assert!(files.len() >= AT_LEAST, "{} scripts were found, of at least {AT_LEAST}", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if let Err(problem) = play(&file, update) {
            writeln!(wrong, "\n{name}: {problem}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn play(file: &PathBuf, update: bool) -> Result<(), String> {
    let text = fs::read_to_string(file).unwrap();
    let script = Script::parse(&text).map_err(|error| error.to_string())?;
    let run = script.play().map_err(|error| error.to_string())?;
    if let Some(violation) = &run.violation {
        return Err(format!("what must not happen has happened: {violation}\n{}", run.timeline.join("\n")));
    }
    let told = with_timeline(&text, &run.timeline);
    let lines = told.lines().count();
    if lines > PAGE {
        return Err(format!("has {lines} lines; a story of more than {PAGE} is told in two scripts"));
    }
    if script.recorded() == run.timeline.join("\n") {
        return Ok(());
    }
    if update {
        fs::write(file, told).unwrap();
        println!("recorded {}", file.display());
        return Ok(());
    }
    Err(format!(
        "tells another story than it has recorded (-). If the new one (+) is right, record it: UPDATE=1 cargo \
         test -p simulator --test scripts\n{}",
        difference(script.recorded(), &run.timeline)
    ))
}

/// The lines that differ, each side in its order, around what both begin and end with.
fn difference(recorded: &str, told: &[String]) -> String {
    let recorded: Vec<&str> = recorded.lines().collect();
    let same = recorded.iter().zip(told).take_while(|(old, new)| old == new).count();
    let (old, new) = (&recorded[same..], &told[same..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let mut text = String::new();
    let mut put = |mark: &str, line: &str| writeln!(text, "  {mark} {line}").unwrap();
    recorded[same.saturating_sub(2)..same].iter().for_each(|line| put(" ", line));
    old[..old.len() - tail].iter().for_each(|line| put("-", line));
    new[..new.len() - tail].iter().for_each(|line| put("+", line));
    new[new.len() - tail..].iter().take(2).for_each(|line| put(" ", line));
    text
}

#[test]
fn replay_tells_the_story_of_a_file() {
    let replay = |file: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate-simulator"));
        command.args(["replay", file]).output().unwrap()
    };
    let file = scripts().swap_remove(0);
    let script = Script::parse(&fs::read_to_string(&file).unwrap()).unwrap();
    let told = replay(file.to_str().unwrap());
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success() && text.starts_with(script.recorded()), "{text}");
    assert!(text.ends_with("all that must hold has held\n"), "{text}");
    let missing = replay("no-such-story.yaml");
    let error = String::from_utf8(missing.stderr).unwrap();
    assert!(!missing.status.success() && error.contains("neither a seed"), "{error}");
}

#[test]
fn a_difference_shows_where_the_stories_part() {
    let told: Vec<String> = ["a", "b", "c", "X", "Y", "e", "f", "g"].map(str::to_owned).to_vec();
    let shown = difference("a\nb\nc\nd\ne\nf\ng", &told);
    assert_eq!(shown, "    b\n    c\n  - d\n  + X\n  + Y\n    e\n    f\n");
}
