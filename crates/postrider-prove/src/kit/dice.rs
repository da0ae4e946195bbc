//! Chance from a seed, so that a run can be repeated.

use std::time::Duration;

/// A generator of random numbers (SplitMix64): the same seed gives the same run.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from 0 to below `end`, which must not be 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Whether something of so many in a thousand happens.
    pub(crate) fn per_mille(&mut self, share: u64) -> bool {
        self.below(1_000) < share
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let end = u64::try_from(from.len()).unwrap_or(1);
        &from[usize::try_from(self.below(end)).unwrap_or(0)]
    }

    /// A gap as between the arrivals of independent callers: exponentially distributed around `mean`.
    pub(crate) fn gap(&mut self, mean: Duration) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "53 bits of chance are enough")]
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        mean.mul_f64(-(1.0 - unit).ln())
    }

    /// Puts them into another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let end = u64::try_from(last + 1).unwrap_or(1);
            items.swap(last, usize::try_from(self.below(end)).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_gaps_have_their_mean() {
        let mut dice = Dice::new(7);
        assert_eq!(Dice::new(7).next(), dice.next());
        let mean = Duration::from_millis(10);
        let total: Duration = (0..20_000).map(|_| dice.gap(mean)).sum();
        assert!((9.7..10.3).contains(&(total.as_secs_f64() / 20.0)), "{total:?}");
    }
}
