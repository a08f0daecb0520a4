//! What regions release while time passes, and what clusters are offered then.

use super::*;

fn moving(releases: &str) -> Script {
    Script::whole(
        &format!("seed: 7\nregions: {{ westeurope: {{ releases: {releases} }} }}"),
        "kubernetesVersion: 1.36.2, sku: { tier: Premium }, pools: [{ name: apps, osSku: AzureLinux }, { name: win, osType: Windows, osSku: Windows2022 }]",
    )
}

impl Script {
    fn offered(&mut self) -> Vec<String> {
        let profile = self.call(Call::ClusterUpgradeProfile { cluster: cluster() }).body;
        let upgrades = profile["properties"]["controlPlaneProfile"]["upgrades"].as_array().cloned();
        let versions = upgrades.unwrap_or_default().into_iter().map(|upgrade| {
            let preview = if upgrade["isPreview"] == true { " preview" } else { "" };
            format!("{}{preview}", upgrade["kubernetesVersion"].as_str().unwrap())
        });
        versions.collect()
    }

    fn latest_image(&mut self, name: &str) -> String {
        let profile = self.call(Call::PoolUpgradeProfile { pool: pool(name) }).body;
        profile["properties"]["latestNodeImageVersion"].as_str().unwrap().to_owned()
    }

    /// The minors of the region with their support plans.
    fn minors(&mut self) -> Vec<String> {
        let call = Call::KubernetesVersions { subscription: "s".into(), location: "westeurope".into() };
        let values = self.call(call).body["values"].as_array().unwrap().clone();
        let minors = values.iter().map(|value| {
            let plans = value["capabilities"]["supportPlan"].as_array().unwrap().len();
            let mark = if plans == 1 { " long-term" } else { "" };
            let default = if value["isDefault"] == true { " default" } else { "" };
            let preview = if value["isPreview"] == true { " preview" } else { "" };
            format!("{}{mark}{default}{preview}", value["version"].as_str().unwrap())
        });
        minors.collect()
    }

    pub(super) fn until(&mut self, instant: &str) {
        self.now = instant.parse().unwrap();
        self.world.advance(self.now);
    }
}

#[test]
fn without_the_switch_nothing_is_ever_released() {
    let mut script = Script::new("");
    let before = script.minors();
    script.until("2028-12-01T00:00:00Z");
    assert_eq!(script.minors(), before);
    assert_eq!(script.world.next_deadline(), None);
}

#[test]
fn given_releases_come_at_their_instants_and_show_everywhere() {
    let mut script = moving(
        "{ at: [{ at: 2026-12-06T06:00:00Z, versions: [{ version: 1.36.3 }], nodeImages: { AzureLinux3: AKSAzureLinux-V3gen2-202612.01.0 } }, { at: 2026-12-07T06:00:00Z, versions: [{ version: 1.38.0, preview: true }], longTermOnly: ['1.34'], withdrawn: ['1.37.0', '1.33'] }] }",
    );
    assert_eq!(script.offered(), ["1.37.1", "1.37.0"]);
    assert_eq!(script.latest_image("apps"), "AKSAzureLinux-V3gen2-202611.10.0");
    script.until("2026-12-06T05:59:59Z");
    assert_eq!(script.latest_image("apps"), "AKSAzureLinux-V3gen2-202611.10.0");
    script.until("2026-12-06T06:00:00Z");
    assert_eq!(script.latest_image("apps"), "AKSAzureLinux-V3gen2-202612.01.0");
    assert_eq!(script.offered(), ["1.37.1", "1.37.0", "1.36.3"]);
    script.until("2026-12-08T00:00:00Z");
    assert_eq!(script.offered(), ["1.37.1", "1.36.3"]);
    assert_eq!(
        script.minors(),
        ["1.38 preview", "1.37", "1.36", "1.35 default", "1.34 long-term", "1.32 long-term"]
    );
    let image = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    assert_eq!(image.status, 202);
    script.pass(60);
    assert_eq!(script.get_pool("apps")["nodeImageVersion"], "AKSAzureLinux-V3gen2-202612.01.0");
}

#[test]
fn the_calendar_moves_images_patches_and_minors() {
    let mut script = moving("{ calendar: true }");
    // Support of 1.34 has ended in November, with the first instant that the world sees.
    script.world.advance(script.now);
    assert_eq!(
        script.minors(),
        ["1.37", "1.36", "1.35 default", "1.34 long-term", "1.33 long-term", "1.32 long-term"]
    );
    let windows = script.latest_image("win");
    script.until("2026-12-08T00:00:00Z");
    assert_eq!(script.latest_image("apps"), "AKSAzureLinux-V3gen2-202612.04.0");
    assert_eq!(script.latest_image("win"), windows);
    script.until("2026-12-15T00:00:00Z");
    assert_eq!(script.latest_image("apps"), "AKSAzureLinux-V3gen2-202612.11.0");
    script.until("2027-01-01T00:00:00Z");
    let image = script.latest_image("win");
    assert!(image.starts_with("AKSWindows-2022-containerd-20348.") && image.ends_with(".261210"), "{image}");
    assert_eq!(script.offered(), ["1.37.2", "1.37.1", "1.37.0", "1.36.3"]);
    script.until("2027-03-01T00:00:00Z");
    assert_eq!(script.minors()[..3], ["1.38", "1.37 default", "1.36"]);
    script.until("2027-12-01T00:00:00Z");
    assert_eq!(
        script.minors(),
        ["1.40", "1.39 default", "1.38", "1.37 long-term", "1.36 long-term", "1.35 long-term"]
    );
    // Without a long-term plan the cluster has fallen out of support; the way back is a long one.
    let offered = script.offered();
    assert!(offered.iter().all(|version| version.starts_with("1.38.")), "{offered:?}");
}

#[test]
fn a_cluster_with_long_term_support_stays_and_gets_patches_from_100_on() {
    let mut script = moving("{ calendar: true }");
    let enrolled = script.put_cluster(|body| {
        body["properties"]["supportPlan"] = json!("AKSLongTermSupport");
    });
    assert_eq!(enrolled.status, 200, "{}", enrolled.body);
    script.until("2027-09-01T00:00:00Z");
    let offered = script.offered();
    let own = offered.iter().filter(|version| version.starts_with("1.36.")).cloned().collect::<Vec<_>>();
    assert_eq!(own, ["1.36.102", "1.36.101"], "the two most recent ones");
    assert!(offered.iter().any(|version| version.starts_with("1.39.")), "three minors at once: {offered:?}");
    assert!(offered.iter().all(|version| !version.ends_with("preview")), "{offered:?}");
}

#[test]
fn the_same_seed_releases_the_same() {
    let run = |seed: u64| {
        let mut script = moving("{ calendar: true }");
        script.world = World::new(
            &Scenario::parse(&format!(
                "seed: {seed}\nregions: {{ westeurope: {{ releases: {{ calendar: true }} }} }}\nclusters: [{{ subscription: s, resourceGroup: shop, name: weu, kubernetesVersion: 1.36.2, pools: [{{ name: win, osType: Windows, osSku: Windows2022 }}] }}]"
            ))
            .unwrap(),
        );
        script.world.advance(script.now);
        script.until("2027-05-01T00:00:00Z");
        (script.offered(), script.latest_image("win"), script.minors())
    };
    assert_eq!(run(3), run(3));
}
