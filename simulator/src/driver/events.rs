//! Events about nodes, with the reasons that AKS gives them.
//!
//! Touches events in the namespace `default`, where those about nodes are kept. An
//! event that cannot be written is left out: nothing depends on it.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, api::PostParams};

use super::{Driver, wall::stored};
use crate::clock;

/// Why AKS says something about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// A node was added for the time of an upgrade, or removed after it.
    Surge,
    /// Pods are moved away.
    Drain,
    /// The node gets its new version or image.
    Upgrade,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Surge => "Surge",
            Self::Drain => "Drain",
            Self::Upgrade => "Upgrade",
        }
    }
}

/// Writes an event about a node.
pub(super) async fn record(driver: &Driver, node: &str, reason: Reason, message: String) {
    let event = build_event(node, reason, message, clock::now());
    let api = Api::<Event>::namespaced(driver.client.clone(), "default");
    if let Err(error) = driver.calls.once(api.create(&PostParams::default(), &event)).await {
        tracing::debug!(cluster = driver.key.0, node, %error, "no event written");
    }
}

fn build_event(node: &str, reason: Reason, message: String, now: Timestamp) -> Event {
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{node}.")),
            namespace: Some("default".to_owned()),
            ..ObjectMeta::default()
        },
        // `kubectl describe node` finds events by the name in place of the uid, as kubelets write it.
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(node.to_owned()),
            uid: Some(node.to_owned()),
            ..ObjectReference::default()
        },
        reason: Some(reason.as_str().to_owned()),
        message: Some(message),
        type_: Some("Normal".to_owned()),
        source: Some(EventSource { component: Some("upgrader".to_owned()), host: None }),
        first_timestamp: Some(stored(now)),
        last_timestamp: Some(stored(now)),
        count: Some(1),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_points_at_its_node() {
        let event =
            build_event("aks-a-1", Reason::Drain, "Draining node: [aks-a-1]".into(), Timestamp::UNIX_EPOCH);
        assert_eq!(event.reason.as_deref(), Some("Drain"));
        assert_eq!(event.involved_object.name.as_deref(), Some("aks-a-1"));
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
    }
}
