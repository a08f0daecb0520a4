//! Clusters, pools and upgrade profiles that look different from what clients are used to.
//!
//! Each document of an answer is an occasion of its own: a list of ten clusters is ten. What is
//! altered is the answer; the world's own documents stay as they are, until a client writes back what it read.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Quirks, dice::Dice, fields, subject::Subject};
use crate::{
    effects::ClusterKey,
    scenario::{CallName, QuirkName, QuirkRule},
    world::call::Answer,
};

/// Field and value that no client knows.
const UNKNOWN_FIELD: &str = "fieldOfTheFuture";

/// Word that no client knows.
const UNKNOWN_WORD: &str = "WordOfTheFuture";

/// What a quirk makes of a document; the number says how often the rule has struck before.
type Alter = fn(&mut Value, &QuirkRule, u32, Dice);

/// The alterations, in the order in which they are made.
const ALTERATIONS: &[(QuirkName, Alter)] = &[
    (QuirkName::UnknownFields, |document, _, _, _| add_unknown_fields(document)),
    (QuirkName::UnknownEnumWords, |document, rule, _, _| use_unknown_words(document, rule)),
    (QuirkName::UnsortedUpgrades, |document, _, _, dice| shuffle_upgrades(document, dice)),
    (QuirkName::NullArrays, |document, _, _, _| null_arrays(document)),
    (QuirkName::NumbersForStrings, |document, _, _, _| use_numbers(document)),
    (QuirkName::OtherCaseIds, |document, _, before, _| change_case(document, before)),
    (QuirkName::MissingETags, |document, _, _, _| {
        fields::remove(document, ["eTag", "properties.eTag", "properties.agentPoolProfiles.eTag"]);
    }),
    (QuirkName::MissingCurrentVersions, |document, _, _, _| {
        fields::remove(
            document,
            [
                "properties.currentKubernetesVersion",
                "properties.currentOrchestratorVersion",
                "properties.agentPoolProfiles.currentOrchestratorVersion",
            ],
        );
    }),
    (QuirkName::MissingPowerState, |document, _, _, _| {
        fields::remove(document, ["properties.powerState", "properties.agentPoolProfiles.powerState"]);
    }),
    (QuirkName::MissingFields, |document, rule, _, _| {
        fields::remove(document, rule.fields.iter().map(String::as_str));
    }),
    (QuirkName::NullFields, |document, rule, _, _| {
        let paths = rule.fields.iter().map(String::as_str);
        fields::change(document, paths, &mut |value| *value = Value::Null);
    }),
];

impl Quirks {
    /// Alters the documents of an answer.
    pub(super) fn alter(&mut self, now: Timestamp, subject: &Subject, answer: &mut Answer) {
        let name = subject.name;
        if !ALTERATIONS.iter().any(|(quirk, _)| quirk.meets(name) && self.has(*quirk)) {
            return;
        }
        if !name.is_list() {
            self.alter_document(now, name, subject.cluster.as_ref(), &mut answer.body);
            return;
        }
        let items = answer.body.get_mut("value").and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            let own = subject.cluster.clone().or_else(|| cluster_of(item));
            self.alter_document(now, name, own.as_ref(), item);
        }
    }

    fn alter_document(
        &mut self,
        now: Timestamp,
        name: CallName,
        cluster: Option<&ClusterKey>,
        document: &mut Value,
    ) {
        for (quirk, alter) in ALTERATIONS {
            if !quirk.meets(name) {
                continue;
            }
            if let Some((rule, before)) = self.strike(now, *quirk, Some(name), cluster) {
                alter(document, &rule, before, Dice::new(self.seed, before.into()));
            }
        }
    }
}

fn cluster_of(document: &Value) -> Option<ClusterKey> {
    document.get("id").and_then(Value::as_str).map(|id| ClusterKey(id.to_lowercase()))
}

fn add_unknown_fields(document: &mut Value) {
    let unknown = json!({ "enabled": true, "levels": [1, null, "two"], "nested": { "deep": {} } });
    for path in [
        "",
        "properties.",
        "properties.upgradeSettings.",
        "properties.networkProfile.",
        "properties.agentPoolProfiles.",
        "properties.agentPoolProfiles.upgradeSettings.",
        "properties.controlPlaneProfile.",
        "properties.controlPlaneProfile.upgrades.",
        "properties.upgrades.",
    ] {
        fields::at(document, &format!("{path}{UNKNOWN_FIELD}"), &mut |object, field| {
            object.insert(field.to_owned(), unknown.clone());
        });
    }
}

fn use_unknown_words(document: &mut Value, rule: &QuirkRule) {
    if !rule.fields.is_empty() {
        let paths = rule.fields.iter().map(String::as_str);
        fields::change(document, paths, &mut |value| *value = Value::from(UNKNOWN_WORD));
        return;
    }
    // Fields that a client may change, so that writing them back is no reason for a refusal.
    let harmless = [
        "properties.autoUpgradeProfile.nodeOSUpgradeChannel",
        "properties.scaleDownMode",
        "properties.agentPoolProfiles.scaleDownMode",
    ];
    fields::change(document, harmless, &mut |value| *value = Value::from(UNKNOWN_WORD));
    let states = ["properties.provisioningState", "properties.agentPoolProfiles.provisioningState"];
    fields::change(document, states, &mut |state| {
        let last = state.as_str().is_none_or(|state| ["Succeeded", "Failed", "Canceled"].contains(&state));
        if !last {
            *state = Value::from(UNKNOWN_WORD);
        }
    });
}

fn shuffle_upgrades(document: &mut Value, mut dice: Dice) {
    fields::change(document, UPGRADES, &mut |upgrades| {
        if let Value::Array(upgrades) = upgrades {
            dice.shuffle(upgrades);
        }
    });
}

/// Where upgrade profiles list upgrades.
const UPGRADES: [&str; 3] = [
    "properties.upgrades",
    "properties.controlPlaneProfile.upgrades",
    "properties.agentPoolProfiles.upgrades",
];

fn null_arrays(document: &mut Value) {
    let is_cluster = document.pointer("/properties/controlPlaneProfile").is_some();
    let upgrades = if is_cluster { &UPGRADES[1..2] } else { &UPGRADES[..1] };
    for path in upgrades {
        fields::at(document, path, &mut |object, field| {
            if object.get(field).and_then(Value::as_array).is_none_or(Vec::is_empty) {
                object.insert(field.to_owned(), Value::Null);
            }
        });
    }
    if is_cluster {
        document["properties"]["agentPoolProfiles"] = Value::Null;
    }
}

fn use_numbers(document: &mut Value) {
    let settings = ["properties.upgradeSettings", "properties.agentPoolProfiles.upgradeSettings"];
    let digits = |value: &Value| value.as_str().and_then(|text| text.parse::<u32>().ok());
    fields::change(document, settings, &mut |settings| {
        for value in settings.as_object_mut().into_iter().flat_map(|settings| settings.values_mut()) {
            if let Some(number) = digits(value) {
                *value = Value::from(number);
            }
        }
    });
}

/// Lower case, then the names in upper case, then as they were.
fn change_case(document: &mut Value, before: u32) {
    let is_id =
        |field: &str| field.eq_ignore_ascii_case("id") || field.ends_with("Id") || field.ends_with("ID");
    fields::texts(document, &is_id, &mut |id| {
        if !id.starts_with("/subscriptions/") {
            return;
        }
        match before % 3 {
            0 => *id = id.to_lowercase(),
            1 => *id = upper_names(id),
            _ => {}
        }
    });
}

/// Every other part of an id is a name.
fn upper_names(id: &str) -> String {
    let parts = id.split('/').enumerate().map(|(index, part)| match part.to_lowercase().as_str() {
        "resourcegroups" => "resourceGroups".to_owned(),
        _ if index >= 4 && index % 2 == 0 && !part.contains('.') => part.to_uppercase(),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}
