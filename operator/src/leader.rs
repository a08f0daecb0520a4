//! Leadership by a Lease, after client-go's rules.
//!
//! Every write is guarded by the version that was read. Whether another holder is alive is
//! judged by the renewals seen from here, on the monotonic clock, never by comparing wall
//! clocks. A leader that could not renew in time stops acting before others may start.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use tokio_util::sync::CancellationToken;

use crate::{
    api_words,
    clock::{monotonic, real_now},
    telemetry::Metrics,
};

/// client-go's defaults: the lease lasts longer than its holder believes in it.
const LEASE_DURATION: Duration = Duration::from_secs(15);
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// How long work in flight may take to end after `stop`: less than a pod's grace period of 30 s, so
/// that the lease is given up. What is dropped then is taken up like after a crash.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// Whether this process may act. Asked before each change that it makes.
#[derive(Clone, Debug)]
pub(crate) struct Leadership(Arc<Mutex<Option<Term>>>);

#[derive(Clone, Copy, Debug)]
enum Term {
    /// No election: this process is the only one.
    Always,
    /// Until this instant, unless renewed.
    Until(Instant),
}

impl Leadership {
    /// Leads without an election.
    #[must_use]
    pub(crate) fn always() -> Self {
        Self(Arc::new(Mutex::new(Some(Term::Always))))
    }

    fn none() -> Self {
        Self(Arc::default())
    }

    /// Whether the lease is held right now.
    #[must_use]
    pub(crate) fn held(&self) -> bool {
        match self.0.lock().ok().and_then(|term| *term) {
            None => false,
            Some(Term::Always) => true,
            Some(Term::Until(end)) => monotonic() < end,
        }
    }

    fn set(&self, term: Option<Term>) {
        if let Ok(mut held) = self.0.lock() {
            *held = term;
        }
    }
}

/// The lease to hold, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Election {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Unique among replicas.
    pub identity: String,
}

/// What was last seen of the Lease, and when it was last seen to change.
struct Seen {
    spec: LeaseSpec,
    changed: Instant,
}

struct Elector {
    api: Api<Lease>,
    election: Election,
    seen: Option<Seen>,
}

/// Waits for the lease, runs `lead` while holding it, and returns when either ends.
///
/// `stop` is cancelled when the lease is lost, so that everything started by `lead` ends.
/// The lease is given up when `lead` returns by itself.
///
/// # Errors
/// When the lease was lost; the process should exit.
pub(crate) async fn lead<F: Future<Output = ()>>(
    client: Client,
    election: Election,
    metrics: Metrics,
    stop: CancellationToken,
    lead: impl FnOnce(Leadership) -> F,
) -> Result<(), LeaseLost> {
    let api = Api::namespaced(client, &election.namespace);
    let mut elector = Elector { api, election, seen: None };
    let leadership = Leadership::none();
    let end = tokio::select! {
        end = elector.acquire() => end,
        () = stop.cancelled() => return Ok(()),
    };
    leadership.set(Some(Term::Until(end)));
    metrics.leader(true);
    tracing::info!(identity = %elector.election.identity, "leading");
    let outcome = tokio::select! {
        () = lead(leadership.clone()) => Ok(()),
        () = overdue(&stop) => Ok(()),
        () = elector.hold(&leadership, end) => Err(LeaseLost),
    };
    leadership.set(None);
    metrics.leader(false);
    stop.cancel();
    if outcome.is_ok() {
        elector.release().await;
    }
    outcome
}

async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_DEADLINE).await;
    tracing::warn!("work in flight did not end in time and is dropped");
}

/// Why the lease could not be read or written. That it is not there yet is no error: what is missing
/// then is its namespace.
fn trouble(error: &kube::Error, namespace: &str) -> String {
    if matches!(error, kube::Error::Api(status) if status.code == 404) {
        return format!(
            "there is no namespace {namespace}: create the namespace, or run with --no-leader-election if no other replica runs"
        );
    }
    api_words::words(error)
}

/// Another replica may be leading now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leader lease was lost")]
pub(crate) struct LeaseLost;

impl Elector {
    async fn acquire(&mut self) -> Instant {
        loop {
            let began = monotonic();
            if self.try_once().await {
                return began + RENEW_DEADLINE;
            }
            tokio::time::sleep(RETRY_PERIOD).await;
        }
    }

    /// Renews until that has not worked for the renew deadline: from `end` on nobody believes in it any more, so
    /// that who has once stopped acting does not begin again.
    async fn hold(&mut self, leadership: &Leadership, mut end: Instant) {
        while monotonic() < end {
            tokio::time::sleep(RETRY_PERIOD).await;
            let began = monotonic();
            if began < end && self.try_once().await {
                end = began + RENEW_DEADLINE;
                leadership.set(Some(Term::Until(end)));
            }
        }
        tracing::error!("the leader lease could not be renewed in time");
    }

    /// One attempt to take or renew, bounded in time.
    async fn try_once(&mut self) -> bool {
        match tokio::time::timeout(RENEW_DEADLINE / 2, self.take_or_renew()).await {
            Ok(Ok(held)) => held,
            Ok(Err(error)) => {
                let error = trouble(&error, &self.election.namespace);
                tracing::warn!(error, "the leader lease could not be read or written");
                false
            }
            Err(_) => {
                tracing::warn!("the API server did not answer about the leader lease");
                false
            }
        }
    }

    async fn take_or_renew(&mut self) -> Result<bool, kube::Error> {
        let Some(lease) = self.api.get_opt(&self.election.name).await? else {
            let metadata = ObjectMeta {
                name: Some(self.election.name.clone()),
                namespace: Some(self.election.namespace.clone()),
                ..ObjectMeta::default()
            };
            let first = Lease { metadata, spec: Some(self.term(0)) };
            return self.written(self.api.create(&PostParams::default(), &first).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        self.observe(&spec);
        let ours = spec.holder_identity.as_deref() == Some(&self.election.identity);
        if !ours && !self.is_free(&spec) {
            return Ok(false);
        }
        let transitions = spec.lease_transitions.unwrap_or(0) + i32::from(!ours);
        let mut term = self.term(transitions);
        if ours {
            term.acquire_time = spec.acquire_time;
        }
        // The metadata as read: its resourceVersion guards the write, the rest is not ours.
        let next = Lease { spec: Some(term), ..lease };
        self.written(self.api.replace(&self.election.name, &PostParams::default(), &next).await)
    }

    /// A conflict means that another was faster: not an error, but not held either.
    fn written(&mut self, answer: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
        match answer {
            Ok(lease) => {
                self.observe(&lease.spec.unwrap_or_default());
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn observe(&mut self, spec: &LeaseSpec) {
        if self.seen.as_ref().is_none_or(|seen| seen.spec != *spec) {
            self.seen = Some(Seen { spec: spec.clone(), changed: monotonic() });
        }
    }

    /// Nobody holds it, or its holder has not been seen to renew it for as long as it lasts.
    fn is_free(&self, spec: &LeaseSpec) -> bool {
        if spec.holder_identity.as_deref().unwrap_or_default().is_empty() {
            return true;
        }
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map_or(LEASE_DURATION, Duration::from_secs);
        self.seen.as_ref().is_some_and(|seen| monotonic().duration_since(seen.changed) > duration)
    }

    /// What we write into the Lease now.
    fn term(&self, transitions: i32) -> LeaseSpec {
        let now = Some(MicroTime(real_now()));
        LeaseSpec {
            holder_identity: Some(self.election.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: now.clone(),
            renew_time: now,
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    /// Lets another start at once, if the lease is still ours.
    async fn release(&self) {
        let Ok(Ok(Some(mut lease))) =
            tokio::time::timeout(RENEW_DEADLINE / 2, self.api.get_opt(&self.election.name)).await
        else {
            return;
        };
        let Some(spec) = &mut lease.spec else { return };
        if spec.holder_identity.as_deref() != Some(&self.election.identity) {
            return;
        }
        spec.holder_identity = None;
        let params = PostParams::default();
        let write = self.api.replace(&self.election.name, &params, &lease);
        if tokio::time::timeout(RENEW_DEADLINE / 2, write).await.is_ok_and(|answer| answer.is_ok()) {
            tracing::info!("gave up the leader lease");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elector() -> Elector {
        let client = Client::try_from(kube::Config::new("http://localhost:1".parse().unwrap())).unwrap();
        let election =
            Election { namespace: "n".to_owned(), name: "tidegate".to_owned(), identity: "us".to_owned() };
        Elector { api: Api::namespaced(client, "n"), election, seen: None }
    }

    fn held_by(holder: &str, renewed: i64) -> LeaseSpec {
        let renew_time = Some(MicroTime(jiff::Timestamp::from_second(renewed).unwrap()));
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time,
            ..LeaseSpec::default()
        }
    }

    #[tokio::test]
    async fn r13_another_holder_is_dead_only_after_its_lease_has_passed_unchanged_before_our_eyes() {
        let mut elector = elector();
        // Its clock is an hour behind: that says nothing.
        let other = held_by("other", real_now().as_second() - 3600);
        elector.observe(&other);
        assert!(!elector.is_free(&other), "just seen for the first time");
        elector.seen.as_mut().unwrap().changed -= Duration::from_secs(16);
        assert!(elector.is_free(&other));
        let renewed = held_by("other", real_now().as_second() - 3599);
        elector.observe(&renewed);
        assert!(!elector.is_free(&renewed), "it lives");
        assert!(elector.is_free(&held_by("", 0)), "given up");
        assert!(elector.is_free(&LeaseSpec::default()));
    }

    #[test]
    fn a_missing_namespace_is_told_with_what_to_do() {
        let answer = |code, message: &str, reason: &str| {
            let status = kube::core::Status::failure(message, reason).with_code(code);
            trouble(&kube::Error::Api(status.boxed()), "tidegate-system")
        };
        let missing = answer(404, "namespaces \"tidegate-system\" not found", "NotFound");
        assert!(
            missing.contains("no namespace tidegate-system: create the namespace, or run with --no-leader")
        );
        let forbidden = "leases.coordination.k8s.io \"tidegate\" is forbidden";
        assert_eq!(answer(403, forbidden, "Forbidden"), forbidden);
    }

    #[test]
    fn r3_leadership_ends_by_itself() {
        let leadership = Leadership::none();
        assert!(!leadership.held());
        leadership.set(Some(Term::Until(monotonic() + Duration::from_secs(60))));
        assert!(leadership.held());
        leadership.set(Some(Term::Until(monotonic())));
        assert!(!leadership.held(), "without a renewal");
        assert!(Leadership::always().held());
        assert!(RENEW_DEADLINE < LEASE_DURATION, "we stop before others start");
    }
}
