//! The view of a machine: a node as Azure sees it.

use serde_json::Value;

use super::{objects, text, texts};
use crate::View;

/// A machine of a node pool: what is read of it.
///
/// Stable versions of the API show where it is; image, version and state come with previews only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its name, which is its node's.
    pub name: Option<String>,
    /// The virtual machine behind it: what a node's `spec.providerID` names.
    pub resource_id: Option<String>,
    /// Its addresses.
    pub ip_addresses: Vec<String>,
    /// Its availability zones.
    pub zones: Vec<String>,
    /// The node image.
    pub node_image_version: Option<String>,
    /// The version of its kubelet.
    pub current_orchestrator_version: Option<String>,
    /// `Succeeded` when nothing is going on.
    pub provisioning_state: Option<String>,
}

impl View for Machine {
    fn read(document: &Value) -> Self {
        Self {
            name: text(document, "/name"),
            resource_id: text(document, "/properties/resourceId"),
            ip_addresses: objects(document, "/properties/network/ipAddresses")
                .filter_map(|address| text(address, "/ip"))
                .collect(),
            zones: texts(document, "/zones"),
            node_image_version: text(document, "/properties/nodeImageVersion"),
            current_orchestrator_version: text(document, "/properties/kubernetes/currentOrchestratorVersion"),
            provisioning_state: text(document, "/properties/provisioningState"),
        }
    }
}
