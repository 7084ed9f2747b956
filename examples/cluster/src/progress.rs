//! What a person sees while the cluster starts, on standard output.

use std::time::Instant;

/// Prints one line per step, with the time since the start.
pub(crate) struct Progress {
    started: Instant,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Progress {
            started: Instant::now(),
        }
    }

    /// Something has been done.
    pub(crate) fn step(&self, what: &str) {
        println!("{:>6.2}s  {what}", self.started.elapsed().as_secs_f64());
    }

    /// The line that other programs wait for.
    pub(crate) fn ready(&self) {
        println!("ready in {:.2}s", self.started.elapsed().as_secs_f64());
    }
}
