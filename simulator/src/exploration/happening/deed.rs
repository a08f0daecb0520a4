//! What others do to a cluster, by the calls that their tools make.

use engine::{KubernetesVersion, Setting};
use serde_json::{Value, json};

use crate::{
    effects::ClusterKey,
    exploration::{checks::Checks, sim::State, tally::Kind},
    world::{Call, PoolKey},
};

/// Somebody who is not the operator.
const SOMEBODY: &str = "terraform";

/// What somebody does to a cluster.
#[derive(Clone, Debug)]
pub(in crate::exploration) enum Deed {
    UpgradeControlPlane {
        to: String,
    },
    /// Control plane and pools at once.
    UpgradeAll {
        to: String,
    },
    UpgradePool {
        pool: String,
        to: String,
    },
    UpdateCluster,
    RefreshImage {
        pool: String,
    },
    Abort {
        pool: Option<String>,
    },
    Tag {
        value: String,
    },
    Label {
        pool: String,
        value: String,
    },
    Settings {
        pool: String,
        setting: Setting,
        value: String,
    },
    AddPool {
        pool: String,
    },
    DeletePool {
        pool: String,
    },
    /// Back to what the pool ran before.
    RollBack {
        pool: String,
    },
    SwitchPool {
        pool: String,
        on: bool,
    },
    /// Takes the pool off its snapshot.
    Unpin {
        pool: String,
    },
    TurnOffChannel,
    DeleteCluster,
}

impl Deed {
    fn words(&self, cluster: &ClusterKey) -> String {
        let name = cluster.0.rsplit('/').next().unwrap_or_default();
        match self {
            Self::UpgradeControlPlane { to } => format!("upgrades {name} control plane to {to}"),
            Self::UpgradeAll { to } => format!("upgrades {name} with all its pools to {to}"),
            Self::UpdateCluster => format!("updates {name} without any change"),
            Self::UpgradePool { pool, to } => format!("upgrades {name} pool {pool} to {to}"),
            Self::RefreshImage { pool } => format!("upgrades {name} pool {pool} to the newest image"),
            Self::Abort { pool: None } => format!("aborts what runs in {name} control plane"),
            Self::Abort { pool: Some(pool) } => format!("aborts what runs in {name} pool {pool}"),
            Self::Tag { value } => format!("tags {name} with owner={value}"),
            Self::Label { pool, value } => format!("labels {name} pool {pool} with owner={value}"),
            Self::Settings { pool, setting, value } => {
                format!("sets {} of {name} pool {pool} to {value}", setting.name())
            }
            Self::AddPool { pool } => format!("adds pool {pool} to {name}"),
            Self::DeletePool { pool } => format!("deletes {name} pool {pool}"),
            Self::RollBack { pool } => format!("rolls {name} pool {pool} back"),
            Self::SwitchPool { pool, on } => {
                format!("{} {name} pool {pool}", if *on { "starts" } else { "stops" })
            }
            Self::Unpin { pool } => format!("takes {name} pool {pool} off its snapshot"),
            Self::DeleteCluster => format!("deletes {name}"),
            Self::TurnOffChannel => format!("turns the auto-upgrade channel of {name} off"),
        }
    }

    /// What it is called where deeds are counted.
    const fn name(&self) -> &'static str {
        match self {
            Self::UpgradeControlPlane { .. } => "upgrades the control plane",
            Self::UpgradeAll { .. } => "upgrades everything",
            Self::UpgradePool { .. } => "upgrades a pool",
            Self::UpdateCluster => "updates the cluster",
            Self::RefreshImage { .. } => "renews an image",
            Self::Abort { .. } => "aborts",
            Self::Tag { .. } => "tags",
            Self::Label { .. } => "labels",
            Self::Settings { .. } => "sets upgrade settings",
            Self::AddPool { .. } => "adds a pool",
            Self::DeletePool { .. } => "deletes a pool",
            Self::RollBack { .. } => "rolls a pool back",
            Self::SwitchPool { on: false, .. } => "stops a pool",
            Self::SwitchPool { on: true, .. } => "starts a pool",
            Self::Unpin { .. } => "takes a pool off its snapshot",
            Self::TurnOffChannel => "turns the channel off",
            Self::DeleteCluster => "deletes the cluster",
        }
    }

    /// Whether it changes a field that nobody upgrades by.
    pub(in crate::exploration) const fn is_small(&self) -> bool {
        matches!(self, Self::Tag { .. } | Self::Label { .. } | Self::Settings { .. })
    }

    /// Whether a call writes what it changes.
    pub(super) fn is_met_by(&self, call: &Call) -> bool {
        match (self, call) {
            (Self::Label { pool, .. } | Self::Settings { pool, .. }, Call::PutPool { pool: key, .. }) => {
                key.name == *pool
            }
            (Self::Label { .. } | Self::Settings { .. }, _) => false,
            (_, call) => matches!(call, Call::PutCluster { .. }),
        }
    }

    /// Does it; says whether Azure has taken it, or nothing when there is nothing to do.
    pub(super) fn carry_out(self, state: &mut State, cluster: &ClusterKey) -> Option<bool> {
        let call = self.call(state, cluster)?;
        let to = self.version(&call);
        let before = state.world.document(cluster).unwrap_or_default();
        let answer = state.world.call(state.now, SOMEBODY, call);
        let error = answer.body.get("error").unwrap_or(&answer.body);
        let why = if answer.is_success() { "" } else { error["message"].as_str().unwrap_or_default() };
        state.tell("somebody", format!("{}: {} {why}", self.words(cluster), answer.status).trim_end());
        if !answer.is_success() {
            return Some(false);
        }
        state.tally.add(Kind::Deed, self.name());
        state.checks.touched.insert(cluster.clone());
        for pool in self.moves(state, cluster) {
            if let Some(pool) = &pool {
                Checks::left_by_somebody(state, cluster, &before, (pool, to.as_deref()));
            }
            if let Some(to) = &to {
                Checks::moved_by_somebody(state, cluster, pool.as_deref(), to);
            }
            state.checks.moved.insert((cluster.clone(), pool));
        }
        if let Self::DeleteCluster = &self {
            state.checks.deleted.insert(cluster.clone());
        }
        if let Self::RollBack { pool } | Self::SwitchPool { pool, .. } = &self {
            state.checks.excused.insert((cluster.clone(), pool.clone()));
        }
        if let Self::Settings { pool, setting, value } = &self {
            Checks::set_by_somebody(state, cluster, pool, (setting.name(), written(*setting, value)));
        }
        Checks::after_event(state);
        Some(true)
    }

    /// What it moves to another version or image: pools, and the control plane under no name.
    fn moves(&self, state: &State, cluster: &ClusterKey) -> Vec<Option<String>> {
        match self {
            Self::UpgradeControlPlane { .. } => vec![None],
            Self::UpgradeAll { .. } => {
                let pools = state.world.cluster_view(cluster).map(|view| view.pools).unwrap_or_default();
                pools.into_iter().map(|pool| Some(pool.name)).chain([None]).collect()
            }
            Self::UpgradePool { pool, .. }
            | Self::RefreshImage { pool }
            | Self::RollBack { pool }
            | Self::SwitchPool { pool, .. } => vec![Some(pool.clone())],
            Self::UpdateCluster
            | Self::Abort { .. }
            | Self::Tag { .. }
            | Self::Label { .. }
            | Self::Settings { .. }
            | Self::AddPool { .. }
            | Self::DeletePool { .. }
            | Self::Unpin { .. }
            | Self::TurnOffChannel
            | Self::DeleteCluster => Vec::new(),
        }
    }

    /// The version that it asks for.
    fn version(&self, call: &Call) -> Option<String> {
        if let Self::UpgradeControlPlane { to } | Self::UpgradeAll { to } | Self::UpgradePool { to, .. } =
            self
        {
            return Some(to.clone());
        }
        let (Self::RollBack { .. }, Call::PutPool { body, .. }) = (self, call) else { return None };
        body["properties"]["orchestratorVersion"].as_str().map(str::to_owned)
    }

    fn call(&self, state: &mut State, cluster: &ClusterKey) -> Option<Call> {
        let document = state.world.document(cluster)?;
        let key = |name: &str| PoolKey { cluster: cluster.clone(), name: name.to_owned() };
        let put_pool = |pool: &str| {
            let mut body = body_of(&document, pool)?;
            self.change_pool(&mut body["properties"]);
            Some(Call::PutPool { pool: key(pool), body, if_match: None })
        };
        match self {
            Self::UpgradeControlPlane { .. }
            | Self::UpgradeAll { .. }
            | Self::UpdateCluster
            | Self::TurnOffChannel => {
                let mut body = document.clone();
                self.change_cluster(&mut body["properties"]);
                Some(Call::PutCluster { cluster: cluster.clone(), body, if_match: None })
            }
            // That would be a way back.
            Self::UpgradePool { pool, to } if is_newer(&document, pool, to) => None,
            Self::UpgradePool { pool, .. }
            | Self::Label { pool, .. }
            | Self::Settings { pool, .. }
            | Self::SwitchPool { pool, .. }
            | Self::Unpin { pool } => put_pool(pool),
            Self::RollBack { pool } => {
                let profile = Call::PoolUpgradeProfile { pool: key(pool) };
                let profile = state.world.call(state.now, SOMEBODY, profile).body;
                let recent = profile["properties"]["recentlyUsedVersions"].get(0)?;
                let mut body = body_of(&document, pool)?;
                for field in ["orchestratorVersion", "nodeImageVersion"] {
                    body["properties"][field] = recent[field].clone();
                }
                Some(Call::PutPool { pool: key(pool), body, if_match: None })
            }
            Self::AddPool { pool } => {
                let body = json!({ "name": pool, "properties": {
                    "mode": "User", "osType": "Linux", "osSKU": "Ubuntu2404", "count": 1, "vmSize": "Standard_D4s_v5",
                }});
                Some(Call::PutPool { pool: key(pool), body, if_match: None })
            }
            Self::DeletePool { pool } => {
                body_of(&document, pool)?;
                Some(Call::DeletePool { pool: key(pool), if_match: None })
            }
            Self::DeleteCluster => Some(Call::DeleteCluster { cluster: cluster.clone(), if_match: None }),
            Self::RefreshImage { pool } => Some(Call::UpgradeNodeImage { pool: key(pool) }),
            Self::Abort { pool: None } => Some(Call::AbortCluster { cluster: cluster.clone() }),
            Self::Abort { pool: Some(pool) } => Some(Call::AbortPool { pool: key(pool) }),
            Self::Tag { value } => {
                let mut tags = document["tags"].clone();
                tags["owner"] = Value::from(value.as_str());
                let body = json!({ "tags": tags });
                Some(Call::PatchCluster { cluster: cluster.clone(), body, if_match: None })
            }
        }
    }

    /// Writes the change into the properties of the cluster.
    fn change_cluster(&self, properties: &mut Value) {
        if let Self::UpgradeControlPlane { to } | Self::UpgradeAll { to } = self {
            properties["kubernetesVersion"] = Value::from(to.as_str());
        }
        if let Self::UpgradeAll { to } = self {
            for pool in properties["agentPoolProfiles"].as_array_mut().into_iter().flatten() {
                pool["orchestratorVersion"] = Value::from(to.as_str());
            }
        }
        if matches!(self, Self::TurnOffChannel) {
            properties["autoUpgradeProfile"]["upgradeChannel"] = Value::from("none");
        }
    }

    /// Writes the change into the properties of a pool.
    fn change_pool(&self, properties: &mut Value) {
        if let Self::UpgradePool { to, .. } = self {
            properties["orchestratorVersion"] = Value::from(to.as_str());
        }
        if let Self::Label { value, .. } = self {
            properties["nodeLabels"]["owner"] = Value::from(value.as_str());
        }
        if let Self::Settings { setting, value, .. } = self {
            properties["upgradeSettings"][setting.name()] = written(*setting, value);
        }
        if let Self::SwitchPool { on, .. } = self {
            properties["powerState"] = json!({ "code": if *on { "Running" } else { "Stopped" } });
        }
        if matches!(self, Self::Unpin { .. }) {
            properties["creationData"] = Value::Null;
        }
    }
}

/// The document of a pool, as a PUT of it alone has it.
fn body_of(document: &Value, name: &str) -> Option<Value> {
    let pools = document["properties"]["agentPoolProfiles"].as_array()?;
    let found = pools.iter().find(|pool| pool["name"] == name)?;
    let mut properties = found.clone();
    properties.as_object_mut()?.remove("name");
    Some(json!({ "name": name, "properties": properties }))
}

/// A setting as Azure writes it.
fn written(setting: Setting, value: &str) -> Value {
    match setting {
        Setting::DrainTimeoutInMinutes | Setting::NodeSoakDurationInMinutes => {
            value.parse::<i64>().map_or_else(|_| Value::from(value), Value::from)
        }
        Setting::ForceUpgrade => Value::from(value == "true"),
        Setting::MaxSurge | Setting::MaxUnavailable | Setting::UndrainableNodeBehavior | Setting::Until => {
            Value::from(value)
        }
    }
}

/// Whether a pool shows a newer version than this.
fn is_newer(document: &Value, pool: &str, than: &str) -> bool {
    let version = |text: &str| text.parse::<KubernetesVersion>().ok();
    let pools = document["properties"]["agentPoolProfiles"].as_array().into_iter().flatten();
    let shown = pools.into_iter().find(|shown| shown["name"] == pool);
    let shown = shown.and_then(|shown| version(shown["orchestratorVersion"].as_str()?));
    shown.zip(version(than)).is_some_and(|(shown, than)| shown > than)
}
