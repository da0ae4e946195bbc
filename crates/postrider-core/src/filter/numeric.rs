//! Ranges of numbers, compared exactly: a whole number of 19 digits is not rounded to be compared with a fraction.

use std::cmp::Ordering;
use std::ops::Bound;

use super::Scalar;

/// A range of numbers, open at either end or not.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) low: Bound<Scalar>,
    pub(super) high: Bound<Scalar>,
}

impl Range {
    /// Whether the value is a number of this range; a text is none, whatever it reads.
    pub(super) fn contains(&self, value: &Scalar) -> bool {
        let above = |bound: &Scalar| compare(value, bound);
        let low = match &self.low {
            Bound::Unbounded => true,
            Bound::Included(low) => above(low).is_some_and(Ordering::is_ge),
            Bound::Excluded(low) => above(low).is_some_and(Ordering::is_gt),
        };
        low && match &self.high {
            Bound::Unbounded => true,
            Bound::Included(high) => above(high).is_some_and(Ordering::is_le),
            Bound::Excluded(high) => above(high).is_some_and(Ordering::is_lt),
        }
    }

    /// Whether no number lies in it.
    pub(super) fn is_empty(&self) -> bool {
        use Bound::{Excluded, Included, Unbounded};
        let order = match (&self.low, &self.high) {
            (Unbounded, _) | (_, Unbounded) => return false,
            (Included(low) | Excluded(low), Included(high) | Excluded(high)) => compare(low, high),
        };
        match order {
            Some(Ordering::Less) => false,
            Some(Ordering::Equal) => !matches!((&self.low, &self.high), (Included(_), Included(_))),
            Some(Ordering::Greater) | None => true,
        }
    }
}

/// The order of two numbers; none if one of the values is no number.
fn compare(a: &Scalar, b: &Scalar) -> Option<Ordering> {
    match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => Some(a.cmp(b)),
        (Scalar::Float(a), Scalar::Float(b)) => a.partial_cmp(b),
        (Scalar::Int(a), Scalar::Float(b)) => Some(compare_int(*a, *b)),
        (Scalar::Float(a), Scalar::Int(b)) => Some(compare_int(*b, *a).reverse()),
        _ => None,
    }
}

/// Compares with the whole part first. A float beyond the range of whole numbers is cut to its end, which lies beyond any
/// [`Scalar::Int`].
fn compare_int(int: i128, float: f64) -> Ordering {
    let whole = float.trunc();
    int.cmp(&(whole as i128)).then(if float > whole {
        Ordering::Less
    } else if float < whole {
        Ordering::Greater
    } else {
        Ordering::Equal
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_and_fractions_are_compared_exactly() {
        let big = i128::from(u64::MAX);
        for (int, float, expected) in [
            (1, 1.5, Ordering::Less),
            (2, 1.5, Ordering::Greater),
            (-1, -1.5, Ordering::Greater),
            (-2, -1.5, Ordering::Less),
            (0, -0.5, Ordering::Greater),
            (big, 18_446_744_073_709_551_616.0, Ordering::Less),
            (big, 1e300, Ordering::Less),
            (i128::from(i64::MIN), -1e300, Ordering::Greater),
            (0, f64::INFINITY, Ordering::Less),
        ] {
            assert_eq!(compare_int(int, float), expected, "{int} {float}");
        }
    }

    #[test]
    fn a_range_knows_when_nothing_lies_in_it() {
        let range = |low, high| Range { low, high };
        let (one, two) = (|| Scalar::Int(1), || Scalar::Float(1.5));
        assert!(!range(Bound::Included(one()), Bound::Included(one())).is_empty());
        assert!(range(Bound::Excluded(one()), Bound::Included(one())).is_empty());
        assert!(range(Bound::Included(two()), Bound::Included(one())).is_empty());
        assert!(!range(Bound::Excluded(one()), Bound::Excluded(two())).is_empty());
        assert!(!range(Bound::Unbounded, Bound::Excluded(one())).is_empty());
    }
}
