//! The requests of one priority level: who waits, who runs, who is next (KEP-1040, fair queueing for
//! server requests).
//!
//! A state machine without clock, lock or task: time comes in as a value. A request is enqueued into
//! the queue of its flow's hand that has the least work waiting; [`QueueSet::dispatch`] says who may
//! run, one at a time, until it says nobody.
//!
//! Fairness is among queues. A meter R runs at the rate at which each busy queue is due seats; each
//! queue has a reading of R at which its next request would begin if every queue got exactly its due.
//! The request that would end first is next. A request's time is guessed when it begins, grows with
//! the time that it takes, and is put right when it ends. (Kubernetes goes by the guess until the end, so
//! that one queue of slow requests can take several turns before it has paid for the first.)

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{
    demand::{Integrator, Observed},
    shard,
    work::SeatSeconds,
};

/// How long a request is thought to take until it has ended.
const GUESS: Duration = Duration::from_millis(3);

/// What becomes of the requests of a level that has no seat for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discipline {
    /// There is always a seat.
    Exempt,
    /// They are refused.
    Reject,
    /// They wait.
    Queue(Queuing),
}

/// How requests wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queuing {
    /// How many queues there are.
    pub(crate) queues: usize,
    /// How many of them a flow may use.
    pub(crate) hand: usize,
    /// How many requests fit into each while all seats are taken.
    pub(crate) length: usize,
}

/// Why a request didn't come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// All queues of its hand are full.
    QueueFull,
    /// All seats are taken, and its level has no queues.
    ConcurrencyLimit,
}

/// A request in a set, waiting or running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    serial: u64,
    queue: Option<usize>,
}

/// One priority level's requests, each with something of the caller's.
#[derive(Debug)]
pub(crate) struct QueueSet<T> {
    discipline: Discipline,
    /// Seats in all, for those that aren't exempt.
    limit: usize,
    /// More than the discipline says while those that are too many drain.
    queues: Vec<Queue<T>>,
    running: BTreeMap<Id, Running<T>>,
    /// R, and when it was read.
    progress: SeatSeconds,
    read: Duration,
    /// The queue that had its turn last.
    turn: usize,
    next: u64,
    waiting: usize,
    seats_waiting: usize,
    seats_in_use: usize,
    /// Queues in which something waits or runs.
    busy: usize,
    demand: Integrator,
    tally: Tally,
}

/// How often what has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Requests that got seats.
    pub(crate) dispatched: u64,
    /// Requests that were sent away, for whatever reason.
    pub(crate) rejected: u64,
    /// Those of them that had waited for too long.
    pub(crate) timed_out: u64,
    /// Those of them whose client had gone.
    pub(crate) cancelled: u64,
}

/// Why a request stopped waiting without having run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GaveUp {
    /// It has waited for too long.
    TimedOut,
    /// Its client has gone.
    Cancelled,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<Waiting<T>>,
    seats_waiting: usize,
    running: usize,
    seats_in_use: usize,
    /// The moments at which those that run began, each times its seats: with the time, it gives what
    /// they have used.
    began: SeatSeconds,
    /// The reading of R at which its next request begins, if all went as it should.
    next_start: SeatSeconds,
}

/// A request in a queue.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    id: Id,
    /// The seats that it takes.
    pub(crate) seats: usize,
    /// When it came.
    pub(crate) arrived: Duration,
    arrival: SeatSeconds,
    /// The caller's.
    pub(crate) what: T,
}

/// A request that has its seats.
#[derive(Debug)]
pub(crate) struct Running<T> {
    /// The seats that it takes.
    pub(crate) seats: usize,
    /// When it came.
    pub(crate) arrived: Duration,
    /// When it got its seats.
    pub(crate) started: Duration,
    /// The caller's.
    pub(crate) what: T,
}

/// One queue, to be looked at.
pub(crate) struct QueueView<'a, T> {
    /// Those that wait, in order.
    pub(crate) waiting: &'a VecDeque<Waiting<T>>,
    /// How many run.
    pub(crate) running: usize,
    /// In how many seats.
    pub(crate) seats_in_use: usize,
    /// How many seats are waited for.
    pub(crate) seats_waiting: usize,
    /// The work that waits, as far as it can be guessed.
    pub(crate) work_waiting: SeatSeconds,
    /// Where in R its next request begins.
    pub(crate) next_start: SeatSeconds,
}

impl<T> QueueSet<T> {
    /// Nobody yet.
    pub(crate) fn new(discipline: Discipline, limit: usize, now: Duration) -> Self {
        let mut set = QueueSet {
            discipline: Discipline::Reject,
            limit,
            queues: Vec::new(),
            running: BTreeMap::new(),
            progress: SeatSeconds::default(),
            read: now,
            turn: 0,
            next: 0,
            waiting: 0,
            seats_waiting: 0,
            seats_in_use: 0,
            busy: 0,
            demand: Integrator::default(),
            tally: Tally::default(),
        };
        set.demand.take(now);
        set.reshape(discipline, limit, now);
        set
    }

    /// Another configuration. Whoever waits goes on waiting, also in queues that are too many by now;
    /// more seats may mean that more can be [dispatched](QueueSet::dispatch).
    pub(crate) fn reshape(&mut self, discipline: Discipline, limit: usize, now: Duration) {
        self.advance(now);
        (self.discipline, self.limit) = (discipline, limit);
        if self.queues.len() < self.wanted_queues() {
            self.queues.resize_with(self.wanted_queues(), Queue::new);
        }
        self.drop_spare_queues();
    }

    /// A request comes. It waits, unless the level has no queues, in which case it runs at once;
    /// [`QueueSet::is_running`] tells.
    pub(crate) fn enqueue(
        &mut self,
        now: Duration,
        flow_hash: u64,
        seats: usize,
        what: T,
    ) -> Result<Id, Refusal> {
        self.advance(now);
        let queue = match self.discipline {
            Discipline::Exempt => None,
            Discipline::Reject if self.has_room_for(seats) => None,
            Discipline::Reject => return Err(self.refuse(Refusal::ConcurrencyLimit)),
            Discipline::Queue(queuing) => Some(self.choose(flow_hash, queuing)?),
        };
        let serial = self.next;
        self.next += 1;
        let id = Id { serial, queue };
        let waiting = Waiting {
            id,
            seats,
            arrived: now,
            arrival: self.progress,
            what,
        };
        match queue {
            None => self.seat(now, waiting),
            Some(index) => self.line_up(index, waiting),
        }
        self.note_demand(now);
        Ok(id)
    }

    /// The next request that may run, which has its seats from now on. None if nobody waits, or the
    /// seats aren't enough for the one whose turn it is.
    pub(crate) fn dispatch(&mut self, now: Duration) -> Option<Id> {
        self.advance(now);
        if self.waiting == 0 || self.seats_in_use >= self.limit {
            return None;
        }
        let index = self.next_queue(now)?;
        let queue = &mut self.queues[index];
        let seats = queue.waiting.front()?.seats;
        if !self.has_room_for(seats) {
            return None;
        }
        self.turn = index;
        let queue = &mut self.queues[index];
        let first = queue.waiting.pop_front()?;
        queue.seats_waiting -= seats;
        queue.running += 1;
        queue.seats_in_use += seats;
        queue.began += SeatSeconds::new(seats, now);
        queue.next_start += SeatSeconds::new(seats, GUESS);
        queue.catch_up();
        self.waiting -= 1;
        self.seats_waiting -= seats;
        let id = first.id;
        self.seat(now, first);
        self.note_demand(now);
        Some(id)
    }

    /// A request that ran has ended; gives back what was the caller's. Its seats are free for others
    /// to be [dispatched](QueueSet::dispatch).
    pub(crate) fn finish(&mut self, now: Duration, id: Id) -> Option<Running<T>> {
        self.advance(now);
        let ended = self.running.remove(&id)?;
        self.seats_in_use -= ended.seats;
        if let Some(index) = id.queue {
            let queue = &mut self.queues[index];
            queue.running -= 1;
            queue.seats_in_use -= ended.seats;
            queue.began -= SeatSeconds::new(ended.seats, ended.started);
            let took = now.saturating_sub(ended.started);
            queue.next_start += SeatSeconds::new(ended.seats, took);
            queue.next_start -= SeatSeconds::new(ended.seats, GUESS);
            queue.catch_up();
            self.rest(index);
        }
        self.note_demand(now);
        Some(ended)
    }

    /// A request that waits won't any longer; gives back what was the caller's. None if it doesn't wait.
    pub(crate) fn give_up(&mut self, now: Duration, id: Id, why: GaveUp) -> Option<T> {
        self.advance(now);
        let index = id.queue?;
        let queue = self.queues.get_mut(index)?;
        let place = queue.waiting.iter().position(|each| each.id == id)?;
        let gone = queue.waiting.remove(place)?;
        queue.seats_waiting -= gone.seats;
        queue.catch_up();
        self.waiting -= 1;
        self.seats_waiting -= gone.seats;
        self.rest(index);
        self.tally.rejected += 1;
        match why {
            GaveUp::TimedOut => self.tally.timed_out += 1,
            GaveUp::Cancelled => self.tally.cancelled += 1,
        }
        self.note_demand(now);
        Some(gone.what)
    }

    /// Whether a request has its seats.
    pub(crate) fn is_running(&self, id: Id) -> bool {
        self.running.contains_key(&id)
    }

    /// What is the caller's of a request that waits or runs.
    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        if let Some(running) = self.running.get_mut(&id) {
            return Some(&mut running.what);
        }
        let queue = self.queues.get_mut(id.queue?)?;
        // Who asks has come just now, most often.
        let mut waiting = queue.waiting.iter_mut().rev();
        waiting
            .find(|each| each.id == id)
            .map(|each| &mut each.what)
    }

    /// Whether nobody waits or runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting == 0 && self.running.is_empty()
    }

    /// The seats wanted since this was asked last.
    pub(crate) fn take_demand(&mut self, now: Duration) -> Observed {
        self.demand.take(now)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many requests wait in the queue of one.
    pub(crate) fn length_behind(&self, id: Id) -> usize {
        let queue = id.queue.and_then(|index| self.queues.get(index));
        queue.map_or(0, |queue| queue.waiting.len())
    }

    /// How many seats there are.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The reading of R.
    pub(crate) fn progress(&self) -> SeatSeconds {
        self.progress
    }

    /// How often what has happened.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Those that run, in order of their coming, with the queue that they came from.
    pub(crate) fn running(&self) -> impl Iterator<Item = (Option<usize>, &Running<T>)> {
        self.running.iter().map(|(id, each)| (id.queue, each))
    }

    /// All queues, in order.
    pub(crate) fn queues(&self) -> impl Iterator<Item = QueueView<'_, T>> {
        self.queues.iter().map(|queue| QueueView {
            waiting: &queue.waiting,
            running: queue.running,
            seats_in_use: queue.seats_in_use,
            seats_waiting: queue.seats_waiting,
            work_waiting: queue.work_waiting(),
            next_start: queue.next_start,
        })
    }

    /// Moves R on. Before anything changes, since the rate holds for the time that has passed.
    fn advance(&mut self, now: Duration) {
        let time = now.saturating_sub(self.read);
        self.read = self.read.max(now);
        if self.busy > 0 {
            let wanted = self.seats_in_use + self.seats_waiting;
            self.progress += SeatSeconds::new(wanted.min(self.limit), time).split(self.busy);
        }
    }

    /// The queue of the flow's hand with the least work waiting.
    ///
    /// The search begins with another card each time, so that flows whose hands overlap don't all
    /// prefer the same queue.
    fn choose(&mut self, flow_hash: u64, queuing: Queuing) -> Result<usize, Refusal> {
        let hand = shard::deal(flow_hash, queuing.queues, queuing.hand);
        let offset = self.next as usize % hand.len();
        let (front, back) = hand.split_at(offset);
        let work = |index: &&usize| self.queues[**index].work_waiting();
        let best = back.iter().chain(front).min_by_key(work);
        let index = *best.expect("a hand has a card");
        let is_full = self.queues[index].waiting.len() >= queuing.length;
        match is_full && self.seats_in_use >= self.limit {
            true => Err(self.refuse(Refusal::QueueFull)),
            false => Ok(index),
        }
    }

    fn refuse(&mut self, why: Refusal) -> Refusal {
        self.tally.rejected += 1;
        why
    }

    fn line_up(&mut self, index: usize, waiting: Waiting<T>) {
        let queue = &mut self.queues[index];
        if queue.is_idle() {
            self.busy += 1;
            // What it was due while it wanted nothing is forfeit.
            queue.next_start = self.progress;
        }
        queue.seats_waiting += waiting.seats;
        self.seats_waiting += waiting.seats;
        self.waiting += 1;
        queue.waiting.push_back(waiting);
        queue.catch_up();
    }

    fn seat(&mut self, now: Duration, waiting: Waiting<T>) {
        self.seats_in_use += waiting.seats;
        self.tally.dispatched += 1;
        let running = Running {
            seats: waiting.seats,
            arrived: waiting.arrived,
            started: now,
            what: waiting.what,
        };
        self.running.insert(waiting.id, running);
    }

    /// Whether so many seats are free. A request that is wider than all of them runs alone.
    fn has_room_for(&self, seats: usize) -> bool {
        match seats > self.limit {
            true => self.running.is_empty(),
            false => self.seats_in_use + seats <= self.limit,
        }
    }

    /// The queue whose first request would end first, beginning behind the one that had its turn
    /// last, so that equals take turns.
    fn next_queue(&self, now: Duration) -> Option<usize> {
        let count = self.queues.len();
        let order = (1..=count).map(|step| (self.turn + step) % count);
        let candidates = order.filter_map(|index| {
            let queue = &self.queues[index];
            let first = queue.waiting.front()?;
            Some((
                queue.start(now) + SeatSeconds::new(first.seats, GUESS),
                index,
            ))
        });
        candidates
            .min_by_key(|(end, _)| *end)
            .map(|(_, index)| index)
    }

    /// A queue in which nothing waits or runs any longer.
    fn rest(&mut self, index: usize) {
        if self.queues[index].is_idle() {
            self.busy -= 1;
            self.drop_spare_queues();
        }
    }

    fn drop_spare_queues(&mut self) {
        let wanted = self.wanted_queues();
        while self.queues.len() > wanted && self.queues.last().is_some_and(Queue::is_idle) {
            self.queues.pop();
        }
    }

    fn wanted_queues(&self) -> usize {
        match self.discipline {
            Discipline::Queue(queuing) => queuing.queues,
            Discipline::Exempt | Discipline::Reject => 0,
        }
    }

    fn note_demand(&mut self, now: Duration) {
        let wanted = self.seats_in_use + self.seats_waiting;
        self.demand.set(now, wanted as f64);
    }
}

impl<T> Queue<T> {
    fn new() -> Self {
        Queue {
            waiting: VecDeque::new(),
            seats_waiting: 0,
            running: 0,
            seats_in_use: 0,
            began: SeatSeconds::default(),
            next_start: SeatSeconds::default(),
        }
    }

    /// The reading of R at which its next request begins, by what those that run have used so far.
    fn start(&self, now: Duration) -> SeatSeconds {
        let used = SeatSeconds::new(self.seats_in_use, now) - self.began;
        let guessed = SeatSeconds::new(self.seats_in_use, GUESS);
        self.next_start + (used - guessed).max(SeatSeconds::default())
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running == 0
    }

    /// All requests are thought to take the same time, so their seats tell it.
    fn work_waiting(&self) -> SeatSeconds {
        SeatSeconds::new(self.seats_waiting, GUESS)
    }

    /// A queue that uses less than its due doesn't save it up: nothing begins before it has come.
    fn catch_up(&mut self) {
        if let Some(first) = self.waiting.front() {
            self.next_start = self.next_start.max(first.arrival);
        }
    }
}

#[cfg(test)]
mod tests;
