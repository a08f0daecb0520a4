//! Lets calls to Azure wait for their turn: the one [`Limits`] of the process, as the client's governor.
//! Reads the clock, sleeps, and counts; every decision is the model's.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use azure_mgmt_containerservice::{Answered, Call, CallKind, Governor, HeldBack};

use super::limits::{Limits, Ticket, Urgency, Wait};
use crate::{
    clock::WallClock,
    telemetry::{AzureBudget, AzureMetrics},
};

/// How long a call waits, in real time. It waits inside the work on its cluster and keeps one of the few places
/// of a controller, which others need whose calls no limit holds back: so only as long as a call takes
/// anyway. Whoever is told to come back later gives up the place, and looks again when there is room.
const PATIENCE: Duration = Duration::from_secs(2);
/// The shortest sleep, in real time: those before it wake at about the same instant.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);

/// Keeps Azure's limits for everything in this process that talks to Azure.
#[derive(Debug)]
pub(crate) struct Limiter {
    shared: Arc<Shared>,
    metrics: AzureMetrics,
}

impl Limiter {
    /// Limits of which nothing is spent yet; the metrics show them from now on.
    #[must_use]
    pub(crate) fn new(clock: WallClock, metrics: AzureMetrics) -> Self {
        let shared = Arc::new(Shared { limits: Mutex::default(), clock });
        metrics.watch(shared.clone());
        Self { shared, metrics }
    }

    /// The governor for calls of this urgency.
    #[must_use]
    pub(crate) fn governor(&self, urgency: Urgency) -> Arc<dyn Governor> {
        Arc::new(Turnstile { shared: self.shared.clone(), metrics: self.metrics.clone(), urgency })
    }
}

#[derive(Debug)]
struct Shared {
    limits: Mutex<Limits>,
    clock: WallClock,
}

impl Shared {
    /// The model changes only while nothing can panic, so that what a panic leaves is whole.
    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AzureBudget for Shared {
    fn shares(&self) -> Vec<(&'static str, f64)> {
        let budget = self.limits().budget(self.clock.exact());
        budget.shares.into_iter().map(|(limit, share)| (limit.as_str(), share)).collect()
    }

    fn arm_remaining(&self) -> (Option<u32>, Option<u32>) {
        let budget = self.limits().budget(self.clock.exact());
        (budget.arm_reads, budget.arm_writes)
    }
}

/// The way through for calls of one urgency.
#[derive(Debug)]
struct Turnstile {
    shared: Arc<Shared>,
    metrics: AzureMetrics,
    urgency: Urgency,
}

/// A place in the line, which is given up when the caller goes away.
struct Place<'a> {
    shared: &'a Shared,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.limits().leave(&self.ticket);
    }
}

impl Turnstile {
    /// What disrupts does not wait here: what it was decided from, and the lease, would grow old.
    #[expect(clippy::wildcard_enum_match_arm, reason = "everything else only reads, or stops something")]
    const fn patience(call: &Call) -> Duration {
        match call.kind {
            CallKind::PutCluster | CallKind::PutPool | CallKind::UpgradeNodeImage => Duration::ZERO,
            _ => PATIENCE,
        }
    }

    /// Azure's time until then.
    fn left(&self, wait: &Wait) -> Duration {
        Duration::try_from(wait.until.duration_since(self.shared.clock.exact())).unwrap_or_default()
    }
}

#[async_trait::async_trait]
impl Governor for Turnstile {
    async fn admit(&self, call: &Call) -> Result<(), HeldBack> {
        let ticket = self.shared.limits().enter(call, self.urgency);
        let place = Place { shared: &self.shared, ticket };
        let (mut waited, mut last) = (Duration::ZERO, None);
        loop {
            let asked = self.shared.limits().take(self.shared.clock.exact(), &place.ticket);
            let Err(wait) = asked else {
                if let Some(limit) = last {
                    self.metrics.held_back(limit, waited, true);
                }
                return Ok(());
            };
            let retry_after = self.left(&wait);
            let sleep = self.shared.clock.real_duration(retry_after).max(SHORTEST_SLEEP);
            if waited + sleep > Self::patience(call) {
                self.metrics.held_back(wait.limit.as_str(), waited, false);
                return Err(HeldBack { limit: wait.words(), retry_after });
            }
            tokio::time::sleep(sleep).await;
            waited += sleep;
            last = Some(wait.limit.as_str());
        }
    }

    fn answered(&self, call: &Call, answer: &Answered) {
        self.metrics.answered(call.kind, answer);
        self.shared.limits().answered(self.shared.clock.exact(), call, answer);
    }
}

#[cfg(test)]
mod tests {
    use azure_mgmt_containerservice::CallKind;
    use engine::TimeScale;
    use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};

    use super::*;
    use crate::{clock::real_now, telemetry::Metrics};

    /// Our share of the writes of one pool.
    const SHARE: u32 = 14;

    /// At a rate of 250, the 86 s after which one more write of a pool may be made are 343 ms.
    fn limiter(rate: f64) -> (Limiter, Metrics) {
        let scale = TimeScale::new("2026-12-05T22:00:00Z".parse().unwrap(), real_now(), rate).unwrap();
        let metrics = Metrics::default();
        (Limiter::new(WallClock::new(scale), metrics.azure.clone()), metrics)
    }

    fn put_pool() -> Call {
        let scope = "/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/c/agentpools/p";
        Call { kind: CallKind::PutPool, scope: scope.to_owned() }
    }

    fn get_cluster() -> Call {
        Call { kind: CallKind::GetCluster, ..put_pool() }
    }

    fn exhaust(governor: &Arc<dyn Governor>) {
        for _ in 0..SHARE {
            governor.admit(&put_pool()).now_or_never().expect("there is room").unwrap();
        }
    }

    #[tokio::test]
    async fn calls_wait_for_their_turn_and_leave_the_line_when_dropped() {
        let (limiter, metrics) = limiter(8.0);
        let governor = limiter.governor(Urgency::Upgrade);
        // Seventy per cent of 60 at once, then 0.7 a second: at this scale one in 179 ms.
        for _ in 0..42 {
            governor.admit(&get_cluster()).now_or_never().expect("there is room").unwrap();
        }
        let started = real_now();
        let waiting = FuturesUnordered::new();
        for number in 0..5 {
            let governor = governor.clone();
            let mut admission = Box::pin(async move {
                governor.admit(&get_cluster()).await.unwrap();
                number
            });
            assert!(admission.as_mut().now_or_never().is_none(), "it waits");
            // The second one goes away.
            if number != 1 {
                waiting.push(admission);
            }
        }
        let order: Vec<_> = waiting.collect().await;
        assert_eq!(order, [0, 2, 3, 4]);
        let took = real_now().duration_since(started).as_millis();
        assert!((3 * 179..4 * 179 + 5000).contains(&took), "{took} ms");
        let text = metrics.render();
        let waited = r#"tidegate_azure_held_back_total{limit="get-cluster",outcome="sent"} 4"#;
        assert!(text.contains(waited), "{text}");
    }

    #[tokio::test]
    async fn what_would_wait_too_long_is_held_back_at_once_and_says_for_how_long() {
        let (limiter, metrics) = limiter(1.0);
        let governor = limiter.governor(Urgency::Upgrade);
        exhaust(&governor);
        let held = governor.admit(&put_pool()).now_or_never().expect("it does not wait").unwrap_err();
        assert_eq!(held.limit, "for writes of one node pool");
        assert!((84..=86).contains(&held.retry_after.as_secs()), "{held:?}");
        let text = metrics.render();
        for line in [
            r#"tidegate_azure_held_back_total{limit="put-pool",outcome="not-sent"} 1"#,
            r#"tidegate_azure_held_back_seconds_total{limit="put-pool"} 0.0"#,
            r#"tidegate_azure_budget_remaining{limit="get-cluster"} 1.0"#,
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    /// As many places as the controller of the inventory has, all taken by clusters of one subscription.
    #[tokio::test]
    async fn calls_that_one_limit_holds_back_give_up_their_places_soon() {
        const PLACES: usize = 16;
        let call = get_cluster();
        let (limiter, _) = limiter(1.0);
        let (upgrade, inventory) = (limiter.governor(Urgency::Upgrade), limiter.governor(Urgency::Inventory));
        for governor in [&upgrade, &inventory] {
            for _ in 0..60 {
                // Some go through, the rest go away.
                drop(governor.admit(&call).now_or_never());
            }
            let places: FuturesUnordered<_> = (0..PLACES).map(|_| governor.admit(&call)).collect();
            let all = places.collect::<Vec<_>>();
            let answers = tokio::time::timeout(Duration::from_secs(5), all).await;
            let answers = answers.expect("nobody keeps a place for long");
            let held: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
            assert!(held.len() >= PLACES - 3, "{held:?}");
            assert!(
                held.iter().all(|held| held.retry_after > Duration::ZERO),
                "each knows when to come back"
            );
        }
    }

    #[tokio::test]
    async fn a_refusal_stops_both_governors() {
        let (limiter, _) = limiter(1.0);
        let (upgrade, inventory) = (limiter.governor(Urgency::Upgrade), limiter.governor(Urgency::Inventory));
        let throttled = Answered {
            status: Some(429),
            code: Some("Throttled".to_owned()),
            retry_after: Some(Duration::from_secs(40)),
            ..Answered::default()
        };
        let get = Call { kind: CallKind::GetCluster, scope: "/subscriptions/s/c".to_owned() };
        inventory.answered(&get, &throttled);
        for governor in [upgrade, inventory] {
            let held = governor.admit(&get).now_or_never().expect("40 s are too long").unwrap_err();
            assert!(held.limit.contains("429") && held.retry_after <= Duration::from_secs(40), "{held:?}");
        }
    }
}
