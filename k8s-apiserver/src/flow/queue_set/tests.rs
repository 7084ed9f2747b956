//! Sequences of requests, in a time that stands still until it is moved.

use super::*;
use crate::flow::shard::flow_hash;

const QUEUING: Queuing = Queuing {
    queues: 64,
    hand: 6,
    length: 50,
};

/// A set of requests that are known by name, and its clock.
struct Level {
    set: QueueSet<String>,
    now: Duration,
}

impl Level {
    fn new(discipline: Discipline, limit: usize) -> Self {
        Level {
            set: QueueSet::new(discipline, limit, Duration::ZERO),
            now: Duration::ZERO,
        }
    }

    fn queued(limit: usize) -> Self {
        Level::new(Discipline::Queue(QUEUING), limit)
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    fn enqueue(&mut self, flow: &str, seats: usize) -> Result<Id, Refusal> {
        let hash = flow_hash("schema", flow);
        self.set.enqueue(self.now, hash, seats, flow.to_owned())
    }

    /// Lets in all that may run, and names them.
    fn dispatch(&mut self) -> Vec<(Id, String)> {
        let mut begun = Vec::new();
        while let Some(id) = self.set.dispatch(self.now) {
            let name = self.set.get_mut(id).expect("it has just begun").clone();
            begun.push((id, name));
        }
        begun
    }

    fn names(&mut self) -> Vec<String> {
        self.dispatch().into_iter().map(|(_, name)| name).collect()
    }
}

#[test]
fn what_finds_a_seat_runs_at_once() {
    let mut level = Level::queued(2);
    for (flow, begun) in [("a", &["a"][..]), ("b", &["b"]), ("c", &[])] {
        level.enqueue(flow, 1).unwrap();
        assert_eq!(level.names(), begun);
    }
    assert_eq!(level.set.waiting(), 1);
}

#[test]
fn a_flood_lets_another_flow_in_at_the_next_turns() {
    let mut level = Level::queued(4);
    let mut running = Vec::new();
    for _ in 0..280 {
        level.enqueue("flood", 1).unwrap();
        running.extend(level.dispatch());
    }
    assert_eq!(running.len(), 4);
    // The flood goes on while its requests take their time.
    for round in 0..40 {
        level.wait(50);
        let (id, _) = running.remove(0);
        level.set.finish(level.now, id);
        level.enqueue("flood", 1).unwrap();
        if round == 20 {
            level.enqueue("other", 1).unwrap();
        }
        running.extend(level.dispatch());
        if let Some((_, _)) = running.iter().find(|(_, name)| name == "other") {
            // Six queues of the flood's hand, of which each may be behind by a turn.
            assert!(round - 20 <= 6, "{round}");
            return;
        }
    }
    panic!("the other flow was starved");
}

#[test]
fn flows_share_seats_whatever_they_ask_for() {
    let mut level = Level::queued(10);
    let mut running = VecDeque::new();
    let mut served = BTreeMap::<String, usize>::new();
    for _ in 0..3000 {
        // The greedy one keeps a hundred waiting, the modest one ten: either could fill all seats.
        for (flow, backlog) in [("greedy", 100), ("modest", 10)] {
            let waits = |level: &Level| {
                let waiting = level.set.queues.iter().flat_map(|queue| &queue.waiting);
                waiting.filter(|each| each.what == flow).count()
            };
            while waits(&level) < backlog {
                level.enqueue(flow, 1).unwrap();
            }
        }
        running.extend(level.dispatch());
        level.wait(1);
        let (id, name) = running.pop_front().expect("somebody runs");
        level.set.finish(level.now, id);
        *served.entry(name).or_default() += 1;
    }
    // Fairness is among queues, of which each uses up to six.
    let share = served["modest"] as f64 / 3000.0;
    assert!((0.4..0.6).contains(&share), "{served:?}");
}

#[test]
fn wide_requests_pay_for_their_seats() {
    let mut level = Level::queued(12);
    let mut running = VecDeque::new();
    let mut seats = BTreeMap::<String, usize>::new();
    for _ in 0..3000 {
        for (flow, width) in [("wide", 6), ("narrow", 1)] {
            let waits = level.set.queues.iter().flat_map(|queue| &queue.waiting);
            for _ in waits.filter(|each| each.what == flow).count()..60 {
                level.enqueue(flow, width).unwrap();
            }
        }
        running.extend(level.dispatch());
        level.wait(1);
        let (id, name) = running.pop_front().expect("somebody runs");
        let ended = level.set.finish(level.now, id).expect("it ran");
        *seats.entry(name).or_default() +=
            ended.seats * (level.now - ended.started).as_millis() as usize;
    }
    let (wide, narrow) = (seats["wide"] as f64, seats["narrow"] as f64);
    assert!((0.3..0.7).contains(&(wide / (wide + narrow))), "{seats:?}");
}

#[test]
fn a_request_wider_than_the_level_runs_alone() {
    let mut level = Level::queued(4);
    level.enqueue("a", 1).unwrap();
    assert_eq!(level.dispatch().len(), 1);
    level.enqueue("wide", 9).unwrap();
    assert_eq!(level.dispatch().len(), 0);
    let (first, _) = level.set.running.first_key_value().expect("a runs");
    let first = *first;
    level.set.finish(level.now, first);
    assert_eq!(level.names(), ["wide"]);
    level.enqueue("b", 1).unwrap();
    assert_eq!(level.dispatch().len(), 0);
}

#[test]
fn a_full_hand_refuses_and_leaves_others_alone() {
    let mut level = Level::queued(1);
    level.enqueue("first", 1).unwrap();
    level.dispatch();
    let accepted = (0..1000)
        .filter(|_| level.enqueue("flood", 1).is_ok())
        .count();
    assert_eq!(accepted, QUEUING.hand * QUEUING.length);
    assert_eq!(level.enqueue("flood", 1), Err(Refusal::QueueFull));
    assert!(level.enqueue("other", 1).is_ok());
    assert_eq!(level.set.tally().rejected, 1000 - accepted as u64 + 1);
}

#[test]
fn without_queues_the_limit_refuses() {
    let mut level = Level::new(Discipline::Reject, 2);
    let id = level.enqueue("a", 1).unwrap();
    assert!(level.set.is_running(id));
    level.enqueue("a", 1).unwrap();
    assert_eq!(level.enqueue("a", 1), Err(Refusal::ConcurrencyLimit));
    level.set.finish(level.now, id);
    assert!(level.enqueue("a", 1).is_ok());
}

#[test]
fn the_exempt_are_never_refused() {
    let mut level = Level::new(Discipline::Exempt, 0);
    let ids: Vec<Id> = (0..100).map(|_| level.enqueue("a", 5).unwrap()).collect();
    assert!(ids.iter().all(|id| level.set.is_running(*id)));
    assert_eq!(level.set.take_demand(level.now).high, 500.0);
}

#[test]
fn who_gives_up_leaves_no_trace() {
    let mut level = Level::queued(1);
    level.enqueue("a", 1).unwrap();
    let running = level.dispatch();
    let waiting = level.enqueue("b", 3).unwrap();
    assert_eq!(
        level.set.give_up(level.now, waiting, GaveUp::TimedOut),
        Some("b".into())
    );
    assert_eq!(
        level.set.give_up(level.now, waiting, GaveUp::TimedOut),
        None
    );
    assert_eq!(
        level
            .set
            .give_up(level.now, running[0].0, GaveUp::Cancelled),
        None
    );
    level.set.finish(level.now, running[0].0);
    assert!(level.set.is_idle());
    let left = (
        level.set.seats_waiting,
        level.set.seats_in_use,
        level.set.busy,
    );
    assert_eq!(left, (0, 0, 0));
    let tally = level.set.tally();
    assert_eq!(
        (tally.timed_out, tally.cancelled, tally.rejected),
        (1, 0, 1)
    );
}

#[test]
fn queues_that_are_too_many_drain_before_they_go() {
    let mut level = Level::queued(1);
    for number in 0..200 {
        level.enqueue(&number.to_string(), 1).unwrap();
    }
    let mut running = level.dispatch();
    let few = Queuing {
        queues: 4,
        hand: 2,
        length: 50,
    };
    level.set.reshape(Discipline::Queue(few), 1, level.now);
    let mut served = 0;
    while let Some((id, _)) = running.pop() {
        level.wait(1);
        level.set.finish(level.now, id);
        running.extend(level.dispatch());
        served += 1;
    }
    assert_eq!((served, level.set.queues.len()), (200, 4));
}

#[test]
fn more_seats_let_more_in() {
    let mut level = Level::queued(1);
    for _ in 0..5 {
        level.enqueue("a", 1).unwrap();
    }
    assert_eq!(level.dispatch().len(), 1);
    level.set.reshape(Discipline::Queue(QUEUING), 3, level.now);
    assert_eq!(level.dispatch().len(), 2);
}

#[test]
fn an_idle_queue_saves_up_nothing() {
    let mut level = Level::queued(1);
    level.enqueue("busy", 1).unwrap();
    let mut running = level.dispatch();
    for _ in 0..100 {
        level.enqueue("busy", 1).unwrap();
    }
    for _ in 0..50 {
        level.wait(10);
        level.set.finish(level.now, running.remove(0).0);
        running.extend(level.dispatch());
    }
    // Half a second of nothing gives no claim to half a second of everything.
    for _ in 0..20 {
        level.enqueue("late", 1).unwrap();
    }
    let mut late = 0;
    for _ in 0..20 {
        level.wait(10);
        level.set.finish(level.now, running.remove(0).0);
        running.extend(level.dispatch());
        late += usize::from(running[0].1 == "late");
    }
    assert!((8..=12).contains(&late), "{late}");
}
