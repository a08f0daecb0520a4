//! What Azure refuses or fails with, and what follows from it.
//!
//! One function from (status, code, subcode, message) to a class, as tables. Codes decide where they
//! say enough; the message decides where Azure uses one code for several things
//! (`OperationNotAllowed`, `UpgradeFailed`) or wraps another service's error. Pure.
//!
//! Sources: the AKS error code reference and its articles on Microsoft Learn, Azure Resource
//! Manager's common deployment errors, and recorded answers.

mod blocker;
#[cfg(test)]
mod blockers_tests;
#[cfg(any(test, fuzzing))]
pub(crate) mod checks;
mod parse;
#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use blocker::Blocker;

/// How much of a message is kept, in characters: it ends up in status objects.
const MESSAGE_LIMIT: usize = 1024;
/// How long a code may be, in characters; Azure's are far shorter.
const CODE_LIMIT: usize = 128;

/// What Azure (or the way to it) answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The HTTP status; absent when an operation failed later, or when no answer came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// Azure's error code; absent with `status` when no answer came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub code: Option<String>,
    /// AKS's finer code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub subcode: Option<String>,
    /// What Azure says to a person, at most 1,024 characters.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// Passes by itself: try again later. Not an attempt.
    Transient,
    /// Something else is going on there: read again, then adopt or wait. Not an attempt.
    Busy,
    /// Somebody must change something first.
    Blocked,
    /// The step was tried and failed: an attempt.
    Failed,
    /// We asked for something that cannot be: asking again does not help.
    Bug,
}

impl Failure {
    /// A failure, with its texts cut to their limits and empty codes left out.
    #[must_use]
    pub fn new(status: Option<u16>, code: Option<&str>, subcode: Option<&str>, message: &str) -> Self {
        let code_of =
            |text: Option<&str>| text.filter(|text| !text.is_empty()).map(|text| cut(text, CODE_LIMIT));
        Self { status, code: code_of(code), subcode: code_of(subcode), message: cut(message, MESSAGE_LIMIT) }
    }

    /// What to do about it. Unknown 4xx, and unknown codes of failed operations, are `Failed`.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        let message = self.message.to_ascii_lowercase();
        if matches!(self.status, Some(408 | 429)) {
            return FailureClass::Transient;
        }
        let class_of = |code: &Option<String>| {
            let code = code.as_deref()?;
            class_of_code(code.strip_prefix("ErrCode_").unwrap_or(code), self.status, &message)
        };
        let is_generic = || class_in(GENERIC, self.code.as_deref().unwrap_or_default()).is_some();
        let class = match (class_of(&self.subcode), class_of(&self.code)) {
            // Of a code for anything, the message tells more, and then the finer code.
            (finer @ Some(FailureClass::Transient), Some(_)) if is_generic() => {
                class_of_message(&message).or(finer)
            }
            // The finer code knows better, but what has failed is an attempt, whatever the cause.
            (Some(FailureClass::Transient) | None, coarse @ Some(_)) => coarse,
            (finer, _) => finer,
        };
        class.or_else(|| class_of_message(&message)).unwrap_or_else(|| self.class_of_status())
    }

    fn class_of_status(&self) -> FailureClass {
        match self.status {
            Some(401) => FailureClass::Transient,
            Some(403) => FailureClass::Blocked,
            Some(412) => FailureClass::Busy,
            Some(status) if status >= 500 => FailureClass::Transient,
            None if self.code.is_none() => FailureClass::Transient,
            Some(_) | None => FailureClass::Failed,
        }
    }

    /// What stands in the way, as far as Azure names it; at most sixteen.
    ///
    /// A blocked failure always has one, if only its message; others have those that the message
    /// names, for example the pods of a drain that ran out of time.
    #[must_use]
    pub fn blockers(&self) -> Vec<Blocker> {
        let found = parse::blockers(self);
        if found.is_empty() && self.class() == FailureClass::Blocked {
            return vec![Blocker::Other { message: self.message.clone() }];
        }
        found
    }

    /// Whether one of the codes is `code`, or the message names it, as wrapped errors do.
    fn says(&self, code: &str) -> bool {
        let is_code =
            |found: &String| found.strip_prefix("ErrCode_").unwrap_or(found).eq_ignore_ascii_case(code);
        [&self.code, &self.subcode].into_iter().flatten().any(is_code) || self.message.contains(code)
    }
}

/// Codes that say enough by themselves, in Azure's spelling; compared regardless of case, which varies.
const CODES: &[(FailureClass, &[&str])] = &[
    (
        FailureClass::Transient,
        &[
            "AKSCapacityError",
            "AksCapacityHeavyUsage",
            "AllocationFailed",
            "BadGatewayConnection",
            "ContextDeadlineExceeded",
            "EntityStoreOperationError",
            "ExpiredAuthenticationToken",
            "GatewayTimeout",
            "InternalError",
            "InternalOperationError",
            "InternalServerError",
            "OverconstrainedAllocationRequest",
            "OverconstrainedZonalAllocationRequest",
            "OverlaymgrReconcileError",
            "ReconcileControlPlaneCertificatesError",
            "ReconcilePortalDNSError",
            "ReferencedResourceNotProvisioned",
            "RetryableError",
            "ServerTimeout",
            "ServiceUnavailable",
            "SubscriptionRequestsThrottled",
            "Throttled",
            "TooManyRequests",
            "TooManyRequestsReceived",
            "VirtualNetworkNotInSucceededState",
            "ZonalAllocationFailed",
        ],
    ),
    (
        FailureClass::Busy,
        &[
            "AKSOperationPreempted",
            "AKSOperationPreemptedByDelete",
            "AnotherOperationInProgress",
            "ConditionNotMet",
            "EtagMismatch",
            "NotLatestOperation",
            "OperationPreempted",
            "OriginalEtagNotExpect",
        ],
    ),
    (
        FailureClass::Blocked,
        &[
            "AuthorizationFailed",
            "AvailabilityZoneNotSupported",
            "CustomPrivateDNSZoneMissingPermissionError",
            "DenyAssignmentAuthorizationFailed",
            "DisabledSubscription",
            "InsufficientSubnetSize",
            "InsufficientVCPUQuota",
            "InvalidApiVersionParameter",
            "InvalidClientSecret",
            "InvalidLoadBalancerProfileAllocatedOutboundPorts",
            "InvalidResourceReference",
            "LinkedAuthorizationFailed",
            "MissingSubscriptionRegistration",
            "NoRegisteredProviderFound",
            "NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged",
            "PrincipalNotFound",
            "PublicIPCountLimitReached",
            "QuotaExceeded",
            "ReadOnlyDisabledSubscription",
            "RequestDisallowedByAzure",
            "RequestDisallowedByPolicy",
            "ScopeLocked",
            "ServicePrincipalNotFound",
            "ServicePrincipalValidationClientError",
            "SkuNotAvailable",
            "SubnetIsDelegated",
            "SubnetIsFull",
            "SubnetWithExternalResourcesCannotBeUsedByOtherResources",
            "UnsatisfiablePDB",
            "UpgradeBlockedOnDeprecatedAPIUsage",
        ],
    ),
    (
        FailureClass::Bug,
        &[
            "AgentPoolK8sVersionNotSupported",
            "K8sVersionNotSupported",
            "NodePoolMcVersionIncompatible",
            "PropertyChangeNotAllowed",
        ],
    ),
];

/// Codes for anything: AKS wraps refusals of other services in them, so the message comes first.
const GENERIC: &[(FailureClass, &[&str])] = &[
    (FailureClass::Bug, &["BadRequest", "InvalidParameter", "InvalidRequestContent"]),
    (FailureClass::Busy, &["PreconditionFailed"]),
];

fn class_in(table: &[(FailureClass, &[&str])], code: &str) -> Option<FailureClass> {
    let code = code.strip_prefix("ErrCode_").unwrap_or(code);
    let has_code = |codes: &[&str]| codes.iter().any(|known| known.eq_ignore_ascii_case(code));
    table.iter().find(|(_, codes)| has_code(codes)).map(|(class, _)| *class)
}

fn class_of_code(code: &str, status: Option<u16>, message: &str) -> Option<FailureClass> {
    let is = |known: &str| known.eq_ignore_ascii_case(code);
    if is("OperationNotAllowed") {
        return Some(operation_not_allowed(status, message));
    }
    if is("UpgradeFailed") || is("PodDrainFailure") {
        return Some(drain_failure(message));
    }
    let generic = || class_in(GENERIC, code).map(|class| class_of_message(message).unwrap_or(class));
    class_in(CODES, code).or_else(generic)
}

/// One code for: busy, not offered, stopped, and (from the compute and network services) out of quota.
fn operation_not_allowed(status: Option<u16>, message: &str) -> FailureClass {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["quota"]) {
        return FailureClass::Blocked;
    }
    if let Some(class) = class_of_message(message) {
        return class;
    }
    if says(&["available upgrades", "upgrading kubernetes version", "downgrad"]) {
        FailureClass::Bug
    } else if says(&["not currently running", "power state(stopped)", "stopped"]) {
        FailureClass::Blocked
    } else if says(&["in progress", "being upgrad", "deletion was issued", "in provisioning state("])
        || status == Some(409)
    {
        FailureClass::Busy
    } else {
        FailureClass::Failed
    }
}

/// A drain that a disruption budget refuses goes on once somebody has changed the budget or its
/// pods; one that only took too long may do better the next time.
fn drain_failure(message: &str) -> FailureClass {
    let budget = ["disruption budget", "blocked by pdb", "too many requests", "too many req pod"];
    match class_of_message(message) {
        Some(class) => class,
        None if budget.iter().any(|word| message.contains(word)) => FailureClass::Blocked,
        None => FailureClass::Failed,
    }
}

/// What a message says whose code says nothing: AKS wraps errors of other services in its own.
///
/// The AADSTS numbers are those of an identity that is set up wrongly, and of an expired or wrong
/// secret: that of the cluster's service principal, or our own. Others pass by themselves.
fn class_of_message(message: &str) -> Option<FailureClass> {
    const WORDS: &[(FailureClass, &[&str])] = &[
        (
            FailureClass::Busy,
            &["preempted by", "another operation", "another agentpool operation", "etag mismatch"],
        ),
        (
            FailureClass::Blocked,
            &[
                "exceeding approved",
                "exceeding quota limits",
                "quotaexceeded",
                "insufficient vcpu quota",
                "publicipcountlimitreached",
                "subnetisfull",
                "does not have enough capacity for",
                "doesn't have enough capacity for",
                "pre-allocated ips",
                "requestdisallowedbypolicy",
                "disallowed by policy",
                "scope(s) are locked",
                "is locked, please remove lock",
                "does not have authorization to perform action",
                "does not have permission to perform action",
                "because of the deny assignment",
                "aadsts700016",
                "aadsts70021",
                "aadsts7000215",
                "aadsts7000222",
                "aadsts90002",
            ],
        ),
        (
            FailureClass::Transient,
            &["allocationfailed", "overconstrained", "akscapacity", "request limit has been exceeded"],
        ),
    ];
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    WORDS.iter().find(|(_, words)| says(words)).map(|(class, _)| *class)
}

/// `text` in at most `limit` characters, with an ellipsis where it was cut.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}
