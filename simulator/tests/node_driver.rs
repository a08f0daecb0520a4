//! The node driver on a real control plane: what its effects do to nodes, and what
//! real schedulers, controllers and disruption budgets make of them.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and says how long it took")]

#[path = "node_driver/bench.rs"]
mod bench;

use std::{collections::BTreeSet, time::Duration};

use bench::{Bench, Pool, node, workload};
use control_plane::{Environment, Options};
use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::Job,
    core::v1::{Node, Pod},
};
use kube::{
    Api, ResourceExt,
    api::{EvictParams, Patch, PatchParams},
};
use serde_json::json;
use simulator::effects::{Effect, Outcome};

const RULES: &str = "
- match: { namespace: fragile }
  when: { kubernetesVersion: '>=1.35' }
  outcome: CrashLoopBackOff
- match: { labels: { image: missing } }
  outcome: ImagePullBackOff
";

const APPS: Pool = Pool { name: "apps", mode: "User", taints: &[] };
const SYSTEM: Pool = Pool { name: "system", mode: "System", taints: &["CriticalAddonsOnly=true:NoSchedule"] };

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_lives_through_an_upgrade() {
    let environment = Environment::start("node-driver").await.unwrap();
    let plane = environment.control_plane(Options::new("target").workloads().emulating(35)).await.unwrap();
    let mut bench = Bench::start(plane, RULES);

    nodes_come_up_as_aks_nodes(&mut bench).await;
    pods_run_and_jobs_end(&mut bench).await;
    a_drain_honours_a_budget(&mut bench).await;
    a_reimage_keeps_the_name(&mut bench).await;
    a_cordon_of_somebody_else_stays(&mut bench).await;
    a_budget_that_allows_nothing_blocks_a_drain(&mut bench).await;
    a_stopped_drain_leaves_everything_as_it_is(&mut bench).await;
    a_later_effect_ends_a_drain(&mut bench).await;
    a_forced_drain_goes_against_a_budget(&mut bench).await;
    pods_crash_where_the_rules_say_so(&mut bench).await;
    the_control_plane_comes_back(&mut bench).await;
    a_pool_is_reimaged_in_seconds(&mut bench).await;
    nodes_leave(&mut bench).await;
    a_lost_node_is_ready_again(&mut bench).await;
    another_driver_takes_over(&mut bench).await;
    bench.stop().await;
}

async fn nodes_come_up_as_aks_nodes(bench: &mut Bench) {
    let names = [("system-0", SYSTEM), ("apps-0", APPS)];
    let created = names.map(|(name, pool)| Effect::CreateNode(node(name, pool, "1.34.4")));
    assert_eq!(bench.run_all(created).await, [Outcome::Done, Outcome::Done]);
    let again = Effect::CreateNode(node("apps-0", APPS, "1.34.4"));
    assert_eq!(bench.run(again).await, Outcome::Done);
    for (name, pool) in names {
        let started =
            |node: &_| bench::is_ready(node) && !bench::taints(node).contains("node.kubernetes.io/not-ready");
        let node = bench.node_when(name, "Ready, without the taint of its start", started).await;
        assert_eq!(node.labels()["kubernetes.azure.com/agentpool"], pool.name);
        assert_eq!(node.labels()["kubernetes.azure.com/mode"], pool.mode.to_lowercase());
        assert_eq!(bench::kubelet_version(&node), "v1.34.4");
        assert!(bench.has_lease(name).await, "{name} has a lease");
    }
    let system = bench.nodes().get("system-0").await.unwrap();
    assert_eq!(bench::taints(&system), BTreeSet::from(["CriticalAddonsOnly".to_owned()]));
}

async fn pods_run_and_jobs_end(bench: &mut Bench) {
    bench.namespace("shop").await;
    let web = workload("Deployment", "shop", "web", 3, json!({ "agentpool": "apps" }));
    bench.apply::<Deployment>(web).await;
    bench.apply::<k8s_openapi::api::apps::v1::DaemonSet>(bench::daemon_set("shop", "agent")).await;
    bench.budget("shop", "web", json!({ "maxUnavailable": 1 })).await;
    bench.available("shop", "web", 3).await;
    bench.apply::<Job>(bench::job("shop", "report")).await;
    let succeeded = |job: &Job| job.status.as_ref().and_then(|status| status.succeeded) == Some(1);
    bench.wait_for("shop", "report", "complete", succeeded).await;
    let missing = workload("Deployment", "shop", "missing", 1, json!({ "agentpool": "apps" }));
    bench.apply::<Deployment>(bench::labelled(missing, "image", "missing")).await;
    let not_pulled = |pod: &Pod| bench::waiting_reason(pod) == Some("ImagePullBackOff");
    bench.pod_when("shop", "missing", "ImagePullBackOff", not_pulled).await;
    bench.delete::<Deployment>("shop", "missing").await;
}

/// All three pods are on one node; two more nodes come, and the budget lets one pod go at a time.
async fn a_drain_honours_a_budget(bench: &mut Bench) {
    let more = ["apps-1", "apps-2"].map(|name| Effect::CreateNode(node(name, APPS, "1.34.4")));
    bench.run_all(more).await;
    let least = bench.least_available("shop", "web");
    assert_eq!(bench.run(bench.drain("apps-0", 30)).await, Outcome::Done);
    bench.available("shop", "web", 3).await;
    assert!(least.stop().await >= 2, "the budget was honoured");
    let left = bench.pods_on("apps-0").await;
    let owners = left.iter().flat_map(|pod| pod.owner_references()).map(|owner| owner.kind.as_str());
    assert_eq!(owners.collect::<BTreeSet<_>>(), BTreeSet::from(["DaemonSet", "Job"]), "{left:?}");
    assert!(bench.reasons("apps-0").await.contains("Drain"));
}

async fn a_reimage_keeps_the_name(bench: &mut Bench) {
    let before = bench.nodes().get("apps-0").await.unwrap();
    let daemon = bench.daemon_on("apps-0").await;
    assert_eq!(bench::restarts(&daemon), 0);
    assert_eq!(bench.run(Effect::ReimageNode(node("apps-0", APPS, "1.35.1"))).await, Outcome::Done);
    let after = bench.nodes().get("apps-0").await.unwrap();
    assert_eq!(before.uid(), after.uid(), "the same object");
    assert_eq!(bench::kubelet_version(&after), "v1.35.1");
    assert!(after.labels()["kubernetes.azure.com/node-image-version"].contains("1.35.1"));
    assert!(bench::is_ready(&after) && bench::is_cordoned(&after));
    let restarted = |pod: &Pod| bench::restarts(pod) == 1 && bench::is_pod_ready(pod);
    bench.wait_for("shop", &daemon.name_any(), "Ready again after the reimage", restarted).await;
    assert_eq!(bench.run(Effect::UncordonNode { node: "apps-0".into() }).await, Outcome::Done);
    assert!(!bench::is_cordoned(&bench.nodes().get("apps-0").await.unwrap()));
    assert!(bench.reasons("apps-0").await.contains("Upgrade"));
}

async fn a_cordon_of_somebody_else_stays(bench: &mut Bench) {
    bench.nodes().cordon("apps-1").await.unwrap();
    let effects =
        [Effect::CordonNode { node: "apps-1".into() }, Effect::UncordonNode { node: "apps-1".into() }];
    assert_eq!(bench.run_all(effects).await, [Outcome::Done, Outcome::Done]);
    assert!(bench::is_cordoned(&bench.nodes().get("apps-1").await.unwrap()));
    bench.nodes().uncordon("apps-1").await.unwrap();
}

async fn a_budget_that_allows_nothing_blocks_a_drain(bench: &mut Bench) {
    bench.namespace("stubborn").await;
    let one = workload("Deployment", "stubborn", "db", 1, json!({ "kubernetes.io/hostname": "apps-1" }));
    bench.apply::<Deployment>(one).await;
    bench.budget("stubborn", "db", json!({ "minAvailable": 1 })).await;
    bench.available("stubborn", "db", 1).await;
    bench.budget_counts("stubborn", "db").await;
    let pod = bench.pod("stubborn", "db").await;
    let Outcome::DrainBlocked(blocked) = bench.run(bench.drain("apps-1", 2)).await else {
        panic!("drained against the budget")
    };
    let [only] = blocked.as_slice() else { panic!("{blocked:?}") };
    assert_eq!((only.namespace.as_str(), only.pod.as_str()), ("stubborn", pod.name_any().as_str()));
    assert_eq!(only.budget.as_deref(), Some("db"), "{only:?}");
    bench.run(Effect::QuarantineNode { node: "apps-1".into() }).await;
    let node = bench.nodes().get("apps-1").await.unwrap();
    assert_eq!(node.labels()["kubernetes.azure.com/upgrade-status"], "Quarantined");
    assert!(bench::is_cordoned(&node));
    eviction_is_refused_at_once_only_without_retries(bench, &pod).await;
}

/// Why the target's client must not retry: the refusal would not come out of the call.
async fn eviction_is_refused_at_once_only_without_retries(bench: &Bench, pod: &Pod) {
    let evict = async |client: kube::Client| {
        let pods = Api::<Pod>::namespaced(client, "stubborn");
        let call = pods.evict(&pod.name_any(), &EvictParams::default()).await;
        call.expect_err("the budget allows nothing").to_string()
    };
    let refused = tokio::time::timeout(Duration::from_secs(2), evict(bench.client.clone())).await;
    assert!(refused.unwrap().contains("disruption budget"));
    let hidden = tokio::time::timeout(Duration::from_secs(2), evict(bench.retrying_client())).await;
    assert!(hidden.is_err(), "kube's own retries hide the refusal");
}

/// What an abort does to a drain that gets nowhere: it ends long before its deadline.
async fn a_stopped_drain_leaves_everything_as_it_is(bench: &mut Bench) {
    let pod = bench.pod("stubborn", "db").await;
    let drain = bench.send(bench.drain("apps-1", 10_000)).await;
    assert_eq!(bench.run(Effect::StopDrain { node: "apps-1".into() }).await, Outcome::Done);
    assert!(matches!(bench.outcome(drain).await, Outcome::Failed(_)));
    assert!(bench::is_cordoned(&bench.nodes().get("apps-1").await.unwrap()), "nothing is undone");
    let now = bench.pod("stubborn", "db").await;
    assert_eq!((now.uid(), now.metadata.deletion_timestamp), (pod.uid(), None));
}

async fn a_later_effect_ends_a_drain(bench: &mut Bench) {
    let drain = bench.send(bench.drain("apps-1", 10_000)).await;
    bench.node_when("apps-1", "cordoned", bench::is_cordoned).await;
    let uncordon = bench.send(Effect::UncordonNode { node: "apps-1".into() }).await;
    assert!(matches!(bench.outcome(drain).await, Outcome::Failed(why) if why.contains("later effect")));
    assert_eq!(bench.outcome(uncordon).await, Outcome::Done);
    assert!(!bench::is_cordoned(&bench.nodes().get("apps-1").await.unwrap()));
}

/// What `forceUpgrade` does where a plain drain got nowhere.
async fn a_forced_drain_goes_against_a_budget(bench: &mut Bench) {
    let pod = bench.pod("stubborn", "db").await;
    let Effect::DrainNode { node, deadline, .. } = bench.drain("apps-1", 30) else { unreachable!() };
    assert_eq!(bench.run(Effect::DrainNode { node, deadline, force: true }).await, Outcome::Done);
    let pods = Api::<Pod>::namespaced(bench.client.clone(), "stubborn");
    assert!(pods.get_opt(&pod.name_any()).await.unwrap().is_none(), "deleted, budget or not");
    assert_eq!(bench.run(Effect::UncordonNode { node: "apps-1".into() }).await, Outcome::Done);
    bench.delete::<Deployment>("stubborn", "db").await;
}

async fn pods_crash_where_the_rules_say_so(bench: &mut Bench) {
    bench.namespace("fragile").await;
    for (name, host) in [("old", "apps-2"), ("new", "apps-0")] {
        let selector = json!({ "kubernetes.io/hostname": host });
        bench.apply::<Deployment>(workload("Deployment", "fragile", name, 1, selector)).await;
    }
    bench.available("fragile", "old", 1).await;
    let crashes =
        |pod: &Pod| bench::waiting_reason(pod) == Some("CrashLoopBackOff") && bench::restarts(pod) >= 2;
    bench.pod_when("fragile", "new", "CrashLoopBackOff", crashes).await;
    let deployment = Api::<Deployment>::namespaced(bench.client.clone(), "fragile").get("new").await.unwrap();
    assert_eq!(deployment.status.unwrap().available_replicas.unwrap_or_default(), 0);
}

/// Nodes do not stay lost, nothing is forgotten, and what was asked meanwhile is carried out.
async fn the_control_plane_comes_back(bench: &mut Bench) {
    let upgrade = bench.send(Effect::UpgradeControlPlane { version: "1.36.0".into() }).await;
    let cordon = bench.send(Effect::CordonNode { node: "apps-2".into() }).await;
    assert_eq!(bench.outcome(upgrade).await, Outcome::Done);
    assert_eq!(bench.outcome(cordon).await, Outcome::Done);
    for name in ["system-0", "apps-0", "apps-1", "apps-2"] {
        bench.node_when(name, "Ready after the outage", bench::is_ready).await;
    }
    assert_eq!(bench.run(Effect::UncordonNode { node: "apps-2".into() }).await, Outcome::Done);
    let later = workload("Deployment", "shop", "later", 2, json!({ "agentpool": "apps" }));
    bench.apply::<Deployment>(later).await;
    bench.available("shop", "later", 2).await;
}

async fn a_pool_is_reimaged_in_seconds(bench: &mut Bench) {
    bench.available("shop", "web", 3).await;
    let started = tokio::time::Instant::now();
    for name in ["apps-0", "apps-1", "apps-2"] {
        let effects = [
            Effect::CordonNode { node: name.into() },
            bench.drain(name, 30),
            Effect::ReimageNode(node(name, APPS, "1.34.9")),
            Effect::UncordonNode { node: name.into() },
        ];
        for effect in effects {
            assert_eq!(bench.run(effect).await, Outcome::Done);
        }
    }
    let taken = started.elapsed();
    println!("three nodes cordoned, drained, reimaged and uncordoned in {taken:?}");
    assert!(taken < Duration::from_secs(60), "{taken:?}");
    bench.available("shop", "web", 3).await;
}

async fn nodes_leave(bench: &mut Bench) {
    let delete = || Effect::DeleteNode { node: "apps-2".into() };
    assert_eq!(bench.run(delete()).await, Outcome::Done);
    assert_eq!(bench.run(delete()).await, Outcome::Done);
    assert!(bench.nodes().get_opt("apps-2").await.unwrap().is_none());
    assert!(!bench.has_lease("apps-2").await);
    bench.available("shop", "web", 3).await;
    assert!(bench.pods_on("apps-2").await.is_empty());
    let gone = Effect::CordonNode { node: "apps-2".into() };
    assert!(matches!(bench.run(gone).await, Outcome::Failed(why) if why.contains("not found")));
}

/// As after an outage that was long enough for the control plane to give up on its nodes.
async fn a_lost_node_is_ready_again(bench: &mut Bench) {
    let before = bench.nodes().get("apps-1").await.unwrap();
    let lost = json!({ "status": { "conditions": [{ "type": "Ready", "status": "Unknown" }] } });
    let patched =
        bench.nodes().patch_status("apps-1", &PatchParams::default(), &Patch::Strategic(lost)).await;
    assert!(!bench::is_ready(&patched.unwrap()));
    let again = |node: &Node| bench::is_ready(node) && node.resource_version() != before.resource_version();
    bench.node_when("apps-1", "Ready again", again).await;
}

async fn another_driver_takes_over(bench: &mut Bench) {
    bench.replace_driver(RULES).await;
    let after = workload("Deployment", "shop", "after", 2, json!({ "agentpool": "apps" }));
    bench.apply::<Deployment>(after).await;
    bench.available("shop", "after", 2).await;
    let again = Effect::CreateNode(node("apps-1", APPS, "1.34.9"));
    assert_eq!(bench.run(again).await, Outcome::Done);
    assert_eq!(bench::restarts(&bench.daemon_on("apps-1").await), 1, "only the one reimage has restarted it");
}
