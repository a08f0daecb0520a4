//! Every field from a document that has them all, and nothing from documents that have none.

use jiff::civil::{Weekday, date, time};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{ApiError, Document, ETag, View};

fn pool() -> Value {
    json!({
        "name": "win", "mode": "User", "osType": "Windows", "osSKU": "Windows2022", "count": 2,
        "orchestratorVersion": "1.33", "currentOrchestratorVersion": "1.33.8", "nodeImageVersion": "image",
        "vmSize": "Standard_D4d_v5", "provisioningState": "Upgrading", "powerState": {"code": "Stopped"},
        "enableAutoScaling": true, "eTag": "two", "type": "VirtualMachineScaleSets",
        "upgradeSettings": {"maxSurge": 1, "maxUnavailable": "0", "drainTimeoutInMinutes": 45,
            "nodeSoakDurationInMinutes": 5, "undrainableNodeBehavior": "Cordon", "maxBlockedNodes": "10%"},
        "creationData": {"sourceResourceId": "/snapshots/s"},
        "status": {"provisioningError": {"code": "UpgradeFailed", "message": "a drain"}},
    })
}

fn expected_pool() -> AgentPool {
    let text = |text: &str| Some(text.to_owned());
    AgentPool {
        id: None,
        name: text("win"),
        mode: text("User"),
        os_type: text("Windows"),
        os_sku: text("Windows2022"),
        orchestrator_version: text("1.33"),
        current_orchestrator_version: text("1.33.8"),
        node_image_version: text("image"),
        count: Some(2),
        vm_size: text("Standard_D4d_v5"),
        provisioning_state: text("Upgrading"),
        power_state: text("Stopped"),
        upgrade_settings: UpgradeSettings {
            max_surge: text("1"),
            max_unavailable: text("0"),
            drain_timeout_in_minutes: Some(45),
            node_soak_duration_in_minutes: Some(5),
            undrainable_node_behavior: text("Cordon"),
            max_blocked_nodes: text("10%"),
        },
        enable_auto_scaling: Some(true),
        etag: text("two"),
        type_: text("VirtualMachineScaleSets"),
        snapshot_id: text("/snapshots/s"),
        provisioning_error: Some(ApiError {
            code: text("UpgradeFailed"),
            message: "a drain".to_owned(),
            ..ApiError::default()
        }),
    }
}

#[test]
fn a_cluster_shows_its_fields_and_its_pools() {
    let cluster = ManagedCluster::read(&json!({
        "id": "/id", "name": "c", "location": "westeurope", "tags": {"team": "shop", "odd": 1},
        "sku": {"name": "Automatic", "tier": "Standard"},
        "properties": {
            "powerState": {"code": "Stopped"}, "provisioningState": "Succeeded", "kubernetesVersion": "1.33",
            "currentKubernetesVersion": "1.33.8", "supportPlan": "AKSLongTermSupport", "nodeResourceGroup": "MC_x",
            "autoUpgradeProfile": {"upgradeChannel": "patch", "nodeOSUpgradeChannel": "NodeImage"},
            "nodeProvisioningProfile": {"mode": "Auto", "defaultNodePools": "None"},
            "upgradeSettings": {"overrideSettings": {"forceUpgrade": true, "until": "2026-11-22T18:00:00Z"}},
            "status": {"provisioningError": {}}, "disableLocalAccounts": true, "aadProfile": {},
            "agentPoolProfiles": [pool()],
        },
    }));
    assert!(cluster.is_stopped() && cluster.is_automatic() && cluster.has_aad_profile);
    assert_eq!(cluster.tags.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "shop".to_owned())]);
    assert_eq!(cluster.auto_upgrade_profile.upgrade_channel.as_deref(), Some("patch"));
    assert_eq!(cluster.auto_upgrade_profile.node_os_upgrade_channel.as_deref(), Some("NodeImage"));
    assert_eq!(cluster.node_provisioning_mode.as_deref(), Some("Auto"));
    assert_eq!(cluster.node_provisioning_default_pools.as_deref(), Some("None"));
    let until = Some("2026-11-22T18:00:00Z".to_owned());
    assert_eq!(cluster.override_settings, OverrideSettings { force_upgrade: Some(true), until });
    assert_eq!(cluster.provisioning_error, None);
    assert_eq!(cluster.support_plan.as_deref(), Some("AKSLongTermSupport"));
    assert_eq!(cluster.node_resource_group.as_deref(), Some("MC_x"));
    assert_eq!(cluster.disable_local_accounts, Some(true));
    assert_eq!(cluster.agent_pool_profiles, [expected_pool()]);
}

#[test]
fn a_pool_of_its_own_shows_the_same_fields() {
    let document =
        json!({"id": "/id", "name": "win", "type": "Microsoft.X/agentPools", "properties": pool()});
    let document = Document::<AgentPool>::from_value(document);
    assert_eq!(*document.view(), AgentPool { id: Some("/id".to_owned()), ..expected_pool() });
    assert!(document.view().is_stopped());
    assert_eq!(document.etag(), Some(&ETag::new("two")));
}

#[test]
fn what_is_missing_null_or_odd_is_not_known() {
    let documents = [
        json!({}),
        json!(null),
        json!({"id": 1, "tags": [], "sku": null, "properties": {"powerState": "Running", "agentPoolProfiles": null}}),
    ];
    for document in documents {
        assert_eq!(ManagedCluster::read(&document), ManagedCluster::default());
        assert_eq!(AgentPool::read(&document), AgentPool::default());
        assert_eq!(ClusterUpgradeProfile::read(&document), ClusterUpgradeProfile::default());
        assert_eq!(AgentPoolUpgradeProfile::read(&document), AgentPoolUpgradeProfile::default());
        assert_eq!(KubernetesVersions::read(&document), KubernetesVersions::default());
        assert_eq!(AvailableAgentPoolVersions::read(&document).versions, []);
        assert_eq!(MaintenanceConfiguration::read(&document), MaintenanceConfiguration::default());
        assert_eq!(NodeImageVersion::read(&document), NodeImageVersion::default());
        assert_eq!(Permission::read(&document), Permission::default());
        assert_eq!(Machine::read(&document), Machine::default());
        assert_eq!(Lock { id: None, ..Lock::read(&document) }, Lock::default());
    }
}

#[test]
fn the_nodes_of_a_pool_of_virtual_machines_are_those_of_its_sizes() {
    let sizes =
        |counts: &[Value]| counts.iter().map(|count| json!({"size": "s", "count": count})).collect::<Value>();
    let pool = |manual: &Value, status: &Value| {
        let profile = json!({"scale": {"manual": manual, "autoscale": null}});
        let properties = json!({"type": "VirtualMachines", "count": null, "virtualMachinesProfile": profile,
            "virtualMachineNodesStatus": status});
        AgentPool::read(&json!({ "properties": properties })).count
    };
    let (asked, is) = (sizes(&[json!(2), json!(1)]), sizes(&[json!(2), json!(2)]));
    assert_eq!(pool(&asked, &is), Some(3), "a surge node is there, and not asked for");
    assert_eq!(pool(&json!(null), &is), Some(4), "the autoscaler decides");
    assert_eq!(pool(&json!([]), &json!([])), None);
    assert_eq!(pool(&sizes(&[json!(2), json!(null)]), &json!(null)), None, "one of the sizes is not known");
    assert_eq!(pool(&sizes(&[json!(i64::MAX), json!(1)]), &json!(null)), None);
    assert_eq!(
        AgentPool::read(&json!({"properties": {"count": 5, "virtualMachineNodesStatus": is}})).count,
        Some(5)
    );
}

#[test]
fn a_window_in_each_of_its_four_forms() {
    let table = [
        (json!({"daily": {"intervalDays": 3}}), Some(Schedule::Daily { interval_days: Some(3) })),
        (
            json!({"weekly": {"intervalWeeks": 2, "dayOfWeek": "Friday"}}),
            Some(Schedule::Weekly { interval_weeks: Some(2), day_of_week: Some(Weekday::Friday) }),
        ),
        (
            json!({"weekly": null, "absoluteMonthly": {"intervalMonths": 3, "dayOfMonth": 31}}),
            Some(Schedule::AbsoluteMonthly { interval_months: Some(3), day_of_month: Some(31) }),
        ),
        (
            json!({"relativeMonthly": {"intervalMonths": 1, "weekIndex": "Last", "dayOfWeek": "tuesday"}}),
            Some(Schedule::RelativeMonthly {
                interval_months: Some(1),
                week_index: Some("Last".to_owned()),
                day_of_week: Some(Weekday::Tuesday),
            }),
        ),
        (json!({"daily": {}}), Some(Schedule::Daily { interval_days: None })),
        (
            json!({"weekly": {"intervalWeeks": 1, "dayOfWeek": "Someday"}}),
            Some(Schedule::Weekly { interval_weeks: Some(1), day_of_week: None }),
        ),
        (json!({"yearly": {"intervalYears": 1}}), None),
        (json!(null), None),
    ];
    for (schedule, expected) in table {
        let document =
            json!({"name": "default", "properties": {"maintenanceWindow": {"schedule": schedule}}});
        let configuration = MaintenanceConfiguration::read(&document);
        assert_eq!(configuration.maintenance_window.unwrap().schedule, expected, "{document}");
    }
}

#[test]
fn a_window_says_when_it_is_open_and_what_is_odd_is_not_known() {
    let document = json!({"name": "aksManagedAutoUpgradeSchedule", "properties": {"maintenanceWindow": {
        "schedule": {"daily": {"intervalDays": 1}}, "durationHours": 8, "utcOffset": "-03:30",
        "startDate": "2026-11-22", "startTime": "21:05",
        "notAllowedDates": [{"start": "2026-12-23", "end": "2027-01-05"}, {"start": "Christmas"}, 7]}}});
    let window = MaintenanceConfiguration::read(&document).maintenance_window.unwrap();
    assert_eq!((window.duration_hours, window.start_date), (Some(8), Some(date(2026, 11, 22))));
    assert_eq!(window.start_time, Some(time(21, 5, 0, 0)));
    assert_eq!(window.utc_offset.map(|offset| offset.seconds()), Some(-(3 * 3600 + 1800)));
    let holidays = DateSpan { start: Some(date(2026, 12, 23)), end: Some(date(2027, 1, 5)) };
    assert_eq!(window.not_allowed_dates, [holidays, DateSpan::default()]);
    for (offset, known) in [(json!(null), Some(0)), (json!("+00:00"), Some(0)), (json!("Berlin"), None)] {
        let document =
            json!({"properties": {"maintenanceWindow": {"utcOffset": offset, "startTime": "25:00"}}});
        let window = MaintenanceConfiguration::read(&document).maintenance_window.unwrap();
        assert_eq!((window.utc_offset.map(|offset| offset.seconds()), window.start_time), (known, None));
    }
}

#[test]
fn the_legacy_window_is_hours_of_the_week_and_spans_without() {
    let document = json!({"name": "default", "properties": {
        "timeInWeek": [{"day": "Monday", "hourSlots": [1, 2, 24, -1, "3"]}, {"day": null}],
        "notAllowedTime": [{"start": "2026-05-26T03:00:00Z", "end": "2026-05-30T12:00:00Z"}, {"end": ""}]}});
    let configuration = MaintenanceConfiguration::read(&document);
    assert_eq!(configuration.maintenance_window, None);
    let monday = HourSlots { day: Some(Weekday::Monday), hour_slots: vec![1, 2] };
    assert_eq!(configuration.time_in_week, [monday, HourSlots::default()]);
    let [span, empty] = configuration.not_allowed_time.try_into().unwrap();
    assert_eq!(span.end.unwrap().duration_since(span.start.unwrap()).as_hours(), 105);
    assert_eq!(empty, TimeSpan::default());
    let linked = json!({"properties": {"maintenanceWindowId": "/windows/w"}});
    assert_eq!(MaintenanceConfiguration::read(&linked).maintenance_window_id.as_deref(), Some("/windows/w"));
}

/// Turns one member somewhere in `document` into `replacement`.
fn spoil(document: &mut Value, which: usize, replacement: &Value) {
    let mut pointers = Vec::new();
    collect(document, String::new(), &mut pointers);
    let pointer = &pointers[which % pointers.len()];
    if let Some(member) = document.pointer_mut(pointer) {
        *member = replacement.clone();
    }
}

fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        collect(member, format!("{at}/{name}"), pointers);
    }
    pointers.push(at);
}

proptest! {
    #[test]
    fn one_odd_field_hides_no_other(which in 0..64_usize, kind in 0..4_usize) {
        let replacement = [json!(null), json!([{}]), json!({"code": 1}), json!(-7.5)][kind].clone();
        let mut document = json!({"name": "win", "properties": pool()});
        let before = AgentPool::read(&document);
        spoil(&mut document, which, &replacement);
        let after = AgentPool::read(&document);
        let kept = [
            before.name == after.name,
            before.node_image_version == after.node_image_version,
            before.upgrade_settings == after.upgrade_settings,
        ];
        // Spoiling the whole document or all properties leaves at most the name.
        let whole = document["properties"]["name"] != "win" && !document["properties"]["mode"].is_string();
        prop_assert!(whole || kept.iter().filter(|kept| **kept).count() >= 2);
        prop_assert_eq!(Document::<AgentPool>::from_value(document.clone()).into_value(), document);
    }
}
