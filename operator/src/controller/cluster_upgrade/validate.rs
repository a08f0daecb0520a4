//! From the objects to the engine's request. Rules across objects live here.

use azure_mgmt_containerservice::ClusterId;
use crds::{
    ABORT_ANNOTATION, ClusterUpgrade, ClusterUpgradeSpec, InvalidField, RETRY_ANNOTATION,
    ROLLBACK_ANNOTATION, SKIP_ANNOTATION, kubernetes_request, policy_of, schedule_of,
};
use engine::{Asked, Claimant, Ledger, Policy, Request};
use kube::{Resource as _, ResourceExt};

use super::observe::Observed;
use crate::context::bounded;

/// How long a token of an annotation may be, in bytes; the rest is cut.
const TOKEN_LIMIT: usize = 256;

/// What the engine is asked for, and the cluster in Azure.
pub(super) fn validate(observed: &Observed) -> Result<(Request, ClusterId), InvalidField> {
    let invalid = |problem| InvalidField { field: "spec.clusterRef.name".to_owned(), problem };
    let name = observed.cluster_name();
    let cluster = match &observed.cluster {
        // What was changed is still put back.
        Some(Ok(cluster))
            if cluster.meta().deletion_timestamp.is_some() && !is_changed(&observed.upgrade) =>
        {
            return Err(invalid(format!(
                "AKSCluster {name} is being deleted: register it again when it is gone, or delete this"
            )));
        }
        // `NAME/status` would find the same object under a name that nobody else uses for it.
        Some(Ok(cluster)) if cluster.name_any() == name => cluster,
        Some(Err(error)) => return Err(invalid(format!("AKSCluster {name} cannot be read: {error}"))),
        Some(Ok(_)) | None => {
            let namespace = observed.upgrade.namespace().unwrap_or_default();
            return Err(invalid(format!(
                "there is no AKSCluster {name} in namespace {namespace}: register it, or name another"
            )));
        }
    };
    let id: ClusterId = cluster.spec.resource_id.parse().map_err(|error| InvalidField {
        field: format!("AKSCluster {}, spec.resourceId", cluster.name_any()),
        problem: format!("{error}"),
    })?;
    let registered = short_name(&id);
    if let Some(begun) = begun_on(&observed.upgrade).filter(|begun| !begun.eq_ignore_ascii_case(&registered))
    {
        return Err(invalid(format!(
            "AKSCluster {name} stands for {registered} now, and this has begun on {begun}: register that one \
             under the name again, or delete this"
        )));
    }
    let mut request = request(&observed.upgrade.spec)?;
    request.other_upgrade = other_upgrade(&observed.upgrade, observed.others.iter());
    (request.asked, request.retry) = asked(&observed.upgrade);
    Ok((request, id))
}

/// What people ask for by annotations: besides to go on, and to go on.
pub(super) fn asked(upgrade: &ClusterUpgrade) -> (Asked, Option<String>) {
    let token = |annotation| token(upgrade, annotation);
    let asked = Asked {
        skip: token(SKIP_ANNOTATION),
        abort: token(ABORT_ANNOTATION),
        rollback: token(ROLLBACK_ANNOTATION),
    };
    (asked, token(RETRY_ANNOTATION))
}

/// The value of an annotation by which people control an upgrade. It is echoed in the status, whose schema bounds it:
/// a longer one would make every write fail.
pub(super) fn token(upgrade: &ClusterUpgrade, annotation: &str) -> Option<String> {
    upgrade.annotations().get(annotation).map(|token| bounded(token, TOKEN_LIMIT))
}

/// The cluster in Azure that it has begun on. An AKSCluster can be deleted, and its name be given to another.
fn begun_on(upgrade: &ClusterUpgrade) -> Option<&str> {
    upgrade.status.as_ref()?.azure_cluster.as_deref()
}

/// A cluster in Azure as statuses name it: all of its id that is not the same for every cluster.
pub(super) fn short_name(id: &ClusterId) -> String {
    format!("{}/{}/{}", id.subscription(), id.resource_group(), id.name())
}

/// What a specification asks the engine for.
///
/// # Errors
/// When a field means nothing.
pub(crate) fn request(spec: &ClusterUpgradeSpec) -> Result<Request, InvalidField> {
    let ClusterUpgradeSpec { cluster_ref: _, target, policy, suspend, plan } = spec;
    let policy: Policy = policy_of(policy);
    let waits_for_wave = plan.as_ref().filter(|plan| !plan.admitted).map(|plan| plan.wave.clone());
    Ok(Request {
        scope: target.scope,
        kubernetes: kubernetes_request(target)?,
        node_image: target.node_image,
        images: target.images.clone(),
        max_image_age: target.max_image_age.map(|age| age.0),
        policy,
        schedule: schedule_of(spec.policy.schedule.as_ref()),
        suspend: *suspend || plan.as_ref().is_some_and(|plan| plan.suspended),
        waits_for_wave,
        other_upgrade: None,
        retry: None,
        asked: Asked::default(),
        baseline: plan.as_ref().and_then(|plan| plan.baseline.clone()),
        abandoned: false,
    })
}

/// The ClusterUpgrade that has the cluster before this one.
pub(crate) fn other_upgrade<'a>(
    upgrade: &ClusterUpgrade,
    others: impl Iterator<Item = &'a ClusterUpgrade>,
) -> Option<String> {
    claimant(upgrade).waits_for(others.map(claimant)).map(str::to_owned)
}

fn claimant(upgrade: &ClusterUpgrade) -> Claimant<'_> {
    let plan = upgrade.spec.plan.as_ref();
    Claimant {
        name: upgrade.metadata.name.as_deref().unwrap_or_default(),
        made_at: upgrade.creation_timestamp().map(|time| time.0),
        plan: plan.map(|plan| plan.name.as_str()),
        admitted: plan.is_none_or(|plan| plan.admitted),
        going: upgrade.metadata.deletion_timestamp.is_some(),
        ledger: ledger(upgrade),
    }
}

fn ledger(upgrade: &ClusterUpgrade) -> Option<&Ledger> {
    upgrade.status.as_ref().map(|status| &status.ledger)
}

/// Whether it holds its cluster.
pub(crate) fn has_begun(upgrade: &ClusterUpgrade) -> bool {
    ledger(upgrade).is_some_and(Ledger::has_begun)
}

/// Whether it has settings to put back.
fn is_changed(upgrade: &ClusterUpgrade) -> bool {
    ledger(upgrade).is_some_and(Ledger::has_settings_to_restore)
}

/// Whether nothing is left to do for it.
pub(crate) fn is_over(upgrade: &ClusterUpgrade) -> bool {
    ledger(upgrade).is_some_and(|ledger| ledger.finished_at.is_some()) && !is_changed(upgrade)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::AKSCluster;
    use serde_json::{Value, json};

    /// One minute after the other; `status` is its ledger.
    fn upgrade(name: &str, minute: u8, status: Value) -> ClusterUpgrade {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
            "metadata": {"name": name, "namespace": "fleet",
                "creationTimestamp": format!("2026-12-05T22:{minute:02}:00Z")},
            "spec": {"clusterRef": {"name": "weu-1"}, "target": {"kubernetes": {"version": "1.35"}}},
            "status": status
        }))
        .unwrap()
    }

    fn member(name: &str, minute: u8, admitted: bool) -> ClusterUpgrade {
        let mut upgrade = upgrade(name, minute, json!({}));
        let plan = json!({"name": "p", "rollout": "p-1", "wave": "w", "admitted": admitted});
        upgrade.spec.plan = Some(serde_json::from_value(plan).unwrap());
        upgrade
    }

    #[test]
    fn on_a_cluster_that_is_deregistered_nothing_is_begun() {
        let mut going = cluster("weu-1", ID);
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-12-05T22:00:00Z")).unwrap();
        let error = check(Some(Ok(going.clone())), "1").unwrap_err();
        assert!(error.contains("AKSCluster weu-1 is being deleted: register it again"), "{error}");
        let open = json!({"restore": [{"pool": "apps", "ours": {"maxSurge": "33%"}}]});
        let observed =
            Observed { upgrade: upgrade("u", 0, open), cluster: Some(Ok(going)), others: Vec::new() };
        assert!(validate(&observed).is_ok(), "what was changed is put back");
    }

    #[test]
    fn what_has_a_cluster_first_is_told_from_its_object() {
        let (old, new) = (upgrade("old", 0, json!({})), upgrade("new", 1, json!({})));
        let waits_for =
            |upgrade: &ClusterUpgrade, other: &ClusterUpgrade| other_upgrade(upgrade, std::iter::once(other));
        assert_eq!(waits_for(&new, &old).as_deref(), Some("old"), "the older one");
        let ahead =
            upgrade("ahead", 2, json!({"steps": [{"from": "1.33.8", "to": "1.34.4", "state": "Succeeded"}]}));
        assert_eq!(waits_for(&old, &ahead).as_deref(), Some("ahead"), "what has begun");
        let (waits, starts) = (member("waits", 0, false), member("starts", 0, true));
        assert_eq!((waits_for(&new, &waits), waits_for(&new, &starts).as_deref()), (None, Some("starts")));
        let mut of_another = member("of-another", 1, false);
        of_another.spec.plan.as_mut().unwrap().name = "q".to_owned();
        assert_eq!(waits_for(&of_another, &waits).as_deref(), Some("waits"), "the older rollout");
        let mut going = waits;
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-12-05T22:00:00Z")).unwrap();
        assert_eq!(waits_for(&of_another, &going), None);
    }

    #[test]
    fn a_wave_holds_an_upgrade_until_it_is_admitted() {
        let wave = |admitted| request(&member("m", 0, admitted).spec).unwrap().waits_for_wave;
        assert_eq!((wave(false).as_deref(), wave(true)), (Some("w"), None));
        assert_eq!(request(&upgrade("by-hand", 0, json!({})).spec).unwrap().waits_for_wave, None);
    }

    const ID: &str = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/weu-1";

    fn cluster(name: &str, id: &str) -> AKSCluster {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
            "metadata": {"name": name, "namespace": "fleet"}, "spec": {"resourceId": id}
        }))
        .unwrap()
    }

    fn check(cluster: Option<Result<AKSCluster, String>>, retry: &str) -> Result<Request, String> {
        let mut upgrade = upgrade("u", 0, json!({}));
        upgrade.annotations_mut().insert(RETRY_ANNOTATION.to_owned(), retry.to_owned());
        let observed = Observed { upgrade, cluster, others: Vec::new() };
        validate(&observed).map(|(request, _)| request).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn the_cluster_must_be_there_under_its_own_name() {
        assert!(check(Some(Ok(cluster("weu-1", ID))), "1").is_ok());
        let error = check(None, "1").unwrap_err();
        assert_eq!(
            error,
            "spec.clusterRef.name: there is no AKSCluster weu-1 in namespace fleet: register it, or name another"
        );
        assert_eq!(check(Some(Ok(cluster("other", ID))), "1").unwrap_err(), error);
        let broken = check(Some(Err("missing field `spec`".to_owned())), "1").unwrap_err();
        assert!(broken.contains("AKSCluster weu-1 cannot be read: missing field `spec`"), "{broken}");
        let no_id = check(Some(Ok(cluster("weu-1", "/subscriptions/x"))), "1").unwrap_err();
        assert!(no_id.starts_with("AKSCluster weu-1, spec.resourceId: "), "{no_id}");
    }

    #[test]
    fn what_has_begun_on_one_cluster_goes_on_on_no_other() {
        let begun_on = |begun: &str| {
            let upgrade = upgrade("u", 0, json!({"azureCluster": begun}));
            let cluster = Some(Ok(cluster("weu-1", ID)));
            let valid = validate(&Observed { upgrade, cluster, others: Vec::new() });
            valid.map(|(_, id)| id.to_string()).map_err(|invalid| invalid.to_string())
        };
        let (this, other) = (
            "20000000-0000-4000-8000-000000000001/shop/weu-1",
            "20000000-0000-4000-8000-000000000001/archive/weu-1",
        );
        assert_eq!(begun_on(this).unwrap(), ID);
        assert!(begun_on(&this.to_uppercase()).is_ok(), "Azure's ids have no case");
        assert_eq!(
            begun_on(other).unwrap_err(),
            format!(
                "spec.clusterRef.name: AKSCluster weu-1 stands for {this} now, and this has begun on {other}: register that one under the name again, or delete this"
            )
        );
    }

    #[test]
    fn a_token_fits_into_the_status_that_echoes_it() {
        let token = |text: &str| check(Some(Ok(cluster("weu-1", ID))), text).unwrap().retry.unwrap();
        assert_eq!(token("1733436000"), "1733436000");
        assert!(token(&"ä".repeat(5000)).len() <= TOKEN_LIMIT);
    }
}
