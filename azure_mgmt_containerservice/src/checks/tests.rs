//! Arbitrary documents, texts and bytes through the checks.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::check;

/// Names that the views and writes know, beside some that they do not.
const NAMES: &[&str] = &[
    "a",
    "actions",
    "additionalInfo",
    "addonProfiles",
    "agentPoolProfiles",
    "agentPoolVersions",
    "b",
    "code",
    "controlPlaneProfile",
    "creationData",
    "daily",
    "details",
    "eTag",
    "error",
    "error_description",
    "fullName",
    "hourSlots",
    "id",
    "identity",
    "info",
    "kubeconfigs",
    "kubernetesVersion",
    "localDNSProfile",
    "maintenanceWindow",
    "maxSurge",
    "message",
    "name",
    "network",
    "nextLink",
    "nodeImageVersion",
    "notAllowedDates",
    "orchestratorVersion",
    "overrideSettings",
    "patchVersions",
    "policyAssignmentName",
    "powerState",
    "properties",
    "provisioningError",
    "provisioningState",
    "recentlyUsedVersions",
    "schedule",
    "securityProfile",
    "servicePrincipalProfile",
    "startDate",
    "startTime",
    "state",
    "status",
    "subcode",
    "supportPlan",
    "tags",
    "timeInWeek",
    "type",
    "upgradeSettings",
    "upgrades",
    "utcOffset",
    "value",
    "values",
    "version",
    "weekly",
    "zones",
];

/// Texts that something reads as more than text.
const TEXTS: &[&str] = &[
    "",
    "-08:00",
    "1.34.4",
    "2026-11-22",
    "2026-11-22T18:00:00.1234567Z",
    "25:99",
    "+99:99",
    "Friday",
    "None",
    "NotLatestOperation",
    "PolicyViolation",
    "Succeeded",
    "Stopped",
    "preempted",
    "UserAssigned",
    "a/b's",
    "Y2x1c3RlcnM6IFtdCg==",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(TEXTS).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(NAMES), inner, 0..8).prop_map(|members| members
                .into_iter()
                .map(|(name, member)| (name.to_owned(), member))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

/// A document with the members that Azure always sends, and anything beside and below them.
pub(crate) fn any_document() -> impl Strategy<Value = Value> {
    (any_value(), any_value(), prop::collection::vec(any_value(), 0..4)).prop_map(
        |(root, properties, pools)| {
            let object = |value: Value| value.as_object().cloned().unwrap_or_default();
            let mut properties = object(properties);
            properties.insert("agentPoolProfiles".to_owned(), pools.into());
            let mut root = object(root);
            root.insert("properties".to_owned(), properties.into());
            root.into()
        },
    )
}

/// An operation's status, or an error in either shape, with anything in its fields.
fn any_answer() -> impl Strategy<Value = Value> {
    let status = prop_oneof![prop::sample::select(TEXTS).prop_map(Value::from), any_value()];
    let long = (900..5000_usize).prop_map(|length| Value::from("é".repeat(length)));
    (status, prop_oneof![long, any_value()], any_value(), any_value(), 0..40_usize).prop_map(
        |(status, message, detail, value, count)| {
            let details: Vec<Value> =
                std::iter::repeat_n(json!({"message": "m", "details": [detail]}), count).collect();
            let error = json!({"code": status, "subcode": value, "message": message, "details": details});
            json!({"name": "o", "status": status, "startTime": value, "error": error, "value": [value],
            "code": message, "details": [error, error], "message": message})
        },
    )
}

/// A text near those that ids, links, waits and kubeconfigs are made of.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(
        &[
            "/subscriptions/",
            "/resourceGroups/",
            "/providers/Microsoft.ContainerService/managedClusters/",
            "https://",
            "management.azure.com",
            "https://management.azure.com/",
            "https://evil.example/17",
            "westeurope.",
            "@",
            ":443",
            "/",
            "?s=x",
            "Sun, 22 Nov 2026 18:00:00 GMT",
            "\n",
            "17",
            "-",
            "clusters: [{name: c, cluster: {server: 'https://c'}}]",
            "AADSTS70021",
            "invalid type: string \"",
            "\", expected a borrowed string",
            " authentication failed.",
            "*",
        ][..],
    );
    prop::collection::vec(prop_oneof![3 => pieces.prop_map(str::to_owned), 1 => ".{0,6}"], 0..8)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_document_is_read_and_written_without_loss(
        document in prop_oneof![any_document(), any_value(), any_answer()],
    ) {
        check(document.to_string().as_bytes());
    }

    #[test]
    fn any_text_is_read_or_refused(text in any_text()) {
        check(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn a_wait_in_seconds_is_what_it_says_up_to_a_day(seconds in any::<u64>()) {
        let wait = crate::headers::wait(&seconds.to_string(), None).expect("a number of seconds");
        prop_assert_eq!(wait.as_secs(), seconds.min(24 * 3600));
    }
}
