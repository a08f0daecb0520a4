//! Every file of `examples/`, applied to a real API server as it is, and run to what it promises.
//!
//! All of them share one hub, one operator, one Azure and one calendar, from the second of December to the second weekend
//! of January, with leaps over the days on which nothing is to be seen. The clusters of Azure are those that the files
//! register. A file that no story here runs fails the test; those of the demo are the demo's.

mod aks_maintenance_windows;
mod azure;
mod calendar;
mod consistent_images;
mod continuous_fleet;
mod dev_then_prod;
mod holiday_freeze;
mod lts_fleet;
mod many_clusters;
mod node_images;
mod one_cluster_by_hand;
mod settings;
mod story;
mod teams;
mod two_person_approval;
mod weekend_per_region;

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use jiff::Timestamp;
use tests::stage::{PATIENCE, Setup, Stage, apply_strictly};

use story::{Moment, Story};

/// Simulated seconds in a real one: the six hours of a night take fifty seconds.
const RATE: f64 = 432.0;

const STORIES: [&Story; 13] = [
    &aks_maintenance_windows::STORY,
    &consistent_images::STORY,
    &continuous_fleet::STORY,
    &dev_then_prod::STORY,
    &holiday_freeze::STORY,
    &lts_fleet::STORY,
    &many_clusters::STORY,
    &node_images::STORY,
    &one_cluster_by_hand::STORY,
    &settings::STORY,
    &teams::STORY,
    &two_person_approval::STORY,
    &weekend_per_region::STORY,
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// Files below a folder, by their path in it.
fn files(folder: &std::path::Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("a name in Unicode")?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?.into_iter().map(|below| format!("{name}/{below}"))),
            false => drop(found.insert(name)),
        }
    }
    Ok(found)
}

#[test]
fn every_file_is_run_and_is_in_the_table() -> Result<()> {
    let demo = include_str!("../../src/demo/mod.rs");
    let table = include_str!("../../../examples/README.md");
    let there = files(&folder())?;
    let run: BTreeSet<String> = STORIES.iter().map(|story| story.file.to_owned()).collect();
    for file in there.iter().filter(|file| *file != "README.md") {
        let of_demo = file.starts_with("quickstart/") && demo.contains(&format!("examples/{file}"));
        ensure!(run.contains(file) || of_demo, "no test runs examples/{file}: give it a story here");
        ensure!(table.contains(&format!("]({file})")), "examples/README.md does not list {file}");
    }
    ensure!(run.is_subset(&there), "{run:?} has what is not in {there:?}");
    for story in STORIES {
        ensure!(!story.acts.is_empty(), "{} promises nothing", story.file);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_example_keeps_its_promise() -> Result<()> {
    let setup = Setup::new("examples", &azure::scenario(&STORIES)?).without_api_servers();
    let start: Timestamp = Moment::Begin.instant();
    let mut stage = Stage::start(setup.rate(RATE).starting_at(start)).await?;
    stage.observed(async |stage| begin(stage).await).await?;
    for moment in Moment::ALL {
        if moment != Moment::Begin {
            calendar::leap(&mut stage, &STORIES, moment).await?;
        }
        stage.observed(async |stage| play(stage, moment).await).await?;
    }
    stage.finish().await
}

/// Registers all clusters, looks at what each plan would do, and only then applies the plans.
async fn begin(stage: &Stage) -> Result<()> {
    for story in STORIES {
        let client = story.client(stage)?;
        let before = story
            .documents(|kind| !matches!(kind, "UpgradePlan" | "ClusterUpgrade" | "MaintenanceWindow"))?;
        apply_strictly(&client, &before).await.with_context(|| format!("applying {}", story.file))?;
    }
    for story in STORIES {
        for (namespace, cluster) in story.clusters()? {
            stage.observed_cluster(&namespace, &cluster, PATIENCE).await?;
        }
    }
    for story in STORIES.iter().filter(|story| story.text.contains("kind: UpgradePlan")) {
        look(stage, story).await?;
    }
    for story in STORIES {
        let client = story.client(stage)?;
        apply_strictly(&client, story.text).await.with_context(|| format!("applying {}", story.file))?;
    }
    Ok(())
}

/// `tidegate plan FILE` finds nothing in the way, and something to do unless the fleet is current.
async fn look(stage: &Stage, story: &Story) -> Result<()> {
    let path = folder().join(story.file).display().to_string();
    let (user, groups) = story.applied_by;
    let (code, out, errors) = stage.tidegate_as_member(user, groups, &["plan", &path]).await?;
    ensure!(code == Some(0), "tidegate plan {}: {code:?}\n{out}\n{errors}", story.file);
    ensure!(out.contains(story.foretold), "tidegate plan {}: no {:?} in\n{out}", story.file, story.foretold);
    Ok(())
}

/// Whatever happens at a moment, in all stories at once.
async fn play(stage: &Stage, moment: Moment) -> Result<()> {
    let acts = STORIES.iter().flat_map(|story| {
        let now = story.acts.iter().filter(move |(at, _)| *at == moment);
        now.map(move |(_, act)| async move {
            let done = act(stage).await;
            eprintln!("{moment:?} {} until {}", story.file, stage.simulator.now());
            done.with_context(|| format!("{} at {moment:?}", story.file))
        })
    });
    try_join_all(acts).await.map(drop)
}
