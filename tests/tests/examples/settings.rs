//! Settings for the time of a step, and as before afterwards. What they are meanwhile is in `tests/settings.rs`, which runs
//! the same plan.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use serde_json::Value;
use tests::stage::{Stage, check_done};

use crate::story::{ADMINISTRATOR, Moment, Story, rollouts, runs, status};

/// `examples/settings.yaml`
pub(crate) const STORY: Story = Story {
    file: "settings.yaml",
    text: include_str!("../../../examples/settings.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[("media-weu", CLUSTER)],
    foretold: "settings changed for the step, then restored",
    acts: &[(Moment::Begin, |stage| restored(stage).boxed())],
};

const CLUSTER: &str = "
kubernetesVersion: 1.34.4
pools:
- {name: apps, count: 2, maxSurge: '1', drainTimeoutInMinutes: 17}
- {name: system, mode: System}
- {name: win, osType: Windows, osSku: Windows2022, maxSurge: '1', nodeSoakDurationInMinutes: 2}
";

/// What `az aks nodepool show` would tell of each pool, from the file and the scenario alone.
async fn settings(stage: &Stage) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for pool in ["apps", "system", "win"] {
        let document = stage.arm("media-weu", &format!("/agentPools/{pool}")).await?;
        all.insert(pool.to_owned(), document["properties"]["upgradeSettings"].clone());
    }
    Ok(all)
}

async fn restored(stage: &Stage) -> Result<()> {
    let plan = stage.plan_reaches("media", "settings", "Succeeded").await?;
    check_done(&status(&plan).conditions)?;
    let (version, pools) = runs(stage, "media-weu").await?;
    assert_eq!(version, "1.35.3");
    assert!(pools.values().all(|(version, _)| version == "1.35.3"), "{pools:?}");
    let after = settings(stage).await?;
    let of = |pool: &str| after.get(pool).and_then(Value::as_object).context("settings");
    assert_eq!(of("apps")?.get("maxSurge"), Some(&"1".into()));
    assert_eq!(of("apps")?.get("drainTimeoutInMinutes"), Some(&17.into()));
    assert_eq!(of("win")?.get("maxSurge"), Some(&"1".into()));
    assert_eq!(of("win")?.get("nodeSoakDurationInMinutes"), Some(&2.into()));
    // A step with its settings, and what was before: two writes each pool.
    let writes: Vec<_> = stage.mutations("media-weu");
    for pool in ["PUT pool apps", "PUT pool system", "PUT pool win"] {
        assert_eq!(writes.iter().filter(|write| *write == pool).count(), 2, "{writes:?}");
    }
    assert_eq!(rollouts(stage, "media", "settings").await?, ["settings-1 Succeeded 1/1 1.35.3"]);
    Ok(())
}
