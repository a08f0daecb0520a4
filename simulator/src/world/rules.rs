//! What AKS refuses, and in which words.
//!
//! Codes follow "Troubleshoot Azure Kubernetes Service clusters" and issue threads; the
//! sentences are ours, with the phrases kept that clients tell errors apart by.

use semver::Version;
use serde_json::{Map, Value};

use super::{
    call::Refusal,
    catalog::{self, Catalog},
    cluster::Cluster,
    document,
    pool::Pool,
};

/// How many minors a pool may be behind its control plane (from 1.28).
const MAX_SKEW: u64 = 3;

/// Whether the condition of a write still holds.
pub(crate) fn check_etag(sent: Option<&str>, current: &str) -> Result<(), Refusal> {
    match sent {
        None | Some("*") => Ok(()),
        Some(sent) if sent.trim_matches('"') == current => Ok(()),
        Some(sent) => Err(Refusal::aks(
            412,
            "PreconditionFailed",
            "",
            format!(
                "The eTag {sent} of the request does not match the current eTag {current} of the resource."
            ),
        )),
    }
}

/// One operation per cluster; a second one is told so in one of AKS's two ways.
pub(crate) fn check_idle(cluster: &Cluster, pool: Option<&str>) -> Result<(), Refusal> {
    let (Some(work), Some((verb, since))) = (&cluster.work, cluster.since()) else {
        return Ok(());
    };
    if work.pool.as_deref() == pool {
        let message = format!(
            "Operation is not allowed because there's an in progress {verb} operation on the resource started at \
             {since}. Please wait for it to finish before starting a new operation. See \
             https://aka.ms/aks-pending-operation for more details."
        );
        return Err(Refusal::aks(409, "OperationNotAllowed", "", message));
    }
    let mut refusal = Refusal::aks(
        409,
        "EtagMismatch",
        "PutManagedClusterAndComponents_FailedPrecondition",
        "Operation is not allowed: Another operation is in progress",
    );
    refusal.body["details"] = serde_json::json!([
        { "code": "Unspecified", "message": "rpc error: code = FailedPrecondition desc = Etag mismatched" }
    ]);
    Err(refusal)
}

/// Stopped clusters take no changes.
pub(crate) fn check_running(cluster: &Cluster) -> Result<(), Refusal> {
    if cluster.is_stopped() {
        return Err(Refusal::bad_request(
            "OperationNotAllowed",
            "Managed cluster is in stopped state, no operations except for start and delete are allowed.",
        ));
    }
    Ok(())
}

/// Whether the control plane may go from where it is to `target`.
pub(crate) fn check_control_plane(
    cluster: &Cluster,
    catalog: &Catalog,
    target: &Version,
) -> Result<(), Refusal> {
    if !catalog.offers(target) {
        return Err(not_supported("K8sVersionNotSupported", target));
    }
    let from = &cluster.version;
    let offered = catalog.upgrades(from, cluster.is_long_term());
    if !offered.iter().any(|(version, _)| version == target) {
        let mut available = offered.iter().map(|(version, _)| version.to_string()).collect::<Vec<_>>();
        available.reverse();
        return Err(Refusal::bad_request(
            "OperationNotAllowed",
            format!(
                "Upgrading Kubernetes version {from} to {target} is not allowed. Available upgrades: [{}]. \
                 Please see https://aka.ms/aks-supported-k8s-ver for version details.",
                available.join(" ")
            ),
        ));
    }
    Ok(())
}

/// Whether a pool at `pool` goes with a control plane at `control_plane`.
pub(crate) fn check_skew(pool: &Version, control_plane: &Version) -> Result<(), Refusal> {
    let problem = if pool > control_plane {
        format!(
            "Version of node pool cannot be bigger than control plane's version. Node pool version {pool} is bigger \
             than control plane version {control_plane}."
        )
    } else if control_plane.minor - pool.minor > MAX_SKEW {
        format!(
            "Minor version of node pool cannot be more than {MAX_SKEW} versions less than control plane's version. \
             Node pool version {pool} is too old for control plane version {control_plane}."
        )
    } else {
        return Ok(());
    };
    Err(Refusal::bad_request(
        "NodePoolMcVersionIncompatible",
        format!(
            "Node pool version {pool} and control plane version {control_plane} are incompatible. {problem} For more \
             information, please check https://aka.ms/aks/UpgradeVersionRules"
        ),
    ))
}

/// Whether a pool may go to `target` below its control plane.
pub(crate) fn check_pool(
    cluster: &Cluster,
    pool: &Pool,
    catalog: &Catalog,
    target: &Version,
) -> Result<(), Refusal> {
    let from = pool.version();
    if *target < from {
        return Err(Refusal::bad_request(
            "OperationNotAllowed",
            format!(
                "Upgrading agent pool {} Kubernetes version {from} to {target} is not allowed: downgrade is not \
                 supported. Please see https://aka.ms/aks-supported-k8s-ver for version details.",
                pool.name
            ),
        ));
    }
    check_skew(target, &cluster.version)?;
    if *target != cluster.version && !catalog.offers(target) {
        return Err(not_supported("AgentPoolK8sVersionNotSupported", target));
    }
    check_sku(pool, target)
}

/// Whether the pool's OS SKU still exists at `target`.
pub(crate) fn check_sku(pool: &Pool, target: &Version) -> Result<(), Refusal> {
    match catalog::last_minor(pool.os_sku()) {
        Some(last) if target.minor > last => Err(Refusal::bad_request(
            "OSSKUNotSupported",
            format!(
                "Agent pool {}: OS SKU {} is not supported on Kubernetes version {target}; its last supported minor \
                 version is 1.{last}.",
                pool.name,
                pool.os_sku()
            ),
        )),
        _ => Ok(()),
    }
}

/// Surge and unavailability that AKS accepts.
pub(crate) fn check_upgrade_settings(pool: &str, properties: &Map<String, Value>) -> Result<(), Refusal> {
    let settings = properties.get("upgradeSettings").unwrap_or(&Value::Null);
    let is_zero = |field: &str, absent: bool| match settings.get(field) {
        None | Some(Value::Null) => absent,
        Some(value) => value.as_str().is_some_and(|text| text.trim_end_matches('%') == "0") || value == 0,
    };
    let unavailable = !is_zero("maxUnavailable", true);
    let problem = if is_zero("maxSurge", false) && !unavailable {
        "maxSurge and maxUnavailable cannot both be 0"
    } else if unavailable && properties.get("mode").and_then(Value::as_str) == Some("System") {
        "maxUnavailable is not supported on system pools"
    } else {
        return Ok(());
    };
    Err(Refusal::bad_request(
        "InvalidParameter",
        format!(
            "The value of parameter agentPoolProfile.upgradeSettings of {pool} is invalid. Error details: {problem}."
        ),
    ))
}

/// Inline pool fields that stable API versions do not know: the service unmarshals strictly.
///
/// Source: Azure/azure-rest-api-specs issue 40740.
pub(crate) fn check_inline_fields(profile: &Map<String, Value>) -> Result<(), Refusal> {
    let sent = |path: &&[&'static str]| {
        let (last, parents) = path.split_last()?;
        let parent = parents.iter().try_fold(profile, |object, field| object.get(*field)?.as_object())?;
        parent.get(*last).filter(|value| !value.is_null()).map(|_| *last)
    };
    let mut unknown = document::INLINE_UNKNOWN.iter().filter_map(sent);
    unknown.next().map_or(Ok(()), |field| {
        Err(Refusal::bad_request(
            "UnmarshalError",
            format!(
                "UnmarshalEntity encountered error: json: unknown field \"{field}\" Check that the field is in the \
                 right location, is spelled correctly, and is supported in the API version."
            ),
        ))
    })
}

/// Control plane and pools changed together in a way that AKS does not take.
pub(crate) fn mixed_versions() -> Refusal {
    Refusal::bad_request(
        "NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged",
        "Using managed cluster api, all Agent pools' OrchestratorVersion must be all specified or all unspecified. If \
         all specified, they must be stay unchanged or the same with control plane. For agent pool specific change, \
         please use per agent pool operations: https://aka.ms/agent-pool-rest-api",
    )
}

pub(crate) fn not_supported(code: &str, version: impl std::fmt::Display) -> Refusal {
    Refusal::bad_request(
        code,
        format!(
            "Version {version} is not supported in this region. Please use [az aks get-versions] command to get the \
             supported version list in this region. For more information, please check \
             https://aka.ms/supported-version-list"
        ),
    )
}
