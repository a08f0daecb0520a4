//! Which call a method and URL mean. Names in resource ids are not case-sensitive.

use axum::http::Method;
use serde_json::Value;

use crate::{
    effects::ClusterKey,
    world::{Call, PoolKey},
};

const PROVIDER: &str = "microsoft.containerservice";

/// The value of a query parameter.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
}

/// The call, or nothing when it is not modelled.
pub(super) fn parse(
    method: &Method,
    path: &str,
    query: &str,
    body: Value,
    if_match: Option<String>,
) -> Option<Call> {
    let lower = path.to_lowercase();
    let parts = lower.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let skip = || {
        let token = parameter(query, "$skipToken").or_else(|| parameter(query, "skipToken"));
        token.and_then(|token| token.parse().ok()).unwrap_or(0)
    };
    match (method, parts.as_slice()) {
        (&Method::GET, ["subscriptions", subscription, "providers", PROVIDER, "managedclusters"]) => {
            Some(Call::ListClusters {
                subscription: (*subscription).to_owned(),
                resource_group: None,
                skip: skip(),
            })
        }
        (
            &Method::GET,
            [
                "subscriptions",
                subscription,
                "resourcegroups",
                group,
                "providers",
                PROVIDER,
                "managedclusters",
            ],
        ) => Some(Call::ListClusters {
            subscription: (*subscription).to_owned(),
            resource_group: Some((*group).to_owned()),
            skip: skip(),
        }),
        (
            &Method::GET,
            ["subscriptions", subscription, "providers", PROVIDER, "locations", location, rest @ ..],
        ) => in_location((*subscription).to_owned(), (*location).to_owned(), rest),
        (
            _,
            [
                "subscriptions",
                subscription,
                "resourcegroups",
                group,
                "providers",
                PROVIDER,
                "managedclusters",
                name,
                rest @ ..,
            ],
        ) => {
            let cluster = ClusterKey(format!(
                "/subscriptions/{subscription}/resourcegroups/{group}/providers/{PROVIDER}/managedclusters/{name}"
            ));
            match rest {
                ["agentpools", pool, rest @ ..] => {
                    in_pool(method, PoolKey { cluster, name: (*pool).to_owned() }, rest, body, if_match)
                }
                ["agentpools"] if method == Method::GET => Some(Call::ListPools { cluster, skip: skip() }),
                _ => in_cluster(method, cluster, rest, body, if_match),
            }
        }
        _ => None,
    }
}

fn in_location(subscription: String, location: String, rest: &[&str]) -> Option<Call> {
    match rest {
        ["kubernetesversions"] => Some(Call::KubernetesVersions { subscription, location }),
        ["operations", id] => Some(Call::Operation { subscription, location, id: (*id).to_owned() }),
        ["operationresults", id] => {
            Some(Call::OperationResult { subscription, location, id: (*id).to_owned() })
        }
        _ => None,
    }
}

fn in_cluster(
    method: &Method,
    cluster: ClusterKey,
    rest: &[&str],
    body: Value,
    if_match: Option<String>,
) -> Option<Call> {
    match (method, rest) {
        (&Method::GET, []) => Some(Call::GetCluster { cluster }),
        (&Method::PUT, []) => Some(Call::PutCluster { cluster, body, if_match }),
        (&Method::GET, ["upgradeprofiles", "default"]) => Some(Call::ClusterUpgradeProfile { cluster }),
        (&Method::GET, ["maintenanceconfigurations"]) => Some(Call::MaintenanceConfigurations { cluster }),
        (&Method::POST, ["listclusterusercredential"]) => Some(Call::UserCredential { cluster }),
        (&Method::POST, ["abort"]) => Some(Call::AbortCluster { cluster }),
        _ => None,
    }
}

fn in_pool(
    method: &Method,
    pool: PoolKey,
    rest: &[&str],
    body: Value,
    if_match: Option<String>,
) -> Option<Call> {
    match (method, rest) {
        (&Method::GET, []) => Some(Call::GetPool { pool }),
        (&Method::PUT, []) => Some(Call::PutPool { pool, body, if_match }),
        (&Method::GET, ["upgradeprofiles", "default"]) => Some(Call::PoolUpgradeProfile { pool }),
        (&Method::POST, ["upgradenodeimageversion"]) => Some(Call::UpgradeNodeImage { pool }),
        (&Method::POST, ["abort"]) => Some(Call::AbortPool { pool }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(method: Method, path: &str) -> Option<Call> {
        parse(&method, path, "api-version=2026-05-01&%24skipToken=7", Value::Null, None)
    }

    #[test]
    fn urls_are_understood_whatever_their_case() {
        let base = "/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerService/managedClusters";
        let key = ClusterKey(format!("{base}/c").to_lowercase());
        assert_eq!(
            parsed(Method::GET, base),
            Some(Call::ListClusters { subscription: "s".into(), resource_group: Some("g".into()), skip: 7 })
        );
        let upper = format!("{base}/C").to_uppercase();
        assert_eq!(parsed(Method::GET, &upper), Some(Call::GetCluster { cluster: key.clone() }));
        let pool = PoolKey { cluster: key, name: "p".into() };
        assert_eq!(
            parsed(Method::POST, &format!("{base}/C/agentPools/P/upgradeNodeImageVersion")),
            Some(Call::UpgradeNodeImage { pool })
        );
        assert_eq!(parsed(Method::DELETE, &format!("{base}/C")), None);
        assert_eq!(parsed(Method::GET, "/subscriptions/S/resourceGroups/G"), None);
    }
}
