//! Tells what happens: plain lines, and what `tidegate` itself prints.

use std::{io::Write, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use tokio::time::Instant;

use super::{ALL, CANARY, checks};
use crate::stage::Stage;

const IN_NAMESPACE: [&str; 2] = ["-n", "platform"];

/// Tells what happens, and how long it took.
pub(super) struct Narrator {
    start: Instant,
}

/// A line of the story.
pub(super) fn say(line: &str) {
    // A reader that went away is no reason to fail.
    drop(writeln!(std::io::stdout(), "\n▸ {line}"));
}

/// A file of the example, as the reader would name it from the top of the checkout.
pub(super) fn example(file: &str) -> String {
    folder().join(file).display().to_string()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart")
}

impl Narrator {
    pub(super) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Runs `tidegate` and shows what it prints. Exit code 1 tells of something stopped: no failure here.
    pub(super) async fn show(&self, stage: &Stage, what: &str, arguments: &[&str]) -> Result<()> {
        let shown: Vec<&str> =
            arguments.iter().map(|word| word.rsplit("quickstart/").next().unwrap_or(word)).collect();
        say(&format!("{what}: tidegate {}", shown.join(" ")));
        let output = tidegate(stage)?.args(arguments).args(IN_NAMESPACE).output().await?;
        std::io::stdout().write_all(&output.stdout)?;
        ensure!(
            output.status.code().is_some_and(|code| code <= 1) && !output.stdout.is_empty(),
            "tidegate {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Shows `tidegate status PLAN --watch` until something is reached.
    pub(super) async fn watch(
        &self,
        stage: &Stage,
        plan: &str,
        until: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        say(&format!("tidegate status {plan} --watch"));
        let mut child = tidegate(stage)?
            .args(["status", plan, "--watch"])
            .args(IN_NAMESPACE)
            .kill_on_drop(true)
            .spawn()?;
        let outcome = tokio::select! {
            outcome = until => outcome,
            ended = child.wait() => Err(anyhow::anyhow!("tidegate status ended by itself: {}", ended?)),
        };
        child.kill().await.ok();
        outcome
    }

    /// Every cluster in a line, and how long it all took.
    pub(super) async fn summary(&self, stage: &Stage) -> Result<()> {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
        table.set_header(["CLUSTER", "NODES SHOW", "AZURE CHANGES", "SECOND ROLLOUT"]);
        for cluster in ALL {
            let nodes = stage.target(cluster).nodes().await?;
            let mut versions: Vec<String> = nodes
                .iter()
                .map(|(pool, nodes)| {
                    let mut shown: Vec<&str> = nodes.values().map(|node| node.kubelet.as_str()).collect();
                    shown.dedup();
                    format!("{pool} {}", shown.join("/"))
                })
                .collect();
            versions.sort_unstable();
            let end = checks::end_of(&stage.hub(), "winter", cluster).await?;
            let changes = checks::mutations(stage, cluster).len().to_string();
            table.add_row([cluster.to_owned(), versions.join(", "), changes, end]);
        }
        say(&format!("the end\n{table}"));
        let (first, all) = (self.first_step(stage)?, self.start.elapsed().as_secs());
        say("all as it should be: 1.35 is everywhere, and 1.36 has stopped at its canary");
        say(&format!("first step after {first} s, everything in {} min {} s", all / 60, all % 60));
        Ok(())
    }

    /// Seconds from the start to the first change that Azure accepted.
    fn first_step(&self, stage: &Stage) -> Result<i64> {
        let log = stage.simulator.log();
        let first =
            log.iter().find(|entry| entry.mutation && entry.accepted).context("Azure accepted nothing")?;
        let last = simulator::clock::now();
        let since = last.duration_since(first.real).as_secs();
        Ok(i64::try_from(self.start.elapsed().as_secs()).unwrap_or(i64::MAX) - since)
    }

    /// How to look around while everything runs.
    pub(super) async fn how_to_look(&self, stage: &Stage) -> Result<()> {
        let hub = stage.hub_plane().admin_kubeconfig();
        let built = control_plane::assets().await?;
        let mut lines = vec![
            "everything goes on until Ctrl-C; look around with".to_owned(),
            format!("  export KUBECONFIG={}", hub.display()),
            format!(
                "  export PATH={}:{}:$PATH   # tidegate, kubectl",
                binaries()?.display(),
                built.display()
            ),
            "  kubectl get upgradeplans,clusterupgrades,aksclusters -n platform".to_owned(),
            "  tidegate status -n platform                # and status winter, with each cluster".to_owned(),
            format!("  tidegate explain {CANARY} -n platform    # why it has stopped, and what to do"),
            "  tidegate inventory -n platform             # what runs, and until when it is supported"
                .to_owned(),
            format!("  less {}   # what the operator logs", stage.operator.log_file().display()),
            format!("  curl {}/metrics   # its metrics", stage.operator.url()?),
            format!("  curl {}/log       # what Azure was asked", stage.simulator.ready().control),
        ];
        for target in stage.targets() {
            lines.push(format!(
                "  kubectl --kubeconfig {} get nodes -L kubernetes.azure.com/node-image-version   # {}",
                target.plane().admin_kubeconfig().display(),
                target.name
            ));
        }
        say(&lines.join("\n"));
        Ok(())
    }
}

fn tidegate(stage: &Stage) -> Result<tokio::process::Command> {
    let mut command = tokio::process::Command::new(binaries()?.join("tidegate"));
    command.env("KUBECONFIG", stage.hub_plane().admin_kubeconfig());
    Ok(command)
}

/// The folder of this binary, where `tidegate` is, too.
fn binaries() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this binary is in no folder")?.to_owned())
}
