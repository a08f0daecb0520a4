//! Whether a workload is healthy, from its own status.

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    batch::v1::Job,
};

/// What is wrong with a Deployment.
pub(super) fn deployment(object: &Deployment) -> Option<&'static str> {
    let status = object.status.as_ref();
    let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let observed = status.and_then(|status| status.observed_generation);
    missing(wanted, status.and_then(|status| status.available_replicas), observed, object.metadata.generation)
}

/// What is wrong with a StatefulSet.
pub(super) fn stateful_set(object: &StatefulSet) -> Option<&'static str> {
    let status = object.status.as_ref();
    let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let observed = status.and_then(|status| status.observed_generation);
    missing(wanted, status.and_then(|status| status.available_replicas), observed, object.metadata.generation)
}

/// What is wrong with a DaemonSet.
pub(super) fn daemon_set(object: &DaemonSet) -> Option<&'static str> {
    let status = object.status.as_ref();
    let wanted = status.map_or(0, |status| status.desired_number_scheduled);
    let observed = status.and_then(|status| status.observed_generation);
    missing(wanted, status.and_then(|status| status.number_available), observed, object.metadata.generation)
}

/// What is wrong with a Job.
pub(super) fn job(object: &Job) -> Option<&'static str> {
    let conditions = object.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .any(|condition| condition.type_ == "Failed" && condition.status == "True")
        .then_some("has failed")
}

fn missing(
    wanted: i32,
    available: Option<i32>,
    observed: Option<i64>,
    generation: Option<i64>,
) -> Option<&'static str> {
    if observed < generation {
        return Some("its controller has not seen its newest specification");
    }
    (available.unwrap_or(0) < wanted).then_some("not all replicas are available")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn found(generation: i64, wanted: Value, status: Value) -> Option<&'static str> {
        let object = json!({
            "metadata": {"generation": generation},
            "spec": {"replicas": wanted, "selector": {}, "template": {}},
            "status": status
        });
        deployment(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_deployment_is_healthy_when_all_that_is_wanted_is_available() {
        assert_eq!(found(1, json!(3), json!({"observedGeneration": 1, "availableReplicas": 3})), None);
        assert_eq!(found(1, json!(0), json!({"observedGeneration": 1})), None);
        let short = found(1, json!(3), json!({"observedGeneration": 1, "availableReplicas": 2}));
        assert_eq!(short, Some("not all replicas are available"));
        assert!(
            found(1, Value::Null, json!({"observedGeneration": 1})).is_some(),
            "one is wanted by default"
        );
        assert!(found(2, json!(1), json!({"observedGeneration": 1, "availableReplicas": 1})).is_some());
        assert!(found(1, json!(1), json!({})).is_some(), "nothing is known yet");
    }
}
