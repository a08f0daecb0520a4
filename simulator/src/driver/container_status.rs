//! What a kubelet says about one container: created, running, crashing, ended.
//!
//! Pure, like [`super::pod_status`], which puts these statuses together.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
        ContainerStatus, Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use super::{
    node_object::{NodeFacts, fingerprint},
    wall::{since, stored},
};

const CRASH: &str = "CrashLoopBackOff";
/// First and longest pause of a container that keeps ending, on the simulated clock, as a kubelet's.
const CRASH_PAUSES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(5));

pub(super) fn restart_in(
    status: &ContainerStatus,
    now: Timestamp,
    real: impl Fn(Duration) -> Duration,
) -> Option<Duration> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let ended = status.last_state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?;
    let pause = real(crash_pause(status.restart_count)).max(Duration::from_secs(1));
    (waiting.reason.as_deref() == Some(CRASH)).then(|| pause.saturating_sub(since(ended.0, now)))
}

/// Ten seconds, then twice as long each time, up to five minutes.
pub(super) fn crash_pause(restarts: i32) -> Duration {
    let (first, longest) = CRASH_PAUSES;
    let doublings = u32::try_from(restarts - 1).unwrap_or_default().min(10);
    (first * 2_u32.pow(doublings)).min(longest)
}

pub(super) fn crashing(
    pod: &Pod,
    container: &Container,
    previous: Option<ContainerStatus>,
    id: String,
    now: Timestamp,
    real: impl Fn(Duration) -> Duration,
) -> ContainerStatus {
    let due = previous.as_ref().and_then(|previous| restart_in(previous, now, real));
    if let Some(previous) = previous.as_ref().filter(|_| due.is_some_and(|due| !due.is_zero())) {
        return previous.clone();
    }
    let mut status = blank(container, previous.as_ref());
    status.restart_count += 1;
    let started = previous.as_ref().and_then(started_at).unwrap_or_else(|| stored(now));
    status.last_state = Some(ended(1, "Error", Some(id.clone()), Some(started), now));
    let message = format!(
        "back-off {}s restarting failed container={} pod={}_{}({})",
        crash_pause(status.restart_count).as_secs(),
        container.name,
        pod.name_any(),
        pod.namespace().unwrap_or_default(),
        pod.uid().unwrap_or_default(),
    );
    status.state = Some(waiting(CRASH, Some(message)));
    status.container_id = Some(id);
    status
}

pub(super) fn running(
    container: &Container,
    previous: Option<ContainerStatus>,
    id: String,
    ready: bool,
    now: Timestamp,
) -> ContainerStatus {
    let mut status = blank(container, previous.as_ref());
    status.ready = ready;
    status.started = Some(true);
    let since = previous.as_ref().and_then(started_at).unwrap_or_else(|| stored(now));
    status.state = Some(ContainerState {
        running: Some(ContainerStateRunning { started_at: Some(since) }),
        ..ContainerState::default()
    });
    status.container_id = Some(id);
    status
}

pub(super) fn completed(
    container: &Container,
    previous: Option<ContainerStatus>,
    id: String,
    now: Timestamp,
) -> ContainerStatus {
    if let Some(previous) =
        previous.as_ref().filter(|previous| previous.ready && previous.container_id.as_ref() == Some(&id))
    {
        return previous.clone();
    }
    let mut status = blank(container, previous.as_ref());
    status.ready = true;
    status.state = Some(ended(0, "Completed", Some(id.clone()), Some(stored(now)), now));
    status.container_id = Some(id);
    status
}

pub(super) fn not_pulled(container: &Container, previous: Option<ContainerStatus>) -> ContainerStatus {
    let mut status = blank(container, previous.as_ref());
    let image = &status.image;
    let message = format!(
        "Back-off pulling image \"{image}\": ErrImagePull: failed to pull and unpack image \"{image}\": not found"
    );
    status.state = Some(waiting("ImagePullBackOff", Some(message)));
    status.image_id = String::new();
    status
}

/// A status without a state, with the count and last end of the one before.
pub(super) fn blank(container: &Container, previous: Option<&ContainerStatus>) -> ContainerStatus {
    let image = container.image.clone().unwrap_or_default();
    let image_id = format!("{}@sha256:{}", image.split(['@']).next().unwrap_or_default(), digest(&[&image]));
    ContainerStatus {
        name: container.name.clone(),
        image,
        image_id,
        ready: false,
        started: Some(false),
        restart_count: previous.map_or(0, |previous| previous.restart_count),
        last_state: previous.and_then(|previous| previous.last_state.clone()),
        ..ContainerStatus::default()
    }
}

pub(super) fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting { reason: Some(reason.to_owned()), message }),
        ..ContainerState::default()
    }
}

pub(super) fn ended(
    code: i32,
    reason: &str,
    id: Option<String>,
    started: Option<Time>,
    now: Timestamp,
) -> ContainerState {
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code: code,
            reason: Some(reason.to_owned()),
            container_id: id,
            started_at: started,
            finished_at: Some(stored(now)),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    }
}

pub(super) fn started_at(status: &ContainerStatus) -> Option<Time> {
    status.state.as_ref()?.running.as_ref()?.started_at.clone()
}

/// Differs with the node's boot, so that a status tells whether it is of the present one.
pub(super) fn container_id(pod: &Pod, node: &NodeFacts, container: &str) -> String {
    format!("containerd://{}", digest(&[&pod.uid().unwrap_or_default(), container, &node.boot_id]))
}

fn digest(parts: &[&str]) -> String {
    let text = parts.join("/");
    [fingerprint(&[&text]), fingerprint(&[&text, "rest"])].concat().replace('-', "")
}
