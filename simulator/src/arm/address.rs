//! What a URL names: a provider, a type, and the scope of whatever is asked for.
//!
//! The action that a call needs follows from it, as Azure derives it ("Understand Azure role definitions"):
//! provider and types, then `read`, `write`, `delete`, or the last word and `action`.

use axum::http::Method;

/// The namespace of what Azure Resource Manager keeps itself.
const OWN: &str = "Microsoft.Resources";

/// A URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// For example `Microsoft.ContainerService`, as it is written in the URL.
    pub(super) namespace: String,
    /// For example `managedClusters/agentPools`, without the word of an action.
    pub(super) resource_type: String,
    /// The word at the end of a POST.
    word: Option<String>,
    /// The resource, or what the collection is in.
    pub(super) scope: String,
    /// The name of the last part; none for a collection.
    pub(super) name: Option<String>,
    method: Method,
}

impl Address {
    /// None when the path begins with nothing that Azure Resource Manager knows.
    pub(super) fn parse(method: &Method, path: &str) -> Option<Self> {
        let parts = path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let first = parts.first()?.to_lowercase();
        if !["subscriptions", "tenants", "providers"].contains(&first.as_str()) {
            return None;
        }
        let providers = parts.iter().rposition(|part| part.eq_ignore_ascii_case("providers"));
        // Without a type behind the namespace, the provider itself is meant.
        match providers {
            Some(at) if parts.len() > at + 2 && !registers(method, &parts[at..]) => {
                Some(Self::of_provider(method, &parts, at))
            }
            _ => Some(Self::own(method, &parts)),
        }
    }

    fn of_provider(method: &Method, parts: &[&str], at: usize) -> Self {
        let rest = &parts[at + 2..];
        let mut types = rest.iter().step_by(2).copied().collect::<Vec<_>>();
        let is_named = rest.len().is_multiple_of(2);
        let word = if *method == Method::POST && !is_named { types.pop() } else { None };
        let own_id = match (is_named, types.len()) {
            (true, _) => parts,
            // A collection that is in no resource is in whatever comes before the provider.
            (false, 0 | 1) if word.is_none() => &parts[..at],
            (false, _) => &parts[..parts.len() - 1],
        };
        Self {
            namespace: parts[at + 1].to_owned(),
            resource_type: types.join("/"),
            word: word.map(str::to_owned),
            scope: id(own_id),
            name: parts.last().filter(|_| is_named).map(|name| (*name).to_owned()),
            method: method.clone(),
        }
    }

    /// Subscriptions, groups and the like: types and names by turns.
    fn own(method: &Method, parts: &[&str]) -> Self {
        let register = registers(method, parts.get(parts.len().saturating_sub(3)..).unwrap_or_default());
        let named = if register { &parts[..parts.len() - 1] } else { parts };
        let is_named = named.len().is_multiple_of(2);
        let types = named.iter().step_by(2).copied().collect::<Vec<_>>();
        let scope = if is_named { named } else { &named[..named.len() - 1] };
        Self {
            namespace: OWN.to_owned(),
            resource_type: types.join("/"),
            word: register.then(|| "register".to_owned()),
            scope: id(scope),
            name: named.last().filter(|_| is_named).map(|name| (*name).to_owned()),
            method: method.clone(),
        }
    }

    /// The action that the caller needs.
    pub(super) fn action(&self) -> String {
        let Self { namespace, resource_type, word, name, .. } = self;
        if let (Some("register"), Some(provider)) = (word.as_deref(), name) {
            return format!("{provider}/register/action");
        }
        let kind = match (word, self.method.as_str()) {
            (Some(word), _) => format!("{word}/action"),
            (None, "PUT" | "PATCH") => "write".to_owned(),
            (None, "DELETE") => "delete".to_owned(),
            (None, "POST") => "action".to_owned(),
            (None, _) => "read".to_owned(),
        };
        format!("{namespace}/{resource_type}/{kind}")
    }

    /// Type and word in lower case, for tables.
    pub(super) fn kind(&self) -> String {
        let Self { namespace, resource_type, word, .. } = self;
        let word = word.as_ref().map(|word| format!("/{word}")).unwrap_or_default();
        format!("{namespace}/{resource_type}{word}").to_lowercase()
    }

    /// Id of the subscription, as it is written.
    pub(super) fn subscription(&self) -> Option<&str> {
        let mut parts = self.scope.split('/').skip(1);
        parts.next().filter(|first| first.eq_ignore_ascii_case("subscriptions")).and(parts.next())
    }

    /// Name of the resource group, as it is written.
    pub(super) fn group(&self) -> Option<&str> {
        let mut parts = self.scope.split('/').skip(3);
        parts.next().filter(|third| third.eq_ignore_ascii_case("resourcegroups")).and(parts.next())
    }

    /// What an extension such as a lock is about: the scope without its own part.
    pub(super) fn extended(&self) -> String {
        let lower = self.scope.to_lowercase();
        let own = format!("/providers/{}/", self.namespace.to_lowercase());
        match lower.rfind(&own) {
            Some(at) if self.name.is_some() => self.scope[..at].to_owned(),
            _ => self.scope.clone(),
        }
    }
}

/// Whether `parts`, from `providers` on, are the registration of one.
fn registers(method: &Method, parts: &[&str]) -> bool {
    *method == Method::POST
        && matches!(parts, [providers, _, word]
            if providers.eq_ignore_ascii_case("providers") && word.eq_ignore_ascii_case("register"))
}

fn id(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("/{part}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str =
        "/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerService/managedClusters/C";

    fn address(method: &Method, path: &str) -> Address {
        Address::parse(method, path).unwrap()
    }

    #[test]
    fn actions_are_those_of_the_role_definitions() {
        for (method, path, action, scope) in [
            (Method::GET, CLUSTER.to_owned(), "managedClusters/read", CLUSTER),
            (Method::PUT, CLUSTER.to_owned(), "managedClusters/write", CLUSTER),
            (Method::DELETE, CLUSTER.to_owned(), "managedClusters/delete", CLUSTER),
            (Method::POST, format!("{CLUSTER}/abort"), "managedClusters/abort/action", CLUSTER),
            (Method::GET, format!("{CLUSTER}/agentPools"), "managedClusters/agentPools/read", CLUSTER),
            (
                Method::GET,
                format!("{CLUSTER}/upgradeProfiles/default"),
                "managedClusters/upgradeProfiles/read",
                &format!("{CLUSTER}/upgradeProfiles/default"),
            ),
            (
                Method::POST,
                format!("{CLUSTER}/agentPools/P/upgradeNodeImageVersion"),
                "managedClusters/agentPools/upgradeNodeImageVersion/action",
                &format!("{CLUSTER}/agentPools/P"),
            ),
            (
                Method::GET,
                "/subscriptions/S/providers/Microsoft.ContainerService/managedClusters".to_owned(),
                "managedClusters/read",
                "/subscriptions/S",
            ),
            (
                Method::GET,
                "/subscriptions/S/providers/Microsoft.ContainerService/locations/l/kubernetesVersions"
                    .to_owned(),
                "locations/kubernetesVersions/read",
                "/subscriptions/S/providers/Microsoft.ContainerService/locations/l",
            ),
        ] {
            let address = address(&method, &path);
            assert_eq!(address.action(), format!("Microsoft.ContainerService/{action}"), "{path}");
            assert_eq!(address.scope, scope, "{path}");
        }
    }

    #[test]
    fn what_azure_resource_manager_keeps_is_its_own() {
        for (method, path, action, scope) in [
            (Method::GET, "/subscriptions", "Microsoft.Resources/subscriptions/read", ""),
            (Method::GET, "/subscriptions/S", "Microsoft.Resources/subscriptions/read", "/subscriptions/S"),
            (
                Method::HEAD,
                "/subscriptions/S/resourceGroups/G",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "/subscriptions/S/resourceGroups/G",
            ),
            (
                Method::GET,
                "/subscriptions/S/providers/Microsoft.ContainerService",
                "Microsoft.Resources/subscriptions/providers/read",
                "/subscriptions/S/providers/Microsoft.ContainerService",
            ),
            (
                Method::POST,
                "/subscriptions/S/providers/Microsoft.ContainerService/register",
                "Microsoft.ContainerService/register/action",
                "/subscriptions/S/providers/Microsoft.ContainerService",
            ),
        ] {
            let address = address(&method, path);
            assert_eq!((address.action().as_str(), address.scope.as_str()), (action, scope), "{path}");
        }
        assert_eq!(Address::parse(&Method::GET, "/favicon.ico"), None);
        assert_eq!(Address::parse(&Method::GET, "/"), None);
    }

    #[test]
    fn locks_are_about_what_they_lock() {
        let lock = address(&Method::PUT, &format!("{CLUSTER}/providers/Microsoft.Authorization/locks/keep"));
        assert_eq!((lock.extended().as_str(), lock.name.as_deref()), (CLUSTER, Some("keep")));
        assert_eq!(lock.action(), "Microsoft.Authorization/locks/write");
        let locks = address(&Method::GET, "/subscriptions/S/providers/Microsoft.Authorization/locks");
        assert_eq!((locks.extended().as_str(), locks.name), ("/subscriptions/S", None));
    }
}
