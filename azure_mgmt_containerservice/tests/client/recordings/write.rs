//! Every recorded cluster and pool, written back: field by field what was read, but for what is documented.

use std::collections::BTreeMap;

use azure_mgmt_containerservice::writes;
use serde_json::{Map, Value};

use super::{Call, recordings};

/// Why a field of a recorded document is not, or not as read, in what we write; `*` is any member.
type Reason = (&'static str, &'static str);

const CLUSTER: &[Reason] = &[
    ("properties/kubernetesVersion", "what is asked for"),
    ("id", "names the resource in the URL"),
    ("name", "names the resource in the URL"),
    ("type", "names the resource in the URL"),
    ("eTag", "goes into If-Match"),
    ("systemData/**", "who wrote it last: read-only"),
    ("identity/principalId", "filled in by Azure"),
    ("identity/tenantId", "filled in by Azure"),
    ("identity/userAssignedIdentities/*/clientId", "filled in by Azure"),
    ("identity/userAssignedIdentities/*/principalId", "filled in by Azure"),
    ("properties/servicePrincipalProfile/**", "a placeholder with a managed identity; null goes back"),
    ("properties/provisioningState", "read-only"),
    ("properties/powerState/**", "read-only"),
    ("properties/currentKubernetesVersion", "read-only"),
    ("properties/maxAgentPools", "read-only"),
    ("properties/fqdn", "read-only"),
    ("properties/privateFQDN", "read-only"),
    ("properties/azurePortalFQDN", "read-only"),
    ("properties/resourceUID", "read-only"),
    ("properties/addonProfiles/*/identity/**", "read-only"),
    ("properties/ingressProfile/webAppRouting/identity/**", "read-only"),
    ("properties/networkProfile/loadBalancerProfile/effectiveOutboundIPs/**", "read-only"),
    ("properties/networkProfile/natGatewayProfile/effectiveOutboundIPs/**", "read-only"),
    ("properties/oidcIssuerProfile/issuerURL", "read-only"),
    ("properties/agentPoolProfiles/*/provisioningState", "read-only"),
    ("properties/agentPoolProfiles/*/currentOrchestratorVersion", "read-only"),
    ("properties/agentPoolProfiles/*/eTag", "read-only"),
    ("properties/agentPoolProfiles/*/nodeImageVersion", "asks for a rollback since 2026-04-01"),
    ("properties/agentPoolProfiles/*/securityProfile/**", "refused in a cluster"),
    ("properties/agentPoolProfiles/*/artifactStreamingProfile/**", "refused in a cluster"),
    ("properties/agentPoolProfiles/*/localDNSProfile/state", "read-only"),
];

const POOL: &[Reason] = &[
    ("properties/orchestratorVersion", "what is asked for"),
    ("id", "names the resource in the URL"),
    ("name", "names the resource in the URL"),
    ("type", "names the resource in the URL"),
    ("properties/eTag", "goes into If-Match"),
    ("properties/provisioningState", "read-only"),
    ("properties/currentOrchestratorVersion", "read-only"),
    ("properties/nodeImageVersion", "asks for a rollback since 2026-04-01"),
    ("properties/localDNSProfile/state", "read-only"),
];

#[test]
fn every_recorded_document_is_written_back_as_it_was_read() {
    let Some(recordings) = recordings() else { return };
    let (mut clusters, mut pools, mut fields) = (0, 0, 0);
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, calls) in &recordings {
        for (kind, document) in calls.iter().flat_map(documents) {
            let (body, reasons) = match kind {
                Kind::Cluster => (writes::control_plane_upgrade(document, "9.9.9"), CLUSTER),
                Kind::Pool => (writes::agent_pool_upgrade(document, "9.9.9"), POOL),
            };
            match kind {
                Kind::Cluster => clusters += 1,
                Kind::Pool => pools += 1,
            }
            fields += compare(file, document, &body, reasons, &mut used);
        }
    }
    eprintln!("{clusters} clusters and {pools} pools with {fields} fields; left out or changed: {used:?}");
    assert!(clusters >= 13 && pools >= 32 && fields > 1900, "{clusters} {pools} {fields}");
}

#[derive(Clone, Copy)]
enum Kind {
    Cluster,
    Pool,
}

/// The clusters and pools in an answer, lists taken apart.
fn documents(call: &Call) -> Vec<(Kind, &Value)> {
    let items = call.body.get("value").and_then(Value::as_array);
    let all = items.map_or_else(|| vec![&call.body], |items| items.iter().collect());
    let kind = |document: &Value| match document["type"].as_str()?.to_ascii_lowercase().as_str() {
        "microsoft.containerservice/managedclusters" => Some(Kind::Cluster),
        "microsoft.containerservice/managedclusters/agentpools" => Some(Kind::Pool),
        _ => None,
    };
    all.into_iter().filter_map(|document| Some((kind(document)?, document))).collect()
}

/// Compares field by field, both ways; the number of fields that were read.
fn compare<'a>(
    file: &str,
    document: &Value,
    body: &Value,
    reasons: &'a [Reason],
    used: &mut BTreeMap<&'a str, usize>,
) -> usize {
    let (before, after) = (fields(document), fields(body));
    for (path, value) in &before {
        if after.get(path) != Some(value) {
            let reason = reasons.iter().find(|(pattern, _)| covers(pattern, path));
            let (pattern, _) = reason.unwrap_or_else(|| panic!("{file}: {path} was {value}, and is lost"));
            *used.entry(*pattern).or_default() += 1;
        }
    }
    for (path, value) in &after {
        let asked = reasons.iter().any(|(pattern, why)| *why == "what is asked for" && pattern == path);
        // What is left of an object whose members all went.
        let emptied = value.as_object().is_some_and(Map::is_empty);
        let nulled = path == "properties/servicePrincipalProfile" && value.is_null();
        assert!(
            asked || emptied || nulled || before.get(path) == Some(value),
            "{file}: {path} appeared: {value}"
        );
    }
    before.len()
}

/// Every scalar and empty container by its path.
fn fields(value: &Value) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    let mut left = vec![(String::new(), value)];
    while let Some((path, value)) = left.pop() {
        let members = value.as_object().into_iter().flatten().map(|(name, member)| (name.clone(), member));
        let items =
            value.as_array().into_iter().flatten().enumerate().map(|(at, item)| (at.to_string(), item));
        let below: Vec<_> = members.chain(items).collect();
        if below.is_empty() {
            found.insert(path, value);
            continue;
        }
        let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        left.extend(below.iter().map(|(name, member)| (join(name), *member)));
    }
    found
}

/// Whether a pattern covers a path: `*` one segment, `**` at its end all that follow, none included.
///
/// Ids as names contain slashes, so `*` takes as many as the rest of the pattern leaves.
fn covers(pattern: &str, path: &str) -> bool {
    if let Some(head) = pattern.strip_suffix("/**") {
        return covers(head, path) || path.match_indices('/').any(|(at, _)| covers(head, &path[..at]));
    }
    match pattern.split_once('*') {
        None => pattern == path,
        Some((head, tail)) => {
            path.len() >= head.len() + tail.len() && path.starts_with(head) && path.ends_with(tail)
        }
    }
}

#[test]
fn patterns_cover_what_they_say() {
    assert!(covers("a/*/c", "a/0/c") && covers("a/*/c", "a//x/y/c") && !covers("a/*/c", "a/0/d"));
    assert!(covers("a/**", "a") && covers("a/**", "a/b/c") && !covers("a/**", "ab"));
    assert!(covers("a/*/b/**", "a/0/b/c") && !covers("a", "a/b"));
}

#[test]
fn our_pool_upgrades_have_the_fields_that_the_cli_sends() {
    let Some(recordings) = recordings() else { return };
    let names = |body: &Value| {
        body["properties"].as_object().map(|p| p.keys().cloned().collect::<std::collections::BTreeSet<_>>())
    };
    let mut compared = 0;
    for (file, calls) in &recordings {
        for (index, put) in
            calls.iter().enumerate().filter(|(_, c)| c.method == "PUT" && c.is_one_of("agentPools"))
        {
            let is_read = |call: &&Call| {
                call.method == "GET" && call.path.eq_ignore_ascii_case(&put.path) && call.status == 200
            };
            let Some(read) = calls[..index].iter().rev().find(is_read) else { continue };
            let version = put.sent["properties"]["orchestratorVersion"].as_str().expect("a version");
            let mut ours = writes::agent_pool_upgrade(&read.body, version);
            if let Some(image) = put.sent["properties"]["nodeImageVersion"].as_str() {
                ours = writes::agent_pool_rollback(&read.body, version, image);
            }
            assert_eq!(names(&ours), names(&put.sent), "{file}");
            compared += 1;
        }
    }
    assert!(compared >= 4, "only {compared} upgrades");
}
