//! A year of a fleet under a continuous plan, with Azure's own rhythm of releases: how many times pools were
//! rolled, how few times would have done, how old images became, and whether anything was ever without support.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use semver::Version;

use super::{
    Mode, Stage,
    case::Case,
    checks::Violation,
    happening::Happening,
    sim::{Event, State},
};
use crate::effects::ClusterKey;

const HOUR: Duration = Duration::from_secs(3600);

/// What a year has shown.
#[derive(Clone, Debug, Default)]
pub struct Year {
    /// Rollouts of the plan.
    pub rollouts: usize,
    /// How often a node pool was upgraded, in version or image.
    pub rollings: u64,
    /// The least that any plan could do that leaves no pool behind for longer than the next window: each pool as late
    /// in a window as can be, when at its opening the channel stands for another version than the pool has, or its
    /// image is too old and there is a newer one.
    pub least: u64,
    /// Steps that were begun; the rules of the exploration see to it that none was outside of its window.
    pub steps: u64,
    /// How often a control plane was upgraded.
    pub hops: u64,
    /// The oldest image that a node ran, in days.
    pub oldest_image: u32,
    /// Days on which a cluster ran a version without community support.
    pub unsupported: Vec<String>,
    /// Days on which a cluster was not at what the channel stands for.
    pub behind: u64,
    /// Versions that the channel came to stand for, in order.
    pub targets: Vec<String>,
    /// What must not have happened, by the rules of the exploration.
    pub violation: Option<Violation>,
    /// How many events there were.
    pub events: u64,
}

/// What the fewest rollings would have made of one pool.
struct Ideal {
    version: Option<Version>,
    image: String,
    /// It has to be rolled before the window closes.
    is_due: bool,
}

/// What the fewest rollings would have made of the fleet.
#[derive(Default)]
struct Fewest {
    pools: BTreeMap<(ClusterKey, String), Ideal>,
    is_open: bool,
    rollings: u64,
}

/// Plays a year of `clusters` clusters in three regions. Images of more than `days` days are renewed.
///
/// # Panics
/// When no timer can be made: the machine is out of everything.
#[must_use]
pub fn year(seed: u64, clusters: usize, days: u32) -> Year {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("timers");
    let _guard = runtime.enter();
    let case = Case::year(seed, clusters, days);
    let mut stage = Stage::new(&case, Mode::Silent);
    let mut year = Year::default();
    let mut fewest = Fewest::default();
    super::checks::Checks::begin(&mut stage.sim.state());
    let (mut next, mut hours) = (case.start, 0_u32);
    loop {
        let event = {
            let mut state = stage.sim.state();
            if state.checks.violation.is_some() {
                break;
            }
            let event = state.next_event(case.end);
            while state.now >= next {
                fewest.hour(&state, (&case, next, days));
                if hours.is_multiple_of(24) {
                    note_day(&mut state, &case, &mut year);
                }
                (next, hours) = (next + HOUR, hours + 1);
            }
            event
        };
        let Some(event) = event else { break };
        year.events += 1;
        stage.happens(event);
    }
    let state = stage.sim.state();
    year.violation.clone_from(&state.checks.violation);
    year.rollings = state.checks.rolled;
    year.least = fewest.rollings;
    year.steps = state.checks.mutations;
    year.hops = state.checks.hops;
    year.rollouts = state
        .hub
        .plan
        .as_ref()
        .and_then(|plan| plan.rollout.as_ref())
        .map_or(0, |rollout| usize::try_from(rollout.number).unwrap_or_default());
    drop(state);
    drop(stage);
    year
}

fn note_day(state: &mut State, case: &Case, year: &mut Year) {
    let now = state.now;
    let target = state.world.stable_target();
    let words = target.as_ref().map(ToString::to_string);
    if let Some(words) = words.clone().filter(|words| year.targets.last() != Some(words)) {
        year.targets.push(words);
    }
    state.checks.long_target = words;
    for upgrade in &case.upgrades {
        let key = &upgrade.key;
        let Some(view) = state.world.cluster_view(key) else { continue };
        let runs = Version::parse(&view.kubernetes_version).ok();
        if runs.as_ref().is_some_and(|runs| !state.world.is_supported(key, runs)) {
            year.unsupported.push(format!("{now}: {} runs {}", upgrade.name, view.kubernetes_version));
        }
        year.behind += u64::from(runs < target);
        for node in view.pools.iter().flat_map(|pool| &pool.nodes) {
            let age = engine::age_in_days(&node.node_image, now).unwrap_or(u32::MAX);
            year.oldest_image = year.oldest_image.max(age);
        }
    }
}

impl Fewest {
    /// An hour has begun. What is due is told when a window opens, and done when it closes, with what there is then:
    /// later is never worse, since what is newest then is at least as new.
    fn hour(&mut self, state: &State, (case, now, days): (&Case, Timestamp, u32)) {
        let is_open =
            case.upgrades.first().is_some_and(|upgrade| upgrade.timing.open_until(now, false).is_some());
        if is_open == std::mem::replace(&mut self.is_open, is_open) {
            return;
        }
        let target = state.world.stable_target();
        for upgrade in &case.upgrades {
            for pool in state.world.cluster_view(&upgrade.key).into_iter().flat_map(|view| view.pools) {
                let newest = state.world.newest_image(&upgrade.key, &pool.name).unwrap_or_default();
                let version = Version::parse(&pool.orchestrator_version).ok();
                let image = pool.node_image_version;
                let first = || Ideal { version, image, is_due: false };
                let ideal = self.pools.entry((upgrade.key.clone(), pool.name)).or_insert_with(first);
                let is_old = engine::age_in_days(&ideal.image, now).is_none_or(|age| age > days);
                if is_open {
                    ideal.is_due = ideal.version < target || is_old && newest != ideal.image;
                } else if ideal.is_due {
                    *ideal = Ideal { version: target.clone(), image: newest, is_due: false };
                    self.rollings += 1;
                }
            }
        }
    }
}

impl Stage {
    /// One event of a long run: without what is looked at after each event of a short one.
    fn happens(&mut self, event: Event) {
        match event {
            Event::Wake(task) => self.go_on(task),
            Event::Happens(Happening::LeaseFree) => {
                let effects = Happening::LeaseFree.happen(&mut self.sim.state());
                if let Some(replica) = effects.leads {
                    self.lead(replica);
                }
            }
            Event::Happens(_) => {}
            Event::PersonLooks => super::people::People::look(&mut self.sim.state()),
        }
    }
}
