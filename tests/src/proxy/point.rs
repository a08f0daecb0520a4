//! A point at which an operator is stopped: a change, the how-manieth of its kind, and when during it.

use std::{fmt, str::FromStr};

use anyhow::{Context as _, bail};

/// When during a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before the call reaches anybody.
    Before,
    /// After its effect, before the answer.
    Lost,
    /// After the answer: when the operator asks for the next thing, whatever that is.
    After,
}

impl Moment {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Before, Self::Lost, Self::After];

    const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Lost => "lost",
            Self::After => "after",
        }
    }
}

/// For example `lost 3 hub PUT upgradeplans/main/status`: the third of these writes, after its effect and
/// before the answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// What is changed.
    pub change: String,
    /// Counted from 1.
    pub ordinal: usize,
    /// When.
    pub moment: Moment,
}

impl Point {
    /// The points of a run that made these changes, in order.
    #[must_use]
    pub fn of(changes: &[String]) -> Vec<Self> {
        let ordinal = |at: usize| changes[..=at].iter().filter(|change| **change == changes[at]).count();
        let points = changes.iter().enumerate().flat_map(|(at, change)| {
            Moment::ALL.map(|moment| Self { change: change.clone(), ordinal: ordinal(at), moment })
        });
        points.collect()
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.moment.word(), self.ordinal, self.change)
    }
}

impl FromStr for Point {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ' ');
        let (Some(word), Some(ordinal), Some(change)) = (parts.next(), parts.next(), parts.next()) else {
            bail!("{text:?} is no point such as \"lost 3 hub PUT upgradeplans/main/status\"");
        };
        let moment = Moment::ALL.into_iter().find(|moment| moment.word() == word);
        let moment = moment.with_context(|| format!("{word:?} is none of before, lost, after"))?;
        let ordinal = ordinal.parse().with_context(|| format!("{ordinal:?} is no number"))?;
        Ok(Self { change: change.to_owned(), ordinal, moment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_count_each_kind_of_change_by_itself_and_survive_their_text_form() {
        let changes = ["a b", "c", "a b"].map(str::to_owned);
        let points = Point::of(&changes);
        let texts: Vec<String> = points.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 9);
        assert_eq!(
            (texts[0].as_str(), texts[4].as_str(), texts[8].as_str()),
            ("before 1 a b", "lost 1 c", "after 2 a b")
        );
        for (point, text) in points.iter().zip(&texts) {
            assert_eq!(text.parse::<Point>().unwrap(), *point);
        }
        for wrong in ["", "lost 1", "later 1 c", "lost x c"] {
            assert!(wrong.parse::<Point>().is_err(), "{wrong}");
        }
    }
}
