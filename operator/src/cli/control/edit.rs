//! Which objects a verb edits, and how. Pure.

use std::fmt;

use crds::{
    ABORT_ANNOTATION, ClusterUpgrade, RETRY_ANNOTATION, ROLLBACK_ANNOTATION, SKIP_ANNOTATION, UpgradePlan,
};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{Verb, words};
use crate::cli::{
    standing::is_stopped,
    subject::{Known, Subject, waiting_for},
};

/// A kind that is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plan,
    Upgrade,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plan => "UpgradePlan",
            Self::Upgrade => "ClusterUpgrade",
        })
    }
}

/// A field, and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Suspend(bool),
    Annotation(&'static str, String),
}

/// One edit of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) kind: Kind,
    namespace: String,
    pub(super) name: String,
    version: String,
    field: Field,
    /// It is so already.
    pub(super) is_done: bool,
    /// What it does now.
    effect: String,
    /// Whether that is to be asked for first.
    pub(super) disrupts: bool,
}

/// Why nothing is edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) words: String,
    /// The command line asks for something that there is not, whatever the state of things.
    pub(super) is_wrong_use: bool,
}

impl Refusal {
    pub(super) fn failed(words: String) -> Self {
        Self { words, is_wrong_use: false }
    }

    fn wrong_use(words: String) -> Self {
        Self { words, is_wrong_use: true }
    }
}

impl Edit {
    /// What it sets, and what that does.
    pub(super) fn told(&self) -> String {
        format!("{} on {}: {}", self.field(), self.object(), self.effect)
    }

    /// The field, and what it becomes.
    pub(super) fn field(&self) -> String {
        match &self.field {
            Field::Suspend(value) => format!("spec.suspend={value}"),
            Field::Annotation(annotation, token) => format!("{annotation}={token}"),
        }
    }

    /// What is edited.
    pub(super) fn object(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// How the object stands, where there is nothing to set.
    pub(super) fn standing(&self) -> String {
        format!("{}: {}", self.object(), self.effect)
    }

    /// The merge patch, which is refused if the object is not as it was read.
    pub(super) fn patch(&self) -> Value {
        let metadata = json!({"resourceVersion": self.version});
        match &self.field {
            Field::Suspend(value) => json!({"metadata": metadata, "spec": {"suspend": value}}),
            Field::Annotation(annotation, token) => {
                let mut metadata = metadata;
                metadata["annotations"] = json!({*annotation: token});
                json!({ "metadata": metadata })
            }
        }
    }

    fn of_plan(plan: &UpgradePlan, field: Field, effect: String) -> Self {
        Self {
            kind: Kind::Plan,
            namespace: plan.namespace().unwrap_or_default(),
            name: plan.name_any(),
            version: plan.resource_version().unwrap_or_default(),
            is_done: field == Field::Suspend(plan.spec.suspend),
            field,
            effect,
            disrupts: false,
        }
    }

    fn of_upgrade(upgrade: &ClusterUpgrade, field: Field, (effect, disrupts): (String, bool)) -> Self {
        Self {
            kind: Kind::Upgrade,
            namespace: upgrade.namespace().unwrap_or_default(),
            name: upgrade.name_any(),
            version: upgrade.resource_version().unwrap_or_default(),
            is_done: field == Field::Suspend(upgrade.spec.suspend),
            field,
            effect,
            disrupts,
        }
    }
}

/// The edits that a verb means for what has that name; never none.
///
/// # Errors
/// When nothing has that name, or the verb would do nothing there.
pub(super) fn edits(
    verb: &Verb,
    name: &str,
    token: &str,
    (known, namespace): (&Known, &str),
) -> Result<Vec<Edit>, Refusal> {
    match known.find(name, namespace).map_err(Refusal::failed)? {
        Subject::Upgrade(upgrade) => {
            let others = waiting_for(upgrade, &known.upgrades);
            let others = others.map_or_else(String::new, |others| format!("; {others}"));
            match edit(verb, upgrade, token) {
                Ok(edit) => Ok(vec![Edit { effect: edit.effect + &others, ..edit }]),
                Err(refusal) => Err(Refusal { words: refusal.words + &others, ..refusal }),
            }
        }
        Subject::Plan(plan) => of_plan(verb, plan, token, &known.members(plan)),
    }
}

fn of_plan(
    verb: &Verb,
    plan: &UpgradePlan,
    token: &str,
    members: &[ClusterUpgrade],
) -> Result<Vec<Edit>, Refusal> {
    let name = plan.name_any();
    let status = format!("tidegate status {name} -n {}", plan.namespace().unwrap_or_default());
    let chosen = |is_meant: fn(&ClusterUpgrade) -> bool, none: &str| {
        let chosen: Vec<&ClusterUpgrade> = members.iter().filter(|member| is_meant(member)).collect();
        let none = || Refusal::failed(format!("no cluster of UpgradePlan {name} {none}: see {status}"));
        if chosen.is_empty() { Err(none()) } else { Ok(chosen) }
    };
    let own = |field, effect| Ok(vec![Edit::of_plan(plan, field, effect)]);
    match verb {
        Verb::Suspend | Verb::Resume => {
            let suspend = *verb == Verb::Suspend;
            own(Field::Suspend(suspend), words::of_plan(suspend, plan.spec.suspend == suspend))
        }
        Verb::Retry => {
            let stopped = chosen(is_stopped, "has stopped")?;
            own(Field::Annotation(RETRY_ANNOTATION, token.to_owned()), words::reopened(&stopped))
        }
        Verb::Abort => chosen(words::runs_in_azure, "has an operation in Azure")?
            .into_iter()
            .map(|member| edit(verb, member, token))
            .collect(),
        Verb::Skip | Verb::Rollback { .. } => Err(Refusal::wrong_use(format!(
            "{name} is an UpgradePlan: name the cluster that is meant, as {status} shows it"
        ))),
    }
}

/// The edit that a verb means for one upgrade.
fn edit(verb: &Verb, upgrade: &ClusterUpgrade, token: &str) -> Result<Edit, Refusal> {
    let name = format!("ClusterUpgrade {}", upgrade.name_any());
    if upgrade.metadata.deletion_timestamp.is_some() && *verb != Verb::Retry {
        return Err(Refusal::failed(format!("{name} is being deleted: nothing else is done with it")));
    }
    if let Some(phase) = words::ended(upgrade) {
        return Err(Refusal::failed(format!("{name} has ended ({phase}): nothing is done with it any more")));
    }
    let annotation = |annotation, effect| {
        Edit::of_upgrade(upgrade, Field::Annotation(annotation, token.to_owned()), effect)
    };
    let refuse = |why: String| Refusal::failed(format!("{name}: {why}"));
    Ok(match verb {
        Verb::Suspend | Verb::Resume => {
            let suspend = *verb == Verb::Suspend;
            Edit::of_upgrade(upgrade, Field::Suspend(suspend), (words::suspended(upgrade, suspend), false))
        }
        Verb::Retry => annotation(RETRY_ANNOTATION, (words::retried(upgrade), false)),
        Verb::Skip => annotation(SKIP_ANNOTATION, words::skipped(upgrade)),
        Verb::Abort => annotation(ABORT_ANNOTATION, (words::aborted(upgrade).map_err(refuse)?, true)),
        Verb::Rollback { pool } => {
            let effect = words::rolled_back(upgrade, pool).map_err(refuse)?;
            let field = Field::Annotation(ROLLBACK_ANNOTATION, format!("{pool}/{token}"));
            Edit::of_upgrade(upgrade, field, (effect, true))
        }
    })
}
