//! Which replica leads, as the hub has it and as each replica believes.
//!
//! client-go's rules: a lease holds for 15 s from its last renewal, a leader that could not renew it for
//! 10 s stops believing, renewals come every 2 s. Renewals themselves are not played: a replica that is
//! well has renewed at most 2 s ago.

use std::time::Duration;

use jiff::Timestamp;

const EXPIRES: Duration = Duration::from_secs(15);
/// How often a leader renews it.
pub(super) const ROUND: Duration = Duration::from_secs(2);
const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// Who leads.
#[derive(Debug)]
pub(super) struct Lease {
    holder: Option<usize>,
    /// When the holder renewed last, if it cannot any more.
    last_renewal: Option<Timestamp>,
    replicas: Vec<Replica>,
}

/// How a replica is.
#[derive(Clone, Debug)]
struct Replica {
    state: Health,
    /// Until when it takes itself for the leader, whatever the hub says.
    deluded_until: Option<Timestamp>,
    /// When it notices that it has lost the lease.
    notices_at: Option<Timestamp>,
}

/// Whether a replica can renew its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It can.
    Well,
    /// Its process is stopped, and will go on.
    Paused,
    /// It cannot reach the hub.
    CutOff,
    /// It is gone.
    Gone,
}

impl Lease {
    /// Nobody leads yet.
    pub(super) fn new(replicas: usize) -> Self {
        let replica = Replica { state: Health::Well, deluded_until: None, notices_at: None };
        Self { holder: None, last_renewal: None, replicas: vec![replica; replicas] }
    }

    /// How a replica is.
    pub(super) fn health(&self, replica: usize) -> Health {
        self.replicas.get(replica).map_or(Health::Gone, |replica| replica.state)
    }

    /// A replica's state changes.
    pub(super) fn set_health(&mut self, now: Timestamp, replica: usize, state: Health) {
        if let Some(known) = self.replicas.get_mut(replica) {
            known.state = state;
        }
        if self.holder == Some(replica) {
            if state == Health::Gone {
                // Its successor has a name of its own, and waits like everybody else.
                (self.holder, self.last_renewal) = (None, self.last_renewal.or(Some(now)));
            } else if state == Health::Well {
                let expired = self.last_renewal.is_some_and(|last| now >= last + EXPIRES);
                self.last_renewal = self.last_renewal.filter(|_| expired);
            } else {
                self.last_renewal = self.last_renewal.or(Some(now));
            }
        }
    }

    /// A replica believes to lead for so long, against all rules.
    pub(super) fn delude(&mut self, replica: usize, until: Timestamp) {
        if let Some(replica) = self.replicas.get_mut(replica) {
            replica.deluded_until = Some(until);
        }
    }

    /// Whether a replica believes to lead.
    pub(super) fn believes(&self, now: Timestamp, replica: usize) -> bool {
        let deluded = self.replicas.get(replica).and_then(|replica| replica.deluded_until);
        if deluded.is_some_and(|until| now < until) {
            return true;
        }
        let fresh = self.last_renewal.is_none_or(|last| now < last + RENEW_DEADLINE);
        self.holder == Some(replica) && fresh
    }

    /// When a replica that has lost the lease notices: at the end of a round of renewal.
    pub(super) fn notices_at(&self, replica: usize) -> Option<Timestamp> {
        self.replicas.get(replica)?.notices_at
    }

    /// Says when it will.
    pub(super) fn set_notices_at(&mut self, replica: usize, at: Option<Timestamp>) {
        if let Some(replica) = self.replicas.get_mut(replica) {
            replica.notices_at = at;
        }
    }

    /// Gives the lease to a replica that is well, if it is free. Tells who has got it.
    pub(super) fn settle(&mut self, now: Timestamp) -> Option<usize> {
        let taken = match self.last_renewal {
            None => self.holder.is_some(),
            Some(last) => now < last + EXPIRES,
        };
        if taken {
            return None;
        }
        let next = self.replicas.iter().position(|replica| replica.state == Health::Well)?;
        (self.holder, self.last_renewal) = (Some(next), None);
        Some(next)
    }

    /// When the lease becomes free.
    pub(super) fn free_at(&self) -> Option<Timestamp> {
        self.last_renewal.map(|last| last + EXPIRES)
    }
}
