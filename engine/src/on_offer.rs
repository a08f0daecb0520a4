//! What one control plane or node pool can go to now, and what stands in its way.
//!
//! For people who look; plans decide by the same facts in `path.rs` and `refusal.rs`.

use std::{collections::BTreeMap, fmt};

use crate::{
    cluster::{Cluster, NodePool, PoolType, Power, ProvisioningState},
    offers::{OfferedVersion, Offers, SupportPlans},
    os_sku,
    version::{KubernetesVersion, Minor},
};

/// What is on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnOffer {
    /// The versions, oldest first.
    pub versions: Vec<OfferedVersion>,
    /// Why there are none, or why none of them can be taken now.
    pub hindrance: Option<Hindrance>,
}

/// What stands between a control plane or pool and a newer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The cluster is stopped.
    ClusterStopped,
    /// The pool is stopped.
    PoolStopped,
    /// Azure makes the pool's nodes, which follow the control plane by themselves.
    Provisioned,
    /// A snapshot pins the pool; its name.
    Pinned(String),
    /// The pool is an availability set.
    AvailabilitySet,
    /// The last operation of the cluster or pool ended in this state.
    NotReady(ProvisioningState),
    /// The next version is offered for control plane and pools together only.
    WholeClusterOnly(KubernetesVersion),
    /// AKS Automatic upgrades itself.
    Automatic,
    /// An auto-upgrade channel is on.
    AutoUpgrade(String),
    /// The versions of the region are not known.
    RegionUnknown,
    /// It has the newest version that the region has.
    Newest,
    /// The region has newer versions, to none of which Azure offers a way.
    NoWay {
        /// The newest version of the region.
        newest: KubernetesVersion,
        /// Whether the region still has the present version.
        listed: bool,
    },
    /// The pool has the version of its control plane, which it cannot pass.
    AtControlPlane,
    /// The pool's operating system does not run on anything newer.
    OsSkuEnds {
        /// The OS SKU.
        os_sku: String,
        /// The last minor on which it runs.
        last: Minor,
    },
}

impl OnOffer {
    /// What Azure offers the control plane.
    #[must_use]
    pub fn to_control_plane(cluster: &Cluster, offers: &Offers) -> Self {
        let versions = offers.control_plane.clone();
        let hindrance = of_cluster(cluster)
            .or_else(|| cluster.auto_upgrade_channel.clone().map(Hindrance::AutoUpgrade))
            .or_else(|| versions.is_empty().then(|| why_none(&cluster.version, offers)))
            .or_else(|| only_together(cluster, &versions));
        Self { versions, hindrance }
    }

    /// Where the pool can go: to the version of its control plane, or to one of the region's in
    /// between. Source: "Upgrade options for AKS clusters", node pools may skip minors.
    #[must_use]
    pub fn to_pool(pool: &NodePool, cluster: &Cluster, offers: &Offers) -> Self {
        let ceiling =
            OfferedVersion { version: cluster.version.clone(), preview: offers.is_preview(&cluster.version) };
        let between = offers.region.iter().filter(|entry| {
            let long_term_only = entry.support_plans == Some(SupportPlans::AKSLongTermSupport);
            entry.version < cluster.version && (cluster.is_long_term() || !long_term_only)
        });
        let last = os_sku::last_minor(&pool.os_sku);
        let runs = |offer: &OfferedVersion| last.is_none_or(|last| offer.version.minor() <= last);
        let (mut versions, beyond): (Vec<_>, Vec<_>) = between
            .map(|entry| OfferedVersion { version: entry.version.clone(), preview: entry.preview })
            .chain([ceiling])
            .filter(|offer| offer.version > pool.version)
            .partition(runs);
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        let hindrance = of_cluster(cluster).or(of_pool(pool)).or(versions.is_empty().then(|| match last {
            Some(last) if !beyond.is_empty() => Hindrance::OsSkuEnds { os_sku: pool.os_sku.clone(), last },
            Some(_) | None => Hindrance::AtControlPlane,
        }));
        Self { versions, hindrance }
    }
}

/// What hinders control plane and pools alike.
fn of_cluster(cluster: &Cluster) -> Option<Hindrance> {
    if cluster.power == Power::Stopped {
        return Some(Hindrance::ClusterStopped);
    }
    if cluster.automatic {
        return Some(Hindrance::Automatic);
    }
    let state = &cluster.provisioning_state;
    state.is_broken().then(|| Hindrance::NotReady(state.clone()))
}

/// What hinders one pool.
fn of_pool(pool: &NodePool) -> Option<Hindrance> {
    if pool.is_managed_by_azure() {
        return Some(Hindrance::Provisioned);
    }
    if pool.power == Power::Stopped {
        return Some(Hindrance::PoolStopped);
    }
    if pool.pool_type == PoolType::AvailabilitySet {
        return Some(Hindrance::AvailabilitySet);
    }
    let state = &pool.provisioning_state;
    let pinned = pool.snapshot.clone().map(Hindrance::Pinned);
    pinned.or_else(|| state.is_broken().then(|| Hindrance::NotReady(state.clone())))
}

/// Out of support, Azure offers the way back into it only for the cluster as a whole.
fn only_together(cluster: &Cluster, versions: &[OfferedVersion]) -> Option<Hindrance> {
    let skips = |offer: &&OfferedVersion| offer.version.minor().ahead_of(cluster.version.minor()) > 1;
    let nearest = versions.iter().min_by_key(|offer| &offer.version).filter(skips)?;
    (!cluster.is_long_term()).then(|| Hindrance::WholeClusterOnly(nearest.version.clone()))
}

fn why_none(current: &KubernetesVersion, offers: &Offers) -> Hindrance {
    let stable = offers.region.iter().filter(|entry| !entry.preview).map(|entry| &entry.version);
    match stable.max() {
        None => Hindrance::RegionUnknown,
        Some(newest) if newest <= current => Hindrance::Newest,
        Some(newest) => Hindrance::NoWay { newest: newest.clone(), listed: offers.has(current) },
    }
}

/// The newest stable patch and the newest preview of each minor, oldest minor first.
#[must_use]
pub fn newest_of_each_minor(versions: &[OfferedVersion]) -> Vec<OfferedVersion> {
    let mut newest = BTreeMap::new();
    for offer in versions {
        let slot =
            newest.entry((offer.version.minor(), offer.preview)).or_insert_with(|| offer.version.clone());
        if *slot < offer.version {
            slot.clone_from(&offer.version);
        }
    }
    newest.into_iter().map(|((_, preview), version)| OfferedVersion { version, preview }).collect()
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterStopped => f.write_str("the cluster is stopped"),
            Self::PoolStopped => f.write_str("the pool is stopped, and follows when it is started"),
            Self::Provisioned => {
                f.write_str("node auto-provisioning makes its nodes, which follow by themselves")
            }
            Self::Pinned(snapshot) => write!(f, "it is pinned to snapshot {snapshot}"),
            Self::AvailabilitySet => {
                f.write_str("it is an availability set, which Azure upgrades only with the whole cluster")
            }
            Self::NotReady(state) => write!(f, "its state is {state}"),
            Self::WholeClusterOnly(next) => {
                write!(f, "Azure goes to {next} only with control plane and pools together (az aks upgrade)")
            }
            Self::Automatic => f.write_str("AKS Automatic upgrades itself"),
            Self::AutoUpgrade(channel) => write!(f, "Azure upgrades it by itself, channel {channel}"),
            Self::RegionUnknown => f.write_str("the versions of its region are not known"),
            Self::Newest => f.write_str("it has the newest version of its region"),
            Self::NoWay { newest, listed: true } => {
                write!(f, "its region has {newest}, to which Azure offers it no way")
            }
            Self::NoWay { newest, listed: false } => write!(
                f,
                "its region has {newest} and no longer its own version, from which Azure offers no way"
            ),
            Self::AtControlPlane => f.write_str("it has the version of its control plane"),
            Self::OsSkuEnds { os_sku, last } => write!(f, "{os_sku} ends with Kubernetes {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cluster, offers, version};

    fn words(versions: &[OfferedVersion]) -> String {
        let word = |offer: &OfferedVersion| {
            format!("{}{}", offer.version, if offer.preview { " preview" } else { "" })
        };
        versions.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_newest_patch_of_each_minor_stands_for_it() {
        let offered = offers("1.36.0").control_plane;
        assert_eq!(words(&newest_of_each_minor(&offered)), "1.36.2, 1.37.0 preview");
        let mut mixed = offered;
        mixed.push(OfferedVersion { version: version("1.37.1"), preview: false });
        mixed.push(OfferedVersion { version: version("1.36.100"), preview: false });
        assert_eq!(words(&newest_of_each_minor(&mixed)), "1.36.100, 1.37.1, 1.37.0 preview");
    }

    #[test]
    fn a_control_plane_is_told_what_stands_in_its_way() {
        let told = |at: &str, change: &dyn Fn(&mut Cluster, &mut Offers)| {
            let (mut cluster, mut offers) = (cluster(at), offers(at));
            change(&mut cluster, &mut offers);
            let on_offer = OnOffer::to_control_plane(&cluster, &offers);
            let hindrance = on_offer.hindrance.map(|hindrance| hindrance.to_string());
            (on_offer.versions.len(), hindrance.unwrap_or_default())
        };
        let none = |_: &mut Cluster, _: &mut Offers| {};
        assert_eq!(told("1.33.0", &none), (3, String::new()));
        assert_eq!(told("1.37.0", &none).1, "it has the newest version of its region");
        let stopped = |cluster: &mut Cluster, _: &mut Offers| cluster.power = Power::Stopped;
        assert_eq!(told("1.33.0", &stopped), (3, "the cluster is stopped".to_owned()));
        let automatic = |cluster: &mut Cluster, _: &mut Offers| cluster.automatic = true;
        assert_eq!(told("1.33.0", &automatic).1, "AKS Automatic upgrades itself");
        let channel = |cluster: &mut Cluster, _: &mut Offers| {
            cluster.auto_upgrade_channel = Some("patch".to_owned());
        };
        assert_eq!(told("1.33.0", &channel).1, "Azure upgrades it by itself, channel patch");
        let empty = |_: &mut Cluster, offers: &mut Offers| *offers = Offers::default();
        assert_eq!(told("1.33.0", &empty).1, "the versions of its region are not known");
        let no_way = |_: &mut Cluster, offers: &mut Offers| offers.control_plane.clear();
        assert!(told("1.33.0", &no_way).1.starts_with("its region has 1.36.2, to which"));
        assert!(told("1.31.4", &no_way).1.starts_with("its region has 1.36.2 and no longer its own"));
    }

    #[test]
    fn a_pool_may_go_up_to_its_control_plane() {
        let (mut cluster, mut offers) = (cluster("1.35.2"), offers("1.35.2"));
        cluster.pools[0].version = version("1.34.2");
        let told = |cluster: &Cluster, offers: &Offers| {
            let on_offer = OnOffer::to_pool(&cluster.pools[0], cluster, offers);
            let hindrance = on_offer.hindrance.map(|hindrance| hindrance.to_string());
            (words(&on_offer.versions), hindrance.unwrap_or_default())
        };
        assert_eq!(told(&cluster, &offers), ("1.34.4, 1.35.0, 1.35.2".to_owned(), String::new()));
        // Its control plane's own version is there even when the region has dropped it.
        offers.region.retain(|entry| entry.version != version("1.35.2"));
        offers.region[3].support_plans = Some(SupportPlans::AKSLongTermSupport);
        assert_eq!(told(&cluster, &offers).0, "1.35.0, 1.35.2", "1.34.4 is for long-term support only");
        cluster.support_plan = Some("AKSLongTermSupport".to_owned());
        assert_eq!(told(&cluster, &offers).0, "1.34.4, 1.35.0, 1.35.2");
        cluster.pools[0].power = Power::Stopped;
        assert_eq!(told(&cluster, &offers).1, "the pool is stopped, and follows when it is started");
        cluster.pools[0].power = Power::Running;
        cluster.pools[0].version = version("1.35.2");
        let at_it = (String::new(), "it has the version of its control plane".to_owned());
        assert_eq!(told(&cluster, &offers), at_it);
    }

    #[test]
    fn a_way_back_into_support_is_for_the_whole_cluster() {
        let (mut cluster, mut offers) = (cluster("1.31.9"), offers("1.31.9"));
        offers.control_plane = vec![OfferedVersion { version: version("1.34.4"), preview: false }];
        let told = |cluster: &Cluster| OnOffer::to_control_plane(cluster, &offers).hindrance;
        assert_eq!(told(&cluster), Some(Hindrance::WholeClusterOnly(version("1.34.4"))));
        cluster.support_plan = Some("AKSLongTermSupport".to_owned());
        assert_eq!(told(&cluster), None, "on long-term support it is a skip like any other");
        cluster.provisioning_state = ProvisioningState::Failed;
        assert_eq!(told(&cluster).unwrap().to_string(), "its state is Failed");
    }

    #[test]
    fn a_pool_is_told_what_stands_in_its_way() {
        type Change = fn(&mut NodePool);
        let told = |change: Change| {
            let mut cluster = cluster("1.35.2");
            cluster.pools[0].version = version("1.34.4");
            change(&mut cluster.pools[0]);
            OnOffer::to_pool(&cluster.pools[0], &cluster, &offers("1.35.2")).hindrance.map(|h| h.to_string())
        };
        assert_eq!(told(|_| ()), None);
        let cases: [(Change, &str); 4] = [
            (|pool| pool.mode = "Machines".to_owned(), "follow by themselves"),
            (|pool| pool.snapshot = Some("golden".to_owned()), "pinned to snapshot golden"),
            (|pool| pool.pool_type = PoolType::AvailabilitySet, "availability set"),
            (|pool| pool.provisioning_state = ProvisioningState::Failed, "its state is Failed"),
        ];
        for (change, words) in cases {
            let hindrance = told(change).unwrap();
            assert!(hindrance.contains(words), "{hindrance}");
        }
    }

    #[test]
    fn a_pool_goes_no_further_than_its_operating_system() {
        let (mut cluster, offers) = (cluster("1.37.0"), offers("1.37.0"));
        cluster.pools[3].version = version("1.36.0");
        let told = |cluster: &Cluster| OnOffer::to_pool(&cluster.pools[3], cluster, &offers);
        assert_eq!(words(&told(&cluster).versions), "1.36.2", "1.37.0 is beyond Windows Server 2022");
        cluster.pools[3].version = version("1.36.2");
        let nothing = told(&cluster);
        assert!(nothing.versions.is_empty());
        assert_eq!(nothing.hindrance.unwrap().to_string(), "Windows2022 ends with Kubernetes 1.36");
        cluster.pools[3].os_sku = "Windows2025".to_owned();
        assert_eq!(words(&told(&cluster).versions), "1.37.0 preview");
    }
}
