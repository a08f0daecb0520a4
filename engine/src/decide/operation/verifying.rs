//! Azure says done: the nodes, or the API server, must show it.

use std::time::Duration;

use super::{Decision, Operation, Phase, Resource, Step, View, WaitingOn, move_on, record, submitted::ended};
use crate::{
    cluster::ProvisioningState,
    decide::answer::refused,
    failure::Failure,
    gates::missing_in_nodes,
    instants::later,
    observation::{ServerVersion, Unreadable},
    planted::{PlantedBug, planted},
    version::KubernetesVersion,
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
    if resource.state.is_broken() || (!resource.is_done() && *resource.state == ProvisioningState::Succeeded)
    {
        // It was done, and is broken or taken back since: that counts like an end that it came to at once.
        return record(refused(view.ledger, &undone(resource.state), None, view));
    }
    if !resource.is_done() {
        // It is being moved elsewhere: that is read like a fresh intent.
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
    let overdue = view.now >= later(operation.since, VERIFY_LIMIT);
    Decision::Wait(WaitingOn::Nodes { step: step.clone(), problems, overdue })
}

/// What became of a step that Azure had called done before.
fn undone(state: &ProvisioningState) -> Failure {
    if *state != ProvisioningState::Failed {
        return ended(state, None);
    }
    let message = "it was done, and has failed since, for which Azure gives no reason";
    Failure::new(None, Some("UpgradeFailed"), None, message)
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
    let is_old = |build: &KubernetesVersion| {
        step.from.parse::<KubernetesVersion>().is_ok_and(|from| build.is_release_of(&from))
    };
    match (&shown.build, step.to.parse::<KubernetesVersion>()) {
        // A patch shows in the build only. Any other than the old one will do: what is served counts.
        (Some(build), _) if is_old(build) => Some(format!("the API server says it is still {build}")),
        (_, Ok(wanted)) if shown.minor == wanted.minor() => None,
        (_, _) => Some(format!("the API server says it is {}", shown.minor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{step::StepKind, testing::version};

    #[test]
    fn an_api_server_shows_a_patch_by_its_build_whatever_that_is_called() {
        let missing = |from: &str, to: &str, (minor, build): (&str, Option<&str>)| {
            let (kind, from, to) = (StepKind::ControlPlane, from.to_owned(), to.to_owned());
            let shown = ServerVersion { minor: minor.parse().unwrap(), build: build.map(version) };
            missing_in_server(&Step { kind, pool: None, from, to }, &shown)
        };
        let still = |build: &str| Some(format!("the API server says it is still {build}"));
        assert_eq!(missing("1.31.100", "1.31.101", ("1.31", Some("1.31.100"))), still("1.31.100"));
        assert_eq!(
            missing("1.31.100", "1.31.101", ("1.31", Some("1.31.100-akslts"))),
            still("1.31.100-akslts")
        );
        assert_eq!(missing("1.31.100", "1.31.101", ("1.31", Some("1.31.101-akslts"))), None);
        assert_eq!(
            missing("1.33.8", "1.34.4", ("1.33", None)),
            Some("the API server says it is 1.33".to_owned())
        );
        assert_eq!(missing("1.33.8", "1.34.4", ("1.34", None)), None);
    }
}
