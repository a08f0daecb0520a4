//! ClusterUpgrades that no plan of the namespace has made: a line each.

use crds::{ClusterUpgrade, Summary, UpgradePlan};
use kube::ResourceExt;

use crate::cli::{
    output,
    standing::{is_suspended_besides, summary},
};

/// Those of the namespace: made by hand, or of a plan that is gone.
pub(super) fn of(plans: &[UpgradePlan], upgrades: &[ClusterUpgrade]) -> impl Iterator<Item = ClusterUpgrade> {
    let has_plan = |upgrade: &&ClusterUpgrade| {
        let plan = upgrade.spec.plan.as_ref();
        plan.is_some_and(|place| plans.iter().any(|plan| plan.name_any() == place.name))
    };
    upgrades.iter().filter(move |upgrade| !has_plan(upgrade)).cloned()
}

pub(super) fn table(upgrades: &[ClusterUpgrade]) -> String {
    let rows = upgrades.iter().map(row).collect();
    output::table(&["UPGRADE", "CLUSTER", "TARGET", "PHASE", "STEPS", "WAITING ON", "ETA"], rows)
}

fn row(upgrade: &ClusterUpgrade) -> Vec<String> {
    let summary = summary(upgrade);
    let words = |word: fn(&Summary) -> &String| {
        summary.map(word).filter(|word| !word.is_empty()).cloned().unwrap_or_else(|| "–".to_owned())
    };
    vec![
        format!("{}/{}", upgrade.namespace().unwrap_or_default(), upgrade.name_any()),
        upgrade.spec.cluster_ref.name.clone(),
        target(upgrade),
        words(|summary| &summary.phase),
        words(|summary| &summary.progress),
        words(|summary| &summary.reason) + if is_suspended_besides(upgrade) { ", suspended" } else { "" },
        summary.and_then(|summary| summary.eta).map_or_else(|| "–".to_owned(), output::local),
    ]
}

fn target(upgrade: &ClusterUpgrade) -> String {
    let resolved = upgrade.status.as_ref().and_then(|status| status.ledger.target_version.as_ref());
    resolved.map_or_else(|| super::asked(&upgrade.spec.target), ToString::to_string)
}
