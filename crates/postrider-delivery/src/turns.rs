//! A turnstile: so many attempts may be past it at once, first ones and retries counted apart, and those who have to wait pass
//! in a fair order: of the tenants the one that holds the fewest of the places that were waited for, of its endpoints one after the
//! other. Whoever finds room and nobody waiting passes by one compare-and-set; then nobody is counted by name.

mod line;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postrider_core::ids::EndpointId;
use tokio::sync::Notify;

use self::line::Line;
use crate::lane::Slot;

/// One first attempt and one retry in the count of those that are past; the highest bits say that somebody waits.
const ONE_FIRST: u64 = 1;
const ONE_RETRY: u64 = 1 << 31;
const COUNT: u64 = ONE_RETRY - 1;
const FIRST_WAITS: u64 = 1 << 62;
const RETRY_WAITS: u64 = 1 << 63;

/// On whose behalf an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whose {
    /// A hash of the tenant's name: two tenants that share one share their turns, and nothing else.
    pub(crate) tenant: u64,
    pub(crate) endpoint: EndpointId,
}

/// How many may be past a turnstile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) first: u32,
    pub(crate) retries: u32,
    /// Of both kinds together.
    pub(crate) all: u32,
}

impl Room {
    /// So many in all, of which retries get no more than half, or take turns where there is only one.
    pub(crate) fn shared(all: u32) -> Self {
        Self { first: all, retries: (all / 2).max(1), all }
    }

    /// Rooms of their own for both kinds.
    pub(crate) fn apart(first: u32, retries: u32) -> Self {
        Self { first, retries, all: first.saturating_add(retries) }
    }

    /// The same with no more than `all` in all.
    pub(crate) fn within(self, all: u32) -> Self {
        let limit = Self::shared(all);
        Self {
            first: self.first.min(limit.first),
            retries: self.retries.min(limit.retries),
            all: self.all.min(limit.all),
        }
    }

    pub(crate) fn of(self, slot: Slot) -> u32 {
        match slot {
            Slot::First => self.first,
            Slot::Retry => self.retries,
        }
    }
}

/// A turnstile.
pub(crate) struct Turns {
    /// How many are past, and whether somebody waits.
    past: AtomicU64,
    first: AtomicU32,
    retries: AtomicU32,
    all: AtomicU32,
    line: Mutex<Line>,
}

/// A place past the turnstile; given back when it is dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    slot: Slot,
    /// Who has it, if it was waited for: in that time much may have changed.
    waited: Option<Whose>,
}

/// Somebody in the line.
pub(crate) struct Ticket {
    /// Signalled once, when the turn has come.
    called: Notify,
    state: Mutex<TicketState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TicketState {
    Waits,
    Called,
    /// The slot was stopped.
    Left,
}

/// A wait that may be broken off: the slot is dropped when it is stopped.
struct Waiting<'a> {
    turns: &'a Turns,
    ticket: Arc<Ticket>,
    whose: Whose,
    slot: Slot,
    done: bool,
}

impl Turns {
    pub(crate) fn new(room: Room) -> Self {
        Self {
            past: AtomicU64::new(0),
            first: AtomicU32::new(room.first),
            retries: AtomicU32::new(room.retries),
            all: AtomicU32::new(room.all),
            line: Mutex::default(),
        }
    }

    /// Passes, after a wait if need be.
    pub(crate) async fn pass(&self, whose: Whose, slot: Slot) -> Turn<'_> {
        if self.pass_at_once(slot) {
            return Turn { turns: self, slot, waited: None };
        }
        let mut waiting = self.join(whose, slot);
        waiting.ticket.called.notified().await;
        waiting.done = true;
        Turn { turns: self, slot, waited: Some(whose) }
    }

    pub(crate) fn room(&self) -> Room {
        Room {
            first: self.first.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            all: self.all.load(Ordering::Relaxed),
        }
    }

    /// Changes how many may be past. Who is past already stays there.
    pub(crate) fn resize(&self, room: Room) {
        if self.room() == room {
            return;
        }
        self.first.store(room.first, Ordering::Relaxed);
        self.retries.store(room.retries, Ordering::Relaxed);
        self.all.store(room.all, Ordering::Relaxed);
        self.serve(&mut self.line());
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing in here panics between two writes that belong together.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_at_once(&self, slot: Slot) -> bool {
        let room = self.room();
        // Where both kinds share the room, neither overtakes the other.
        let overtaken = match slot {
            _ if room.all < room.first.saturating_add(room.retries) => FIRST_WAITS | RETRY_WAITS,
            Slot::First => FIRST_WAITS,
            Slot::Retry => RETRY_WAITS,
        };
        self.enter(room, slot, overtaken)
    }

    /// Counts one more if there is room for it, and none of those waits.
    fn enter(&self, room: Room, slot: Slot, overtaken: u64) -> bool {
        let entered = self.past.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |past| {
            let (first, retries) = (past & COUNT, (past / ONE_RETRY) & COUNT);
            let (kind, one) = match slot {
                Slot::First => (first, ONE_FIRST),
                Slot::Retry => (retries, ONE_RETRY),
            };
            let fits = kind < u64::from(room.of(slot)) && first + retries < u64::from(room.all);
            (fits && past & overtaken == 0).then_some(past + one)
        });
        entered.is_ok()
    }

    fn join(&self, whose: Whose, slot: Slot) -> Waiting<'_> {
        let ticket =
            Arc::new(Ticket { called: Notify::new(), state: Mutex::new(TicketState::Waits) });
        let mut line = self.line();
        line.join(whose, slot, Arc::clone(&ticket));
        let waits = match slot {
            Slot::First => FIRST_WAITS,
            Slot::Retry => RETRY_WAITS,
        };
        // From here on whoever leaves serves the line; who left before has made the room that is looked for now.
        self.past.fetch_or(waits, Ordering::AcqRel);
        self.serve(&mut line);
        Waiting { turns: self, ticket, whose, slot, done: false }
    }

    /// Calls those who have room, both kinds by turns.
    fn serve(&self, line: &mut Line) {
        let room = self.room();
        let mut turned_away = [false, false];
        while let Some(slot) = line.next_kind(turned_away) {
            if !self.enter(room, slot, 0) {
                turned_away[slot as usize] = true;
            } else if !line.call(slot) {
                self.leave_uncounted(slot);
            }
        }
        for (slot, waits) in [(Slot::First, FIRST_WAITS), (Slot::Retry, RETRY_WAITS)] {
            if line.is_empty(slot) {
                self.past.fetch_and(!waits, Ordering::AcqRel);
            }
        }
    }

    fn leave_uncounted(&self, slot: Slot) -> u64 {
        let one = match slot {
            Slot::First => ONE_FIRST,
            Slot::Retry => ONE_RETRY,
        };
        self.past.fetch_sub(one, Ordering::AcqRel)
    }

    fn leave(&self, slot: Slot, waited: Option<Whose>) {
        let past = self.leave_uncounted(slot);
        if waited.is_some() || past & (FIRST_WAITS | RETRY_WAITS) != 0 {
            let mut line = self.line();
            if let Some(whose) = waited {
                line.give_back(slot, whose.tenant);
            }
            self.serve(&mut line);
        }
    }
}

impl Turn<'_> {
    /// Whether it was waited for.
    pub(crate) fn was_waited_for(&self) -> bool {
        self.waited.is_some()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.leave(self.slot, self.waited);
    }
}

impl Ticket {
    fn state(&self) -> MutexGuard<'_, TicketState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls who waits; false if nobody does any more.
    fn call(&self) -> bool {
        let mut state = self.state();
        if *state != TicketState::Waits {
            return false;
        }
        *state = TicketState::Called;
        self.called.notify_one();
        true
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let was = std::mem::replace(&mut *self.ticket.state(), TicketState::Left);
        if was == TicketState::Called {
            // Called and gone: the place is for somebody else.
            self.turns.leave(self.slot, Some(self.whose));
        }
    }
}

#[cfg(test)]
mod tests;
