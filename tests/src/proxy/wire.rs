//! What one operator's calls go over: counts its changes, stops at a point, is cut and mended.
//!
//! Decides what becomes of a call; [`super::forward`] carries it out.

use std::{collections::BTreeSet, future::pending};

use tokio::sync::watch;

use super::{Moment, Peer, Point, call};

/// The calls of one operator.
#[derive(Default)]
pub struct Wire {
    state: watch::Sender<State>,
}

#[derive(Default)]
struct State {
    /// Every change so far, and whether its peer has accepted it.
    changes: Vec<(String, bool)>,
    point: Option<Point>,
    traffic: Traffic,
    cut: BTreeSet<Peer>,
    /// How often it was stopped, and up to which of these stops the held calls go on.
    stops: u32,
    released: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Traffic {
    /// Everything passes.
    #[default]
    Flows,
    /// The next call, whatever it is, stops everything.
    StopsNext,
    /// Nothing passes.
    Stopped,
}

/// What is still to be done about a call that was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: its answer is delivered.
    Deliver,
    /// Its answer is held, and everything stops.
    Stop,
    /// Its answer is delivered, and the next call stops everything.
    StopNext,
}

impl Wire {
    /// The operator is to be stopped there; once.
    pub fn stop_at(&self, point: Point) {
        self.state.send_modify(|state| state.point = Some(point));
    }

    /// Returns when it is stopped: nothing of it reaches anybody, nobody's answer reaches it.
    pub async fn until_stopped(&self) {
        self.until(|state| state.traffic == Traffic::Stopped).await;
    }

    /// Whether it is stopped, or will be at its next call.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.state.borrow().traffic != Traffic::Flows
    }

    /// Lets calls pass again. Those held so far never go on: their caller is dead.
    pub fn resume(&self) {
        self.state.send_modify(|state| {
            (state.traffic, state.point) = (Traffic::Flows, None);
        });
    }

    /// Lets calls pass again, those held so far, too.
    pub fn release(&self) {
        self.state.send_modify(|state| {
            (state.traffic, state.point) = (Traffic::Flows, None);
            state.released = state.stops;
        });
    }

    /// From now on nothing reaches the peer, and nothing of it arrives; connections stay open in silence.
    pub fn cut(&self, peer: Peer) {
        self.state.send_modify(|state| {
            state.cut.insert(peer);
        });
    }

    /// Calls reach the peer again. Those that were under way meanwhile are lost.
    pub fn mend(&self, peer: Peer) {
        self.state.send_modify(|state| {
            state.cut.remove(&peer);
        });
    }

    /// Returns when the operator has made a change.
    pub async fn until_change(&self) {
        self.until(|state| !state.changes.is_empty()).await;
    }

    /// Every change so far, in order.
    #[must_use]
    pub fn changes(&self) -> Vec<String> {
        self.state.borrow().changes.iter().map(|(change, _)| change.clone()).collect()
    }

    /// Those of them that were accepted.
    #[must_use]
    pub fn accepted(&self) -> Vec<String> {
        let state = self.state.borrow();
        state.changes.iter().filter(|(_, accepted)| *accepted).map(|(change, _)| change.clone()).collect()
    }

    /// A call has come. Returns when it is to be passed on, if ever, with the number of the change that it is.
    pub(super) async fn arrives(&self, peer: Peer, method: &str, path: &str) -> (Then, Option<usize>) {
        let (mut held, mut number) = (None, None);
        let mut then = Then::Deliver;
        self.state.send_modify(|state| {
            if state.cut.contains(&peer) {
                held = Some(u32::MAX);
                return;
            }
            match state.traffic {
                Traffic::Stopped => held = Some(state.stops),
                Traffic::StopsNext => held = Some(state.stop()),
                Traffic::Flows => {
                    if let Some(change) = call::change(peer, method, path) {
                        number = Some(state.changes.len());
                        (held, then) = state.note(change);
                    }
                }
            }
        });
        if let Some(stop) = held {
            self.held(stop).await;
        }
        (then, number)
    }

    /// The peer has accepted the change of that number.
    pub(super) fn accept(&self, number: usize) {
        self.state.send_modify(|state| {
            if let Some((_, accepted)) = state.changes.get_mut(number) {
                *accepted = true;
            }
        });
    }

    /// The answer of a call is there. Returns when it is to be delivered, if ever.
    pub(super) async fn answered(&self, peer: Peer, then: Then) {
        let mut held = None;
        self.state.send_modify(|state| {
            if state.cut.contains(&peer) {
                held = Some(u32::MAX);
                return;
            }
            match (state.traffic, then) {
                (Traffic::Stopped, _) => held = Some(state.stops),
                (_, Then::Stop) => held = Some(state.stop()),
                (_, Then::StopNext) => state.traffic = Traffic::StopsNext,
                (_, Then::Deliver) => {}
            }
        });
        if let Some(stop) = held {
            self.held(stop).await;
        }
    }

    async fn held(&self, stop: u32) {
        if stop == u32::MAX {
            // The sender of a lost packet is not told.
            return pending().await;
        }
        self.until(|state| state.released >= stop).await;
    }

    async fn until(&self, wanted: impl FnMut(&State) -> bool) {
        let mut state = self.state.subscribe();
        // The sender lives as long as `self`.
        drop(state.wait_for(wanted).await);
    }
}

impl State {
    fn stop(&mut self) -> u32 {
        self.stops += 1;
        self.traffic = Traffic::Stopped;
        self.stops
    }

    /// Notes a change; tells whether it is held here, and what happens after it.
    fn note(&mut self, change: String) -> (Option<u32>, Then) {
        let same = self.changes.iter().filter(|(before, _)| *before == change).count() + 1;
        self.changes.push((change.clone(), false));
        let Some(point) = &self.point else { return (None, Then::Deliver) };
        if change != point.change || same != point.ordinal {
            return (None, Then::Deliver);
        }
        match point.moment {
            Moment::Before => (Some(self.stop()), Then::Deliver),
            Moment::Lost => (None, Then::Stop),
            Moment::After => (None, Then::StopNext),
        }
    }
}
