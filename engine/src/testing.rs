//! Small clusters and offers for the tables of this crate's tests.

pub(crate) mod world;

use jiff::civil::Weekday;

use crate::{
    calendar::{Start, Terms, Window},
    cluster::{Cluster, NodePool, PoolType, Power, ProvisioningState},
    decide::Request,
    offers::{OfferedVersion, Offers, RegionVersion},
    schedule::Freeze,
    settings::Settings,
    target::{KubernetesRequest, Scope},
    version::KubernetesVersion,
};

pub(crate) const VERSIONS: [&str; 10] =
    ["1.33.0", "1.33.8", "1.34.2", "1.34.4", "1.35.0", "1.35.2", "1.36.0", "1.36.2", "1.37.0", "1.32.9"];
pub(crate) const NEW_LINUX: &str = "AKSUbuntu-2204gen2containerd-202611.10.0";
pub(crate) const OLD_LINUX: &str = "AKSUbuntu-2204gen2containerd-202609.01.0";
pub(crate) const NEW_WINDOWS: &str = "AKSWindows-2022-containerd-20348.4405.261112";
pub(crate) const OLD_WINDOWS: &str = "AKSWindows-2022-containerd-20348.4100.260811";

pub(crate) fn version(text: &str) -> KubernetesVersion {
    text.parse().unwrap()
}

/// What is wanted of a cluster, with everything else as it is when nothing is said.
pub(crate) fn request(scope: Scope, to: Option<&str>) -> Request {
    Request::new(scope, to.map(|to| KubernetesRequest::Version(to.parse().unwrap())))
}

/// A window that opens at a time of these days of the week, in Berlin.
pub(crate) fn weekly(name: &str, days: &[Weekday], time: &str, hours: u64) -> Window {
    weekly_in("Europe/Berlin", name, days, time, hours)
}

pub(crate) fn weekly_in(zone: &str, name: &str, days: &[Weekday], time: &str, hours: u64) -> Window {
    Window::new(&Terms {
        name: name.to_owned(),
        time_zone: zone.to_owned(),
        duration: Some(std::time::Duration::from_secs(hours * 3600)),
        starts: vec![Start::Weekly { days: days.to_vec(), time: time.parse().unwrap() }],
        exclusions: Vec::new(),
    })
    .unwrap()
}

pub(crate) fn freeze(name: &str, from: &str, until: Option<&str>) -> Freeze {
    Freeze {
        name: name.to_owned(),
        reason: "an incident".to_owned(),
        from: from.parse().unwrap(),
        until: until.map(|until| until.parse().unwrap()),
    }
}

/// What AKS offers from `from`: newer patches and the next minor; 1.37 is a preview.
pub(crate) fn offers(from: &str) -> Offers {
    let next = |from: &KubernetesVersion| -> Vec<KubernetesVersion> {
        VERSIONS
            .iter()
            .map(|text| version(text))
            .filter(|to| to > from && to.minor().ahead_of(from.minor()) <= 1)
            .collect()
    };
    let preview = |version: &KubernetesVersion| version.minor().minor == 37;
    Offers {
        control_plane: next(&version(from))
            .into_iter()
            .map(|version| OfferedVersion { preview: preview(&version), version })
            .collect(),
        region: VERSIONS
            .iter()
            .map(|text| version(text))
            .map(|version| RegionVersion {
                preview: preview(&version),
                support_plans: None,
                upgrades: next(&version),
                version,
            })
            .collect(),
        images: [("system", NEW_LINUX), ("linux1", NEW_LINUX), ("linux2", NEW_LINUX), ("win1", NEW_WINDOWS)]
            .map(|(pool, image)| (pool.to_owned(), image.to_owned()))
            .into(),
    }
}

pub(crate) fn pool(name: &str, os_type: &str, mode: &str, at: &str, image: &str) -> NodePool {
    NodePool {
        name: name.to_owned(),
        mode: mode.to_owned(),
        os_type: os_type.to_owned(),
        os_sku: if os_type == "Windows" { "Windows2022" } else { "Ubuntu2204" }.to_owned(),
        pool_type: PoolType::VirtualMachineScaleSets,
        snapshot: None,
        version: version(at),
        node_image: image.to_owned(),
        count: Some(3),
        provisioning_state: ProvisioningState::Succeeded,
        power: Power::Running,
        upgrade_settings: Settings::default(),
    }
}

/// A cluster with pools system, linux1, linux2 and win1, all at `at` with old images.
pub(crate) fn cluster(at: &str) -> Cluster {
    Cluster {
        name: "weu-1".to_owned(),
        location: "westeurope".to_owned(),
        version: version(at),
        provisioning_state: ProvisioningState::Succeeded,
        power: Power::Running,
        automatic: false,
        node_provisioning: false,
        auto_upgrade_channel: None,
        node_os_upgrade_channel: None,
        support_plan: None,
        tier: None,
        override_settings: Settings::default(),
        pools: vec![
            pool("linux1", "Linux", "User", at, OLD_LINUX),
            pool("linux2", "Linux", "User", at, OLD_LINUX),
            pool("system", "Linux", "System", at, OLD_LINUX),
            pool("win1", "Windows", "User", at, OLD_WINDOWS),
        ],
    }
}
