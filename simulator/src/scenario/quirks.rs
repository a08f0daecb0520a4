//! Quirks: what Azure does now and then that its documentation does not promise, switched on by rules.
//!
//! A rule names a quirk and says where and when it strikes: `clusters`, `calls`, `from`, `until`,
//! `probability`, `every`, `times`. All of them have to hold. Instants and lengths are simulated time.

mod calls;
mod names;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use calls::CallName;
pub use names::QuirkName;

use super::{ScenarioError, invalid};
use crate::effects::ClusterKey;

/// Where and when a quirk strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuirkRule {
    /// Which quirk.
    pub quirk: QuirkName,
    /// Names or ARM ids of the clusters that it is about; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// The calls that it is about; all that the quirk can meet when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallName>,
    /// Not before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Not from this instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How likely it strikes, above 0 and up to 1; 1 when absent. Drawn from the scenario's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Every how-many-th occasion it strikes; each one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// How often it strikes in all; without end when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How long: the delay, the Retry-After, the age of a stale answer, the life of an operation's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// HTTP status of a failure; takes turns when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether a failure's body is HTML; takes turns when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<bool>,
    /// Code of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Words of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Paths of fields below a cluster, a pool or a profile, for example `properties.powerState`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// How many items a page holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// How many times as long something takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
}

impl QuirkRule {
    /// A rule under which the quirk strikes everywhere and always.
    #[must_use]
    pub const fn new(quirk: QuirkName) -> Self {
        Self {
            quirk,
            clusters: Vec::new(),
            calls: Vec::new(),
            from: None,
            until: None,
            probability: None,
            every: None,
            times: None,
            seconds: None,
            status: None,
            html: None,
            code: None,
            message: None,
            fields: Vec::new(),
            size: None,
            factor: None,
        }
    }

    /// Whether the rule is about this cluster.
    #[must_use]
    pub fn is_about(&self, cluster: &ClusterKey) -> bool {
        self.clusters.is_empty() || self.clusters.iter().any(|name| names_cluster(name, cluster))
    }

    /// Checks what the types cannot say; `field` is the path of the rule.
    ///
    /// # Errors
    /// Names the first field that is wrong.
    pub fn check<'a>(
        &self,
        field: &str,
        clusters: impl Iterator<Item = &'a ClusterKey> + Clone,
    ) -> Result<(), ScenarioError> {
        self.check_clusters(field, clusters)?;
        self.check_when(field)?;
        self.check_parameters(field)
    }

    fn check_clusters<'a>(
        &self,
        field: &str,
        clusters: impl Iterator<Item = &'a ClusterKey> + Clone,
    ) -> Result<(), ScenarioError> {
        for (index, name) in self.clusters.iter().enumerate() {
            if !clusters.clone().any(|cluster| names_cluster(name, cluster)) {
                return Err(invalid(
                    format!("{field}.clusters[{index}]"),
                    format!("{name:?} is neither the name nor the ARM id of a cluster that there is"),
                ));
            }
        }
        Ok(())
    }

    fn check_when(&self, field: &str) -> Result<(), ScenarioError> {
        if let Some(call) = self.calls.iter().find(|call| !self.quirk.meets(**call)) {
            let right = CallName::ALL.iter().filter(|call| self.quirk.meets(**call));
            let right = right.map(|call| call.name()).collect::<Vec<_>>().join(", ");
            return Err(invalid(
                format!("{field}.calls"),
                format!("{} never meets {}; it meets {right}", self.quirk.name(), call.name()),
            ));
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from >= until
        {
            return Err(invalid(format!("{field}.until"), format!("{until} is not after from, {from}")));
        }
        if let Some(probability) = self.probability
            && !(probability > 0.0 && probability <= 1.0)
        {
            return Err(invalid(
                format!("{field}.probability"),
                format!("{probability} is not above 0 and at most 1"),
            ));
        }
        for (name, number) in [("every", self.every), ("times", self.times), ("size", self.size)] {
            if number == Some(0) {
                return Err(invalid(format!("{field}.{name}"), "is 0; give at least 1, or leave it out"));
            }
        }
        Ok(())
    }

    fn check_parameters(&self, field: &str) -> Result<(), ScenarioError> {
        let known = self.quirk.parameters();
        for (name, given) in [
            ("seconds", self.seconds.is_some()),
            ("status", self.status.is_some()),
            ("html", self.html.is_some()),
            ("code", self.code.is_some()),
            ("message", self.message.is_some()),
            ("fields", !self.fields.is_empty()),
            ("size", self.size.is_some()),
            ("factor", self.factor.is_some()),
        ] {
            if given && !known.contains(&name) {
                let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                return Err(invalid(
                    format!("{field}.{name}"),
                    format!("is not for {}, which takes {known}", self.quirk.name()),
                ));
            }
        }
        if self.quirk.needs_fields() && self.fields.is_empty() {
            return Err(invalid(
                format!("{field}.fields"),
                format!("is missing; {} needs paths such as properties.fqdn", self.quirk.name()),
            ));
        }
        if let Some(status) = self.status
            && !(400..600).contains(&status)
        {
            return Err(invalid(
                format!("{field}.status"),
                format!("{status} is no failure; give 400 to 599, for example 503"),
            ));
        }
        match self.factor {
            Some(factor) if !(factor.is_finite() && factor > 0.0) => {
                Err(invalid(format!("{field}.factor"), format!("{factor} is not a number above 0")))
            }
            _ => Ok(()),
        }
    }
}

/// Whether `name` is the cluster's name or its ARM id.
fn names_cluster(name: &str, cluster: &ClusterKey) -> bool {
    if name.contains('/') {
        return cluster.0.eq_ignore_ascii_case(name);
    }
    cluster.0.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use crate::Scenario;

    fn refusal(rule: &str) -> String {
        let cluster = "{ subscription: s, resourceGroup: g, name: weu, kubernetesVersion: 1.34.4, pools: [{ name: a }] }";
        let yaml = format!("clusters: [{cluster}]\nquirks: [{rule}]");
        Scenario::parse(&yaml).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    }

    #[test]
    fn a_rule_that_can_never_strike_as_meant_is_refused_with_its_field() {
        for (rule, field, remedy) in [
            ("{ quirk: sometimes }", "quirks", "otherCaseIds"),
            ("{ quirk: delays, clusters: [neu] }", "quirks[0].clusters[0]", "neu"),
            ("{ quirk: failingPolls, calls: [putCluster] }", "quirks[0].calls", "operation"),
            ("{ quirk: delays, calls: [getClusters] }", "getClusters", "getCluster"),
            ("{ quirk: delays, probability: 1.5 }", "quirks[0].probability", "at most 1"),
            ("{ quirk: delays, every: 0 }", "quirks[0].every", "at least 1"),
            ("{ quirk: smallPages, size: 0 }", "quirks[0].size", "at least 1"),
            (
                "{ quirk: delays, from: 2026-12-05T22:00:00Z, until: 2026-12-05T21:00:00Z }",
                "quirks[0].until",
                "after from",
            ),
            ("{ quirk: missingPowerState, seconds: 3 }", "quirks[0].seconds", "takes nothing"),
            ("{ quirk: delays, status: 503 }", "quirks[0].status", "takes seconds"),
            ("{ quirk: failingReads, status: 200 }", "quirks[0].status", "503"),
            ("{ quirk: missingFields }", "quirks[0].fields", "properties.fqdn"),
            ("{ quirk: slowOperations, factor: 0 }", "quirks[0].factor", "above 0"),
        ] {
            let refusal = refusal(rule);
            assert!(refusal.contains(field) && refusal.contains(remedy), "{rule}: {refusal}");
        }
        assert_eq!(refusal("{ quirk: delays, clusters: [WEU], calls: [getPool], seconds: 5 }"), "accepted");
    }
}
