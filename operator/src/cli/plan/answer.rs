//! What a plan would do to each of its clusters. The field names are for programs: they stay.

use anyhow::Context as _;
use crds::{AKSCluster, ClusterUpgradeSpec, Duration, UpgradePlan};
use engine::{
    Cluster, LeftAlone, Opening, Outline, PlannedStep, Refusal, Request, Schedule, Step, StepKind, Target,
    Window,
};
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::super::{hub::Found, standing::Standing};
use crate::controller::{
    cluster_upgrade,
    upgrade_plan::{Invalid, upgrade_spec, validate},
};

/// How many openings are shown.
const OPENINGS: usize = 3;

/// The whole plan.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Answer {
    pub(super) plan: String,
    /// The version to reach; `None` when each cluster has its own, or only images are renewed.
    pub(super) target: Option<String>,
    /// The next openings of its windows; none when it has no windows.
    pub(super) openings: Vec<OpeningAnswer>,
    pub(super) waves: Vec<WaveAnswer>,
}

/// A time in which steps may start.
#[derive(Serialize)]
pub(super) struct OpeningAnswer {
    pub(super) window: String,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// A wave, in its place.
#[derive(Serialize)]
pub(super) struct WaveAnswer {
    pub(super) name: String,
    /// How many people must approve before its first cluster starts, where that is still to come.
    pub(super) approvals: Option<i32>,
    /// How long each cluster is watched after its last step.
    pub(super) soak: Option<Duration>,
    pub(super) clusters: Vec<ClusterAnswer>,
}

/// One cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterAnswer {
    pub(super) name: String,
    /// The version of its control plane; `None` when it is not known.
    pub(super) from: Option<String>,
    /// What is done, in order; when it cannot start, what would be done once nothing stands in the way.
    pub(super) steps: Vec<StepAnswer>,
    pub(super) nodes: NodesAnswer,
    pub(super) left_alone: Vec<LeftAnswer>,
    /// What a person should know beforehand.
    pub(super) warnings: Vec<String>,
    /// Everything that stands in the way; empty when it can start.
    pub(super) cannot_start: Vec<RefusalAnswer>,
}

/// One step.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepAnswer {
    pub(super) id: String,
    pub(super) kind: StepKind,
    pub(super) subject: String,
    pub(super) pool: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) nodes: i32,
    /// Sends the present version again, to finish an operation that failed.
    pub(super) repair: bool,
    /// How long it will probably take: a window must stay open for so long.
    pub(super) takes: Duration,
    /// How long workloads are watched after it.
    pub(super) soak: Option<Duration>,
    pub(super) why: String,
}

/// How many nodes are replaced.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub(super) struct NodesAnswer {
    /// Nodes of the pools that have steps.
    pub(super) affected: i32,
    /// Replacements: more, when a pool is rolled more than once.
    pub(super) replacements: i32,
}

/// Nodes without a step.
#[derive(Serialize)]
pub(super) struct LeftAnswer {
    /// `None` for nodes outside of pools.
    pub(super) pool: Option<String>,
    pub(super) reason: &'static str,
    pub(super) why: String,
}

/// Something that stands in the way.
#[derive(Serialize)]
pub(in super::super) struct RefusalAnswer {
    pub(in super::super) reason: &'static str,
    /// `None` when it is about the cluster or the target.
    pub(in super::super) pool: Option<String>,
    /// What stands in the way, and what removes it.
    pub(in super::super) message: String,
}

impl Answer {
    /// What the plan would do to these clusters now.
    ///
    /// # Errors
    /// When the plan itself cannot be carried out, whatever the clusters are like.
    pub(super) fn of(
        plan: &UpgradePlan,
        (clusters, windows): (&[AKSCluster], &[Window]),
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let valid = match validate(plan, clusters, true) {
            Ok(valid) => valid,
            Err(Invalid::Spec(fields)) => {
                let words: Vec<String> = fields.iter().map(ToString::to_string).collect();
                anyhow::bail!("UpgradePlan {}: {}", plan.name_any(), words.join("; "));
            }
            Err(Invalid::Unobserved(names)) => anyhow::bail!(
                "what Azure offers is not known yet for {}: see kubectl describe akscluster",
                names.join(", ")
            ),
        };
        let mut waves = Vec::new();
        for wave in &valid.waves {
            let mut answers = Vec::new();
            for name in &wave.clusters {
                let spec = upgrade_spec(plan, &valid.target, "rollout", &wave.name, name);
                answers.push(ClusterAnswer::planned(name, &spec, (clusters, windows), now)?);
            }
            let spec = plan.spec.waves.iter().find(|spec| spec.name == wave.name);
            waves.push(WaveAnswer {
                name: wave.name.clone(),
                approvals: spec.and_then(|spec| spec.approvals.as_ref()).map(|needed| needed.required),
                soak: spec.and_then(|spec| spec.soak).filter(|soak| !soak.0.is_zero()),
                clusters: answers,
            });
        }
        let schedule = Schedule { windows: windows.to_vec(), ..Schedule::default() };
        let openings = schedule.next_openings(now, OPENINGS).into_iter().map(OpeningAnswer::from).collect();
        Ok(Self { plan: plan.name_any(), target: valid.target.kubernetes, openings, waves })
    }

    /// Whether a cluster cannot start.
    pub(super) fn is_stuck(&self) -> bool {
        self.waves.iter().flat_map(|wave| &wave.clusters).any(|cluster| !cluster.cannot_start.is_empty())
    }
}

impl ClusterAnswer {
    /// What a plan would do to one of its clusters, and all that stands in the way: windows that are too short, too.
    ///
    /// # Errors
    /// When the plan's policy means nothing.
    pub(super) fn planned(
        name: &str,
        spec: &ClusterUpgradeSpec,
        (clusters, windows): (&[AKSCluster], &[Window]),
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let cluster = clusters.iter().find(|cluster| cluster.name_any() == name);
        let mut request = cluster_upgrade::request(spec).context("the plan's policy")?;
        request.schedule.windows = windows.to_vec();
        let status = cluster.and_then(|cluster| cluster.status.as_ref());
        request.schedule.estimates = status.map(|status| status.estimates.clone()).unwrap_or_default();
        Ok(Self::of(name, cluster, &request, now))
    }

    /// What would be done to one cluster, and all that stands in the way.
    pub(super) fn of(name: &str, cluster: Option<&AKSCluster>, request: &Request, now: Timestamp) -> Self {
        let status = cluster.and_then(|cluster| cluster.status.as_ref());
        let inventory = status.and_then(|status| status.cluster.as_ref().zip(status.offers.as_ref()));
        let Some((seen, offers)) = inventory else {
            let why = format!("what Azure offers is not known yet: see kubectl describe akscluster {name}");
            return Self::unplanned(name, None, "Unobserved", why);
        };
        let from = Some(seen.version.to_string());
        let resolve = |request| engine::resolve(request, offers, Some(&seen.version));
        let kubernetes = match request.kubernetes.as_ref().map(resolve).transpose() {
            Ok(kubernetes) => kubernetes,
            Err(error) => return Self::unplanned(name, from, "InvalidSpec", error.to_string()),
        };
        let Request { scope, node_image, images, max_image_age, policy, .. } = request;
        let target = Target {
            scope: *scope,
            kubernetes,
            node_image: *node_image,
            images: images.clone(),
            max_image_age: *max_image_age,
        };
        let Outline { plan, refusals } = engine::outline(seen, &target, policy, offers, now);
        let steps: Vec<StepAnswer> =
            plan.steps.iter().map(|planned| StepAnswer::of(planned, seen, request)).collect();
        let too_long = plan.steps.iter().filter_map(|planned| too_long(&planned.step, seen, request, now));
        Self {
            name: name.to_owned(),
            from,
            nodes: NodesAnswer::of(&steps, seen),
            steps,
            left_alone: plan.left_alone.into_iter().map(LeftAnswer::from).collect(),
            warnings: cluster.and_then(staleness).into_iter().chain(plan.warnings).collect(),
            cannot_start: refusals.iter().map(RefusalAnswer::from).chain(too_long).collect(),
        }
    }

    fn unplanned(name: &str, from: Option<String>, reason: &'static str, message: String) -> Self {
        Self {
            name: name.to_owned(),
            from,
            steps: Vec::new(),
            nodes: NodesAnswer { affected: 0, replacements: 0 },
            left_alone: Vec::new(),
            warnings: Vec::new(),
            cannot_start: vec![RefusalAnswer { reason, pool: None, message }],
        }
    }
}

/// That the plan is made from what was seen some time ago, when Azure cannot be read now.
fn staleness(cluster: &AKSCluster) -> Option<String> {
    let standing = Standing::of(&Found {
        namespace: cluster.namespace().unwrap_or_default(),
        name: cluster.name_any(),
        cluster: Ok(cluster.clone()),
    });
    standing.is_stale().then(|| format!("{}; planned from what was seen before", standing.sentence()))
}

impl StepAnswer {
    fn of(planned: &PlannedStep, cluster: &Cluster, request: &Request) -> Self {
        let policy = &request.policy;
        let PlannedStep { step, why, nodes, repair } = planned;
        let pool = step.pool.as_deref().and_then(|name| cluster.pool(name));
        let soak = pool.map(|pool| policy.pool_soak(pool)).filter(|soak| !soak.is_zero());
        let overrides = pool.is_some_and(|pool| !policy.pool_settings(pool).is_empty());
        let changed = if overrides { "; settings changed for the step, then restored" } else { "" };
        let brings_image = step.kind == StepKind::NodePoolVersion && !repair;
        Self {
            id: step.id(),
            kind: step.kind,
            subject: step.subject(),
            pool: step.pool.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            nodes: *nodes,
            repair: *repair,
            takes: rounded(request.schedule.estimates.of_step(step, cluster, policy)),
            soak: soak.map(Duration),
            why: if brings_image {
                format!("{why}; brings the newest image{changed}")
            } else {
                format!("{why}{changed}")
            },
        }
    }
}

/// In whole five minutes: what is expected is no promise.
fn rounded(length: std::time::Duration) -> Duration {
    Duration(std::time::Duration::from_secs(length.as_secs().div_ceil(300) * 300))
}

/// What stands in the way of a step that fits into no window.
fn too_long(step: &Step, cluster: &Cluster, request: &Request, now: Timestamp) -> Option<RefusalAnswer> {
    let Request { schedule, policy, .. } = request;
    let waiting = schedule.shortfall(step, schedule.needs(step, cluster, policy), now)?;
    Some(RefusalAnswer { reason: waiting.reason(), pool: step.pool.clone(), message: waiting.to_string() })
}

impl NodesAnswer {
    fn of(steps: &[StepAnswer], cluster: &Cluster) -> Self {
        let has_steps = |name: &str| steps.iter().any(|step| step.pool.as_deref() == Some(name));
        let pools = cluster.pools.iter().filter(|pool| has_steps(&pool.name));
        let sum = |counts: &mut dyn Iterator<Item = i32>| counts.fold(0, i32::saturating_add);
        Self {
            affected: sum(&mut pools.filter_map(|pool| pool.count)),
            replacements: sum(&mut steps.iter().map(|step| step.nodes)),
        }
    }
}

impl From<Opening> for OpeningAnswer {
    fn from(Opening { window, from, until }: Opening) -> Self {
        Self { window, from, until }
    }
}

impl From<LeftAlone> for LeftAnswer {
    fn from(left: LeftAlone) -> Self {
        Self { pool: left.pool, reason: left.why.reason(), why: left.why.to_string() }
    }
}

impl From<&Refusal> for RefusalAnswer {
    fn from(refusal: &Refusal) -> Self {
        Self {
            reason: refusal.reason(),
            pool: refusal.pool().map(str::to_owned),
            message: refusal.to_string(),
        }
    }
}
