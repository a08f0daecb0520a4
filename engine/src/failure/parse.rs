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
    locks(failure, &mut found);
    policies(failure, &mut found);
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

/// The compute service's `exceeding approved Q quota ... Current Limit: 10, ...`, AKS's own `exceeding
/// quota limits of Q. Maximum allowed: 10, ...` and `Insufficient vcpu quota requested 8, remaining 4 for
/// family F for region R`, and the network service's `Cannot create more than 10 public IP addresses`.
fn quota(failure: &Failure) -> Option<Blocker> {
    let message = failure.message.as_str();
    let addresses = number(message, "Cannot create more than ").filter(|_| message.contains("public IP"));
    let named = between(message, "exceeding approved ", " quota")
        .or_else(|| between(message, "exceeding quota limits of ", "."))
        .map(str::to_owned)
        .or_else(|| between(message, "for family ", " ").map(|family| format!("vCPUs of {family}")))
        .or_else(|| failure.says("PublicIPCountLimitReached").then(|| "public IP addresses".to_owned()));
    let codes = ["QuotaExceeded", "InsufficientVCPUQuota", "PublicIPCountLimitReached"];
    if !codes.into_iter().any(|code| failure.says(code))
        && !message.contains("exceeding approved ")
        && !message.contains("exceeding quota limits of ")
        && !message.contains("Insufficient vcpu quota")
    {
        return None;
    }
    let first = |labels: &[&str]| labels.iter().find_map(|label| number(message, label));
    Some(Blocker::Quota {
        name: cut(&named.unwrap_or_default(), 253),
        limit: first(&["Current Limit: ", "Maximum allowed: "]).or(addresses),
        current: first(&["Current Usage: ", "Current in use: "]),
        requested: first(&["Additional Required: ", "Additional requested: ", "quota requested "]),
        remaining: number(message, "remaining "),
    })
}

/// `Subnet S with address prefix P does not have enough capacity for N IP addresses`, and before anything
/// begins, `Pre-allocated IPs 276 exceeds IPs available 251 in Subnet Cidr P, Subnet Name S`.
fn subnet(failure: &Failure) -> Option<Blocker> {
    let message = failure.message.as_str();
    let capacity = ["does not have enough capacity for ", "doesn't have enough capacity for "];
    let is_subnet = failure.says("SubnetIsFull")
        || failure.says("InsufficientSubnetSize")
        || message.contains("Pre-allocated IPs ")
        || capacity.into_iter().any(|words| message.contains(words));
    let before_prefix = message.split_once(" with address prefix ");
    let name = ["Subnet Name ", "Subnet Cidr "]
        .into_iter()
        .find_map(|marker| word(message.split_once(marker)?.1))
        .or_else(|| word(before_prefix?.0.rsplit(char::is_whitespace).next()?))
        .map(|name| name.strip_prefix("Message='").unwrap_or(name))
        .or_else(|| word(message.split_once("ubnet ")?.1));
    is_subnet.then(|| Blocker::Subnet {
        name: cut(name.unwrap_or_default(), 253),
        needed: number(message, "Pre-allocated IPs ")
            .or_else(|| capacity.into_iter().find_map(|words| number(message, words))),
        available: number(message, "IPs available ").or_else(|| number(message, "IPs available in Subnet ")),
        message: message.to_owned(),
    })
}

/// `because following scope(s) are locked: 'ID,ID'`, and AKS's `Resource group 'G' under subscription: 'S'
/// is locked`.
fn locks(failure: &Failure, found: &mut Vec<Blocker>) {
    const PROVIDER: &str = "/providers/microsoft.authorization/locks/";
    let message = failure.message.as_str();
    let group = message.contains(" is locked").then(|| between(message, "Resource group '", "'")).flatten();
    let named = between(message, "scope(s) are locked: '", "'").or(group);
    let Some(scopes) = named.or_else(|| failure.says("ScopeLocked").then_some(message)) else { return };
    let scopes: Vec<&str> = if named.is_some() { scopes.split(',').collect() } else { vec![scopes] };
    for scope in scopes.into_iter().map(str::trim).filter(|scope| !scope.is_empty()).take(BLOCKERS_LIMIT) {
        // Some answers name the lock itself, which is an extension of what it locks.
        let parts =
            scope.to_ascii_lowercase().find(PROVIDER).map(|at| (&scope[..at], &scope[at + PROVIDER.len()..]));
        let (scope, name) = parts.map_or((scope, None), |(scope, name)| (scope, Some(cut(name, 253))));
        found.push(Blocker::Lock { scope: cut(scope, 1024), name });
    }
}

/// `... was disallowed by policy. Policy identifiers: '[{"policyAssignment":{"name":"N",...},
/// "policyDefinition":{"name":"D",...}}]'`, the same with ids only, or, where Azure gives the names beside the
/// message, `policy assignment 'N', definition 'D'`, as our client adds them.
fn policies(failure: &Failure, found: &mut Vec<Blocker>) {
    if !failure.says("RequestDisallowedByPolicy") && !failure.message.contains("disallowed by policy") {
        return;
    }
    // Wrapped in another error, the quotes are escaped once or twice.
    let text = failure.message.replace('\\', "");
    let blocker = |name: &str, definition: Option<&str>| Blocker::Policy {
        name: cut(name, 253),
        definition: definition.filter(|name| !name.is_empty()).map(|name| cut(name, 253)),
        message: failure.message.clone(),
    };
    let before = found.len();
    for part in text.split("\"policyAssignment\":").skip(1) {
        let definition =
            part.split_once("\"policyDefinition\":").and_then(|(_, rest)| between(rest, "\"name\":\"", "\""));
        found.extend(between(part, "\"name\":\"", "\"").map(|name| blocker(name, definition)));
    }
    for part in text.split('{').filter(|part| part.contains("\"policyAssignmentId\":\"")) {
        let last = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
        let name = between(part, "\"policyAssignmentId\":\"", "\"").map(last).unwrap_or_default();
        let definition = between(part, "\"policyDefinitionId\":\"", "\"").map(last);
        found.push(blocker(&name, definition.as_deref()));
    }
    for part in text.split("policy assignment '").skip(1) {
        let name = part.split_once('\'').map_or(part, |(name, _)| name);
        let definition = part.split_once("', definition '").filter(|(before, _)| !before.contains('\''));
        found.push(blocker(name, definition.and_then(|(_, rest)| Some(rest.split_once('\'')?.0))));
    }
    if found.len() == before {
        found.push(blocker("", None));
    }
}

/// `The client 'C' with object id 'O' does not have authorization to perform action 'A' over scope 'S'`, and
/// the same for linked scopes and for deny assignments.
fn authorization(message: &str) -> Option<Blocker> {
    let missing =
        ["does not have authorization to perform action '", "does not have permission to perform action '"];
    let denied =
        message.contains("because of the deny assignment").then_some("has permission to perform action '");
    let rest = missing.into_iter().chain(denied).find_map(|marker| Some(message.split_once(marker)?.1))?;
    let action = rest.split_once('\'').map_or(rest, |(action, _)| action);
    let scope = ["over scope '", "scope(s) '", "on scope '"]
        .into_iter()
        .find_map(|marker| between(rest, marker, "'"));
    let identity =
        between(message, "with object id '", "'").or_else(|| between(message, "The client '", "'"));
    Some(Blocker::Authorization {
        action: cut(action, 253),
        scope: cut(scope.unwrap_or_default(), 1024),
        identity: identity.map(|identity| cut(identity, 253)),
    })
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
