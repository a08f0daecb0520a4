//! Holds up calls that change something, for tests that need the moment in between.

use tokio::sync::watch;

/// Where calls that change something wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// Nowhere.
    #[default]
    Nowhere,
    /// Before anything is done about them. A caller that goes away meanwhile has asked for nothing.
    Requests,
    /// After they were carried out: the caller does not learn of it yet.
    Answers,
}

#[derive(Debug, Default)]
pub(crate) struct Holds {
    present: watch::Sender<Hold>,
    waiting: watch::Sender<usize>,
}

impl Holds {
    pub(crate) fn set(&self, hold: Hold) {
        self.present.send_replace(hold);
    }

    /// Waits while calls are held up at this place.
    pub(crate) async fn pass(&self, place: Hold) {
        let mut present = self.present.subscribe();
        if *present.borrow_and_update() != place {
            return;
        }
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _leaves = Leaves(&self.waiting);
        // The sender lives as long as `self`, so this ends only when the hold does.
        drop(present.wait_for(|hold| *hold != place).await);
    }

    /// Returns when as many calls are held up.
    pub(crate) async fn until_waiting(&self, calls: usize) {
        let mut waiting = self.waiting.subscribe();
        drop(waiting.wait_for(|waiting| *waiting == calls).await);
    }
}

/// Counts down, also when the caller goes away.
struct Leaves<'a>(&'a watch::Sender<usize>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}
