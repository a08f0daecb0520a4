//! How long a step will take: as long as the cluster's own past steps, else what is usual.
//!
//! What is expected is until Azure is done with the step and its nodes show it. Gates, soaks and settings that
//! are put back disturb nobody, and need no window.

use std::{collections::BTreeMap, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    cluster::{Cluster, NodePool},
    policy::Policy,
    settings::{Setting, Settings},
    step::Step,
};

/// A control plane. AKS mostly takes 5 to 15 minutes; the simulator's value is 9. More than most take, since
/// a window that is overrun disturbs people, and one that is left early only waits for the next.
const CONTROL_PLANE: Duration = Duration::from_secs(20 * 60);
/// One batch of Linux nodes, as many as there are surge nodes: cordon, drain, reimage (3 to 5 minutes), join.
/// A drain takes as long as its pods take to end, mostly below a minute and up to `drainTimeoutInMinutes`.
const LINUX_BATCH: Duration = Duration::from_secs(10 * 60);
/// One batch of Windows nodes: their images are several times larger, and they boot for 5 to 10 minutes.
const WINDOWS_BATCH: Duration = Duration::from_secs(20 * 60);
/// Around the batches of a pool: surge nodes are made before, drained and deleted after them.
const AROUND: Duration = Duration::from_secs(8 * 60);
/// What AKS does at once for a pool without a setting: a tenth of its nodes ("Customize node surge upgrade").
const USUAL_SURGE: Amount = Amount::Percent(10);
/// Learned values are taken this much longer, in percent: no two upgrades of a pool are alike.
const MARGIN: u64 = 125;
/// A step that was found half done, or whose pool had hardly anything to drain, is not what the next will take.
const LEAST_SHARE: u32 = 4;
/// Pools of which it is remembered how long they take: as many as AKS allows in a cluster.
pub const LARGEST_ESTIMATES: usize = 100;

/// How long steps of a cluster took, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Estimates {
    /// Its control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub control_plane: Option<i64>,
    /// Of each pool, by name, one batch of nodes: as many as are replaced at once, without their soak.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "pools_schema")]
    pub pools: BTreeMap<String, i64>,
}

fn pools_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": LARGEST_ESTIMATES,
        "additionalProperties": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 1_000_000}
    })
}

impl Estimates {
    /// Whether nothing is known yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.control_plane.is_none() && self.pools.is_empty()
    }

    /// How long a step will probably take, with the settings that it will have.
    #[must_use]
    pub fn of_step(&self, step: &Step, cluster: &Cluster, policy: &Policy) -> Duration {
        let Some(name) = &step.pool else {
            return self.control_plane.map_or(CONTROL_PLANE, with_margin);
        };
        let Some(pool) = cluster.pool(name) else { return usual_batch("Linux") + AROUND };
        let Rolling { batches, soak } = Rolling::of(pool, policy);
        let learned = self.pools.get(name).map(|seconds| with_margin(*seconds));
        match learned {
            Some(batch) => (batch + soak).saturating_mul(batches),
            None => (usual_batch(&pool.os_type) + soak).saturating_mul(batches) + AROUND,
        }
    }

    /// Remembers how long a step took. What took longer than is known counts at once, what was quicker half:
    /// a window that is too short does more harm than one that is waited for.
    pub fn learn(&mut self, step: &Step, took: Duration, cluster: &Cluster, policy: &Policy) {
        let blend = |known: Option<i64>, took: Duration| {
            let took = i64::try_from(took.as_secs()).unwrap_or(i64::MAX).min(1_000_000);
            known.map_or(took, |known| took.max(known.midpoint(took)))
        };
        let Some(name) = &step.pool else {
            self.control_plane = Some(blend(self.control_plane, took.max(CONTROL_PLANE / LEAST_SHARE)));
            return;
        };
        let Some(pool) = cluster.pool(name) else { return };
        let Rolling { batches, soak } = Rolling::of(pool, policy);
        let batch = (took / batches.max(1)).saturating_sub(soak);
        let batch = batch.max(usual_batch(&pool.os_type) / LEAST_SHARE);
        self.pools.retain(|name, _| cluster.pool(name).is_some());
        let known = self.pools.get(name).copied();
        if known.is_some() || self.pools.len() < LARGEST_ESTIMATES {
            self.pools.insert(name.clone(), blend(known, batch));
        }
    }
}

fn with_margin(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default().saturating_mul(MARGIN) / 100)
}

fn usual_batch(os_type: &str) -> Duration {
    if os_type.eq_ignore_ascii_case("Windows") { WINDOWS_BATCH } else { LINUX_BATCH }
}

/// How a pool's nodes are replaced.
struct Rolling {
    /// How many times nodes are replaced; at least once.
    batches: u32,
    /// What is waited after each.
    soak: Duration,
}

impl Rolling {
    /// With the settings that a step of the pool has.
    fn of(pool: &NodePool, policy: &Policy) -> Self {
        let settings = policy.pool_settings(pool).over(&pool.upgrade_settings);
        let nodes = pool.count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1);
        let minutes = settings.0.get(&Setting::NodeSoakDurationInMinutes);
        let soak = minutes.and_then(|minutes| minutes.parse::<u64>().ok()).unwrap_or_default();
        Self {
            batches: nodes.div_ceil(at_once(&settings).of(nodes)).max(1),
            soak: Duration::from_secs(soak.saturating_mul(60)),
        }
    }
}

/// How many nodes are replaced at once.
fn at_once(settings: &Settings) -> Amount {
    let parsed = |setting| settings.0.get(&setting).and_then(|text| Amount::parse(text));
    let is_some = |amount: &Amount| *amount != Amount::Number(0) && *amount != Amount::Percent(0);
    parsed(Setting::MaxSurge)
        .filter(is_some)
        .or_else(|| parsed(Setting::MaxUnavailable).filter(is_some))
        .unwrap_or(USUAL_SURGE)
}

/// A number of nodes, or a percent of a pool's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Amount {
    Number(u32),
    Percent(u32),
}

impl Amount {
    fn parse(text: &str) -> Option<Self> {
        match text.trim().strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(Self::Percent),
            None => text.trim().parse().ok().map(Self::Number),
        }
    }

    /// AKS rounds percentages up, so that it is never none.
    fn of(self, nodes: u32) -> u32 {
        match self {
            Self::Number(number) => number.max(1),
            Self::Percent(percent) => nodes.saturating_mul(percent).div_ceil(100).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{step::StepKind, testing::cluster};

    fn step(pool: Option<&str>) -> Step {
        let kind = if pool.is_some() { StepKind::NodePoolVersion } else { StepKind::ControlPlane };
        Step { kind, pool: pool.map(str::to_owned), from: "1.33.8".to_owned(), to: "1.34.4".to_owned() }
    }

    fn minutes(duration: Duration) -> u64 {
        duration.as_secs() / 60
    }

    fn settings(pairs: &[(Setting, &str)]) -> Settings {
        Settings(pairs.iter().map(|(setting, value)| (*setting, (*value).to_owned())).collect())
    }

    #[test]
    fn what_is_usual_depends_on_system_nodes_and_surge() {
        let (mut cluster, policy) = (cluster("1.33.8"), Policy::default());
        let usual = |cluster: &Cluster, policy: &Policy, pool: &str| {
            minutes(Estimates::default().of_step(&step(Some(pool)), cluster, policy))
        };
        assert_eq!(minutes(Estimates::default().of_step(&step(None), &cluster, &policy)), 20);
        // Three nodes, one at a time: a tenth of three rounds up to one.
        assert_eq!(usual(&cluster, &policy, "linux1"), 3 * 10 + 8);
        assert_eq!(usual(&cluster, &policy, "win1"), 3 * 20 + 8);
        cluster.pools[0].count = Some(50);
        for (surge, batches) in [("1", 50), ("5", 10), ("33%", 3), ("100%", 1), ("0", 10)] {
            cluster.pools[0].upgrade_settings = settings(&[(Setting::MaxSurge, surge)]);
            assert_eq!(usual(&cluster, &policy, "linux1"), batches * 10 + 8, "maxSurge {surge}");
        }
        cluster.pools[0].upgrade_settings = settings(&[(Setting::MaxUnavailable, "10")]);
        assert_eq!(usual(&cluster, &policy, "linux1"), 5 * 10 + 8);
        // The step's own settings count, and each batch soaks.
        let own = settings(&[(Setting::MaxSurge, "50%"), (Setting::NodeSoakDurationInMinutes, "5")]);
        let policy = Policy { upgrade_settings: own, ..policy };
        assert_eq!(usual(&cluster, &policy, "linux1"), 2 * 15 + 8);
        cluster.pools[0].count = None;
        assert_eq!(usual(&cluster, &policy, "linux1"), 15 + 8);
    }

    #[test]
    fn what_a_pool_took_is_what_it_will_take_with_other_nodes_and_surge_too() {
        let (mut cluster, policy) = (cluster("1.33.8"), Policy::default());
        let mut learned = Estimates::default();
        learned.learn(&step(Some("linux1")), Duration::from_secs(3 * 400), &cluster, &policy);
        assert_eq!(learned.pools["linux1"], 400);
        assert_eq!(learned.of_step(&step(Some("linux1")), &cluster, &policy).as_secs(), 3 * 500);
        cluster.pools[0].count = Some(30);
        cluster.pools[0].upgrade_settings = settings(&[(Setting::MaxSurge, "50%")]);
        assert_eq!(learned.of_step(&step(Some("linux1")), &cluster, &policy).as_secs(), 2 * 500);
        learned.learn(&step(None), Duration::from_secs(600), &cluster, &policy);
        assert_eq!(learned.of_step(&step(None), &cluster, &policy).as_secs(), 750);
    }

    #[test]
    fn longer_counts_at_once_and_quicker_by_halves_and_hardly_anything_says_nothing() {
        let (cluster, policy) = (cluster("1.33.8"), Policy::default());
        let mut learned = Estimates::default();
        let mut after = |seconds| {
            learned.learn(&step(None), Duration::from_secs(seconds), &cluster, &policy);
            learned.control_plane.unwrap()
        };
        assert_eq!([after(600), after(1000), after(600), after(600)], [600, 1000, 800, 700]);
        assert_eq!(after(10), 500, "a quarter of what is usual is the least: {}", after(10));
    }

    #[test]
    fn pools_that_are_gone_are_forgotten_and_no_more_are_remembered_than_there_may_be() {
        let (mut cluster, policy) = (cluster("1.33.8"), Policy::default());
        let mut learned = Estimates::default();
        learned.pools.insert("gone".to_owned(), 100);
        learned.learn(&step(Some("linux1")), Duration::from_secs(3000), &cluster, &policy);
        assert_eq!(learned.pools.keys().collect::<Vec<_>>(), ["linux1"]);
        let pool = cluster.pools[0].clone();
        cluster.pools =
            (0..150).map(|index| NodePool { name: format!("p{index}"), ..pool.clone() }).collect();
        for index in 0..150 {
            learned.learn(&step(Some(&format!("p{index}"))), Duration::from_secs(900), &cluster, &policy);
        }
        assert_eq!(learned.pools.len(), LARGEST_ESTIMATES);
        let text = serde_json::to_string(&learned).unwrap();
        assert!(text.len() < 2000, "{} bytes", text.len());
    }
}
