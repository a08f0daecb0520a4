//! Resource providers as `providers` shows them; all are registered.

use serde_json::{Value, json};

use super::{Answer, Namespace, Refusal, ResourceType, locations, registry};

pub(super) fn list(subscription: Option<&str>) -> Vec<Value> {
    registry::namespaces().iter().map(|namespace| render(namespace, subscription)).collect()
}

pub(super) fn get(subscription: Option<&str>, name: &str) -> Result<Answer, Refusal> {
    let namespace = Namespace::find(name).ok_or_else(|| {
        Refusal::arm(404, "InvalidResourceNamespace", format!("The resource namespace '{name}' is invalid."))
    })?;
    Ok(Answer::new(200, render(namespace, subscription)))
}

fn render(namespace: &Namespace, subscription: Option<&str>) -> Value {
    let Namespace { name, types } = namespace;
    let types = types.iter().map(render_type).collect::<Vec<_>>();
    let prefix = subscription.map(|id| format!("/subscriptions/{id}")).unwrap_or_default();
    let mut provider = json!({
        "id": format!("{prefix}/providers/{name}"),
        "namespace": name,
        "resourceTypes": types,
    });
    if subscription.is_some() {
        provider["registrationState"] = json!("Registered");
        provider["registrationPolicy"] = json!("RegistrationRequired");
    }
    provider
}

fn render_type(resource_type: &ResourceType) -> Value {
    let locations = if resource_type.regional { locations::display_names() } else { Vec::new() };
    json!({
        "resourceType": resource_type.name,
        "locations": locations,
        "apiVersions": resource_type.versions(),
        "capabilities": if resource_type.name == "managedClusters" { "SupportsTags, SupportsLocation" } else { "None" },
    })
}
