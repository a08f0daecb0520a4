//! What Azure does in the small world with settings; and what must hold whenever they are written.

use super::{Answer, Running, SETTINGS, State, Work};
use crate::{Action, Changes, Failure, HeldBack, ProvisioningState, Rejection, Settings};

impl State {
    /// The settings of a pool, or of the cluster.
    pub(crate) fn settings(&mut self, pool: Option<&str>) -> &mut Settings {
        match pool {
            None => &mut self.cluster.override_settings,
            Some(name) => &mut self.pool(name).upgrade_settings,
        }
    }

    pub(super) fn change(&mut self, pool: Option<&str>, changes: &Changes) {
        let defaults = self.defaults.clone();
        let settings = self.settings(pool);
        for (setting, value) in changes {
            match value.as_ref().or(defaults.0.get(setting)) {
                Some(value) => drop(settings.0.insert(*setting, value.clone())),
                None => drop(settings.0.remove(setting)),
            }
        }
    }

    pub(super) fn write(&mut self, action: &Action) -> Result<Option<String>, Rejection> {
        assert_eq!(self.rechecked.as_ref(), Some(action), "what is sent is what was claimed and read again");
        match action {
            Action::Step { step, settings } => {
                let pool = step.pool.as_deref();
                self.check_recorded(pool, settings);
                let sent = self.submit(step, settings);
                if sent.is_ok() {
                    self.half_done.retain(|name, _| Some(name.as_str()) != pool);
                }
                sent
            }
            Action::Override { pool, settings } => {
                self.check_recorded(pool.as_deref(), settings);
                self.write_settings("override", pool.as_deref(), settings)
            }
            Action::Abort { pool, operation } => self.abort(pool.as_deref(), operation),
            Action::Restore { pool, settings } => {
                let known = self.stored.restore.iter().find(|known| known.pool == *pool).cloned().unwrap();
                let shown = self.settings(pool.as_deref()).clone();
                assert!(!settings.is_empty());
                for (setting, value) in settings {
                    assert_eq!(shown.0.get(setting), known.ours.0.get(setting), "what is not ours is left");
                    assert_eq!(value.as_ref(), known.before.0.get(setting));
                }
                self.write_settings("restore", pool.as_deref(), settings)
            }
        }
    }

    /// What a write changes is recorded as it is right before.
    fn check_recorded(&mut self, pool: Option<&str>, changes: &Changes) {
        let known = self.stored.restore.iter().find(|known| known.pool.as_deref() == pool).cloned();
        let shown = self.settings(pool).clone();
        for (setting, value) in changes {
            let known = known.as_ref().expect("what is overridden is recorded");
            assert_eq!(known.ours.0.get(setting), value.as_ref());
            if shown.0.get(setting) != value.as_ref() {
                assert_eq!(known.before.0.get(setting), shown.0.get(setting), "{setting:?}");
            }
        }
    }

    fn write_settings(
        &mut self,
        verb: &str,
        pool: Option<&str>,
        changes: &Changes,
    ) -> Result<Option<String>, Rejection> {
        assert_eq!(self.cluster.busy_with(), None, "one mutation in flight per cluster: {changes:?}");
        assert!(self.may_act, "only a leader sends");
        self.settings_sent.push(format!("{verb} {}", pool.unwrap_or("cluster")));
        let lost = || Rejection::Refused {
            failure: Failure::new(None, None, None, "connection reset"),
            retry_after: None,
        };
        let answer = self.settings_answers.pop_front().unwrap_or(Answer::Accept);
        match &answer {
            Answer::LostBefore => return Err(lost()),
            Answer::HoldBack(pause) => {
                self.settings_sent.pop();
                let why = "the share of Azure's limit of the test is used up".to_owned();
                return Err(Rejection::HeldBack(HeldBack { why, until: self.now + *pause }));
            }
            Answer::Refuse(failure, retry_after) => {
                return Err(Rejection::Refused { failure: failure.clone(), retry_after: *retry_after });
            }
            Answer::Pretend => {}
            Answer::Accept
            | Answer::LostAfterEffect
            | Answer::FailLater(_)
            | Answer::Preempt
            | Answer::Abort
            | Answer::Cancel(_) => self.change(pool, changes),
        }
        let resumed = pool.and_then(|pool| self.half_done.remove(pool));
        let (work, takes, word) = match resumed {
            Some(step) => (Work::Step(step), self.takes, "Upgrading"),
            None => (Work::Settings(pool.map(str::to_owned)), SETTINGS, "Updating"),
        };
        self.set_state(pool, ProvisioningState::Busy(word.to_owned()));
        let address = format!("https://management.azure.com/operations/{}", self.calls);
        let is_lost = matches!(answer, Answer::LostAfterEffect);
        self.running =
            Some(Running { work, ends: self.now + takes, answer: Answer::Accept, address: address.clone() });
        if is_lost { Err(lost()) } else { Ok(Some(address)) }
    }
}
