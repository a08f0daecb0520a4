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

/// What of a request does not follow from its URL.
struct Sent {
    body: Value,
    if_match: Option<String>,
}

/// The call, or nothing when it is not modelled.
pub(crate) fn parse(
    method: &Method,
    path: &str,
    query: &str,
    body: Value,
    if_match: Option<String>,
) -> Option<Call> {
    let lower = path.to_lowercase();
    let parts = lower.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let ["subscriptions", subscription, rest @ ..] = parts.as_slice() else {
        return None;
    };
    let subscription = (*subscription).to_owned();
    let skip = || {
        let token = parameter(query, "$skipToken").or_else(|| parameter(query, "skipToken"));
        token.and_then(|token| token.parse().ok()).unwrap_or(0)
    };
    match (method, rest) {
        (&Method::GET, ["providers", PROVIDER, "managedclusters"]) => {
            Some(Call::ListClusters { subscription, resource_group: None, skip: skip() })
        }
        (&Method::GET, ["resourcegroups", group, "providers", PROVIDER, "managedclusters"]) => {
            Some(Call::ListClusters { subscription, resource_group: Some((*group).to_owned()), skip: skip() })
        }
        (&Method::GET, ["providers", PROVIDER, "locations", location, rest @ ..]) => {
            in_location(subscription, (*location).to_owned(), rest)
        }
        (_, ["resourcegroups", group, "providers", PROVIDER, "managedclusters", name, rest @ ..]) => {
            let cluster = ClusterKey(format!(
                "/subscriptions/{subscription}/resourcegroups/{group}/providers/{PROVIDER}/managedclusters/{name}"
            ));
            let sent = Sent { body: identified(body, path), if_match };
            match rest {
                ["agentpools"] if method == Method::GET => Some(Call::ListPools { cluster, skip: skip() }),
                ["agentpools", pool, rest @ ..] => {
                    in_pool(method, PoolKey { cluster, name: (*pool).to_owned() }, rest, sent)
                }
                ["maintenanceconfigurations", name] => maintenance(method, cluster, (*name).to_owned(), sent),
                _ => in_cluster(method, cluster, rest, sent),
            }
        }
        _ => None,
    }
}

/// The document with the id that the URL gives it, in the case in which the URL writes it.
fn identified(mut body: Value, path: &str) -> Value {
    if let Some(document) = body.as_object_mut() {
        document.insert("id".to_owned(), Value::from(path));
    }
    body
}

fn in_location(subscription: String, location: String, rest: &[&str]) -> Option<Call> {
    match rest {
        ["kubernetesversions"] => Some(Call::KubernetesVersions { subscription, location }),
        ["nodeimageversions"] => Some(Call::NodeImageVersions { subscription, location }),
        ["operations", id] => Some(Call::Operation { subscription, location, id: (*id).to_owned() }),
        ["operationresults", id] => {
            Some(Call::OperationResult { subscription, location, id: (*id).to_owned() })
        }
        _ => None,
    }
}

fn in_cluster(method: &Method, cluster: ClusterKey, rest: &[&str], sent: Sent) -> Option<Call> {
    let Sent { body, if_match } = sent;
    match (method, rest) {
        (&Method::GET, []) => Some(Call::GetCluster { cluster }),
        (&Method::PUT, []) => Some(Call::PutCluster { cluster, body, if_match }),
        (&Method::PATCH, []) => Some(Call::PatchCluster { cluster, body, if_match }),
        (&Method::DELETE, []) => Some(Call::DeleteCluster { cluster, if_match }),
        (&Method::GET, ["upgradeprofiles", "default"]) => Some(Call::ClusterUpgradeProfile { cluster }),
        (&Method::GET, ["availableagentpoolversions"]) => Some(Call::AvailablePoolVersions { cluster }),
        (&Method::GET, ["maintenanceconfigurations"]) => Some(Call::MaintenanceConfigurations { cluster }),
        (&Method::POST, ["listclusterusercredential"]) => Some(Call::UserCredential { cluster }),
        (&Method::POST, ["listclusteradmincredential"]) => Some(Call::AdminCredential { cluster }),
        (&Method::POST, ["listclustermonitoringusercredential"]) => {
            Some(Call::MonitoringCredential { cluster })
        }
        (&Method::GET, ["accessprofiles", role])
        | (&Method::POST, ["accessprofiles", role, "listcredential"]) => {
            Some(Call::AccessProfile { cluster, role: (*role).to_owned() })
        }
        (&Method::POST, ["abort"]) => Some(Call::AbortCluster { cluster }),
        (&Method::POST, ["stop"]) => Some(Call::StopCluster { cluster }),
        (&Method::POST, ["start"]) => Some(Call::StartCluster { cluster }),
        _ => None,
    }
}

fn maintenance(method: &Method, cluster: ClusterKey, name: String, sent: Sent) -> Option<Call> {
    match *method {
        Method::GET => Some(Call::MaintenanceConfiguration { cluster, name }),
        Method::PUT => Some(Call::PutMaintenanceConfiguration { cluster, name, body: sent.body }),
        Method::DELETE => Some(Call::DeleteMaintenanceConfiguration { cluster, name }),
        _ => None,
    }
}

fn in_pool(method: &Method, pool: PoolKey, rest: &[&str], sent: Sent) -> Option<Call> {
    let Sent { body, if_match } = sent;
    match (method, rest) {
        (&Method::GET, []) => Some(Call::GetPool { pool }),
        (&Method::PUT, []) => Some(Call::PutPool { pool, body, if_match }),
        (&Method::DELETE, []) => Some(Call::DeletePool { pool, if_match }),
        (&Method::GET, ["upgradeprofiles", "default"]) => Some(Call::PoolUpgradeProfile { pool }),
        (&Method::GET, ["machines"]) => Some(Call::ListMachines { pool }),
        (&Method::GET, ["machines", machine]) => {
            Some(Call::GetMachine { pool, machine: (*machine).to_owned() })
        }
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
    fn a_document_gets_the_id_of_its_url_as_it_is_written() {
        let path =
            "/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerService/managedClusters/Weu";
        let body = serde_json::json!({ "id": "other", "location": "westeurope" });
        let Some(Call::PutCluster { body, .. }) = parse(&Method::PUT, path, "", body, None) else {
            panic!("no PUT");
        };
        assert_eq!(body, serde_json::json!({ "id": path, "location": "westeurope" }));
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
        assert_eq!(parsed(Method::DELETE, &format!("{base}/C/upgradeProfiles/default")), None);
        assert_eq!(parsed(Method::GET, "/subscriptions/S/resourceGroups/G"), None);
    }
}
