//! How a controller watches and is driven.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{Stream, StreamExt, TryStreamExt};
use kube::{
    Api, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        controller::{self, Action, Controller},
        predicates,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::{
    azure::{ObjectName, wake_ups},
    context::Context,
};

/// Pauses after errors in a row: short, since most are conflicts; long, when the hub is away.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LARGEST_PAUSE: Duration = Duration::from_secs(120);

/// A controller's name, and the kind of its objects: labels of metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Controlled {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
}

/// Objects whose specification or annotations changed: our own status writes wake nobody.
/// One object that does not deserialise stops nobody else. One that is deleted counts no more.
pub(crate) fn changed_specs<K>(
    Controlled { kind, .. }: Controlled,
    context: &Context,
) -> (
    Store<DeserializeGuard<K>>,
    impl Stream<Item = Result<DeserializeGuard<K>, watcher::Error>> + Send + use<K>,
)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let api: Api<DeserializeGuard<K>> = Api::all(context.watches.clone());
    let metrics = context.metrics.clone();
    let stream = watcher(api, watcher::Config::default())
        .default_backoff()
        .inspect_ok(move |event| {
            if let watcher::Event::Delete(object) = event {
                metrics.standing(kind, key(object.namespace(), &object.name_any()), None);
            }
        })
        .reflect(writer)
        .applied_objects()
        .predicate_filter(
            kube::runtime::utils::Predicate::combine(predicates::generation, predicates::annotations),
            kube::runtime::utils::PredicateConfig::default(),
        );
    (store, stream)
}

/// Objects that are to be looked at again, by name.
pub(crate) fn woken_objects<K>(
    names: mpsc::Receiver<ObjectName>,
) -> impl Stream<Item = ObjectRef<DeserializeGuard<K>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + 'static,
{
    wake_ups(names).map(|(namespace, name)| ObjectRef::new(&name).within(&namespace))
}

/// What came of one reconciliation.
pub(crate) enum Ended {
    /// Look again after this (real) time.
    LookAgain(Duration),
    /// Nothing to do until something changes.
    Rest,
}

/// Runs a controller until it is told to stop.
pub(crate) async fn drive<K, F, Fut, E>(
    Controlled { name, kind }: Controlled,
    controller: Controller<DeserializeGuard<K>>,
    context: Arc<Context>,
    reconcile: F,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    F: Fn(Arc<Context>, String, String) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Ended, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let metrics = context.metrics.clone();
    let reconcile = move |object: Arc<DeserializeGuard<K>>, context: Arc<Context>| {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let invalid = object.0.as_ref().err().map(|error| error.error.clone());
        let reconcile = reconcile.clone();
        async move {
            match invalid {
                Some(error) => {
                    tracing::warn!(%namespace, %name, error, "an object cannot be read and is left alone");
                    Ok(Ended::Rest)
                }
                None => Box::pin(reconcile(context, namespace, name)).await,
            }
            .map(|ended| match ended {
                Ended::LookAgain(after) => Action::requeue(after),
                Ended::Rest => Action::await_change(),
            })
        }
    };
    let failures = Arc::new(Failures::default());
    let succeeded = failures.clone();
    let reconcile = move |object: Arc<DeserializeGuard<K>>, context: Arc<Context>| {
        let (name, succeeded) = (key(object.namespace(), &object.name_any()), succeeded.clone());
        let outcome = reconcile(object, context);
        async move { outcome.await.inspect(|_| succeeded.forget(&name)) }
    };
    let again = move |object: Arc<DeserializeGuard<K>>, _: &E, _: Arc<Context>| {
        Action::requeue(failures.pause(key(object.namespace(), &object.name_any())))
    };
    controller
        .run(reconcile, again, context)
        .for_each(|outcome| {
            match outcome {
                Ok(_) => metrics.reconcile(name, true),
                // It was to be looked at again, and was deleted meanwhile.
                Err(controller::Error::ObjectNotFound(gone)) => {
                    metrics.standing(kind, key(gone.namespace, &gone.name), None);
                }
                Err(error) => {
                    metrics.reconcile(name, false);
                    let (conflict, error) = (is_conflict(&error), azure_fleet::with_causes(&error));
                    if conflict {
                        tracing::debug!(controller = name, error, "somebody else wrote first: decided anew");
                    } else {
                        tracing::warn!(controller = name, error, "will be tried again");
                    }
                }
            }
            std::future::ready(())
        })
        .await;
}

/// How often each object failed in a row. Their own timing keeps objects apart, so there is no jitter.
#[derive(Default)]
struct Failures(Mutex<BTreeMap<String, u32>>);

impl Failures {
    fn forget(&self, object: &str) {
        if let Ok(mut failures) = self.0.lock() {
            failures.remove(object);
        }
    }

    /// Doubles with each failure in a row, from the first pause to the largest.
    fn pause(&self, object: String) -> Duration {
        let Ok(mut failures) = self.0.lock() else { return LARGEST_PAUSE };
        let failed = failures.entry(object).or_default();
        let pause = FIRST_PAUSE.saturating_mul(1 << (*failed).min(16)).min(LARGEST_PAUSE);
        *failed = failed.saturating_add(1);
        pause
    }
}

/// Whether a write was refused because the object had changed since it was read.
fn is_conflict(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<kube::Error>())
        .any(|cause| matches!(cause, kube::Error::Api(status) if status.code == 409))
}

/// Names an object.
fn key(namespace: Option<String>, name: &str) -> String {
    format!("{}/{name}", namespace.unwrap_or_default())
}

/// An answer, or `None` when the object is gone: then there is nothing left to do.
pub(crate) fn settled<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_failures_in_a_row() {
        let failures = Failures::default();
        let pause = || failures.pause("fleet/a".to_owned());
        assert_eq!([pause(), pause(), pause()].map(|pause| pause.as_millis()), [500, 1000, 2000]);
        assert!((0..40).map(|_| pause()).all(|pause| pause <= LARGEST_PAUSE));
        failures.forget("fleet/a");
        assert_eq!(pause(), FIRST_PAUSE);
    }
}
