//! From what a script says to the case that is run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crds::{TargetSpec, UpgradePolicy, kubernetes_request, policy_of};
use engine::{KubernetesRequest, Request, Scope, VersionRequest};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    ScriptError, check, invalid,
    spec::{Inside, Span, Spec, UpgradeSpec},
    trigger,
    waves::waves,
};
use crate::{
    exploration::{
        case::{Arrival, Case, UpgradeCase},
        happening::Happening,
        timing::Timing,
        workloads::{Surroundings, Truth},
    },
    scenario::{ClusterSpec, Scenario, ScenarioError},
};

const SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000001";
/// Nobody reads a story of more than this after its last event.
const PATIENCE: Duration = Duration::from_secs(48 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The case of a script.
pub(super) fn case(spec: Spec) -> Result<Case, ScriptError> {
    let start: Timestamp = "2026-11-20T22:00:00Z".parse().expect("a time");
    let Spec { given, upgrades, waves: plan, events, until, timeline: _ } = spec;
    if given.replicas == 0 {
        return Err(invalid("given.replicas", "is 0; give at least 1"));
    }
    let clusters = clusters(given.clusters)?;
    let scenario = scenario(given.azure, &clusters)?;
    let names: Vec<String> = clusters.iter().map(|cluster| cluster.name.clone()).collect();
    for name in given.inside.keys() {
        check::place_of(&format!("given.inside.{name}"), name, &names)?;
    }
    let mut cases: Vec<UpgradeCase> = Vec::new();
    for (index, upgrade) in upgrades.into_iter().enumerate() {
        let field = format!("upgrades[{index}]");
        let place = check::place_of(&format!("{field}.cluster"), &upgrade.cluster, &names)?;
        if cases.iter().any(|other| other.name == upgrade.cluster) {
            let problem = format!("{} has an upgrade already; one is worked on at a time", upgrade.cluster);
            return Err(invalid(format!("{field}.cluster"), problem));
        }
        cases.push(upgrade_case(&field, upgrade, &clusters[place], (start, &given.inside))?);
    }
    if cases.is_empty() {
        return Err(invalid("upgrades", "is empty; a story needs one"));
    }
    let waves = waves(plan, &cases)?;
    let stage = trigger::Stage { start, replicas: given.replicas, clusters: &clusters, upgrades: &cases };
    let (mut happenings, triggers) = stage.events(&events)?;
    let last = happenings.iter().map(|(at, _)| *at).max().unwrap_or(start);
    let end = until.map_or(last + PATIENCE, |until| start + until.0);
    if last > end {
        return Err(invalid("until", "is before the last event; give more time"));
    }
    happenings.insert(0, (start, Happening::LeaseFree));
    Ok(Case {
        seed: 0,
        start,
        calm_from: start,
        end,
        replicas: given.replicas,
        held_back: 0.0,
        scenario,
        upgrades: cases,
        happenings,
        waves,
        quiet: true,
        triggers,
        mode: engine::Mode::Once,
        inventory: Vec::new(),
        is_long: false,
        drawn: BTreeSet::new(),
    })
}

/// The clusters, with what is the same in all stories filled in.
fn clusters(written: Vec<Map<String, Value>>) -> Result<Vec<ClusterSpec>, ScriptError> {
    let read = |(index, mut cluster): (usize, Map<String, Value>)| {
        cluster.entry("subscription").or_insert_with(|| SUBSCRIPTION.into());
        cluster.entry("resourceGroup").or_insert_with(|| "shop".into());
        let field = format!("given.clusters[{index}]");
        serde_json::from_value(cluster.into()).map_err(|error| invalid(field, error.to_string()))
    };
    written.into_iter().enumerate().map(read).collect()
}

fn scenario(azure: Map<String, Value>, clusters: &[ClusterSpec]) -> Result<Scenario, ScriptError> {
    for taken in ["clusters", "clock", "seed"] {
        if azure.contains_key(taken) {
            return Err(invalid(format!("given.azure.{taken}"), "is not for scripts; leave it out"));
        }
    }
    let mut scenario: Scenario =
        serde_json::from_value(azure.into()).map_err(|error| invalid("given.azure", error.to_string()))?;
    scenario.clusters = clusters.to_vec();
    scenario.check().map_err(|error| match error {
        ScenarioError::Unreadable(error) => ScriptError::Unreadable(error),
        ScenarioError::Invalid { field, problem } if field.starts_with("clusters") => {
            invalid(format!("given.{field}"), problem)
        }
        ScenarioError::Invalid { field, problem } => invalid(format!("given.azure.{field}"), problem),
    })?;
    Ok(scenario)
}

fn upgrade_case(
    field: &str,
    upgrade: UpgradeSpec,
    cluster: &ClusterSpec,
    (start, inside): (Timestamp, &BTreeMap<String, Inside>),
) -> Result<UpgradeCase, ScriptError> {
    let target: TargetSpec = check::read(&format!("{field}.target"), upgrade.target)?;
    let policy: UpgradePolicy = check::read(&format!("{field}.policy"), upgrade.policy.into())?;
    if (target.scope == Scope::NodeImage) != target.kubernetes.is_none() {
        let problem = "is needed for every scope but NodeImage, which must not have it";
        return Err(invalid(format!("{field}.target.kubernetes"), problem));
    }
    let kubernetes = kubernetes_request(&target).map_err(|error| invalid(field, error.to_string()))?;
    let policy = policy_of(&policy);
    let arrives_everywhere = target.scope == Scope::Full && policy.exclude.is_empty();
    let target_version = match &kubernetes {
        Some(KubernetesRequest::Version(VersionRequest::Exact(version))) if arrives_everywhere => {
            Some(version.to_string())
        }
        Some(_) | None => None,
    };
    let id = cluster.id();
    Ok(UpgradeCase {
        name: cluster.name.clone(),
        key: cluster.key(),
        id: id.parse().map_err(|error| invalid(field, format!("{id} is no cluster: {error}")))?,
        arrival: Arrival::of_all(target_version, cluster.pools.iter().map(|pool| pool.name.clone())),
        surroundings: inside.get(&cluster.name).map(|inside| surroundings(inside, start)).unwrap_or_default(),
        request: Request {
            node_image: target.node_image,
            images: target.images.clone(),
            max_image_age: target.max_image_age.map(|age| age.0),
            policy,
            ..Request::new(target.scope, kubernetes)
        },
        timing: Timing::default(),
    })
}

fn surroundings(inside: &Inside, start: Timestamp) -> Surroundings {
    let Inside { workloads, unreachable, budgets_allow_after } = inside;
    let spans = |spans: &[Span]| {
        let until = |span: &Span| span.until.map_or(Timestamp::MAX, |until| start + until.0);
        spans.iter().map(|span| (start + span.from.0, until(span))).collect::<Vec<_>>()
    };
    let workload = |spec: &super::spec::WorkloadSpec| Truth {
        name: spec.name.clone(),
        created_at: start - DAY,
        broken: spans(&spec.broken),
    };
    Surroundings {
        workloads: workloads.iter().map(workload).collect(),
        outages: spans(unreachable),
        budgets_allow_from: budgets_allow_after.map(|after| start + after.0),
        blemishes: Vec::new(),
    }
}
