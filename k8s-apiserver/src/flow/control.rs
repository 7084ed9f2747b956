//! The flows of a running server: the pure parts behind locks, and requests that wait for their turn.
//!
//! Each level's requests are behind a lock of their own, held for a few hundred nanoseconds and never
//! across an await. A request that finds a seat never waits; one that doesn't sleeps until whoever
//! gives a seat back wakes it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, atomic::Ordering},
    time::Duration,
};

use http::HeaderValue;
use k8s_apimachinery::Object;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    Digest,
    backoff::Backoff,
    config::{Config, EXEMPT, Level, classify},
    demand::Demand,
    estimate::{self, Census},
    metric::{self, Counts, Rejection},
    queue_set::{Discipline, GaveUp, Id, QueueSet, Refusal},
    seat::{Allotment, Claim, divide},
    shard::flow_hash,
};
use crate::{RequestInfo, User, Verb, metrics::Exposition};

/// How much is served at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Reading requests; together with [`Limits::mutating`] the seats that priority levels share.
    pub read_only: usize,
    /// Changing requests.
    pub mutating: usize,
}

impl Default for Limits {
    /// Kubernetes' own: 400 reading and 200 changing.
    fn default() -> Self {
        Limits {
            read_only: 400,
            mutating: 200,
        }
    }
}

/// Lets requests through as their priority levels have room. Clones are one.
///
/// It begins with the mandatory levels, `exempt` and `catch-all`, and takes what
/// [`FlowControl::configure`] says. Of a server with storage that is what its FlowSchemas and
/// PriorityLevelConfigurations say, at any time.
#[derive(Clone)]
pub struct FlowControl(Arc<Inner>);

struct Inner {
    began: Instant,
    total: usize,
    state: RwLock<Arc<State>>,
    /// Held while seats are divided anew: the proportion of demand that was met last.
    dividing: Mutex<f64>,
    census: OnceLock<Arc<dyn Census>>,
    counts: Mutex<BTreeMap<(String, String), Arc<Counts>>>,
}

/// A configuration and its rooms.
pub(super) struct State {
    pub(super) config: Config,
    /// One per schema of the configuration.
    counts: Vec<Arc<Counts>>,
    /// By the level's name; also of levels that are gone, until their last request is.
    pub(super) rooms: BTreeMap<String, Room>,
}

/// A priority level and its requests.
#[derive(Clone)]
pub(super) struct Room {
    pub(super) level: Level,
    pub(super) allotment: Allotment,
    /// Whether the level is gone from the configuration.
    pub(super) is_quiescing: bool,
    pub(super) hall: Arc<Hall>,
}

/// The requests of a level, whatever becomes of its configuration.
pub(super) struct Hall {
    set: Mutex<QueueSet<Guest>>,
    backoff: Mutex<Backoff>,
    demand: Mutex<Demand>,
}

/// A request, as it is known to its level.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) counts: Arc<Counts>,
    pub(super) distinguisher: String,
    pub(super) user: Arc<User>,
    pub(super) info: Arc<RequestInfo>,
    wake: Option<oneshot::Sender<()>>,
}

/// What became of a request that came.
pub(crate) struct Entry {
    /// The uid of the FlowSchema that it matched; empty if no object says what that says.
    pub(crate) schema: HeaderValue,
    /// The uid of its PriorityLevelConfiguration, likewise.
    pub(crate) level: HeaderValue,
    /// Its seat, or for how long it should stay away.
    pub(crate) outcome: Result<Seat, Duration>,
}

/// A request's place in its level: at first in a queue perhaps. Dropping it gives it back.
pub(crate) struct Seat {
    flow: FlowControl,
    hall: Arc<Hall>,
    counts: Arc<Counts>,
    id: Id,
    is_watch: bool,
}

impl FlowControl {
    /// The mandatory levels, over so many seats.
    pub fn new(limits: &Limits) -> Self {
        let flow = FlowControl(Arc::new(Inner {
            began: Instant::now(),
            total: limits.read_only + limits.mutating,
            state: RwLock::new(Arc::new(State {
                config: Config::new(&[], &[]),
                counts: Vec::new(),
                rooms: BTreeMap::new(),
            })),
            dividing: Mutex::new(0.0),
            census: OnceLock::new(),
            counts: Mutex::default(),
        }));
        flow.configure(&[], &[]);
        flow
    }

    /// Has lists weighed by what there is to list. Without it each takes one seat.
    pub(crate) fn weigh_with(&self, census: Arc<dyn Census>) {
        let is_first = self.0.census.set(census).is_ok();
        debug_assert!(is_first, "a server counts its objects in one way");
    }

    /// Goes by these FlowSchemas and PriorityLevelConfigurations from now on, in the form of
    /// `flowcontrol.apiserver.k8s.io/v1`. Requests that wait in levels that are gone are still served.
    pub fn configure(&self, schemas: &[Object], levels: &[Object]) {
        let mut proportion = locked(&self.0.dividing);
        let (now, old) = (self.now(), self.state());
        let config = Config::new(schemas, levels);
        let leaving = old.rooms.values().filter(|room| {
            !config.levels.contains_key(&room.level.name) && !room.hall.set().is_idle()
        });
        let leaving = leaving.map(|room| (room.level.clone(), true));
        let staying = config.levels.values().map(|level| (level.clone(), false));
        let all: Vec<(Level, bool)> = staying.chain(leaving).collect();
        let sum = all.iter().map(|(level, _)| level.share.shares).sum();

        let mut rooms = BTreeMap::new();
        for (level, is_quiescing) in all {
            let allotment = Allotment::new(level.share, self.0.total, sum);
            let hall = match old.rooms.get(&level.name) {
                Some(room) => Arc::clone(&room.hall),
                None => Arc::new(Hall::new(level.discipline, allotment.at_first(), now)),
            };
            let room = Room {
                level,
                allotment,
                is_quiescing,
                hall,
            };
            rooms.insert(room.level.name.clone(), room);
        }
        let counts = config.schemas.iter();
        let counts = counts.map(|schema| self.counts_of(&schema.level, &schema.name));
        let state = State {
            counts: counts.collect(),
            config,
            rooms,
        };
        *proportion = divide_seats(&state, now);
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    /// Divides the seats anew by what levels wanted since the last time: Kubernetes does so every ten
    /// seconds. Levels that are gone, and done, are forgotten.
    pub fn adjust(&self) {
        let mut proportion = locked(&self.0.dividing);
        let (now, old) = (self.now(), self.state());
        *proportion = divide_seats(&old, now);
        let is_done = |room: &Room| room.is_quiescing && room.hall.set().is_idle();
        if old.rooms.values().any(is_done) {
            let mut rooms = old.rooms.clone();
            rooms.retain(|_, room| !is_done(room));
            let state = State {
                config: old.config.clone(),
                counts: old.counts.clone(),
                rooms,
            };
            *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        }
    }

    /// Whether there is a level of that name.
    pub(crate) fn has_level(&self, name: &str) -> bool {
        self.state().config.has_level(name)
    }

    /// Finds a seat for a request, or waits for one.
    pub(crate) async fn enter(
        &self,
        user: &Arc<User>,
        info: &Arc<RequestInfo>,
        patience: Duration,
    ) -> Entry {
        let state = self.state();
        let flow = classify(&state.config, &Digest { user, info });
        let schema = &state.config.schemas[flow.schema];
        let room = &state.rooms[&schema.level];
        let counts = &state.counts[flow.schema];
        let (hash, distinguisher, widest) = match room.level.discipline {
            Discipline::Queue(queuing) if queuing.queues > 1 => (
                flow_hash(&schema.name, flow.distinguisher),
                flow.distinguisher,
                room.allotment.widest(queuing.hand),
            ),
            Discipline::Queue(queuing) => (0, "", room.allotment.widest(queuing.hand)),
            Discipline::Reject | Discipline::Exempt => (0, "", usize::MAX),
        };
        let seats = estimate::seats(info, widest, self.0.census.get().map(|it| &**it));
        counts.seats.observe(seats as f64);
        let guest = Guest {
            counts: Arc::clone(counts),
            distinguisher: distinguisher.to_owned(),
            user: Arc::clone(user),
            info: Arc::clone(info),
            wake: None,
        };
        let came = self.now();
        let outcome = match self.come_in(room, hash, seats, guest, came) {
            Ok((seat, None)) => Ok(seat),
            Ok((seat, Some(turn))) => seat.wait(turn, patience).await,
            Err(Refusal::QueueFull) => Err(Rejection::QueueFull),
            Err(Refusal::ConcurrencyLimit) => Err(Rejection::ConcurrencyLimit),
        };
        let waited = self.now().saturating_sub(came);
        let is_exempt = room.level.name == EXEMPT;
        let outcome = match outcome {
            Ok(seat) => {
                counts.dispatched.fetch_add(1, Ordering::Relaxed);
                if !is_exempt {
                    counts.waited_and_ran.observe_time(waited);
                }
                Ok(seat)
            }
            Err(why) => {
                counts.reject(why);
                counts.waited_in_vain.observe_time(waited);
                Err(locked(&room.hall.backoff).note(self.now()))
            }
        };
        Entry {
            schema: schema.uid.clone(),
            level: room.level.uid.clone(),
            outcome,
        }
    }

    /// Takes a seat, or a place in a queue and what tells when to leave it.
    fn come_in(
        &self,
        room: &Room,
        hash: u64,
        seats: usize,
        guest: Guest,
        now: Duration,
    ) -> Result<(Seat, Option<oneshot::Receiver<()>>), Refusal> {
        let (counts, is_watch) = (Arc::clone(&guest.counts), guest.info.verb == Verb::Watch);
        let mut set = room.hall.set();
        let id = set.enqueue(now, hash, seats, guest)?;
        if matches!(room.level.discipline, Discipline::Queue(_)) {
            counts.queue_length.observe(set.length_behind(id) as f64);
        }
        let_in(&mut set, now);
        let turn = match set.is_running(id) {
            true => None,
            false => {
                let (wake, turn) = oneshot::channel();
                if let Some(guest) = set.get_mut(id) {
                    guest.wake = Some(wake);
                }
                Some(turn)
            }
        };
        drop(set);
        let seat = Seat {
            flow: self.clone(),
            hall: Arc::clone(&room.hall),
            counts,
            id,
            is_watch,
        };
        Ok((seat, turn))
    }

    /// Writes the figures of all flows.
    pub(crate) fn expose(&self, out: &mut Exposition) {
        metric::expose(self, out);
    }

    pub(super) fn state(&self) -> Arc<State> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state)
    }

    pub(super) fn counts(&self) -> Vec<Arc<Counts>> {
        locked(&self.0.counts).values().cloned().collect()
    }

    pub(super) fn proportion(&self) -> f64 {
        *locked(&self.0.dividing)
    }

    /// The time since the beginning, which is all that the pure parts know of time.
    pub(super) fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn counts_of(&self, level: &str, schema: &str) -> Arc<Counts> {
        let mut all = locked(&self.0.counts);
        let new = || Arc::new(Counts::new(level, schema));
        let pair = (level.to_owned(), schema.to_owned());
        Arc::clone(all.entry(pair).or_insert_with(new))
    }
}

impl Hall {
    fn new(discipline: Discipline, limit: usize, now: Duration) -> Self {
        Hall {
            set: Mutex::new(QueueSet::new(discipline, limit, now)),
            backoff: Mutex::default(),
            demand: Mutex::default(),
        }
    }

    pub(super) fn set(&self) -> MutexGuard<'_, QueueSet<Guest>> {
        locked(&self.set)
    }

    pub(super) fn demand(&self) -> Demand {
        *locked(&self.demand)
    }
}

impl Seat {
    /// Waits in the queue, but not for longer than this.
    async fn wait(
        self,
        turn: oneshot::Receiver<()>,
        patience: Duration,
    ) -> Result<Seat, Rejection> {
        // The sender lives as long as the guest waits, so the only answer is that it is time.
        if timeout(patience, turn).await.is_ok() {
            return Ok(self);
        }
        let now = self.flow.now();
        let mut set = self.hall.set();
        let has_left = set.give_up(now, self.id, GaveUp::TimedOut).is_some();
        let_in(&mut set, now);
        drop(set);
        match has_left {
            true => Err(Rejection::TimeOut),
            // Its turn came in the very moment.
            false => Ok(self),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let now = self.flow.now();
        let mut set = self.hall.set();
        let ended = set.finish(now, self.id);
        let has_left = ended.is_none() && set.give_up(now, self.id, GaveUp::Cancelled).is_some();
        let_in(&mut set, now);
        drop(set);
        if let Some(ended) = ended {
            let took = now.saturating_sub(ended.started);
            match self.is_watch {
                true => self.counts.began_watch.observe_time(took),
                false => self.counts.ran.observe_time(took),
            }
        } else if has_left {
            self.counts.reject(Rejection::Cancelled);
        }
    }
}

/// Wakes all whose turn it is.
fn let_in(set: &mut QueueSet<Guest>, now: Duration) {
    while let Some(id) = set.dispatch(now) {
        if let Some(wake) = set.get_mut(id).and_then(|guest| guest.wake.take()) {
            // Who is gone gives its seat back by itself.
            let _ = wake.send(());
        }
    }
}

/// Gives each level the seats that it may have until the next time; tells the proportion of demand
/// that is met.
fn divide_seats(state: &State, now: Duration) -> f64 {
    let mut left: usize = state
        .rooms
        .values()
        .map(|room| room.allotment.nominal)
        .sum();
    let mut limited = Vec::new();
    for room in state.rooms.values() {
        let recent = room.hall.set().take_demand(now);
        let mut demand = locked(&room.hall.demand);
        *demand = demand.after(recent);
        let least = room.allotment.least(recent.high);
        if room.level.discipline == Discipline::Exempt {
            // It takes what it wants; the others share what its nominal seats leave.
            let seats = least.round() as usize;
            left = left.saturating_sub(seats);
            room.hall.set().reshape(Discipline::Exempt, seats, now);
            continue;
        }
        let claim = Claim {
            target: demand.smoothed.max(least),
            least,
            most: room.allotment.max as f64,
        };
        limited.push((room, claim));
    }
    let claims: Vec<Claim> = limited.iter().map(|(_, claim)| *claim).collect();
    let (seats, proportion) = divide(left as f64, &claims);
    for ((room, _), seats) in limited.iter().zip(seats) {
        let mut set = room.hall.set();
        set.reshape(room.level.discipline, seats.round() as usize, now);
        let_in(&mut set, now);
    }
    proportion
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for FlowControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("FlowControl")
            .field("seats", &self.0.total)
            .field("levels", &state.config.levels.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
