//! Outages, and what is left when the process that started a control plane goes away.

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use common::{SOON, create_deployment, create_ready_node, run_until_available};
use control_plane::{Environment, Options};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::Instant;

#[tokio::test]
async fn controllers_and_scheduler_survive_an_outage_of_the_api_server() -> Result<()> {
    let environment = Environment::start("outage").await?;
    let cluster = environment.control_plane(Options::new("hub").workloads()).await?;
    let client = cluster.client()?;
    create_ready_node(&client, "node-0").await?;
    let before = processes_below(&environment)?;

    let start = Instant::now();
    cluster.stop_api_server().await?;
    println!("stopped after {:?}", start.elapsed());
    assert!(client.apiserver_version().await.is_err());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    cluster.start_api_server().await?;
    println!("started after {:?}", start.elapsed());

    client.apiserver_version().await?;
    create_deployment(&client, "after", 2).await?;
    let start = Instant::now();
    run_until_available(&client, "after", 2).await?;
    println!("pods run after {:?}", start.elapsed());
    let after = processes_below(&environment)?;
    let stayed = after.iter().filter(|id| before.contains(id)).count();
    assert_eq!((before.len(), stayed, after.len()), (5, 4, 5));
    Ok(())
}

#[tokio::test]
async fn a_minor_that_cannot_be_emulated_is_an_error_and_the_former_one_comes_back() -> Result<()> {
    let environment = Environment::start("refused").await?;
    let options = Options::new("hub").emulating(35);
    let cluster = environment.control_plane(options).await?;

    let error = cluster.set_emulated_minor(20).await.unwrap_err();
    assert!(error.to_string().contains("emulat"), "{error}");
    let folder = environment.folder();
    cluster.start_api_server().await?;
    assert_eq!(cluster.emulated_minor().await, Some(35));
    drop((cluster, environment));
    assert!(folder.join("hub/kube-apiserver.log").exists());
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Not a test by itself: starts a control plane and waits to be killed.
#[tokio::test]
#[ignore = "the process that `nothing_is_left_after_sigkill` kills"]
async fn victim() -> Result<()> {
    let environment = Environment::start("victim").await?;
    let _cluster = environment.control_plane(Options::new("hub").workloads()).await?;
    println!("\nfolder={}", environment.folder().display());
    std::future::pending().await
}

#[tokio::test]
async fn nothing_is_left_after_sigkill() -> Result<()> {
    let mut victim = tokio::process::Command::new(std::env::current_exe()?)
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(victim.stdout.take().context("stdout")?).lines();
    let folder = loop {
        let line = lines.next_line().await?.context("the victim ended")?;
        if let Some(folder) = line.strip_prefix("folder=") {
            break folder.to_owned();
        }
    };
    // etcd, three components and the watcher.
    assert_eq!(processes_that_name(&folder)?.len(), 5);

    victim.kill().await?;
    let start = Instant::now();
    let gone = async {
        while !processes_that_name(&folder)?.is_empty() || std::fs::exists(&folder)? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, gone).await??;
    println!("gone after {:?}", start.elapsed());
    Ok(())
}

/// Not a test by itself: panics beside a control plane.
#[tokio::test]
#[ignore = "the process that `a_panic_stops_the_processes_and_keeps_the_logs` starts"]
async fn panicking() {
    let environment = Environment::start("panicking").await.unwrap();
    let _cluster = environment.control_plane(Options::new("hub")).await.unwrap();
    println!("\nfolder={}", environment.folder().display());
    panic!("on purpose");
}

#[tokio::test]
async fn a_panic_stops_the_processes_and_keeps_the_logs() -> Result<()> {
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["--exact", "panicking", "--ignored", "--nocapture"])
        .kill_on_drop(true)
        .output()
        .await?;
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout)?;
    let folder = text.lines().find_map(|line| line.strip_prefix("folder="));
    let folder = folder.context("the folder's name")?;
    assert!(processes_that_name(folder)?.is_empty());
    assert!(std::fs::exists(format!("{folder}/hub/kube-apiserver.log"))?);
    let errors = String::from_utf8(output.stderr)?;
    assert!(errors.contains(&format!("kept in {folder}")), "{errors}");
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn processes_below(environment: &Environment) -> Result<Vec<String>> {
    processes_that_name(&environment.folder().display().to_string())
}

/// The ids of the processes whose command line contains `text`.
fn processes_that_name(text: &str) -> Result<Vec<String>> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,args="]).output()?;
    let text = text.to_owned();
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains(&text))
        .filter_map(|line| line.split_whitespace().next())
        .map(ToOwned::to_owned)
        .collect())
}
