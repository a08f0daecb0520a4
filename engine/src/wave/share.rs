//! Shares of a wave: so many clusters, or so many of a hundred. Pure.

use crate::planted::{PlantedBug, planted};

/// A part of the clusters of a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Number(u32),
    /// So many of a hundred.
    Percent(u32),
}

impl Share {
    /// As a number of clusters that may be worked on at once: percentages round down, but never to zero,
    /// or nothing would ever start.
    #[must_use]
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Number(number) => usize::try_from(number).unwrap_or(usize::MAX),
            Self::Percent(_) if planted(PlantedBug::RoundUp) => 1 + total / 2,
            Self::Percent(percent) if planted(PlantedBug::RoundToZero) => return part(percent, total),
            Self::Percent(percent) => part(percent, total),
        }
        .max(1)
    }

    /// As a number of clusters that may fail: percentages round down, also to zero. It allows harm, so that
    /// it never allows more than was written: 10 % of nine clusters is not one of them.
    #[must_use]
    pub fn budget_of(self, total: usize) -> usize {
        match self {
            Self::Number(number) => usize::try_from(number).unwrap_or(usize::MAX),
            Self::Percent(percent) if planted(PlantedBug::BudgetRoundsUp) => {
                total.saturating_mul(usize::try_from(percent).unwrap_or(100)).div_ceil(100)
            }
            Self::Percent(percent) => part(percent, total),
        }
    }
}

fn part(percent: u32, total: usize) -> usize {
    total.saturating_mul(usize::try_from(percent).unwrap_or(100)) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_down_but_never_to_zero() {
        assert_eq!(Share::Percent(25).of(7), 1);
        assert_eq!(Share::Percent(25).of(8), 2);
        assert_eq!(Share::Percent(1).of(3), 1);
        assert_eq!(Share::Percent(100).of(3), 3);
        assert_eq!(Share::Number(2).of(9), 2);
    }

    #[test]
    fn a_budget_rounds_down_also_to_zero() {
        assert_eq!([9, 10, 19, 20].map(|total| Share::Percent(10).budget_of(total)), [0, 1, 1, 2]);
        assert_eq!(Share::Percent(100).budget_of(3), 3);
        assert_eq!([0, 2].map(|number| Share::Number(number).budget_of(1)), [0, 2]);
    }
}
