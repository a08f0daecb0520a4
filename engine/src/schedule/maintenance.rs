//! A cluster's own maintenance windows, and which of them bind a step.

use crate::{
    calendar::{InvalidWindow, Window},
    planted::{PlantedBug, planted},
    step::StepKind,
};

/// A maintenance configuration that is there: when it opens, or what in it is not understood.
pub type Configured = Result<Window, InvalidWindow>;

/// The maintenance configurations of a cluster, by what they are for.
///
/// AKS keeps them for what it does by itself only: nobody but us looks at them before a command. They are
/// the owner's word on when the cluster may be disturbed, whoever does it. Source: Microsoft Learn, "Use
/// planned maintenance to schedule maintenance windows".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// `aksManagedAutoUpgradeSchedule`: for versions.
    pub versions: Option<Configured>,
    /// `aksManagedNodeOSUpgradeSchedule`: for node images.
    pub images: Option<Configured>,
    /// `default`: for AKS's weekly releases, and for all that has no window of its own.
    pub general: Option<Configured>,
}

/// A maintenance configuration that cannot be understood, and binds a step: never a guess when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misread<'a> {
    /// Its name.
    pub(crate) name: &'static str,
    /// What is wrong with it.
    pub(crate) why: &'a InvalidWindow,
}

impl Maintenance {
    /// Its place for a configuration, by the name that Azure shows, whose letters have no case; `None` for a name
    /// that binds nothing.
    pub fn of_name(&mut self, name: &str) -> Option<&mut Option<Configured>> {
        match name.to_ascii_lowercase().as_str() {
            "aksmanagedautoupgradeschedule" => Some(&mut self.versions),
            "aksmanagednodeosupgradeschedule" => Some(&mut self.images),
            "default" => Some(&mut self.general),
            _ => None,
        }
    }

    /// The window that a step must keep to; `None` when the cluster has none for it.
    ///
    /// # Errors
    /// When it has one that cannot be understood.
    pub(crate) fn binding(&self, kind: StepKind) -> Result<Option<&Window>, Misread<'_>> {
        let (name, own) = match kind {
            StepKind::ControlPlane | StepKind::NodePoolVersion | StepKind::NodePoolRollback => {
                ("aksManagedAutoUpgradeSchedule", &self.versions)
            }
            StepKind::NodePoolImage => ("aksManagedNodeOSUpgradeSchedule", &self.images),
        };
        let (name, own) = if own.is_some() { (name, own) } else { ("default", &self.general) };
        let own = own.as_ref().filter(|own| own.is_ok() || !planted(PlantedBug::OverlookMisread));
        own.map(Result::as_ref).transpose().map_err(|why| Misread { name, why })
    }
}
