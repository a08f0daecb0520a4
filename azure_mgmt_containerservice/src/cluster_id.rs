//! The resource id of a managed cluster: parsing, comparing and printing it.
//!
//! Pure. Azure changes the case of ids between calls, so two ids that differ in case only
//! are the same cluster; the text is kept as it was read.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

const EXPECTED: &str = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.ContainerService/managedClusters/NAME";

/// Which managed cluster: subscription, resource group and name.
///
/// Compared, ordered and hashed without regard to case, because Resource Manager answers with
/// ids in another case than it was asked with.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterId {
    text: String,
    subscription: String,
    resource_group: String,
    name: String,
}

impl ClusterId {
    /// The id of the cluster `name` in `resource_group` of `subscription`.
    ///
    /// # Errors
    /// When a part is empty or contains a character that would break out of a path segment.
    pub fn new(subscription: &str, resource_group: &str, name: &str) -> Result<Self, InvalidClusterId> {
        format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.ContainerService/managedClusters/{name}"
        )
        .parse()
    }

    /// The subscription's id, as read.
    #[must_use]
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The resource group's name, as read.
    #[must_use]
    pub fn resource_group(&self) -> &str {
        &self.resource_group
    }

    /// The cluster's name, as read.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole id, as read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn folded(&self) -> [String; 3] {
        [&self.subscription, &self.resource_group, &self.name].map(|part| part.to_lowercase())
    }
}

impl FromStr for ClusterId {
    type Err = InvalidClusterId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |problem: String| InvalidClusterId { text: shorten(text), problem };
        let path = text.strip_prefix('/').ok_or_else(|| invalid("it does not begin with '/'".to_owned()))?;
        let segments: Vec<&str> = path.split('/').collect();
        let [s, subscription, g, resource_group, p, provider, kind, name] = segments.as_slice() else {
            return Err(invalid(format!("it has {} segments instead of 8", segments.len())));
        };
        let fixed = [
            (s, "subscriptions"),
            (g, "resourceGroups"),
            (p, "providers"),
            (provider, "Microsoft.ContainerService"),
            (kind, "managedClusters"),
        ];
        for (found, wanted) in fixed {
            if !found.eq_ignore_ascii_case(wanted) {
                return Err(invalid(format!("{found:?} stands where {wanted:?} belongs")));
            }
        }
        for (what, value) in
            [("subscription", subscription), ("resource group", resource_group), ("name", name)]
        {
            if value.is_empty() {
                return Err(invalid(format!("the {what} is empty")));
            }
            if matches!(*value, "." | "..") || value.chars().any(is_forbidden) {
                return Err(invalid(format!(
                    "the {what} {value:?} contains characters that Azure does not allow"
                )));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            subscription: (*subscription).to_owned(),
            resource_group: (*resource_group).to_owned(),
            name: (*name).to_owned(),
        })
    }
}

/// What none of the three names may contain; Azure's own rules are narrower.
fn is_forbidden(c: char) -> bool {
    c.is_control() || c.is_whitespace() || matches!(c, '%' | '?' | '#' | '\\' | '&' | '<' | '>' | '"' | '\'')
}

fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for ClusterId {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for ClusterId {}

impl PartialOrd for ClusterId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ClusterId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(&other.folded())
    }
}

impl Hash for ClusterId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl TryFrom<String> for ClusterId {
    type Error = InvalidClusterId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ClusterId> for String {
    fn from(id: ClusterId) -> Self {
        id.text
    }
}

/// A text that is not the resource id of a managed cluster: what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the resource id of an AKS cluster: {problem}; expected {EXPECTED}")]
pub struct InvalidClusterId {
    text: String,
    problem: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ID: &str = "/subscriptions/0a1b/resourceGroups/Shop/providers/Microsoft.ContainerService/managedClusters/shop-eu";

    #[test]
    fn parts_and_text_are_kept_as_read() {
        let id: ClusterId = ID.parse().unwrap();
        assert_eq!((id.subscription(), id.resource_group(), id.name()), ("0a1b", "Shop", "shop-eu"));
        assert_eq!(id.to_string(), ID);
        assert_eq!(id, ClusterId::new("0a1b", "Shop", "shop-eu").unwrap());
    }

    #[test]
    fn case_does_not_matter() {
        let ids: BTreeSet<ClusterId> = [ID.to_owned(), ID.to_lowercase(), ID.to_uppercase()]
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn serde_uses_the_text() {
        let id: ClusterId = serde_json::from_str(&format!("{ID:?}")).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("{ID:?}"));
        assert!(serde_json::from_str::<ClusterId>("\"nonsense\"").is_err());
    }

    #[test]
    fn errors_say_what_is_wrong_and_what_would_be_right() {
        let table = [
            ("shop-eu", "does not begin"),
            ("/subscriptions/s/resourceGroups/g", "4 segments"),
            (&ID.replace("managedClusters", "virtualMachines"), "\"virtualMachines\" stands where"),
            (&ID.replace("0a1b", ""), "subscription is empty"),
            (&ID.replace("shop-eu", ".."), "the name"),
            (&ID.replace("Shop", "a%2Fb"), "resource group"),
            (&format!("{ID}/agentPools/np"), "10 segments"),
        ];
        for (text, problem) in table {
            let error = text.parse::<ClusterId>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
            assert!(error.contains("/managedClusters/NAME"), "{error}");
        }
    }
}
