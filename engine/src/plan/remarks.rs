//! What a person should know before a plan runs, beside its steps. Nothing is decided by it.

use jiff::Timestamp;

use crate::{
    cluster::{Cluster, NodePool},
    offers::Offers,
    os_sku,
    policy::Policy,
    support::{Support, support},
    target::{NodeImagePolicy, Scope, Target},
    version::KubernetesVersion,
};

use super::part::{Part, part_of};

/// All remarks on the upgrade of one cluster.
pub(super) fn remarks(
    cluster: &Cluster,
    target: &Target,
    policy: &Policy,
    (offers, now): (&Offers, Timestamp),
) -> Vec<String> {
    let mut remarks = Vec::new();
    let busy = cluster.busy_with();
    remarks.extend(busy.map(|what| format!("{what}: nothing starts before that has ended")));
    if let Some(wanted) = &target.kubernetes {
        let given = support(wanted.minor(), cluster.is_long_term(), offers, now);
        remarks.extend(of_support(wanted, given, cluster));
        let behind = cluster.pools.iter().filter(|pool| pool.version < *wanted);
        remarks.extend(behind.filter_map(|pool| of_os_sku(pool, wanted, target, policy)));
    }
    remarks.extend(of_images_channel(cluster, target));
    remarks.extend(of_exclusions(cluster, policy));
    remarks
}

fn of_support(wanted: &KubernetesVersion, given: Support, cluster: &Cluster) -> Option<String> {
    if cluster.version >= *wanted {
        return None;
    }
    match given {
        Support::Preview => Some(format!("{wanted} is a preview: without support, and without a way back")),
        Support::PlatformSupport(_) | Support::Unsupported(_) => {
            Some(format!("{wanted} is {given}: a newer minor would last longer"))
        }
        Support::Supported(_) | Support::LongTermSupport(_) | Support::Unknown => None,
    }
}

/// An operating system that ends before the target on a pool that stays behind, or changes on the way.
fn of_os_sku(
    pool: &NodePool,
    wanted: &KubernetesVersion,
    target: &Target,
    policy: &Policy,
) -> Option<String> {
    let ends = os_sku::last_minor(&pool.os_sku).filter(|last| wanted.minor() > *last);
    match (part_of(pool, target, policy), ends) {
        (Part::Stays(_), Some(last)) => Some(format!(
            "pool {} runs {}, which ends with Kubernetes {last}: it cannot follow to {wanted}",
            pool.name, pool.os_sku
        )),
        (Part::Moves, None) => os_sku::change(pool, wanted),
        (Part::Moves | Part::Stays(_) | Part::Refused(_), _) => None,
    }
}

/// What Azure does to versions by itself while the upgrade runs.
pub(super) fn of_versions_channel(cluster: &Cluster) -> Option<String> {
    let channel = cluster.auto_upgrade_channel.as_ref()?;
    Some(format!(
        "the cluster's auto-upgrade channel is {channel:?}: Azure upgrades it by itself as well, and a version that moves meanwhile stops this upgrade"
    ))
}

/// What Azure does to images by itself, beside the upgrade or in its stead.
fn of_images_channel(cluster: &Cluster, target: &Target) -> Option<String> {
    // The rest of the channels leave images as they are.
    let images = ["NodeImage", "SecurityPatch"];
    let channel = cluster.node_os_upgrade_channel.as_deref();
    let channel = channel.filter(|channel| images.iter().any(|name| name.eq_ignore_ascii_case(channel)));
    // Nearly every cluster has this channel: it is said where it makes a difference.
    match (channel, target.node_image) {
        (Some(channel), NodeImagePolicy::Skip) if target.scope.has_images() => Some(format!(
            "spec.target.nodeImage is Skip, but the node OS channel is {channel:?}: Azure renews node images by itself"
        )),
        (Some(channel), NodeImagePolicy::Latest) if target.scope == Scope::NodeImage => Some(format!(
            "the node OS channel is {channel:?}: Azure renews node images by itself as well, and may be first"
        )),
        (Some(_) | None, _) => None,
    }
}

/// Names that are to be left alone and are not there: a slip of the pen would roll the pool that is meant.
fn of_exclusions(cluster: &Cluster, policy: &Policy) -> Vec<String> {
    let named = policy
        .exclude
        .iter()
        .enumerate()
        .flat_map(|(index, exclusion)| exclusion.names.iter().map(move |name| (index, name)));
    let missing = named.filter(|(_, name)| cluster.pool(name).is_none());
    missing
        .map(|(index, name)| {
            format!("spec.nodePools.exclude[{index}] names pool {name}, which the cluster does not have")
        })
        .collect()
}
