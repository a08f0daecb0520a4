//! The views of permissions and locks.

use serde_json::Value;

use super::{text, texts};
use crate::View;

/// What one role assignment lets our identity do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permission {
    /// Allowed actions, with `*` for anything.
    pub actions: Vec<String>,
    /// What is taken away from them again.
    pub not_actions: Vec<String>,
    /// Allowed actions on data, for example in the Kubernetes API.
    pub data_actions: Vec<String>,
    /// What is taken away from those again.
    pub not_data_actions: Vec<String>,
}

impl Permission {
    /// Whether any of `permissions` allows `action`, for example
    /// `Microsoft.ContainerService/managedClusters/write`.
    ///
    /// What one assignment takes away, another can give. Source: Microsoft Learn, "Understand Azure role
    /// definitions". Deny assignments and conditions are not part of what Azure answers here.
    #[must_use]
    pub fn any_allows(permissions: &[Self], action: &str) -> bool {
        let covers = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
        permissions.iter().any(|one| covers(&one.actions) && !covers(&one.not_actions))
    }
}

/// Whether `action` is what `pattern` says, `*` being anything, regardless of case.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| action.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// A lock, which binds everybody, owners included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Its resource id, which names the scope that it is on.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// `ReadOnly` or `CanNotDelete`.
    pub level: Option<String>,
    /// Why it is there, in the words of whoever made it.
    pub notes: Option<String>,
}

impl Lock {
    /// Whether nothing may be written: no upgrade can begin.
    #[must_use]
    pub fn forbids_writes(&self) -> bool {
        self.level.as_deref().is_some_and(|level| level.eq_ignore_ascii_case("ReadOnly"))
    }

    /// Whether nothing may be deleted: on the group of a cluster's nodes, an upgrade cannot remove its
    /// surge nodes.
    #[must_use]
    pub fn forbids_deletes(&self) -> bool {
        let level = self.level.as_deref();
        self.forbids_writes() || level.is_some_and(|level| level.eq_ignore_ascii_case("CanNotDelete"))
    }
}

impl View for Permission {
    fn read(document: &Value) -> Self {
        Self {
            actions: texts(document, "/actions"),
            not_actions: texts(document, "/notActions"),
            data_actions: texts(document, "/dataActions"),
            not_data_actions: texts(document, "/notDataActions"),
        }
    }
}

impl View for Lock {
    fn read(document: &Value) -> Self {
        Self {
            id: text(document, "/id"),
            name: text(document, "/name"),
            level: text(document, "/properties/level"),
            notes: text(document, "/properties/notes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_match_by_wildcards_and_are_taken_away_per_assignment() {
        let permission = |actions: &[&str], not_actions: &[&str]| {
            let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            Permission { actions: own(actions), not_actions: own(not_actions), ..Permission::default() }
        };
        const WRITE: &str = "Microsoft.ContainerService/managedClusters/write";
        let table = [
            (vec![permission(&["*"], &[])], true),
            (vec![permission(&["*/read"], &[])], false),
            (vec![permission(&["*/write"], &[])], true),
            (vec![permission(&["microsoft.containerservice/MANAGEDCLUSTERS/write"], &[])], true),
            (vec![permission(&["Microsoft.ContainerService/*"], &[])], true),
            (vec![permission(&["Microsoft.ContainerService/*/write"], &[])], true),
            (vec![permission(&["Microsoft.*/managed*/wr*te"], &[])], true),
            (vec![permission(&["Microsoft.ContainerService/managedClusters"], &[])], false),
            (vec![permission(&["Microsoft.ContainerService/managedClusters/write/more"], &[])], false),
            (vec![permission(&["Microsoft.Compute/*/write"], &[])], false),
            (vec![permission(&["*"], &["Microsoft.ContainerService/*/write"])], false),
            (vec![permission(&["*"], &["Microsoft.ContainerService/*"]), permission(&[WRITE], &[])], true),
            (vec![permission(&[""], &[])], false),
            (vec![], false),
        ];
        for (permissions, allowed) in table {
            assert_eq!(Permission::any_allows(&permissions, WRITE), allowed, "{permissions:?}");
        }
    }

    #[test]
    fn locks_forbid_by_their_level() {
        let lock = |level: &str| Lock { level: Some(level.to_owned()), ..Lock::default() };
        for (level, writes, deletes) in
            [("ReadOnly", true, true), ("CanNotDelete", false, true), ("NotSpecified", false, false)]
        {
            assert_eq!((lock(level).forbids_writes(), lock(level).forbids_deletes()), (writes, deletes));
        }
        assert!(!Lock::default().forbids_deletes());
    }
}
