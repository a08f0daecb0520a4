//! Whether the windows of a plan can be used: nothing is begun with one that cannot.

use crds::{InvalidField, UpgradePlan};
use kube::ResourceExt;

use crate::{context::Context, timing};

/// What is wrong with the windows that a plan names.
///
/// # Errors
/// When the hub cannot be read.
pub(super) async fn unusable(
    context: &Context,
    plan: &UpgradePlan,
) -> Result<Vec<InvalidField>, kube::Error> {
    let namespace = plan.namespace().unwrap_or_default();
    let mut wrong = Vec::new();
    let windows = plan.spec.schedule.iter().flat_map(|schedule| &schedule.windows);
    for (index, reference) in windows.enumerate() {
        if let Err(problem) = timing::window(&context.hub, &namespace, &reference.name).await? {
            wrong.push(InvalidField { field: format!("spec.schedule.windows[{index}].name"), problem });
        }
    }
    Ok(wrong)
}
