//! What Azure does in the small world: takes steps or refuses them, works on them, and comes to an end; and
//! what must hold whenever it is sent one.

use super::{Answer, Running, State, Work, nodes_of};
use crate::{
    Changes, Cluster, Failure, HeldBack, ProvisioningState, Reading, RecentlyUsed, Rejection, Step, StepKind,
    allowed_skew, testing::version,
};

impl State {
    pub(super) fn go_on(&mut self) {
        if let Some(running) = self.running.take_if(|running| running.ends <= self.now) {
            self.end(running);
        }
        let (due, later) = self.lagging.drain(..).partition(|(at, _)| *at <= self.now);
        self.lagging = later;
        for (_, step) in due {
            self.show(&step);
        }
    }

    fn end(&mut self, running: Running) {
        let Running { work, answer, address, ends } = running;
        let step = match work {
            Work::Step(step) => step,
            Work::Settings(pool) => return self.set_state(pool.as_deref(), ProvisioningState::Succeeded),
        };
        if let (Answer::FailLater(_) | Answer::Abort | Answer::Cancel(_), Some(pool)) = (&answer, &step.pool)
        {
            self.half_done.insert(pool.clone(), step.clone());
        }
        let (state, failure) = match answer {
            Answer::FailLater(failure) => (ProvisioningState::Failed, Some(failure)),
            Answer::Abort => (ProvisioningState::Canceled, None),
            Answer::Cancel(failure) => (ProvisioningState::Canceled, Some(failure)),
            Answer::Preempt => {
                self.set_version(&step, &step.from);
                (ProvisioningState::Succeeded, None)
            }
            Answer::Pretend => (ProvisioningState::Succeeded, None),
            Answer::Accept | Answer::LostAfterEffect => {
                self.done.push(step.id());
                if let (StepKind::NodePoolVersion | StepKind::NodePoolImage, Some(name)) =
                    (step.kind, &step.pool)
                {
                    let image = self.images[name].clone();
                    self.pool(name).node_image = image;
                }
                if let (Some(image), Some(name)) = (step.image_after(), &step.pool) {
                    self.pool(name).node_image = image.to_owned();
                }
                self.lagging.push((ends + self.lag, step.clone()));
                (ProvisioningState::Succeeded, None)
            }
            Answer::LostBefore | Answer::Refuse(..) | Answer::HoldBack(_) => unreachable!("never ran"),
        };
        self.failures.insert(address, failure);
        self.set_provisioning(&step, state);
    }

    /// What the nodes, or the API server, show from now on.
    fn show(&mut self, step: &Step) {
        match &step.pool {
            None => self.server = version(&step.to),
            Some(name) => self.show_nodes(name),
        }
    }

    /// The nodes of a pool show what Azure shows.
    pub(crate) fn show_nodes(&mut self, pool: &str) {
        let nodes = nodes_of(&self.cluster, pool);
        self.nodes.insert(pool.to_owned(), nodes);
    }

    pub(crate) fn pool(&mut self, name: &str) -> &mut crate::NodePool {
        self.cluster.pools.iter_mut().find(|pool| pool.name == name).unwrap()
    }

    pub(crate) fn assert_nothing_twice(&self) {
        assert_eq!(self.sent, self.done);
    }

    pub(super) fn read(&mut self) -> Reading<Cluster> {
        self.reads += 1;
        self.azure.clone().map(|()| self.cluster.clone())
    }

    fn set_provisioning(&mut self, step: &Step, state: ProvisioningState) {
        self.set_state(step.pool.as_deref(), state);
    }

    pub(super) fn set_state(&mut self, pool: Option<&str>, state: ProvisioningState) {
        match pool {
            None => self.cluster.provisioning_state = state,
            Some(name) => self.pool(name).provisioning_state = state,
        }
    }

    fn set_version(&mut self, step: &Step, to: &str) {
        match (step.kind, &step.pool) {
            (StepKind::ControlPlane, _) => self.cluster.version = version(to),
            (StepKind::NodePoolVersion, Some(name)) => self.pool(name).version = version(to),
            (StepKind::NodePoolRollback, Some(name)) => {
                self.pool(name).version = version(to.split(' ').next().unwrap());
            }
            (StepKind::NodePoolImage | StepKind::NodePoolVersion | StepKind::NodePoolRollback, _) => {}
        }
    }

    pub(super) fn is_running(&self, address: &str) -> bool {
        self.running.as_ref().is_some_and(|running| running.address == address)
    }

    /// Stops what runs; it is Canceled after ten seconds, and what it has begun stays so.
    pub(super) fn abort(&mut self, pool: Option<&str>, operation: &str) -> Result<Option<String>, Rejection> {
        let recorded = self.stored.control.abort.as_ref().expect("its intent is recorded");
        assert!(recorded.claims > 0 && self.may_act);
        let refuse = |status, code, message| {
            let failure = Failure::new(status, code, None, message);
            Err(Rejection::Refused { failure, retry_after: None })
        };
        self.aborts.push(operation.to_owned());
        let answer = self.abort_answers.pop_front().unwrap_or(Answer::Accept);
        if let Answer::Refuse(failure, retry_after) = answer {
            return Err(Rejection::Refused { failure, retry_after });
        }
        if matches!(answer, Answer::LostBefore) {
            return refuse(None, None, "connection reset");
        }
        let (now, state) = (self.now, ProvisioningState::Busy("Canceling".to_owned()));
        let Some(running) = &mut self.running else {
            return refuse(Some(409), Some("OperationNotAllowed"), "there is no operation in progress");
        };
        assert_eq!(running.address, operation, "what is aborted is what is ours");
        running.ends = now + std::time::Duration::from_secs(10);
        running.answer = Answer::Abort;
        self.set_state(pool, state);
        if matches!(answer, Answer::LostAfterEffect) {
            refuse(None, None, "connection reset")
        } else {
            Ok(None)
        }
    }

    /// Keeps what the pool runs before it is upgraded.
    fn remember(&mut self, step: &Step) {
        let Some(name) = step.pool.as_ref().filter(|_| !step.is_rollback()) else { return };
        let left_at = Some(self.now);
        let pool = self.pool(name);
        let recent = RecentlyUsed { version: pool.version.clone(), image: pool.node_image.clone(), left_at };
        self.recent.entry(name.clone()).or_default().push(recent);
    }

    pub(super) fn submit(&mut self, step: &Step, settings: &Changes) -> Result<Option<String>, Rejection> {
        self.check_submission(step);
        self.sent.push(step.id());
        let lost = || Rejection::Refused {
            failure: Failure::new(None, None, None, "connection reset"),
            retry_after: None,
        };
        let answer = self.answers.pop_front().unwrap_or(Answer::Accept);
        match answer {
            Answer::LostBefore => return Err(lost()),
            Answer::HoldBack(pause) => {
                self.sent.pop();
                let why = "the share of Azure's limit of the test is used up".to_owned();
                return Err(Rejection::HeldBack(HeldBack { why, until: self.now + pause }));
            }
            Answer::Refuse(failure, retry_after) => return Err(Rejection::Refused { failure, retry_after }),
            Answer::Accept
            | Answer::LostAfterEffect
            | Answer::FailLater(_)
            | Answer::Preempt
            | Answer::Abort
            | Answer::Cancel(_)
            | Answer::Pretend => {}
        }
        self.remember(step);
        self.set_version(step, &step.to);
        self.change(step.pool.as_deref(), settings);
        let word =
            if step.kind == StepKind::NodePoolImage { "UpgradingNodeImageVersion" } else { "Upgrading" };
        self.set_provisioning(step, ProvisioningState::Busy(word.to_owned()));
        let address = format!("westeurope/00000000-0000-4000-8000-{:012}", self.calls);
        let is_lost = matches!(answer, Answer::LostAfterEffect);
        let running = Running {
            work: Work::Step(step.clone()),
            ends: self.now + self.takes,
            answer,
            address: address.clone(),
        };
        self.running = Some(running);
        if is_lost { Err(lost()) } else { Ok(Some(address)) }
    }

    /// The invariants that hold whenever anything is sent.
    fn check_submission(&self, step: &Step) {
        assert_eq!(self.cluster.busy_with(), None, "one mutation in flight per cluster: {step:?}");
        let (operation, record) = self.stored.current().expect("its intent is recorded");
        assert_eq!(
            (&record.step, operation.phase),
            (step, crate::Phase::Intent),
            "the intent is this step's"
        );
        assert!(self.may_act, "only a leader sends");
        let minor = |text: &str| version(text).minor();
        match (step.kind, &step.pool) {
            // What others have left behind is not for a repair to mend.
            (StepKind::ControlPlane, _) if version(&step.to) == self.cluster.version => {}
            (StepKind::ControlPlane, _) => {
                assert!(minor(&step.to).ahead_of(self.cluster.version.minor()) <= 1, "{step:?}");
                for pool in &self.cluster.pools {
                    let behind = minor(&step.to).ahead_of(pool.version.minor());
                    assert!(behind <= allowed_skew(minor(&step.to)), "{step:?} {pool:?}");
                }
            }
            (StepKind::NodePoolVersion, _) => {
                assert!(version(&step.to) <= self.cluster.version, "{step:?}");
                assert!(
                    version(&step.to) <= self.server,
                    "AKS refuses pools that the API server is too old for"
                );
            }
            (StepKind::NodePoolRollback, pool) => {
                let recent = &self.recent[pool.as_ref().unwrap()];
                let to = |recent: &RecentlyUsed| format!("{} {}", recent.version, recent.image);
                assert!(recent.iter().any(|recent| to(recent) == step.to), "{step:?} {recent:?}");
            }
            (StepKind::NodePoolImage, _) => {}
        }
    }
}
