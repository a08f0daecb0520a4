//! Azure says done: the nodes, or the API server, must show it.

use std::time::Duration;

use super::{Decision, Operation, Phase, Resource, Step, View, WaitingOn, move_on, record, submitted::ended};
use crate::{
    cluster::ProvisioningState,
    decide::answer::refused,
    gates::missing_in_nodes,
    observation::{ServerVersion, Unreadable},
    planted::{PlantedBug, planted},
};

/// How long Azure's word may run ahead of the nodes before a person should look.
const VERIFY_LIMIT: Duration = Duration::from_secs(30 * 60);

pub(super) fn decide(
    view: &View<'_>,
    operation: &Operation,
    step: &Step,
    resource: &Resource<'_>,
) -> Decision {
    if let Some(word) = resource.busy_at_target() {
        // Somebody works on it and moves nothing. The nodes are waited for as before, and as long.
        return Decision::Wait(if word.starts_with("Upgrading") {
            WaitingOn::Operation(step.clone())
        } else {
            WaitingOn::ClusterBusy(format!("{} is {word}", step.subject()))
        });
    }
    if *resource.state == ProvisioningState::Canceled {
        // What somebody has stopped there, only a person starts again.
        return record(refused(view.ledger, &ended(resource.state, None), None, view));
    }
    if !resource.is_done() {
        // It was moved again after it was done, or broken: that is read like a fresh intent.
        return move_on(view, Phase::Intent);
    }
    if planted(PlantedBug::TrustAzure) {
        return move_on(view, Phase::Gating);
    }
    let problems = match missing(view, step, resource) {
        // A cluster that cannot be reached has not failed, however long that takes.
        Err(why) => return Decision::Wait(WaitingOn::inconclusive(why)),
        Ok(missing) if missing.is_empty() => return move_on(view, Phase::Gating),
        Ok(missing) => missing,
    };
    if operation.repair && operation.submitted_at.is_none() {
        return move_on(view, Phase::Intent);
    }
    let overdue = view.now >= operation.since + VERIFY_LIMIT;
    Decision::Wait(WaitingOn::Nodes { step: step.clone(), problems, overdue })
}

/// What nodes, or the API server, do not show yet of a step that Azure calls done.
pub(super) fn missing<'a>(
    view: &View<'a>,
    step: &Step,
    resource: &Resource<'_>,
) -> Result<Vec<String>, &'a Unreadable> {
    match resource.pool {
        Some(pool) => {
            let nodes = view.seen.nodes.as_ref()?;
            Ok(missing_in_nodes(step, &pool.node_image, pool.count, nodes))
        }
        None => Ok(missing_in_server(step, view.seen.server.as_ref()?).into_iter().collect()),
    }
}

fn missing_in_server(step: &Step, shown: &ServerVersion) -> Option<String> {
    match (&shown.build, step.to.parse::<crate::KubernetesVersion>()) {
        // A patch shows in the build only. Any other than the old one will do: what is served counts.
        (Some(build), _) if build.to_string() == step.from => {
            Some(format!("the API server says it is still {build}"))
        }
        (_, Ok(wanted)) if shown.minor == wanted.minor() => None,
        (_, _) => Some(format!("the API server says it is {}", shown.minor)),
    }
}
