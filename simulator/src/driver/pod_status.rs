//! What a kubelet says about a pod, from the moment it sees it to its end.
//!
//! Pure: from the pod, its node, what the scenario wants to become of it, and the
//! time, to the whole status. What does not change keeps its times, so that an equal
//! status means that there is nothing to write.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus};
use kube::ResourceExt;

use super::{
    container_status::{
        blank, completed, container_id, crashing, ended, not_pulled, restart_in, running, started_at, waiting,
    },
    node_object::{NodeFacts, hash},
    wall::stored,
};
use crate::scenario::workloads::PodOutcome;

/// Whether the pod has ended for good.
pub(super) fn is_finished(pod: &Pod) -> bool {
    matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"))
}

/// Whether the pod is one that a Job waits for.
pub(super) fn runs_to_completion(pod: &Pod) -> bool {
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    policy.is_some_and(|policy| policy != "Always")
        && pod.owner_references().iter().any(|owner| owner.kind == "Job")
}

/// Whether containers that have failed are started again.
pub(super) fn restarts(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) != Some("Never")
}

/// Whether the pod was never started on this node, or last before the node's present boot.
pub(super) fn needs_start(pod: &Pod, node: &NodeFacts) -> bool {
    let Some(status) = &pod.status else { return true };
    let known = status.container_statuses.as_deref().unwrap_or_default();
    status.start_time.is_none()
        || known.is_empty()
        || known.iter().any(|status| is_of_earlier_boot(pod, node, status))
}

fn is_of_earlier_boot(pod: &Pod, node: &NodeFacts, status: &ContainerStatus) -> bool {
    status.container_id.as_ref().is_some_and(|id| *id != container_id(pod, node, &status.name))
}

/// The status of a pod whose containers are being created: at first, or again after a reimage.
pub(super) fn creating(pod: &Pod, node: &NodeFacts, now: Timestamp) -> PodStatus {
    let mut status = pod.status.clone().unwrap_or_default();
    let reason = if init_containers(pod).is_empty() { "ContainerCreating" } else { "PodInitializing" };
    let waits = |container: &Container, previous: Option<ContainerStatus>| {
        let mut status = blank(container, previous.as_ref());
        status.state = Some(waiting(reason, None));
        if let Some(previous) = previous.filter(|previous| is_of_earlier_boot(pod, node, previous)) {
            status.restart_count += 1;
            status.last_state =
                Some(ended(255, "Unknown", previous.container_id.clone(), started_at(&previous), now));
        }
        status
    };
    status.container_statuses = Some(each(containers(pod), status.container_statuses.as_deref(), waits));
    let init = each(init_containers(pod), status.init_container_statuses.as_deref(), waits);
    status.init_container_statuses = (!init.is_empty()).then_some(init);
    status.phase = Some("Pending".to_owned());
    status.start_time.get_or_insert_with(|| stored(now));
    status.host_ip = Some(node.ip.clone());
    status.host_ips = Some(vec![HostIP { ip: node.ip.clone() }]);
    let mut conditions = Conditions { list: status.conditions.take().unwrap_or_default(), now };
    conditions.scheduled();
    conditions.set("PodReadyToStartContainers", Err(None));
    conditions.set(
        "Initialized",
        if init_containers(pod).is_empty() { Ok(()) } else { Err(Some("ContainersNotInitialized")) },
    );
    conditions.set("ContainersReady", Err(Some("ContainersNotReady")));
    conditions.set("Ready", Err(Some("ContainersNotReady")));
    status.conditions = Some(conditions.list);
    status
}

/// The status in which a started pod stays. `real` says how long
/// a simulated time really takes.
pub(super) fn settled(
    pod: &Pod,
    node: &NodeFacts,
    outcome: PodOutcome,
    now: Timestamp,
    real: impl Fn(Duration) -> Duration,
) -> PodStatus {
    let mut status = pod.status.clone().unwrap_or_default();
    let id = |container: &Container| container_id(pod, node, &container.name);
    let main = |container: &Container, previous: Option<ContainerStatus>| match outcome {
        PodOutcome::Running => running(container, previous, id(container), true, now),
        PodOutcome::NotReady => running(container, previous, id(container), false, now),
        PodOutcome::CrashLoopBackOff => crashing(pod, container, previous, id(container), now, &real),
        PodOutcome::ImagePullBackOff => not_pulled(container, previous),
    };
    let pulled = outcome != PodOutcome::ImagePullBackOff;
    status.container_statuses = Some(each(containers(pod), status.container_statuses.as_deref(), main));
    let init =
        each(init_containers(pod), status.init_container_statuses.as_deref(), |container, previous| {
            if container.restart_policy.as_deref() == Some("Always") {
                running(container, previous, id(container), true, now)
            } else {
                completed(container, previous, id(container), now)
            }
        });
    status.init_container_statuses = (!init.is_empty()).then_some(init);
    status.phase = Some(if pulled { "Running" } else { "Pending" }.to_owned());
    let ip = pod_ip(pod, node);
    status.pod_ips = Some(vec![PodIP { ip: ip.clone() }]);
    status.pod_ip = Some(ip);
    let ready = outcome == PodOutcome::Running;
    let mut conditions = Conditions { list: status.conditions.take().unwrap_or_default(), now };
    conditions.scheduled();
    conditions.set("PodReadyToStartContainers", Ok(()));
    conditions.set("Initialized", Ok(()));
    conditions.set("ContainersReady", if ready { Ok(()) } else { Err(Some("ContainersNotReady")) });
    let gates_open = gates(pod).all(|gate| conditions.is_true(gate));
    let verdict = match (ready, gates_open) {
        (true, true) => Ok(()),
        (true, false) => Err(Some("ReadinessGatesNotReady")),
        (false, _) => Err(Some("ContainersNotReady")),
    };
    conditions.set("Ready", verdict);
    status.conditions = Some(conditions.list);
    status
}

/// The last status of a Job's pod.
pub(super) fn finished(pod: &Pod, node: &NodeFacts, succeeded: bool, now: Timestamp) -> PodStatus {
    let mut status = pod.status.clone().unwrap_or_default();
    let (code, reason) = if succeeded { (0, "Completed") } else { (1, "Error") };
    let ends = |container: &Container, previous: Option<ContainerStatus>| {
        let mut status = blank(container, previous.as_ref());
        let id = container_id(pod, node, &container.name);
        let started = previous.as_ref().and_then(started_at);
        status.state = Some(ended(code, reason, Some(id.clone()), started, now));
        status.container_id = Some(id);
        status
    };
    status.container_statuses = Some(each(containers(pod), status.container_statuses.as_deref(), ends));
    status.phase = Some(if succeeded { "Succeeded" } else { "Failed" }.to_owned());
    let why = if succeeded { "PodCompleted" } else { "PodFailed" };
    let mut conditions = Conditions { list: status.conditions.take().unwrap_or_default(), now };
    conditions.set("PodReadyToStartContainers", Err(None));
    conditions.set("ContainersReady", Err(Some(why)));
    conditions.set("Ready", Err(Some(why)));
    status.conditions = Some(conditions.list);
    status
}

/// How long until a crashing pod is started again; `None` when it does not crash.
pub(super) fn next_restart(
    status: &PodStatus,
    now: Timestamp,
    real: impl Fn(Duration) -> Duration,
) -> Option<Duration> {
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    containers.iter().filter_map(|container| restart_in(container, now, &real)).min()
}

/// One status per container, made from the one before.
fn each(
    containers: &[Container],
    before: Option<&[ContainerStatus]>,
    make: impl Fn(&Container, Option<ContainerStatus>) -> ContainerStatus,
) -> Vec<ContainerStatus> {
    let before = before.unwrap_or_default();
    containers
        .iter()
        .map(|container| make(container, before.iter().find(|status| status.name == container.name).cloned()))
        .collect()
}

fn containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default()
}

fn init_containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default()
}

fn gates(pod: &Pod) -> impl Iterator<Item = &str> {
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    gates.map(|gate| gate.condition_type.as_str())
}

/// The node's address for pods in its network, else one in 10.240.0.0/12.
fn pod_ip(pod: &Pod, node: &NodeFacts) -> String {
    if pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or_default() {
        return node.ip.clone();
    }
    let [.., high, middle, low] = hash(&[&pod.uid().unwrap_or_default(), "ip"]).to_be_bytes();
    format!("10.{}.{middle}.{low}", 240 + high % 16)
}

/// Conditions whose times change only when their status does.
struct Conditions {
    list: Vec<PodCondition>,
    now: Timestamp,
}

impl Conditions {
    fn is_true(&self, kind: &str) -> bool {
        self.list.iter().any(|condition| condition.type_ == kind && condition.status == "True")
    }

    /// The scheduler says so itself, except of pods that name their node.
    fn scheduled(&mut self) {
        if !self.is_true("PodScheduled") {
            self.set("PodScheduled", Ok(()));
        }
    }

    /// True, or false for a reason.
    fn set(&mut self, kind: &str, verdict: Result<(), Option<&str>>) {
        let (status, reason) = match verdict {
            Ok(()) => ("True", None),
            Err(reason) => ("False", reason.map(str::to_owned)),
        };
        let position = self.list.iter().position(|condition| condition.type_ == kind).unwrap_or_else(|| {
            self.list.push(PodCondition { type_: kind.to_owned(), ..PodCondition::default() });
            self.list.len() - 1
        });
        let condition = &mut self.list[position];
        if condition.status != status {
            condition.status = status.to_owned();
            condition.last_transition_time = Some(stored(self.now));
        }
        condition.reason = reason;
        condition.message = None;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(boot_id: &str) -> NodeFacts {
        NodeFacts {
            kubelet_version: "v1.34.4".into(),
            image: "AKSUbuntu-2204-1".into(),
            boot_id: boot_id.into(),
            ready: true,
            ip: "10.224.0.4".into(),
        }
    }

    fn pod(spec: serde_json::Value) -> Pod {
        let mut spec = spec;
        spec["containers"] = json!([{ "name": "web", "image": "nginx:1" }]);
        let owner = json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "2" }]);
        let metadata = json!({ "name": "web-1", "namespace": "shop", "uid": "1", "ownerReferences": owner });
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn settle(pod: &Pod, boot: &str, outcome: PodOutcome, second: i64) -> PodStatus {
        settled(pod, &node(boot), outcome, at(second), |simulated| simulated)
    }

    fn started(spec: serde_json::Value, outcome: PodOutcome) -> Pod {
        let mut pod = pod(spec);
        assert!(needs_start(&pod, &node("one")));
        pod.status = Some(creating(&pod, &node("one"), at(0)));
        pod.status = Some(settle(&pod, "one", outcome, 1));
        assert!(!needs_start(&pod, &node("one")));
        pod
    }

    fn condition<'a>(status: &'a PodStatus, kind: &str) -> &'a PodCondition {
        status.conditions.iter().flatten().find(|condition| condition.type_ == kind).unwrap()
    }

    #[test]
    fn a_pod_is_created_then_ready_and_then_left_alone() {
        let mut pod = pod(json!({ "initContainers": [{ "name": "init", "image": "busybox" }] }));
        let status = creating(&pod, &node("one"), at(0));
        assert_eq!(status.phase.as_deref(), Some("Pending"));
        assert_eq!(condition(&status, "Ready").status, "False");
        assert_eq!(status.host_ip.as_deref(), Some("10.224.0.4"));
        pod.status = Some(status);
        let status = settle(&pod, "one", PodOutcome::Running, 1);
        assert_eq!(status.phase.as_deref(), Some("Running"));
        for kind in ["PodScheduled", "Initialized", "ContainersReady", "Ready"] {
            assert_eq!(condition(&status, kind).status, "True", "{kind}");
        }
        let init = &status.init_container_statuses.as_ref().unwrap()[0];
        assert_eq!(init.state.as_ref().unwrap().terminated.as_ref().unwrap().exit_code, 0);
        assert!(status.pod_ip.as_ref().unwrap().starts_with("10.2"));
        pod.status = Some(status.clone());
        assert_eq!(settle(&pod, "one", PodOutcome::Running, 100), status);
    }

    #[test]
    fn every_outcome_is_stable_until_its_time() {
        for outcome in [
            PodOutcome::Running,
            PodOutcome::NotReady,
            PodOutcome::CrashLoopBackOff,
            PodOutcome::ImagePullBackOff,
        ] {
            let pod = started(json!({}), outcome);
            assert_eq!(settle(&pod, "one", outcome, 9), pod.status.clone().unwrap(), "{outcome:?}");
            let ready = condition(pod.status.as_ref().unwrap(), "Ready").status == "True";
            assert_eq!(ready, outcome == PodOutcome::Running, "{outcome:?}");
        }
    }

    #[test]
    fn a_crashing_pod_is_started_again_after_growing_pauses() {
        let mut pod = started(json!({}), PodOutcome::CrashLoopBackOff);
        let count = |status: &PodStatus| status.container_statuses.as_ref().unwrap()[0].restart_count;
        let same = |simulated| simulated;
        assert_eq!(count(pod.status.as_ref().unwrap()), 1);
        assert_eq!(next_restart(pod.status.as_ref().unwrap(), at(4), same), Some(Duration::from_secs(7)));
        let next = settle(&pod, "one", PodOutcome::CrashLoopBackOff, 11);
        assert_eq!(count(&next), 2);
        assert_eq!(next_restart(&next, at(11), same), Some(Duration::from_secs(20)));
        pod.status = Some(next);
        assert_eq!(next_restart(&settle(&pod, "one", PodOutcome::Running, 12), at(12), same), None);
        assert_eq!(crate::driver::container_status::crash_pause(100), Duration::from_mins(5));
    }

    #[test]
    fn a_reimaged_node_starts_containers_again() {
        let mut pod = started(json!({}), PodOutcome::Running);
        assert!(needs_start(&pod, &node("two")));
        pod.status = Some(creating(&pod, &node("two"), at(60)));
        assert!(!needs_start(&pod, &node("two")));
        assert_eq!(condition(pod.status.as_ref().unwrap(), "Ready").status, "False");
        let status = settle(&pod, "two", PodOutcome::Running, 61);
        let container = &status.container_statuses.as_ref().unwrap()[0];
        assert_eq!((container.restart_count, container.ready), (1, true));
        assert_eq!(container.last_state.as_ref().unwrap().terminated.as_ref().unwrap().exit_code, 255);
    }

    #[test]
    fn a_job_ends_well_or_badly() {
        let pod = started(json!({ "restartPolicy": "Never" }), PodOutcome::Running);
        assert!(runs_to_completion(&pod) && !restarts(&pod));
        for (succeeded, phase, code) in [(true, "Succeeded", 0), (false, "Failed", 1)] {
            let mut pod = pod.clone();
            pod.status = Some(finished(&pod, &node("one"), succeeded, at(5)));
            assert!(is_finished(&pod));
            let status = pod.status.unwrap();
            assert_eq!(status.phase.as_deref(), Some(phase));
            let end = status.container_statuses.unwrap()[0].state.clone().unwrap().terminated.unwrap();
            assert_eq!((end.exit_code, end.started_at), (code, Some(stored(at(1)))));
        }
    }

    #[test]
    fn a_closed_readiness_gate_keeps_a_pod_unready() {
        let pod =
            started(json!({ "readinessGates": [{ "conditionType": "example/open" }] }), PodOutcome::Running);
        let status = pod.status.unwrap();
        assert_eq!(condition(&status, "ContainersReady").status, "True");
        assert_eq!(condition(&status, "Ready").reason.as_deref(), Some("ReadinessGatesNotReady"));
    }
}
