//! Pages of lists that are empty or smaller than usual.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{Quirks, subject::Subject};
use crate::{scenario::QuirkName, world::call::Answer};

/// The pages before which an empty one was given: the next look gets the page itself, or no list would end.
pub(super) type Emptied = BTreeSet<(String, usize)>;

impl Quirks {
    /// An empty page that leads to the one that was asked for.
    pub(super) fn empty_page(&mut self, now: Timestamp, subject: &Subject) -> Option<Answer> {
        let page = subject.page.as_ref()?;
        if self.emptied.remove(page) {
            return None;
        }
        let _struck = self.meet(now, QuirkName::EmptyPages, subject)?;
        self.emptied.insert(page.clone());
        Some(Answer { next: Some(page.1), ..Answer::new(200, json!({ "value": [] })) })
    }

    /// How many items the page holds, when another number than usual.
    pub(super) fn page_size(&mut self, now: Timestamp, subject: &Subject) -> Option<usize> {
        let (rule, _) = self.meet(now, QuirkName::SmallPages, subject)?;
        usize::try_from(rule.size.unwrap_or(1)).ok()
    }
}
