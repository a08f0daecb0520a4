//! Leaps from one moment to the next.
//!
//! While time leaps the operator is away, for days, and what it knows is old afterwards. A continuous plan then starts a
//! rollout with the clusters that it has seen again first, and has the others in the next one. To see rollouts as they
//! are when nothing is wrong, such plans are suspended over a leap, until all of their clusters were seen again.

use anyhow::{Context as _, Result};
use crds::AKSCluster;
use jiff::SignedDuration;
use serde_json::json;
use tests::stage::{Stage, when};

use crate::story::{Moment, Story};

/// Lets time go on at a moment.
pub(crate) async fn leap(stage: &mut Stage, stories: &[&Story], moment: Moment) -> Result<()> {
    let continuous: Vec<(&Story, String, String)> = plans(stories)?;
    for (_, namespace, plan) in &continuous {
        stage.change_plan(namespace, plan, json!({"suspend": true})).await?;
    }
    stage.leap(moment.instant()).await?;
    for (story, namespace, plan) in &continuous {
        for (_, cluster) in story.clusters()? {
            seen_again(stage, namespace, &cluster).await?;
        }
        stage.change_plan(namespace, plan, json!({"suspend": false})).await?;
    }
    Ok(())
}

/// The continuous plans: story, namespace and name of each.
fn plans<'a>(stories: &[&'a Story]) -> Result<Vec<(&'a Story, String, String)>> {
    let mut found = Vec::new();
    for story in stories {
        let values = story.values()?;
        for value in values.iter().filter(|value| value["spec"]["mode"] == "Continuous") {
            let field = |field: &str| value["metadata"][field].as_str().map(str::to_owned);
            let (namespace, plan) = field("namespace").zip(field("name")).context("namespace and name")?;
            found.push((*story, namespace, plan));
        }
    }
    Ok(found)
}

/// How old knowledge may be that a rollout starts on, and half an hour less: docs/continuous.md.
const OLD: [SignedDuration; 2] = [SignedDuration::from_hours(2), SignedDuration::from_mins(11 * 60 + 30)];

async fn seen_again(stage: &Stage, namespace: &str, cluster: &str) -> Result<()> {
    let now = stage.simulator.now();
    let seen = |cluster: &AKSCluster| {
        let status = cluster.status.as_ref();
        let instants = status.map(|status| [status.cluster_read_at, status.offers_read_at]);
        instants.is_some_and(|instants| {
            instants.iter().zip(OLD).all(|(at, old)| at.is_some_and(|at| at + old >= now))
        })
    };
    when(&stage.clusters(namespace), cluster, "seen again", seen).await.map(drop)
}
