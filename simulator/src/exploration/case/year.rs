//! A year of a fleet under one continuous plan: what there is at its beginning. Nothing is drawn but by the seed of
//! Azure's calendar, and nothing goes wrong.

use std::{collections::BTreeSet, time::Duration};

use engine::{Channel, KubernetesRequest, Mode, Request, RequestedWave, Scope, Share};
use jiff::{
    Timestamp,
    civil::{Time, Weekday},
};
use serde_json::{Value, json};

use super::{Arrival, Case, HOUR, SUBSCRIPTION, UpgradeCase, timing::configurations};
use crate::{
    exploration::{
        happening::Happening,
        hours::Hours,
        inventory::Known,
        timing::{Own, Timing},
        workloads::Surroundings,
    },
    scenario::Scenario,
};

const REGIONS: [&str; 3] = ["westeurope", "swedencentral", "eastasia"];
/// Each so-many-th cluster has windows of its own.
const OWN_WINDOWS: usize = 5;

impl Case {
    /// A year of a fleet under one continuous plan: channel Stable, images of at most so many days, in a window on
    /// each weekend. Some clusters have maintenance windows of their own in Azure, each night.
    pub(in crate::exploration) fn year(seed: u64, number: usize, days: u32) -> Self {
        let start: Timestamp = "2026-11-20T22:00:00Z".parse().expect("a time");
        let clusters: Vec<Value> = (0..number).map(cluster).collect();
        let released = json!({"releases": {"calendar": true}});
        let regions: serde_json::Map<_, _> =
            REGIONS.iter().map(|region| ((*region).to_owned(), released.clone())).collect();
        let scenario = json!({"seed": seed, "regions": regions, "clusters": clusters});
        let scenario: Scenario = serde_json::from_value(scenario).expect("a scenario");
        scenario.check().expect("a good scenario");
        let channel = Some(KubernetesRequest::Channel(Channel::Stable));
        let request = Request {
            max_image_age: Some(Duration::from_secs(u64::from(days) * 24 * HOUR)),
            ..Request::new(Scope::Full, channel)
        };
        let upgrades: Vec<UpgradeCase> = scenario
            .clusters
            .iter()
            .enumerate()
            .map(|(index, cluster)| UpgradeCase {
                name: cluster.name.clone(),
                key: cluster.key(),
                id: cluster.id().parse().expect("a cluster's id"),
                request: request.clone(),
                arrival: Arrival::of_all(None, cluster.pools.iter().map(|pool| pool.name.clone())),
                surroundings: Surroundings::default(),
                timing: timing(index),
            })
            .collect();
        Self {
            seed,
            start,
            calm_from: start,
            end: start + Duration::from_secs(365 * 24 * HOUR),
            replicas: 1,
            held_back: 0.0,
            scenario,
            inventory: upgrades.iter().map(|_| Known::new(start, None)).collect(),
            waves: Some(waves(&upgrades)),
            upgrades,
            happenings: vec![(start, Happening::LeaseFree)],
            quiet: false,
            triggers: Vec::new(),
            mode: Mode::Continuous,
            is_long: true,
            drawn: BTreeSet::new(),
        }
    }
}

fn cluster(index: usize) -> Value {
    let (behind, system) = (index % 3, if index.is_multiple_of(2) { "Ubuntu" } else { "AzureLinux" });
    let version = ["1.35.3", "1.36.0", "1.36.2"][behind];
    let pool = |name: &str, mode: &str, os: (&str, &str), count: u32| {
        json!({"name": name, "mode": mode,
        "osType": os.0, "osSku": os.1, "count": count, "kubernetesVersion": version})
    };
    json!({"subscription": SUBSCRIPTION, "resourceGroup": "rg", "name": format!("c{index:02}"),
        "location": REGIONS[index % REGIONS.len()], "kubernetesVersion": version,
        "maintenanceConfigurations": configurations(&timing(index)), "pools": [
            pool("system", "System", ("Linux", system), 2),
            pool("apps", "User", ("Linux", "Ubuntu"), 2),
            pool("win", "User", ("Windows", "Windows2025"), 1)]})
}

/// From Friday to Sunday evening; some clusters have a schedule of their own in Azure, from evening to morning.
fn timing(index: usize) -> Timing {
    let starts = (vec![Weekday::Friday], Time::constant(22, 0, 0, 0));
    let weekend = Hours::weekly("weekend", "Europe/Berlin", starts, Duration::from_secs(48 * HOUR));
    let own = Own { name: "default", hour: 20, hours: 10, offset: 1, elsewhere: false };
    let own = index.is_multiple_of(OWN_WINDOWS).then_some(own);
    Timing { windows: vec![weekend], own: own.into_iter().collect(), ..Timing::default() }
}

/// Three clusters one after the other, then a quarter of the others at a time.
fn waves(upgrades: &[UpgradeCase]) -> Vec<(RequestedWave, Vec<String>)> {
    let wave = |name: &str, most: Share, clusters: &[UpgradeCase]| {
        let wave = RequestedWave {
            name: name.to_owned(),
            max_concurrent: most,
            failure_budget: Share::Number(0),
            approvals: None,
            order: Vec::new(),
        };
        (wave, clusters.iter().map(|upgrade| upgrade.name.clone()).collect())
    };
    let (canaries, others) = upgrades.split_at(3.min(upgrades.len()));
    vec![wave("canary", Share::Number(1), canaries), wave("prod", Share::Percent(25), others)]
}
