//! How an AKSCluster itself stands: whether what is shown of it is known, and since when. And whether an upgrade
//! waits for a person.

use crds::{AKSCluster, ClusterUpgrade, Summary};
use jiff::Timestamp;
use serde::Serialize;

use super::{hub::Found, output::local};

/// Which AKSCluster, and whether it could be read.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standing {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The condition Ready; `None` before the first look.
    pub(super) ready: Option<Ready>,
    /// When Azure showed what is shown of it.
    cluster_read_at: Option<Timestamp>,
    /// When what Azure offers it was read. After an upgrade since, the region's versions tell where its
    /// control plane may go, until it is read again.
    offers_read_at: Option<Timestamp>,
    /// Why nothing else is known of it.
    pub(super) error: Option<String>,
}

/// The condition Ready of an AKSCluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ready {
    status: String,
    pub(super) reason: String,
    message: String,
    /// Since when it has this status.
    since: Timestamp,
}

impl Standing {
    pub(super) fn of(found: &Found) -> Self {
        let (namespace, name) = (found.namespace.clone(), found.name.clone());
        let cluster = match &found.cluster {
            Ok(cluster) => cluster,
            Err(error) => {
                let error = Some(format!("the AKSCluster cannot be read: {error}"));
                return Self {
                    namespace,
                    name,
                    ready: None,
                    cluster_read_at: None,
                    offers_read_at: None,
                    error,
                };
            }
        };
        let ready = ready(cluster);
        let observed = cluster.status.as_ref().is_some_and(|status| status.cluster.is_some());
        let error = (!observed).then(|| match &ready {
            Some(ready) => format!("{}: {}", ready.reason, ready.message),
            None => "not looked at yet: see whether the operator runs".to_owned(),
        });
        let status = cluster.status.as_ref();
        let cluster_read_at = status.and_then(|status| status.cluster_read_at);
        let offers_read_at = status.and_then(|status| status.offers_read_at);
        Self { namespace, name, ready, cluster_read_at, offers_read_at, error }
    }

    /// Whether Azure and the cluster can be read now.
    pub(super) fn is_ready(&self) -> bool {
        self.error.is_none() && self.ready.as_ref().is_some_and(|ready| ready.status == "True")
    }

    /// Whether what is shown of Azure may be old.
    pub(super) fn is_stale(&self) -> bool {
        !self.is_ready() && self.ready.as_ref().is_none_or(|ready| ready.reason != "ClusterUnreachable")
    }

    /// In a word, and since when it is not well.
    pub(super) fn words(&self) -> String {
        match &self.ready {
            Some(ready) if ready.status == "True" => "Ready".to_owned(),
            Some(ready) => format!("{} since {}", ready.reason, local(ready.since)),
            None => "Unknown".to_owned(),
        }
    }

    /// In a sentence.
    pub(super) fn sentence(&self) -> String {
        match &self.ready {
            Some(ready) => {
                let (reason, since) = (&ready.reason, local(ready.since));
                let word = if ready.status == "True" { "Ready" } else { reason };
                format!("{word} since {since}: {}", ready.message)
            }
            None => "Unknown".to_owned(),
        }
    }

    /// When Azure showed what is shown of it: in a table.
    pub(super) fn seen(&self) -> String {
        self.cluster_read_at.map_or("–".to_owned(), local)
    }

    /// The same in a sentence.
    pub(super) fn cluster_read(&self) -> Option<String> {
        self.cluster_read_at.map(|at| format!("seen in Azure {}", local(at)))
    }

    /// When what Azure offers was read.
    pub(super) fn offers_read(&self) -> Option<String> {
        self.offers_read_at.map(|at| format!("what Azure offers was read {}", local(at)))
    }
}

/// What an upgrade says of itself; `None` before the operator has looked at it.
pub(super) fn summary(upgrade: &ClusterUpgrade) -> Option<&Summary> {
    upgrade.status.as_ref()?.summary.as_ref()
}

/// Whether an upgrade has stopped, and somebody has to do something about it.
pub(super) fn is_stopped(upgrade: &ClusterUpgrade) -> bool {
    let is_over = upgrade.status.as_ref().is_some_and(|status| status.ledger.finished_at.is_some());
    !is_over && summary(upgrade).is_some_and(|summary| summary.phase == "Stopped")
}

/// Whether an upgrade is suspended by itself, and says something else about itself.
pub(super) fn is_suspended_besides(upgrade: &ClusterUpgrade) -> bool {
    let says_so = |reason: &str| matches!(reason, "Suspended" | "Succeeded" | "Skipped");
    upgrade.spec.suspend && summary(upgrade).is_some_and(|summary| !says_so(&summary.reason))
}

/// Whether a step of it was aborted or rolled back, so that nothing goes on until somebody asks for it.
pub(super) fn is_halted(upgrade: &ClusterUpgrade) -> bool {
    is_stopped(upgrade) && upgrade.status.as_ref().is_some_and(|status| status.ledger.control.halt.is_some())
}

fn ready(cluster: &AKSCluster) -> Option<Ready> {
    let conditions = cluster.status.as_ref().map(|status| status.conditions.as_slice())?;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    Some(Ready {
        status: ready.status.clone(),
        reason: ready.reason.clone(),
        message: ready.message.clone(),
        since: ready.last_transition_time.0,
    })
}
