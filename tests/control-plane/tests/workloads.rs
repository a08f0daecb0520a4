//! A cluster that emulates an old minor runs workloads, and goes on to newer minors on the same
//! data.

mod common;

use anyhow::Result;
use common::{create_deployment, create_ready_node, run_until_available};
use control_plane::{ControlPlane, Environment, Options};
use tokio::time::Instant;

#[tokio::test]
async fn deployments_run_in_every_minor_from_1_33_to_1_36() -> Result<()> {
    let environment = Environment::start("workloads").await?;
    let options = Options::new("target").workloads().emulating(33);
    let cluster = environment.control_plane(options).await?;
    let client = cluster.client()?;
    create_ready_node(&client, "node-0").await?;
    for minor in 33..=36 {
        if minor > 33 {
            let start = Instant::now();
            cluster.set_emulated_minor(minor).await?;
            println!("1.{minor} after {:?}", start.elapsed());
        }
        let start = Instant::now();
        assert_emulates(&cluster, minor).await?;
        let name = format!("since-{minor}");
        create_deployment(&client, &name, 2).await?;
        run_until_available(&client, &name, 2).await?;
        println!("pods run in 1.{minor} after {:?}", start.elapsed());
    }
    run_until_available(&client, "since-33", 2).await
}

/// `/version` as any client reads it; typed clients drop the field.
async fn assert_emulates(cluster: &ControlPlane, minor: u32) -> Result<()> {
    let output = cluster.kubectl().args(["get", "--raw", "/version"]).output().await?;
    let version: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(version["emulationMinor"], minor.to_string());
    Ok(())
}
