//! Resources of every type; clusters are the only one.

use serde_json::{Value, json};

use super::{Cluster, ResourceFilter, Scope, groups::has_tag, locations::normalize};

const TYPE: &str = "Microsoft.ContainerService/managedClusters";

pub(super) fn list<'a>(
    clusters: impl Iterator<Item = &'a Cluster>,
    scope: &Scope,
    filter: &ResourceFilter,
) -> Vec<Value> {
    let matching =
        clusters.filter(|cluster| scope.contains(&Scope::new(&cluster.id)) && holds(filter, cluster));
    matching.map(render).collect()
}

fn holds(filter: &ResourceFilter, cluster: &Cluster) -> bool {
    let ResourceFilter { resource_type, name, group, location, tag } = filter;
    let is = |wanted: &Option<String>, found: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
    };
    is(resource_type, TYPE)
        && is(name, &cluster.name)
        && is(group, &cluster.resource_group)
        && location.as_ref().is_none_or(|location| normalize(location) == normalize(&cluster.location))
        && tag.as_ref().is_none_or(|tag| has_tag(cluster.document.get("tags").unwrap_or(&Value::Null), tag))
}

fn render(cluster: &Cluster) -> Value {
    let Cluster { subscription, resource_group, name, location, document, .. } = cluster;
    let mut resource = json!({
        "id": format!("/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/{TYPE}/{name}"),
        "name": name,
        "type": TYPE,
        "location": location,
    });
    for field in ["sku", "identity", "tags"] {
        if let Some(value) = document.get(field) {
            resource[field] = value.clone();
        }
    }
    resource
}
