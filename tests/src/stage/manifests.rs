//! Manifests, as a user writes them, and what an API server says to them.

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
    discovery::{Scope, pinned_kind},
};
use serde_json::json;

/// Who owns the fields of applied manifests.
const FIELD_MANAGER: &str = "tidegate-tests";

/// Applies several YAML documents, server-side.
///
/// # Errors
/// When one is not a manifest, or is refused.
pub async fn apply(client: &Client, yaml: &str) -> Result<()> {
    apply_with(client, yaml, &PatchParams::apply(FIELD_MANAGER).force()).await
}

/// The same, with unknown fields refused instead of dropped.
///
/// # Errors
/// When one is not a manifest, or is refused.
pub async fn apply_strictly(client: &Client, yaml: &str) -> Result<()> {
    apply_with(client, yaml, &PatchParams::apply(FIELD_MANAGER).force().validation_strict()).await
}

async fn apply_with(client: &Client, yaml: &str, params: &PatchParams) -> Result<()> {
    for object in read(yaml)? {
        let name = object.name_any();
        let api = api_of(client, &object).await?;
        api.patch(&name, params, &Patch::Apply(&object)).await.with_context(|| format!("applying {name}"))?;
    }
    Ok(())
}

/// What the API server says to a manifest that it should refuse.
///
/// # Errors
/// When it takes it.
pub async fn refusal(client: &Client, yaml: &str) -> Result<String> {
    let [object] = <[_; 1]>::try_from(read(yaml)?).ok().context("one document")?;
    let api = api_of(client, &object).await?;
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) => Ok(status.message.clone()),
        Err(other) => Err(other).context("a refusal"),
        Ok(_) => bail!("was admitted, and should have been refused:\n{yaml}"),
    }
}

/// Whether the API server would take a manifest: nothing is stored.
///
/// # Errors
/// What it says if it refuses.
pub async fn would_take(client: &Client, yaml: &str) -> Result<()> {
    let [object] = <[_; 1]>::try_from(read(yaml)?).ok().context("one document")?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let answer = api_of(client, &object).await?.create(&dry, &object).await;
    answer.map(drop).with_context(|| format!("refused, and should have been taken:\n{yaml}"))
}

fn read(yaml: &str) -> Result<Vec<DynamicObject>> {
    serde_saphyr::from_multiple(yaml).with_context(|| format!("not manifests:\n{yaml}"))
}

async fn api_of(client: &Client, object: &DynamicObject) -> Result<Api<DynamicObject>> {
    let types = object.types.as_ref().context("apiVersion and kind")?;
    let kind = GroupVersionKind::try_from(types).context("an apiVersion")?;
    let (resource, capabilities) =
        pinned_kind(client, &kind).await.with_context(|| format!("looking up {}", types.kind))?;
    Ok(match (capabilities.scope, object.namespace()) {
        (Scope::Namespaced, Some(namespace)) => {
            ensure_namespace(client, &namespace).await?;
            Api::namespaced_with(client.clone(), &namespace, &resource)
        }
        (Scope::Namespaced, None) => Api::default_namespaced_with(client.clone(), &resource),
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
    })
}

/// Makes a namespace, unless it is there.
pub(super) async fn ensure_namespace(client: &Client, name: &str) -> Result<()> {
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    match Api::all(client.clone()).create(&PostParams::default(), &namespace).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(drop).with_context(|| format!("creating namespace {name}")),
    }
}
