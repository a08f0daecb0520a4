//! What AKS does by itself, and when.

use super::*;

/// The region releases 1.35.4 and a Linux image at 2026-12-07T06:00Z, a Monday.
const RELEASE: &str = "regions: { westeurope: { releases: { at: [{ at: 2026-12-07T06:00:00Z, versions: [{ version: 1.35.4 }, { version: 1.36.3 }], nodeImages: { Ubuntu2204: AKSUbuntu-2204gen2containerd-202612.01.0 } }] } } }";
const OLD_IMAGE: &str = "AKSUbuntu-2204gen2containerd-202611.10.0";
const NEW_IMAGE: &str = "AKSUbuntu-2204gen2containerd-202612.01.0";

fn script(rest: &str) -> Script {
    Script::whole(
        RELEASE,
        &format!("kubernetesVersion: 1.35.3, pools: [{{ name: apps }}, {{ name: batch, count: 2 }}], {rest}"),
    )
}

fn windows(name: &str, day: &str) -> String {
    format!(
        "maintenanceConfigurations: [{{ name: {name}, properties: {{ maintenanceWindow: {{ schedule: {{ weekly: {{ intervalWeeks: 1, dayOfWeek: {day} }} }}, durationHours: 4, startDate: '2026-12-01', startTime: '22:00' }} }} }}]"
    )
}

impl Script {
    /// Goes on, two minutes at a time, until the cluster or a pool is busy; when that was.
    fn until_it_acts(&mut self, days: i64) -> Option<String> {
        let end = self.now + SignedDuration::from_hours(24 * days);
        while self.now < end {
            self.pass(2);
            if self.world.view()[0].operation.is_some() {
                return Some(self.now.strftime("%a %H:%M").to_string());
            }
        }
        None
    }

    fn version_and_images(&mut self) -> (String, Vec<String>) {
        let view = self.world.view();
        let images = view[0].pools.iter().flat_map(|pool| &pool.nodes).map(|node| node.node_image.clone());
        (view[0].kubernetes_version.clone(), images.collect())
    }
}

#[test]
fn without_a_channel_nothing_happens() {
    let mut script = script("");
    assert_eq!(script.until_it_acts(30), None);
    assert_eq!(script.version_and_images().0, "1.35.3");
}

#[test]
fn before_a_release_nothing_happens_whatever_the_channel() {
    let mut script = Script::new("autoUpgradeChannel: rapid, nodeOsUpgradeChannel: NodeImage");
    assert_eq!(script.until_it_acts(30), None);
}

#[test]
fn the_patch_channel_upgrades_control_plane_and_pools_some_hours_after_a_release() {
    let mut script = script("autoUpgradeChannel: patch");
    let acted = script.until_it_acts(7).unwrap();
    assert!(
        acted.starts_with("Mon ") && acted.as_str() > "Mon 07:00" && acted.as_str() < "Mon 18:10",
        "{acted}"
    );
    assert_eq!(script.states(), ["Upgrading", "Upgrading", "Upgrading"]);
    script.pass(120);
    assert_eq!(script.states(), ["Succeeded", "Succeeded", "Succeeded"]);
    let (version, images) = script.version_and_images();
    assert_eq!((version.as_str(), images), ("1.35.4", vec![NEW_IMAGE.to_owned(); 3]));
    assert!(script.nodes("batch").iter().all(|node| node.ends_with(" 1.35.4")));
    assert_eq!(script.until_it_acts(30), None, "it has what it wants");
}

#[test]
fn stable_stays_one_minor_behind_and_rapid_goes_minor_by_minor() {
    let reached = |channel: &str| {
        // Ubuntu2204 does not go beyond 1.36.
        let cluster = format!(
            "kubernetesVersion: 1.35.3, pools: [{{ name: apps, osSku: AzureLinux }}], autoUpgradeChannel: {channel}"
        );
        let mut script = Script::whole(RELEASE, &cluster);
        let mut versions = Vec::new();
        for _ in 0..7 * 24 * 12 {
            script.pass(5);
            versions.push(script.version_and_images().0);
        }
        versions.dedup();
        versions
    };
    assert_eq!(reached("stable"), ["1.35.3", "1.36.3"]);
    assert_eq!(reached("rapid"), ["1.35.3", "1.36.3", "1.37.1"]);
    assert_eq!(reached("none"), ["1.35.3"]);
}

#[test]
fn the_window_of_the_channel_decides_when_it_begins_and_what_has_begun_goes_on() {
    let slow = "durations: { controlPlane: 3h, reimageLinux: 2h }";
    let mut script = script(&format!(
        "autoUpgradeChannel: patch, {slow}, {}",
        windows("aksManagedAutoUpgradeSchedule", "Wednesday")
    ));
    assert_eq!(script.until_it_acts(7).as_deref(), Some("Wed 22:00"));
    script.pass(5 * 60);
    assert_eq!(script.states()[0], "Upgrading", "after the end of the window");
    script.pass(24 * 60);
    assert_eq!(script.version_and_images().0, "1.35.4");
}

#[test]
fn images_have_a_channel_and_windows_of_their_own_one_pool_after_the_other() {
    let both = format!(
        "autoUpgradeChannel: none, nodeOsUpgradeChannel: NodeImage, {}",
        windows("aksManagedNodeOSUpgradeSchedule", "Tuesday")
    );
    let mut script = script(&both);
    assert_eq!(script.until_it_acts(7).as_deref(), Some("Tue 22:00"));
    assert_eq!(script.states(), ["Succeeded", "UpgradingNodeImageVersion", "Succeeded"]);
    script.pass(10);
    assert_eq!(script.states(), ["Succeeded", "Succeeded", "UpgradingNodeImageVersion"]);
    script.pass(60);
    assert_eq!(script.version_and_images(), ("1.35.3".to_owned(), vec![NEW_IMAGE.to_owned(); 3]));
    // The other configuration is not for images.
    let other = both.replace("aksManagedNodeOSUpgradeSchedule", "aksManagedAutoUpgradeSchedule");
    let mut script = self::script(&other);
    assert!(script.until_it_acts(7).unwrap().starts_with("Mon "));
    // The default one is, when there is no other.
    let mut script = self::script(&both.replace("aksManagedNodeOSUpgradeSchedule", "default"));
    assert_eq!(script.until_it_acts(7).as_deref(), Some("Tue 22:00"));
}

#[test]
fn the_legacy_channel_node_image_is_the_one_for_images() {
    let mut script = script("autoUpgradeChannel: node-image");
    assert!(script.until_it_acts(7).is_some());
    script.pass(60);
    assert_eq!(script.version_and_images(), ("1.35.3".to_owned(), vec![NEW_IMAGE.to_owned(); 3]));
}

#[test]
fn security_patches_stand_behind_the_name_of_the_image() {
    let general = "seed: 7\nregions: { westeurope: { releases: { calendar: true } } }";
    let mut script = Script::whole(
        general,
        "kubernetesVersion: 1.36.2, nodeOsUpgradeChannel: SecurityPatch, pools: [{ name: apps, osSku: AzureLinux }, { name: win, osType: Windows, osSku: Windows2025 }]",
    );
    let windows = script.get_pool("win")["nodeImageVersion"].clone();
    script.until("2026-12-12T00:00:00Z");
    assert_eq!(script.get_pool("apps")["nodeImageVersion"], "AKSAzureLinux-V3gen2-202611.10.0-2026.12.10");
    script.until("2026-12-19T00:00:00Z");
    assert_eq!(script.get_pool("apps")["nodeImageVersion"], "AKSAzureLinux-V3gen2-202611.10.0-2026.12.17");
    assert_eq!(script.get_pool("win")["nodeImageVersion"], windows);
}

#[test]
fn what_fails_is_tried_again_a_day_later() {
    let fault =
        "faults: [{ pool: apps, error: { code: OverconstrainedAllocationRequest, message: no room } }]";
    let mut script = script(&format!("nodeOsUpgradeChannel: NodeImage, {fault}"));
    let first = script.until_it_acts(7).unwrap();
    script.pass(10);
    assert_eq!(script.get_pool("apps")["provisioningState"], "Failed");
    let again = script.until_it_acts(7).unwrap();
    assert!(first.starts_with("Mon") && again.starts_with("Tue"), "{first}, {again}");
    script.pass(120);
    assert_eq!(script.version_and_images().1, vec![NEW_IMAGE.to_owned(); 3]);
}

#[test]
fn a_deprecated_api_stops_an_automatic_upgrade_too() {
    let mut script =
        script("autoUpgradeChannel: stable, deprecatedApis: [{ api: a.b.v1, removedIn: '1.36' }]");
    assert_eq!(script.until_it_acts(7), None);
    assert_eq!(script.version_and_images().0, "1.35.3");
}

#[test]
fn a_new_channel_takes_effect_after_a_day() {
    let mut script = script("");
    script.until("2026-12-08T00:00:00Z");
    let answer = script.put_cluster(|body| {
        body["properties"]["autoUpgradeProfile"]["nodeOSUpgradeChannel"] = json!("NodeImage")
    });
    assert_eq!(answer.status, 200);
    script.pass(1);
    assert_eq!(script.version_and_images().1, vec![OLD_IMAGE.to_owned(); 3]);
    assert_eq!(script.until_it_acts(7).as_deref(), Some("Wed 00:01"));
}

#[test]
fn a_cluster_of_aks_automatic_is_on_the_stable_channel() {
    let mut script = script("sku: { name: Automatic }");
    assert!(script.until_it_acts(7).is_some());
    script.pass(24 * 60);
    assert_eq!(script.version_and_images().0, "1.36.3");
}

#[test]
fn a_cluster_that_falls_too_far_behind_is_upgraded_by_force() {
    let general = "seed: 7\nregions: { westeurope: { releases: { calendar: true } } }";
    let cluster = "kubernetesVersion: 1.35.3, pools: [{ name: apps, osSku: AzureLinux }]";
    let mut script = Script::whole(general, cluster);
    script.until("2027-06-01T00:00:00Z");
    assert_eq!(script.version_and_images().0, "1.35.3", "platform support only");
    script.until("2027-07-15T00:00:00Z");
    let version = script.version_and_images().0;
    assert!(version.starts_with("1.37."), "{version}");
    let mut long_term = Script::whole(
        general,
        &format!("{cluster}, supportPlan: AKSLongTermSupport, sku: {{ tier: Premium }}"),
    );
    long_term.until("2027-07-15T00:00:00Z");
    assert_eq!(long_term.version_and_images().0, "1.35.3");
}

#[test]
fn a_stopped_cluster_waits() {
    let mut script = script("autoUpgradeChannel: patch, powerState: Stopped");
    assert_eq!(script.until_it_acts(30), None);
}

#[test]
fn a_window_that_is_made_or_removed_later_counts_from_then_on() {
    let mut script = script("autoUpgradeChannel: patch");
    let name = || "aksmanagedautoupgradeschedule".to_owned();
    let window = json!({ "maintenanceWindow": {
        "schedule": { "weekly": { "intervalWeeks": 1, "dayOfWeek": "Thursday" } },
        "durationHours": 4, "startTime": "22:00",
    } });
    // The world sees time from its first instant on.
    script.pass(2);
    script.pass(24 * 60 + 9 * 60);
    let put = Call::PutMaintenanceConfiguration {
        cluster: cluster(),
        name: name(),
        body: json!({ "properties": window }),
    };
    assert_eq!(script.call(put).status, 200);
    assert_eq!(script.until_it_acts(2), None, "it would have acted on Monday");
    assert_eq!(script.until_it_acts(7).as_deref(), Some("Thu 22:00"));

    let mut script = self::script(&format!(
        "autoUpgradeChannel: patch, {}",
        windows("aksManagedAutoUpgradeSchedule", "Thursday")
    ));
    script.pass(1);
    script.pass(3 * 24 * 60);
    assert_eq!(script.version_and_images().0, "1.35.3");
    let delete = Call::DeleteMaintenanceConfiguration { cluster: cluster(), name: name() };
    assert_eq!(script.call(delete).status, 200);
    assert!(script.until_it_acts(1).is_some());
}
