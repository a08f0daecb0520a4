//! Aborting, and going on afterwards.

use super::*;
use crate::world::Endpoint;

const OLD: &str = "{ name: apps, count: 3, kubernetesVersion: 1.34.2 }";

fn abort_pool(script: &mut Script) -> Answer {
    script.call(Call::AbortPool { pool: pool("apps") })
}

fn abort_cluster(script: &mut Script) -> Answer {
    script.call(Call::AbortCluster { cluster: cluster() })
}

#[test]
fn an_abort_undoes_nothing_and_the_next_put_goes_on_from_there() {
    let mut script = Script::with(OLD, "");
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(8);
    let abort = abort_pool(&mut script);
    let started = abort.started.as_ref().unwrap();
    assert_eq!((abort.status, started.with_result), (202, true));
    // The answer shows the pool as it was; from then on it is Canceling.
    assert_eq!(abort.body["properties"]["provisioningState"], "Upgrading");
    assert_eq!(script.get_pool("apps")["provisioningState"], "Canceling");
    assert_eq!(script.status(&answer)["status"], "Canceling");
    assert_eq!(script.status(&abort)["status"], "InProgress");

    script.tick(10);
    assert_eq!(script.status(&abort)["status"], "Succeeded");
    let aborted = script.status(&answer);
    assert_eq!(
        (&aborted["status"], &aborted["error"]["code"], &aborted["endTime"]),
        (&json!("Canceled"), &json!("Canceled"), &json!("2026-12-05T22:08:10Z"))
    );
    let properties = script.get_pool("apps");
    assert_eq!(properties["provisioningState"], "Canceled");
    assert_eq!(properties["currentOrchestratorVersion"], "1.34.4");
    assert_eq!(script.get()["properties"]["provisioningState"], "Succeeded");
    let left = ["000000 1.34.4", "000001 1.34.2 c", "000002 1.34.2", "000003 1.34.4 s"];
    assert_eq!(script.nodes("apps"), left);
    script.pass(60);
    assert_eq!(script.nodes("apps"), left);

    let again = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    assert_eq!(script.status(&again)["status"], "Succeeded");
    assert_eq!(script.nodes("apps"), ["000000 1.34.4", "000001 1.34.4", "000002 1.34.4"]);
}

#[test]
fn an_abort_before_the_surge_nodes_are_there_leaves_none_behind() {
    let mut script = Script::with(OLD, "");
    let _answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(1);
    assert_eq!(script.nodes("apps").len(), 4);
    let _abort = abort_pool(&mut script);
    assert_eq!(script.nodes("apps"), ["000000 1.34.2", "000001 1.34.2", "000002 1.34.2"]);
}

#[test]
fn an_abort_of_nothing_is_a_conflict_or_no_content() {
    let mut script = Script::with(OLD, "");
    assert_refused(&abort_cluster(&mut script), 409, "OperationNotAllowed", "has finished");
    let _answer = script.upgrade_pool("apps", "1.34.4");
    // It is the pool's operation, not the cluster's.
    assert_eq!(abort_cluster(&mut script).status, 409);
    assert_eq!(abort_pool(&mut script).status, 202);
    assert_refused(&abort_pool(&mut script), 409, "OperationNotAllowed", "being canceled already");
    script.pass(1);
    assert_refused(&abort_pool(&mut script), 409, "OperationNotAllowed", "has finished");

    let mut script = Script::with(OLD, "abortOfNothing: noContent");
    assert_eq!(abort_pool(&mut script).status, 204);
    assert_eq!(abort_cluster(&mut script).body, Value::Null);
}

#[test]
fn an_aborted_control_plane_shows_its_target_and_goes_there_when_asked_again() {
    let mut script = Script::new("");
    let answer = script.upgrade_control_plane("1.35.3");
    script.pass(3);
    let abort = abort_cluster(&mut script);
    assert_eq!(script.states(), ["Canceling", "Canceling", "Canceling"]);
    script.pass(1);
    assert_eq!(script.status(&abort)["status"], "Succeeded");
    assert_eq!(script.status(&answer)["status"], "Canceled");
    // Its pools were not part of it.
    assert_eq!(script.states(), ["Canceled", "Succeeded", "Succeeded"]);
    assert_eq!(script.get()["properties"]["currentKubernetesVersion"], "1.35.3");
    assert_eq!(script.world.view()[0].kubernetes_version, "1.34.4");
    script.pass(60);
    assert_eq!(script.world.view()[0].kubernetes_version, "1.34.4");
    let again = script.upgrade_control_plane("1.35.3");
    assert_eq!(again.status, 200, "{}", again.body);
    script.pass(9);
    assert_eq!(script.states(), ["Succeeded", "Succeeded", "Succeeded"]);
    assert_eq!(script.world.view()[0].kubernetes_version, "1.35.3");
}

#[test]
fn pools_of_an_aborted_upgrade_of_the_whole_cluster_are_canceled_unless_they_are_done() {
    let mut script = Script::with("{ name: apps }, { name: batch, count: 2 }, { name: web }", "");
    let everything = |body: &mut Value| {
        body["properties"]["kubernetesVersion"] = json!("1.35.3");
        for pool in body["properties"]["agentPoolProfiles"].as_array_mut().unwrap() {
            pool["orchestratorVersion"] = json!("1.35.3");
        }
    };
    let _answer = script.put_cluster(everything);
    script.pass(9 + 8 + 4);
    assert_eq!(script.states(), ["Upgrading", "Succeeded", "Upgrading", "Upgrading"]);
    let _abort = abort_cluster(&mut script);
    script.pass(1);
    assert_eq!(script.states(), ["Canceled", "Succeeded", "Canceled", "Canceled"]);
    assert_eq!(script.nodes("web"), ["000000 1.34.4"]);

    let again = script.put_cluster(everything);
    script.pass(120);
    assert_eq!(script.status(&again)["status"], "Succeeded");
    for name in ["apps", "batch", "web"] {
        assert!(script.nodes(name).iter().all(|node| node.ends_with(" 1.35.3")), "{name}");
    }
}

#[test]
fn an_abort_stops_a_running_drain() {
    let blocked = "faults: [{ pool: apps, blockedBy: [{ namespace: shop, pod: db-0, budget: db }] }]";
    let mut script = Script::with(OLD, blocked);
    let _answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(5);
    let _abort = abort_pool(&mut script);
    script.pass(1);
    assert_eq!(script.get_pool("apps")["provisioningState"], "Canceled");
    assert_eq!(script.world.next_deadline(), None, "nothing goes on");
}

#[test]
fn a_driver_is_told_to_stop_the_drain() {
    let mut script = Script::with(OLD, "");
    let endpoint = Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: "pem".into() };
    script.world.attach(script.now, &cluster(), endpoint);
    script.drive(0, |_| None);
    let _answer = script.upgrade_pool("apps", "1.34.4");
    // The driver never comes to the end of the drain.
    let mut drain = None;
    for _ in 0..20 {
        script.tick(30);
        for (_, id, effect) in script.world.take_effects() {
            if let Effect::DrainNode { .. } = &effect {
                drain = Some(id);
            } else {
                script.answer(id, &effect, |_| None);
            }
        }
    }
    let drain = drain.unwrap();
    let _abort = abort_pool(&mut script);
    let effects = script.world.take_effects();
    let [(_, stop, Effect::StopDrain { node })] = &effects[..] else { panic!("{effects:?}") };
    assert!(node.ends_with("000000"));
    script.world.complete(script.now, *stop, &Outcome::Done);
    script.world.complete(script.now, drain, &Outcome::Failed("ended by a later effect".into()));
    script.pass(1);
    assert_eq!(script.get_pool("apps")["provisioningState"], "Canceled");
    assert!(script.nodes("apps")[0].ends_with("1.34.2 c"));

    let again = script.upgrade_pool("apps", "1.34.4");
    script.drive(60, |_| None);
    assert_eq!(script.status(&again)["status"], "Succeeded");
}
