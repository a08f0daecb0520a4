//! The task that owns the world: it wakes on calls, on outcomes, and when something is due.

use std::{collections::BTreeMap, time::Duration};

use engine::TimeScale;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    effects::{ClusterKey, Effect, EffectId, Outcome},
    supervisor::Supervisor,
    world::{Answer, Call, Endpoint, World},
};

/// Calls waiting for the world; callers beyond that wait with theirs.
const CALLS: usize = 256;

/// Outcomes waiting for the world; drivers beyond that wait with theirs.
const OUTCOMES: usize = 1024;

/// Shorter waits are not worth a timer.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Where a driver takes its effects from.
///
/// Unbounded, so that the world never waits for a driver that waits for the world; what is
/// queued is bounded by the number of nodes.
type Effects = mpsc::UnboundedSender<(EffectId, Effect)>;

/// What the control port and tests do with the world; it answers for itself.
type Act = Box<dyn FnOnce(&mut World, Timestamp) + Send>;

enum Command {
    Call { call: Call, reply: oneshot::Sender<(Timestamp, Answer)> },
    Attach { key: ClusterKey, endpoint: Endpoint, effects: Effects, reply: oneshot::Sender<bool> },
    With(Act),
}

/// Simulated time, from the real one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimulatedClock {
    pub(crate) scale: TimeScale,
    pub(crate) real_now: fn() -> Timestamp,
}

impl SimulatedClock {
    pub(crate) fn now(&self) -> Timestamp {
        self.scale.at((self.real_now)())
    }

    /// How long this takes in real time; nothing when it is negative.
    pub(crate) fn real_duration(&self, simulated: SignedDuration) -> Duration {
        self.scale.real_duration(Duration::try_from(simulated).unwrap_or(Duration::ZERO))
    }

    fn wait_until(&self, deadline: Timestamp) -> Duration {
        self.real_duration(deadline.duration_since(self.now())).max(SHORTEST_WAIT)
    }
}

/// The way to the world.
#[derive(Clone, Debug)]
pub(crate) struct WorldHandle {
    commands: mpsc::Sender<Command>,
    pub(crate) outcomes: mpsc::Sender<(EffectId, Outcome)>,
}

/// The world's task has ended.
#[derive(Debug, thiserror::Error)]
#[error("the simulator has stopped")]
pub struct Stopped;

/// Starts the task that owns the world.
pub(crate) fn start(world: World, clock: SimulatedClock, supervisor: &Supervisor) -> WorldHandle {
    let (commands, received) = mpsc::channel(CALLS);
    let (outcomes, settled) = mpsc::channel(OUTCOMES);
    let owner = Owner { world, clock, drivers: BTreeMap::new() };
    supervisor.start(owner.run(received, settled, supervisor.token().clone()));
    WorldHandle { commands, outcomes }
}

impl WorldHandle {
    pub(crate) async fn call(&self, call: Call) -> Result<(Timestamp, Answer), Stopped> {
        self.ask(|reply| Command::Call { call, reply }).await
    }

    pub(crate) async fn attach(
        &self,
        key: ClusterKey,
        endpoint: Endpoint,
        effects: Effects,
    ) -> Result<bool, Stopped> {
        self.ask(|reply| Command::Attach { key, endpoint, effects, reply }).await
    }

    /// Lets `act` look at the world or change it, at the simulated instant.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut World, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.ask(|reply| {
            Command::With(Box::new(move |world, now| {
                let _gone = reply.send(act(world, now));
            }))
        })
        .await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

struct Owner {
    world: World,
    clock: SimulatedClock,
    drivers: BTreeMap<ClusterKey, Effects>,
}

impl Owner {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut outcomes: mpsc::Receiver<(EffectId, Outcome)>,
        cancel: CancellationToken,
    ) {
        loop {
            self.world.advance(self.clock.now());
            self.hand_out_effects();
            let wait = self.world.next_deadline().map(|deadline| self.clock.wait_until(deadline));
            let due = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                Some(command) = commands.recv() => self.obey(command),
                Some((id, outcome)) = outcomes.recv() => {
                    self.world.complete(self.clock.now(), id, &outcome);
                }
                () = due => {}
            }
        }
    }

    /// A caller that has gone away meanwhile misses its answer; nothing else depends on it.
    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Call { call, reply } => {
                let answer = self.world.call(now, call);
                let _gone = reply.send((now, answer));
            }
            Command::Attach { key, endpoint, effects, reply } => {
                let known = self.world.attach(now, &key, endpoint);
                if known {
                    self.drivers.insert(key, effects);
                }
                let _gone = reply.send(known);
            }
            Command::With(act) => {
                self.world.advance(now);
                act(&mut self.world, now);
            }
        }
    }

    fn hand_out_effects(&mut self) {
        for (key, id, effect) in self.world.take_effects() {
            let sent = self.drivers.get(&key).is_some_and(|driver| driver.send((id, effect)).is_ok());
            if !sent {
                tracing::warn!(cluster = key.0, "an effect found no driver");
            }
        }
    }
}
