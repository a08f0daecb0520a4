//! Writes the edits that were agreed to, one after the other, each guarded by the version that was read. When
//! somebody else writes in between, what is left is decided anew, and written only if it is what was agreed to.
//! Knows at every end what was written and what was not.

use anyhow::Context as _;

use super::edit::{Edit, Refusal};

/// How often what was read is read again because somebody else wrote meanwhile: the operator does all the time.
const TRIES: u32 = 10;

/// How the writing ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All is written.
    Written,
    /// What is left would do something else now than what was agreed to.
    Changed,
    /// What is left would do nothing any more.
    Refused(Refusal),
    /// Somebody else wrote in between, every time.
    Busy,
}

/// Edits that were agreed to.
pub(super) struct Writing {
    agreed: Vec<Edit>,
    /// How many of them are written, from the first.
    written: usize,
}

impl Writing {
    pub(super) fn of(agreed: Vec<Edit>) -> Self {
        Self { agreed, written: 0 }
    }

    /// Writes all of them; `read` gives the edits as they would be now.
    ///
    /// # Errors
    /// When something cannot be read or written, whatever the version.
    pub(super) async fn carry_out(
        &mut self,
        mut read: impl AsyncFnMut() -> anyhow::Result<Result<Vec<Edit>, Refusal>>,
        mut write: impl AsyncFnMut(&Edit) -> Result<(), kube::Error>,
    ) -> anyhow::Result<Ended> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                let now = match read().await? {
                    Ok(now) => now,
                    Err(refusal) => return Ok(Ended::Refused(refusal)),
                };
                if !self.renew(&now) {
                    return Ok(Ended::Changed);
                }
            }
            if self.write(&mut write).await? {
                return Ok(Ended::Written);
            }
        }
        Ok(Ended::Busy)
    }

    /// Writes what is left; false when somebody else wrote in between.
    async fn write(
        &mut self,
        write: &mut impl AsyncFnMut(&Edit) -> Result<(), kube::Error>,
    ) -> anyhow::Result<bool> {
        while let Some(edit) = self.agreed.get(self.written) {
            if !edit.is_done {
                match write(edit).await {
                    Err(kube::Error::Api(refused)) if refused.code == 409 => return Ok(false),
                    written => written.with_context(|| format!("{} cannot be changed", edit.object()))?,
                }
            }
            self.written += 1;
        }
        Ok(true)
    }

    /// Takes what is left as it was read anew; false when that is not what was agreed to. While nothing is written,
    /// it has to be all of it, and no more.
    fn renew(&mut self, now: &[Edit]) -> bool {
        if self.written == 0 && self.agreed.len() != now.len() {
            return false;
        }
        let of_now = |agreed: &Edit| now.iter().find(|edit| edit.told() == agreed.told()).cloned();
        let left: Option<Vec<Edit>> = self.agreed[self.written..].iter().map(of_now).collect();
        let Some(left) = left else { return false };
        self.agreed.truncate(self.written);
        self.agreed.extend(left);
        true
    }

    /// What was written and what was not.
    pub(super) fn so_far(&self) -> String {
        let (written, left) = self.agreed.split_at(self.written);
        let names = |edits: &[Edit]| edits.iter().map(Edit::object).collect::<Vec<_>>().join(", ");
        match (written, left) {
            ([], _) => "nothing was changed".to_owned(),
            ([first, ..], []) => format!("{} was set on {}", first.field(), names(written)),
            ([first, ..], left) => {
                format!("{} was set on {}, and not on {}", first.field(), names(written), names(left))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::{
        super::{Verb, edit::edits, tests::known_running},
        *,
    };

    /// The edits of an abort of the whole plan, where these clusters have an operation in Azure.
    fn abort(running: &[(&str, &str)]) -> Result<Vec<Edit>, Refusal> {
        edits(&Verb::Abort, "autumn", "now", (&known_running(running), "fleet"))
    }

    fn conflict() -> kube::Error {
        let status = kube::core::Status::failure("the object has been modified", "Conflict").with_code(409);
        kube::Error::Api(status.boxed())
    }

    /// Aborts two clusters, `b` of which somebody else writes once; what each look gives then.
    async fn half_way(later: &[(&str, &str)]) -> (Ended, Vec<String>, String) {
        let mut writing = Writing::of(abort(&[("a", "apps"), ("b", "apps")]).unwrap());
        let (written, refused) = (RefCell::new(Vec::new()), RefCell::new(false));
        let ended = writing
            .carry_out(
                async || Ok(abort(later)),
                async |edit: &Edit| {
                    if edit.object().ends_with("-b") && !refused.replace(true) {
                        return Err(conflict());
                    }
                    written.borrow_mut().push(edit.object());
                    Ok(())
                },
            )
            .await
            .unwrap();
        (ended, written.into_inner(), writing.so_far())
    }

    const A: &str = "ClusterUpgrade fleet/autumn-1-a";
    const B: &str = "ClusterUpgrade fleet/autumn-1-b";

    #[tokio::test]
    async fn somebody_elses_write_keeps_nothing_from_being_written() {
        let (ended, written, _) = half_way(&[("a", "apps"), ("b", "apps")]).await;
        assert_eq!((ended, written.join(" ")), (Ended::Written, format!("{A} {B}")), "each once");
        let (ended, written, _) = half_way(&[("b", "apps"), ("c", "apps")]).await;
        assert_eq!((ended, written.join(" ")), (Ended::Written, format!("{A} {B}")), "what was agreed to");
    }

    #[tokio::test]
    async fn what_stops_half_way_names_what_was_set_and_what_was_not() {
        let (ended, written, so_far) = half_way(&[("a", "apps"), ("b", "other")]).await;
        assert_eq!((ended, written.join(" ")), (Ended::Changed, A.to_owned()));
        assert_eq!(so_far, format!("tidegate.dev/abort=now was set on {A}, and not on {B}"));
        let (ended, _, so_far) = half_way(&[]).await;
        assert!(matches!(ended, Ended::Refused(_)), "{ended:?}");
        assert_eq!(so_far, format!("tidegate.dev/abort=now was set on {A}, and not on {B}"));
    }

    #[tokio::test]
    async fn before_anything_is_written_it_has_to_be_what_was_agreed_to() {
        let mut writing = Writing::of(abort(&[("a", "apps")]).unwrap());
        let ended = writing
            .carry_out(async || Ok(abort(&[("a", "apps"), ("b", "apps")])), async |_: &Edit| Err(conflict()))
            .await
            .unwrap();
        assert_eq!((ended, writing.so_far().as_str()), (Ended::Changed, "nothing was changed"));
        let ended = writing
            .carry_out(async || Ok(abort(&[("a", "apps")])), async |_: &Edit| Err(conflict()))
            .await
            .unwrap();
        assert_eq!(ended, Ended::Busy);
    }
}
