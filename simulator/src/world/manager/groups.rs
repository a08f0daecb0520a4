//! Resource groups: made, tagged, and deleted when they are empty.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Cluster, GroupKey, Manager, Refusal, locations};
use crate::{effects::ClusterKey, world::Call};

/// A resource group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) location: String,
    /// An object; null when nobody ever gave tags.
    pub(super) tags: Value,
    /// Id of the cluster whose nodes it holds.
    pub(super) managed_by: Option<String>,
}

impl Group {
    pub(super) const fn new(name: String, location: String) -> Self {
        Self { name, location, tags: Value::Null, managed_by: None }
    }

    fn render(&self, subscription: &str) -> Value {
        let Self { name, location, tags, managed_by } = self;
        let mut group = json!({
            "id": format!("/subscriptions/{subscription}/resourceGroups/{name}"),
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": location,
            "properties": { "provisioningState": "Succeeded" },
        });
        if tags.as_object().is_some_and(|tags| !tags.is_empty()) {
            group["tags"] = tags.clone();
        }
        if let Some(managed_by) = managed_by {
            group["managedBy"] = json!(managed_by);
        }
        group
    }

    fn has_tag(&self, tag: Option<&(String, Option<String>)>) -> bool {
        tag.is_none_or(|tag| has_tag(&self.tags, tag))
    }
}

/// Whether tags hold this name, and this value where one is asked for.
pub(super) fn has_tag(tags: &Value, (name, value): &(String, Option<String>)) -> bool {
    let mut tags = tags.as_object().into_iter().flatten();
    let found = tags.find(|(tag, _)| tag.eq_ignore_ascii_case(name));
    found.is_some_and(|(_, found)| value.as_ref().is_none_or(|value| found == value.as_str()))
}

impl Manager {
    /// Refuses what is in a group that is not there.
    pub(super) fn check_group(&self, call: &Call) -> Result<(), Refusal> {
        let scope = call.scope();
        let (Some(subscription), Some(name)) = (scope.subscription(), scope.group()) else {
            return Ok(());
        };
        let key = GroupKey::new(subscription, name);
        if self.groups.contains_key(&key) { Ok(()) } else { Err(not_found(name)) }
    }

    pub(super) fn list_groups(
        &self,
        subscription: &str,
        tag: Option<&(String, Option<String>)>,
    ) -> Vec<Value> {
        let groups = self.groups.iter();
        let groups = groups
            .filter(|(key, group)| key.subscription.eq_ignore_ascii_case(subscription) && group.has_tag(tag));
        groups.map(|(key, group)| group.render(&key.subscription)).collect()
    }

    pub(super) fn get_group(&self, key: &GroupKey) -> Result<Answer, Refusal> {
        let group = self.groups.get(key).ok_or_else(|| not_found(&key.name))?;
        Ok(Answer::new(200, group.render(&key.subscription)))
    }

    pub(super) fn put_group(&mut self, key: &GroupKey, body: &Value) -> Result<Answer, Refusal> {
        let location =
            body.get("location").and_then(Value::as_str).map(locations::normalize).ok_or_else(|| {
                let message = "The location property is required for this definition.";
                Refusal::arm(400, "LocationRequired", message)
            })?;
        if !locations::exists(&location) {
            let message = format!(
                "The provided location '{location}' is not available for resource group. List of available regions is \
                 '{}'.",
                locations::names().join(",")
            );
            return Err(Refusal::arm(400, "LocationNotAvailableForResourceGroup", message));
        }
        let tags = body.get("tags").cloned().unwrap_or_default();
        let before = self.groups.get(key);
        if let Some(group) = before.filter(|group| group.location != location) {
            let message = format!(
                "Invalid resource group location '{location}'. The Resource group already exists in location '{}'.",
                group.location
            );
            return Err(Refusal::arm(409, "InvalidResourceGroupLocation", message));
        }
        let status = if before.is_some() { 200 } else { 201 };
        let group = before.cloned().unwrap_or_else(|| {
            let name = body.get("name").and_then(Value::as_str).unwrap_or(&key.name);
            Group::new(name.to_owned(), location)
        });
        let group = Group { tags, ..group };
        let answer = Answer::new(status, group.render(&key.subscription));
        self.groups.insert(key.clone(), group);
        Ok(answer)
    }

    pub(super) fn patch_group(&mut self, key: &GroupKey, body: &Value) -> Result<Answer, Refusal> {
        let group = self.groups.get_mut(key).ok_or_else(|| not_found(&key.name))?;
        if let Some(tags) = body.get("tags") {
            group.tags = tags.clone();
        }
        Ok(Answer::new(200, group.render(&key.subscription)))
    }

    /// Azure deletes what is in the group along with it; here somebody would lose a simulation.
    pub(super) fn delete_group(
        &mut self,
        key: &GroupKey,
        clusters: &BTreeMap<ClusterKey, Cluster>,
    ) -> Result<Answer, Refusal> {
        if !self.groups.contains_key(key) {
            return Err(not_found(&key.name));
        }
        let inside = clusters.values().filter(|cluster| {
            let groups = [cluster.resource_group.as_str(), cluster.text("nodeResourceGroup")];
            cluster.subscription.eq_ignore_ascii_case(&key.subscription)
                && groups.iter().any(|group| group.eq_ignore_ascii_case(&key.name))
        });
        let inside = inside.map(|cluster| cluster.id.as_str()).collect::<Vec<_>>();
        if !inside.is_empty() {
            let message = format!(
                "Deletion of resource group '{}' failed as resources with identifiers '{}' could not be deleted. The \
                 simulator deletes no clusters along with their group.",
                key.name,
                inside.join(",")
            );
            return Err(Refusal::arm(409, "ResourceGroupDeletionBlocked", message));
        }
        self.groups.remove(key);
        let scope = key.scope();
        self.locks.retain(|(locked, _), _| !scope.contains(locked));
        Ok(Answer::new(200, Value::Null))
    }
}

fn not_found(name: &str) -> Refusal {
    Refusal::arm(404, "ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
}
