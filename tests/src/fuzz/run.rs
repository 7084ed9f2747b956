//! Keeps one target busy, and makes what breaks it as short as it gets.

use std::{
    cell::RefCell,
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use k8s_store::testing::Dice;

use crate::target::{Make, Target};

/// As a worker's of the servers that read such inputs, so that nesting which is too deep for them
/// shows here. In bytes.
const STACK: usize = 2 << 20;
/// How long an input that breaks something is made shorter.
const SHORTENING: Duration = Duration::from_secs(5);
/// How long one input may take before its target counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// When a target has done enough, and where it begins.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) inputs: u64,
    pub(crate) seed: u64,
}

/// What came of a target. Displayed as a line, and some more for a violation.
pub(crate) struct Outcome {
    name: &'static str,
    seed: u64,
    inputs: u64,
    elapsed: Duration,
    /// The longest that one input took.
    slowest: Duration,
    pub(crate) violation: Option<Violation>,
}

/// An input that breaks a law.
pub(crate) struct Violation {
    input: Vec<u8>,
    what: String,
}

thread_local! {
    /// What the last panic of this thread said, and where.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics from being printed one by one: they are caught and reported once.
pub(crate) fn quieten() {
    panic::set_hook(Box::new(|info| {
        SAID.with(|said| said.replace(info.to_string()));
    }));
}

/// Runs a target on a thread of its own until a limit is reached or something breaks. An input that
/// never ends keeps its thread.
pub(crate) fn run(name: &'static str, make: Make, limits: Limits) -> Outcome {
    let (started, input) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
    let (done, outcome) = mpsc::channel();
    let current = input.clone();
    let work = move || done.send(work(name, make, limits, &current));
    let worker = thread::Builder::new().stack_size(STACK).spawn(work);
    worker.expect("a thread can be started");
    let mut before = Vec::new();
    loop {
        if let Ok(outcome) = outcome.recv_timeout(PATIENCE) {
            return outcome;
        }
        let input = input.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if input == before {
            let what = format!("takes longer than {} s", PATIENCE.as_secs());
            return Outcome {
                elapsed: started.elapsed(),
                slowest: PATIENCE,
                violation: Some(Violation { input, what }),
                ..Outcome::none(name, limits)
            };
        }
        before = input;
    }
}

fn work(name: &'static str, make: Make, limits: Limits, current: &Mutex<Vec<u8>>) -> Outcome {
    // Each target has its own inputs, whichever others run.
    let salt = name
        .bytes()
        .fold(0, |sum: u64, byte| sum.rotate_left(8) ^ u64::from(byte));
    let mut dice = Dice::new(limits.seed ^ salt);
    let mut target = make();
    let mut outcome = Outcome::none(name, limits);
    let started = Instant::now();
    while outcome.inputs < limits.inputs && outcome.elapsed < limits.time {
        let input = target.generate(&mut dice);
        let before = started.elapsed();
        current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&input);
        let result = attempt(&mut *target, &input);
        outcome.elapsed = started.elapsed();
        outcome.slowest = outcome.slowest.max(outcome.elapsed - before);
        outcome.inputs += 1;
        if let Err(error) = result {
            outcome.violation = Some(shorten(make, input, error));
            break;
        }
    }
    outcome
}

/// The verdict on an input; a panic is one like others.
fn attempt(target: &mut dyn Target, input: &[u8]) -> Result<()> {
    let checked = panic::catch_unwind(AssertUnwindSafe(|| target.check(input)));
    checked.unwrap_or_else(|_| Err(anyhow!("{}", SAID.with(|said| said.take()))))
}

/// Leaves out what can be left out, in ever smaller pieces, as long as it still breaks something.
fn shorten(make: Make, mut input: Vec<u8>, mut error: anyhow::Error) -> Violation {
    let mut target = make();
    let started = Instant::now();
    let mut piece = input.len().div_ceil(2);
    while piece > 0 && started.elapsed() < SHORTENING {
        let (mut at, before) = (0, input.len());
        while at < input.len() && started.elapsed() < SHORTENING {
            let end = (at + piece).min(input.len());
            let shorter = [&input[..at], &input[end..]].concat();
            match attempt(&mut *target, &shorter) {
                Ok(()) => at = end,
                Err(found) => {
                    (input, error) = (shorter, found);
                    // A panic may have left it in any state.
                    target = make();
                }
            }
        }
        if input.len() == before || piece > 1 {
            piece /= 2;
        }
    }
    Violation {
        what: format!("{error:#}"),
        input,
    }
}

impl Outcome {
    /// Before the first input.
    fn none(name: &'static str, limits: Limits) -> Self {
        Outcome {
            name,
            seed: limits.seed,
            inputs: 0,
            elapsed: Duration::ZERO,
            slowest: Duration::ZERO,
            violation: None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.inputs as f64 / self.elapsed.as_secs_f64().max(1e-9);
        let Outcome { name, inputs, .. } = self;
        let broken = usize::from(self.violation.is_some());
        let slowest = self.slowest.as_secs_f64() * 1e3;
        write!(
            f,
            "{name}: {inputs} inputs, {per_second:.0} per second, slowest {slowest:.0} ms, {broken} broken"
        )?;
        if let Some(Violation { input, what }) = &self.violation {
            let seed = self.seed;
            let input = input.escape_ascii();
            write!(
                f,
                "\n  {what}\n  input: {input}\n  again: cargo xtask fuzz --only {name} --seed {seed}"
            )?;
        }
        Ok(())
    }
}
