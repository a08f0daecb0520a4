//! What Prometheus sees of the calls to Azure: answers, refusals, what is left of the limits, and what we
//! held back ourselves. Labels have bounded values: no names of clusters or subscriptions.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64},
    },
    time::Duration,
};

use azure_mgmt_containerservice::{Answered, CallKind};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Bounds of the histogram in seconds: from a read nearby to the timeout of one request.
const SECONDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// The codes of refusals that are told apart.
const CODES: [&str; 3] = ["SubscriptionRequestsThrottled", "Throttled", "TooManyRequests"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    call: &'static str,
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    call: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    call: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limit {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HeldBack {
    limit: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// Tells what is left of Azure's limits when somebody looks: it fills up by itself.
pub(crate) trait AzureBudget: fmt::Debug + Send + Sync {
    /// The lowest remaining share, from 0 to 1, by kind of limit.
    fn shares(&self) -> Vec<(&'static str, f64)>;
    /// The lowest number of reads and of writes that Azure Resource Manager reported lately.
    fn arm_remaining(&self) -> (Option<u32>, Option<u32>);
}

/// The metrics of calls to Azure; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct AzureMetrics {
    calls: Family<Answer, Counter>,
    seconds: Family<Call, Histogram, fn() -> Histogram>,
    refused: Family<Refusal, Counter>,
    held_back: Family<HeldBack, Counter>,
    held_back_seconds: Family<Limit, Counter<f64, AtomicU64>>,
    budget_remaining: Family<Limit, Gauge<f64, AtomicU64>>,
    arm_remaining: Family<Kind, Gauge<i64, AtomicI64>>,
    budget: Arc<OnceLock<Arc<dyn AzureBudget>>>,
}

impl AzureMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let metrics = Self {
            calls: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            refused: Family::default(),
            held_back: Family::default(),
            held_back_seconds: Family::default(),
            budget_remaining: Family::default(),
            arm_remaining: Family::default(),
            budget: Arc::default(),
        };
        registry.register("azure_calls", "Calls to Azure Resource Manager by answer", metrics.calls.clone());
        registry.register(
            "azure_call_seconds",
            "How long calls to Azure Resource Manager took",
            metrics.seconds.clone(),
        );
        registry.register("azure_refused", "Calls that Azure refused with 429", metrics.refused.clone());
        registry.register(
            "azure_held_back",
            "Calls that were held back so that Azure need not refuse them",
            metrics.held_back.clone(),
        );
        registry.register(
            "azure_held_back_seconds",
            "How long calls were held back",
            metrics.held_back_seconds.clone(),
        );
        registry.register(
            "azure_budget_remaining",
            "The lowest remaining share of the limits of a kind, from 0 to 1",
            metrics.budget_remaining.clone(),
        );
        registry.register(
            "azure_arm_remaining",
            "The lowest number of calls left that Azure Resource Manager reported lately",
            metrics.arm_remaining.clone(),
        );
        metrics
    }

    /// Counts an answer, or that there was none.
    pub(crate) fn answered(&self, call: CallKind, answer: &Answered) {
        let call = call.as_str();
        let status = answer.status.map_or("none".to_owned(), |status| status.to_string());
        self.calls.get_or_create(&Answer { call, status }).inc();
        self.seconds.get_or_create(&Call { call }).observe(answer.took.as_secs_f64());
        if answer.status == Some(429) {
            let code = answer.code.as_deref().unwrap_or("none");
            let code = CODES.into_iter().find(|known| *known == code);
            let code = code.unwrap_or(if answer.code.is_none() { "none" } else { "other" });
            self.refused.get_or_create(&Refusal { call, code }).inc();
        }
    }

    /// Counts a call that had to wait for this limit, and was sent then or not.
    pub(crate) fn held_back(&self, limit: &'static str, waited: Duration, sent: bool) {
        let outcome = if sent { "sent" } else { "not-sent" };
        self.held_back.get_or_create(&HeldBack { limit, outcome }).inc();
        self.held_back_seconds.get_or_create(&Limit { limit }).inc_by(waited.as_secs_f64());
    }

    /// From now on, `budget` is asked for what is left whenever somebody looks. Only the first counts.
    pub(crate) fn watch(&self, budget: Arc<dyn AzureBudget>) {
        let _ = self.budget.set(budget);
    }

    /// Brings the gauges up to date.
    pub(super) fn refresh(&self) {
        let Some(budget) = self.budget.get() else { return };
        for (limit, share) in budget.shares() {
            self.budget_remaining.get_or_create(&Limit { limit }).set(share);
        }
        let (reads, writes) = budget.arm_remaining();
        for (kind, left) in [("reads", reads), ("writes", writes)] {
            // What was reported long ago is not what is left.
            match left {
                Some(left) => _ = self.arm_remaining.get_or_create(&Kind { kind }).set(i64::from(left)),
                None => _ = self.arm_remaining.remove(&Kind { kind }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Half;

    impl AzureBudget for Half {
        fn shares(&self) -> Vec<(&'static str, f64)> {
            vec![("put-pool", 0.5)]
        }

        fn arm_remaining(&self) -> (Option<u32>, Option<u32>) {
            (Some(200), None)
        }
    }

    impl AzureMetrics {
        /// Everything happens once.
        pub(crate) fn rehearse(&self) {
            self.watch(Arc::new(Half));
            let refused = |code: Option<&str>| Answered {
                status: Some(429),
                code: code.map(str::to_owned),
                took: Duration::from_millis(70),
                ..Answered::default()
            };
            self.answered(CallKind::GetCluster, &Answered::default());
            self.answered(CallKind::PutPool, &refused(Some("Throttled")));
            self.answered(CallKind::PutPool, &refused(Some("a code of the future")));
            self.answered(CallKind::PutPool, &refused(None));
            self.held_back("put-pool", Duration::from_millis(1500), true);
            self.held_back("put-pool", Duration::ZERO, false);
        }
    }

    #[test]
    fn calls_are_counted_with_labels_that_are_bounded() {
        let mut registry = Registry::with_prefix("tidegate");
        let metrics = AzureMetrics::new(&mut registry);
        metrics.rehearse();
        metrics.refresh();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"tidegate_azure_calls_total{call="managedClusters/get",status="none"} 1"#,
            r#"tidegate_azure_calls_total{call="agentPools/put",status="429"} 3"#,
            r#"tidegate_azure_call_seconds_bucket{le="0.1",call="agentPools/put"} 3"#,
            r#"tidegate_azure_refused_total{call="agentPools/put",code="Throttled"} 1"#,
            r#"tidegate_azure_refused_total{call="agentPools/put",code="other"} 1"#,
            r#"tidegate_azure_refused_total{call="agentPools/put",code="none"} 1"#,
            r#"tidegate_azure_held_back_total{limit="put-pool",outcome="sent"} 1"#,
            r#"tidegate_azure_held_back_total{limit="put-pool",outcome="not-sent"} 1"#,
            r#"tidegate_azure_held_back_seconds_total{limit="put-pool"} 1.5"#,
            r#"tidegate_azure_budget_remaining{limit="put-pool"} 0.5"#,
            r#"tidegate_azure_arm_remaining{kind="reads"} 200"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(!text.contains(r#"kind="writes""#), "{text}");
    }
}
