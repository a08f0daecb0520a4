//! From what users write to what the engine takes: parsed once, so that nothing invalid gets further.

use engine::{ApprovalPolicy, KubernetesRequest, OrderRule, Policy, PoolMatch, Settings, Share};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{GateSpec, NodePoolMatch, TargetSpec, UpgradePolicy, UpgradeSettings, WaveSpec};

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
    let UpgradePolicy { node_pools, gates, failure_policy, soak, force_upgrade, schedule: _ } = policy;
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
                upgrade_settings: settings_of(rule.upgrade_settings.as_ref()),
            })
            .collect(),
        exclude: pools.exclude.iter().map(pool_match).collect(),
        retries: failures
            .and_then(|failures| failures.retries)
            .and_then(|retries| u32::try_from(retries).ok())
            .unwrap_or(defaults.retries),
        on_gate_failure: failures.and_then(|failures| failures.on_gate_failure).unwrap_or_default(),
        step_timeout: failures
            .and_then(|failures| failures.step_timeout)
            .map_or(defaults.step_timeout, |timeout| timeout.0),
        ignored_namespaces: gates.iter().flat_map(|gate| gate.workloads.exclude_namespaces.clone()).collect(),
        progress_deadline: deadline.map_or(defaults.progress_deadline, |deadline| deadline.0),
        soak: soak.map_or(defaults.soak, |soak| soak.0),
        upgrade_settings: settings_of(pools.upgrade_settings.as_ref()),
        force_until: force_upgrade.as_ref().map(|force| force.until),
    }
}

fn settings_of(settings: Option<&UpgradeSettings>) -> Settings {
    settings.map(UpgradeSettings::settings).unwrap_or_default()
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

/// How many clusters of a wave may fail.
///
/// # Errors
/// When it is neither a number nor a percent up to 100.
pub fn budget_of(wave: &WaveSpec, index: usize) -> Result<Share, InvalidField> {
    let budget = match &wave.failure_budget {
        None => Some(Share::Number(0)),
        Some(IntOrString::Int(number)) => u32::try_from(*number).ok().map(Share::Number),
        Some(IntOrString::String(text)) => text
            .strip_suffix('%')
            .and_then(|percent| percent.parse().ok())
            .filter(|percent| *percent <= 100)
            .map(Share::Percent),
    };
    budget.ok_or_else(|| InvalidField {
        field: format!("spec.waves[{index}].failureBudget"),
        problem: "must be a number of at least 0, or a percent between \"0%\" and \"100%\"".to_owned(),
    })
}

/// What a wave needs before its first cluster starts.
///
/// # Errors
/// When that is less than one approval, or approvals would expire at once.
pub fn approvals_of(wave: &WaveSpec, index: usize) -> Result<Option<ApprovalPolicy>, InvalidField> {
    let Some(approvals) = &wave.approvals else { return Ok(None) };
    let invalid = |field: &str, problem: &str| InvalidField {
        field: format!("spec.waves[{index}].approvals.{field}"),
        problem: problem.to_owned(),
    };
    let required = u32::try_from(approvals.required).ok().filter(|required| *required >= 1);
    let required = required
        .ok_or_else(|| invalid("required", "must be at least 1: leave approvals out if none is needed"))?;
    let expire_after = approvals.expire_after.map(|length| length.0);
    if expire_after.is_some_and(|length| length.is_zero()) {
        return Err(invalid("expireAfter", "must be longer than 0s: no approval would ever count"));
    }
    Ok(Some(ApprovalPolicy { required, expire_after, separate_author: approvals.separate_author }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Setting;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn policy(value: Value) -> Policy {
        policy_of(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn what_is_not_said_has_the_defaults() {
        assert_eq!(policy(json!({})), Policy::default());
    }

    #[test]
    fn each_setting_reaches_the_engine() {
        let told = policy(json!({
            "nodePools": {
                "upgradeSettings": {"maxSurge": "33%"},
                "order": [{"name": "system", "match": {"mode": "System"}, "soak": "10m",
                        "upgradeSettings": {"drainTimeout": "1h"}},
                    {"name": "rest", "match": {"osType": "Linux"}}],
                "exclude": [{"names": ["legacy"]}]
            },
            "gates": [{"name": "a", "workloads": {"excludeNamespaces": ["dev"], "progressDeadline": "5m"}},
                {"name": "b", "workloads": {"excludeNamespaces": ["test"]}}],
            "failurePolicy": {"retries": 0, "stepTimeout": "1h30m", "onGateFailure": "RollbackNodePool"},
            "soak": "1d",
            "forceUpgrade": {"until": "2026-12-06T22:00:00Z"}
        }));
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let soaks: Vec<_> = told.order.iter().map(|rule| rule.soak).collect();
        assert_eq!(soaks, [minutes(10), minutes(0)]);
        assert_eq!(told.order[0].matches.mode.as_deref(), Some("System"));
        assert_eq!(told.exclude[0].names, ["legacy"]);
        assert_eq!(told.ignored_namespaces, ["dev", "test"]);
        assert_eq!((told.progress_deadline, told.soak), (minutes(5), minutes(24 * 60)));
        assert_eq!((told.retries, told.step_timeout), (0, minutes(90)));
        assert_eq!(told.on_gate_failure, engine::OnGateFailure::RollbackNodePool);
        assert_eq!(told.upgrade_settings, [(Setting::MaxSurge, "33%")].into());
        assert_eq!(told.order[0].upgrade_settings, [(Setting::DrainTimeoutInMinutes, "60")].into());
        assert!(told.order[1].upgrade_settings.is_empty());
        assert_eq!(told.force_until, Some("2026-12-06T22:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_share_is_a_number_or_a_percent() {
        let share = |value: Value| {
            let wave = json!({"name": "w", "clusters": {"names": ["a"]}, "maxConcurrent": value});
            share_of(&serde_json::from_value(wave).unwrap(), 2)
        };
        assert_eq!(share(Value::Null), Ok(Share::Number(1)));
        assert_eq!(share(json!(3)), Ok(Share::Number(3)));
        assert_eq!(share(json!("25%")), Ok(Share::Percent(25)));
        for wrong in [json!(0), json!(-1), json!("0%"), json!("101%"), json!("3"), json!("%"), json!("a few")]
        {
            let error = share(wrong.clone()).unwrap_err().to_string();
            assert!(error.starts_with("spec.waves[2].maxConcurrent: must be a number"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_budget_is_a_number_or_a_percent_and_may_be_none() {
        let budget = |value: Value| {
            let wave = json!({"name": "w", "clusters": {"names": ["a"]}, "failureBudget": value});
            budget_of(&serde_json::from_value(wave).unwrap(), 1)
        };
        assert_eq!(budget(Value::Null), Ok(Share::Number(0)));
        assert_eq!((budget(json!(0)), budget(json!("0%"))), (Ok(Share::Number(0)), Ok(Share::Percent(0))));
        assert_eq!(budget(json!("10%")), Ok(Share::Percent(10)));
        for wrong in [json!(-1), json!("101%"), json!("2"), json!("some")] {
            let error = budget(wrong.clone()).unwrap_err().to_string();
            assert!(error.starts_with("spec.waves[1].failureBudget: must be a number"), "{wrong}: {error}");
        }
    }

    #[test]
    fn approvals_that_mean_nothing_are_refused() {
        let approvals = |value: Value| {
            let wave = json!({"name": "w", "clusters": {"names": ["a"]}, "approvals": value});
            approvals_of(&serde_json::from_value(wave).unwrap(), 1)
        };
        assert_eq!(approvals(Value::Null), Ok(None));
        let two = approvals(json!({"required": 2, "expireAfter": "72h", "separateAuthor": true})).unwrap();
        let expire_after = Some(Duration::from_secs(72 * 3600));
        assert_eq!(two, Some(ApprovalPolicy { required: 2, expire_after, separate_author: true }));
        for (wrong, field) in [
            (json!({"required": 0}), "spec.waves[1].approvals.required"),
            (json!({"required": 1, "expireAfter": "0s"}), "spec.waves[1].approvals.expireAfter"),
        ] {
            assert_eq!(approvals(wrong).unwrap_err().field, field);
        }
    }

    #[test]
    fn a_version_or_a_channel() {
        let request = |kubernetes: Value| {
            kubernetes_request(&serde_json::from_value(json!({ "kubernetes": kubernetes })).unwrap())
        };
        assert!(matches!(request(json!({"version": "1.35"})), Ok(Some(KubernetesRequest::Version(_)))));
        assert!(matches!(request(json!({"channel": "Stable"})), Ok(Some(KubernetesRequest::Channel(_)))));
        assert_eq!(request(Value::Null), Ok(None));
        let neither = request(json!({})).unwrap_err();
        assert_eq!(neither.field, "spec.target.kubernetes");
        let wrong = request(json!({"version": "newest"})).unwrap_err().to_string();
        assert!(wrong.contains("write a patch such as 1.34.2 or a minor such as 1.34"), "{wrong}");
    }
}
