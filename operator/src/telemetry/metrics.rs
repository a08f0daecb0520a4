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

use super::AzureMetrics;

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
    /// Those of calls to Azure.
    pub(crate) azure: AzureMetrics,
    registry: Arc<Registry>,
    standings: Family<StandingLabels, Gauge<i64, AtomicI64>>,
    steps: Family<StepLabels, Counter>,
    reconciles: Family<ReconcileLabels, Counter>,
    leader: Gauge,
    reasons: Arc<Mutex<Standings>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tidegate");
        let azure = AzureMetrics::new(&mut registry);
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
        Self { azure, registry: Arc::new(registry), standings, steps, reconciles, leader, reasons }
    }
}

impl Metrics {
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
        self.azure.refresh();
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(std::fmt::Error) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn counts_objects_by_what_they_wait_on() {
        let metrics = Metrics::default();
        metrics.standing("ClusterUpgrade", "a".to_owned(), Some("Soaking"));
        metrics.standing("ClusterUpgrade", "b".to_owned(), Some("Soaking"));
        metrics.standing("ClusterUpgrade", "a".to_owned(), Some("GateFailed"));
        let text = metrics.render();
        assert!(text.contains(r#"tidegate_objects{kind="ClusterUpgrade",reason="Soaking"} 1"#), "{text}");
        assert!(text.contains(r#"tidegate_objects{kind="ClusterUpgrade",reason="GateFailed"} 1"#), "{text}");
    }

    /// Name and labels of each metric, as rendered when everything has happened once.
    fn rendered() -> BTreeMap<String, BTreeSet<String>> {
        let metrics = Metrics::default();
        metrics.standing("ClusterUpgrade", "a".to_owned(), Some("Soaking"));
        metrics.step(engine::StepKind::ControlPlane, "Succeeded");
        metrics.reconcile("UpgradePlan", true);
        metrics.leader(true);
        metrics.azure.rehearse();
        let text = metrics.render();
        let mut families = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<_> = line.split(' ').collect();
            match *words {
                ["#", "TYPE", name, "counter"] => {
                    drop(families.insert(format!("{name}_total"), BTreeSet::new()))
                }
                ["#", "TYPE", name, _] => drop(families.insert(name.to_owned(), BTreeSet::new())),
                _ => {}
            }
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, labels) = line.split_once('{').unwrap_or((line, ""));
            let family = families.iter_mut().find(|(family, _)| {
                name.split(' ').next().unwrap().trim_end_matches("_bucket") == family.as_str()
            });
            let Some((_, known)) = family else { continue };
            let names = labels.split(',').filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
            known.extend(names.filter(|name| *name != "le").map(str::to_owned));
        }
        families
    }

    /// Name and labels of each metric in `docs/metrics.md`: the first two columns of its tables.
    fn documented() -> BTreeMap<String, BTreeSet<String>> {
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let rows = include_str!("../../../docs/metrics.md").lines().filter_map(|line| {
            let (_, cells) = line.split_at_checked(2).filter(|(start, _)| *start == "| ")?;
            let (names, rest) = cells.split_once(" | ")?;
            Some((quoted(names), quoted(rest.split_once(" | ")?.0)))
        });
        rows.flat_map(|(names, labels)| {
            names.into_iter().map(move |name| (name, labels.iter().cloned().collect()))
        })
        .collect()
    }

    #[test]
    fn the_guide_names_every_metric_with_its_labels_and_no_other() {
        let (rendered, documented) = (rendered(), documented());
        assert!(rendered.len() >= 11, "{rendered:?}");
        assert_eq!(rendered, documented, "left: rendered, right: docs/metrics.md");
    }
}
