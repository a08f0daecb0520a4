//! What Azure Resource Manager keeps, and what it refuses before AKS sees a call.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{GroupKey, ManagerCall, ResourceFilter, Scope};
use crate::{
    effects::ClusterKey,
    scenario::Scenario,
    world::{Answer, Call, PoolKey, World},
};

const ID: &str = "20000000-0000-4000-8000-000000000001";
const OTHER: &str = "20000000-0000-4000-8000-000000000002";

const SCENARIO: &str = "
subscriptions:
  - { id: 20000000-0000-4000-8000-000000000001, name: Shop, resourceGroups: [{ name: Empty, location: northeurope, tags: { team: shop } }] }
  - { id: 20000000-0000-4000-8000-000000000002, state: Disabled }
clusters:
  - { subscription: 20000000-0000-4000-8000-000000000001, resourceGroup: Shop, name: weu, kubernetesVersion: 1.34.4, tags: { stage: test }, pools: [{ name: apps }] }
  - { subscription: 20000000-0000-4000-8000-000000000002, resourceGroup: Old, name: old, kubernetesVersion: 1.34.4, pools: [{ name: apps }] }
";

struct Script(World);

impl Script {
    fn new(rest: &str) -> Self {
        Self(World::new(&Scenario::parse(&format!("{SCENARIO}{rest}")).unwrap()))
    }

    fn call(&mut self, call: Call) -> Answer {
        self.0.call(Timestamp::UNIX_EPOCH, "tester", call)
    }

    fn ask(&mut self, call: ManagerCall) -> Answer {
        self.call(Call::Manager(call))
    }

    fn names(&mut self, call: ManagerCall) -> Vec<String> {
        let body = self.ask(call).body;
        let items = body["value"].as_array().unwrap_or_else(|| panic!("no list: {body}"));
        let names = items.iter().map(|item| item.get("name").unwrap_or(&item["displayName"]));
        names.map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn cluster(subscription: &str, group: &str, name: &str) -> ClusterKey {
    ClusterKey(format!(
        "/subscriptions/{subscription}/resourcegroups/{group}/providers/microsoft.containerservice/managedclusters/{name}"
    ))
}

fn image(subscription: &str, group: &str, name: &str) -> Call {
    let pool = PoolKey { cluster: cluster(subscription, group, name), name: "apps".into() };
    Call::UpgradeNodeImage { pool }
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn subscriptions_and_groups_are_those_of_the_scenario_and_its_clusters() {
    let mut script = Script::new("");
    assert_eq!(script.names(ManagerCall::ListSubscriptions { skip: 0 }), ["Shop", OTHER]);
    let one = script.ask(ManagerCall::GetSubscription { subscription: ID.into() }).body;
    assert_eq!((&one["displayName"], &one["state"]), (&json!("Shop"), &json!("Enabled")));
    let groups = |tag| ManagerCall::ListGroups { subscription: ID.into(), tag, skip: 0 };
    assert_eq!(script.names(groups(None)), ["Empty", "MC_Shop_weu_westeurope", "Shop"]);
    assert_eq!(script.names(groups(Some(("Team".into(), Some("shop".into()))))), ["Empty"]);
    assert!(script.names(groups(Some(("team".into(), Some("x".into()))))).is_empty());
    let nodes = GroupKey::new(ID, "mc_shop_weu_WESTEUROPE");
    let nodes = script.ask(ManagerCall::GetGroup { group: nodes }).body;
    assert!(nodes["managedBy"].as_str().unwrap().ends_with("/weu"));
    assert_eq!(script.ask(ManagerCall::ListTenants).body["value"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_not_there_is_named() {
    let mut script = Script::new("");
    let missing = "20000000-0000-4000-8000-00000000ffff";
    let get = |subscription: &str, group: &str, name: &str| Call::GetCluster {
        cluster: cluster(subscription, group, name),
    };
    assert_eq!(code(&script.call(get(missing, "shop", "weu"))), (404, "SubscriptionNotFound".into()));
    assert_eq!(code(&script.call(get("mine", "shop", "weu"))), (400, "InvalidSubscriptionId".into()));
    assert_eq!(code(&script.call(get(ID, "nowhere", "weu"))), (404, "ResourceGroupNotFound".into()));
    assert_eq!(code(&script.call(get(ID, "shop", "nowhere"))), (404, "ResourceNotFound".into()));
    assert_eq!(script.call(get(ID, "shop", "weu")).status, 200);
    let group = GroupKey::new(ID, "nowhere");
    assert_eq!(code(&script.ask(ManagerCall::GetGroup { group })), (404, "ResourceGroupNotFound".into()));
    let namespace = "Microsoft.Nothing".into();
    let provider = ManagerCall::GetProvider { subscription: Some(ID.into()), namespace };
    assert_eq!(code(&script.ask(provider)), (404, "InvalidResourceNamespace".into()));
}

#[test]
fn groups_are_made_tagged_and_deleted_when_empty() {
    let mut script = Script::new("");
    let group = GroupKey::new(ID, "new");
    let put = |body: Value| ManagerCall::PutGroup { group: group.clone(), body };
    assert_eq!(code(&script.ask(put(json!({})))), (400, "LocationRequired".into()));
    let nowhere = json!({ "location": "mars" });
    assert_eq!(code(&script.ask(put(nowhere))), (400, "LocationNotAvailableForResourceGroup".into()));
    let made = script.ask(put(json!({ "location": "West Europe", "name": "New", "tags": { "a": "b" } })));
    assert_eq!(
        (made.status, &made.body["name"], &made.body["location"]),
        (201, &json!("New"), &json!("westeurope"))
    );
    assert_eq!(script.ask(put(json!({ "location": "westeurope" }))).status, 200);
    let moved = script.ask(put(json!({ "location": "eastus" })));
    assert_eq!(code(&moved), (409, "InvalidResourceGroupLocation".into()));
    let body = json!({ "tags": { "c": "d" } });
    let patched = script.ask(ManagerCall::PatchGroup { group: group.clone(), body });
    assert_eq!(patched.body["tags"], json!({ "c": "d" }));
    let delete = |group: &GroupKey| ManagerCall::DeleteGroup { group: group.clone() };
    assert_eq!(script.ask(delete(&group)).status, 200);
    assert_eq!(script.ask(delete(&group)).status, 404);
    for full in ["shop", "mc_shop_weu_westeurope"] {
        let kept = script.ask(delete(&GroupKey::new(ID, full)));
        assert_eq!(code(&kept), (409, "ResourceGroupDeletionBlocked".into()));
    }
}

#[test]
fn a_disabled_subscription_is_read_only() {
    let mut script = Script::new("");
    let read = Call::GetCluster { cluster: cluster(OTHER, "old", "old") };
    assert_eq!(script.call(read).status, 200);
    assert_eq!(code(&script.call(image(OTHER, "old", "old"))), (409, "ReadOnlyDisabledSubscription".into()));
}

#[test]
fn a_read_only_lock_forbids_changes_at_its_scope_and_below_until_it_is_gone() {
    let mut script = Script::new(&format!(
        "locks: [{{ scope: /subscriptions/{ID}/resourceGroups/Shop, name: Keep, level: ReadOnly, notes: No. }}]"
    ));
    let refused = script.call(image(ID, "shop", "weu"));
    assert_eq!(code(&refused), (409, "ScopeLocked".into()));
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("cannot perform write operation") && message.contains("/resourceGroups/Shop'"),
        "{message}"
    );
    let credential = Call::UserCredential { cluster: cluster(ID, "shop", "weu") };
    assert_eq!(script.call(credential).status, 409, "a POST, which a read-only lock forbids");
    assert_eq!(script.call(Call::GetCluster { cluster: cluster(ID, "shop", "weu") }).status, 200);
    let group = GroupKey::new(ID, "other");
    let put = ManagerCall::PutGroup { group, body: json!({ "location": "eastus" }) };
    assert_eq!(script.ask(put).status, 201, "elsewhere");

    let scope = Scope::new(&format!("/subscriptions/{ID}/resourcegroups/shop"));
    let delete = || ManagerCall::DeleteLock { scope: scope.clone(), name: "KEEP".into() };
    assert_eq!((script.ask(delete()).status, script.ask(delete()).status), (200, 204));
    assert_eq!(script.call(image(ID, "shop", "weu")).status, 202);
}

#[test]
fn a_lock_against_deletion_lets_upgrades_through() {
    let mut script = Script::new("");
    let scope = |id: &str| (Scope::new(id), id.to_owned());
    let inside = format!("/subscriptions/{ID}/resourceGroups/Empty/providers/A/b/c");
    let put = |id: &str, level: &str| ManagerCall::PutLock {
        scope: scope(id),
        name: "keep".into(),
        body: json!({ "properties": { "level": level } }),
    };
    assert_eq!(code(&script.ask(put(&inside, "Sometimes"))), (400, "InvalidLockLevel".into()));
    let made = script.ask(put(&inside, "CanNotDelete"));
    assert_eq!((made.status, &made.body["properties"]["level"]), (201, &json!("CanNotDelete")));
    assert!(made.body["id"].as_str().unwrap().ends_with("/b/c/providers/Microsoft.Authorization/locks/keep"));
    let empty = ManagerCall::DeleteGroup { group: GroupKey::new(ID, "empty") };
    assert_eq!(code(&script.ask(empty)), (409, "ScopeLocked".into()), "something in it is locked");
    let weu = cluster(ID, "shop", "weu");
    assert_eq!(script.ask(put(&format!("{}/agentPools/apps", weu.0), "CanNotDelete")).status, 201);
    let delete_pool = |name: &str| Call::DeletePool {
        pool: PoolKey { cluster: cluster(ID, "shop", "weu"), name: name.into() },
        if_match: None,
    };
    assert_eq!(code(&script.call(delete_pool("apps"))), (409, "ScopeLocked".into()));
    assert_eq!(script.call(delete_pool("other")).status, 204, "not there, and not locked");
    let delete = Call::DeleteCluster { cluster: weu, if_match: None };
    assert_eq!(code(&script.call(delete)), (409, "ScopeLocked".into()), "one of its pools is locked");
    assert_eq!(script.call(image(ID, "shop", "weu")).status, 202);
}

#[test]
fn lists_of_locks_show_what_is_above_and_below() {
    let lock = |scope: &str, name: &str| format!("{{ scope: {scope}, name: {name}, level: CanNotDelete }}");
    let (subscription, group) =
        (format!("/subscriptions/{ID}"), format!("/subscriptions/{ID}/resourceGroups/shop"));
    let locks =
        [lock(&subscription, "above"), lock(&group, "own"), lock(&cluster(ID, "shop", "weu").0, "below")];
    let mut script = Script::new(&format!("locks: [{}]", locks.join(", ")));
    let list = |at_scope| ManagerCall::ListLocks { scope: Scope::new(&group), at_scope };
    assert_eq!(script.names(list(false)), ["above", "own", "below"]);
    assert_eq!(script.names(list(true)), ["above", "own"]);
    let get = |name: &str| ManagerCall::GetLock { scope: Scope::new(&group), name: name.into() };
    assert_eq!(script.ask(get("OWN")).body["name"], "own");
    assert_eq!(code(&script.ask(get("above"))), (404, "LockNotFound".into()));
}

#[test]
fn resources_are_the_clusters_that_a_filter_picks() {
    let mut script = Script::new("");
    let list = |filter| ManagerCall::ListResources {
        scope: Scope::new(&format!("/subscriptions/{ID}")),
        filter,
        skip: 0,
    };
    let everything = script.ask(list(ResourceFilter::default())).body["value"].clone();
    assert_eq!(everything.as_array().unwrap().len(), 1);
    assert_eq!(everything[0]["type"], "Microsoft.ContainerService/managedClusters");
    assert_eq!(everything[0]["tags"], json!({ "stage": "test" }));
    for (filter, count) in [
        (
            ResourceFilter {
                resource_type: Some("microsoft.containerservice/MANAGEDCLUSTERS".into()),
                ..Default::default()
            },
            1,
        ),
        (
            ResourceFilter {
                resource_type: Some("Microsoft.Compute/virtualMachines".into()),
                ..Default::default()
            },
            0,
        ),
        (ResourceFilter { location: Some("West Europe".into()), ..Default::default() }, 1),
        (ResourceFilter { tag: Some(("stage".into(), Some("live".into()))), ..Default::default() }, 0),
        (ResourceFilter { name: Some("weu".into()), group: Some("shop".into()), ..Default::default() }, 1),
    ] {
        assert_eq!(script.names(list(filter.clone())).len(), count, "{filter:?}");
    }
}

#[test]
fn providers_have_types_regions_and_versions() {
    let mut script = Script::new("");
    let namespace = "microsoft.containerservice".to_owned();
    let provider = ManagerCall::GetProvider { subscription: Some(ID.into()), namespace };
    let provider = script.ask(provider).body;
    assert_eq!(provider["registrationState"], "Registered");
    let clusters = &provider["resourceTypes"][0];
    assert_eq!(clusters["resourceType"], "managedClusters");
    assert!(clusters["locations"].as_array().unwrap().contains(&json!("West Europe")));
    assert!(clusters["apiVersions"].as_array().unwrap().contains(&json!("2026-05-01")));
    let list = ManagerCall::ListLocations { subscription: ID.into() };
    assert!(script.names(list).contains(&"westeurope".to_owned()));
}
