//! The writer: one thread that takes all transactions that wait, makes them durable together, then
//! publishes and answers them.

use std::{
    iter::Peekable,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    compact::Rewrite,
    engine::EmbeddedOptions,
    expiry::{self, Expiry},
    log::{Failure, Log},
    record::{Encoder, MAX_LENGTH, OVERHEAD},
    state::State,
};
use crate::{
    KeyValue, Op, Revision, StoreError, Txn, TxnOutcome,
    version::{
        deadline::{self, Lifetimes},
        ledger::Ledger,
        retention::Clock,
        timeline::Draft,
    },
};

/// How many requests travel together at most.
const BATCH: usize = 1_024;
/// How many bytes travel together, about.
const BATCH_BYTES: usize = 8 << 20;
/// From how many writers on it pays to wait for them.
const CROWD: usize = 8;

/// What the writer is asked for.
pub(super) enum Request {
    Commit(Txn, Answer<TxnOutcome>),
    Compact(Revision, Answer<()>),
    /// All of the state at one revision.
    Snapshot(Answer<State>),
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Where a commit's answer goes, and what it will be.
type Outcome = (Answer<TxnOutcome>, Result<TxnOutcome, StoreError>);

/// The thread's state.
pub(super) struct Writer {
    pub(super) ledger: Arc<Ledger>,
    pub(super) log: Log,
    pub(super) clock: Clock,
    pub(super) expiry: Expiry,
    pub(super) options: EmbeddedOptions,
    pub(super) live_bytes: u64,
    /// What is to be rewritten once the history before it has been forgotten.
    pub(super) planned: Option<State>,
    pub(super) rewrite: Option<Rewrite>,
    /// After a failed rewrite the log may grow to this before the next try.
    pub(super) postponed: u64,
    /// The last write found the disk full.
    pub(super) is_full: bool,
}

impl Writer {
    /// Serves requests until all senders are gone, or until nothing can be trusted any more.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut waiting = Vec::with_capacity(BATCH);
        while self.expiry.receive(&mut requests, &mut waiting, BATCH) {
            let begun = Instant::now();
            let answered = waiting.len();
            let mut rest = waiting.drain(..).peekable();
            if let Err(error) = self.serve(&mut rest) {
                tracing::error!(%error, "the store cannot go on");
                self.ledger.close();
                // Whoever still waits learns it, also who is just being queued: a request that came
                // behind the end of the receiver would wait for ever.
                requests.close();
                while requests.blocking_recv().is_some() {}
                return;
            }
            gather(&requests, answered, begun.elapsed());
        }
        self.seal();
        self.ledger.close();
    }

    /// Answers requests. An error means that the log is not to be trusted.
    fn serve(
        &mut self,
        requests: &mut Peekable<impl Iterator<Item = Request>>,
    ) -> Result<(), StoreError> {
        while requests.peek().is_some() {
            self.batch(requests)?;
        }
        self.tend()
    }

    /// Takes as many requests as fit, commits them with one fsync and answers them. An error means
    /// that the log is not to be trusted.
    fn batch(&mut self, requests: &mut impl Iterator<Item = Request>) -> Result<(), StoreError> {
        let mut draft = self.ledger.draft();
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut compactions = Vec::new();
        let mut lifetimes = Lifetimes::new();
        let now = expiry::now();
        let mut records = Vec::new();
        let mut encoder = Encoder {
            out: &mut records,
            durable: self.log.end(),
        };
        while encoder.out.len() < BATCH_BYTES
            && let Some(request) = requests.next()
        {
            match request {
                Request::Commit(txn, answer) => {
                    let set = deadline::lifetimes(&txn.ops, now);
                    let outcome = stage(txn, &set, &mut draft, &mut encoder);
                    if let Ok(TxnOutcome::Committed(_)) = &outcome {
                        lifetimes.extend(set);
                    }
                    outcomes.push((answer, outcome));
                }
                Request::Compact(at, answer) => {
                    // Of what is staged here nothing is readable yet.
                    if at <= self.ledger.revisions().0 {
                        encoder.compacted(at);
                    }
                    compactions.push((at, answer));
                }
                Request::Snapshot(answer) => drop(answer.send(Ok(self.state()))),
            }
        }
        let appended = match records.is_empty() {
            true => Ok(()),
            false => self.log.append(&records),
        };
        self.is_full = matches!(appended, Err(Failure::Refused(StoreError::Full { .. })));
        match appended {
            Ok(()) => {
                self.publish(draft, outcomes.len());
                self.expiry.deadlines.extend(lifetimes);
                for (answer, outcome) in outcomes {
                    let _ = answer.send(outcome); // whoever stopped waiting doesn't mind
                }
                for (at, answer) in compactions {
                    let _ = answer.send(self.ledger.compact(at));
                }
                Ok(())
            }
            Err(Failure::Refused(error)) => {
                refuse(outcomes, compactions, &error);
                Ok(())
            }
            Err(Failure::Broken(error)) => {
                let detail = error.to_string();
                refuse(outcomes, compactions, &StoreError::Unconfirmed { detail });
                Err(error)
            }
        }
    }

    fn publish(&mut self, draft: Draft<KeyValue>, commits: usize) {
        let counters = &self.log.place.counters;
        counters.commits.fetch_add(commits as u64, Relaxed);
        if draft.changes.is_empty() {
            return;
        }
        counters.batches.fetch_add(1, Relaxed);
        for change in &draft.changes {
            self.live_bytes += change.current.as_deref().map_or(0, weight);
            self.live_bytes -= change.previous.as_deref().map_or(0, weight);
        }
        counters.live_bytes.store(self.live_bytes, Relaxed);
        self.ledger.publish(draft, &mut self.clock);
    }

    /// Between batches: begins a new segment when this one is long, and rewrites when more than half
    /// of the log is dead.
    fn tend(&mut self) -> Result<(), StoreError> {
        if self.log.end() >= self.options.segment_bytes {
            self.rotate(self.ledger.revisions().0)?;
        }
        self.collect();
        let size = self.log.size();
        let dead = size.saturating_sub(self.live_bytes);
        let due = dead > self.live_bytes.max(self.options.rewrite_bytes) && size > self.postponed;
        if due && self.rewrite.is_none() && self.planned.is_none() {
            let state = self.state();
            match self.rotate(state.revision)? {
                true => self.planned = Some(state),
                false => self.postpone(),
            }
        }
        // What is rewritten loses its history, which watchers may want after a crash as well: so
        // wait until it is forgotten anyway, unless the space is needed now.
        let forgotten = self.ledger.revisions().1;
        let is_full = self.is_full;
        let ready = |state: &mut State| state.revision <= forgotten || is_full;
        if let Some(state) = self.planned.take_if(ready) {
            self.rewrite = Some(Rewrite::start(self.log.place.clone(), state));
        }
        Ok(())
    }

    /// What is committed now.
    fn state(&self) -> State {
        let (tree, revision) = self.ledger.snapshot();
        State {
            tree,
            deadlines: self.expiry.deadlines.clone(),
            revision,
        }
    }

    /// Begins a new segment at the present; false if the old one has to go on.
    fn rotate(&mut self, present: Revision) -> Result<bool, StoreError> {
        match self.log.rotate(present) {
            Ok(()) => Ok(true),
            Err(Failure::Refused(error)) => {
                tracing::warn!(%error, "cannot begin a new segment; the old one goes on");
                Ok(false)
            }
            Err(Failure::Broken(error)) => Err(error),
        }
    }

    /// Puts a finished rewrite in the place of what it replaces.
    fn collect(&mut self) {
        match self
            .rewrite
            .take_if(|rewrite| rewrite.is_finished())
            .map(Rewrite::finish)
        {
            None => (),
            Some(Ok(Some(snapshot))) => self.log.replace(snapshot),
            Some(Ok(None)) => self.postpone(),
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot rewrite the log; trying again when it has grown");
                self.postpone();
            }
        }
    }

    fn postpone(&mut self) {
        self.postponed = self.log.size() + self.options.rewrite_bytes;
    }

    /// Vouches for everything, so that the next opening takes any damage for what it is.
    fn seal(&mut self) {
        self.collect();
        self.rewrite = None; // one that isn't finished is begun anew another time
        let mut record = Vec::new();
        Encoder {
            out: &mut record,
            durable: self.log.end(),
        }
        .sealed();
        if let Err(failure) = self.log.append(&record) {
            tracing::warn!(
                ?failure,
                "cannot seal the log; everything acknowledged is in it"
            );
        }
    }
}

/// Waits a moment for those just answered to come back with their next write. Else they would find
/// the writer gone with the ones that waited meanwhile, and only half of all would share an fsync.
/// The moment is short beside the last batch, and there is none while writers are few.
fn gather(requests: &mpsc::Receiver<Request>, answered: usize, last: Duration) {
    if answered < CROWD {
        return;
    }
    let begun = Instant::now();
    let expected = (requests.len() + answered).min(BATCH);
    while requests.len() < expected && begun.elapsed() < last / 8 {
        thread::sleep(Duration::from_micros(20));
    }
}

/// Judges a transaction and, if it changes something, encodes it.
fn stage(
    txn: Txn,
    lifetimes: &Lifetimes,
    draft: &mut Draft<KeyValue>,
    encoder: &mut Encoder<'_>,
) -> Result<TxnOutcome, StoreError> {
    let size = txn.ops.iter().map(op_size).sum::<usize>();
    if size > MAX_LENGTH / 2 {
        return Err(StoreError::TooLarge {
            size,
            limit: MAX_LENGTH / 2,
        });
    }
    let before = draft.changes.len();
    let outcome = draft.stage(txn);
    if draft.changes.len() > before {
        encoder.commit(draft.revision, &draft.changes[before..], lifetimes);
    }
    outcome
}

fn op_size(op: &Op) -> usize {
    let payload = match op {
        Op::Put { key, value } | Op::PutFor { key, value, .. } => key.len() + value.len(),
        Op::Delete { key } => key.len(),
    };
    payload + 17
}

/// What a live key takes in a log of nothing but live keys.
fn weight(kv: &KeyValue) -> u64 {
    (kv.key.len() + kv.value.len()) as u64 + OVERHEAD
}

/// Nothing of the batch happened. What lost a compare lost it to something that is gone again, so
/// it gets the same answer.
fn refuse(outcomes: Vec<Outcome>, compactions: Vec<(Revision, Answer<()>)>, error: &StoreError) {
    for (answer, _) in outcomes {
        let _ = answer.send(Err(error.clone()));
    }
    for (_, answer) in compactions {
        let _ = answer.send(Err(error.clone()));
    }
}
