//! How much work a request is, and how far fair queueing has come: seats times time.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Sub, SubAssign},
    time::Duration,
};

/// So many seats for so long, in nanoseconds times seats; it may be owed as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeatSeconds(i128);

impl SeatSeconds {
    /// So many seats for so long.
    pub(crate) fn new(seats: usize, time: Duration) -> Self {
        SeatSeconds(seats as i128 * time.as_nanos() as i128)
    }

    /// What each of several gets of this.
    pub(crate) fn split(self, among: usize) -> Self {
        SeatSeconds(self.0 / among as i128)
    }

    /// As a number, in seconds times seats.
    pub(crate) fn as_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Add for SeatSeconds {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        SeatSeconds(self.0 + other.0)
    }
}

impl Sub for SeatSeconds {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        SeatSeconds(self.0 - other.0)
    }
}

impl AddAssign for SeatSeconds {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for SeatSeconds {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Sum for SeatSeconds {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(SeatSeconds::default(), Add::add)
    }
}

impl fmt::Display for SeatSeconds {
    /// `0.81000000ss`, as Kubernetes writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundred_millionths = self.0.unsigned_abs() / 10;
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (
            hundred_millionths / 100_000_000,
            hundred_millionths % 100_000_000,
        );
        write!(f, "{sign}{whole}.{rest:08}ss")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_written_as_kubernetes_writes_it() {
        let work = SeatSeconds::new(270, Duration::from_millis(3));
        assert_eq!(work.to_string(), "0.81000000ss");
        let owed = SeatSeconds::default() - SeatSeconds::new(3, Duration::from_millis(500));
        assert_eq!(owed.to_string(), "-1.50000000ss");
    }
}
