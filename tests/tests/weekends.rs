//! R12: three weekends on a real API server, with a clock that runs ahead and leaps from Saturday to Saturday.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use crds::UpgradePlan;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{Timestamp, tz::TimeZone};
use tests::stage::{Setup, Stage, until_within, when};

const CLUSTERS: usize = 12;
/// Simulated seconds in a real one: the six hours of a night take fifty seconds. Much faster, and a claim grows old
/// before its deed: calls take real time.
const RATE: f64 = 432.0;
/// A Wednesday.
const START: &str = "2026-11-25T00:00:00Z";
/// A night, and the start of the operator, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// A quarter of an hour before each window opens.
const EVENINGS: [&str; 3] = ["2026-11-28T20:45:00Z", "2026-12-05T20:45:00Z", "2026-12-12T20:45:00Z"];

const WINDOW: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: MaintenanceWindow
metadata: {namespace: fleet, name: weekend}
spec:
  timeZone: Europe/Berlin
  duration: 6h
  starts: [{weekly: {daysOfWeek: [Saturday], startTime: '22:00'}}]
";

/// The first two hours of the second weekend.
const FREEZE: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradeFreeze
metadata: {name: sale}
spec:
  selector: {matchLabels: {ring: shop}}
  from: '2026-12-05T20:00:00Z'
  to: '2026-12-05T23:00:00Z'
  reason: the sale of the year begins
";

const PLAN: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: weekends}
spec:
  target: {scope: ControlPlane, kubernetes: {version: '1.35'}}
  waves: [{name: all, clusters: {selector: {matchLabels: {ring: shop}}}, maxConcurrent: 4}]
  schedule: {windows: [{name: weekend}], minimumRemaining: 2h}
";

/// Each control plane takes five hours: what is done leaves no room for another one in the same night.
fn scenario() -> String {
    let cluster = |index: usize| {
        format!(
            "
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: shop-{index}
  kubernetesVersion: 1.34.4
  pools: [{{name: system, mode: System}}]
"
        )
    };
    let clusters: String = (0..CLUSTERS).map(cluster).collect();
    format!("durations: {{controlPlane: 5h}}\nclusters:{clusters}")
}

/// The Saturday on which a window is open at an instant: told from the clock on a wall in Berlin.
fn saturday(at: Timestamp) -> Option<String> {
    let local = at.to_zoned(TimeZone::get("Europe/Berlin").expect("a zone"));
    let evening = match (local.weekday(), local.hour()) {
        (jiff::civil::Weekday::Saturday, 22..) => local.date(),
        (jiff::civil::Weekday::Sunday, 0..4) => local.date().yesterday().ok()?,
        _ => return None,
    };
    Some(evening.to_string())
}

/// Waits until the plan forecasts that it will have ended at an instant.
async fn ends_at(stage: &Stage, instant: &str) -> Result<()> {
    let eta: Timestamp = instant.parse()?;
    let forecast = |plan: &UpgradePlan| {
        let summary = plan.status.as_ref().and_then(|status| status.summary.as_ref());
        summary.is_some_and(|summary| summary.eta == Some(eta))
    };
    when(&stage.plans("fleet"), "weekends", &format!("to end at {eta}"), forecast).await.map(drop)
}

async fn progress(stage: &Stage, wanted: &str) -> Result<UpgradePlan> {
    let reached = |plan: Option<&UpgradePlan>| {
        let status = plan.and_then(|plan| plan.status.as_ref());
        status.and_then(|status| status.summary.as_ref()).is_some_and(|summary| summary.progress == wanted)
    };
    let what = format!("at {wanted}");
    let plan = until_within(PATIENCE, &stage.plans("fleet"), "weekends", &what, reached).await?;
    plan.context("a plan that is as wanted is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_three_weekends_finish_a_plan_of_twelve_clusters_and_a_freeze_holds_one_of_them() -> Result<()> {
    let setup = Setup::new("weekends", &scenario()).without_api_servers();
    let mut stage = Stage::start(setup.rate(RATE).starting_at(START.parse()?)).await?;
    stage.apply(WINDOW).await?;
    stage.apply(FREEZE).await?;
    let names: Vec<String> = (0..CLUSTERS).map(|index| format!("shop-{index}")).collect();
    stream::iter(&names)
        .map(|name| stage.register("fleet", name, &[("ring", "shop")]))
        .buffer_unordered(CLUSTERS)
        .try_collect::<Vec<()>>()
        .await?;
    stage.apply(PLAN).await?;
    let waits = |plan: &UpgradePlan| {
        let summary = plan.status.as_ref().and_then(|status| status.summary.as_ref());
        summary.is_some_and(|summary| {
            summary.reason == "WaitingForWindow"
                && summary.phase == "Parked"
                && summary.message.contains("window weekend opens at 2026-11-28T21:00:00Z")
        })
    };
    when(&stage.plans("fleet"), "weekends", "waiting for the first weekend", waits).await?;
    // Three times four of 20 minutes each, which is what is usual, if nothing is known yet.
    ends_at(&stage, "2026-11-28T22:00:00Z").await?;
    // Of those that have not started nobody knows that they take five hours: the freeze and twice, then once 20 minutes.
    let nights =
        [("4/12", Some("2026-12-05T23:40:00Z")), ("8/12", Some("2026-12-12T21:20:00Z")), ("12/12", None)];
    for (evening, (done, next)) in EVENINGS.iter().zip(nights) {
        stage.leap(evening.parse()?).await?;
        if done == "8/12" {
            stage.plan_reaches_within(PATIENCE, "fleet", "weekends", "Frozen").await?;
        }
        progress(&stage, done).await?;
        if let Some(next) = next {
            ends_at(&stage, next).await?;
        }
    }
    stage.plan_reaches("fleet", "weekends", "Succeeded").await?;

    let mut started: BTreeMap<String, usize> = BTreeMap::new();
    for entry in stage.simulator.log().iter().filter(|entry| entry.mutation && entry.accepted) {
        let night = saturday(entry.simulated)
            .with_context(|| format!("{} {} at {}", entry.method, entry.path, entry.simulated))?;
        let thawed: Timestamp = "2026-12-05T23:00:00Z".parse()?;
        ensure!(night != "2026-12-05" || entry.simulated >= thawed, "frozen at {}", entry.simulated);
        *started.entry(night).or_default() += 1;
    }
    let nights = ["2026-11-28", "2026-12-05", "2026-12-12"].map(|night| (night.to_owned(), 4));
    assert_eq!(started, nights.into(), "four in each night");
    stage.finish().await
}
