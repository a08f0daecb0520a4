//! Tenants and subscriptions.

use serde_json::{Value, json};

use super::{Answer, GroupKey, Manager, Refusal, groups::Group};
use crate::{scenario::SubscriptionSpec, world::Call};

/// A subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    id: String,
    name: String,
    state: String,
}

impl Subscription {
    /// One about which nothing is known but its id.
    pub(super) fn new(id: String) -> Self {
        Self { name: id.clone(), id, state: "Enabled".to_owned() }
    }
}

impl Manager {
    pub(super) fn add_subscription(&mut self, spec: &SubscriptionSpec) {
        let SubscriptionSpec { id, name, state, resource_groups } = spec;
        let name = name.clone().unwrap_or_else(|| id.clone());
        let subscription = Subscription { id: id.clone(), name, state: state.clone() };
        self.subscriptions.insert(id.to_lowercase(), subscription);
        for group in resource_groups {
            let made = Group::new(group.name.clone(), group.location.clone());
            let made = Group { tags: json!(group.tags), ..made };
            self.groups.insert(GroupKey::new(id, &group.name), made);
        }
    }

    /// Refuses what is about no subscription, and changes in one that can only be read.
    pub(super) fn check_subscription(&self, call: &Call) -> Result<(), Refusal> {
        let id = call.subscription();
        if id.is_empty() {
            return Ok(());
        }
        let Some(subscription) = self.subscriptions.get(&id) else {
            return Err(not_found(&id));
        };
        if subscription.state == "Disabled" && !call.is_read() {
            let message = format!(
                "The subscription '{id}' is disabled and therefore marked as read only. You cannot perform any write \
                 actions on this subscription until it is re-enabled."
            );
            return Err(Refusal::arm(409, "ReadOnlyDisabledSubscription", message));
        }
        Ok(())
    }

    pub(super) fn tenants(&self) -> Vec<Value> {
        let id = &self.tenant;
        let domain = "tidegate.example";
        vec![json!({
            "id": format!("/tenants/{id}"),
            "tenantId": id,
            "countryCode": "NL",
            "displayName": "Tidegate simulator",
            "domains": [domain],
            "tenantCategory": "Home",
            "defaultDomain": domain,
            "tenantType": "AAD",
        })]
    }

    pub(super) fn list_subscriptions(&self) -> Vec<Value> {
        self.subscriptions.values().map(|subscription| self.render_subscription(subscription)).collect()
    }

    pub(super) fn get_subscription(&self, id: &str) -> Result<Answer, Refusal> {
        let subscription = self.subscriptions.get(&id.to_lowercase()).ok_or_else(|| not_found(id))?;
        Ok(Answer::new(200, self.render_subscription(subscription)))
    }

    fn render_subscription(&self, subscription: &Subscription) -> Value {
        let Subscription { id, name, state } = subscription;
        json!({
            "id": format!("/subscriptions/{id}"),
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": id,
            "tenantId": self.tenant,
            "displayName": name,
            "state": state,
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        })
    }
}

fn not_found(id: &str) -> Refusal {
    let digits = id.chars().filter(|c| c.is_ascii_hexdigit()).count();
    if digits != 32 || id.len() != 36 {
        let message = format!("The provided subscription identifier '{id}' is malformed or invalid.");
        return Refusal::arm(400, "InvalidSubscriptionId", message);
    }
    Refusal::arm(404, "SubscriptionNotFound", format!("The subscription '{id}' could not be found."))
}
