//! How a call is refused: the two shapes of errors, that of the provider and that of Azure Resource Manager.

use serde_json::{Value, json};

use super::Answer;
use crate::scenario::RefuseSpec;

/// Why a call is refused; becomes an [`Answer`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Refusal {
    /// An error in the bare shape of the AKS resource provider.
    pub(crate) fn aks(status: u16, code: &str, subcode: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self {
            status,
            body: json!({ "code": code, "details": null, "message": message, "subcode": subcode }),
        }
    }

    /// Something below a cluster that is not there, in the provider's words; `entity` is what it calls it.
    pub(crate) fn not_found(subcode: &str, entity: &str, message: impl Into<String>) -> Self {
        let mut refusal = Self::aks(404, "NotFound", subcode, message);
        let details = format!("rpc error: code = NotFound desc = {entity} not found");
        refusal.body["details"] = json!([{ "code": "Unspecified", "message": details }]);
        refusal
    }

    /// An error in the wrapped shape of Azure Resource Manager.
    pub(crate) fn arm(status: u16, code: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self { status, body: json!({ "error": { "code": code, "message": message } }) }
    }

    /// An error that the scenario asks for.
    pub(crate) fn scripted(spec: &RefuseSpec) -> Self {
        let RefuseSpec { status, code, subcode, message, resource_manager } = spec;
        if *resource_manager {
            Self::arm(*status, code, message)
        } else {
            Self::aks(*status, code, subcode, message)
        }
    }

    pub(crate) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::aks(400, code, "", message)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.body)
    }
}
