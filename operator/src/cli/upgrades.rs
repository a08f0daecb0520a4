//! `tidegate get-upgrades`: what runs, and what Azure offers.

use std::process::ExitCode;

use crds::AKSCluster;
use kube::ResourceExt;
use serde::Serialize;

use super::{
    hub::HubArgs,
    output::{Format, print, table},
};

/// Arguments of `get-upgrades`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// One AKSCluster; all of the namespace without it.
    cluster: Option<String>,
    #[command(flatten)]
    hub: HubArgs,
    /// How the answer looks.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    cluster: String,
    /// `None` for the control plane.
    pool: Option<String>,
    version: String,
    /// Kubernetes versions for the control plane; for a pool its control plane's version, if it is behind.
    upgrades: Vec<String>,
    image: Option<String>,
    newest_image: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let hub = args.hub.connect().await?;
    let clusters = hub.clusters().await?;
    let known: Vec<String> = clusters.iter().map(ResourceExt::name_any).collect();
    let wanted: Vec<&AKSCluster> = clusters
        .iter()
        .filter(|cluster| args.cluster.as_ref().is_none_or(|name| *name == cluster.name_any()))
        .collect();
    if let (Some(name), true) = (&args.cluster, wanted.is_empty()) {
        anyhow::bail!(
            "there is no AKSCluster {name} in namespace {}; registered: {}",
            hub.namespace,
            known.join(", ")
        );
    }
    let rows: Vec<Row> = wanted.iter().flat_map(|cluster| rows(cluster)).collect();
    match args.output.render(&rows)? {
        Some(text) => print(&text),
        None => print(&render(&rows)),
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(cluster: &AKSCluster) -> Vec<Row> {
    let name = cluster.name_any();
    let status = cluster.status.as_ref();
    let Some(seen) = status.and_then(|status| status.cluster.as_ref()) else {
        let why = status
            .and_then(|status| status.conditions.first())
            .map_or("not observed yet", |ready| &ready.message);
        return vec![Row {
            cluster: name,
            pool: None,
            version: why.to_owned(),
            upgrades: Vec::new(),
            image: None,
            newest_image: None,
        }];
    };
    let offers = status.and_then(|status| status.offers.clone()).unwrap_or_default();
    let control_plane = Row {
        cluster: name.clone(),
        pool: None,
        version: seen.version.to_string(),
        upgrades: offers
            .control_plane
            .iter()
            .map(|offer| format!("{}{}", offer.version, if offer.preview { " (preview)" } else { "" }))
            .collect(),
        image: None,
        newest_image: None,
    };
    let pools = seen.pools.iter().map(|pool| Row {
        cluster: name.clone(),
        pool: Some(pool.name.clone()),
        version: pool.version.to_string(),
        upgrades: (pool.version < seen.version).then(|| seen.version.to_string()).into_iter().collect(),
        image: Some(pool.node_image.clone()),
        newest_image: offers.images.get(&pool.name).filter(|newest| **newest != pool.node_image).cloned(),
    });
    std::iter::once(control_plane).chain(pools).collect()
}

fn render(rows: &[Row]) -> String {
    let cells = rows
        .iter()
        .map(|row| {
            vec![
                row.cluster.clone(),
                row.pool.clone().unwrap_or_else(|| "(control plane)".to_owned()),
                row.version.clone(),
                if row.upgrades.is_empty() { "–".to_owned() } else { row.upgrades.join(", ") },
                row.image.clone().unwrap_or_else(|| "–".to_owned()),
                row.newest_image.clone().unwrap_or_else(|| "–".to_owned()),
            ]
        })
        .collect();
    table(&["CLUSTER", "POOL", "VERSION", "UPGRADES", "IMAGE", "NEWER IMAGE"], cells)
}
