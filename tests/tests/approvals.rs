//! Approvals: who may give them, which count, and what they start. People have client certificates and roles.

use anyhow::{Context as _, Result, ensure};
use crds::{UpgradeApproval, UpgradePlan, UpgradePlanStatus};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tests::stage::{Setup, Shared, Stage, when};

static STAGE: Shared = Shared::new(|| Setup::new("approvals", &scenario()).without_api_servers());

const CLUSTERS: [&str; 8] = ["two-1", "two-2", "late-1", "who-1", "own-1", "told-1", "told-2", "free-1"];

fn scenario() -> String {
    let cluster = |name: &&str| {
        format!(
            "
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: {name}
  kubernetesVersion: 1.35.3
  pools: [{{name: system, mode: System, count: 1, kubernetesVersion: 1.34.2}}]
"
        )
    };
    let clusters: String = CLUSTERS.iter().map(cluster).collect();
    format!("durations: {{surgeCreate: 30s, reimageLinux: 1m, delete: 30s}}\nclusters:{clusters}")
}

fn plan(namespace: &str, annotations: &str, waves: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {{namespace: {namespace}, name: main, annotations: {annotations}}}
spec:
  target: {{scope: NodePools, kubernetes: {{version: '1.35'}}}}
  waves: {waves}
"
    )
}

/// Gives a person a role of the chart in a namespace.
async fn bind(stage: &Stage, namespace: &str, user: &str, role: &str) -> Result<()> {
    stage
        .apply(&format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{namespace: {namespace}, name: {user}-{role}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: tidegate-{role}}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}]
"
        ))
        .await
}

fn of(stage: &Stage, user: &str) -> Result<Client> {
    stage.hub_plane().client_as(user, &[])
}

fn approval(namespace: &str, name: &str, approver: &str, plan: &UpgradePlan) -> Result<UpgradeApproval> {
    let rollout = status(plan).rollout.context("a rollout")?;
    Ok(serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradeApproval",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"plan": "main", "rollout": rollout.id, "planHash": rollout.plan_hash, "wave": "prod",
            "approver": approver, "reason": "CHG-1"},
    }))?)
}

/// Creates an approval as a user who names an approver; gives what the API server says if it refuses.
async fn approve(
    stage: &Stage,
    (user, approver): (&str, &str),
    namespace: &str,
    plan: &UpgradePlan,
) -> Result<Result<(), String>> {
    let api: Api<UpgradeApproval> = Api::namespaced(of(stage, user)?, namespace);
    let mut approval = approval(namespace, "", approver, plan)?;
    approval.metadata.name = None;
    approval.metadata.generate_name = Some(format!("{user}-"));
    match api.create(&PostParams::default(), &approval).await {
        Ok(_) => Ok(Ok(())),
        Err(kube::Error::Api(refused)) => Ok(Err(format!("{} {}", refused.code, refused.message))),
        Err(error) => Err(error.into()),
    }
}

fn status(plan: &UpgradePlan) -> UpgradePlanStatus {
    plan.status.clone().unwrap_or_default()
}

/// Waits until so many approvals of wave `prod` count.
async fn given(stage: &Stage, namespace: &str, number: i32) -> Result<UpgradePlan> {
    let counts = |plan: &UpgradePlan| {
        let waves = status(plan).waves;
        waves.iter().any(|wave| wave.approvals.as_ref().is_some_and(|told| told.given == number))
    };
    when(&stage.plans(namespace), "main", &format!("with {number} approvals"), counts).await
}

/// Why the approval of a user does not count, once that is told.
async fn ignored(stage: &Stage, namespace: &str, user: &str, reason: &str) -> Result<()> {
    let api: Api<UpgradeApproval> = Api::namespaced(stage.hub(), namespace);
    let all = api.list(&Default::default()).await?;
    let name = all.items.iter().find(|found| found.spec.approver == user).context("their approval")?;
    let told = |approval: &UpgradeApproval| {
        approval.status.as_ref().is_some_and(|told| !told.counts && told.reason == reason)
    };
    let name = name.metadata.name.clone().context("a name")?;
    when(&api, &name, &format!("told {reason}"), told).await.map(drop)
}

#[test]
fn two_approvals_release_production_and_the_record_says_whose() -> Result<()> {
    STAGE.run(async |stage| {
        for name in ["two-1", "two-2"] {
            stage.register("two", name, &[]).await?;
        }
        for user in ["bea", "cem"] {
            bind(stage, "two", user, "approver").await?;
        }
        let waves = "
  - {name: canary, clusters: {names: [two-1]}}
  - {name: prod, clusters: {names: [two-2]}, approvals: {required: 2}}";
        stage.apply(&plan("two", "{}", waves)).await?;
        let waiting = stage.plan_reaches("two", "main", "WaitingForApproval").await?;
        let told = status(&waiting);
        let summary = told.summary.context("a summary")?;
        assert_eq!((summary.phase.as_str(), summary.wave.as_str()), ("Parked", "prod"));
        let asked = told.waves[1].approvals.clone().context("approvals")?;
        assert_eq!((asked.required, asked.given), (2, 0));
        assert_eq!(asked.starts, "1 clusters to 1.35.3, 1 steps in all, at most 1 at once: two-2");

        let arguments = ["approve", "main", "-n", "two", "--reason", "CHG-7"];
        let (code, _, errors) = stage.tidegate_as("bea", &arguments).await?;
        assert_eq!(code, Some(2), "nobody can be asked");
        ensure!(errors.contains("--yes approves without asking"), "{errors}");
        let dry = [&arguments[..], &["--dry-run", "-o", "json"]].concat();
        let (code, output, errors) = stage.tidegate_as("bea", &dry).await?;
        assert_eq!(code, Some(0), "{errors}");
        let shown: Value = serde_json::from_str(&output)?;
        assert_eq!(shown["approval"]["spec"]["approver"], "bea");
        assert_eq!(shown["starts"]["waves"][0]["clusters"][0]["steps"][0]["to"], "1.35.3");
        given(stage, "two", 0).await?;

        let yes = [&arguments[..], &["--yes"]].concat();
        let (code, output, errors) = stage.tidegate_as("bea", &yes).await?;
        assert_eq!(code, Some(0), "{errors}");
        ensure!(
            output.contains("approving as bea is not enough yet") && output.contains("1.34.2 → 1.35.3"),
            "{output}"
        );
        given(stage, "two", 1).await?;
        let (code, _, errors) = stage.tidegate_as("bea", &yes).await?;
        assert_eq!(code, Some(0));
        ensure!(errors.contains("nobody counts twice"), "{errors}");
        assert!(stage.mutations("two-2").is_empty());
        approve(stage, ("cem", "cem"), "two", &waiting).await?.map_err(anyhow::Error::msg)?;

        let done = stage.plan_reaches("two", "main", "Succeeded").await?;
        assert_eq!(stage.mutations("two-2"), ["PUT pool system"]);
        let approved = status(&done).rollout.context("a rollout")?.approved;
        let mut by: Vec<_> = approved[0].by.iter().map(|by| (by.name.as_str(), by.reason.as_str())).collect();
        by.sort_unstable();
        assert_eq!((approved.len(), by), (1, vec![("bea", "CHG-7"), ("cem", "CHG-1")]));
        let shown = stage.tidegate_as("cem", &["status", "main", "-n", "two"]).await?.1;
        for words in ["approved by ", "bea on ", "(CHG-7)", "cem on ", "(CHG-1)"] {
            ensure!(shown.contains(words), "{words}: {shown}");
        }
        Ok(())
    })
}

#[test]
fn one_that_has_expired_or_is_withdrawn_releases_nothing() -> Result<()> {
    STAGE.run(async |stage| {
        stage.register("late", "late-1", &[]).await?;
        for user in ["bea", "cem"] {
            bind(stage, "late", user, "approver").await?;
        }
        // Ten minutes are ten seconds here.
        let waves = "[{name: prod, clusters: {names: [late-1]}, approvals: {required: 2, expireAfter: 10m}}]";
        stage.apply(&plan("late", "{}", waves)).await?;
        let waiting = stage.plan_reaches("late", "main", "WaitingForApproval").await?;
        approve(stage, ("bea", "bea"), "late", &waiting).await?.map_err(anyhow::Error::msg)?;
        given(stage, "late", 1).await?;
        ignored(stage, "late", "bea", "Expired").await?;
        given(stage, "late", 0).await?;
        approve(stage, ("cem", "cem"), "late", &waiting).await?.map_err(anyhow::Error::msg)?;
        given(stage, "late", 1).await?;
        let approvals: Api<UpgradeApproval> = Api::namespaced(of(stage, "cem")?, "late");
        for found in approvals.list(&Default::default()).await? {
            let name = found.metadata.name.unwrap_or_default();
            approvals.delete(&name, &DeleteParams::default()).await?;
        }
        approve(stage, ("bea", "bea"), "late", &waiting).await?.map_err(anyhow::Error::msg)?;
        given(stage, "late", 1).await?;
        assert!(stage.admitted("late").await?.is_empty(), "neither the expired one nor the withdrawn");
        approve(stage, ("cem", "cem"), "late", &waiting).await?.map_err(anyhow::Error::msg)?;
        stage.plan_reaches("late", "main", "Succeeded").await.map(drop)
    })
}

/// Creates an approval of wave `wave` of the first rollout of plan `main`, as its approver.
async fn give(stage: &Stage, user: &str, namespace: &str, (wave, plan_hash): (&str, &str)) -> Result<String> {
    let api: Api<UpgradeApproval> = Api::namespaced(of(stage, user)?, namespace);
    let approval = serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradeApproval",
        "metadata": {"generateName": format!("{user}-"), "namespace": namespace},
        "spec": {"plan": "main", "rollout": "main-1", "planHash": plan_hash, "wave": wave, "approver": user,
            "reason": "CHG-1"},
    }))?;
    let given = api.create(&PostParams::default(), &approval).await?;
    given.metadata.name.context("a name")
}

/// Waits until an approval is told this.
async fn told(stage: &Stage, namespace: &str, name: &str, reason: &str) -> Result<UpgradeApproval> {
    let api: Api<UpgradeApproval> = Api::namespaced(stage.hub(), namespace);
    let is_told =
        |approval: &UpgradeApproval| approval.status.as_ref().is_some_and(|told| told.reason == reason);
    when(&api, name, &format!("told {reason}"), is_told).await
}

#[test]
fn every_approval_is_told_whether_it_counts_whatever_the_plan_needs() -> Result<()> {
    STAGE.run(async |stage| {
        for (namespace, cluster) in [("told", "told-1"), ("told", "told-2"), ("free", "free-1")] {
            stage.register(namespace, cluster, &[]).await?;
        }
        for namespace in ["told", "free"] {
            bind(stage, namespace, "bea", "approver").await?;
            bind(stage, namespace, "cem", "approver").await?;
        }
        let early = give(stage, "cem", "told", ("prod", "0")).await?;
        // The API server stamps objects by the second.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let waves = "
  - {name: canary, clusters: {names: [told-1]}}
  - {name: prod, clusters: {names: [told-2]}, approvals: {required: 1}}";
        stage.apply(&plan("told", "{}", waves)).await?;
        let waiting = stage.plan_reaches("told", "main", "WaitingForApproval").await?;
        told(stage, "told", &early, "OlderThanThePlan").await?;
        let hash = status(&waiting).rollout.context("a rollout")?.plan_hash;
        let idle = give(stage, "bea", "told", ("canary", &hash)).await?;
        told(stage, "told", &idle, "NotNeeded").await?;
        let changed = give(stage, "bea", "told", ("prod", "another")).await?;
        told(stage, "told", &changed, "PlanChanged").await?;
        let first = give(stage, "bea", "told", ("prod", &hash)).await?;
        stage.plan_reaches("told", "main", "Succeeded").await?;
        let late = give(stage, "cem", "told", ("prod", &hash)).await?;
        let late = told(stage, "told", &late, "AlreadyStarted").await?.status.context("a status")?;
        assert_eq!((late.counts, late.message.as_str()), (false, "wave prod has started without it"));
        let first = told(stage, "told", &first, "Counted").await?.status.context("a status")?;
        assert!(first.counts, "what has let it start stays told");

        // Of a plan none of whose waves needs any, also when it is done.
        stage.apply(&plan("free", "{}", "[{name: all, clusters: {names: [free-1]}}]")).await?;
        stage.plan_reaches("free", "main", "Succeeded").await?;
        let idle = give(stage, "bea", "free", ("all", "0")).await?;
        let lost = give(stage, "bea", "free", ("prod", "0")).await?;
        told(stage, "free", &idle, "NotNeeded").await?;
        let lost = told(stage, "free", &lost, "UnknownWave").await?.status.context("a status")?;
        assert_eq!(lost.message, "the plan has no wave prod");
        Ok(())
    })
}

#[test]
fn nobody_approves_without_the_role_or_for_somebody_else_or_changes_what_was_approved() -> Result<()> {
    STAGE.run(async |stage| {
        stage.register("who", "who-1", &[]).await?;
        bind(stage, "who", "bea", "approver").await?;
        bind(stage, "who", "pia", "planner").await?;
        let waves = "[{name: prod, clusters: {names: [who-1]}, approvals: {required: 1}}]";
        stage.apply(&plan("who", "{}", waves)).await?;
        let waiting = stage.plan_reaches("who", "main", "WaitingForApproval").await?;
        for user in ["zoe", "pia"] {
            let refused = approve(stage, (user, user), "who", &waiting).await?.err().context("a refusal")?;
            ensure!(refused.starts_with("403 ") && refused.contains("cannot create resource"), "{refused}");
        }
        let (code, _, errors) =
            stage.tidegate_as("pia", &["approve", "main", "-n", "who", "--reason", "CHG-1", "--yes"]).await?;
        assert_eq!(code, Some(1));
        ensure!(errors.contains("cannot create resource"), "{errors}");
        let refused = approve(stage, ("bea", "cem"), "who", &waiting).await?.err().context("a refusal")?;
        ensure!(refused.starts_with("403 ") && refused.contains("spec.approver must be bea"), "{refused}");

        // What does not count yet is there to be tampered with.
        let api: Api<UpgradeApproval> = Api::namespaced(stage.hub(), "who");
        let mut other = approval("who", "other", "admin", &waiting)?;
        other.spec.approver = me(stage).await?;
        other.spec.rollout = "main-9".to_owned();
        api.create(&PostParams::default(), &other).await?;
        let change = Patch::Merge(json!({"spec": {"rollout": "main-1"}}));
        let refused = api.patch("other", &PatchParams::default(), &change).await.unwrap_err().to_string();
        ensure!(refused.contains("cannot be changed"), "{refused}");
        let change = Patch::Merge(json!({"status": {"counts": true, "reason": "Counted", "message": "x"}}));
        let refused = api.patch_status("other", &PatchParams::default(), &change).await.unwrap_err();
        ensure!(refused.to_string().contains("written by the operator alone"), "{refused}");

        // Nor does anybody let a cluster start by hand.
        let upgrades = Api::<crds::ClusterUpgrade>::namespaced(of(stage, "pia")?, "who");
        let admit = Patch::Merge(json!({"spec": {"plan": {"admitted": true}}}));
        let refused =
            upgrades.patch("main-1-who-1", &PatchParams::default(), &admit).await.unwrap_err().to_string();
        ensure!(refused.contains("spec.plan is written by the operator alone"), "{refused}");
        assert!(stage.mutations("who-1").is_empty());

        approve(stage, ("bea", "bea"), "who", &waiting).await?.map_err(anyhow::Error::msg)?;
        stage.plan_reaches("who", "main", "Succeeded").await.map(drop)
    })
}

/// The administrator's name.
async fn me(stage: &Stage) -> Result<String> {
    use k8s_openapi::api::authentication::v1::SelfSubjectReview;
    let reviews: Api<SelfSubjectReview> = Api::all(stage.hub());
    let answer = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = answer.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.context("a name")
}

#[test]
fn who_has_written_a_plan_does_not_approve_it_and_cannot_hide_it() -> Result<()> {
    STAGE.run(async |stage| {
        stage.register("own", "own-1", &[]).await?;
        for (user, role) in [("ann", "planner"), ("ann", "approver"), ("dan", "planner"), ("cem", "approver")]
        {
            bind(stage, "own", user, role).await?;
        }
        let (ann, dan) = (of(stage, "ann")?, of(stage, "dan")?);
        let waves =
            "[{name: prod, clusters: {names: [own-1]}, approvals: {required: 1, separateAuthor: true}}]";
        for (annotations, words) in [
            ("{}", "must have a line ann"),
            ("{tidegate.dev/authors: dan}", "must have a line ann"),
            ("{tidegate.dev/authors: \"ann\\ndan\"}", "may get no other name than ann"),
        ] {
            let plan: UpgradePlan = serde_saphyr::from_str(&plan("own", annotations, waves))?;
            let plans = Api::<UpgradePlan>::namespaced(ann.clone(), "own");
            let refused = plans.create(&PostParams::default(), &plan).await.unwrap_err().to_string();
            ensure!(refused.contains(words), "{annotations}: {refused}");
        }
        let by_ann = plan("own", "{tidegate.dev/authors: ann}", waves);
        let plans = |client: &Client| Api::<UpgradePlan>::namespaced(client.clone(), "own");
        let made: UpgradePlan = serde_saphyr::from_str(&by_ann)?;
        plans(&ann).create(&PostParams::default(), &made).await?;
        let waiting = stage.plan_reaches("own", "main", "WaitingForApproval").await?;
        approve(stage, ("ann", "ann"), "own", &waiting).await?.map_err(anyhow::Error::msg)?;
        ignored(stage, "own", "ann", "AuthorOfThePlan").await?;

        let patch = async |client: &Client, change: Value| {
            let answer = plans(client).patch("main", &PatchParams::default(), &Patch::Merge(change)).await;
            answer.map(drop).map_err(|error| error.to_string())
        };
        let suspend = json!({"spec": {"suspend": true}});
        patch(&dan, suspend)
            .await
            .map_err(anyhow::Error::msg)
            .context("suspending makes nobody an author")?;
        patch(&dan, json!({"spec": {"suspend": false}})).await.map_err(anyhow::Error::msg)?;
        let retries = |authors: Value| {
            json!({"metadata": {"annotations": {"tidegate.dev/authors": authors}},
                "spec": {"failurePolicy": {"retries": 1}}})
        };
        let refused = patch(&dan, retries(json!("ann"))).await.unwrap_err();
        ensure!(refused.contains("must have a line dan"), "{refused}");
        let refused = patch(&dan, retries(json!("dan"))).await.unwrap_err();
        ensure!(refused.contains("must keep those who are in it"), "{refused}");
        patch(&dan, retries(json!("ann\ndan"))).await.map_err(anyhow::Error::msg)?;

        let again = |plan: &UpgradePlan| {
            let status = status(plan);
            let second = status.rollout.is_some_and(|rollout| rollout.id == "main-2");
            second && status.summary.is_some_and(|summary| summary.reason == "WaitingForApproval")
        };
        let waiting = when(&stage.plans("own"), "main", "waiting anew", again).await?;
        ignored(stage, "own", "ann", "OtherRollout").await?;
        assert!(stage.mutations("own-1").is_empty());
        approve(stage, ("cem", "cem"), "own", &waiting).await?.map_err(anyhow::Error::msg)?;
        stage.plan_reaches("own", "main", "Succeeded").await.map(drop)
    })
}
