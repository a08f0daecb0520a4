//! Drives a simulator with the requests of a recording, in simulated time of our own.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, Ordering},
};

use engine::TimeScale;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{StartOptions, clock};

use crate::{
    client::{Client, Reply},
    compare::FINAL,
    load::{Interaction, operation_id},
    setup::Setup,
};

/// How far simulated time has been moved on, in seconds. One for the process: recordings are replayed in turn.
static PASSED: AtomicI64 = AtomicI64::new(0);

/// Longer than any operation takes.
const PATIENCE_MINUTES: i64 = 72 * 60;

/// How far time moves between two looks at an operation that is to end.
const STRIDE_MINUTES: i64 = 60;

fn now() -> Timestamp {
    let passed = SignedDuration::from_secs(PASSED.load(Ordering::SeqCst));
    clock::now().checked_add(passed).unwrap()
}

fn pass(seconds: i64) {
    PASSED.fetch_add(seconds, Ordering::SeqCst);
}

/// A simulator at the start of a recording, and what was learned about it on the way.
pub(crate) struct Replayer {
    client: Client,
    /// Our URLs of recorded operations: of their status, and of their result.
    operations: BTreeMap<String, Operation>,
    /// Our links to recorded next pages.
    pages: BTreeMap<String, String>,
    /// Our names of recorded machines.
    machines: BTreeMap<String, String>,
}

#[derive(Clone, Default)]
struct Operation {
    status: Option<String>,
    result: Option<String>,
    /// The resource that it is about.
    resource: String,
}

impl Replayer {
    pub(crate) async fn start(setup: Setup) -> Self {
        PASSED.store(0, Ordering::SeqCst);
        let clock = TimeScale::new(setup.began, now(), 1.0).unwrap();
        let options = StartOptions { clock, real_now: now, ..StartOptions::default() };
        let cluster = setup.scenario.clusters.last().map(|spec| spec.id());
        let replayer = Self {
            client: Client::start(setup.scenario, options).await,
            operations: BTreeMap::new(),
            pages: BTreeMap::new(),
            machines: BTreeMap::new(),
        };
        for (method, below, change) in setup.before {
            replayer.ask_before(method, &format!("{}{below}", cluster.as_deref().unwrap()), &change).await;
        }
        replayer
    }

    /// Changes a pool and waits until that is done.
    async fn ask_before(&self, method: Method, path: &str, change: &Value) {
        let url = self.client.url(path);
        let mut pool = self.client.send(Method::GET, &url, None).await.body;
        let properties = pool["properties"].as_object_mut().unwrap();
        properties.remove("nodeImageVersion");
        properties.extend(change.as_object().unwrap().clone());
        let reply = self.client.send(method, &url, Some(&json!({ "properties": properties }))).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        self.wait(&reply.headers["azure-asyncoperation"]).await;
    }

    /// Sends the recorded request as it is here, at the instant at which its answer can be like the recorded one.
    pub(crate) async fn replay(&mut self, interaction: &Interaction) -> Reply {
        pass(1);
        if let Some(id) = interaction.operation() {
            self.reach(id, interaction).await;
        }
        self.provoke(interaction).await;
        let url = self.translate(interaction);
        let reply = self.client.send(interaction.method.clone(), &url, interaction.body.as_ref()).await;
        self.learn(interaction, &reply);
        reply
    }

    /// Makes happen what came from outside of the recording: failures of the gateway, other people's operations,
    /// clusters that were made in a part that is not there.
    async fn provoke(&self, interaction: &Interaction) {
        let code = interaction.answer["code"].as_str();
        let quirk = match (interaction.status, code) {
            (502, _) => json!({ "quirk": "failingPolls", "status": 502, "html": false, "times": 1 }),
            (409, Some("EtagMismatch")) => json!({ "quirk": "busy", "code": "EtagMismatch", "times": 1 }),
            _ => Value::Null,
        };
        if interaction.below_cluster().is_some()
            && interaction.method != Method::PUT
            && interaction.status != 404
        {
            self.make_cluster(interaction).await;
        }
        if !quirk.is_null() {
            self.client.quirk(&quirk).await;
        }
    }

    /// Makes the cluster of a request, when it is not there.
    async fn make_cluster(&self, interaction: &Interaction) {
        let path = interaction.url.path().split('/').take(9).collect::<Vec<_>>().join("/");
        let url = self.client.url(&path);
        if self.client.send(Method::GET, &url, None).await.status != 404 {
            return;
        }
        let cluster = json!({
            "location": "westus2",
            "properties": { "agentPoolProfiles": [{ "name": "nodepool1", "mode": "System" }] },
        });
        let reply = self.client.send(Method::PUT, &url, Some(&cluster)).await;
        self.wait(&reply.headers["azure-asyncoperation"]).await;
    }

    /// Lets time pass until the operation has ended, if the recorded one has.
    async fn reach(&self, id: &str, interaction: &Interaction) {
        let status = interaction.answer["status"].as_str().unwrap_or_default();
        let ended = FINAL.contains(&status) || interaction.status == 204;
        let Some(operation) = self.operations.get(id).filter(|_| ended) else { return };
        if status == "Canceled" {
            // Somebody else's abort, which is not in the recording.
            let url = self.client.url(&format!("{}/abort", operation.resource));
            self.client.send(Method::POST, &url, None).await;
        }
        if let Some(url) = &operation.status {
            self.wait(url).await;
        }
    }

    async fn wait(&self, url: &str) {
        for _ in 0..PATIENCE_MINUTES / STRIDE_MINUTES {
            let reply = self.client.send(Method::GET, url, None).await;
            if reply.body["status"].as_str().is_some_and(|status| FINAL.contains(&status)) {
                return;
            }
            pass(STRIDE_MINUTES * 60);
        }
        panic!("{url} does not end");
    }

    /// The URL here that means what the recorded one means.
    fn translate(&self, interaction: &Interaction) -> String {
        if let Some(page) = self.pages.get(&page_key(interaction.url.as_str())) {
            return page.clone();
        }
        if let Some(operation) = interaction.operation().and_then(|id| self.operations.get(id)) {
            let result = interaction.url.path().to_lowercase().contains("/operationresults/");
            let url = if result { &operation.result } else { &operation.status };
            if let Some(url) = url {
                return url.clone();
            }
        }
        let mut path = interaction.url.path().to_owned();
        for (recorded, ours) in &self.machines {
            path = path.replace(recorded.as_str(), ours);
        }
        let query = interaction.url.query().unwrap_or_default();
        format!("{}{path}?{query}", self.client.endpoint())
    }

    /// Remembers what the recorded names are called here.
    fn learn(&mut self, interaction: &Interaction, reply: &Reply) {
        for (header, result) in [("azure-asyncoperation", false), ("location", true)] {
            let Some(id) = interaction.headers.get(header).and_then(|url| operation_id(url)) else {
                continue;
            };
            if interaction.operation().is_some() {
                continue;
            }
            let id = id.split('?').next().unwrap_or_default();
            let operation = self.operations.entry(id.to_owned()).or_default();
            let path = interaction.url.path();
            operation.resource = path.trim_end_matches("/abort").to_owned();
            let ours = reply.headers.get(header).cloned();
            if result { operation.result = ours } else { operation.status = ours }
        }
        if let (Some(recorded), Some(ours)) =
            (interaction.answer["nextLink"].as_str(), reply.body["nextLink"].as_str())
        {
            self.pages.insert(page_key(recorded), ours.to_owned());
        }
        if interaction.below_cluster().is_some_and(|below| below.last() == Some(&"machines")) {
            let names = |list: &Value| {
                let items = list["value"].as_array().cloned().unwrap_or_default();
                items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            self.machines.extend(names(&interaction.answer).into_iter().zip(names(&reply.body)));
        }
    }

    /// A recorded answer with the names that things have here, where they are drawn anew.
    pub(crate) fn in_our_names(&self, recorded: &Value) -> Value {
        let mut text = recorded.to_string();
        for (theirs, ours) in &self.machines {
            text = text.replace(theirs.as_str(), ours);
            if let (Some(theirs), Some(ours)) = (scale_set(theirs), scale_set(ours)) {
                text = text.replace(theirs, ours);
            }
        }
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn stop(self) {
        self.client.stop().await;
    }
}

/// What identifies a page of a list: the path and the token.
fn page_key(url: &str) -> String {
    let url: url::Url = url.parse().unwrap();
    let token = url.query_pairs().find(|(name, _)| name.ends_with("skipToken"));
    format!("{} {}", url.path(), token.map(|(_, token)| token.into_owned()).unwrap_or_default())
}

/// The scale set of a machine: its name without the number at the end.
fn scale_set(machine: &str) -> Option<&str> {
    machine.find("-vmss").map(|at| &machine[..at + "-vmss".len()])
}
