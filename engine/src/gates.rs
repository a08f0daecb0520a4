//! The built-in gates: nodes that show what they should, workloads no worse than before.

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::{
    ledger::Baseline,
    observation::{Node, Reading, Workload},
    planted::{PlantedBug, planted},
    policy::Policy,
    step::{Step, StepKind},
    version::KubernetesVersion,
};

/// More unhealthy workloads than this and the baseline would say nothing.
pub const LARGEST_BASELINE: usize = 100;

/// What a gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Stop; what is wrong, sorted.
    Fail(Vec<String>),
    /// Nothing is known; why.
    Inconclusive(String),
}

/// The workloads that are unhealthy before the first step, and so are not blamed on it.
#[must_use]
pub fn take_baseline(workloads: &[Workload], policy: &Policy, now: Timestamp) -> Baseline {
    let mut unhealthy: Vec<String> =
        watched(workloads, policy).filter(|workload| workload.problem.is_some()).map(Workload::key).collect();
    unhealthy.sort_unstable();
    Baseline { taken_at: now, unhealthy }
}

/// The gate `workloads`: nothing that was healthy in the baseline is unhealthy now.
///
/// A workload without a baseline, created since, is not judged: it may still be starting.
#[must_use]
pub fn judge_workloads(baseline: &Baseline, workloads: &Reading<Vec<Workload>>, policy: &Policy) -> Verdict {
    let workloads = match workloads {
        Ok(workloads) => workloads,
        Err(_) if planted(PlantedBug::UnreadableIsHealthy) => return Verdict::Pass,
        Err(unreadable) => return Verdict::Inconclusive(unreadable.to_string()),
    };
    let mut broken: Vec<String> = watched(workloads, policy)
        .filter(|workload| workload.created_at.is_none_or(|created| created <= baseline.taken_at))
        .filter_map(|workload| {
            let problem = workload.problem.as_ref()?;
            let key = workload.key();
            (!baseline.unhealthy.contains(&key)).then(|| format!("{key}: {problem}"))
        })
        .collect();
    broken.sort_unstable();
    if broken.is_empty() || planted(PlantedBug::FailingGatePasses) {
        Verdict::Pass
    } else {
        Verdict::Fail(broken)
    }
}

fn watched<'a>(workloads: &'a [Workload], policy: &'a Policy) -> impl Iterator<Item = &'a Workload> {
    workloads.iter().filter(|workload| !policy.ignored_namespaces.contains(&workload.namespace))
}

/// The gate `nodes`: every node of the pool shows the step's version or image, is Ready,
/// schedulable and not quarantined, and there are as many as the pool should have.
#[must_use]
pub fn judge_nodes(step: &Step, image: &str, count: Option<i32>, nodes: &[Node]) -> Verdict {
    let missing = missing_in_nodes(step, image, count, nodes);
    if missing.is_empty() { Verdict::Pass } else { Verdict::Fail(missing) }
}

/// What the nodes do not show yet, sorted; nothing when they pass.
pub(crate) fn missing_in_nodes(step: &Step, image: &str, count: Option<i32>, nodes: &[Node]) -> Vec<String> {
    let wanted = match step.kind {
        StepKind::NodePoolVersion | StepKind::NodePoolRollback => {
            step.version_after().parse::<KubernetesVersion>().ok()
        }
        StepKind::ControlPlane | StepKind::NodePoolImage => None,
    };
    let mut problems: Vec<String> = nodes
        .iter()
        .filter_map(|node| {
            node_problem(node, wanted.as_ref(), image).map(|problem| format!("node {} {problem}", node.name))
        })
        .collect();
    problems.sort_unstable();
    // What there should be, not what there is: the number changes while surge nodes go.
    let number = count.map(|count| (count, nodes.len().cmp(&usize::try_from(count).unwrap_or_default())));
    match number {
        // All that are there may be done, and others still missing.
        None => problems.insert(0, "Azure does not say how many nodes the pool should have".to_owned()),
        Some((_, Ordering::Less)) if planted(PlantedBug::IgnoreMissingNodes) => {}
        Some((count, Ordering::Less)) => {
            problems.insert(0, format!("the pool has fewer nodes than the {count} it should have"))
        }
        Some((count, Ordering::Greater)) => {
            problems.insert(0, format!("the pool has more nodes than the {count} it should have"))
        }
        Some((_, Ordering::Equal)) => {}
    }
    problems
}

fn node_problem(node: &Node, wanted: Option<&KubernetesVersion>, image: &str) -> Option<String> {
    if planted(PlantedBug::OnlyCountNodes) {
        return None;
    }
    if let Some(wanted) = wanted
        && !planted(PlantedBug::IgnoreKubelet)
        && !node.kubelet.as_ref().is_some_and(|kubelet| kubelet.is_release_of(wanted))
    {
        let shown = node.kubelet.as_ref().map_or("nothing".to_owned(), ToString::to_string);
        return Some(format!("shows kubelet {shown} instead of {wanted}"));
    }
    if node.image != image && !planted(PlantedBug::IgnoreImage) {
        return Some(format!("shows image {} instead of {image}", node.image));
    }
    if node.quarantined {
        return Some("is quarantined: it could not be drained".to_owned());
    }
    if !node.ready {
        return Some("is not Ready".to_owned());
    }
    (!node.schedulable).then(|| "is cordoned".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observation::Unreadable,
        testing::{NEW_LINUX, OLD_LINUX, version},
    };

    fn workload(name: &str, problem: Option<&str>, created: &str) -> Workload {
        Workload {
            kind: "Deployment",
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            created_at: Some(created.parse().unwrap()),
            problem: problem.map(str::to_owned),
        }
    }

    const OLD: &str = "2026-01-01T00:00:00Z";

    fn baseline() -> Baseline {
        let before = [workload("checkout", None, OLD), workload("legacy", Some("0 of 1 available"), OLD)];
        take_baseline(&before, &Policy::default(), "2026-11-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn blames_only_what_was_healthy_before() {
        let now = vec![
            workload("checkout", Some("1 of 3 available"), OLD),
            workload("legacy", Some("0 of 1 available"), OLD),
            workload("newcomer", Some("0 of 1 available"), "2026-11-02T00:00:00Z"),
        ];
        let verdict = judge_workloads(&baseline(), &Ok(now.clone()), &Policy::default());
        assert_eq!(verdict, Verdict::Fail(vec!["Deployment shop/checkout: 1 of 3 available".to_owned()]));
        let ignoring = Policy { ignored_namespaces: vec!["shop".to_owned()], ..Policy::default() };
        assert_eq!(judge_workloads(&baseline(), &Ok(now), &ignoring), Verdict::Pass);
    }

    #[test]
    fn a_gate_without_data_is_not_a_pass() {
        let denied = Err(Unreadable::failed("deployments.apps is forbidden"));
        let verdict = judge_workloads(&baseline(), &denied, &Policy::default());
        assert_eq!(verdict, Verdict::Inconclusive("deployments.apps is forbidden".to_owned()));
    }

    #[test]
    fn nodes_must_show_it_themselves() {
        let step = Step {
            kind: StepKind::NodePoolVersion,
            pool: Some("linux1".to_owned()),
            from: "1.33.8".to_owned(),
            to: "1.34.4".to_owned(),
        };
        let good = Node {
            name: "a".to_owned(),
            kubelet: Some(version("1.34.4")),
            image: NEW_LINUX.to_owned(),
            ready: true,
            schedulable: true,
            quarantined: false,
            leaving: false,
        };
        let judge = |node: Node| judge_nodes(&step, NEW_LINUX, Some(1), &[node]);
        assert_eq!(judge(good.clone()), Verdict::Pass);
        let long_term = Node { kubelet: Some(version("1.34.4-akslts")), ..good.clone() };
        assert_eq!(
            judge(long_term),
            Verdict::Pass,
            "AKS builds patches for long-term support under such names"
        );
        let bad = [
            Node { kubelet: Some(version("1.33.8")), ..good.clone() },
            Node { kubelet: None, ..good.clone() },
            Node { image: OLD_LINUX.to_owned(), ..good.clone() },
            Node { ready: false, ..good.clone() },
            Node { schedulable: false, ..good.clone() },
            Node { quarantined: true, ..good.clone() },
        ];
        for node in bad {
            assert!(matches!(judge(node.clone()), Verdict::Fail(_)), "{node:?}");
        }
        let of = |count, nodes: &[Node]| judge_nodes(&step, NEW_LINUX, count, nodes);
        assert!(matches!(of(Some(2), std::slice::from_ref(&good)), Verdict::Fail(_)), "one is missing");
        assert!(matches!(of(Some(1), &[]), Verdict::Fail(_)), "all are missing");
        let unknown =
            Verdict::Fail(vec!["Azure does not say how many nodes the pool should have".to_owned()]);
        assert_eq!(of(None, &[good]), unknown, "not known is not zero, and not as many as there are");
        assert_eq!(of(None, &[]), unknown);
    }
}
