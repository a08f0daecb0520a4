//! Time that is skipped: between two weekends nothing is to be seen, and nobody wants to wait.
//!
//! Simulated time is told from the real one, which the simulator is given here with all leaps added. The operator
//! starts again with a clock that says the same. One stage of a process may leap: the leaps are everybody's.

use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Result, ensure};
use engine::TimeScale;
use jiff::{SignedDuration, Timestamp};
use simulator::clock;

use super::{Operator, Stage};

/// Real milliseconds that were skipped so far.
static SKIPPED: AtomicI64 = AtomicI64::new(0);

/// The real time, as the simulator is told it.
pub(super) fn real_now() -> Timestamp {
    clock::now() + SignedDuration::from_millis(SKIPPED.load(Ordering::Relaxed))
}

impl Stage {
    /// Lets simulated time go on at this instant. The operator ends before, and starts again then.
    ///
    /// # Errors
    /// When the instant is over, or the operator does not end or start well.
    pub async fn leap(&mut self, to: Timestamp) -> Result<()> {
        self.operator.stop().await?;
        self.check_log()?;
        let now = self.simulator.now();
        ensure!(now < to, "{to} is over: it is {now}");
        let skipped = self.clock.real_duration(to.duration_since(now).unsigned_abs());
        SKIPPED.fetch_add(i64::try_from(skipped.as_millis())?, Ordering::Relaxed);
        // The operator knows the real clock only.
        let real = clock::now();
        self.clock = TimeScale::new(self.simulator.now(), real, self.clock.rate())?;
        let way = self.hub.straight(self.environment.folder(), self.simulator.ready(), self.clock);
        let command = self.hub.command(&self.environment, &way).await?;
        let log = format!("operator-{}.log", real.as_millisecond());
        self.operator = Operator::new(command, self.environment.folder().join(log));
        self.operator.start().await
    }
}
