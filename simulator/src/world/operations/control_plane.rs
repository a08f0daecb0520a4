//! The upgrade of one control plane: the new one is brought up, takes the place of the old one,
//! and then everything that runs for the cluster follows.

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde_json::Value;

use super::{
    failure,
    job::{Site, Waiting, later},
    rollout::Progress,
    work::reconciling,
};
use crate::{
    effects::{Effect, EffectId, Outcome},
    scenario::Fault,
};

/// An upgrade of a control plane under way.
#[derive(Clone, Debug)]
pub(crate) struct ControlPlaneUpgrade {
    version: Version,
    /// How long it takes in all, the API server's restart not counted.
    length: SignedDuration,
    phase: Phase,
    waiting: Waiting,
    fault: Option<Fault>,
    failure: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Until the API server is to go away.
    Provisioning,
    /// The API server comes back.
    Restarting,
    Reconciling {
        since: Timestamp,
        until: Timestamp,
    },
}

impl ControlPlaneUpgrade {
    pub(crate) fn new(
        now: Timestamp,
        version: Version,
        length: SignedDuration,
        fault: Option<Fault>,
    ) -> Self {
        let waiting = Waiting::Until(later(now, provisioning(length)));
        Self { version, length, phase: Phase::Provisioning, waiting, fault, failure: None }
    }

    /// Goes on as far as it can now.
    pub(crate) fn advance(&mut self, site: &mut Site<'_>) -> Progress {
        if let Waiting::Effect(_) = self.waiting {
            return Progress::Running;
        }
        if let Waiting::Until(at) = self.waiting
            && at > site.now
        {
            return Progress::Running;
        }
        match self.phase {
            Phase::Provisioning => {
                if let Some(error) = self.fault.as_ref().and_then(Fault::lasting) {
                    return Progress::Failed(failure::scripted(error));
                }
                let effect = Effect::UpgradeControlPlane { version: self.version.to_string() };
                let id = site.outbox.emit(site.now, site.cluster, site.driver, effect, &[]);
                (self.phase, self.waiting) = (Phase::Restarting, Waiting::Effect(id));
                Progress::Running
            }
            Phase::Restarting => {
                if let Some(message) = &self.failure {
                    return Progress::Failed(failure::broken(message));
                }
                let rest = self.length.saturating_sub(provisioning(self.length));
                let until = later(site.now, rest);
                self.phase = Phase::Reconciling { since: site.now, until };
                self.waiting = Waiting::Until(until);
                if until <= site.now { Progress::Done } else { Progress::Running }
            }
            Phase::Reconciling { .. } => Progress::Done,
        }
    }

    pub(crate) fn settle(&mut self, id: EffectId, outcome: &Outcome) {
        if self.waiting != Waiting::Effect(id) {
            return;
        }
        self.waiting = Waiting::Nothing;
        if let Outcome::Failed(message) = outcome {
            self.failure = Some(message.clone());
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        match self.waiting {
            Waiting::Until(at) => Some(at),
            Waiting::Nothing | Waiting::Effect(_) => None,
        }
    }

    /// What the operation's status says meanwhile (recorded).
    pub(crate) fn status(&self, now: Timestamp) -> &'static str {
        match self.phase {
            Phase::Provisioning | Phase::Restarting => "ProvisioningControlPlane",
            Phase::Reconciling { since, until } => match reconciling(since, until, now) {
                "ProvisioningControlPlane" => "ReconcilingDNS",
                later => later,
            },
        }
    }

    /// Whether the new control plane is ready to take the place of the old one.
    pub(crate) fn is_about_to_restart(&self, now: Timestamp) -> bool {
        matches!((self.phase, self.waiting), (Phase::Provisioning, Waiting::Until(at)) if at <= now)
    }

    /// The error that AKS gets over.
    pub(crate) fn hitch(&self) -> Option<Value> {
        self.fault.as_ref().and_then(Fault::passing).map(failure::scripted)
    }
}

/// The part of the upgrade before the API server goes away.
fn provisioning(length: SignedDuration) -> SignedDuration {
    length / 3 * 2
}
