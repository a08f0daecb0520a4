//! What Prometheus sees. Labels have bounded values: no names of clusters, no messages.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::AtomicI64},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    call: &'static str,
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StandingLabels {
    kind: &'static str,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    kind: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    controller: &'static str,
    outcome: &'static str,
}

type Standings = BTreeMap<(&'static str, String), String>;

/// All metrics of the operator; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    azure_calls: Family<CallLabels, Counter>,
    standings: Family<StandingLabels, Gauge<i64, AtomicI64>>,
    steps: Family<StepLabels, Counter>,
    reconciles: Family<ReconcileLabels, Counter>,
    leader: Gauge,
    reasons: Arc<Mutex<Standings>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tidegate");
        let azure_calls = Family::default();
        registry.register("azure_calls", "Calls to Azure Resource Manager by answer", azure_calls.clone());
        let standings = Family::default();
        registry.register(
            "objects",
            "Objects by kind and the reason of what they wait on",
            standings.clone(),
        );
        let steps = Family::default();
        registry.register("steps", "Upgrade steps by kind and outcome", steps.clone());
        let reconciles = Family::default();
        registry.register("reconciles", "Reconciliations by controller and outcome", reconciles.clone());
        let leader = Gauge::default();
        registry.register("leader", "1 while this replica holds the lease", leader.clone());
        let reasons = Arc::default();
        Self { registry: Arc::new(registry), azure_calls, standings, steps, reconciles, leader, reasons }
    }
}

impl Metrics {
    /// Counts a call to Azure; `failed` is the status of a failure, 0 when there was no answer.
    pub(crate) fn azure_call(&self, call: &'static str, failed: Option<u16>) {
        let status = match failed {
            None => "ok".to_owned(),
            Some(0) => "none".to_owned(),
            Some(status) => status.to_string(),
        };
        self.azure_calls.get_or_create(&CallLabels { call, status }).inc();
    }

    /// Notes what an object waits on now; `None` when it is gone.
    pub(crate) fn standing(&self, kind: &'static str, object: String, reason: Option<&str>) {
        let Ok(mut reasons) = self.reasons.lock() else { return };
        let gauge = |reason: &str| {
            self.standings.get_or_create(&StandingLabels { kind, reason: reason.to_owned() }).clone()
        };
        let key = (kind, object);
        let before = match reason {
            Some(reason) => reasons.insert(key, reason.to_owned()),
            None => reasons.remove(&key),
        };
        if let Some(before) = before {
            gauge(&before).dec();
        }
        if let Some(reason) = reason {
            gauge(reason).inc();
        }
    }

    /// Counts a step that ended.
    pub(crate) fn step(&self, kind: engine::StepKind, outcome: &'static str) {
        self.steps.get_or_create(&StepLabels { kind: format!("{kind:?}"), outcome }).inc();
    }

    /// Counts a reconciliation.
    pub(crate) fn reconcile(&self, controller: &'static str, succeeded: bool) {
        let outcome = if succeeded { "ok" } else { "error" };
        self.reconciles.get_or_create(&ReconcileLabels { controller, outcome }).inc();
    }

    /// Notes whether this replica leads.
    pub(crate) fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Everything, in the OpenMetrics text format.
    #[must_use]
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(std::fmt::Error) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_objects_by_what_they_wait_on() {
        let metrics = Metrics::default();
        metrics.standing("ClusterUpgrade", "a".to_owned(), Some("Soaking"));
        metrics.standing("ClusterUpgrade", "b".to_owned(), Some("Soaking"));
        metrics.standing("ClusterUpgrade", "a".to_owned(), Some("GateFailed"));
        metrics.azure_call("submit", Some(409));
        let text = metrics.render();
        assert!(text.contains(r#"tidegate_objects{kind="ClusterUpgrade",reason="Soaking"} 1"#), "{text}");
        assert!(text.contains(r#"tidegate_objects{kind="ClusterUpgrade",reason="GateFailed"} 1"#), "{text}");
        assert!(text.contains(r#"tidegate_azure_calls_total{call="submit",status="409"} 1"#), "{text}");
    }
}
