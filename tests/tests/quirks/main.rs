//! Each quirk of Azure that the simulator knows, switched on while a whole upgrade runs: every
//! cluster ends as if nothing had been, nothing is changed twice, and nothing is lost.
//!
//! One hub, one operator, one cluster per quirk (`cases.rs`), all upgraded at the same time.

mod cases;
mod docs;
mod fields;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use crds::{ClusterUpgrade, RETRY_ANNOTATION};
use futures::future::try_join_all;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use simulator::scenario::{QuirkName, QuirkRule};
use tests::stage::{Setup, Stage, check_done, reason_of, until_within};

use cases::{Actor, CASES, Case, NEW_IMAGE, SHARED, VERSION};

const PATIENCE: Duration = Duration::from_secs(240);
/// Between two changes of a pool's size: two minutes there.
const SCALING: Duration = Duration::from_secs(2);
/// Between two looks at the simulator.
const LOOK: Duration = Duration::from_millis(20);

const PLANS: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: versions}
spec:
  target: {kubernetes: {version: '1.35'}}
  waves: [{name: all, clusters: {selector: {matchLabels: {plan: versions}}}, maxConcurrent: 100%}]
  failurePolicy: {stepTimeout: 30m}
---
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: images}
spec:
  target: {scope: NodeImage}
  waves: [{name: all, clusters: {selector: {matchLabels: {plan: images}}}, maxConcurrent: 100%}]
  failurePolicy: {stepTimeout: 30m}
";

fn scenario() -> String {
    let clusters: String = CASES.iter().map(Case::scenario).collect();
    format!(
        "
throttling: true
durations: {{controlPlane: 3m, surgeCreate: 1m, reimageLinux: 1m, delete: 30s}}
clusters:{clusters}
"
    )
}

/// The rules of a case, about its own cluster only.
fn rules(case: &Case) -> Result<Vec<QuirkRule>> {
    let read = |rule: &&str| {
        let rule: QuirkRule =
            serde_saphyr::from_str(rule).with_context(|| format!("{}: {rule}", case.name))?;
        Ok(QuirkRule { clusters: vec![case.name.to_owned()], ..rule })
    };
    case.rules.iter().map(read).collect()
}

fn shared_rules() -> Result<Vec<QuirkRule>> {
    SHARED.iter().map(|rule| serde_saphyr::from_str(rule).context(*rule)).collect()
}

#[test]
fn every_quirk_of_the_simulator_has_a_cluster_here() -> Result<()> {
    let mut used: BTreeSet<QuirkName> = shared_rules()?.iter().map(|rule| rule.quirk).collect();
    for case in CASES {
        used.extend(rules(case)?.iter().map(|rule| rule.quirk));
    }
    let missing: Vec<_> = QuirkName::ALL.iter().filter(|quirk| !used.contains(quirk)).collect();
    ensure!(missing.is_empty(), "no cluster in cases.rs has {missing:?}");
    let names: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
    ensure!(names.len() == CASES.len(), "two cases have the same name");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cluster_ends_right_under_its_quirk() -> Result<()> {
    let setup = Setup::new("quirks", &scenario()).without_api_servers();
    Stage::run(setup, async |stage| {
        let before = documents(stage).await?;
        let numbers = switch_on(stage).await?;
        for case in CASES {
            stage.register_unseen("fleet", case.name, &[("plan", case.plan())]).await?;
        }
        try_join_all(CASES.iter().map(|case| stage.observed_cluster("fleet", case.name, PATIENCE))).await?;
        stage.apply(PLANS).await?;
        let ends = try_join_all(CASES.iter().map(|case| end(stage, case, &numbers[case.name]))).await?;

        let mut wrong: Vec<String> = ends.into_iter().flatten().collect();
        wrong.extend(idle_rules(stage).await?);
        for rule in stage.simulator.quirks().await? {
            stage.simulator.remove_quirk(rule.id).await?;
        }
        let after = documents(stage).await?;
        for case in CASES {
            wrong.extend(check_world(stage, case).await?);
            wrong.extend(check_changes(stage, case));
            let lost = fields::lost(&before[case.name], &after[case.name], case.touched);
            wrong.extend(lost.iter().map(|path| format!("{}: {path} is lost", case.name)));
        }
        ensure!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    })
    .await
}

/// The documents of all clusters, their pools inline.
async fn documents(stage: &Stage) -> Result<BTreeMap<&'static str, Value>> {
    let mut documents = BTreeMap::new();
    for case in CASES {
        documents.insert(case.name, stage.arm(case.name, "").await?);
    }
    Ok(documents)
}

/// Switches all quirks on; the numbers of each cluster's rules.
async fn switch_on(stage: &Stage) -> Result<BTreeMap<&'static str, Vec<u64>>> {
    for rule in shared_rules()? {
        stage.simulator.add_quirk(rule).await?;
    }
    let mut numbers: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for case in CASES {
        let own = numbers.entry(case.name).or_default();
        for rule in rules(case)? {
            own.push(stage.simulator.add_quirk(rule).await.with_context(|| case.name)?);
        }
    }
    Ok(numbers)
}

fn upgrade_of(case: &Case) -> String {
    format!("{}-1-{}", case.plan(), case.name)
}

/// Follows one cluster to its end, with whoever else acts on it; says what went wrong.
async fn end(stage: &Stage, case: &Case, rules: &[u64]) -> Result<Option<String>> {
    let acted = act(stage, case, rules).await.with_context(|| format!("what is done to {}", case.name));
    let reached = async {
        acted?;
        let upgrade = reaches(stage, case, "Succeeded").await?;
        check_done(&upgrade.status.context("a status")?.conditions)
    };
    Ok(reached.await.err().map(|error| format!("{}: {error:#}", case.name)))
}

async fn reaches(stage: &Stage, case: &Case, reason: &str) -> Result<ClusterUpgrade> {
    let reached =
        |upgrade: Option<&ClusterUpgrade>| upgrade.is_some_and(|upgrade| reason_of(upgrade) == reason);
    let upgrades = stage.upgrades("fleet");
    let found =
        until_within(PATIENCE, &upgrades, &upgrade_of(case), &format!("at {reason}"), reached).await?;
    found.context("an upgrade that is as wanted is there")
}

async fn act(stage: &Stage, case: &Case, rules: &[u64]) -> Result<()> {
    match case.actor {
        Actor::Nobody => Ok(()),
        Actor::Aborts => {
            working(stage, case).await?;
            stage.arm_post(case.name, "/abort").await?;
            reaches(stage, case, "OperationFailed").await?;
            retry(stage, case).await
        }
        Actor::Frees => {
            reaches(stage, case, "StepTimeout").await?;
            for rule in rules {
                stage.simulator.remove_quirk(*rule).await?;
            }
            Ok(())
        }
        Actor::Autoscales => {
            let id = stage.resource_id(case.name);
            let scale = async {
                for count in [4, 1, 5, 2, 6, 3].into_iter().cycle() {
                    stage.simulator.autoscale(id, "apps", count).await?;
                    tokio::time::sleep(SCALING).await;
                }
                Ok(())
            };
            tokio::select! {
                upgrade = reaches(stage, case, "Succeeded") => upgrade?,
                failed = scale => return failed,
            };
            // The call that was cut off may still arrive: after the first of these, not after the second.
            for _ in 0..2 {
                stage.simulator.autoscale(id, "apps", 2).await?;
                tokio::time::sleep(SCALING).await;
            }
            sized(stage, case, 2).await
        }
        Actor::RetriesAt(reason) => {
            reaches(stage, case, reason).await?;
            retry(stage, case).await
        }
    }
}

/// Waits until Azure works on the cluster: the upgrade says so a little before it asks.
async fn working(stage: &Stage, case: &Case) -> Result<()> {
    reaches(stage, case, "UpgradingControlPlane").await?;
    let working = async {
        while stage.world(case.name).await?.operation.is_none() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, working).await.context("Azure does not begin")?
}

/// Waits until pool `apps` has so many nodes.
async fn sized(stage: &Stage, case: &Case, count: usize) -> Result<()> {
    let sized = async {
        loop {
            let cluster = stage.world(case.name).await?;
            let apps = cluster.pools.iter().find(|pool| pool.name == "apps").context("pool apps")?;
            if apps.nodes.len() == count {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, sized).await.with_context(|| format!("{count} nodes do not come about"))?
}

async fn retry(stage: &Stage, case: &Case) -> Result<()> {
    let patch = json!({ "metadata": { "annotations": { RETRY_ANNOTATION: "1" } } });
    let upgrades = stage.upgrades("fleet");
    upgrades.patch(&upgrade_of(case), &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// Rules that have not struck once: nothing is known of them. (One that was taken away has: the
/// upgrade stood still.)
async fn idle_rules(stage: &Stage) -> Result<Vec<String>> {
    let rules = stage.simulator.quirks().await?;
    let idle = rules.iter().filter(|rule| rule.struck == 0);
    Ok(idle.map(|rule| format!("{:?} has not struck in {} occasions", rule.rule, rule.occasions)).collect())
}

/// Everything is at its target in the world, idle, and every node can be used.
async fn check_world(stage: &Stage, case: &Case) -> Result<Vec<String>> {
    let cluster = stage.world(case.name).await?;
    let mut wrong = Vec::new();
    if cluster.operation.is_some() || cluster.provisioning_state != "Succeeded" {
        wrong.push(format!("{}: {} {:?}", case.name, cluster.provisioning_state, cluster.operation));
    }
    if cluster.kubernetes_version != VERSION {
        wrong.push(format!("{}: the control plane runs {}", case.name, cluster.kubernetes_version));
    }
    for pool in &cluster.pools {
        let count = if pool.name == "apps" { 2 } else { 1 };
        let right = pool.nodes.iter().filter(|node| {
            (node.kubernetes_version.as_str(), node.node_image.as_str()) == (VERSION, NEW_IMAGE)
                && node.ready
                && !(node.cordoned || node.surge || node.quarantined)
        });
        if right.count() != count || pool.nodes.len() != count || pool.provisioning_state != "Succeeded" {
            wrong.push(format!("{}: {pool:?}", case.name));
        }
    }
    Ok(wrong)
}

/// Azure has accepted each change as often as it is needed, and refused none but for the quirk.
fn check_changes(stage: &Stage, case: &Case) -> Vec<String> {
    let all = stage.mutations(case.name);
    let is_ours = |change: &&String| !change.ends_with("abort");
    let refused =
        all.iter().filter_map(|change| change.rsplit_once(" (")?.1.strip_suffix(')')?.parse::<u16>().ok());
    let unexpected: BTreeSet<u16> = refused.filter(|status| !case.refused.contains(status)).collect();
    let mut accepted: Vec<String> =
        all.iter().filter(is_ours).filter(|change| !change.ends_with(')')).cloned().collect();
    accepted.sort();
    let mut wrong = Vec::new();
    if accepted != case.changes() {
        wrong.push(format!("{}: accepted were {all:?}", case.name));
    }
    if !unexpected.is_empty() {
        wrong.push(format!("{}: refused with {unexpected:?}: {all:?}", case.name));
    }
    wrong
}
