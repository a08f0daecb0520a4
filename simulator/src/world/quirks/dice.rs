//! Draws that look random and are not: the same seed gives the same ones.

/// A generator of its own for each rule.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    /// The `number`-th generator of a seed.
    pub(super) const fn new(seed: u64, number: u64) -> Self {
        Self { state: mix(seed ^ mix(number)) }
    }

    /// Whether something this likely happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a fraction holds")]
        let fraction = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        fraction < probability
    }

    /// A number below `bound`, which is above 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % bound).unwrap_or_default()
    }

    /// Puts `items` into any order, and into another one than theirs when there are two or more.
    pub(super) fn shuffle<T: PartialEq + Clone>(&mut self, items: &mut [T]) {
        let before = items.to_vec();
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
        if items == before.as_slice() {
            items.reverse();
        }
    }

    /// Splitmix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }
}

const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_with_the_seed_and_are_as_likely_as_asked() {
        let draws = |seed, number| {
            let mut dice = Dice::new(seed, number);
            (0..1000).filter(|_| dice.happens(0.3)).count()
        };
        assert_eq!(draws(7, 1), draws(7, 1));
        assert_ne!(draws(7, 1), draws(7, 2));
        assert!((250..350).contains(&draws(7, 1)), "{}", draws(7, 1));
        assert!(Dice::new(1, 1).happens(1.0));
    }

    #[test]
    fn a_shuffle_changes_the_order_and_keeps_the_items() {
        for seed in 0..20 {
            let mut items = [1, 2, 3];
            Dice::new(seed, 0).shuffle(&mut items);
            assert_ne!(items, [1, 2, 3]);
            items.sort_unstable();
            assert_eq!(items, [1, 2, 3]);
        }
    }
}
