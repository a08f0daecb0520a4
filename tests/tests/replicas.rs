//! Two replicas on a real API server: the one that leads is killed, paused past its lease, or cut off from
//! the hub, each time at the moment when that is worst. The other one takes over, no change is made twice,
//! and no two operations of a cluster run at once.
//!
//! Each case has its own lease, clusters and Azure; all share a hub. How long it took is printed.

use std::{sync::LazyLock, time::Duration};

use anyhow::{Context as _, Result, ensure};
use crds::ClusterUpgrade;
use jiff::Timestamp;
use simulator::clock;
use tests::{
    proxy::{Peer, Point},
    stage::{Ground, Lane, Replica, reason_of, when},
};
use tokio::{runtime::Runtime, sync::OnceCell};

/// Simulated seconds in a real one: a pool takes about three.
const RATE: f64 = 60.0;
/// The lease lasts 15 s and is looked at every 2 s; the rest is for a loaded machine.
const TAKEOVER: Duration = Duration::from_secs(30);

/// Between two looks at the simulator.
const LOOK: Duration = Duration::from_millis(20);

const SCENARIO: &str = "
durations: {surgeCreate: 1m, reimageLinux: 1m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System, kubernetesVersion: 1.34.4}
  - {name: apps, kubernetesVersion: 1.34.4}
  - {name: batch, kubernetesVersion: 1.34.4}
";

const UPGRADE: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: ClusterUpgrade
metadata: {namespace: NAMESPACE, name: weu-1}
spec:
  clusterRef: {name: weu-1}
  target: {scope: NodePools, kubernetes: {version: 1.35.3}}
";

/// The first change in Azure, and the write that claims it.
const FIRST: &str = "1 azure PUT pool apps";
const CLAIM: &str = "1 hub PUT clusterupgrades/weu-1/status";

const ALL: [&str; 3] = ["PUT pool apps", "PUT pool batch", "PUT pool system"];

/// The hub, and the runtime that it belongs to: that of a `#[tokio::test]` ends with the test.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime can be made"));
static GROUND: OnceCell<Ground> = OnceCell::const_new();

/// Two replicas and a cluster to upgrade; `first` leads.
struct Pair<'a> {
    lane: Lane<'a>,
    first: Replica,
    second: Replica,
}

/// Runs a case up to the point where the first replica is stopped.
fn case(name: &'static str, point: &str, test: impl AsyncFnOnce(&Pair<'static>) -> Result<()>) -> Result<()> {
    RUNTIME.block_on(async {
        let ground = GROUND.get_or_try_init(|| Ground::start("replicas")).await?;
        let lane = ground.lane(name, SCENARIO, RATE).await?;
        let (first, second) = (lane.replica("first").await?, lane.replica("second").await?);
        let pair = Pair { lane, first, second };
        let outcome = async {
            pair.first.operator.start().await?;
            pair.second.operator.begin().await?;
            pair.lane.register().await?;
            pair.lane.observed().await?;
            pair.first.wire.stop_at(point.parse::<Point>()?);
            pair.lane.apply(UPGRADE).await?;
            let stopped = tokio::time::timeout(TAKEOVER, pair.first.wire.until_stopped()).await;
            stopped.with_context(|| format!("it never came to {point}"))?;
            test(&pair).await?;
            pair.second.check_log()
        };
        let outcome = outcome.await;
        if let Err(error) = outcome {
            ground.keep();
            return Err(error.context(pair.lane.picture().await));
        }
        Ok(())
    })
}

impl Pair<'_> {
    /// Waits until the second one leads, and tells how long that took since `from`.
    async fn taken_over(&self, what: &str, from: Timestamp) -> Result<()> {
        self.second.operator.leads().await?;
        let took = Duration::try_from(clock::now().duration_since(from))?;
        eprintln!("{what}: the other replica led after {:.1} s", took.as_secs_f64());
        ensure!(took < TAKEOVER, "{what}: it took {took:?}");
        self.second.wire.until_change().await;
        let acted = clock::now().duration_since(from).as_secs_f64();
        eprintln!("{what}: its first change was made after {acted:.1} s");
        Ok(())
    }

    /// The upgrade ends well, with each change in Azure's log once; `late` are those that were refused.
    async fn ends_well(&self, late: &[&str]) -> Result<()> {
        let from = clock::now();
        let done = |upgrade: &ClusterUpgrade| reason_of(upgrade) == "Succeeded";
        let upgrade = when(&self.lane.api(), "weu-1", "done", done).await?;
        eprintln!("all done {:.1} s later", clock::now().duration_since(from).as_secs_f64());
        let steps = upgrade.status.context("a status")?.ledger.steps;
        ensure!(steps.iter().all(|record| record.attempts == 1), "{steps:?}");
        let mutations = self.lane.mutations("weu-1");
        let (refused, accepted): (Vec<&str>, Vec<&str>) =
            mutations.iter().map(String::as_str).partition(|change| change.ends_with(')'));
        ensure!(accepted == ALL, "{mutations:?}");
        ensure!(refused == late, "{mutations:?}");
        self.lane.one_at_a_time().await
    }

    /// Waits for a change that Azure refuses.
    async fn refused(&self) -> String {
        loop {
            let refused = self.lane.mutations("weu-1").into_iter().find(|change| change.ends_with(')'));
            if let Some(refused) = refused {
                return refused;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The first one notices that it leads no more and exits; no more of its changes were accepted than so
    /// many, in all.
    async fn first_gives_up(&self, changes: usize) -> Result<()> {
        let from = clock::now();
        let ends = tokio::time::timeout(TAKEOVER, self.first.operator.ends()).await;
        let status = ends.context("who lost the lease goes on")??;
        eprintln!("the old leader ended {:.1} s later", clock::now().duration_since(from).as_secs_f64());
        ensure!(!status.success(), "who lost the lease ends with an error, not {status}");
        ensure!(self.first.operator.log().iter().any(|line| line.contains("lease")), "the log says why");
        let made = self.first.wire.accepted();
        ensure!(made.len() == changes, "{changes} changes, and then: {made:?}");
        Ok(())
    }
}

#[test]
fn r1_r3_the_leader_is_killed_while_azure_answers() -> Result<()> {
    case("killed", &format!("lost {FIRST}"), async |pair| {
        let from = clock::now();
        pair.first.operator.kill().await?;
        pair.taken_over("leader killed", from).await?;
        pair.ends_well(&[]).await
    })
}

#[test]
fn r3_r19_a_leader_that_was_suspended_after_its_claim_sends_nothing() -> Result<()> {
    case("suspended", &format!("lost {CLAIM}"), async |pair| {
        let (from, changes) = (clock::now(), pair.first.wire.accepted().len());
        pair.first.operator.pause()?;
        // It will find the answer to its claim when it goes on: all that it waited for.
        pair.first.wire.release();
        pair.taken_over("leader suspended after its claim", from).await?;
        pair.ends_well(&[]).await?;
        pair.first.operator.go_on()?;
        pair.first_gives_up(changes).await
    })
}

#[test]
fn r3_r20_a_change_that_arrives_after_another_leader_made_it_is_refused() -> Result<()> {
    case("late", &format!("before {FIRST}"), async |pair| {
        let (from, changes) = (clock::now(), pair.first.wire.accepted().len());
        pair.first.operator.pause()?;
        pair.taken_over("leader suspended with a change on its way", from).await?;
        let done = |upgrade: &ClusterUpgrade| {
            upgrade.status.as_ref().is_some_and(|status| status.ledger.progress().0 >= 1)
        };
        when(&pair.lane.api(), "weu-1", "one step further", done).await?;
        pair.first.wire.release();
        let late = tokio::time::timeout(TAKEOVER, pair.refused()).await.context("it never arrived")?;
        pair.first.operator.go_on()?;
        pair.first_gives_up(changes).await?;
        pair.ends_well(&[&late]).await
    })
}

#[test]
fn r3_a_leader_cut_off_from_the_hub_changes_nothing_more_in_azure() -> Result<()> {
    case("cut-off", &format!("lost {FIRST}"), async |pair| {
        let (from, changes) = (clock::now(), pair.first.wire.accepted().len());
        pair.first.wire.cut(Peer::Hub);
        pair.first.wire.release();
        pair.first_gives_up(changes).await?;
        pair.taken_over("leader cut off from the hub", from).await?;
        pair.ends_well(&[]).await
    })
}

#[test]
fn r13_a_leader_that_is_asked_to_end_hands_over_at_once() -> Result<()> {
    case("asked", &format!("lost {FIRST}"), async |pair| {
        pair.first.wire.release();
        let from = clock::now();
        pair.first.operator.stop().await?;
        pair.taken_over("leader asked to end", from).await?;
        pair.ends_well(&[]).await
    })
}
