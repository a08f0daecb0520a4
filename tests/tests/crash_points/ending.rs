//! How a story ended, in a form in which two endings can be compared: without instants, ids and counters.

use std::fmt;

use anyhow::{Context as _, Result};
use crds::{ClusterUpgrade, UpgradePlan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{ResourceExt as _, api::ListParams};
use serde_json::{Value, json};
use tests::stage::Lane;

use super::story::Story;

/// Fields of ARM documents that differ between any two runs.
const VOLATILE: [&str; 2] = ["eTag", "etag"];

/// What matters of an ending: one line for each fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending(Vec<String>);

impl Ending {
    /// The ending of the story on this lane, once its plan has succeeded.
    pub(crate) async fn of(lane: &Lane<'_>, story: &Story) -> Result<Self> {
        let mut facts = Vec::new();
        for change in lane.mutations("weu-1") {
            facts.push(format!("asked of Azure: {change}"));
        }
        let mut document = lane.document("weu-1").await?;
        without_volatile(&mut document);
        flatten("cluster", &document, &mut facts);
        let world = lane.simulator.clusters().await?;
        let cluster = world.first().context("the cluster")?;
        facts.push(format!("world: {} {}", cluster.kubernetes_version, cluster.provisioning_state));
        for pool in &cluster.pools {
            let mut nodes: Vec<String> = pool
                .nodes
                .iter()
                .map(|node| {
                    format!(
                        "{} {} ready={} cordoned={} surge={} quarantined={}",
                        node.kubernetes_version,
                        node.node_image,
                        node.ready,
                        node.cordoned,
                        node.surge,
                        node.quarantined
                    )
                })
                .collect();
            nodes.sort();
            facts.extend(nodes.iter().map(|node| format!("node of {}: {node}", pool.name)));
        }
        let plan = lane.api::<UpgradePlan>().get("main").await?;
        flatten("plan", &of_plan(&plan), &mut facts);
        for upgrade in lane.api::<ClusterUpgrade>().list(&ListParams::default()).await? {
            flatten(&upgrade.name_any(), &of_upgrade(&upgrade, story), &mut facts);
        }
        Ok(Self(facts))
    }

    /// Facts that only one of two endings has.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let only = |one: &Self, two: &Self, sign: &str| -> Vec<String> {
            let mut left = two.0.clone();
            let mut only = Vec::new();
            for fact in &one.0 {
                match left.iter().position(|same| same == fact) {
                    Some(at) => drop(left.swap_remove(at)),
                    None => only.push(format!("{sign} {fact}")),
                }
            }
            only
        };
        let mut differences = only(self, other, "-");
        differences.extend(only(other, self, "+"));
        if differences.is_empty() && self != other {
            differences.push("the same facts in another order".to_owned());
        }
        differences
    }

    /// The changes that were asked of Azure, in order.
    pub(crate) fn changes(&self) -> Vec<&str> {
        self.0.iter().filter_map(|fact| fact.strip_prefix("asked of Azure: ")).collect()
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

fn of_plan(plan: &UpgradePlan) -> Value {
    let status = plan.status.clone().unwrap_or_default();
    let summary = status
        .summary
        .map(|summary| json!([summary.phase, summary.reason, summary.message, summary.progress]));
    let rollout = status.rollout.map(|rollout| {
        json!([rollout.id, rollout.number, rollout.target, rollout.members_recorded, rollout.wave_sizes])
    });
    let waves: Vec<Value> =
        status.waves.iter().map(|wave| json!([wave.name, wave.state, wave.clusters])).collect();
    json!({ "summary": summary, "rollout": rollout, "waves": waves, "conditions": conditions(&status.conditions) })
}

fn of_upgrade(upgrade: &ClusterUpgrade, story: &Story) -> Value {
    let status = upgrade.status.clone().unwrap_or_default();
    let summary = status
        .summary
        .map(|summary| json!([summary.phase, summary.reason, summary.message, summary.progress]));
    let mut spec = json!(upgrade.spec);
    if let Some(plan) = spec["plan"].as_object_mut() {
        // Counts the tries to start it.
        plan.remove("claim");
        // It was let start, at whatever time.
        plan.entry("admittedAt").and_modify(|at| *at = json!(at.is_string()));
    }
    let steps: Vec<Value> = status
        .ledger
        .steps
        .iter()
        .map(|record| {
            let attempts = (!story.fails).then_some(record.attempts);
            json!([record.id, record.step, record.state, attempts, record.nodes])
        })
        .collect();
    json!({
        "spec": spec,
        "summary": summary,
        "steps": steps,
        "operation": status.ledger.operation.is_some(),
        "finished": status.ledger.finished_at.is_some(),
        "expected": status.ledger.expected,
        "conditions": conditions(&status.conditions),
    })
}

fn conditions(conditions: &[Condition]) -> Value {
    let words = |condition: &Condition| {
        json!([condition.type_, condition.status, condition.reason, condition.message])
    };
    conditions.iter().map(words).collect()
}

fn without_volatile(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !VOLATILE.contains(&name.as_str()));
            fields.values_mut().for_each(without_volatile);
        }
        Value::Array(items) => items.iter_mut().for_each(without_volatile),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A line for each leaf, so that a difference names its place.
fn flatten(place: &str, value: &Value, facts: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| flatten(&format!("{place}.{name}"), value, facts));
        }
        Value::Array(items) => {
            facts.push(format!("{place} has {}", items.len()));
            items.iter().enumerate().for_each(|(at, item)| flatten(&format!("{place}[{at}]"), item, facts));
        }
        leaf @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            facts.push(format!("{place}: {leaf}"))
        }
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn differences_are_named_and_order_counts() {
        let ending = |facts: &[&str]| Ending(facts.iter().map(|fact| (*fact).to_owned()).collect());
        let (one, two) = (ending(&["a", "b", "b"]), ending(&["a", "b", "c"]));
        assert_eq!(one.differences(&two), ["- b", "+ c"]);
        assert_eq!(one.differences(&one), Vec::<String>::new());
        assert_eq!(ending(&["a", "b"]).differences(&ending(&["b", "a"])).len(), 1);
        let mut facts = Vec::new();
        flatten("x", &json!({"a": [1, {"b": null}]}), &mut facts);
        assert_eq!(facts, ["x.a has 2", "x.a[0]: 1", "x.a[1].b: null"]);
    }
}
