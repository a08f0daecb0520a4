//! What the rollout of a plan is to consist of: all clusters of a plan that runs once, those that need something
//! of a continuous one. Pure: from the plan and the inventory of its clusters.

use std::collections::BTreeSet;

use crds::{AKSCluster, AKSClusterStatus, UpgradePlan, UpgradePolicy, kubernetes_request, policy_of};
use engine::{
    Inventory, KubernetesRequest, Mode, Occasion, Outlook, Proposal, VersionRequest, Wanted, Watching, watch,
};
use jiff::Timestamp;
use kube::ResourceExt;

use super::{Invalid, request::proposal, validate, validate::split};

/// What is proposed on an occasion, and what is watched when that is nothing.
pub(super) fn propose(
    (plan, clusters): (&UpgradePlan, &[AKSCluster]),
    occasion: &Occasion,
    now: Timestamp,
) -> Result<(Proposal, Option<Watching>), Invalid> {
    if plan.spec.mode == Mode::Once {
        return validate(plan, clusters, occasion.is_new()).map(|valid| (proposal(valid), None));
    }
    let mut valid = validate(plan, clusters, false)?;
    let names: BTreeSet<&String> = valid.waves.iter().flat_map(|wave| &wave.clusters).collect();
    let members: Vec<(String, &AKSCluster)> = clusters
        .iter()
        .map(|cluster| (cluster.name_any(), cluster))
        .filter(|(name, _)| names.contains(name))
        .collect();
    // Clusters that are registered together start together.
    let unseen: Vec<String> =
        members.iter().filter(|(_, cluster)| !was_looked_at(cluster)).map(|(name, _)| name.clone()).collect();
    if occasion.left.is_none() && occasion.is_new() && !unseen.is_empty() {
        return Err(Invalid::Unobserved(unseen));
    }
    let outlook = outlook(plan, &members, occasion, now)?;
    let Outlook { target, clusters, watching } = outlook;
    if occasion.left.is_none() && occasion.is_new() && clusters.is_empty() && !watching.unknown.is_empty() {
        return Err(Invalid::Unobserved(watching.unknown));
    }
    valid.target = target;
    for wave in &mut valid.waves {
        wave.clusters.retain(|name| clusters.contains(name));
    }
    Ok((proposal(valid), Some(watching)))
}

fn outlook(
    plan: &UpgradePlan,
    members: &[(String, &AKSCluster)],
    occasion: &Occasion,
    now: Timestamp,
) -> Result<Outlook, Invalid> {
    let mut wanted = wanted(plan)?;
    let begun = occasion.target.as_ref().and_then(|target| target.kubernetes.as_ref()?.parse().ok());
    if let Some(version) = begun {
        // The rollout has begun: it keeps what its target was resolved to.
        wanted.kubernetes = Some(KubernetesRequest::Version(VersionRequest::Exact(version)));
    }
    let nothing = AKSClusterStatus::default();
    let inventory: Vec<Inventory<'_>> = members
        .iter()
        .map(|(name, cluster)| Inventory {
            // A rollout that has begun goes on with what is known.
            awaited: occasion.is_new() && can_be_read(cluster),
            ..inventory(name, cluster.status.as_ref().unwrap_or(&nothing))
        })
        .collect();
    watch(&wanted, &inventory, occasion.left.as_ref(), now)
        .map_err(|error| Invalid::Spec(vec![split(&error.to_string())]))
}

/// What a plan wants of all its clusters.
fn wanted(plan: &UpgradePlan) -> Result<Wanted, Invalid> {
    let spec = &plan.spec;
    let policy = UpgradePolicy {
        node_pools: spec.node_pools.clone(),
        gates: spec.gates.clone(),
        failure_policy: spec.failure_policy.clone(),
        force_upgrade: spec.force_upgrade.clone(),
        soak: None,
        // It says when, not what.
        schedule: None,
    };
    Ok(Wanted {
        scope: spec.target.scope,
        kubernetes: kubernetes_request(&spec.target).map_err(|invalid| Invalid::Spec(vec![invalid]))?,
        node_image: spec.target.node_image,
        max_image_age: spec.target.max_image_age.map(|age| age.0),
        policy: policy_of(&policy),
    })
}

fn inventory<'a>(name: &'a str, status: &'a AKSClusterStatus) -> Inventory<'a> {
    Inventory {
        name,
        cluster: status.cluster.as_ref().zip(status.cluster_read_at),
        offers: status.offers.as_ref().zip(status.offers_read_at),
        upgraded_at: status.history.first().map(engine::UpgradeRecord::last_change),
        awaited: false,
    }
}

/// Whether the last look at it has seen it: so will the next one.
fn can_be_read(cluster: &AKSCluster) -> bool {
    let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|known| known.type_ == "Ready" && known.status == "True")
}

/// Whether somebody has tried to look at it: one that cannot be read holds up no others.
fn was_looked_at(cluster: &AKSCluster) -> bool {
    let status = cluster.status.as_ref();
    status.is_some_and(|status| status.conditions.iter().any(|ready| ready.status != "Unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{Left, ResolvedTarget};
    use serde_json::{Value, json};

    fn now() -> Timestamp {
        "2026-12-05T22:00:00Z".parse().unwrap()
    }

    fn cluster(name: &str, version: &str, ready: &str) -> AKSCluster {
        let region: Vec<Value> = ["1.34.4", "1.35.3"]
            .iter()
            .map(|version| json!({"version": version, "upgrades": ["1.35.3"]}))
            .collect();
        let at = "2026-12-05T21:50:00Z";
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster", "metadata": {"name": name},
            "spec": {"resourceId": "unused"},
            "status": {
                "cluster": {"name": name, "location": "westeurope", "version": version,
                    "provisioningState": "Succeeded", "power": "Running", "pools": []},
                "clusterReadAt": at,
                "offers": {"region": region, "controlPlane": [{"version": "1.35.3"}]}, "offersReadAt": at,
                "conditions": [{"type": "Ready", "status": ready, "reason": "R", "message": "",
                    "lastTransitionTime": at}]
            }
        }))
        .unwrap()
    }

    fn plan(mode: &str) -> UpgradePlan {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan", "metadata": {"name": "p"},
            "spec": {"mode": mode, "target": {"kubernetes": {"version": "1.35"}}, "waves": [
                {"name": "x", "clusters": {"names": ["c", "a"]}},
                {"name": "y", "clusters": {"selector": {}}}]}
        }))
        .unwrap()
    }

    fn fleet() -> Vec<AKSCluster> {
        vec![cluster("a", "1.35.3", "True"), cluster("b", "1.34.4", "True"), cluster("c", "1.34.4", "True")]
    }

    fn first() -> Occasion {
        Occasion { target: None, left: None }
    }

    fn members(proposal: &Proposal) -> Vec<String> {
        proposal.waves.iter().map(|wave| wave.clusters.join(" ")).collect()
    }

    #[test]
    fn a_plan_that_runs_once_takes_all_its_clusters_a_continuous_one_those_that_need_it() {
        let fleet = fleet();
        let (all, watching) = propose((&plan("Once"), &fleet), &first(), now()).unwrap();
        assert_eq!((members(&all), watching), (vec!["c a".to_owned(), "b".to_owned()], None));
        let (some, _) = propose((&plan("Continuous"), &fleet), &first(), now()).unwrap();
        assert_eq!(
            (members(&some), some.target.kubernetes.as_deref()),
            (vec!["c".to_owned(), "b".to_owned()], Some("1.35.3"))
        );
    }

    #[test]
    fn clusters_registered_together_start_together_and_one_that_cannot_be_read_holds_up_none() {
        let continuous = plan("Continuous");
        let mut fleet = fleet();
        fleet[1].status = None;
        let unseen = propose((&continuous, &fleet), &first(), now());
        assert_eq!(unseen, Err(Invalid::Unobserved(vec!["b".to_owned()])));
        let left = Left {
            target: ResolvedTarget::default(),
            rests_since: now(),
            clusters: BTreeSet::new(),
            found_at_target: BTreeSet::new(),
        };
        let later = Occasion { target: None, left: Some(left) };
        let (some, _) = propose((&continuous, &fleet), &later, now()).unwrap();
        assert_eq!(members(&some), ["c", ""], "later ones do not wait for it");
        fleet[1] = cluster("b", "1.34.4", "False");
        fleet[1].status.as_mut().unwrap().cluster = None;
        let (some, watching) = propose((&continuous, &fleet), &first(), now()).unwrap();
        assert_eq!(
            (members(&some), watching.unwrap().unknown),
            (vec!["c".to_owned(), String::new()], vec!["b".to_owned()])
        );
    }

    #[test]
    fn a_rollout_that_has_begun_keeps_its_target() {
        let mut plan = plan("Continuous");
        plan.spec.target.kubernetes.as_mut().unwrap().version = Some("1.36".to_owned());
        let begun = Occasion {
            target: Some(ResolvedTarget {
                kubernetes: Some("1.35.3".to_owned()),
                ..ResolvedTarget::default()
            }),
            left: None,
        };
        let (some, _) = propose((&plan, &fleet()), &begun, now()).unwrap();
        assert_eq!(members(&some), ["c", "b"]);
        let refused = propose((&plan, &fleet()), &first(), now());
        assert!(
            matches!(refused, Err(Invalid::Spec(fields)) if fields[0].field == "spec.target.kubernetes.version")
        );
    }
}
