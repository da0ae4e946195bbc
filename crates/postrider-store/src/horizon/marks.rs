//! What follows from who holds the ledger's lock: pure, fed with what was read.

use std::collections::VecDeque;

use super::Holders;

/// Marks that are kept at once.
const MOST_MARKS: usize = 32;

/// What was seen at one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// Every event up to this `seq` is committed and visible, or never will be.
    pub decided: i64,
    /// The last `seq` that was drawn.
    pub drawn: i64,
    /// Retention has removed bodies up to this `seq`.
    pub removed_to: i64,
    holders: Holders,
}

impl Sight {
    /// After which `seq` there may be events that are visible now and were not at an earlier look; `None`: nothing has become visible since.
    #[must_use]
    pub fn fresh_since(&self, earlier: &Sight) -> Option<i64> {
        let ended = earlier.holders.iter().filter(|(who, _)| !self.holders.contains_key(*who));
        let drawn = (self.drawn > earlier.drawn).then_some(earlier.drawn);
        ended.map(|(_, below)| *below).chain(drawn).min()
    }
}

/// A number that was drawn, and who of those that may have drawn up to it has not ended.
#[derive(Debug)]
struct Mark {
    seq: i64,
    open: Vec<String>,
}

/// Marks whose publishers have not all ended, oldest first.
#[derive(Debug, Default)]
pub(super) struct Marks {
    decided: i64,
    drawn: i64,
    holders: Holders,
    open: VecDeque<Mark>,
}

impl Marks {
    /// Takes in one look: the last number drawn, what others have found decided, and who held the lock after both were read.
    pub(super) fn look(&mut self, drawn: i64, kept: i64, holders: Vec<String>) {
        if drawn < self.drawn {
            // Another server, which has lost some of what this one had: what was known is of no use.
            *self = Self::default();
        }
        self.decided = self.decided.max(kept.min(drawn));
        // A transaction that was prepared before a restart goes on under another name, so nothing is known of it: no mark can do without it.
        let recovered = holders.iter().any(|who| is_recovered(who));
        for mark in &mut self.open {
            mark.open.retain(|who| holders.contains(who));
            if mark.open.is_empty() && !recovered {
                self.decided = self.decided.max(mark.seq);
            }
        }
        if holders.is_empty() {
            self.decided = self.decided.max(drawn);
        }
        self.open.retain(|mark| mark.seq > self.decided);
        if drawn > self.decided && self.open.back().is_none_or(|last| last.seq < drawn) {
            self.thin_out();
            self.open.push_back(Mark { seq: drawn, open: holders.clone() });
        }
        let below = |who: &String| match self.holders.get(who) {
            Some(below) => *below,
            None if is_recovered(who) => 0,
            None => self.drawn,
        };
        self.holders = holders.iter().map(|who| (who.clone(), below(who))).collect();
        self.drawn = self.drawn.max(drawn);
    }

    pub(super) fn sight(&self, removed_to: i64) -> Sight {
        Sight {
            decided: self.decided,
            drawn: self.drawn,
            removed_to,
            holders: self.holders.clone(),
        }
    }

    /// Makes room: old marks stay, with growing gaps between them.
    fn thin_out(&mut self) {
        if self.open.len() < MOST_MARKS {
            return;
        }
        let mut place = 0;
        self.open.retain(|_| {
            place += 1;
            place % 2 == 1
        });
    }
}

/// Prepared transactions that a restart has brought back have no process of their own.
fn is_recovered(who: &str) -> bool {
    who.starts_with("-1/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_decided_follows_from_who_is_left() {
        let mut marks = Marks::default();
        for (drawn, holders, decided) in [
            (0, &[][..], 0),
            (7, &["3/1"], 0),
            (9, &["3/1", "4/1"], 0),
            // Who had drawn up to 7 has ended; who came later may have drawn 8 or 9.
            (11, &["4/1", "5/1"], 7),
            (11, &["5/1"], 9),
            (12, &["6/1"], 11),
            (12, &[], 12),
        ] {
            marks.look(drawn, 0, who(holders));
            assert_eq!(marks.sight(0).decided, decided, "{drawn} {holders:?}");
        }
    }

    #[test]
    fn a_long_open_one_holds_back_what_came_after_it_and_nothing_before() {
        let mut marks = Marks::default();
        marks.look(10, 0, Vec::new());
        for n in 0..1_000 {
            marks.look(11 + n, 0, who(&["3/1", &format!("4/{n}")]));
            assert_eq!(marks.sight(0).decided, 10);
            assert!(marks.open.len() <= MOST_MARKS);
        }
        marks.look(1_011, 0, who(&["4/1000"]));
        assert_eq!(marks.sight(0).decided, 1_010, "all but the last are over");
    }

    #[test]
    fn what_others_found_counts_and_nothing_goes_back() {
        let mut marks = Marks::default();
        marks.look(50, 40, who(&["3/1"]));
        assert_eq!(marks.sight(0).decided, 40);
        marks.look(50, 30, who(&["3/1"]));
        assert_eq!(marks.sight(0).decided, 40);
    }

    #[test]
    fn what_a_restart_brought_back_is_waited_for_under_its_new_name() {
        let mut marks = Marks::default();
        marks.look(5, 0, who(&["3/1"]));
        marks.look(5, 0, who(&["-1/77"]));
        assert_eq!(marks.sight(0).decided, 0, "3/1 may be what is -1/77 now");
        marks.look(6, 0, Vec::new());
        assert_eq!(marks.sight(0).decided, 6);
    }

    #[test]
    fn what_has_become_visible_lies_after_where_its_publisher_began() {
        let mut marks = Marks::default();
        let mut sights = Vec::new();
        for (drawn, holders) in [
            (5, &[][..]),
            (6, &["3/1"]),
            (6, &["3/1"]),
            (20, &["3/1", "4/1"]),
            (20, &["4/1"]),
            (20, &[]),
        ] {
            marks.look(drawn, 0, who(holders));
            sights.push(marks.sight(0));
        }
        let fresh: Vec<_> = sights.windows(2).map(|two| two[1].fresh_since(&two[0])).collect();
        assert_eq!(fresh, [Some(5), None, Some(6), Some(5), Some(6)]);
    }
}
