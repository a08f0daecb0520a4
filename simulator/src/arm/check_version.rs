//! Whether there is such a type, and whether it has that api-version.

use axum::http::Method;

use super::address::Address;
use crate::world::{Known, Namespace, Refusal, ResourceType};

/// Refuses an address that names no type, and an api-version that the type does not have.
///
/// `modelled` says that the call is understood anyway: then a type that the table lacks goes by the versions
/// of its provider.
pub(super) fn check(address: &Address, version: &str, modelled: bool) -> Result<(), Refusal> {
    check_form(version)?;
    let Address { namespace, resource_type, .. } = address;
    let known = match Namespace::look_up(namespace, resource_type) {
        Known::Type(known) => known,
        Known::NoNamespace => {
            let message = format!("The resource namespace '{namespace}' is invalid.");
            return Err(Refusal::arm(404, "InvalidResourceNamespace", message));
        }
        Known::NoType(found) => match found.types.first() {
            Some(first) if modelled => first,
            _ => return Err(no_type(address, version)),
        },
    };
    if known.versions().iter().any(|supported| supported.eq_ignore_ascii_case(version)) {
        return Ok(());
    }
    Err(no_version(address, known, version))
}

/// Refuses a call without api-version.
pub(super) fn missing() -> Refusal {
    let message = "The api-version query parameter (?api-version=) is required for all requests.";
    Refusal::arm(400, "MissingApiVersionParameter", message)
}

fn check_form(version: &str) -> Result<(), Refusal> {
    let day = version.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
    if day.is_some() {
        return Ok(());
    }
    let message = format!("The api-version '{version}' is invalid. It is a day such as 2026-05-01.");
    Err(Refusal::arm(400, "InvalidApiVersionParameter", message))
}

pub(super) fn no_type(address: &Address, version: &str) -> Refusal {
    let Address { namespace, resource_type, .. } = address;
    let message = format!(
        "The resource type '{resource_type}' could not be found in the namespace '{namespace}' for api version \
         '{version}'."
    );
    Refusal::arm(404, "InvalidResourceType", message)
}

fn no_version(address: &Address, known: &ResourceType, version: &str) -> Refusal {
    let supported = known.versions();
    if address.namespace.eq_ignore_ascii_case("Microsoft.Resources") {
        let message = format!(
            "The api-version '{version}' is invalid. The supported versions are '{}'.",
            supported.join(",")
        );
        return Refusal::arm(400, "InvalidApiVersionParameter", message);
    }
    let message = format!(
        "No registered resource provider found for location 'global' and API version '{version}' for type '{}'. The \
         supported api-versions are '{}'.",
        known.name,
        supported.join(", ")
    );
    Refusal::arm(400, "NoRegisteredProviderFound", message)
}

/// A method that a type does not have here.
pub(super) fn no_method(method: &Method) -> Refusal {
    let message = format!("The requested resource does not support http method '{method}'.");
    Refusal::arm(405, "MethodNotAllowed", message)
}
