//! `make demo`: two rollouts on real API servers and a simulated Azure, told and checked.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let keep = std::env::args().any(|argument| argument == "--keep");
    tests::demo::run(keep).await
}
