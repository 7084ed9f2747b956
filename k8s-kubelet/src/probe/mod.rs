//! Probes.
mod verdict;
pub use verdict::{Fatal, Verdict, Verdicts};
