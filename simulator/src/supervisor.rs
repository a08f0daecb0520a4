//! Starts the simulator's tasks, so that all of them are stopped.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long tasks may take to stop; what is left then is abandoned.
const PATIENCE: Duration = Duration::from_secs(5);

/// The tasks of one simulator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervisor {
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Supervisor {
    /// Starts a task, which ends by itself, at the latest once [`Self::token`] is cancelled. It goes on when nobody
    /// waits for it any more.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn(task)
    }

    /// Cancelled when everything is to stop.
    pub(crate) const fn token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Waits until the tasks have ended.
    pub(crate) async fn stop(&self) {
        self.cancel.cancel();
        self.tasks.close();
        if tokio::time::timeout(PATIENCE, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "tasks of the simulator did not stop in time");
        }
    }
}
