//! What becomes of a region's offer when something is released, or its support ends.

use std::collections::{BTreeMap, VecDeque};

use jiff::{Timestamp, civil::Date};
use semver::Version;

use super::{
    calendar::{Calendar, Release},
    catalog::{Catalog, FIRST_LTS_PATCH, Offered},
};
use crate::{
    scenario::{ReleaseAt, ReleaseSpec, Scenario, minor_or_version},
    world::{World, ids::eight_digits},
};

/// Patches of a minor that are offered at once.
const PATCHES: usize = 3;

/// With long-term support "only the two most recent patch versions".
const LONG_TERM_PATCHES: usize = 2;

/// The releases of one region: they begin with the first instant that the world sees.
#[derive(Clone, Debug)]
pub(crate) enum Upcoming {
    NotBegun { spec: ReleaseSpec, seed: u64 },
    Begun(Releases),
}

/// The releases of every region that has some, by the region's name in lower case.
pub(crate) fn upcoming(scenario: &Scenario) -> BTreeMap<String, Upcoming> {
    let regions = scenario.regions.iter().filter_map(|(name, region)| {
        let name = name.to_lowercase();
        let seed = scenario.seed ^ u64::from(eight_digits(&name));
        Some((name, Upcoming::NotBegun { spec: region.releases.clone()?, seed }))
    });
    regions.collect()
}

impl World {
    pub(in crate::world) fn begin_releases(&mut self, now: Timestamp) {
        for (region, upcoming) in &mut self.releases {
            if let (Upcoming::NotBegun { spec, seed }, Some(catalog)) =
                (&*upcoming, self.catalogs.get_mut(region))
            {
                *upcoming = Upcoming::Begun(Releases::after(now, spec, *seed, catalog));
            }
        }
    }

    pub(in crate::world) fn next_release(&self) -> Option<Timestamp> {
        let next = self.releases.values().filter_map(|upcoming| match upcoming {
            Upcoming::NotBegun { .. } => None,
            Upcoming::Begun(releases) => releases.next_at(),
        });
        next.min()
    }

    pub(in crate::world) fn release(&mut self, now: Timestamp) {
        let mut moved = Vec::new();
        for (region, upcoming) in &mut self.releases {
            if let (Upcoming::Begun(releases), Some(catalog)) = (upcoming, self.catalogs.get_mut(region))
                && releases.take(now, catalog)
            {
                let (at, count) = self.released.entry(region.clone()).or_insert((now, 0));
                (*at, *count) = (now, *count + 1);
                moved.push(region.clone());
            }
        }
        for region in moved {
            self.wake_region(now, &region);
        }
    }
}

/// The releases of one region that are still to come.
#[derive(Clone, Debug)]
pub(crate) struct Releases {
    given: VecDeque<ReleaseAt>,
    calendar: Option<Calendar>,
}

impl Releases {
    /// The releases after an instant; what belongs to the past is in the catalog at once.
    pub(crate) fn after(start: Timestamp, spec: &ReleaseSpec, seed: u64, catalog: &mut Catalog) -> Self {
        if spec.calendar {
            for release in Calendar::minors_until(start, seed) {
                catalog.apply(&release);
            }
        }
        let mut given = spec.at.clone();
        given.sort_by_key(|release| release.at);
        let mut releases =
            Self { given: given.into(), calendar: spec.calendar.then(|| Calendar::after(start, seed)) };
        while releases.given.front().is_some_and(|release| release.at <= start) {
            releases.take(start, catalog);
        }
        releases
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        let given = self.given.front().map(|release| release.at);
        let calendar = self.calendar.as_ref().and_then(Calendar::next_at);
        given.into_iter().chain(calendar).min()
    }

    /// Takes what is due into the catalog; true when something was.
    pub(crate) fn take(&mut self, now: Timestamp, catalog: &mut Catalog) -> bool {
        let mut any = false;
        while let Some(release) = self.given.pop_front_if(|release| release.at <= now) {
            catalog.apply_given(&release);
            any = true;
        }
        if let Some(calendar) = &mut self.calendar {
            while calendar.next_at().is_some_and(|at| at <= now) {
                let Some(release) = calendar.take() else { break };
                catalog.apply(&release);
                any = true;
            }
        }
        any
    }
}

impl Catalog {
    fn apply(&mut self, release: &Release) {
        match release {
            Release::LinuxImages { built } => self.release_linux_images(*built),
            Release::WindowsImages { built, revision } => self.release_windows_images(*built, *revision),
            Release::SecurityPatches { on } => {
                self.security_patch = Some(on.strftime("%Y.%m.%d").to_string())
            }
            Release::Patches => self.release_patches(),
            Release::Preview(minor) => self.offer(Version::new(1, *minor, 0), Offered::preview()),
            Release::GenerallyAvailable(minor) => self.release_minor(*minor),
            Release::EndOfSupport(minor) => self.end_support(*minor),
            Release::EndOfLongTermSupport(minor) => {
                self.versions.retain(|version, _| version.minor != *minor)
            }
        }
    }

    fn apply_given(&mut self, release: &ReleaseAt) {
        let ReleaseAt { at: _, versions, node_images, long_term_only, withdrawn } = release;
        for spec in versions {
            if let Some((version, offered)) = Offered::read(spec) {
                self.offer(version, offered);
            }
        }
        self.images.extend(node_images.clone());
        let means = |text: &str, version: &Version| {
            let (minor, patch) = minor_or_version(text).unwrap_or((u64::MAX, None));
            version.minor == minor && patch.is_none_or(|patch| version.patch == patch)
        };
        self.versions.retain(|version, _| !withdrawn.iter().any(|text| means(text, version)));
        for (version, offered) in &mut self.versions {
            offered.lts_only |= long_term_only.iter().any(|text| means(text, version));
        }
    }

    fn offer(&mut self, version: Version, offered: Offered) {
        self.versions.insert(version, offered);
    }

    /// `AKSUbuntu-2204gen2containerd-202510.03.1`: month, day, and how many there were that day.
    fn release_linux_images(&mut self, built: Date) {
        let date = format!("{:04}{:02}.{:02}.0", built.year(), built.month(), built.day());
        for (_, image) in self.images.iter_mut().filter(|(sku, _)| !sku.starts_with("Windows")) {
            let Some((family, old)) = image.rsplit_once('-') else { continue };
            // Images that the scenario names may be newer than the calendar.
            if old < date.as_str() {
                *image = format!("{family}-{date}");
            }
        }
    }

    /// `AKSWindows-2022-containerd-20348.4405.261112`: Windows' own number, revision and day.
    fn release_windows_images(&mut self, built: Date, more: u32) {
        for (sku, image) in &mut self.images {
            // Windows2019 is retired.
            if !sku.starts_with("Windows") || sku == "Windows2019" {
                continue;
            }
            let Some((family, number)) = image.rsplit_once('-') else { continue };
            let mut parts = number.split('.');
            let (Some(build), Some(Ok(revision))) = (parts.next(), parts.next().map(str::parse::<u32>))
            else {
                continue;
            };
            let date = format!("{:02}{:02}{:02}", built.year() % 100, built.month(), built.day());
            *image = format!("{family}-{build}.{}.{date}", revision + more);
        }
    }

    /// The next patch of every minor; old ones go.
    fn release_patches(&mut self) {
        let mut minors = self.versions.keys().map(|version| version.minor).collect::<Vec<_>>();
        minors.dedup();
        for minor in minors {
            let newest = self.versions.iter().rfind(|(version, _)| version.minor == minor);
            let Some((newest, offered)) = newest.map(|(version, offered)| (version.clone(), offered.clone()))
            else {
                continue;
            };
            let patch = Version::new(newest.major, newest.minor, newest.patch + 1);
            self.offer(patch, Offered { upgrades: None, ..offered.clone() });
            if let Some(old) = self.versions.get_mut(&newest) {
                old.default = false;
            }
            let kept = if offered.lts_only { LONG_TERM_PATCHES } else { PATCHES };
            self.keep_patches(minor, kept);
        }
    }

    fn keep_patches(&mut self, minor: u64, kept: usize) {
        let patches = self.versions.keys().filter(|version| version.minor == minor).cloned();
        let patches = patches.collect::<Vec<_>>();
        for old in patches.iter().rev().skip(kept) {
            self.versions.remove(old);
        }
    }

    /// A minor leaves preview; a new cluster gets the one before from now on.
    fn release_minor(&mut self, minor: u64) {
        let first = Version::new(1, minor, 0);
        self.versions.entry(first).or_insert_with(Offered::preview);
        for (_, offered) in self.versions.iter_mut().filter(|(version, _)| version.minor == minor) {
            offered.preview = false;
        }
        for offered in self.versions.values_mut() {
            offered.default = false;
        }
        let default = self.versions.iter_mut().rfind(|(version, _)| version.minor + 1 == minor);
        if let Some((_, offered)) = default {
            offered.default = true;
        }
    }

    /// What there is of a minor is for long-term support only, whose own patches begin.
    fn end_support(&mut self, minor: u64) {
        let patches = || self.versions.iter().filter(|(version, _)| version.minor == minor);
        if patches().all(|(_, offered)| offered.lts_only) {
            return;
        }
        for (_, offered) in self.versions.iter_mut().filter(|(version, _)| version.minor == minor) {
            offered.lts_only = true;
            offered.default = false;
        }
        self.offer(Version::new(1, minor, FIRST_LTS_PATCH), Offered::long_term());
        self.keep_patches(minor, LONG_TERM_PATCHES);
    }
}
