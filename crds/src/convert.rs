//! From what users write to what the engine takes: parsed once, so that nothing invalid gets further.

use engine::{KubernetesRequest, OrderRule, Policy, PoolMatch, Share};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{GateSpec, NodePoolMatch, TargetSpec, UpgradePolicy, WaveSpec};

/// A field that the schema cannot judge, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidField {
    /// Its path.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// The wanted version.
///
/// # Errors
/// When the text is no version, or both or neither of version and channel are given.
pub fn kubernetes_request(target: &TargetSpec) -> Result<Option<KubernetesRequest>, InvalidField> {
    let Some(kubernetes) = &target.kubernetes else { return Ok(None) };
    match (&kubernetes.version, kubernetes.channel) {
        (Some(version), None) => version
            .parse()
            .map(|version| Some(KubernetesRequest::Version(version)))
            .map_err(|error| InvalidField {
                field: "spec.target.kubernetes.version".to_owned(),
                problem: format!("{error}"),
            }),
        (None, Some(channel)) => Ok(Some(KubernetesRequest::Channel(channel))),
        (Some(_), Some(_)) | (None, None) => Err(InvalidField {
            field: "spec.target.kubernetes".to_owned(),
            problem: "exactly one of version and channel is needed".to_owned(),
        }),
    }
}

/// The policy that a ClusterUpgrade asks for.
#[must_use]
pub fn policy_of(policy: &UpgradePolicy) -> Policy {
    let UpgradePolicy { node_pools, gates, failure_policy, soak } = policy;
    let defaults = Policy::default();
    let pools = node_pools.clone().unwrap_or_default();
    let failures = failure_policy.as_ref();
    let deadline = gates.iter().find_map(|gate: &GateSpec| gate.workloads.progress_deadline);
    Policy {
        order: pools
            .order
            .iter()
            .map(|rule| OrderRule {
                matches: pool_match(&rule.matches),
                soak: rule.soak.map_or(defaults.soak, |soak| soak.0),
            })
            .collect(),
        exclude: pools.exclude.iter().map(pool_match).collect(),
        retries: failures
            .and_then(|failures| failures.retries)
            .and_then(|retries| u32::try_from(retries).ok())
            .unwrap_or(defaults.retries),
        step_timeout: failures
            .and_then(|failures| failures.step_timeout)
            .map_or(defaults.step_timeout, |timeout| timeout.0),
        ignored_namespaces: gates.iter().flat_map(|gate| gate.workloads.exclude_namespaces.clone()).collect(),
        progress_deadline: deadline.map_or(defaults.progress_deadline, |deadline| deadline.0),
        soak: soak.map_or(defaults.soak, |soak| soak.0),
    }
}

fn pool_match(matches: &NodePoolMatch) -> PoolMatch {
    let NodePoolMatch { names, mode, os_type } = matches.clone();
    PoolMatch { names, mode, os_type }
}

/// How many clusters of a wave may be worked on at once.
///
/// # Errors
/// When it is neither a number of at least one nor a percent from 1 to 100.
pub fn share_of(wave: &WaveSpec, index: usize) -> Result<Share, InvalidField> {
    let share = match &wave.max_concurrent {
        None => Some(Share::Number(1)),
        Some(IntOrString::Int(number)) => u32::try_from(*number).ok().filter(|n| *n >= 1).map(Share::Number),
        Some(IntOrString::String(text)) => text
            .strip_suffix('%')
            .and_then(|percent| percent.parse().ok())
            .filter(|percent| (1..=100).contains(percent))
            .map(Share::Percent),
    };
    share.ok_or_else(|| InvalidField {
        field: format!("spec.waves[{index}].maxConcurrent"),
        problem: "must be a number of at least 1, or a percent between \"1%\" and \"100%\"".to_owned(),
    })
}
