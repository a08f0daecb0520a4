//! Azure's own SDK for Python, unmodified, against `tidegate-simulator serve`.
//!
//! Here are only the environment and the processes; what the SDK is made to do, and what must come
//! of it, is in `checks/`, one function for each promise. Needs Python 3.11 or newer; `ensure`
//! says how the rest is got.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test end it, and say what was checked"
)]

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// A simulator that ends with the test.
struct Simulator {
    child: Child,
    ready: String,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

const ALL: [&str; 10] = [
    "sign_in",
    "arm",
    "reading",
    "pools",
    "upgrading",
    "stopping",
    "refusals",
    "maintenance",
    "creating",
    "power",
];

#[test]
fn signs_in_reads_upgrades_and_is_refused_as_by_azure() {
    check("scenario.yaml", &ALL);
}

#[test]
fn bears_with_what_azure_does_now_and_then() {
    check("scenario.yaml", &["--quirks", "reading", "upgrading"]);
}

#[test]
fn waits_when_it_is_throttled() {
    check("throttled.yaml", &["throttling"]);
}

/// Runs modules of `checks/` with a simulator of that scenario; they print what became of them.
fn check(scenario: &str, modules: &[&str]) {
    let simulator = serve(&here().join(scenario));
    let ready: Value = serde_json::from_str(&simulator.ready).unwrap();
    let output = Command::new(python())
        .args(["-m", "checks"])
        .args(modules)
        .current_dir(here())
        .env("SIMULATOR", &simulator.ready)
        .env("REQUESTS_CA_BUNDLE", ready["caFile"].as_str().unwrap())
        .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", ready["control"].as_str().unwrap())
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(
        output.status.success(),
        "{said}{}{}",
        String::from_utf8_lossy(&output.stderr),
        "these checks of the official SDK failed against the simulator (above)"
    );
}

fn serve(scenario: &Path) -> Simulator {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate-simulator"))
        .args(["serve", "--scenario"])
        .arg(scenario)
        .env("RUST_LOG", "error")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let mut simulator = Simulator { child, ready: String::new() };
    BufReader::new(stdout).read_line(&mut simulator.ready).unwrap();
    assert!(simulator.ready.starts_with('{'), "it did not start: {:?}", simulator.ready);
    simulator
}

/// The Python that has the SDK; the first call on a machine installs it, and says so.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let script = here().join("ensure");
        let output = Command::new(&script).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{} says above what is missing", script.display());
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end()).join("bin/python")
    })
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_sdk")
}
