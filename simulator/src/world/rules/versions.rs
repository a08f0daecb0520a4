//! Which Kubernetes versions control planes and pools may go to.

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde_json::{Map, Value};

use super::{Context, check_sku};
use crate::world::{
    call::Refusal,
    region::catalog::{FIRST_LTS_PATCH, Support},
    resources::{cluster::Cluster, pool::Pool},
};

/// How many minors a pool may be behind its control plane (from 1.28).
const MAX_SKEW: u64 = 3;

/// For how long the use of a deprecated API counts ("Stop AKS cluster upgrades automatically on
/// API breaking changes").
const DEPRECATED_USE: SignedDuration = SignedDuration::from_hours(12);

/// The first target for which AKS looks at deprecated APIs.
const DEPRECATED_SINCE: u64 = 26;

/// What a PUT of a cluster asks of its support.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) support_plan: &'a str,
    pub(crate) tier: &'a str,
}

impl Plan<'_> {
    pub(crate) fn is_long_term(self) -> bool {
        self.support_plan == "AKSLongTermSupport"
    }
}

/// Whether the support plan goes with the tier and with the version.
pub(crate) fn check_plan(
    cluster: &Cluster,
    context: &Context<'_>,
    plan: Plan<'_>,
    target: &Version,
) -> Result<(), Refusal> {
    if plan.is_long_term() {
        if plan.tier.eq_ignore_ascii_case("Premium") {
            return Ok(());
        }
        return Err(Refusal::bad_request(
            "BadRequest",
            format!(
                "Support plan AKSLongTermSupport is only available for managed clusters in the Premium tier; the \
                 tier is {}.",
                plan.tier
            ),
        ));
    }
    let leaves = cluster.is_long_term();
    let only_long_term =
        target.patch >= FIRST_LTS_PATCH || context.catalog.support(target) == Support::LongTerm;
    if only_long_term && (leaves || *target != cluster.shown_version()) {
        return Err(Refusal::bad_request(
            "K8sVersionNotSupported",
            format!(
                "Managed cluster {} is on version {target} which is only available for Long-Term Support (LTS). If you \
                 intend to onboard to LTS, please ensure the cluster is in Premium tier and LTS support plan. \
                 Otherwise, use [az aks get-versions] command to get the supported version list in this region. For \
                 more information, please check https://aka.ms/supported-version-list",
                cluster.name
            ),
        ));
    }
    Ok(())
}

/// Whether the control plane may go from where it is to `target`.
pub(crate) fn check_control_plane(
    cluster: &Cluster,
    context: &Context<'_>,
    plan: Plan<'_>,
    target: &Version,
) -> Result<(), Refusal> {
    let catalog = context.catalog;
    if !catalog.offers(target) || catalog.refuses_preview(target) {
        return Err(not_supported("K8sVersionNotSupported", target));
    }
    check_plan(cluster, context, plan, target)?;
    let from = &cluster.version;
    // A failed or aborted upgrade is submitted again from a version that may be gone by now.
    if from == target {
        return Ok(());
    }
    let offered = catalog.upgrades(from, plan.is_long_term());
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

/// Whether an upgrade that starts now goes over disruption budgets and deprecated APIs.
///
/// Both fields have to be there; `until` bounds the start of an upgrade, not its end.
pub(crate) fn is_forced(document: &Map<String, Value>, now: Timestamp) -> bool {
    let settings = document.get("properties").and_then(|properties| properties.get("upgradeSettings"));
    let Some(over) = settings.and_then(|settings| settings.get("overrideSettings")) else {
        return false;
    };
    let until = over.get("until").and_then(Value::as_str).and_then(|until| until.parse::<Timestamp>().ok());
    over.get("forceUpgrade") == Some(&Value::Bool(true)) && until.is_some_and(|until| now < until)
}

/// Whether anything still uses an API that `target` no longer has.
pub(crate) fn check_deprecated_apis(
    cluster: &Cluster,
    document: &Map<String, Value>,
    now: Timestamp,
    target: &Version,
) -> Result<(), Refusal> {
    let from = cluster.version.minor;
    if target.minor <= from || target.minor < DEPRECATED_SINCE || is_forced(document, now) {
        return Ok(());
    }
    let used = cluster.constraints.deprecated_apis.iter().filter_map(|used| {
        let gone = used.removed_in_minor().filter(|gone| (from + 1..=target.minor).contains(gone))?;
        let seen = used.last_seen.unwrap_or(now);
        let recent = now.duration_since(seen) <= DEPRECATED_USE && seen <= now;
        recent.then(|| {
            format!(
                "\t* usage has been detected on API {}, and was recently seen at: {}, which will be removed in \
                 1.{gone}\n",
                used.api,
                seen.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
            )
        })
    });
    let used = used.collect::<Vec<_>>();
    if used.is_empty() {
        return Ok(());
    }
    let errors = if used.len() == 1 { "1 error".to_owned() } else { format!("{} errors", used.len()) };
    let message = format!(
        "Control Plane upgrade is blocked due to recent usage of a Kubernetes API deprecated in the specified version. \
         Please refer to https://kubernetes.io/docs/reference/using-api/deprecation-guide to migrate the usage. To \
         bypass this error, set enable-force-upgrade in upgradeSettings.overrideSettings. Bypassing this error without \
         migrating usage will result in the deprecated Kubernetes API calls failing. Usage details: {errors} \
         occurred:\n{}\n",
        used.concat()
    );
    Err(Refusal::aks(400, "ValidationError", "UpgradeBlockedOnDeprecatedAPIUsage", message))
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
             Minor version of node pool is {} and control plane is {}.",
            pool.minor, control_plane.minor
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
    context: &Context<'_>,
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
    let moves = *target != cluster.version && *target != from;
    let too_long_term = target.patch >= FIRST_LTS_PATCH && !cluster.is_long_term();
    if moves && (!context.catalog.offers(target) || too_long_term) {
        return Err(not_supported("AgentPoolK8sVersionNotSupported", target));
    }
    check_sku(&pool.name, pool.os_sku(), target)
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
