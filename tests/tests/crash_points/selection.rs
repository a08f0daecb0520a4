//! Which points are tried: one moment of each change, all, or one. Pure, but for the environment.

use anyhow::{Context as _, Result, bail, ensure};
use tests::proxy::{Moment, Point};

use super::story::{STORIES, Story};

/// One point, for example `versions lost 3 hub PUT upgradeplans/main/status`.
pub(crate) const ONE: &str = "TIDEGATE_CRASH_POINT";
/// `all`, or a number: each change is struck at one of its three moments, which of them the number says. 0, 1
/// and 2 together are all; without it, 0.
const MANY: &str = "TIDEGATE_CRASH_POINTS";

/// Which points are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    One(&'static str, Point),
    All,
    Every(usize),
}

impl Selection {
    /// As the environment says.
    pub(crate) fn from_environment() -> Result<Self> {
        let variable = |name| std::env::var(name).ok();
        Self::read(variable(ONE).as_deref(), variable(MANY).as_deref())
    }

    fn read(one: Option<&str>, many: Option<&str>) -> Result<Self> {
        if let Some(text) = one {
            let (name, point) =
                text.split_once(' ').with_context(|| format!("{ONE}: {text:?} has no point"))?;
            let story = STORIES.iter().find(|story| story.name == name);
            let Some(story) = story else {
                let names: Vec<&str> = STORIES.iter().map(|story| story.name).collect();
                bail!("{ONE}: {name:?} is no story; there are {}", names.join(", "));
            };
            return Ok(Self::One(story.name, point.parse().context(ONE)?));
        }
        match many {
            Some("all") => Ok(Self::All),
            None => Ok(Self::Every(0)),
            Some(number) => {
                let number = number.parse();
                Ok(Self::Every(number.with_context(|| format!("{MANY} is neither \"all\" nor a number"))?))
            }
        }
    }

    /// Whether a story is told at all.
    pub(crate) fn tells(&self, story: &Story) -> bool {
        !matches!(self, Self::One(name, _) if *name != story.name)
    }

    /// The points of a story whose run made these changes.
    pub(crate) fn of(&self, changes: &[String]) -> Result<Vec<Point>> {
        let all = Point::of(changes);
        let chosen = match self {
            Self::All => all,
            Self::One(_, point) => vec![point.clone()],
            Self::Every(number) => {
                // A change has its moments next to each other: the first of one, the second of the next.
                let moments = Moment::ALL.len();
                let wanted = |at: usize| at % moments == (at / moments + number) % moments;
                all.into_iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, point)| point).collect()
            }
        };
        ensure!(!chosen.is_empty(), "a story without changes");
        Ok(chosen)
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn three_numbers_in_a_row_are_all_points_and_each_is_spread_over_the_moments() {
        let changes: Vec<String> = (0..7).map(|number| format!("hub PUT {number}")).collect();
        let mut together: Vec<Point> =
            (4..7).flat_map(|number| Selection::Every(number).of(&changes).unwrap()).collect();
        together.sort();
        let mut all = Selection::All.of(&changes).unwrap();
        all.sort();
        assert_eq!(together, all);
        let moments: Vec<Moment> =
            Selection::Every(0).of(&changes).unwrap().iter().map(|point| point.moment).collect();
        assert_eq!(moments[..4], [Moment::Before, Moment::Lost, Moment::After, Moment::Before]);
    }

    #[test]
    fn one_point_is_read_as_it_is_printed() {
        let point: Point = "after 2 azure PUT pool apps".parse().unwrap();
        let read = Selection::read(Some("drain after 2 azure PUT pool apps"), None).unwrap();
        assert_eq!(read, Selection::One("drain", point));
        for wrong in ["drain", "rain after 2 x", "drain often 2 x"] {
            let error = Selection::read(Some(wrong), None).unwrap_err().to_string();
            assert!(error.contains(ONE), "{error}");
        }
        assert_eq!(Selection::read(None, Some("all")).unwrap(), Selection::All);
        assert!(Selection::read(None, Some("most")).unwrap_err().to_string().contains(MANY));
    }
}
