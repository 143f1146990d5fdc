//! One job in the table. Of a job that waits only its gist is here, a few hundred bytes with all
//! that hangs on it; the job itself lies in the store until a loop wants it (D17).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::ids::{JobId, ReservationId};
use crate::job::event::Event;
use crate::job::head::Head;
use crate::job::state::State;
use crate::job::{Duty, Job, Receipt};
use crate::planted::{Bug, planted};
use crate::schedule::Pick;
use crate::schedule::fit::Want;
use crate::schedule::rank::Rank;
use crate::time::Monotonic;

/// One job in the table.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) gist: Gist,
    pub(super) since: Since,
    /// Its deadline on our clock.
    pub(super) deadline: Monotonic,
    /// The end of its back-off.
    pub(super) resume_at: Option<Monotonic>,
    /// Whether a loop owns it.
    owned: bool,
    /// Nothing for a job that waits and that nobody looks at.
    astir: Option<Box<Astir>>,
}

/// What decisions about a job need, as its last event left it. A clone costs next to nothing.
#[derive(Debug, Clone)]
pub(super) struct Gist {
    /// The number of its last event.
    pub(super) seq: u64,
    pub(super) state: State,
    pub(super) duty: Option<Duty>,
    /// Whether it holds a slot of a device by its record.
    pub(super) holds: bool,
    pub(super) counts_in_hand: bool,
    pub(super) receipt: Option<Receipt>,
    pub(super) want: Want,
    pub(super) tenant: Arc<str>,
    pub(super) reservation: Option<ReservationId>,
    rank: Rank,
}

/// What a job has while somebody is at it, or looks on.
#[derive(Debug, Default)]
pub(super) struct Astir {
    /// The job itself.
    job: Option<Arc<Job>>,
    pub(super) wishes: Wishes,
    /// The turn that it was given and that its record does not tell yet.
    pub(super) turn: Option<Pick>,
    /// Told whenever the job has changed.
    changed: Option<Arc<Notify>>,
    /// Told whenever there is a wish.
    wished: Option<Arc<Notify>>,
}

/// Since when a job is where it is, on our clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    /// When it came to its state.
    pub(super) entered: Monotonic,
    /// When its open execution began, or was taken over from an earlier life.
    pub(super) opened: Monotonic,
}

/// What is wanted of a job.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// A client cancelled, for this reason.
    pub(super) cancel: Option<String>,
    /// The deadline passed, while the job was waiting for this.
    pub(super) deadline: Option<String>,
    /// A cancel must be answered now.
    pub(super) receipt: bool,
}

/// What a decision in the table depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) id: JobId,
    pub(super) duty: Option<Duty>,
    pub(super) want: &'a Want,
    pub(super) tenant: &'a str,
    pub(super) reservation: Option<ReservationId>,
    pub(super) rank: Rank,
}

impl Gist {
    fn of(job: Head, tenant: Arc<str>, age_step: Duration) -> Self {
        let rank = Rank::of(&job, age_step);
        Self {
            seq: job.seq,
            state: job.state,
            duty: job.duty,
            holds: job.holds.is_some(),
            counts_in_hand: job.counts_in_hand,
            receipt: job.receipt,
            want: job.want,
            tenant,
            reservation: job.reservation,
            rank,
        }
    }

    /// Takes over what events may change.
    fn follow(&mut self, job: &Job) {
        self.seq = job.seq;
        self.state = job.state;
        self.duty = job.duty();
        self.holds = job.holds().is_some();
        self.counts_in_hand = job.counts_in_hand();
        self.receipt = job.receipt;
        if self.want.needs.as_ref() != job.needs() {
            self.want = job.want();
        }
    }

    /// What a decision needs; `duty` is what whoever knows the job best says comes next.
    pub(super) fn known(&self, id: JobId, duty: Option<Duty>) -> Known<'_> {
        Known {
            id,
            duty,
            want: &self.want,
            tenant: &self.tenant,
            reservation: self.reservation,
            rank: self.rank,
        }
    }
}

impl Slot {
    /// The slot of a job of `tenant` that nobody owns yet.
    pub(super) fn new(
        job: Head,
        tenant: Arc<str>,
        age_step: Duration,
        since: Since,
        deadline: Monotonic,
    ) -> Self {
        Self {
            gist: Gist::of(job, tenant, age_step),
            since,
            deadline,
            resume_at: None,
            owned: false,
            astir: None,
        }
    }

    /// The job itself, unless it lies in the store alone.
    pub(super) fn job(&self) -> Option<&Arc<Job>> {
        self.astir.as_ref()?.job.as_ref()
    }

    pub(super) fn turn(&self) -> Option<&Pick> {
        self.astir.as_ref()?.turn.as_ref()
    }

    pub(super) fn astir(&mut self) -> &mut Astir {
        self.astir.get_or_insert_default()
    }

    /// Makes a loop the owner; false if one is already, which then hears of the wish.
    pub(super) fn own(&mut self) -> bool {
        let owned = std::mem::replace(&mut self.owned, true);
        if owned {
            self.wished().notify_one();
        }
        !owned
    }

    pub(super) fn is_owned(&self) -> bool {
        self.owned
    }

    /// It waits, and whatever loop owned it has ended; false if none did.
    pub(super) fn disown(&mut self) -> bool {
        std::mem::replace(&mut self.owned, false)
    }

    /// What tells of wishes.
    pub(super) fn wished(&mut self) -> Arc<Notify> {
        self.astir().wished.get_or_insert_default().clone()
    }

    /// What tells of changes.
    pub(super) fn changed(&mut self) -> Arc<Notify> {
        self.astir().changed.get_or_insert_default().clone()
    }

    /// The job as it is from now on.
    pub(super) fn follow(&mut self, job: Arc<Job>) {
        self.gist.follow(&job);
        self.astir().job = Some(job);
    }

    /// One commit took the job to its turn and perhaps back again: its slot is given back then like
    /// any other, and not kept for a turn that was used.
    pub(super) fn has_held(&mut self) {
        self.gist.holds = true;
    }

    /// Whoever looks on looks again.
    pub(super) fn tell(&self) {
        if let Some(changed) = self.astir.as_ref().and_then(|astir| astir.changed.as_ref()) {
            changed.notify_waiters();
        }
    }

    /// Lets go what nobody needs while it waits.
    pub(super) fn rest(&mut self) {
        let Some(astir) = &mut self.astir else { return };
        astir.job = None;
        astir.wished = None;
        let looks_on = |changed: &Arc<Notify>| Arc::strong_count(changed) > 1;
        let Wishes {
            cancel,
            deadline,
            receipt,
        } = &astir.wishes;
        let wished = cancel.is_some() || deadline.is_some() || *receipt;
        if !wished && astir.turn.is_none() && !astir.changed.as_ref().is_some_and(looks_on) {
            self.astir = None;
        }
    }

    /// The event that a wish calls for, if the job is where it can be granted.
    pub(super) fn wish(&mut self, answered: bool) -> Option<Event> {
        let Gist {
            state,
            receipt,
            counts_in_hand,
            ..
        } = self.gist;
        let wishes = &mut self.astir.as_mut()?.wishes;
        if state.is_terminal() {
            let due = wishes.receipt && state == State::Cancelled && receipt.is_none();
            return due.then_some(Event::ReceiptGiven);
        }
        if let Some(waited_for) = wishes.deadline.clone() {
            return Some(Event::DeadlinePassed { waited_for });
        }
        if counts_in_hand && !planted(Bug::CancelAfterCounts) {
            // Whoever cancelled finds out by looking at the job.
            wishes.cancel = None;
        }
        if answered {
            return None;
        }
        let cancel = wishes.cancel.clone();
        cancel.map(|reason| Event::CancelRequested { reason })
    }
}
