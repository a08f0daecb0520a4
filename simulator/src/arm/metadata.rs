//! What tools read to get to know a cloud: its endpoints, audiences and suffixes.
//!
//! The two forms are those that Azure CLI, the Terraform providers and the SDKs ask for: 2019-05-01 answers
//! with a list of clouds, 2022-09-01 with one. Needs no token.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::path::parameter;
use crate::{identity::ARM_AUDIENCE, server::Shared};

/// Name of the cloud.
const NAME: &str = "TidegateSimulator";

/// The api-versions, and whether each answers with a list.
const VERSIONS: [(&str, bool); 6] = [
    ("2018-05-01", true),
    ("2019-05-01", true),
    ("2019-10-01", true),
    ("2020-06-01", true),
    ("2022-09-01", false),
    ("2023-01-01", false),
];

pub(super) async fn endpoints(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let version = parameter(uri.query().unwrap_or_default(), "api-version").unwrap_or_default();
    if version == "2015-01-01" {
        return Json(oldest(&shared)).into_response();
    }
    let Some((_, is_list)) = VERSIONS.iter().find(|(known, _)| *known == version) else {
        let known = VERSIONS.map(|(known, _)| known).join(",");
        let message = format!(
            "The api-version '{version}' is invalid. The supported versions are '2015-01-01,{known}'."
        );
        let body = json!({ "error": { "code": "InvalidApiVersionParameter", "message": message } });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    };
    let cloud = cloud(&shared);
    Json(if *is_list { json!([cloud]) } else { cloud }).into_response()
}

fn oldest(shared: &Shared) -> Value {
    let endpoint = &shared.endpoint;
    json!({
        "galleryEndpoint": format!("{endpoint}/"),
        "graphEndpoint": format!("{endpoint}/"),
        "portalEndpoint": format!("{endpoint}/"),
        "authentication": authentication(shared),
    })
}

fn authentication(shared: &Shared) -> Value {
    json!({
        "loginEndpoint": format!("{}/", shared.endpoint),
        "audiences": [format!("{ARM_AUDIENCE}/"), "https://management.core.windows.net/"],
        "tenant": shared.tenant.id,
        "identityProvider": "AAD",
    })
}

/// What the simulator does not have is where it is in the public cloud's naming, below a name that resolves
/// nowhere: a tool that goes there fails at once.
fn cloud(shared: &Shared) -> Value {
    let endpoint = &shared.endpoint;
    let elsewhere = |name: &str| format!("https://{name}.simulator.invalid/");
    json!({
        "portal": elsewhere("portal"),
        "authentication": authentication(shared),
        "media": elsewhere("media"),
        "graphAudience": elsewhere("graph"),
        "graph": elsewhere("graph"),
        "name": NAME,
        "suffixes": {
            "azureDataLakeStoreFileSystem": "datalakestore.simulator.invalid",
            "acrLoginServer": "registry.simulator.invalid",
            "sqlServerHostname": "database.simulator.invalid",
            "azureDataLakeAnalyticsCatalogAndJob": "datalakeanalytics.simulator.invalid",
            "keyVaultDns": "vault.simulator.invalid",
            "storage": "core.simulator.invalid",
            "azureFrontDoorEndpointSuffix": "frontdoor.simulator.invalid",
            "storageSyncEndpointSuffix": "afs.simulator.invalid",
            "mhsmDns": "managedhsm.simulator.invalid",
            "mysqlServerEndpoint": "mysql.simulator.invalid",
            "postgresqlServerEndpoint": "postgres.simulator.invalid",
            "mariadbServerEndpoint": "mariadb.simulator.invalid",
            "synapseAnalytics": "synapse.simulator.invalid",
            "attestationEndpoint": "attest.simulator.invalid",
        },
        "batch": elsewhere("batch"),
        "resourceManager": format!("{endpoint}/"),
        "vmImageAliasDoc": elsewhere("images"),
        "activeDirectoryDataLake": elsewhere("datalake"),
        "sqlManagement": elsewhere("sql"),
        "microsoftGraphResourceId": elsewhere("graph"),
        "appInsightsResourceId": elsewhere("insights"),
        "appInsightsTelemetryChannelResourceId": elsewhere("telemetry"),
        "attestationResourceId": elsewhere("attest"),
        "synapseAnalyticsResourceId": elsewhere("synapse"),
        "logAnalyticsResourceId": elsewhere("logs"),
        "ossrDbmsResourceId": elsewhere("databases"),
        "gallery": elsewhere("gallery"),
    })
}
