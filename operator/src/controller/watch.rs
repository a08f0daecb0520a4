//! How a controller watches and is driven.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use kube::{
    Api, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        controller::{Action, Controller},
        predicates,
        reflector::{self, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;

use crate::context::Context;

/// After an error that nothing else explains.
const ERROR_PAUSE: Duration = Duration::from_secs(5);

/// Objects whose specification or annotations changed: our own status writes wake nobody.
/// One object that does not deserialise stops nobody else.
pub(crate) fn changed_specs<K>(
    api: Api<DeserializeGuard<K>>,
) -> (Store<DeserializeGuard<K>>, impl Stream<Item = Result<DeserializeGuard<K>, watcher::Error>> + Send)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let stream = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        .predicate_filter(
            kube::runtime::utils::Predicate::combine(predicates::generation, predicates::annotations),
            kube::runtime::utils::PredicateConfig::default(),
        );
    (store, stream)
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
    name: &'static str,
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
    controller
        .run(reconcile, |_, _: &E, _| Action::requeue(ERROR_PAUSE), context)
        .for_each(|outcome| {
            metrics.reconcile(name, outcome.is_ok());
            if let Err(error) = outcome {
                tracing::warn!(
                    controller = name,
                    error = crate::azure::with_causes(&error),
                    "will be tried again"
                );
            }
            std::future::ready(())
        })
        .await;
}

/// An answer, or `None` when the object is gone: then there is nothing left to do.
pub(crate) fn settled<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}
