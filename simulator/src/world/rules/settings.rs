//! Settings of pools that AKS does not take.

use semver::Version;
use serde_json::{Map, Value};

use super::invalid_parameter;
use crate::world::{call::Refusal, region::catalog, resources::document};

/// Minutes that a drain may be given ("Configure rolling upgrades").
const DRAIN_TIMEOUT: (i64, i64) = (5, 24 * 60);

/// Minutes that a node may soak.
const SOAK: (i64, i64) = (0, 30);

/// Surge, unavailability and times that AKS accepts.
pub(crate) fn check_upgrade_settings(properties: &Map<String, Value>) -> Result<(), Refusal> {
    let settings = properties.get("upgradeSettings").unwrap_or(&Value::Null);
    let is_zero = |field: &str, absent: bool| match settings.get(field) {
        None | Some(Value::Null) => absent,
        Some(value) => value.as_str().is_some_and(|text| text.trim_end_matches('%') == "0") || value == 0,
    };
    let text = |field: &str| properties.get(field).and_then(Value::as_str);
    let unavailable = !is_zero("maxUnavailable", true);
    if is_zero("maxSurge", false) && !unavailable {
        let details = "maxSurge and maxUnavailable cannot both be 0";
        return Err(invalid_parameter("agentPoolProfile.upgrade.maxSurge", details));
    }
    if unavailable && text("mode") == Some("System") {
        let details = "maxUnavailable is not supported on system pools";
        return Err(invalid_parameter("agentPoolProfile.upgrade.maxUnavailable", details));
    }
    let has_surge = settings.get("maxSurge").is_some_and(|value| !value.is_null());
    if has_surge && text("scaleSetPriority") == Some("Spot") {
        return Err(invalid_parameter("agentPoolProfile.upgrade.maxSurge", "Spot pools can't set max surge"));
    }
    for (field, (least, most)) in
        [("drainTimeoutInMinutes", DRAIN_TIMEOUT), ("nodeSoakDurationInMinutes", SOAK)]
    {
        let minutes = settings.get(field).and_then(Value::as_i64);
        if let Some(minutes) = minutes.filter(|minutes| !(least..=most).contains(minutes)) {
            let details = format!("{minutes} is not between {least} and {most} minutes");
            return Err(invalid_parameter(&format!("agentPoolProfile.upgrade.{field}"), &details));
        }
    }
    Ok(())
}

/// Inline pool fields that stable API versions do not know: the service unmarshals strictly.
///
/// Source: Azure/azure-rest-api-specs issue 40740.
pub(crate) fn check_inline_fields(profile: &Map<String, Value>) -> Result<(), Refusal> {
    let sent = |path: &&[&'static str]| {
        let (last, parents) = path.split_last()?;
        let parent = parents.iter().try_fold(profile, |object, field| object.get(*field)?.as_object())?;
        parent.get(*last).filter(|value| !value.is_null()).map(|_| *last)
    };
    let mut unknown = document::INLINE_UNKNOWN.iter().filter_map(sent);
    unknown.next().map_or(Ok(()), |field| {
        Err(Refusal::bad_request(
            "UnmarshalError",
            format!(
                "UnmarshalEntity encountered error: json: unknown field \"{field}\" Check that the field is in the \
                 right location, is spelled correctly, and is supported in the API version."
            ),
        ))
    })
}

/// Whether an OS SKU exists at `target` ("Upgrade operating system versions in AKS").
pub(crate) fn check_sku(pool: &str, os_sku: &str, target: &Version) -> Result<(), Refusal> {
    let (first, last) = catalog::minors(os_sku);
    let problem = if last.is_some_and(|last| target.minor > last) {
        format!("its last supported minor version is 1.{}", last.unwrap_or_default())
    } else if first.is_some_and(|first| target.minor < first) {
        format!("its first supported minor version is 1.{}", first.unwrap_or_default())
    } else {
        return Ok(());
    };
    Err(Refusal::bad_request(
        "OSSKUNotSupported",
        format!(
            "Agent pool {pool}: OS SKU {os_sku} is not supported on Kubernetes version {target}; {problem}."
        ),
    ))
}
