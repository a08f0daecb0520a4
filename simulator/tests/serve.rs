//! The binary by itself: one line of JSON when it is ready, and what that line says is true.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
};

use reqwest::Certificate;
use serde_json::Value;

const SCENARIO: &str = "
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu
  kubernetesVersion: 1.34.4
  pools: [{name: system, mode: System, count: 1, nodeImage: banana}]
";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn says_where_it_is_when_it_is_ready() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("scenario.yaml");
    fs::write(&scenario, SCENARIO).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate-simulator"))
        .args(["serve", "--listen", "127.0.0.1:0", "--scenario"])
        .arg(&scenario)
        .stdout(Stdio::piped())
        .env("RUST_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let running = Running(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let text = |field: &str| ready[field].as_str().unwrap_or_else(|| panic!("{field} in {ready}")).to_owned();
    assert_eq!(ready["subscriptions"][0], "20000000-0000-4000-8000-000000000001");
    assert!(!text("tenant").is_empty());

    let ca = Certificate::from_pem(&fs::read(text("caFile")).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
    let keys = format!("{}/.well-known/openid-configuration", text("issuer"));
    assert!(client.get(keys).send().await.unwrap().status().is_success(), "the CA file is the endpoint's");
    let log = client.get(format!("{}/log", text("control"))).send().await.unwrap();
    assert!(log.json::<Value>().await.unwrap().is_array());

    drop(running);
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    for hint in [text("endpoint"), text("caFile"), "az login --service-principal".to_owned()] {
        assert!(said.contains(&hint), "{hint}: {said}");
    }
    let port = text("endpoint").rsplit(':').next().unwrap().to_owned();
    let config = format!("AZURE_CONFIG_DIR={}/azure-cli-{port} ", std::env::temp_dir().display());
    assert!(said.contains(&config), "the reader's own az stays as it is: {said}");
    assert!(said.contains("clusters[0].pools[0].nodeImage: \"banana\" has no date"), "{said}");
    // It was killed, so this is still there; the next simulator would take it away.
    fs::remove_file(text("caFile")).unwrap();
}
