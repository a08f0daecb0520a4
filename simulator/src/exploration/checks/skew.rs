//! Rule 4: what is asked for leaves no pool newer than its control plane, or too far behind.
//!
//! The request is judged, and not only what becomes of it: Azure refuses most mistakes.

use engine::KubernetesVersion;
use serde_json::Value;

use super::{
    Checks,
    asked::{Asked, describe, pools},
    deeds::Before,
    rules,
};
use crate::{
    exploration::sim::State,
    world::{Answer, Call},
};

/// Codes of refusals that only a wrong request provokes.
const PROVOKED: [&str; 6] = [
    "NodePoolMcVersionIncompatible",
    "K8sVersionNotSupported",
    "AgentPoolK8sVersionNotSupported",
    "PropertyChangeNotAllowed",
    "InvalidParameter",
    "UnmarshalError",
];

/// How many minors a pool may be behind: Kubernetes allows three from 1.28 on, two before ("Version Skew
/// Policy").
const fn minors_behind(control_plane: u64) -> u64 {
    if control_plane >= 28 { 3 } else { 2 }
}

impl Checks {
    /// What is asked for, by what the operator has read of the cluster.
    pub(super) fn asks_for_good_versions(state: &mut State, call: &Call, known: &Value) {
        let Some(asked) = Asked::of(call) else { return };
        if let Some(problem) = problem_of(known, &asked) {
            Self::violated(state, rules::SKEW, format!("{} is asked for: {problem}", describe(call)));
        }
    }

    /// What Azure makes of it.
    pub(super) fn keeps_skew(state: &mut State, call: &Call, before: &Before) {
        let Some(document) = state.world.document(&before.cluster) else { return };
        // What somebody else had left so is not this call's doing.
        let was_so = problem(&versions(&before.document)).is_some();
        if let Some(problem) = problem(&versions(&document)).filter(|_| !was_so) {
            Self::violated(state, rules::SKEW, format!("{} leaves {problem}", describe(call)));
        }
    }

    /// Azure has refused: a careful operator would not have asked.
    pub(super) fn provokes_nothing(state: &mut State, call: &Call, answer: &Answer, before: &Before) {
        let code = answer.body["code"].as_str().or(answer.body["error"]["code"].as_str()).unwrap_or_default();
        let message =
            answer.body["message"].as_str().or(answer.body["error"]["message"].as_str()).unwrap_or_default();
        let not_offered = code == "OperationNotAllowed"
            && (message.contains("Available upgrades") || message.contains("downgrade"));
        if !not_offered && !PROVOKED.contains(&code) {
            return;
        }
        // Somebody else had left it so that Azure refuses every write, or was faster.
        let was_so = problem(&versions(&before.document)).is_some();
        let known = state.checks.known(before.replica, &before.cluster);
        let is_as_read = known.is_some_and(|known| versions(known) == versions(&before.document));
        if is_as_read && !was_so {
            Self::violated(state, rules::SKEW, format!("{} is refused: {message}", describe(call)));
        }
    }
}

/// The version of the control plane, and of each pool by its name.
type Versions = (Option<KubernetesVersion>, Vec<(String, Option<KubernetesVersion>)>);

fn versions(document: &Value) -> Versions {
    let version = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let pool = |pool: &Value| {
        (pool["name"].as_str().unwrap_or_default().to_owned(), version(&pool["orchestratorVersion"]))
    };
    (version(&document["properties"]["kubernetesVersion"]), pools(document).map(pool).collect())
}

/// What a document says that must not be.
fn problem((control_plane, pools): &Versions) -> Option<String> {
    let control_plane = control_plane.as_ref()?;
    pools.iter().find_map(|(name, at)| {
        let at = at.as_ref()?;
        let behind = control_plane.minor().ahead_of(at.minor());
        let allowed = minors_behind(control_plane.minor().minor);
        (at > control_plane || behind > allowed)
            .then(|| format!("pool {name} at {at} below a control plane at {control_plane}"))
    })
}

/// What would be wrong with a document after a request.
fn problem_of(document: &Value, asked: &Asked<'_>) -> Option<String> {
    let (control_plane, pools) = versions(document);
    let after = match asked {
        // It is there: settings change, or something is repaired.
        Asked::ControlPlane { to } if to.parse().ok() == control_plane => return None,
        Asked::ControlPlane { to } => (to.parse().ok(), pools),
        Asked::Pool { name, to } | Asked::Rollback { name, to, .. } => {
            let moved =
                |(pool, at): (String, _)| if pool == *name { (pool, to.parse().ok()) } else { (pool, at) };
            // Others may have been too far behind before: that is not for this pool to mend.
            let of_pool = pools.into_iter().map(moved).filter(|(pool, _)| pool == name);
            (control_plane, of_pool.collect())
        }
        Asked::Image { .. } => return None,
    };
    problem(&after)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(control_plane: &str, pool: &str) -> Value {
        let pools = json!([{"name": "system", "orchestratorVersion": pool}]);
        json!({"properties": {"kubernetesVersion": control_plane, "agentPoolProfiles": pools}})
    }

    #[test]
    fn a_request_is_judged_by_what_it_would_lead_to() {
        let pool = |to| Asked::Pool { name: "system", to };
        let judged = |control_plane, at, asked| problem_of(&document(control_plane, at), &asked).is_some();
        assert!(!judged("1.35.1", "1.34.2", pool("1.35.1")));
        assert!(judged("1.35.1", "1.34.2", pool("1.35.3")), "newer by a patch");
        assert!(judged("1.35.1", "1.34.2", pool("1.36.0")), "newer by a minor");
        assert!(!judged("1.34.2", "1.32.0", Asked::ControlPlane { to: "1.35.1" }), "three behind is allowed");
        assert!(judged("1.34.2", "1.31.9", Asked::ControlPlane { to: "1.35.1" }), "four behind is not");
        assert!(!judged("1.35.1", "1.31.9", Asked::ControlPlane { to: "1.35.1" }), "it is there");
        assert!(judged("1.27.9", "1.24.0", pool("1.24.9")), "before 1.28 it is two");
        assert!(!judged("1.27.9", "1.25.0", pool("1.25.9")));
        assert!(!judged("1.35.1", "1.34.2", Asked::Image { pool: "system" }));
    }
}
