//! What callers may do: the roles of their identities ("Understand Azure role definitions").

use serde_json::{Value, json};

use super::address::Address;
use crate::{
    scenario::Role,
    world::{Refusal, Scope},
};

/// Whoever calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Claim `oid`.
    pub(super) object_id: String,
    /// Claim `appid`.
    pub(super) client_id: String,
    /// What it may do; everything when absent.
    pub(super) roles: Option<Vec<Role>>,
}

/// Collections that show what of them is readable, however little that is.
const FILTERED: [&str; 4] = [
    "microsoft.containerservice/managedclusters",
    "microsoft.resources/subscriptions/resourcegroups",
    "microsoft.resources/subscriptions/resources",
    "microsoft.resources/subscriptions/resourcegroups/resources",
];

impl Caller {
    /// Refuses a call that no role allows.
    pub(super) fn check(&self, address: &Address) -> Result<(), Refusal> {
        let (action, scope) = (address.action(), Scope::new(&address.scope));
        if self.allows(&action, &scope) || self.sees(address, &action, &scope) {
            return Ok(());
        }
        let Self { object_id, client_id, .. } = self;
        let shown = if address.scope.is_empty() { "/" } else { &address.scope };
        let message = format!(
            "The client '{client_id}' with object id '{object_id}' does not have authorization to perform action \
             '{action}' over scope '{shown}' or the scope is invalid. If access was recently granted, please refresh \
             your credentials."
        );
        Err(Refusal::arm(403, "AuthorizationFailed", message))
    }

    /// Leaves in a list what the caller may read.
    pub(super) fn filter(&self, address: &Address, body: &mut Value) {
        let kind = address.kind();
        let subscriptions = kind == "microsoft.resources/subscriptions";
        if self.roles.is_none()
            || address.name.is_some()
            || !subscriptions && !FILTERED.contains(&kind.as_str())
        {
            return;
        }
        let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
        if let Some(items) = body.get_mut("value").and_then(Value::as_array_mut) {
            items.retain(|item| {
                let scope = Scope::new(&text(item, "id"));
                if subscriptions {
                    return self.has_any(&scope);
                }
                let action = match kind.ends_with("/resources") {
                    true => format!("{}/read", text(item, "type")),
                    false => address.action(),
                };
                self.allows(&action, &scope)
            });
        }
    }

    /// The entries of `permissions` at a scope.
    pub(super) fn permissions(&self, scope: &Scope) -> Value {
        let entry = |actions: &[String], not_actions: &[String]| json!({ "actions": actions, "notActions": not_actions, "dataActions": [], "notDataActions": [] });
        let Some(roles) = &self.roles else {
            return json!([entry(&["*".to_owned()], &[])]);
        };
        let roles = roles.iter().filter(|role| Scope::new(&role.scope).contains(scope));
        roles.map(|role| entry(&role.actions, &role.not_actions)).collect()
    }

    fn allows(&self, action: &str, scope: &Scope) -> bool {
        let Some(roles) = &self.roles else {
            return true;
        };
        roles.iter().any(|role| Scope::new(&role.scope).contains(scope) && grants(role, action))
    }

    /// Whether the caller sees something of a collection, or a subscription because of what it has in it.
    fn sees(&self, address: &Address, action: &str, scope: &Scope) -> bool {
        let kind = address.kind();
        if kind == "microsoft.resources/subscriptions" || kind == "microsoft.resources/tenants" {
            return address.name.is_none() || self.has_any(scope);
        }
        if address.name.is_some() || !FILTERED.contains(&kind.as_str()) {
            return false;
        }
        // Which types a list of resources shows depends on what is there.
        let any_type = kind.ends_with("/resources");
        let mut roles = self.roles.iter().flatten();
        roles.any(|role| {
            let at = Scope::new(&role.scope);
            (scope.contains(&at) || at.contains(scope)) && (any_type || grants(role, action))
        })
    }

    /// Whether there is a role at this scope, above it or below it.
    fn has_any(&self, scope: &Scope) -> bool {
        let Some(roles) = &self.roles else {
            return true;
        };
        roles.iter().any(|role| {
            let at = Scope::new(&role.scope);
            at.contains(scope) || scope.contains(&at)
        })
    }
}

fn grants(role: &Role, action: &str) -> bool {
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
    matches(&role.actions) && !matches(&role.not_actions)
}

/// Whether an action is what a pattern means, in which `*` stands for anything.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_lowercase(), action.to_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == action;
    };
    let Some(mut left) = action.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').collect::<Vec<_>>();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    fn caller(scope: &str, actions: &[&str], not_actions: &[&str]) -> Caller {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let role = Role { scope: scope.to_owned(), actions: texts(actions), not_actions: texts(not_actions) };
        Caller { object_id: "oid".into(), client_id: "app".into(), roles: Some(vec![role]) }
    }

    fn allowed(caller: &Caller, method: &Method, path: &str) -> bool {
        caller.check(&Address::parse(method, path).unwrap()).is_ok()
    }

    const GROUP: &str = "/subscriptions/s/resourceGroups/g";
    const CLUSTER: &str =
        "/subscriptions/s/resourceGroups/G/providers/Microsoft.ContainerService/managedClusters/c";

    #[test]
    fn patterns_match_like_those_of_azure() {
        for (pattern, action, matching) in [
            ("*", "A/b/read", true),
            ("*/read", "A/b/read", true),
            ("*/read", "A/b/write", false),
            ("a/*/action", "A/b/c/action", true),
            ("A/b/*", "A/b/read", true),
            ("A/b/*", "A/bc/read", false),
            ("A/*/c/*", "A/b/c/read", true),
            ("A/b/read", "A/b/readonly", false),
        ] {
            assert_eq!(matches(pattern, action), matching, "{pattern} {action}");
        }
    }

    #[test]
    fn roles_hold_at_their_scope_and_below_for_their_actions() {
        let reader =
            caller(GROUP, &["Microsoft.ContainerService/*"], &["Microsoft.ContainerService/*/write"]);
        assert!(allowed(&reader, &Method::GET, CLUSTER));
        assert!(!allowed(&reader, &Method::PUT, CLUSTER));
        assert!(!allowed(&reader, &Method::GET, &CLUSTER.replace("/G/", "/H/")));
        assert!(!allowed(&reader, &Method::GET, GROUP), "another provider's");
        let list = "/subscriptions/s/providers/Microsoft.ContainerService/managedClusters";
        assert!(allowed(&reader, &Method::GET, list), "something of it");
        assert!(!allowed(&reader, &Method::GET, &list.replace("/s/", "/t/")));
        let refusal = reader.check(&Address::parse(&Method::PUT, CLUSTER).unwrap()).unwrap_err();
        let message = refusal.body["error"]["message"].as_str().unwrap();
        assert_eq!(refusal.status, 403);
        assert!(message.contains("'Microsoft.ContainerService/managedClusters/write'"), "{message}");
        assert!(message.contains("'app' with object id 'oid'") && message.contains(CLUSTER), "{message}");
    }

    #[test]
    fn lists_show_what_is_readable() {
        let reader = caller(GROUP, &["*/read"], &[]);
        let list = |path: &str, ids: &[&str]| {
            let items = ids.iter().map(|id| json!({ "id": id, "type": "A/b" })).collect::<Vec<_>>();
            let mut body = json!({ "value": items });
            reader.filter(&Address::parse(&Method::GET, path).unwrap(), &mut body);
            body["value"].as_array().unwrap().len()
        };
        assert_eq!(list("/subscriptions", &["/subscriptions/S", "/subscriptions/t"]), 1);
        let clusters = "/subscriptions/s/providers/Microsoft.ContainerService/managedClusters";
        assert_eq!(list(clusters, &[CLUSTER, &CLUSTER.replace("/G/", "/H/")]), 1);
        assert_eq!(list("/subscriptions/s/resources", &[CLUSTER, "/subscriptions/s/resourceGroups/h/x"]), 1);
        assert_eq!(list(&format!("{CLUSTER}/agentPools"), &["/elsewhere"]), 1, "no such collection");
    }

    #[test]
    fn permissions_are_the_roles_at_the_scope() {
        let reader = caller(GROUP, &["*/read"], &[]);
        assert_eq!(reader.permissions(&Scope::new(CLUSTER))[0]["actions"], json!(["*/read"]));
        assert_eq!(reader.permissions(&Scope::new("/subscriptions/s")), json!([]));
        let everything = Caller { roles: None, ..reader };
        assert_eq!(everything.permissions(&Scope::new("/"))[0]["actions"], json!(["*"]));
    }
}
