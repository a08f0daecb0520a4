//! Scopes: a subscription, a resource group, a resource, or everything.

use std::fmt;

/// The beginning of an ARM id in lower case; empty for everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(String);

impl Scope {
    /// The scope of an ARM id; `/` is everything.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.trim_end_matches('/').to_lowercase())
    }

    /// Whether `other` is this scope, or below it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Id of the subscription, in lower case.
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        self.0.strip_prefix("/subscriptions/")?.split('/').next()
    }

    /// Name of the resource group, in lower case.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        let mut parts = self.0.split('/').skip(3);
        (parts.next() == Some("resourcegroups")).then(|| parts.next()).flatten()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_contains_itself_and_what_is_below_in_any_case() {
        let group = Scope::new("/subscriptions/S/resourceGroups/Shop");
        let holds = |id: &str| group.contains(&Scope::new(id));
        assert!(holds("/subscriptions/s/resourcegroups/shop/providers/x/y/z"));
        assert!(holds("/SUBSCRIPTIONS/S/RESOURCEGROUPS/SHOP"));
        assert!(!holds("/subscriptions/s/resourceGroups/shopping"));
        assert!(!holds("/subscriptions/s"));
        assert!(Scope::new("/").contains(&group));
        assert_eq!((group.subscription(), group.group()), (Some("s"), Some("shop")));
        assert_eq!(Scope::new("/subscriptions/s/providers/p").group(), None);
    }
}
