//! Settings between Azure's documents, where they are text, numbers and flags, and the engine, where
//! all are text.

use azure_mgmt_containerservice::{AgentPool, ManagedCluster};
use engine::{Changes, Setting, Settings};
use serde_json::{Map, Value};

/// The settings of a pool's upgrades, as far as they are set.
pub(crate) fn of_pool(view: &AgentPool) -> Settings {
    let shown = &view.upgrade_settings;
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let value = |setting: Setting| match setting {
        Setting::MaxSurge => shown.max_surge.clone(),
        Setting::MaxUnavailable => shown.max_unavailable.clone(),
        Setting::DrainTimeoutInMinutes => number(shown.drain_timeout_in_minutes),
        Setting::NodeSoakDurationInMinutes => number(shown.node_soak_duration_in_minutes),
        Setting::UndrainableNodeBehavior => shown.undrainable_node_behavior.clone(),
        Setting::ForceUpgrade | Setting::Until => None,
    };
    Settings(Setting::OF_POOL.into_iter().filter_map(|setting| Some((setting, value(setting)?))).collect())
}

/// What forces the upgrades of a cluster, as far as it is set.
pub(crate) fn of_cluster(view: &ManagedCluster) -> Settings {
    let shown = &view.override_settings;
    let force = shown.force_upgrade.map(|force| (Setting::ForceUpgrade, force.to_string()));
    let until = shown.until.clone().map(|until| (Setting::Until, until));
    Settings(force.into_iter().chain(until).collect())
}

/// The members of the document; null takes one away.
pub(crate) fn members(changes: &Changes) -> Map<String, Value> {
    let member = |setting: Setting, value: &String| match setting {
        Setting::MaxSurge | Setting::MaxUnavailable | Setting::UndrainableNodeBehavior | Setting::Until => {
            Value::from(value.as_str())
        }
        Setting::DrainTimeoutInMinutes | Setting::NodeSoakDurationInMinutes => {
            value.parse::<i64>().map_or_else(|_| Value::from(value.as_str()), Value::from)
        }
        Setting::ForceUpgrade => Value::from(value.eq_ignore_ascii_case("true")),
    };
    changes
        .iter()
        .map(|(setting, value)| {
            let value = value.as_ref().map_or(Value::Null, |value| member(*setting, value));
            (setting.name().to_owned(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use azure_mgmt_containerservice::View as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_read_is_written_back_the_same() {
        let pool = json!({"maxSurge": "33%", "maxUnavailable": "0", "drainTimeoutInMinutes": 45,
            "nodeSoakDurationInMinutes": 5, "undrainableNodeBehavior": "Cordon"});
        let document = json!({"properties": {"upgradeSettings": pool}});
        let settings = of_pool(&AgentPool::read(&document));
        assert_eq!(Value::from(members(&settings.changes())), pool);

        // As Azure may write an instant.
        let force = json!({"forceUpgrade": true, "until": "2026-12-06T22:00:00.000+00:00"});
        let document = json!({"properties": {"upgradeSettings": {"overrideSettings": force}}});
        let settings = of_cluster(&ManagedCluster::read(&document));
        assert_eq!(Value::from(members(&settings.changes())), force);
    }

    #[test]
    fn what_is_absent_stays_absent() {
        assert!(of_pool(&AgentPool::read(&json!({"properties": {"upgradeSettings": null}}))).is_empty());
        assert!(of_cluster(&ManagedCluster::read(&json!({"properties": {}}))).is_empty());
        let changes = Changes::from([(Setting::MaxSurge, None)]);
        assert_eq!(Value::from(members(&changes)), json!({"maxSurge": null}));
    }
}
