//! Replays recorded Azure traffic against the simulator: the same requests get the same answers.
//!
//! `TIDEGATE_ARM_RECORDINGS` names the folder of the recordings; without it there is nothing to compare with.
//! `cargo test -p simulator --test recordings -- --nocapture` shows the report.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test end it, and say what was compared"
)]

mod client;
mod compare;
mod drive;
mod exceptions;
mod known;
mod load;
mod refusals;
mod report;
mod setup;

use std::collections::BTreeSet;

use compare::Answer;
use drive::Replayer;
use exceptions::EXCEPTIONS;
use load::Recording;
use report::Report;

#[tokio::test]
async fn recorded_requests_get_the_recorded_answers() {
    let Some(folder) = load::folder() else {
        println!("skipped: no recordings");
        return;
    };
    let mut total = Report::new("total");
    let mut problems = Vec::new();
    let mut needed = BTreeSet::new();
    for recording in load::recordings(&folder) {
        let report = replay(&recording).await;
        report.print();
        problems.extend(report.problems());
        needed.extend(report.needed.iter().copied());
        total.include(&report);
    }
    total.print();
    for (index, exception) in EXCEPTIONS.iter().enumerate() {
        println!("exception: {:?} {}: {}", exception.recording, exception.place, exception.reason);
        if !needed.contains(&index) {
            problems.push(format!("the exception for {} is not needed any more", exception.place));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn recorded_refusals_are_given_alike() {
    let Some(folder) = load::folder() else {
        println!("skipped: no recordings");
        return;
    };
    let findings = refusals::replay(&refusals::read(&folder)).await;
    for line in &findings.lines {
        println!("{line}");
    }
    assert!(findings.problems.is_empty(), "{}", findings.problems.join("\n"));
}

async fn replay(recording: &Recording) -> Report {
    let mut report = Report::new(&recording.name);
    let mut replayer = Replayer::start(setup::setup(recording)).await;
    for interaction in &recording.interactions {
        if let Some(service) = interaction.other_service() {
            report.leave_out(service);
            continue;
        }
        let reply = replayer.replay(interaction).await;
        let recorded = replayer.in_our_names(&interaction.answer);
        let recorded = Answer { status: interaction.status, headers: &interaction.headers, body: &recorded };
        let ours = Answer { status: reply.status, headers: &reply.headers, body: &reply.body };
        let path = interaction.url.path();
        let last = path.rsplit_once("/providers/").map_or(path, |(_, last)| last);
        report.add(&format!("{} {last}", interaction.method), compare::compare(&recorded, &ours));
    }
    replayer.stop().await;
    report
}
