//! Windows and freezes of the hub: what an upgrade's schedule consists of, and whom a change of them wakes.
//!
//! Both are kept by watches, so that hundreds of upgrades do not ask for them all the time; what is about to be
//! sent to Azure asks for freezes once more, live.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use crds::{
    AKSCluster, ClusterUpgrade, MaintenanceWindow, ScheduleSpec, UpgradeFreeze, schedule_of, window_of,
};
use engine::{Freeze, Schedule, Window};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::ListParams,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store, store::Writer},
        watcher,
    },
};
use serde::de::DeserializeOwned;

/// An object that may not be understood.
type Guard<K> = DeserializeGuard<K>;

/// A watch begins within a second. One that has not within this time is asked why.
const WATCHED_WITHIN: Duration = Duration::from_secs(15);

/// Windows and freezes, as last seen.
#[derive(Clone)]
pub(crate) struct Timing {
    windows: Store<Guard<MaintenanceWindow>>,
    freezes: Store<Guard<UpgradeFreeze>>,
}

/// What keeps a [`Timing`] up to date, once it is watched for.
pub(crate) struct TimingWatch {
    windows: Writer<Guard<MaintenanceWindow>>,
    freezes: Writer<Guard<UpgradeFreeze>>,
}

impl Timing {
    /// Nothing is known before the watches run.
    pub(crate) fn new() -> (Self, TimingWatch) {
        let (windows, window_writer) = reflector::store();
        let (freezes, freeze_writer) = reflector::store();
        (Self { windows, freezes }, TimingWatch { windows: window_writer, freezes: freeze_writer })
    }

    /// When steps may start that have such a schedule, whatever is frozen.
    ///
    /// # Errors
    /// When the hub cannot be read.
    pub(crate) async fn schedule(
        &self,
        hub: &Client,
        namespace: &str,
        spec: Option<&ScheduleSpec>,
    ) -> Result<Schedule, kube::Error> {
        self.ready(hub, WATCHED_WITHIN).await?;
        let mut schedule = schedule_of(spec);
        for (index, reference) in spec.iter().flat_map(|spec| &spec.windows).enumerate() {
            let known = self.windows.get(&ObjectRef::new(&reference.name).within(namespace));
            let window = match known {
                Some(known) => understood((*known).clone(), &reference.name),
                // It may have been made right now.
                None => window(hub, namespace, &reference.name).await?,
            };
            match window {
                Ok(window) => schedule.windows.push(window),
                Err(problem) => {
                    let field = format!("spec.policy.schedule.windows[{index}].name");
                    schedule.unusable.get_or_insert(format!("{field}: {problem}"));
                }
            }
        }
        Ok(schedule)
    }

    /// Waits until windows and freezes are known: nothing starts before that. Asks for them after so much patience.
    ///
    /// # Errors
    /// When they cannot be read: whoever may not list them, or has not installed them, is told so.
    async fn ready(&self, hub: &Client, patience: Duration) -> Result<(), kube::Error> {
        let both = async || {
            self.windows.wait_until_ready().await.is_ok() && self.freezes.wait_until_ready().await.is_ok()
        };
        loop {
            match tokio::time::timeout(patience, both()).await {
                Ok(true) => return Ok(()),
                // The watches have ended, and with them the process does: nothing is decided any more.
                Ok(false) => std::future::pending().await,
                Err(_) => {
                    let one = ListParams::default().limit(1);
                    Api::<Guard<MaintenanceWindow>>::all(hub.clone()).list(&one).await?;
                    Api::<Guard<UpgradeFreeze>>::all(hub.clone()).list(&one).await?;
                }
            }
        }
    }

    /// A schedule with what is known of one cluster: its freezes, and how long its steps took.
    pub(crate) fn of_cluster(&self, schedule: Schedule, cluster: &AKSCluster, now: Timestamp) -> Schedule {
        Schedule {
            freezes: holding(self.freezes.state().iter().map(|freeze| &**freeze), cluster, now),
            estimates: cluster.status.as_ref().map(|status| status.estimates.clone()).unwrap_or_default(),
            ..schedule
        }
    }
}

/// A window of a namespace, read live; the inner error says what is wrong with it.
///
/// # Errors
/// When the hub cannot be read.
pub(crate) async fn window(
    hub: &Client,
    namespace: &str,
    name: &str,
) -> Result<Result<Window, String>, kube::Error> {
    let api: Api<Guard<MaintenanceWindow>> = Api::namespaced(hub.clone(), namespace);
    // `NAME/status` would find the same object under a name that nobody else uses for it.
    let found = api.get_opt(name).await?.filter(|found| found.name_any() == name);
    Ok(match found {
        Some(found) => understood(found, name),
        None => Err(format!(
            "there is no MaintenanceWindow {name} in namespace {namespace}: create it, or name another"
        )),
    })
}

fn understood(window: Guard<MaintenanceWindow>, name: &str) -> Result<Window, String> {
    let window =
        window.0.map_err(|error| format!("MaintenanceWindow {name} cannot be read: {}", error.error))?;
    window_of(&window).map_err(|fields| {
        let words: Vec<String> = fields.iter().take(3).map(ToString::to_string).collect();
        format!("MaintenanceWindow {name} cannot be used: {}", words.join("; "))
    })
}

/// The freezes of a cluster that are not over, read live.
///
/// # Errors
/// When the hub cannot be read.
pub(crate) async fn freezes(
    hub: &Client,
    cluster: &AKSCluster,
    now: Timestamp,
) -> Result<Vec<Freeze>, kube::Error> {
    let api: Api<Guard<UpgradeFreeze>> = Api::all(hub.clone());
    let found = api.list(&ListParams::default()).await?;
    Ok(holding(found.items.iter(), cluster, now))
}

/// Those of the freezes that select a cluster and are not over. One that cannot be understood holds all: somebody
/// wants nothing to start.
fn holding<'a>(
    freezes: impl Iterator<Item = &'a Guard<UpgradeFreeze>>,
    cluster: &AKSCluster,
    now: Timestamp,
) -> Vec<Freeze> {
    let namespace = cluster.namespace().unwrap_or_default();
    let one = |freeze: &Guard<UpgradeFreeze>| match &freeze.0 {
        Ok(freeze) => freeze.selects(&namespace, cluster.labels()).then(|| freeze.freeze()),
        Err(error) => Some(Freeze {
            name: freeze.name_any(),
            reason: format!("it cannot be understood: {}", error.error),
            from: Timestamp::MIN,
            until: None,
        }),
    };
    let mut freezes: Vec<Freeze> = freezes.filter_map(one).filter(|freeze| !freeze.is_over(now)).collect();
    freezes.sort_by(|a, b| a.name.cmp(&b.name));
    freezes
}

impl TimingWatch {
    /// Watches; gives the windows and the freezes that somebody has made, changed or deleted.
    pub(crate) fn changes(
        self,
        watches: &Client,
    ) -> (
        impl Stream<Item = Result<Guard<MaintenanceWindow>, watcher::Error>> + Send + use<>,
        impl Stream<Item = Result<Guard<UpgradeFreeze>, watcher::Error>> + Send + use<>,
    ) {
        (changed(watches, self.windows), changed(watches, self.freezes))
    }
}

/// Objects whose specification changed, and those that are gone. Our own writes of statuses wake nobody.
fn changed<K>(
    watches: &Client,
    writer: Writer<Guard<K>>,
) -> impl Stream<Item = Result<Guard<K>, watcher::Error>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let api: Api<Guard<K>> = Api::all(watches.clone());
    let mut known = BTreeMap::new();
    watcher(api, watcher::Config::default()).default_backoff().reflect(writer).filter_map(move |event| {
        let key = |object: &Guard<K>| (object.namespace(), object.name_any());
        let news = match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let version = (object.uid(), object.meta().generation);
                let is_new = known.insert(key(&object), version.clone()) != Some(version);
                is_new.then_some(Ok(object))
            }
            Ok(watcher::Event::Delete(object)) => {
                known.remove(&key(&object));
                Some(Ok(object))
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => None,
            Err(error) => Some(Err(error)),
        };
        std::future::ready(news)
    })
}

/// The upgrades that are not done, as far as `concerns` says that they have to look again.
pub(crate) fn concerned(
    upgrades: &Store<Guard<ClusterUpgrade>>,
    concerns: impl Fn(&ClusterUpgrade) -> bool,
) -> Vec<ObjectRef<Guard<ClusterUpgrade>>> {
    let is_open = |upgrade: &ClusterUpgrade| {
        upgrade.status.as_ref().is_none_or(|status| status.ledger.finished_at.is_none())
    };
    let all: Vec<Arc<Guard<ClusterUpgrade>>> = upgrades.state();
    let upgrades = all.iter().filter_map(|upgrade| upgrade.0.as_ref().ok());
    let concerned = upgrades.filter(|upgrade| is_open(upgrade) && concerns(upgrade));
    concerned
        .map(|upgrade| ObjectRef::new(&upgrade.name_any()).within(&upgrade.namespace().unwrap_or_default()))
        .collect()
}

/// Whether an upgrade names a window.
pub(crate) fn names(upgrade: &ClusterUpgrade, window: &Guard<MaintenanceWindow>) -> bool {
    let schedule = upgrade.spec.policy.schedule.as_ref();
    let windows = schedule.iter().flat_map(|schedule| &schedule.windows);
    upgrade.namespace() == window.namespace()
        && windows.into_iter().any(|reference| reference.name == window.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn cluster(ring: &str) -> AKSCluster {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
            "metadata": {"name": "weu-1", "namespace": "fleet", "labels": {"ring": ring}},
            "spec": {"resourceId": "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/weu-1"}
        }))
        .unwrap()
    }

    fn freeze(name: &str, spec: Value) -> Guard<UpgradeFreeze> {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradeFreeze",
            "metadata": {"name": name, "creationTimestamp": "2026-12-01T08:00:00Z"}, "spec": spec
        }))
        .unwrap()
    }

    #[test]
    fn the_freezes_of_a_cluster_are_those_that_select_it_and_are_not_over() {
        let freezes = [
            freeze("prod", json!({"reason": "a", "selector": {"matchLabels": {"ring": "prod"}}})),
            freeze("over", json!({"reason": "b", "to": "2026-12-02T00:00:00Z"})),
            freeze("later", json!({"reason": "c", "from": "2026-12-20T00:00:00Z"})),
            freeze("elsewhere", json!({"reason": "d", "namespaces": ["other"]})),
            freeze("broken", json!({"reason": 7})),
        ];
        let now = "2026-12-05T22:00:00Z".parse().unwrap();
        let names = |ring| -> Vec<String> {
            holding(freezes.iter(), &cluster(ring), now).into_iter().map(|freeze| freeze.name).collect()
        };
        assert_eq!(names("prod"), ["broken", "later", "prod"]);
        assert_eq!(names("canary"), ["broken", "later"]);
        let broken = &holding(freezes[4..].iter(), &cluster("prod"), now)[0];
        assert!(broken.holds(now) && broken.reason.starts_with("it cannot be understood: "), "{broken:?}");
    }

    #[tokio::test]
    async fn windows_that_cannot_be_watched_are_an_error_and_no_wait_without_end() {
        let (timing, _unpolled) = Timing::new();
        let nobody = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let hub = Client::try_from(nobody).unwrap();
        timing.ready(&hub, Duration::from_millis(10)).await.unwrap_err();
    }

    #[test]
    fn a_window_concerns_the_upgrades_of_its_namespace_that_name_it() {
        let upgrade = |namespace: &str, window: &str| -> ClusterUpgrade {
            serde_json::from_value(json!({
                "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
                "metadata": {"name": "u", "namespace": namespace},
                "spec": {"clusterRef": {"name": "weu-1"}, "target": {},
                    "policy": {"schedule": {"windows": [{"name": window}]}}}
            }))
            .unwrap()
        };
        let window: Guard<MaintenanceWindow> = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "MaintenanceWindow",
            "metadata": {"name": "weekend", "namespace": "fleet"}, "spec": {}
        }))
        .unwrap();
        assert!(names(&upgrade("fleet", "weekend"), &window));
        assert!(!names(&upgrade("fleet", "night"), &window));
        assert!(!names(&upgrade("other", "weekend"), &window));
        let error = understood(window, "weekend").unwrap_err();
        assert!(error.starts_with("MaintenanceWindow weekend cannot be read: "), "{error}");
    }
}
