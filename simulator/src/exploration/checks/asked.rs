//! What a call to Azure asks for, in the words of an upgrade. Pure.

use engine::{Step, StepKind};
use serde_json::Value;

use crate::world::Call;

/// A change that an upgrade asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    ControlPlane { to: &'a str },
    Pool { name: &'a str, to: &'a str },
    Image { pool: &'a str },
    Rollback { name: &'a str, to: &'a str, image: &'a str },
}

impl<'a> Asked<'a> {
    pub(super) fn of(call: &'a Call) -> Option<Self> {
        let version = |body: &'a Value, field: &str| body["properties"][field].as_str().unwrap_or_default();
        if let Call::PutCluster { body, .. } = call {
            return Some(Self::ControlPlane { to: version(body, "kubernetesVersion") });
        }
        if let (Call::PutPool { pool, body, .. }, Some(image)) = (call, rolls_back_to(call)) {
            let to = version(body, "orchestratorVersion");
            return Some(Self::Rollback { name: &pool.name, to, image });
        }
        if let Call::PutPool { pool, body, .. } = call {
            return Some(Self::Pool { name: &pool.name, to: version(body, "orchestratorVersion") });
        }
        if let Call::UpgradeNodeImage { pool } = call {
            return Some(Self::Image { pool: &pool.name });
        }
        None
    }

    /// Whether a step asks for it.
    pub(super) fn is_for(&self, step: &Step) -> bool {
        self.id() == step.id()
    }

    /// The id of the step that asks for it.
    pub(super) fn id(&self) -> String {
        let (kind, pool, to) = match self {
            Self::ControlPlane { to } => (StepKind::ControlPlane, None, *to),
            Self::Pool { name, to } => (StepKind::NodePoolVersion, Some(*name), *to),
            Self::Image { pool } => (StepKind::NodePoolImage, Some(*pool), ""),
            Self::Rollback { name, to, .. } => (StepKind::NodePoolRollback, Some(*name), *to),
        };
        Step { kind, pool: pool.map(str::to_owned), from: String::new(), to: to.to_owned() }.id()
    }

    /// The pool that it is about; none for the control plane.
    pub(super) const fn pool(&self) -> Option<&'a str> {
        match self {
            Self::ControlPlane { .. } => None,
            Self::Pool { name, .. } | Self::Image { pool: name } | Self::Rollback { name, .. } => Some(name),
        }
    }
}

/// The image that a call takes a pool back to: it is named for nothing else.
fn rolls_back_to(call: &Call) -> Option<&str> {
    let Call::PutPool { body, .. } = call else { return None };
    body["properties"]["nodeImageVersion"].as_str()
}

/// A call, in words.
pub(in crate::exploration) fn describe(call: &Call) -> String {
    let cluster = call.cluster().and_then(|key| key.0.rsplit('/').next()).unwrap_or_default();
    match Asked::of(call) {
        Some(Asked::ControlPlane { to }) => format!("{cluster} control plane to {to}"),
        Some(Asked::Pool { name, to }) => format!("{cluster} pool {name} to {to}"),
        Some(Asked::Image { pool }) => format!("{cluster} pool {pool} to the newest image"),
        Some(Asked::Rollback { name, to, image }) => format!("{cluster} pool {name} back to {to} {image}"),
        None => format!("{call:?}"),
    }
}

/// Whether a call that asks for no other version changes settings of upgrades.
pub(super) fn changes_settings(call: &Call, document: &Value) -> Option<bool> {
    if let Call::PutCluster { body, .. } = call {
        return changes((&document["properties"], &body["properties"]), "kubernetesVersion");
    }
    let Call::PutPool { pool, body, .. } = call else { return None };
    if rolls_back_to(call).is_some() {
        return None;
    }
    changes((pool_of(document, &pool.name)?, &body["properties"]), "orchestratorVersion")
}

fn changes((shown, sent): (&Value, &Value), version: &str) -> Option<bool> {
    (shown[version] == sent[version]).then(|| shown["upgradeSettings"] != sent["upgradeSettings"])
}

/// The pools of a cluster's document.
pub(super) fn pools(document: &Value) -> impl Iterator<Item = &Value> {
    document["properties"]["agentPoolProfiles"].as_array().into_iter().flatten()
}

/// A pool of a cluster's document.
pub(super) fn pool_of<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    pools(document).find(|pool| pool["name"] == name)
}
