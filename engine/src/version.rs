//! Kubernetes versions as AKS names them: full patches, minors, and what a user may ask for.
//!
//! AKS numbers long-term-support patches from 100 (`1.31.100`); they order like any other.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A full version such as `1.34.2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubernetesVersion(semver::Version);

impl KubernetesVersion {
    /// The minor that this is a patch of.
    #[must_use]
    pub fn minor(&self) -> Minor {
        Minor { major: self.0.major, minor: self.0.minor }
    }

    /// Whether it is an older release than `other`, suffixes aside: AKS builds long-term-support
    /// patches as `1.31.100-akslts`, which is no preview of 1.31.100.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.release() < other.release()
    }

    /// Whether it is the same release as `other`, suffixes aside.
    #[must_use]
    pub fn is_release_of(&self, other: &Self) -> bool {
        self.release() == other.release()
    }

    fn release(&self) -> (u64, u64, u64) {
        (self.0.major, self.0.minor, self.0.patch)
    }
}

/// A minor such as `1.34`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor {
    /// Always 1 so far.
    pub major: u64,
    /// The number that people mean by "minor".
    pub minor: u64,
}

impl Minor {
    /// How many minors `self` is ahead of `other`; zero when it is not ahead.
    /// Majors far apart count as the largest distance.
    #[must_use]
    pub fn ahead_of(self, other: Self) -> u64 {
        if self.major == other.major {
            self.minor.saturating_sub(other.minor)
        } else if self.major > other.major {
            u64::MAX
        } else {
            0
        }
    }
}

/// How many minors a pool may be behind its control plane: three from 1.28, two before.
/// Source: "Supported Kubernetes versions in AKS", version skew.
#[must_use]
pub fn allowed_skew(control_plane: Minor) -> u64 {
    if control_plane >= (Minor { major: 1, minor: 28 }) { 3 } else { 2 }
}

/// What `spec.target.kubernetes.version` may say: a full patch, or a minor that
/// stands for its newest stable patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionRequest {
    /// Exactly this patch.
    Exact(KubernetesVersion),
    /// The newest stable patch of this minor.
    Minor(Minor),
}

/// A text that is not a Kubernetes version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Kubernetes version: write a patch such as 1.34.2 or a minor such as 1.34")]
pub struct InvalidVersion(pub String);

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for VersionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(version) => version.fmt(f),
            Self::Minor(minor) => minor.fmt(f),
        }
    }
}

impl FromStr for KubernetesVersion {
    type Err = InvalidVersion;

    /// Accepts a leading `v`, as kubelets write it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        semver::Version::parse(text.strip_prefix('v').unwrap_or(text))
            .map(Self)
            .map_err(|_| InvalidVersion(text.to_owned()))
    }
}

impl FromStr for Minor {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidVersion(text.to_owned());
        let (major, minor) = text.split_once('.').ok_or_else(invalid)?;
        Ok(Self {
            major: major.parse().map_err(|_| invalid())?,
            minor: minor.parse().map_err(|_| invalid())?,
        })
    }
}

impl FromStr for VersionRequest {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.matches('.').count() {
            1 => text.parse().map(Self::Minor),
            _ => text.parse().map(Self::Exact),
        }
    }
}

impl TryFrom<String> for KubernetesVersion {
    type Error = InvalidVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KubernetesVersion> for String {
    fn from(version: KubernetesVersion) -> Self {
        version.to_string()
    }
}

impl JsonSchema for KubernetesVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "KubernetesVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 64})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_number_and_knows_minors() {
        let version = |text: &str| text.parse::<KubernetesVersion>().unwrap();
        assert!(version("1.31.100") > version("1.31.99"));
        assert!(version("1.9.0") < version("v1.10.0"));
        assert_eq!(version("1.34.2").minor(), "1.34".parse().unwrap());
        assert_eq!(version("1.36.0").minor().ahead_of(version("1.33.9").minor()), 3);
        assert_eq!(version("1.33.9").minor().ahead_of(version("1.36.0").minor()), 0);
    }

    #[test]
    fn tells_a_minor_from_a_patch_and_says_what_would_be_right() {
        assert!(matches!("1.34".parse(), Ok(VersionRequest::Minor(_))));
        assert!(matches!("1.34.2".parse(), Ok(VersionRequest::Exact(_))));
        for bad in ["", "latest", "1", "1.x", "1.34.2.1", "34"] {
            let error = bad.parse::<VersionRequest>().unwrap_err().to_string();
            assert!(error.contains("1.34.2"), "{error}");
        }
    }
}
