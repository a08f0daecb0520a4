//! Waiting: a watch with a deadline.

use std::{fmt::Debug, time::Duration};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, pin_mut};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt as _, watcher::watch_object},
};
use serde::de::DeserializeOwned;

/// How long anything may take that should happen by itself: long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until an object is there and as wanted.
///
/// # Errors
/// When it is not within [`PATIENCE`]; the error shows it as it was last.
pub async fn when<K>(api: &Api<K>, name: &str, what: &str, wanted: impl Fn(&K) -> bool) -> Result<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + serde::Serialize + Send + 'static,
{
    let found = until(api, name, what, |object| object.is_some_and(&wanted)).await?;
    found.context("an object that is as wanted is there")
}

/// Waits until an object is gone.
///
/// # Errors
/// When it is still there after [`PATIENCE`].
pub async fn gone<K>(api: &Api<K>, name: &str) -> Result<()>
where
    K: Resource + Clone + Debug + DeserializeOwned + serde::Serialize + Send + 'static,
{
    until(api, name, "gone", |object| object.is_none()).await.map(drop)
}

/// Waits until an object, or its absence, is as wanted.
///
/// # Errors
/// When that does not happen within [`PATIENCE`].
pub async fn until<K>(
    api: &Api<K>,
    name: &str,
    what: &str,
    wanted: impl Fn(Option<&K>) -> bool,
) -> Result<Option<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned + serde::Serialize + Send + 'static,
{
    until_within(PATIENCE, api, name, what, wanted).await
}

/// Waits until an object, or its absence, is as wanted, for at most so long.
///
/// # Errors
/// When that does not happen in time.
pub async fn until_within<K>(
    patience: Duration,
    api: &Api<K>,
    name: &str,
    what: &str,
    wanted: impl Fn(Option<&K>) -> bool,
) -> Result<Option<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned + serde::Serialize + Send + 'static,
{
    let mut last = None;
    let watch = async {
        let changes = watch_object(api.clone(), name).default_backoff();
        pin_mut!(changes);
        while let Some(change) = changes.next().await {
            // An API server that restarts is waited for.
            let Ok(object) = change else { continue };
            if wanted(object.as_ref()) {
                return Some(object);
            }
            last = object;
        }
        None
    };
    match tokio::time::timeout(patience, watch).await {
        Ok(Some(object)) => Ok(object),
        Ok(None) | Err(_) => {
            let mut last = serde_json::to_value(&last).unwrap_or_default();
            if let Some(metadata) = last.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
                metadata.remove("managedFields");
            }
            let last = serde_saphyr::to_string(&last).unwrap_or_default();
            bail!("{name} was not {what} within {patience:?}; it was\n{last}")
        }
    }
}
