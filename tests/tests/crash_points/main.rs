//! The operator is killed at every change that it makes, on the hub and in Azure: before the call, after its
//! effect but before the answer, and after the answer. Started again, it must come to the same ending.
//!
//! Killed means SIGKILL to its process while the call is held up in a proxy: no handler runs, nothing is
//! written any more. Each run has an operator, a namespace of a shared hub and a simulator of its own; many
//! run at once. docs/reliability.md says how all points are run, and how one.

mod ending;
mod selection;
mod story;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, stream};
use simulator::clock;
use tests::{
    proxy::Point,
    stage::{Ground, Lane, Replica},
};

use ending::Ending;
use selection::{ONE, Selection};
use story::{STORIES, Story};

/// Simulated seconds in a real one: operations take no longer than the operator's shortest real pauses, which
/// do not scale. Much faster, and a claim, which is good for four minutes, grows old before its deed: calls take real
/// time.
const RATE: f64 = 300.0;
/// Runs at the same time: most of what they do is waiting.
const AT_ONCE: usize = 8;
/// One in so many points may not come up again: which writes the hub refuses as conflicts, and how many
/// changes the status of the plan takes together, depends on how fast this machine is.
const UNREACHED_IN: usize = 10;
/// The inventory sees a cluster by the clock: how many of its states depends on nothing else.
const INVENTORY: &str = "aksclusters";

#[tokio::test(flavor = "multi_thread")]
async fn r1_killed_at_any_change_it_comes_to_the_same_ending() -> Result<()> {
    let selection = Selection::from_environment()?;
    let ground = Ground::start("crash-points").await?;
    let mut wrong = Vec::new();
    let mut report = String::new();
    for story in STORIES.iter().filter(|story| selection.tells(story)) {
        let (lines, problems) = tell(&ground, story, &selection).await?;
        writeln!(report, "{}: {lines}", story.name)?;
        wrong.extend(problems);
    }
    eprint!("{report}");
    if !wrong.is_empty() {
        ground.keep();
        eprintln!("logs are kept in {}", ground.folder().display());
    }
    ensure!(wrong.is_empty(), "{} runs ended otherwise:\n{}", wrong.len(), wrong.join("\n\n"));
    Ok(())
}

/// Tells a story without a crash, and then with one at each point; a line about it, and what went wrong.
async fn tell(ground: &Ground, story: &Story, selection: &Selection) -> Result<(String, Vec<String>)> {
    let started = clock::now();
    let undisturbed = run(ground, "undisturbed", story, None).await.context(story.name)?;
    ensure!(
        undisturbed.ending.changes() == story.changes,
        "{}: asked of Azure without a crash: {:?}",
        story.name,
        undisturbed.ending.changes()
    );
    let points = selection.of(&undisturbed.changes)?;
    let runs = stream::iter(points.iter().enumerate())
        .map(async |(number, point)| {
            let run = run(ground, &number.to_string(), story, Some(point)).await;
            (point, run)
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let (mut wrong, mut unreached) = (Vec::new(), BTreeSet::new());
    let mut struck: BTreeMap<&str, usize> = BTreeMap::new();
    for (point, run) in runs {
        let again =
            format!("again: {ONE}='{} {point}' cargo test -p tests --test crash_points r1", story.name);
        match run {
            Err(error) => wrong.push(format!("{point}: {error:#}\n{again}")),
            Ok(run) if !run.struck => drop(unreached.insert(point.to_string())),
            Ok(run) => {
                *struck.entry(&point.change).or_default() += 1;
                let differences = undisturbed.ending.differences(&run.ending);
                if !differences.is_empty() {
                    wrong.push(format!("{point}:\n  {}\n{again}", differences.join("\n  ")));
                }
            }
        }
    }
    wrong.extend(check_reached(story, &points, &struck, &unreached));
    let took = clock::now().duration_since(started).as_secs();
    let line = format!(
        "{} changes, killed at {} points in {took} s, not come up again: {unreached:?}",
        undisturbed.changes.len(),
        struck.values().sum::<usize>(),
    );
    Ok((line, wrong))
}

/// Nearly all points came up, and each kind of change at least once.
fn check_reached(
    story: &Story,
    points: &[Point],
    struck: &BTreeMap<&str, usize>,
    unreached: &BTreeSet<String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let decided: Vec<_> = unreached.iter().filter(|point| !point.contains(INVENTORY)).collect();
    if decided.len() > points.len() / UNREACHED_IN {
        wrong.push(format!("{}: of {} points {decided:?} did not come up", story.name, points.len()));
    }
    let kinds: BTreeSet<&str> = points.iter().map(|point| point.change.as_str()).collect();
    let never: Vec<_> = kinds.into_iter().filter(|kind| !struck.contains_key(kind)).collect();
    if !never.is_empty() {
        wrong.push(format!("{}: never killed at {never:?}", story.name));
    }
    wrong
}

/// What came of telling a story once.
struct Run {
    ending: Ending,
    changes: Vec<String>,
    /// The operator was killed at the point.
    struck: bool,
}

async fn run(ground: &Ground, name: &str, story: &Story, point: Option<&Point>) -> Result<Run> {
    let lane = ground.lane(&format!("{}-{name}", story.name), story.scenario, RATE).await?;
    let replica = lane.replica("tidegate-0").await?;
    lane.register().await?;
    lane.apply(story.plan).await?;
    if let Some(point) = point {
        replica.wire.stop_at(point.clone());
    }
    replica.operator.start().await?;
    let told = to_the_end(&lane, &replica).await;
    let struck = match told {
        Ok(struck) => struck,
        Err(error) => return Err(error.context(lane.picture().await)),
    };
    lane.one_at_a_time().await?;
    let ending = Ending::of(&lane, story).await?;
    replica.check_log()?;
    replica.operator.kill().await?;
    let changes = replica.wire.changes();
    lane.end().await;
    Ok(Run { ending, changes, struck })
}

/// Waits for the plan to succeed, and kills the operator where it is to be killed on the way; whether it was.
async fn to_the_end(lane: &Lane<'_>, replica: &Replica) -> Result<bool> {
    let succeeded = async || lane.plan_reaches("main", "Succeeded").await;
    tokio::select! {
        biased;
        () = replica.wire.until_stopped() => {}
        plan = succeeded() => {
            plan?;
            if !replica.wire.is_stopping() {
                return Ok(false);
            }
            // The last change of all was made, and its answer is held or was the last thing delivered.
            replica.wire.until_stopped().await;
        }
    }
    replica.operator.kill().await?;
    replica.wire.resume();
    replica.operator.start().await?;
    succeeded().await?;
    Ok(true)
}
