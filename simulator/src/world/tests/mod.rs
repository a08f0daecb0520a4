//! The world as a script: calls, the passing of time, and what is to be seen then.

mod aborts;
mod auto_upgrade;
mod autoscaler;
mod busy;
mod constraints;
mod force;
mod lifecycle;
mod operations;
mod pools;
mod provisioner;
mod quirks;
mod refusals;
mod releases;
mod resources;
mod upgrades;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Call, PoolKey, World};
use crate::{
    effects::{ClusterKey, Effect, EffectId, Outcome},
    scenario::Scenario,
};

const CLUSTER: &str =
    "/subscriptions/s/resourcegroups/shop/providers/microsoft.containerservice/managedclusters/weu";

/// A world with one cluster, and the instant at which its script is.
struct Script {
    world: World,
    now: Timestamp,
}

impl Script {
    /// `rest` are further fields of the cluster `weu` at 1.34.4.
    fn new(rest: &str) -> Self {
        Self::with(
            "{ name: system, mode: System, count: 2 }, { name: apps, count: 3, maxSurge: '2', nodeImage: AKSUbuntu-2204gen2containerd-202610.01.0 }",
            rest,
        )
    }

    fn with(pools: &str, rest: &str) -> Self {
        Self::whole("", &format!("kubernetesVersion: 1.34.4, pools: [{pools}], {rest}"))
    }

    /// `general` are fields of the scenario, `fields` those of the cluster `weu` besides its name.
    fn whole(general: &str, fields: &str) -> Self {
        let yaml = format!(
            "{general}\nclusters: [{{ subscription: s, resourceGroup: shop, name: weu, {fields} }}]\n"
        );
        let scenario = Scenario::parse(&yaml).unwrap();
        Self { world: World::new(&scenario), now: "2026-12-05T22:00:00Z".parse().unwrap() }
    }

    fn call(&mut self, call: Call) -> Answer {
        self.world.call(self.now, "me", call)
    }

    fn pass(&mut self, minutes: i64) {
        self.now = self.now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
        self.world.advance(self.now);
    }

    /// Lets seconds pass.
    fn tick(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        self.world.advance(self.now);
    }

    /// `provisioningState` of the cluster, and of its pools as it shows them.
    fn states(&mut self) -> Vec<String> {
        let properties = self.get()["properties"].clone();
        let pools = properties["agentPoolProfiles"].as_array().unwrap().clone();
        let state = |properties: &Value| properties["provisioningState"].as_str().unwrap().to_owned();
        std::iter::once(state(&properties)).chain(pools.iter().map(state)).collect()
    }

    fn get(&mut self) -> Value {
        let answer = self.call(Call::GetCluster { cluster: cluster() });
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    fn get_pool(&mut self, name: &str) -> Value {
        self.call(Call::GetPool { pool: pool(name) }).body["properties"].clone()
    }

    /// GET, change, PUT of the whole cluster, as a careful client does it.
    fn put_cluster(&mut self, change: impl FnOnce(&mut Value)) -> Answer {
        let mut body = self.get();
        change(&mut body);
        self.call(Call::PutCluster { cluster: cluster(), body, if_match: None })
    }

    fn upgrade_control_plane(&mut self, version: &str) -> Answer {
        self.put_cluster(|body| body["properties"]["kubernetesVersion"] = json!(version))
    }

    /// GET, change, PUT of a pool, without its image.
    fn put_pool(&mut self, name: &str, change: impl FnOnce(&mut Value)) -> Answer {
        let mut properties = self.get_pool(name);
        properties.as_object_mut().unwrap().remove("nodeImageVersion");
        change(&mut properties);
        self.call(Call::PutPool {
            pool: pool(name),
            body: json!({ "properties": properties }),
            if_match: None,
        })
    }

    fn upgrade_pool(&mut self, name: &str, version: &str) -> Answer {
        self.put_pool(name, |properties| properties["orchestratorVersion"] = json!(version))
    }

    /// The status body of the operation that an answer started.
    fn status(&mut self, answer: &Answer) -> Value {
        let started =
            answer.started.clone().unwrap_or_else(|| panic!("nothing was started: {}", answer.body));
        self.call(Call::Operation { subscription: "s".into(), location: started.location, id: started.id })
            .body
    }

    /// Nodes of a pool: name, version, and marks (s)urge, (c)ordoned, (q)uarantined.
    fn nodes(&self, name: &str) -> Vec<String> {
        let view = self.world.view();
        let pool = view[0].pools.iter().find(|pool| pool.name == name).unwrap();
        let nodes = pool.nodes.iter().map(|node| {
            let mark = |on: bool, mark: &'static str| if on { mark } else { "" };
            format!(
                "{} {} {}{}{}",
                node.name.rsplit_once("vmss").map_or(node.name.as_str(), |(_, number)| number),
                node.kubernetes_version,
                mark(node.surge, "s"),
                mark(node.cordoned, "c"),
                mark(node.quarantined, "q"),
            )
            .trim_end()
            .to_owned()
        });
        nodes.collect()
    }

    /// Lets a driver play the cluster that carries out everything but what `refuse` answers.
    fn drive(&mut self, minutes: i64, refuse: impl Fn(&Effect) -> Option<Outcome>) -> Vec<Effect> {
        let until = self.now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
        let mut seen = Vec::new();
        loop {
            self.world.advance(self.now);
            let effects = self.world.take_effects();
            for (_, id, effect) in effects.clone() {
                self.answer(id, &effect, &refuse);
                seen.push(effect);
            }
            match self.world.next_deadline() {
                Some(next) if next <= until => self.now = next,
                _ if !effects.is_empty() => {}
                _ => break,
            }
        }
        self.now = until;
        seen
    }

    fn answer(&mut self, id: EffectId, effect: &Effect, refuse: impl Fn(&Effect) -> Option<Outcome>) {
        let outcome = refuse(effect).unwrap_or(Outcome::Done);
        self.world.complete(self.now, id, &outcome);
    }
}

/// Status, code and message of a refusal.
fn refused(answer: &Answer) -> (u16, String, String) {
    let text = |field: &str| answer.body[field].as_str().unwrap_or_default().to_owned();
    assert!(answer.started.is_none(), "{}", answer.body);
    (answer.status, text("code"), text("message"))
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str, phrase: &str) {
    let (found, found_code, message) = refused(answer);
    assert_eq!((found, found_code.as_str()), (status, code), "{message}");
    assert!(message.contains(phrase), "{message}");
}

fn cluster() -> ClusterKey {
    ClusterKey(CLUSTER.to_owned())
}

fn pool(name: &str) -> PoolKey {
    PoolKey { cluster: cluster(), name: name.to_owned() }
}
