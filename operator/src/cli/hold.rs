//! What holds an upgrade up besides its own matters: that it is suspended, that another cluster of the rollout has
//! stopped, that its wave waits for approvals, or that another upgrade has its cluster. Looks at what was read,
//! touches nothing.

use crds::{ClusterUpgrade, PlanSummary, UpgradePlan};
use kube::ResourceExt;

use super::subject;

/// What else there is to know, and what a person can do about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) besides: Vec<String>,
    pub(super) advice: Vec<String>,
}

/// Whether a plan is suspended, and says something else about itself.
pub(super) fn suspended_besides(plan: &UpgradePlan) -> bool {
    plan.spec.suspend
        && summary(plan).is_some_and(|known| known.reason != "Suspended" && known.phase != "Succeeded")
}

/// A sentence about a plan whose present rollout has stopped.
pub(super) fn stopped_note(plan: &UpgradePlan) -> Option<String> {
    let summary = summary(plan).filter(|summary| summary.phase == "Stopped")?;
    let name = plan.name_any();
    Some(format!(
        "UpgradePlan {name} has stopped: {}: {}\n  {} tells what you can do",
        summary.reason,
        summary.message,
        explain(&name, &plan.namespace().unwrap_or_default())
    ))
}

/// What holds a plan up besides.
pub(super) fn of_plan(plan: &UpgradePlan) -> Hold {
    let mut hold = Hold::default();
    if plan.spec.suspend && summary(plan).is_none_or(|known| known.phase != "Succeeded") {
        if suspended_besides(plan) {
            hold.besides
                .push("suspended besides: spec.suspend is true, so that nothing new starts".to_owned());
        }
        hold.advice.push(go_on(plan));
    }
    hold
}

/// What holds a cluster's upgrade up besides, as far as its plan and the rest of the rollout tell.
pub(super) fn of_upgrade(upgrade: &ClusterUpgrade, plans: &[UpgradePlan], all: &[ClusterUpgrade]) -> Hold {
    let standing = upgrade.status.as_ref().and_then(|status| status.summary.as_ref());
    let (phase, reason) =
        standing.map_or(("", ""), |standing| (standing.phase.as_str(), standing.reason.as_str()));
    let place = upgrade.spec.plan.as_ref();
    let plan = place.and_then(|place| plans.iter().find(|plan| plan.name_any() == place.name));
    let mut hold = match (reason, plan) {
        ("WaitingForWave", Some(plan)) => before(upgrade, plan, all),
        ("WaitingForWave" | "WaitingForOtherUpgrade", _) => of_other(upgrade, all),
        _ => Hold::default(),
    };
    let besides =
        |what: &str| format!("suspended besides: spec.suspend of {what} is true, so that nothing new starts");
    let suspended = match (upgrade.spec.suspend, plan) {
        _ if phase == "Succeeded" || phase == "Skipped" => None,
        (true, _) => Some((format!("ClusterUpgrade {}", upgrade.name_any()), go_on(upgrade))),
        (false, Some(plan)) if plan.spec.suspend => {
            Some((format!("UpgradePlan {}", plan.name_any()), go_on(plan)))
        }
        (false, _) => None,
    };
    if let Some((what, advice)) = suspended {
        if reason != "Suspended" {
            hold.besides.push(besides(&what));
        }
        hold.advice.push(advice);
    }
    hold
}

/// That another upgrade has the cluster.
fn of_other(upgrade: &ClusterUpgrade, all: &[ClusterUpgrade]) -> Hold {
    let Some(other) = subject::holder(upgrade, all) else { return Hold::default() };
    let name = other.name_any();
    let standing = other.status.as_ref().and_then(|status| status.summary.as_ref());
    let standing = standing.map_or_else(
        || "not looked at yet".to_owned(),
        |standing| format!("{}: {}", standing.reason, standing.message),
    );
    let explain = explain(&name, &upgrade.namespace().unwrap_or_default());
    Hold {
        besides: vec![format!(
            "ClusterUpgrade {name} has cluster {}: {standing}",
            upgrade.spec.cluster_ref.name
        )],
        advice: vec![format!(
            "{explain}   tells what to do there; this one's turn comes when that has ended"
        )],
    }
}

/// What tells of the upgrades that have clusters of a plan.
pub(super) fn holders(members: &[ClusterUpgrade], all: &[ClusterUpgrade]) -> Vec<String> {
    members.iter().flat_map(|member| of_other(member, all).advice).collect()
}

/// The command that approves the wave of a plan that waits for it.
pub(super) fn approve(plan: &UpgradePlan) -> String {
    format!(
        "tidegate approve {} -n {} --reason WHY   approves the wave, after showing what that starts",
        plan.name_any(),
        plan.namespace().unwrap_or_default()
    )
}

/// That people have to approve a wave of the plan.
fn unapproved(plan: &UpgradePlan) -> Hold {
    let waves = plan.status.iter().flat_map(|status| &status.waves);
    let besides: Vec<String> = waves
        .filter(|wave| wave.state == "WaitingForApproval")
        .map(|wave| {
            let given =
                wave.approvals.as_ref().map_or((0, 0), |approvals| (approvals.given, approvals.required));
            let (name, wave, (given, required)) = (plan.name_any(), &wave.name, given);
            format!("wave {wave} of UpgradePlan {name} waits for approvals: {given} of {required} are given")
        })
        .collect();
    let advice = if besides.is_empty() { Vec::new() } else { vec![approve(plan)] };
    Hold { besides, advice }
}

/// Why the turn of an upgrade does not come: what has stopped of its rollout, who has to approve, who has the cluster.
fn before(upgrade: &ClusterUpgrade, plan: &UpgradePlan, all: &[ClusterUpgrade]) -> Hold {
    let namespace = upgrade.namespace().unwrap_or_default();
    let rollout = |upgrade: &ClusterUpgrade| upgrade.spec.plan.as_ref().map(|place| place.rollout.clone());
    let mut hold = Hold::default();
    for other in all.iter().filter(|other| rollout(other) == rollout(upgrade)) {
        let summary = other.status.as_ref().and_then(|status| status.summary.as_ref());
        let Some(stopped) = summary.filter(|summary| summary.phase == "Stopped") else { continue };
        let cluster = &other.spec.cluster_ref.name;
        let wave = other.spec.plan.as_ref().map_or("", |place| place.wave.as_str());
        hold.besides
            .push(format!("{cluster}, in wave {wave}, has stopped: {}: {}", stopped.reason, stopped.message));
        hold.advice.push(format!(
            "{}   tells what to do there; this one's turn comes after it",
            explain(&subject::called(other, all), &namespace)
        ));
    }
    for more in [unapproved(plan), of_other(upgrade, all)] {
        hold.besides.extend(more.besides);
        hold.advice.extend(more.advice);
    }
    let name = plan.name_any();
    let stopped = summary(plan).filter(|summary| summary.phase == "Stopped" && hold.besides.is_empty());
    if let Some(summary) = stopped {
        hold.besides.push(format!("UpgradePlan {name} has stopped: {}: {}", summary.reason, summary.message));
        hold.advice.push(format!("{}   tells what to do", explain(&name, &namespace)));
    } else if hold.besides.is_empty() {
        hold.advice
            .push(format!("nothing: tidegate status {name} -n {namespace} shows how far the others are"));
    }
    hold
}

fn explain(name: &str, namespace: &str) -> String {
    format!("tidegate explain {name} -n {namespace}")
}

fn go_on(object: &impl ResourceExt) -> String {
    format!(
        "tidegate resume {} -n {}   lets new steps start",
        object.name_any(),
        object.namespace().unwrap_or_default()
    )
}

fn summary(plan: &UpgradePlan) -> Option<&PlanSummary> {
    plan.status.as_ref()?.summary.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(suspend: bool, phase: &str, reason: &str) -> UpgradePlan {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
            "metadata": {"name": "autumn", "namespace": "platform"},
            "spec": {"suspend": suspend, "target": {"scope": "NodeImage"},
                "waves": [{"name": "w", "clusters": {"names": ["a"]}}]},
            "status": {"summary": {"phase": phase, "reason": reason, "message": "because", "progress": "0/2", "wave": "w"}}
        }))
        .unwrap()
    }

    fn upgrade(cluster: &str, wave: &str, suspend: bool, phase: &str, reason: &str) -> ClusterUpgrade {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
            "metadata": {"name": format!("autumn-1-{cluster}"), "namespace": "platform"},
            "spec": {"suspend": suspend, "clusterRef": {"name": cluster}, "target": {"scope": "NodeImage"},
                "plan": {"name": "autumn", "rollout": "autumn-1", "wave": wave}},
            "status": {"summary": {"phase": phase, "reason": reason, "message": "a budget", "progress": "0/1",
                "since": "2026-12-05T22:00:00Z"}}
        }))
        .unwrap()
    }

    #[test]
    fn an_upgrade_that_waits_for_its_wave_names_who_has_stopped() {
        let waiting = upgrade("weu-prod", "production", false, "Parked", "WaitingForWave");
        let mut elsewhere = upgrade("old", "canary", false, "Stopped", "GateFailed");
        elsewhere.spec.plan.as_mut().unwrap().rollout = "autumn-0".to_owned();
        let canary = |phase, reason| {
            let all =
                [upgrade("weu-canary", "canary", false, phase, reason), elsewhere.clone(), waiting.clone()];
            of_upgrade(&waiting, &[plan(false, phase, reason)], &all)
        };
        let stopped = canary("Stopped", "DrainBlocked");
        assert_eq!(stopped.besides, ["weu-canary, in wave canary, has stopped: DrainBlocked: a budget"]);
        assert!(stopped.advice[0].starts_with("tidegate explain weu-canary -n platform "), "{stopped:?}");
        let working = canary("Working", "Verifying");
        assert!(working.besides.is_empty());
        assert_eq!(
            working.advice,
            ["nothing: tidegate status autumn -n platform shows how far the others are"]
        );
        let missing = of_upgrade(&waiting, &[plan(false, "Stopped", "MemberMissing")], &[]);
        assert_eq!(missing.besides, ["UpgradePlan autumn has stopped: MemberMissing: because"]);
    }

    #[test]
    fn an_upgrade_whose_wave_is_not_approved_names_the_command() {
        let mut plan = plan(false, "Parked", "WaitingForApproval");
        let waves = json!([
            {"name": "canary", "state": "Succeeded", "clusters": {"total": 1}},
            {"name": "production", "state": "WaitingForApproval", "clusters": {"total": 1},
                "approvals": {"required": 2, "given": 1, "by": ["bea"], "starts": "1 cluster"}}]);
        plan.status.as_mut().unwrap().waves = serde_json::from_value(waves).unwrap();
        let waiting = upgrade("weu-prod", "production", false, "Parked", "WaitingForWave");
        let hold = of_upgrade(&waiting, &[plan], std::slice::from_ref(&waiting));
        assert_eq!(
            hold.besides,
            ["wave production of UpgradePlan autumn waits for approvals: 1 of 2 are given"]
        );
        assert!(hold.advice[0].starts_with("tidegate approve autumn -n platform --reason WHY "), "{hold:?}");
        assert_eq!(hold.advice.len(), 1, "and not that there is nothing to do: {hold:?}");
    }

    #[test]
    fn an_upgrade_whose_cluster_another_has_names_that_one() {
        let made = |rollout: &str, minute: u8, reason: &str| {
            let mut made = upgrade("weu-prod", "production", false, "Parked", reason);
            made.metadata.name = Some(format!("{rollout}-weu-prod"));
            let at = json!(format!("2026-12-05T22:{minute:02}:00Z"));
            made.metadata.creation_timestamp = serde_json::from_value(at).unwrap();
            let place = made.spec.plan.as_mut().unwrap();
            (place.name, place.rollout) = (rollout.to_owned(), rollout.to_owned());
            made
        };
        let older = made("winter", 0, "WaitingForWindow");
        for reason in ["WaitingForOtherUpgrade", "WaitingForWave"] {
            let waiting = made("autumn", 9, reason);
            let all = [waiting.clone(), older.clone()];
            for plans in [vec![], vec![plan(false, "Parked", "WaitingForOtherUpgrade")]] {
                let hold = of_upgrade(&waiting, &plans, &all);
                let told =
                    ["ClusterUpgrade winter-weu-prod has cluster weu-prod: WaitingForWindow: a budget"];
                assert_eq!(hold.besides, told);
                assert_eq!(hold.advice.len(), 1, "{hold:?}");
                assert!(
                    hold.advice[0].starts_with("tidegate explain winter-weu-prod -n platform "),
                    "{hold:?}"
                );
            }
            assert_eq!(holders(&[waiting], &all).len(), 1);
        }
    }

    #[test]
    fn what_is_suspended_besides_says_what_to_set() {
        let stopped = |suspend| upgrade("a", "w", suspend, "Stopped", "GateFailed");
        let of = |suspend, plan| of_upgrade(&stopped(suspend), &[plan], &[]);
        let own = of(true, plan(false, "Stopped", "GateFailed"));
        assert!(own.besides[0].contains("spec.suspend of ClusterUpgrade autumn-1-a is true"), "{own:?}");
        assert!(own.advice[0].starts_with("tidegate resume autumn-1-a -n platform   "));
        let plans = of(false, plan(true, "Stopped", "GateFailed"));
        assert!(
            plans.besides[0].contains("UpgradePlan autumn")
                && plans.advice[0].contains("tidegate resume autumn -n ")
        );
        assert_eq!(of(false, plan(false, "Stopped", "GateFailed")), Hold::default());
        let parked = of_upgrade(&upgrade("a", "w", true, "Parked", "Suspended"), &[], &[]);
        assert!(parked.besides.is_empty() && parked.advice.len() == 1, "said already: {parked:?}");
        assert_eq!(of_upgrade(&upgrade("a", "w", true, "Succeeded", "Succeeded"), &[], &[]), Hold::default());
    }

    #[test]
    fn a_plan_says_so_too() {
        let stopped = plan(true, "Stopped", "GateFailed");
        assert!(suspended_besides(&stopped) && of_plan(&stopped).besides.len() == 1);
        for (suspend, phase, reason) in [(false, "Stopped", "GateFailed"), (true, "Succeeded", "Succeeded")] {
            assert_eq!(of_plan(&plan(suspend, phase, reason)), Hold::default(), "{phase}");
        }
        let parked = plan(true, "Parked", "Suspended");
        assert!(
            !suspended_besides(&parked) && of_plan(&parked).advice[0].contains("tidegate resume autumn -n ")
        );
        let note = stopped_note(&stopped).unwrap();
        assert!(
            note.contains("autumn has stopped: GateFailed: because")
                && note.contains("tidegate explain autumn")
        );
        assert!(stopped_note(&parked).is_none());
    }
}
