//! Each quirk in a world of two clusters: what a client sees while it is on, and that it ends.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    effects::ClusterKey,
    scenario::{QuirkName, QuirkRule, Scenario},
    world::{Answer, Call, PoolKey, World},
};

struct Script {
    world: World,
    now: Timestamp,
}

impl Script {
    /// `quirks` are rules in YAML.
    fn new(quirks: &str) -> Self {
        let cluster = |name: &str| {
            format!(
                "{{ subscription: s, resourceGroup: Shop, name: {name}, kubernetesVersion: 1.34.4, pools: [{{ name: apps, \
                 count: 3, maxSurge: '2', kubernetesVersion: 1.34.2, nodeImage: old }}] }}"
            )
        };
        let yaml = format!("clusters: [{}, {}]\nquirks: [{quirks}]", cluster("neu"), cluster("weu"));
        let scenario = Scenario::parse(&yaml).unwrap();
        Self { world: World::new(&scenario), now: "2026-12-05T22:00:00Z".parse().unwrap() }
    }

    fn call(&mut self, call: Call) -> Answer {
        self.world.call(self.now, call)
    }

    fn get(&mut self) -> Answer {
        self.call(Call::GetCluster { cluster: key("weu") })
    }

    fn list(&mut self, skip: usize) -> Answer {
        self.call(Call::ListClusters { subscription: "s".into(), resource_group: None, skip })
    }

    fn profile(&mut self) -> Value {
        self.call(Call::ClusterUpgradeProfile { cluster: key("weu") }).body
    }

    fn image(&mut self) -> Answer {
        self.call(Call::UpgradeNodeImage { pool: pool() })
    }

    fn poll(&mut self, started: &Answer) -> Answer {
        let started = started.started.clone().unwrap();
        self.call(Call::Operation { location: started.location, id: started.id })
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        self.world.advance(self.now);
    }

    fn statuses(&mut self, calls: usize) -> Vec<u16> {
        (0..calls).map(|_| self.get().status).collect()
    }
}

fn key(name: &str) -> ClusterKey {
    ClusterKey(format!(
        "/subscriptions/s/resourcegroups/shop/providers/microsoft.containerservice/managedclusters/{name}"
    ))
}

fn pool() -> PoolKey {
    PoolKey { cluster: key("weu"), name: "apps".into() }
}

#[test]
fn a_rule_strikes_where_when_and_as_often_as_it_says() {
    let statuses = |rule: &str| Script::new(rule).statuses(6);
    assert_eq!(statuses("{ quirk: failingReads, every: 3 }"), [200, 200, 503, 200, 200, 503]);
    assert_eq!(statuses("{ quirk: failingReads, times: 2 }"), [503, 503, 200, 200, 200, 200]);
    assert_eq!(statuses("{ quirk: failingReads, clusters: [neu] }"), [200; 6]);
    assert_eq!(statuses("{ quirk: failingReads, calls: [getPool] }"), [200; 6]);
    assert_eq!(statuses(&format!("{{ quirk: failingReads, clusters: ['{}'] }}", key("weu").0)), [503; 6]);

    let mut script = Script::new(
        "{ quirk: failingReads, from: 2026-12-05T22:01:00Z, until: 2026-12-05T22:02:00Z, status: 500 }",
    );
    let mut seen = script.statuses(1);
    for _ in 0..2 {
        script.pass(60);
        seen.extend(script.statuses(1));
    }
    assert_eq!(seen, [200, 500, 200]);
}

#[test]
fn a_rule_for_one_cluster_leaves_what_is_about_none_alone() {
    let mut script = Script::new("{ quirk: failingReads, clusters: [weu] }");
    assert_eq!(script.list(0).status, 200);
    assert_eq!(script.get().status, 503);
    let started = Script::image(&mut script);
    assert_eq!(script.poll(&started).status, 503, "an operation is its cluster's");
}

#[test]
fn chances_repeat_with_the_seed_whatever_other_rules_there_are() {
    let rule = "{ quirk: failingReads, probability: 0.5 }";
    let alone = Script::new(rule).statuses(50);
    assert_eq!(alone, Script::new(rule).statuses(50));
    assert_eq!(alone, Script::new(&format!("{rule}, {{ quirk: delays, probability: 0.3 }}")).statuses(50));
    let failed = alone.iter().filter(|status| **status == 503).count();
    assert!((10..40).contains(&failed), "{failed}");
}

#[test]
fn rules_come_and_go_and_say_how_often_they_struck() {
    let mut script = Script::new("");
    let wrong = QuirkRule { clusters: vec!["nope".into()], ..QuirkRule::new(QuirkName::FailingReads) };
    assert!(script.world.add_quirk(wrong).unwrap_err().to_string().contains("quirk.clusters[0]"));
    let id = script.world.add_quirk(QuirkRule::new(QuirkName::FailingReads)).unwrap();
    assert_eq!(script.statuses(2), [503, 503]);
    let view = script.world.quirks();
    assert_eq!((view[0].id, view[0].struck), (id, 2));
    assert!(script.world.remove_quirk(id) && !script.world.remove_quirk(id));
    assert_eq!(script.statuses(1), [200]);
}

#[test]
fn looks_at_operations_fail_with_json_and_html() {
    let mut script = Script::new("{ quirk: failingPolls }");
    let started = script.image();
    let looks: Vec<_> = (0..4).map(|_| script.poll(&started)).collect();
    let seen: Vec<_> = looks.iter().map(|look| (look.status, look.delivery.html.is_some())).collect();
    assert_eq!(seen, [(500, false), (502, true), (504, false), (502, false)]);
    assert!(looks[1].delivery.html.as_deref().unwrap().contains("502 Bad Gateway"));
    assert_eq!(looks[2].body["error"]["code"], "GatewayTimeout");
    assert_eq!(looks[0].delivery.quirks, [QuirkName::FailingPolls]);
    assert_eq!(script.get().status, 200);
}

#[test]
fn writes_fail_without_and_with_an_effect() {
    for (quirk, status, effect) in [
        ("failingWrites", 503, false),
        ("cutRequests", 503, false),
        ("throttled", 429, false),
        ("busy", 409, false),
        ("lostAnswers", 202, true),
        ("gatewayTimeouts", 202, true),
        ("delays", 202, true),
    ] {
        let mut script = Script::new(&format!("{{ quirk: {quirk}, calls: [upgradeNodeImage], times: 1 }}"));
        let answer = script.image();
        assert_eq!((answer.status, answer.started.is_some()), (status, effect), "{quirk}");
        let delivery = &answer.delivery;
        assert_eq!(delivery.lost, quirk == "cutRequests" || quirk == "lostAnswers", "{quirk}");
        assert_eq!(delivery.delay.as_secs(), if quirk == "delays" { 30 } else { 0 }, "{quirk}");
        let instead = delivery.instead.as_ref().map(|instead| instead.status);
        assert_eq!(instead, (quirk == "gatewayTimeouts").then_some(504), "{quirk}");
        assert_eq!(answer.retry_after, (quirk == "throttled").then_some(10), "{quirk}");
        let again = script.image();
        assert_eq!(again.status, if effect { 409 } else { 202 }, "{quirk}");
    }
}

#[test]
fn a_cluster_is_busy_in_both_ways_and_412_needs_a_condition() {
    let mut script = Script::new("{ quirk: busy, calls: [upgradeNodeImage] }, { quirk: preconditionFailed }");
    let codes: Vec<_> = (0..2).map(|_| script.image().body["code"].clone()).collect();
    assert_eq!(codes, ["OperationNotAllowed", "EtagMismatch"]);
    let body = script.call(Call::GetPool { pool: pool() }).body;
    let mut put = |if_match: Option<&Value>| {
        let if_match = if_match.map(|tag| tag.as_str().unwrap().to_owned());
        script.call(Call::PutPool { pool: pool(), body: body.clone(), if_match }).status
    };
    assert_eq!(put(Some(&body["properties"]["eTag"])), 412);
    assert_eq!(put(None), 200);
}

#[test]
fn pages_are_empty_and_small_and_lists_end_all_the_same() {
    let mut script = Script::new("{ quirk: emptyPages }, { quirk: smallPages }");
    let (mut sizes, mut names, mut next) = (Vec::new(), Vec::new(), Some(0));
    while let Some(skip) = next {
        let answer = script.list(skip);
        let items = answer.body["value"].as_array().unwrap();
        sizes.push(items.len());
        names.extend(items.iter().map(|item| item["name"].clone()));
        next = answer.next;
        assert!(sizes.len() < 10, "the list does not end");
    }
    assert_eq!(sizes, [0, 1, 0, 1]);
    assert_eq!(names, ["neu", "weu"]);
}

#[test]
fn reads_are_as_old_as_the_rule_says() {
    let mut script = Script::new("{ quirk: staleReads, seconds: 90, clusters: [weu] }");
    script.pass(10);
    let state = |answer: &Answer| answer.body["properties"]["provisioningState"].clone();
    let started = script.image();
    assert_eq!(started.status, 202);
    let mut look = || {
        let pool = script.call(Call::GetPool { pool: pool() });
        script.pass(60);
        state(&pool)
    };
    assert_eq!([look(), look(), look()], ["Succeeded", "Succeeded", "UpgradingNodeImageVersion"]);
    assert_eq!(script.image().status, 409, "writes see the present");
    let listed = script.list(0);
    assert_eq!(listed.body["value"].as_array().unwrap().len(), 2);
}

#[test]
fn ids_change_their_case_from_answer_to_answer() {
    let mut script = Script::new("{ quirk: otherCaseIds }");
    let ids: Vec<_> = (0..3).map(|_| script.get().body["id"].as_str().unwrap().to_owned()).collect();
    assert!(ids[0].starts_with("/subscriptions/s/resourcegroups/shop/"), "{}", ids[0]);
    assert!(ids[1].contains("/resourceGroups/SHOP/") && ids[1].ends_with("/WEU"), "{}", ids[1]);
    assert!(ids.iter().all(|id| id.eq_ignore_ascii_case(&ids[0])));
    assert_eq!(script.list(0).body["value"][0]["name"], "neu", "names stay");
}

#[test]
fn documents_lack_what_a_rule_takes_away() {
    for (rule, gone) in [
        ("{ quirk: missingETags }", vec!["/eTag", "/properties/agentPoolProfiles/0/eTag"]),
        (
            "{ quirk: missingCurrentVersions }",
            vec![
                "/properties/currentKubernetesVersion",
                "/properties/agentPoolProfiles/0/currentOrchestratorVersion",
            ],
        ),
        (
            "{ quirk: missingPowerState }",
            vec!["/properties/powerState", "/properties/agentPoolProfiles/0/powerState"],
        ),
        ("{ quirk: missingFields, fields: [properties.fqdn, tags] }", vec!["/properties/fqdn"]),
    ] {
        let (mut plain, mut quirky) = (Script::new(""), Script::new(rule));
        let (plain, quirky) = (plain.get().body, quirky.get().body);
        for path in gone {
            assert!(plain.pointer(path).is_some() && quirky.pointer(path).is_none(), "{rule} {path}");
        }
    }
    let mut script = Script::new("{ quirk: nullFields, fields: [properties.fqdn] }");
    assert_eq!(script.get().body["properties"].get("fqdn"), Some(&Value::Null));
}

#[test]
fn profiles_have_null_and_unsorted_arrays() {
    let plain = Script::new("").profile();
    let upgrades = |profile: &Value| profile["properties"]["controlPlaneProfile"]["upgrades"].clone();
    let mut script = Script::new("{ quirk: unsortedUpgrades }, { quirk: nullArrays }");
    let shuffled = script.profile();
    assert_ne!(upgrades(&shuffled), upgrades(&plain));
    let mut sorted = upgrades(&shuffled).as_array().unwrap().clone();
    sorted.sort_by_key(|upgrade| std::cmp::Reverse(upgrade["kubernetesVersion"].to_string()));
    assert_eq!(Value::from(sorted), upgrades(&plain));
    assert_eq!(shuffled["properties"].get("agentPoolProfiles"), Some(&Value::Null));

    for version in ["1.35.3", "1.36.2", "1.37.1"] {
        let mut body = script.get().body;
        body["properties"]["kubernetesVersion"] = json!(version);
        body["properties"]["agentPoolProfiles"] = Value::Null;
        let answer = script.call(Call::PutCluster { cluster: key("weu"), body, if_match: None });
        assert_eq!(answer.status, 200, "{}", answer.body);
        script.pass(3600);
    }
    let last = script.profile();
    assert_eq!(last["properties"]["controlPlaneProfile"].get("upgrades"), Some(&Value::Null), "{last}");
}

#[test]
fn what_no_client_knows_survives_being_written_back() {
    let mut script =
        Script::new("{ quirk: unknownFields }, { quirk: unknownEnumWords }, { quirk: numbersForStrings }");
    let mut pool_body = script.call(Call::GetPool { pool: pool() }).body;
    let properties = &pool_body["properties"];
    assert_eq!(properties["fieldOfTheFuture"]["levels"], json!([1, null, "two"]));
    assert_eq!(properties["scaleDownMode"], "WordOfTheFuture");
    assert_eq!(properties["upgradeSettings"]["maxSurge"], 2);
    assert_eq!(properties["provisioningState"], "Succeeded", "what is final stays known");

    pool_body["properties"]["orchestratorVersion"] = json!("1.34.4");
    pool_body["properties"].as_object_mut().unwrap().remove("nodeImageVersion");
    let answer = script.call(Call::PutPool { pool: pool(), body: pool_body, if_match: None });
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["properties"]["provisioningState"], "WordOfTheFuture");
    script.pass(7200);
    let nodes = script.world.view()[1].pools[0].nodes.clone();
    assert!(nodes.iter().all(|node| node.kubernetes_version == "1.34.4"), "{nodes:?}");
}

#[test]
fn each_document_of_a_list_is_an_occasion() {
    let mut script = Script::new("{ quirk: missingPowerState, clusters: [weu] }");
    let listed = script.list(0).body;
    let has = |index: usize| listed["value"][index]["properties"].get("powerState").is_some();
    assert_eq!((has(0), has(1)), (true, false));
    assert_eq!(script.world.quirks()[0].occasions, 1);
}
