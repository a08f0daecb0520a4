//! The order of effects: one lane per node, lanes side by side.
//!
//! Decides when an effect starts and makes sure that it is answered once. Touches
//! nothing itself.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use futures::FutureExt;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::Driver;
use crate::effects::{Effect, EffectId, Outcome};

/// What a drain answers when a later effect on its node has ended it.
const SUPERSEDED: &str = "ended by a later effect on the same node";

/// The effects of one node, or of the control plane.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<(EffectId, Effect)>,
    /// Ends what is running, when that may be ended.
    running: Option<CancellationToken>,
}

/// Takes effects up until the sender is gone and all are answered.
pub(super) async fn run(
    driver: Arc<Driver>,
    mut effects: mpsc::Receiver<(EffectId, Effect)>,
    outcomes: mpsc::Sender<(EffectId, Outcome)>,
) {
    let mut lanes = BTreeMap::<String, Lane>::new();
    // As many tasks as nodes that something happens to; their calls are bounded together.
    let mut tasks = JoinSet::new();
    let mut open = true;
    while open || !tasks.is_empty() {
        let name = tokio::select! {
            received = effects.recv(), if open => match received {
                Some((id, effect)) => {
                    let name = lane_of(&effect).to_owned();
                    let lane = lanes.entry(name.clone()).or_default();
                    lane.waiting.push_back((id, effect));
                    if let Some(running) = &lane.running {
                        running.cancel();
                    }
                    name
                }
                None => {
                    open = false;
                    continue;
                }
            },
            Some(ended) = tasks.join_next() => {
                let Ok(name) = ended else { continue };
                if let Some(lane) = lanes.get_mut(&name) {
                    lane.running = None;
                }
                name
            }
        };
        let Some(lane) = lanes.get_mut(&name) else { continue };
        if lane.running.is_some() {
            continue;
        }
        let Some((id, effect)) = lane.waiting.pop_front() else {
            lanes.remove(&name);
            continue;
        };
        let stop = CancellationToken::new();
        lane.running = Some(stop.clone());
        if !lane.waiting.is_empty() {
            stop.cancel();
        }
        let (driver, outcomes) = (Arc::clone(&driver), outcomes.clone());
        tasks.spawn(async move {
            let outcome = answer(&driver, effect, &stop).await;
            // Nobody listens any more once the world is gone.
            let _ = outcomes.send((id, outcome)).await;
            name
        });
    }
}

/// Carries out one effect and answers whatever happens, a panic included.
async fn answer(driver: &Driver, effect: Effect, stop: &CancellationToken) -> Outcome {
    let may_end = matches!(effect, Effect::DrainNode { .. });
    let work = AssertUnwindSafe(super::carry_out(driver, effect)).catch_unwind().boxed();
    let result = if may_end { stop.run_until_cancelled(work).await } else { Some(work.await) };
    match result {
        Some(Ok(outcome)) => outcome,
        Some(Err(_)) => Outcome::Failed("the node driver failed; its log says where".to_owned()),
        None => Outcome::Failed(SUPERSEDED.to_owned()),
    }
}

/// Name of the effect's lane; no node is called like the control plane's.
fn lane_of(effect: &Effect) -> &str {
    match effect {
        Effect::CreateNode(node) | Effect::ReimageNode(node) => &node.name,
        Effect::CordonNode { node }
        | Effect::UncordonNode { node }
        | Effect::DrainNode { node, deadline: _, force: _ }
        | Effect::StopDrain { node }
        | Effect::QuarantineNode { node }
        | Effect::DeleteNode { node } => node,
        Effect::UpgradeControlPlane { version: _ } => "",
    }
}
