//! Which call of Azure Resource Manager's own a method and an address mean.

use axum::http::Method;
use serde_json::Value;

use super::{address::Address, authorize::Caller, path::parameter};
use crate::world::{GroupKey, ManagerCall, Refusal, ResourceFilter, Scope};

/// The call; nothing when it is none of these.
pub(super) fn parse(
    method: &Method,
    address: &Address,
    query: &str,
    body: &Value,
    caller: &Caller,
) -> Result<Option<ManagerCall>, Refusal> {
    let subscription = || address.subscription().unwrap_or_default().to_owned();
    let group =
        || GroupKey::new(address.subscription().unwrap_or_default(), address.group().unwrap_or_default());
    let skip = || {
        let token = parameter(query, "$skipToken").and_then(|token| token.parse().ok());
        token.unwrap_or(0)
    };
    let (kind, name) = (address.kind(), address.name.clone());
    let own = kind.strip_prefix("microsoft.resources/");
    let authorization = kind.strip_prefix("microsoft.authorization/");
    let scope = || Scope::new(&address.extended());
    let call = match (method.as_str(), own, authorization, name) {
        ("GET", Some("tenants"), _, None) => ManagerCall::ListTenants,
        ("GET", Some("subscriptions"), _, None) => ManagerCall::ListSubscriptions { skip: skip() },
        ("GET", Some("subscriptions"), _, Some(subscription)) => {
            ManagerCall::GetSubscription { subscription }
        }
        ("GET", Some("subscriptions/locations"), _, None) => {
            ManagerCall::ListLocations { subscription: subscription() }
        }
        ("GET", Some("subscriptions/resourcegroups"), _, None) => {
            let tag = filter(query)?.tag;
            ManagerCall::ListGroups { subscription: subscription(), tag, skip: skip() }
        }
        ("GET", Some("subscriptions/resourcegroups"), _, Some(_)) => ManagerCall::GetGroup { group: group() },
        ("PUT", Some("subscriptions/resourcegroups"), _, Some(name)) => {
            let mut body = body.clone();
            if let Value::Object(fields) = &mut body {
                // Names keep the case in which they were first given.
                fields.insert("name".to_owned(), Value::from(name));
            }
            ManagerCall::PutGroup { group: group(), body }
        }
        ("PATCH", Some("subscriptions/resourcegroups"), _, Some(_)) => {
            ManagerCall::PatchGroup { group: group(), body: body.clone() }
        }
        ("DELETE", Some("subscriptions/resourcegroups"), _, Some(_)) => {
            ManagerCall::DeleteGroup { group: group() }
        }
        ("GET", Some("subscriptions/providers" | "providers"), _, name) => {
            let subscription = address.subscription().map(str::to_owned);
            match name {
                None => ManagerCall::ListProviders { subscription },
                Some(namespace) => ManagerCall::GetProvider { subscription, namespace },
            }
        }
        ("POST", Some("subscriptions/providers/register"), _, Some(namespace)) => {
            ManagerCall::RegisterProvider {
                subscription: address.subscription().map(str::to_owned),
                namespace,
            }
        }
        ("GET", Some("subscriptions/resources" | "subscriptions/resourcegroups/resources"), _, None) => {
            ManagerCall::ListResources { scope: scope(), filter: filter(query)?, skip: skip() }
        }
        ("GET", _, Some("permissions"), None) => {
            ManagerCall::Permissions { granted: caller.permissions(&scope()), scope: scope() }
        }
        (_, _, Some("locks"), name) => return Ok(lock(method, address, query, body, name)),
        _ => return Ok(None),
    };
    Ok(Some(call))
}

fn lock(
    method: &Method,
    address: &Address,
    query: &str,
    body: &Value,
    name: Option<String>,
) -> Option<ManagerCall> {
    let id = address.extended();
    let scope = Scope::new(&id);
    match (method.as_str(), name) {
        ("GET", None) => {
            let filter = parameter(query, "$filter").unwrap_or_default();
            Some(ManagerCall::ListLocks { scope, at_scope: filter.eq_ignore_ascii_case("atScope()") })
        }
        ("GET", Some(name)) => Some(ManagerCall::GetLock { scope, name }),
        ("PUT", Some(name)) => Some(ManagerCall::PutLock { scope: (scope, id), name, body: body.clone() }),
        ("DELETE", Some(name)) => Some(ManagerCall::DeleteLock { scope, name }),
        _ => None,
    }
}

/// `$filter`: comparisons with `eq`, joined with `and`.
fn filter(query: &str) -> Result<ResourceFilter, Refusal> {
    let mut filter = ResourceFilter::default();
    let Some(text) = parameter(query, "$filter").filter(|text| !text.is_empty()) else {
        return Ok(filter);
    };
    for part in text.split(" and ") {
        let not_understood = || {
            let message = format!(
                "Invalid $filter '{text}' specified in the query string: '{part}' is not understood. Here resourceType, \
                 name, resourceGroup, location, tagName and tagValue can be compared with eq, joined with and."
            );
            Refusal::arm(400, "InvalidFilterInQueryString", message)
        };
        let (field, value) = part.split_once(" eq ").ok_or_else(not_understood)?;
        let value = value.trim().strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
        let value = value.ok_or_else(not_understood)?.replace("''", "'");
        match field.trim().to_lowercase().as_str() {
            "resourcetype" => filter.resource_type = Some(value),
            "name" => filter.name = Some(value),
            "resourcegroup" => filter.group = Some(value),
            "location" => filter.location = Some(value),
            "tagname" => filter.tag = Some((value, filter.tag.and_then(|(_, value)| value))),
            "tagvalue" => {
                let name = filter.tag.map(|(name, _)| name).ok_or_else(not_understood)?;
                filter.tag = Some((name, Some(value)));
            }
            _ => return Err(not_understood()),
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compare_and_what_is_not_understood_is_refused() {
        let query = "%24filter=resourceType%20eq%20%27A%2Fb%27%20and%20tagName%20eq%20%27x%27%20and%20tagValue%20eq%20%27y%27";
        let read = filter(query).unwrap();
        assert_eq!(read.resource_type.as_deref(), Some("A/b"));
        assert_eq!(read.tag, Some(("x".to_owned(), Some("y".to_owned()))));
        assert_eq!(filter("").unwrap(), ResourceFilter::default());
        let refused = filter("$filter=substringof('a', name)").unwrap_err();
        assert_eq!(refused.body["error"]["code"], "InvalidFilterInQueryString");
    }
}
