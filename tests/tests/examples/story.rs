//! What a story is made of, and the words in which stories say what happened.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use crds::{UpgradePlan, UpgradePlanStatus};
use futures::future::BoxFuture;
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use kube::Client;
use serde_json::Value;
use tests::stage::{Stage, when};

/// A point of the calendar that all stories share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A Wednesday morning, on which everything is applied.
    Begin,
    /// Saturday evening in Singapore.
    Asia,
    /// The same Saturday evening in Berlin, ten minutes before windows open.
    Europe,
    /// The same Saturday evening in New York.
    Americas,
    /// A week later, in Berlin.
    SecondWeekend,
    /// Two weeks later.
    ThirdWeekend,
    /// After the holidays.
    January,
}

impl Moment {
    /// In the order in which they come.
    pub(crate) const ALL: [Self; 7] = [
        Self::Begin,
        Self::Asia,
        Self::Europe,
        Self::Americas,
        Self::SecondWeekend,
        Self::ThirdWeekend,
        Self::January,
    ];

    /// When it is.
    pub(crate) fn instant(self) -> Timestamp {
        let text = match self {
            Self::Begin => "2026-12-02T09:00:00Z",
            Self::Asia => "2026-12-05T13:50:00Z",
            Self::Europe => "2026-12-05T20:50:00Z",
            Self::Americas => "2026-12-06T02:50:00Z",
            Self::SecondWeekend => "2026-12-12T20:50:00Z",
            Self::ThirdWeekend => "2026-12-19T20:50:00Z",
            Self::January => "2027-01-09T20:50:00Z",
        };
        text.parse().expect("an instant")
    }
}

/// What is seen at a moment, and done by people.
pub(crate) type Act = for<'a> fn(&'a Stage) -> BoxFuture<'a, Result<()>>;

/// One example, and what it promises.
pub(crate) struct Story {
    /// Its path in `examples/`.
    pub(crate) file: &'static str,
    /// What is in it.
    pub(crate) text: &'static str,
    /// Who applies it: a name, and groups.
    pub(crate) applied_by: (&'static str, &'static [&'static str]),
    /// Its clusters by name, as Azure has them at the beginning: fields of the scenario.
    pub(crate) azure: &'static [(&'static str, &'static str)],
    /// Words that `tidegate plan FILE` says of it beforehand.
    pub(crate) foretold: &'static str,
    /// What happens when.
    pub(crate) acts: &'static [(Moment, Act)],
}

/// Who may do everything.
pub(crate) const ADMINISTRATOR: (&str, &[&str]) = ("admin@hub.example", &["system:masters"]);

impl Story {
    /// The hub, as whoever applies it.
    pub(crate) fn client(&self, stage: &Stage) -> Result<Client> {
        let (user, groups) = self.applied_by;
        stage.hub_plane().client_as(user, groups)
    }

    /// Its documents.
    pub(crate) fn values(&self) -> Result<Vec<Value>> {
        serde_saphyr::from_multiple(self.text).with_context(|| format!("examples/{}", self.file))
    }

    /// Its documents of some kinds, as they would be in a file.
    pub(crate) fn documents(&self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let kept = self.values()?.into_iter().filter(|value| value["kind"].as_str().is_some_and(&wanted));
        Ok(kept.map(|value| value.to_string()).collect::<Vec<_>>().join("\n---\n"))
    }

    /// Namespaces and names of the clusters that it registers.
    pub(crate) fn clusters(&self) -> Result<Vec<(String, String)>> {
        let registered = self.values()?.into_iter().filter(|value| value["kind"] == "AKSCluster");
        let name = |value: Value| {
            let field = |field: &str| value["metadata"][field].as_str().map(str::to_owned);
            field("namespace").zip(field("name")).context("a namespace and a name")
        };
        registered.map(name).collect()
    }
}

/// The status of a plan.
pub(crate) fn status(plan: &UpgradePlan) -> UpgradePlanStatus {
    plan.status.clone().unwrap_or_default()
}

/// What a plan waits on, in one sentence.
pub(crate) fn message(plan: &UpgradePlan) -> String {
    status(plan).summary.map(|summary| summary.message).unwrap_or_default()
}

/// Waits until a rollout is over.
pub(crate) async fn ended(stage: &Stage, namespace: &str, plan: &str, rollout: &str) -> Result<UpgradePlan> {
    let over = |plan: &UpgradePlan| {
        status(plan).rollout.is_some_and(|told| told.id == rollout && told.ended_at.is_some())
    };
    when(&stage.plans(namespace), plan, &format!("done with {rollout}"), over).await
}

/// Waits until a plan has this reason in this wave.
pub(crate) async fn in_wave(
    stage: &Stage,
    (namespace, plan): (&str, &str),
    wave: &str,
    reason: &str,
) -> Result<UpgradePlan> {
    let there = |plan: &UpgradePlan| {
        status(plan).summary.is_some_and(|summary| summary.wave == wave && summary.reason == reason)
    };
    when(&stage.plans(namespace), plan, &format!("at {reason} in wave {wave}"), there).await
}

/// What `tidegate history PLAN` tells, the newest first: `ID OUTCOME DONE/CLUSTERS VERSION`.
pub(crate) async fn rollouts(stage: &Stage, namespace: &str, plan: &str) -> Result<Vec<String>> {
    let told = stage.tidegate(&["history", plan, "-n", namespace]).await?;
    let rollouts = told["plans"][0]["rollouts"].as_array().context("rollouts")?;
    let row = |rollout: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or("images").to_owned();
        format!(
            "{} {} {}/{} {}",
            text(&rollout["id"]),
            text(&rollout["outcome"]),
            rollout["succeeded"],
            rollout["clusters"],
            text(&rollout["target"]["kubernetes"])
        )
    };
    Ok(rollouts.iter().map(row).collect())
}

/// The version of a cluster's control plane, and of each pool version and build of the image, as they are in Azure; its
/// nodes show the same.
pub(crate) async fn runs(
    stage: &Stage,
    cluster: &str,
) -> Result<(String, BTreeMap<String, (String, String)>)> {
    let world = stage.world(cluster).await?;
    ensure!(world.operation.is_none(), "{cluster} is worked on: {:?}", world.operation);
    let pools = world.pools.iter().map(|pool| {
        let build = pool.node_image_version.rsplit_once('-').map_or("", |(_, build)| build);
        (pool.name.clone(), (pool.orchestrator_version.clone(), build.to_owned()))
    });
    Ok((world.kubernetes_version.clone(), pools.collect()))
}

/// A night that windows open on: local hour, and for how many hours.
#[derive(Clone, Copy)]
pub(crate) struct Night {
    /// Where.
    pub(crate) zone: &'static str,
    /// The hour of Saturday at which it begins.
    pub(crate) hour: i8,
    /// How long it lasts.
    pub(crate) hours: i64,
}

impl Night {
    /// Saturday 22:00 to Sunday 04:00.
    pub(crate) const fn usual(zone: &'static str) -> Self {
        Self { zone, hour: 22, hours: 6 }
    }

    /// The Saturday to whose night an instant belongs: told from the clock on a wall there.
    fn saturday(self, at: Timestamp) -> Result<Date> {
        let zone = TimeZone::get(self.zone)?;
        let today = at.to_zoned(zone.clone()).date();
        for day in [today, today.yesterday()?] {
            let opens = day.at(self.hour, 0, 0, 0).to_zoned(zone.clone())?.timestamp();
            let closes = opens + SignedDuration::from_hours(self.hours);
            if day.weekday() == Weekday::Saturday && opens <= at && at < closes {
                return Ok(day);
            }
        }
        bail!("{} is in no such night of {}", at.to_zoned(zone), self.zone)
    }
}

/// What was done to a cluster in each night; nothing was done outside.
pub(crate) fn nights(stage: &Stage, cluster: &str, night: Night) -> Result<BTreeMap<String, Vec<String>>> {
    let mut nights: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (at, what) in stage.dated_mutations(cluster) {
        let saturday = night.saturday(at).with_context(|| format!("{cluster}: {what}"))?;
        nights.entry(saturday.to_string()).or_default().push(what);
    }
    Ok(nights)
}

/// The same, as it should be.
pub(crate) fn expected(nights: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let words = |words: &&[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    nights.iter().map(|(night, done)| ((*night).to_owned(), words(done))).collect()
}
