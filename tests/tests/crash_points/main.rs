//! The operator is killed at every change that it makes, on the hub and in Azure: before the call, after its
//! effect but before the answer, and after the answer. Started again, it must come to the same ending.
//!
//! Killed means SIGKILL to its process. Each run has an operator, a namespace of a shared hub and a
//! simulator of its own, all at once on one machine.

mod ending;
mod story;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, stream};
use simulator::clock;
use tests::{
    proxy::{Peer, Point},
    stage::{Ground, Lane, Replica},
};

use ending::Ending;
use story::{STORIES, Story};

/// Simulated seconds in a real one.
const RATE: f64 = 600.0;
/// Runs at the same time: most of what they do is waiting.
const AT_ONCE: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn probe() -> Result<()> {
    let ground = Ground::start("crash-points").await?;
    for story in STORIES {
        let started = clock::now();
        let (ending, changes) = run(&ground, "probe", story, None).await?;
        eprintln!("{} {} changes {:?}\n{}\n{ending}", story.name, changes.len(), clock::now().duration_since(started), changes.join("\n"));
    }
    Ok(())
}

async fn run(ground: &Ground, name: &str, story: &Story, point: Option<&Point>) -> Result<(Ending, Vec<String>)> {
    let lane = ground.lane(&format!("{}-{name}", story.name), story.scenario, RATE).await?;
    let replica = lane.replica("tidegate-0").await?;
    lane.register().await?;
    lane.apply(story.plan).await?;
    if let Some(point) = point {
        replica.wire.stop_at(point.clone());
    }
    replica.operator.start().await?;
    let done = lane.plan_reaches("main", "Succeeded").await;
    if let Err(error) = done {
        return Err(error.context(lane.picture().await));
    }
    let ending = Ending::of(&lane, story).await?;
    replica.operator.stop().await?;
    Ok((ending, replica.wire.changes()))
}
