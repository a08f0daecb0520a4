//! What a region offers: versions, the upgrades between them, and node images.
//!
//! Upgrades follow AKS's rules ("Supported Kubernetes versions in AKS", "Upgrade an AKS
//! cluster"): any newer patch of the same minor, any patch of the next one; with the
//! long-term-support plan also the long-term minors after that.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde_json::{Value, json};

use crate::scenario::{RegionSpec, VersionSpec};

/// Patches from here on are for long-term support only.
pub(crate) const FIRST_LTS_PATCH: u64 = 100;

/// What API servers and kubelets call themselves: patches of long-term support are builds of AKS's own.
pub(crate) fn build_name(version: &str) -> String {
    let patch = version.rsplit('.').next().and_then(|patch| patch.parse::<u64>().ok());
    if patch.is_some_and(|patch| patch >= FIRST_LTS_PATCH) {
        format!("{version}-akslts")
    } else {
        version.to_owned()
    }
}

/// How many minors an upgrade on the long-term-support plan may go at once: pools stay within this.
const LTS_STEP: u64 = 3;

/// The offer of one region.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    pub(in crate::world) versions: BTreeMap<Version, Offered>,
    pub(in crate::world) images: BTreeMap<String, String>,
    /// The day of the newest security patches, as it stands behind the name of an image.
    pub(in crate::world) security_patch: Option<String>,
    /// Previews need a registration that nobody here has.
    refuse_previews: bool,
}

/// What support a minor version gets in the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// For everybody.
    Community,
    /// On the long-term-support plan only.
    LongTerm,
    /// Not offered any more, or not yet: at most platform support.
    None,
}

/// How a version is offered.
#[derive(Clone, Debug)]
pub(in crate::world) struct Offered {
    pub(in crate::world) preview: bool,
    pub(in crate::world) lts_only: bool,
    pub(in crate::world) default: bool,
    /// The upgrades from here, when they do not follow the rules.
    pub(in crate::world) upgrades: Option<Vec<Version>>,
}

impl Offered {
    /// A version of the scenario, which has been checked.
    pub(in crate::world) fn read(spec: &VersionSpec) -> Option<(Version, Self)> {
        let VersionSpec { version, preview, lts, default, upgrades } = spec;
        let version = Version::parse(version).ok()?;
        let upgrades = upgrades
            .as_ref()
            .map(|list| list.iter().filter_map(|upgrade| Version::parse(upgrade).ok()).collect());
        let lts_only = *lts || version.patch >= FIRST_LTS_PATCH;
        Some((version, Self { preview: *preview, lts_only, default: *default, upgrades }))
    }

    pub(in crate::world) const fn preview() -> Self {
        Self { preview: true, lts_only: false, default: false, upgrades: None }
    }

    pub(in crate::world) const fn long_term() -> Self {
        Self { preview: false, lts_only: true, default: false, upgrades: None }
    }
}

impl Catalog {
    pub(crate) fn new(region: &RegionSpec) -> Self {
        let versions = region.versions();
        let versions = versions.iter().filter_map(Offered::read);
        Self {
            versions: versions.collect(),
            images: region.images(),
            security_patch: None,
            refuse_previews: region.refuse_previews,
        }
    }

    pub(crate) fn offers(&self, version: &Version) -> bool {
        self.versions.contains_key(version)
    }

    /// Whether the version is a preview that is not to be had.
    pub(crate) fn refuses_preview(&self, version: &Version) -> bool {
        self.refuse_previews && self.versions.get(version).is_some_and(|offered| offered.preview)
    }

    /// What support the version's minor gets.
    pub(crate) fn support(&self, version: &Version) -> Support {
        let mut patches = self.of_minor(version.minor).peekable();
        if patches.peek().is_none() {
            Support::None
        } else if patches.all(|(_, offered)| offered.lts_only) {
            Support::LongTerm
        } else {
            Support::Community
        }
    }

    fn of_minor(&self, minor: u64) -> impl Iterator<Item = (&Version, &Offered)> {
        self.versions.iter().filter(move |(version, _)| version.minor == minor)
    }

    /// The oldest minor with community support that is generally available.
    pub(crate) fn oldest_supported(&self) -> Option<u64> {
        self.supported().next()
    }

    /// The newest one.
    pub(crate) fn newest_supported(&self) -> Option<u64> {
        self.supported().last()
    }

    fn supported(&self) -> impl Iterator<Item = u64> {
        let supported = self.versions.iter().filter(|(_, offered)| !offered.lts_only && !offered.preview);
        supported.map(|(version, _)| version.minor)
    }

    /// The full version that `text` means: itself, or the newest patch of a minor.
    pub(crate) fn resolve(&self, text: &str) -> Option<Version> {
        if let Ok(version) = Version::parse(text) {
            return Some(version);
        }
        let (major, minor) = text.split_once('.')?;
        let (major, minor) = (major.parse::<u64>().ok()?, minor.parse::<u64>().ok()?);
        self.versions.keys().rfind(|version| (version.major, version.minor) == (major, minor)).cloned()
    }

    /// What a control plane at `from` is offered, with whether it is a preview.
    pub(crate) fn upgrades(&self, from: &Version, long_term: bool) -> Vec<(Version, bool)> {
        let given = self.versions.get(from).and_then(|offered| offered.upgrades.as_ref());
        if let Some(given) = given {
            let preview = |version| self.versions.get(version).is_some_and(|offered| offered.preview);
            return given.iter().map(|version| (version.clone(), preview(version))).collect();
        }
        // Out of support, the way back leads to the oldest supported minor, however far that is.
        let recovery = self.oldest_supported().filter(|_| self.support(from) != Support::Community);
        let next = |version: &Version, offered: &Offered| {
            let minors = version.minor.checked_sub(from.minor);
            let reachable = match minors {
                Some(0 | 1) => true,
                Some(..=LTS_STEP) if long_term => !offered.preview,
                _ => !offered.preview && recovery == Some(version.minor),
            };
            version > from && version.major == from.major && reachable && (long_term || !offered.lts_only)
        };
        let reachable = self.versions.iter().filter(|(version, offered)| next(version, offered));
        reachable.map(|(version, offered)| (version.clone(), offered.preview)).collect()
    }

    /// Versions that a pool at `from` may take below a control plane at `ceiling`.
    pub(crate) fn pool_upgrades(&self, from: &Version, ceiling: &Version) -> Vec<Version> {
        self.versions.keys().filter(|version| *version > from && *version <= ceiling).cloned().collect()
    }

    /// The newest image of a pool with this SKU at this version.
    pub(crate) fn latest_image(&self, os_sku: &str, version: &Version) -> String {
        let sku = image_sku(os_sku, version);
        self.images.get(sku).cloned().unwrap_or_else(|| format!("AKS{sku}-202611.10.0"))
    }

    /// Every version with whether it is a preview, in order.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (&Version, bool)> {
        self.versions.iter().map(|(version, offered)| (version, offered.preview))
    }

    /// What a cluster gets that asks for none: the default, or else the newest that is for everybody.
    pub(crate) fn default_version(&self) -> Version {
        let default = self.versions.iter().find(|(_, offered)| offered.default);
        let newest = || self.versions.iter().rfind(|(_, offered)| !offered.preview && !offered.lts_only);
        let any = || self.versions.iter().next_back();
        default.or_else(newest).or_else(any).map_or(Version::new(0, 0, 0), |(version, _)| version.clone())
    }

    /// The newest images, each once.
    pub(crate) fn images(&self) -> impl Iterator<Item = &str> {
        self.images.values().map(String::as_str).collect::<BTreeSet<_>>().into_iter()
    }

    /// The region's answer to `kubernetesVersions`.
    pub(crate) fn answer(&self) -> Value {
        let minors: BTreeSet<_> =
            self.versions.keys().map(|version| (version.major, version.minor)).collect();
        let values = minors.into_iter().rev().map(|minor| self.minor_answer(minor)).collect::<Vec<_>>();
        json!({ "values": values })
    }

    fn minor_answer(&self, (major, minor): (u64, u64)) -> Value {
        let patches = || {
            self.versions.iter().filter(move |(version, _)| (version.major, version.minor) == (major, minor))
        };
        let lts_only = patches().all(|(_, offered)| offered.lts_only);
        let plans: &[&str] =
            if lts_only { &["AKSLongTermSupport"] } else { &["KubernetesOfficial", "AKSLongTermSupport"] };
        let patch_versions: BTreeMap<_, _> = patches()
            .map(|(version, offered)| {
                let upgrades = self.upgrades(version, offered.lts_only);
                let upgrades = upgrades.iter().map(|(version, _)| version.to_string()).collect::<Vec<_>>();
                (version.to_string(), json!({ "upgrades": upgrades }))
            })
            .collect();
        let mut answer = json!({
            "version": format!("{major}.{minor}"),
            "capabilities": { "supportPlan": plans },
            "patchVersions": patch_versions,
        });
        if patches().any(|(_, offered)| offered.default) {
            answer["isDefault"] = json!(true);
        }
        if patches().all(|(_, offered)| offered.preview) {
            answer["isPreview"] = json!(true);
        }
        answer
    }
}

/// The SKU whose image a pool runs: `Ubuntu` moves to 24.04 at 1.35.
fn image_sku<'a>(os_sku: &'a str, version: &Version) -> &'a str {
    match os_sku {
        "Ubuntu" if version.minor >= 35 => "Ubuntu2404",
        "Ubuntu" => "Ubuntu2204",
        "AzureLinux" => "AzureLinux3",
        other => other,
    }
}

/// The first and the last minor on which an OS SKU is supported ("Upgrade operating system versions
/// in AKS").
pub(crate) fn minors(os_sku: &str) -> (Option<u64>, Option<u64>) {
    match os_sku {
        "Windows2019" => (None, Some(32)),
        "Windows2022" | "Ubuntu2204" => (None, Some(36)),
        "AzureLinux3" => (Some(28), Some(36)),
        "Ubuntu2404" => (Some(32), Some(38)),
        "Windows2025" | "AzureLinuxOSGuard" => (Some(32), None),
        "AzureContainerLinux" => (Some(34), None),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_of_long_term_support_are_builds_with_a_name_of_their_own() {
        for (version, name) in
            [("1.31.100", "1.31.100-akslts"), ("1.34.4", "1.34.4"), ("1.33.101", "1.33.101-akslts")]
        {
            assert_eq!(build_name(version), name);
        }
    }

    fn upgrades(from: &str, long_term: bool) -> Vec<String> {
        let catalog = Catalog::new(&RegionSpec::default());
        let upgrades = catalog.upgrades(&Version::parse(from).unwrap(), long_term);
        upgrades.into_iter().map(|(version, _)| version.to_string()).collect()
    }

    #[test]
    fn upgrades_stay_within_the_next_minor_unless_on_long_term_support() {
        assert_eq!(upgrades("1.34.2", false), ["1.34.4", "1.35.1", "1.35.3"]);
        assert_eq!(upgrades("1.33.5", false), ["1.34.2", "1.34.4"]);
        assert_eq!(
            upgrades("1.32.100", true),
            ["1.33.100", "1.33.101", "1.34.2", "1.34.4", "1.35.1", "1.35.3"]
        );
        assert!(upgrades("1.37.1", false).is_empty());
    }

    #[test]
    fn from_a_version_out_of_support_the_way_back_leads_to_the_oldest_supported_minor() {
        let catalog = Catalog::new(&RegionSpec::default());
        assert_eq!(catalog.support(&Version::new(1, 31, 9)), Support::None);
        assert_eq!(catalog.support(&Version::new(1, 33, 100)), Support::LongTerm);
        assert_eq!(upgrades("1.31.9", false), ["1.34.2", "1.34.4"]);
    }

    #[test]
    fn a_minor_means_its_newest_patch_and_ubuntu_moves_on() {
        let catalog = Catalog::new(&RegionSpec::default());
        assert_eq!(catalog.resolve("1.35").unwrap().to_string(), "1.35.3");
        let image = |version| catalog.latest_image("Ubuntu", &Version::parse(version).unwrap());
        assert!(image("1.34.4").contains("-2204"));
        assert!(image("1.35.1").contains("-2404"));
    }

    #[test]
    fn a_region_answers_under_values() {
        let answer = Catalog::new(&RegionSpec::default()).answer();
        assert_eq!(answer["values"][0]["version"], "1.37");
        let long_term = &answer["values"][5];
        assert_eq!(long_term["capabilities"]["supportPlan"], json!(["AKSLongTermSupport"]));
    }
}
