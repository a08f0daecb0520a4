//! Finds blockers in Azure's messages, which are prose: what is not recognised is left to the
//! message itself. Pure; never fails.

use super::{Blocker, Failure, cut};

/// More than anybody reads at once, and bounded in an object's status.
const BLOCKERS_LIMIT: usize = 16;

/// The blockers that the failure names, without repetitions.
pub(super) fn blockers(failure: &Failure) -> Vec<Blocker> {
    let message = failure.message.as_str();
    let mut found = Vec::new();
    drains(message, &mut found);
    unsatisfiable_budgets(message, &mut found);
    deprecated_apis(message, &mut found);
    found.extend(quota(failure));
    found.extend(subnet(failure));
    found.extend(lock(failure));
    found.extend(policy(failure));
    found.extend(authorization(message));
    let mut unique = Vec::new();
    for blocker in found {
        if !unique.contains(&blocker) && unique.len() < BLOCKERS_LIMIT {
            unique.push(blocker);
        }
    }
    unique
}

/// `Drain node N failed when evicting pod P ...`, `Drain of N did not complete: Too many req pod P ...`,
/// `NS/P blocked by pdb B ...`.
fn drains(message: &str, found: &mut Vec<Blocker>) {
    let mut pods: Vec<(String, String, Option<String>)> = Vec::new();
    for (start, marker) in message.match_indices("pod ") {
        let Some(pod) = word(&message[start + marker.len()..]) else { continue };
        let is_evicted = message[..start].ends_with("evicting ") || message[..start].ends_with("req ");
        if is_evicted || pod.contains('/') {
            add_pod(&mut pods, pod, node_before(&message[..start]));
        }
    }
    for (start, marker) in message.match_indices(" blocked by pdb ") {
        let pod = message[..start].rsplit(char::is_whitespace).next().and_then(word);
        let Some((pod, budget)) = pod.zip(word(&message[start + marker.len()..])) else { continue };
        let namespace = pod.split_once('/').map_or("", |(namespace, _)| namespace);
        found.push(Blocker::DisruptionBudget {
            namespace: cut(namespace, 63),
            name: cut(budget.rsplit('/').next().unwrap_or(budget), 253),
            message: cut(&format!("allows no eviction of {pod}"), 1024),
        });
        add_pod(&mut pods, pod, node_before(&message[..start]));
    }
    found.extend(pods.into_iter().map(|(namespace, name, node)| Blocker::Pod { namespace, name, node }));
}

/// The node whose drain the text was last about.
fn node_before(text: &str) -> Option<&str> {
    let markers = ["Drain node ", "Drain of node ", "Drain of "];
    let last = markers.into_iter().filter_map(|marker| Some((text.rfind(marker)?, marker.len()))).max()?;
    word(&text[last.0 + last.1..])
}

/// Adds a pod, `NAME` or `NAMESPACE/NAME`; what several places say of one pod is put together.
fn add_pod(pods: &mut Vec<(String, String, Option<String>)>, pod: &str, node: Option<&str>) {
    let (namespace, name) = pod.split_once('/').unwrap_or(("", pod));
    let (namespace, name, node) = (cut(namespace, 63), cut(name, 253), node.map(|node| cut(node, 253)));
    let same = |(ns, n, _): &&mut (String, String, Option<String>)| {
        *n == name && (ns.is_empty() || namespace.is_empty() || *ns == namespace)
    };
    match pods.iter_mut().find(same) {
        Some((known_namespace, _, known_node)) => {
            if known_namespace.is_empty() {
                *known_namespace = namespace;
            }
            *known_node = known_node.take().or(node);
        }
        None => pods.push((namespace, name, node)),
    }
}

/// `PDB NS/NAME has minAvailable(1) >= expectedPods(1) can't proceed with put operation`.
fn unsatisfiable_budgets(message: &str, found: &mut Vec<Blocker>) {
    for (start, marker) in message.match_indices("PDB ") {
        let rest = &message[start + marker.len()..];
        let Some((namespace, name)) = word(rest).and_then(|budget| budget.split_once('/')) else { continue };
        let why =
            between(rest, " has ", "can't proceed").or_else(|| between(rest, " has ", "\n")).unwrap_or(rest);
        found.push(Blocker::DisruptionBudget {
            namespace: cut(namespace, 63),
            name: cut(name, 253),
            message: cut(why.lines().next().unwrap_or_default().trim(), 1024),
        });
    }
}

/// `usage has been detected on API A, and was recently seen at: T, which will be removed in V`.
fn deprecated_apis(message: &str, found: &mut Vec<Blocker>) {
    for (start, marker) in message.match_indices("usage has been detected on API ") {
        let line = message[start + marker.len()..].lines().next().unwrap_or_default();
        let Some(api) = word(line) else { continue };
        found.push(Blocker::DeprecatedApi {
            api: cut(api, 253),
            removed_in: between(line, "removed in ", " ").and_then(word).map(|version| cut(version, 63)),
            last_seen: between(line, "seen at: ", ",").map(|at| cut(at.trim(), 63)),
        });
    }
}

/// The compute service's `exceeding approved Q quota ... Current Limit: 10, ...`, and AKS's own
/// `Insufficient vcpu quota requested 8, remaining 4 for family F for region R`.
fn quota(failure: &Failure) -> Option<Blocker> {
    let message = failure.message.as_str();
    let is_quota = ["QuotaExceeded", "InsufficientVCPUQuota", "ErrCode_InsufficientVCPUQuota"]
        .into_iter()
        .any(|code| failure.has_code(code) || message.contains(code));
    let approved = between(message, "exceeding approved ", " quota").map(str::to_owned);
    let family = between(message, "for family ", " ").map(|family| format!("vCPUs of {family}"));
    if !is_quota && approved.is_none() && !message.contains("Insufficient vcpu quota") {
        return None;
    }
    Some(Blocker::Quota {
        name: cut(&approved.or(family).unwrap_or_default(), 253),
        limit: number(message, "Current Limit: "),
        current: number(message, "Current Usage: "),
        requested: number(message, "Additional Required: ").or_else(|| number(message, "quota requested ")),
    })
}

/// `Subnet S with address prefix P does not have enough capacity for N IP addresses`.
fn subnet(failure: &Failure) -> Option<Blocker> {
    let message = failure.message.as_str();
    let is_subnet = failure.has_code("SubnetIsFull")
        || failure.has_code("InsufficientSubnetSize")
        || message.contains("SubnetIsFull")
        || message.contains("does not have enough capacity for");
    let name = ["Subnet Name ", "Subnet ", "subnet "]
        .into_iter()
        .find_map(|marker| message.split_once(marker).and_then(|(_, rest)| word(rest)));
    is_subnet
        .then(|| Blocker::Subnet { name: cut(name.unwrap_or_default(), 253), message: message.to_owned() })
}

/// `because following scope(s) are locked: 'ID'`.
fn lock(failure: &Failure) -> Option<Blocker> {
    let named = between(&failure.message, "scope(s) are locked: '", "'");
    let scope = named.or_else(|| failure.has_code("ScopeLocked").then_some(failure.message.as_str()))?;
    Some(Blocker::Lock { scope: cut(scope, 1024) })
}

/// `... was disallowed by policy. Policy identifiers: '[{"policyAssignment":{"name":"N",...`.
fn policy(failure: &Failure) -> Option<Blocker> {
    let message = failure.message.as_str();
    let is_policy = failure.has_code("RequestDisallowedByPolicy") || message.contains("disallowed by policy");
    let name = message
        .split_once("\"policyAssignment\":")
        .and_then(|(_, rest)| between(rest, "\"name\":\"", "\""))
        .unwrap_or_default();
    is_policy.then(|| Blocker::Policy { name: cut(name, 253), message: message.to_owned() })
}

/// `does not have authorization to perform action 'A' over scope 'S'`, and the same for linked scopes.
fn authorization(message: &str) -> Option<Blocker> {
    let missing =
        ["does not have authorization to perform action '", "does not have permission to perform action '"];
    let rest = missing.into_iter().find_map(|marker| Some(message.split_once(marker)?.1))?;
    let action = rest.split_once('\'').map_or(rest, |(action, _)| action);
    let scope = between(rest, "over scope '", "'").or_else(|| between(rest, "scope(s) '", "'"));
    Some(Blocker::Authorization { action: cut(action, 253), scope: cut(scope.unwrap_or_default(), 1024) })
}

/// The text after `start` up to `end`, or to the end of the text.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end).map_or(rest, |(inner, _)| inner))
}

/// The first word, without the punctuation around it.
fn word(text: &str) -> Option<&str> {
    let first = text.split_whitespace().next()?;
    let word =
        first.trim_matches(|c: char| matches!(c, '.' | ',' | ':' | ';' | '\'' | '"' | '[' | ']' | '(' | ')'));
    (!word.is_empty()).then_some(word)
}

fn number(text: &str, label: &str) -> Option<i64> {
    let (_, rest) = text.split_once(label)?;
    let digits: &str = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
    digits.parse().ok()
}
