//! Whether a plan can be carried out on the clusters that there are: rules across objects.
//!
//! Used by the controller and by `tidegate plan`.

use std::collections::BTreeSet;

use crds::{
    AKSCluster, ClusterReference, ClusterUpgradeSpec, InvalidField, KubernetesTarget, PlanReference,
    ResolvedTarget, UpgradePlan, UpgradePlanSpec, UpgradePolicy, WaveSpec, kubernetes_request, share_of,
};
use engine::{Channel, KubernetesRequest, KubernetesVersion, Offers, Share, common_to_all, resolve};
use kube::{
    ResourceExt,
    core::{Selector, SelectorExt as _},
};

/// A plan that can be carried out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValidPlan {
    /// Its waves, in order.
    pub waves: Vec<Members>,
    /// What its target stands for now.
    pub target: ResolvedTarget,
}

/// A wave and its clusters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Members {
    /// Its name.
    pub name: String,
    /// How many at once.
    pub max_concurrent: Share,
    /// Names of its AKSClusters, in the order in which they start.
    pub clusters: Vec<String>,
}

/// Why a plan cannot be carried out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Invalid {
    /// Something is wrong with its specification.
    Spec(Vec<InvalidField>),
    /// These clusters have no inventory yet: what is offered is not known.
    Unobserved(Vec<String>),
}

/// Checks a plan against the clusters of its namespace; `resolve_target` is for a new rollout,
/// a present one keeps what its target was resolved to.
///
/// # Errors
/// Every field that is wrong, or the clusters that are not known yet.
pub(crate) fn validate(
    plan: &UpgradePlan,
    clusters: &[AKSCluster],
    resolve_target: bool,
) -> Result<ValidPlan, Invalid> {
    let mut invalid = Vec::new();
    let mut taken = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut waves = Vec::new();
    if plan.spec.waves.is_empty() {
        invalid.push(field("spec.waves", "is empty: name at least one wave"));
    }
    for (index, wave) in plan.spec.waves.iter().enumerate() {
        if !names.insert(&wave.name) {
            invalid.push(field(
                &format!("spec.waves[{index}].name"),
                "is taken by an earlier wave: names are unique",
            ));
        }
        match members(wave, index, clusters, &mut taken) {
            Ok(wave) => waves.push(wave),
            Err(fields) => invalid.extend(fields),
        }
    }
    if !invalid.is_empty() {
        return Err(Invalid::Spec(invalid));
    }
    if !resolve_target {
        return Ok(ValidPlan { waves, target: ResolvedTarget::default() });
    }
    let members: Vec<&AKSCluster> =
        clusters.iter().filter(|cluster| taken.contains(&cluster.name_any())).collect();
    let target = resolved_target(&plan.spec, &members)?;
    Ok(ValidPlan { waves, target })
}

fn field(field: &str, problem: &str) -> InvalidField {
    InvalidField { field: field.to_owned(), problem: problem.to_owned() }
}

/// The clusters of a wave that no earlier wave has.
fn members(
    wave: &WaveSpec,
    index: usize,
    clusters: &[AKSCluster],
    taken: &mut BTreeSet<String>,
) -> Result<Members, Vec<InvalidField>> {
    let max_concurrent = share_of(wave, index).map_err(|invalid| vec![invalid])?;
    let path = format!("spec.waves[{index}].clusters");
    let selected = match (&wave.clusters.names, &wave.clusters.selector) {
        (Some(names), None) => named(names, &path, clusters)?,
        (None, Some(selector)) => {
            let selector = Selector::try_from(selector.clone())
                .map_err(|error| vec![field(&format!("{path}.selector"), &error.to_string())])?;
            let matching = clusters.iter().filter(|cluster| selector.matches(cluster.labels()));
            let found: Vec<String> = matching.map(ResourceExt::name_any).collect();
            if found.is_empty() {
                let problem =
                    "matches no AKSCluster of this namespace: check the labels, or leave the wave out";
                return Err(vec![field(&format!("{path}.selector"), problem)]);
            }
            found
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(vec![field(&path, "exactly one of names and selector is needed")]);
        }
    };
    let clusters = selected.into_iter().filter(|name| taken.insert(name.clone())).collect();
    Ok(Members { name: wave.name.clone(), max_concurrent, clusters })
}

fn named(names: &[String], path: &str, clusters: &[AKSCluster]) -> Result<Vec<String>, Vec<InvalidField>> {
    let known: BTreeSet<String> = clusters.iter().map(ResourceExt::name_any).collect();
    let unknown: Vec<InvalidField> = names
        .iter()
        .enumerate()
        .filter(|(_, name)| !known.contains(*name))
        .map(|(index, name)| {
            let there: Vec<&str> = known.iter().take(10).map(String::as_str).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            let problem = format!("there is no AKSCluster {name} in this namespace; registered: {there}");
            field(&format!("{path}.names[{index}]"), &problem)
        })
        .collect();
    if unknown.is_empty() { Ok(names.to_vec()) } else { Err(unknown) }
}

/// What the target stands for on these clusters.
///
/// # Errors
/// When Azure has no such version for all of them, when it is older than what one of them runs,
/// or when one of them has not been observed.
pub(crate) fn resolved_target(
    spec: &UpgradePlanSpec,
    members: &[&AKSCluster],
) -> Result<ResolvedTarget, Invalid> {
    let request = kubernetes_request(&spec.target).map_err(|invalid| Invalid::Spec(vec![invalid]))?;
    let Some(request) = request else { return Ok(ResolvedTarget::default()) };
    let mut unobserved = Vec::new();
    let mut offers: Vec<&Offers> = Vec::new();
    for cluster in members {
        match cluster.status.as_ref().and_then(|status| status.offers.as_ref()) {
            Some(offer) => offers.push(offer),
            None => unobserved.push(cluster.name_any()),
        }
    }
    if !unobserved.is_empty() {
        return Err(Invalid::Unobserved(unobserved));
    }
    if request == KubernetesRequest::Channel(Channel::Patch) {
        // Each cluster has its own; it is resolved when its upgrade starts.
        return Ok(ResolvedTarget::default());
    }
    let version = resolve(&request, &common_to_all(offers.into_iter()), None)
        .map_err(|error| Invalid::Spec(vec![split(&error.to_string())]))?;
    let newer = newer_clusters(&version, members);
    if !newer.is_empty() {
        return Err(Invalid::Spec(newer));
    }
    Ok(ResolvedTarget { kubernetes: Some(version.to_string()) })
}

/// Clusters whose minor is beyond the target: AKS has no way back.
fn newer_clusters(version: &KubernetesVersion, members: &[&AKSCluster]) -> Vec<InvalidField> {
    members
        .iter()
        .filter_map(|cluster| {
            let current = &cluster.status.as_ref()?.cluster.as_ref()?.version;
            (current.minor() > version.minor()).then(|| {
                let problem = format!(
                    "is {version}, but AKSCluster {} runs {current} and AKS cannot downgrade: name {current} or newer, or leave the cluster out",
                    cluster.name_any()
                );
                field("spec.target.kubernetes.version", &problem)
            })
        })
        .collect()
}

/// The engine's errors begin with the field.
fn split(error: &str) -> InvalidField {
    match error.split_once(' ') {
        Some((path, problem)) if path.starts_with("spec.") => field(path, problem),
        Some(_) | None => field("spec.target", error),
    }
}

/// The specification of one cluster's upgrade.
#[must_use]
pub(crate) fn upgrade_spec(
    plan: &UpgradePlan,
    target: &ResolvedTarget,
    rollout: &str,
    wave: &str,
    cluster: &str,
) -> ClusterUpgradeSpec {
    let UpgradePlanSpec { suspend, target: wanted, waves, node_pools, gates, failure_policy } = &plan.spec;
    let mut wanted = wanted.clone();
    if let Some(version) = &target.kubernetes {
        wanted.kubernetes = Some(KubernetesTarget { version: Some(version.clone()), channel: None });
    }
    let soak = waves.iter().find(|spec| spec.name == wave).and_then(|spec| spec.soak);
    ClusterUpgradeSpec {
        cluster_ref: ClusterReference { name: cluster.to_owned() },
        target: wanted,
        policy: UpgradePolicy {
            node_pools: node_pools.clone(),
            gates: gates.clone(),
            failure_policy: failure_policy.clone(),
            soak,
        },
        suspend: *suspend,
        plan: Some(PlanReference {
            name: plan.name_any(),
            rollout: rollout.to_owned(),
            wave: wave.to_owned(),
            admitted: false,
        }),
    }
}
