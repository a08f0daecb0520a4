//! Management locks, and what they forbid ("Lock your Azure resources to protect your infrastructure").

use serde_json::{Value, json};

use super::{Answer, Manager, ManagerCall, Refusal, Scope};
use crate::{
    scenario::{LockLevel, LockSpec},
    world::Call,
};

/// A management lock.
#[derive(Clone, Debug)]
pub(super) struct Lock {
    /// Id of what is locked, as whoever locked it wrote it.
    id: String,
    name: String,
    level: LockLevel,
    notes: Option<String>,
}

impl Lock {
    fn render(&self) -> Value {
        let Self { id, name, level, notes } = self;
        let mut properties = json!({ "level": level });
        if let Some(notes) = notes {
            properties["notes"] = json!(notes);
        }
        json!({
            "id": format!("{id}/providers/Microsoft.Authorization/locks/{name}"),
            "name": name,
            "type": "Microsoft.Authorization/locks",
            "properties": properties,
        })
    }
}

impl Manager {
    pub(super) fn add_lock(&mut self, spec: &LockSpec) {
        let LockSpec { scope, name, level, notes } = spec;
        let lock = Lock { id: scope.clone(), name: name.clone(), level: *level, notes: notes.clone() };
        self.locks.insert((Scope::new(scope), name.to_lowercase()), lock);
    }

    /// Refuses changes of what is locked. Locks themselves come and go whatever is locked.
    pub(super) fn check_locks(&self, call: &Call) -> Result<(), Refusal> {
        if call.is_read() || matches!(call, Call::Manager(call) if call.is_about_locks()) {
            return Ok(());
        }
        let scope = call.scope();
        let deletes = call.is_deletion();
        let holds = |(locked, _): &(Scope, String), lock: &Lock| {
            let above = locked.contains(&scope);
            match lock.level {
                LockLevel::ReadOnly => above || deletes && scope.contains(locked),
                LockLevel::CanNotDelete => deletes && (above || scope.contains(locked)),
            }
        };
        let holding = self.locks.iter().filter(|(key, lock)| holds(key, lock));
        let holding = holding.map(|(_, lock)| lock.id.as_str()).collect::<Vec<_>>();
        if holding.is_empty() {
            return Ok(());
        }
        let kind = if deletes { "delete" } else { "write" };
        let message = format!(
            "The scope '{scope}' cannot perform {kind} operation because following scope(s) are locked: '{}'. Please \
             remove the lock and try again.",
            holding.join(",")
        );
        Err(Refusal::arm(409, "ScopeLocked", message))
    }

    /// Locks at this scope, above it, and below it unless they are not wanted.
    pub(super) fn list_locks(&self, scope: &Scope, at_scope: bool) -> Vec<Value> {
        let locks = self
            .locks
            .iter()
            .filter(|((locked, _), _)| locked.contains(scope) || !at_scope && scope.contains(locked));
        locks.map(|(_, lock)| lock.render()).collect()
    }

    pub(super) fn get_lock(&self, scope: &Scope, name: &str) -> Result<Answer, Refusal> {
        let lock = self.locks.get(&(scope.clone(), name.to_lowercase()));
        lock.map(|lock| Answer::new(200, lock.render())).ok_or_else(|| {
            Refusal::arm(404, "LockNotFound", format!("The lock '{name}' could not be found."))
        })
    }

    pub(super) fn put_lock(
        &mut self,
        (scope, id): &(Scope, String),
        name: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        let properties = body.get("properties").unwrap_or(&Value::Null);
        let level = properties.get("level").cloned().unwrap_or_default();
        let Ok(level) = serde_json::from_value::<LockLevel>(level) else {
            let message = "The lock level is invalid; it must be CanNotDelete or ReadOnly.";
            return Err(Refusal::arm(400, "InvalidLockLevel", message));
        };
        let notes = properties.get("notes").and_then(Value::as_str).map(str::to_owned);
        let lock = Lock { id: id.clone(), name: name.to_owned(), level, notes };
        let answer = lock.render();
        let before = self.locks.insert((scope.clone(), name.to_lowercase()), lock);
        Ok(Answer::new(if before.is_some() { 200 } else { 201 }, answer))
    }

    pub(super) fn delete_lock(&mut self, scope: &Scope, name: &str) -> Answer {
        let gone = self.locks.remove(&(scope.clone(), name.to_lowercase()));
        Answer::new(if gone.is_some() { 200 } else { 204 }, Value::Null)
    }
}

impl ManagerCall {
    const fn is_about_locks(&self) -> bool {
        matches!(self, Self::PutLock { .. } | Self::DeleteLock { .. })
    }
}
