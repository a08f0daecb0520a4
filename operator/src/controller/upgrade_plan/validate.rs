//! Whether a plan can be carried out on the clusters that there are: rules across objects.
//!
//! Used by the controller and by `tidegate plan`.

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    AKSCluster, AUTHORS_ANNOTATION, ClusterReference, ClusterUpgradeSpec, InvalidField, KubernetesTarget,
    PlanReference, TargetSpec, UpgradePlan, UpgradePlanSpec, UpgradePolicy, WaveSpec, approvals_of,
    budget_of, kubernetes_request, share_of,
};
use engine::{
    Channel, KubernetesRequest, KubernetesVersion, Mode, NodeImagePolicy, Offers, ResolvedTarget, Share,
    common_to_all, pins, resolve,
};
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
    invalid.extend(unknown_authors(plan));
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

/// A plan whose authors may not approve it, and that does not say who they are: admission did not see it.
fn unknown_authors(plan: &UpgradePlan) -> Option<InvalidField> {
    let separate = |wave: &WaveSpec| wave.approvals.as_ref().is_some_and(|asked| asked.separate_author);
    let needed = plan.spec.waves.iter().any(separate) && authors_of(plan).is_empty();
    needed.then(|| {
        let problem = "is needed with approvals.separateAuthor, and kept true by the chart's ValidatingAdmissionPolicy: install it, then create the plan again";
        field(&format!("metadata.annotations[{AUTHORS_ANNOTATION}]"), problem)
    })
}

/// Who has written a plan, as far as the API server vouches for it.
pub(crate) fn authors_of(plan: &UpgradePlan) -> Vec<String> {
    let authors = plan.annotations().get(AUTHORS_ANNOTATION).map(String::as_str).unwrap_or_default();
    authors.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
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
    budget_of(wave, index).map_err(|invalid| vec![invalid])?;
    approvals_of(wave, index).map_err(|invalid| vec![invalid])?;
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
    let is_consistent = spec.target.node_image == NodeImagePolicy::Consistent;
    if request.is_none() && !is_consistent {
        return Ok(ResolvedTarget::default());
    }
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
    let images = if is_consistent { pins(offers.iter().copied()) } else { BTreeMap::new() };
    // With channel Patch each cluster has its own; it is resolved when its upgrade starts.
    let Some(request) = request.filter(|request| *request != KubernetesRequest::Channel(Channel::Patch))
    else {
        return Ok(ResolvedTarget { kubernetes: None, images });
    };
    let version = resolve(&request, &common_to_all(offers.into_iter()), None)
        .map_err(|error| Invalid::Spec(vec![split(&error.to_string())]))?;
    // Pools alone may well go to a version behind their control plane, and what runs ahead of a continuous plan
    // waits for it to come up.
    let newer = if spec.target.scope.has_control_plane() && spec.mode == Mode::Once {
        newer_clusters(&version, members)
    } else {
        Vec::new()
    };
    if !newer.is_empty() {
        return Err(Invalid::Spec(newer));
    }
    Ok(ResolvedTarget { kubernetes: Some(version.to_string()), images })
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
pub(super) fn split(error: &str) -> InvalidField {
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
    let UpgradePlanSpec {
        mode: _,
        suspend,
        target: wanted,
        waves,
        node_pools,
        gates,
        failure_policy,
        force_upgrade,
        schedule,
    } = &plan.spec;
    let mut wanted = TargetSpec { images: target.images.clone(), ..wanted.clone() };
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
            force_upgrade: force_upgrade.clone(),
            schedule: schedule.clone(),
        },
        suspend: false,
        plan: Some(PlanReference {
            name: plan.name_any(),
            rollout: rollout.to_owned(),
            wave: wave.to_owned(),
            admitted: false,
            admitted_at: None,
            suspended: *suspend,
            claim: 0,
            baseline: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A cluster whose region has 1.33.8, 1.34.4 and 1.35.3.
    fn cluster(name: &str, ring: &str, version: &str) -> AKSCluster {
        let region: Vec<Value> =
            ["1.33.8", "1.34.4", "1.35.3"].iter().map(|version| json!({ "version": version })).collect();
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
            "metadata": {"name": name, "labels": {"ring": ring}},
            "spec": {"resourceId": "unused"},
            "status": {
                "cluster": {"name": name, "location": "westeurope", "version": version,
                    "provisioningState": "Succeeded", "power": "Running", "pools": []},
                "offers": {"region": region}
            }
        }))
        .unwrap()
    }

    fn fleet() -> Vec<AKSCluster> {
        vec![cluster("a", "canary", "1.34.4"), cluster("b", "prod", "1.33.8"), cluster("c", "prod", "1.33.8")]
    }

    fn plan(target: &Value, waves: &Value) -> UpgradePlan {
        let plan = json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
            "metadata": {"name": "p", "namespace": "fleet", "uid": "1"},
            "spec": {"target": target, "waves": waves}
        });
        serde_json::from_value(plan).unwrap()
    }

    fn to(version: &str) -> Value {
        json!({"kubernetes": {"version": version}})
    }

    fn checked(target: &Value, waves: &Value) -> Result<ValidPlan, Invalid> {
        validate(&plan(target, waves), &fleet(), true)
    }

    fn words(result: Result<ValidPlan, Invalid>) -> String {
        match result {
            Err(Invalid::Spec(fields)) => {
                fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cluster_belongs_to_the_first_wave_that_selects_it() {
        let waves = json!([
            {"name": "canary", "clusters": {"names": ["c", "a"]}},
            {"name": "prod", "clusters": {"selector": {"matchLabels": {"ring": "prod"}}}, "maxConcurrent": "50%"},
        ]);
        let valid = checked(&to("1.35"), &waves).unwrap();
        assert_eq!(valid.target.kubernetes.as_deref(), Some("1.35.3"));
        let members: Vec<_> = valid.waves.iter().map(|wave| wave.clusters.join(" ")).collect();
        assert_eq!(members, ["c a", "b"], "by name as they are named, else by name");
        assert_eq!(valid.waves[1].max_concurrent, Share::Percent(50));
    }

    #[test]
    fn names_each_field_that_is_wrong_and_what_would_be_right() {
        let one = |clusters: Value| json!([{"name": "w", "clusters": clusters}]);
        let table = [
            (json!([]), "spec.waves: is empty: name at least one wave"),
            (
                one(json!({"names": ["a", "z"]})),
                "spec.waves[0].clusters.names[1]: there is no AKSCluster z in this namespace; registered: a, b, c",
            ),
            (
                one(json!({"selector": {"matchLabels": {"ring": "none"}}})),
                "spec.waves[0].clusters.selector: matches no AKSCluster of this namespace: check the labels, or leave the wave out",
            ),
            (one(json!({})), "spec.waves[0].clusters: exactly one of names and selector is needed"),
            (
                one(json!({"names": ["a"], "selector": {}})),
                "spec.waves[0].clusters: exactly one of names and selector is needed",
            ),
        ];
        for (waves, expected) in table {
            assert_eq!(words(checked(&to("1.35"), &waves)), expected);
        }
        let twice = json!([
            {"name": "w", "clusters": {"names": ["a"]}},
            {"name": "w", "clusters": {"names": ["b"]}, "maxConcurrent": "101%"},
        ]);
        let both = words(checked(&to("1.35"), &twice));
        assert!(both.contains("spec.waves[1].name: is taken by an earlier wave"), "{both}");
        assert!(both.contains("spec.waves[1].maxConcurrent: must be"), "all at once: {both}");
    }

    #[test]
    fn refuses_what_cannot_be_reached() {
        let all = json!([{"name": "w", "clusters": {"selector": {}}}]);
        let error = |target: &Value| words(checked(target, &all));
        let unknown = error(&to("1.40"));
        assert!(unknown.starts_with("spec.target.kubernetes.version: is 1.40, of which"), "{unknown}");
        assert!(unknown.contains("1.35.3"), "{unknown}");
        assert_eq!(
            error(&to("1.33.8")),
            "spec.target.kubernetes.version: is 1.33.8, but AKSCluster a runs 1.34.4 and AKS cannot downgrade: name 1.34.4 or newer, or leave the cluster out"
        );
        let pools = json!({"scope": "NodePools", "kubernetes": {"version": "1.33.8"}});
        assert!(checked(&pools, &all).is_ok(), "pools may be behind their control plane");
        let both = json!({"kubernetes": {"version": "1.35", "channel": "Stable"}});
        assert!(error(&both).starts_with("spec.target.kubernetes: exactly one"), "{}", error(&both));
    }

    #[test]
    fn waits_for_the_inventory_where_a_version_must_be_resolved() {
        let mut fleet = fleet();
        fleet[1].status = None;
        let all = json!([{"name": "w", "clusters": {"selector": {}}}]);
        let check = |target: &Value, resolve| validate(&plan(target, &all), &fleet, resolve);
        assert_eq!(check(&to("1.35"), true), Err(Invalid::Unobserved(vec!["b".to_owned()])));
        assert!(check(&to("1.35"), false).is_ok(), "a present rollout has its target");
        assert_eq!(check(&json!({"scope": "NodeImage"}), true).unwrap().target.kubernetes, None);
        let patch = json!({"kubernetes": {"channel": "Patch"}});
        assert_eq!(
            validate(&plan(&patch, &all), &super::tests::fleet(), true).unwrap().target.kubernetes,
            None
        );
    }

    #[test]
    fn an_upgrade_has_the_resolved_version_and_the_settings_of_its_wave() {
        let waves = json!([
            {"name": "canary", "clusters": {"names": ["a"]}, "soak": "24h"},
            {"name": "prod", "clusters": {"names": ["b"]}},
        ]);
        let mut plan = plan(&json!({"kubernetes": {"channel": "Stable"}}), &waves);
        plan.spec.suspend = true;
        let target = ResolvedTarget { kubernetes: Some("1.34.4".to_owned()), ..ResolvedTarget::default() };
        let spec = upgrade_spec(&plan, &target, "p-1", "canary", "a");
        let wanted = spec.target.kubernetes.unwrap();
        assert_eq!((wanted.version.as_deref(), wanted.channel), (Some("1.34.4"), None));
        assert_eq!(spec.policy.soak.map(|soak| soak.to_string()).as_deref(), Some("1d"));
        let place = spec.plan.unwrap();
        assert!(place.suspended && !place.admitted && !spec.suspend);
        assert_eq!(upgrade_spec(&plan, &target, "p-1", "prod", "b").policy.soak, None);
    }
}
