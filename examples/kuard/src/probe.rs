//! What `/healthy` and `/ready` answer, and for how long they fail when told to.

use serde::{Deserialize, Serialize};

/// `PUT /healthy/api` or `/ready/api`: `{"failNext": -1}` fails for good, `3` the next three times,
/// `0` succeeds again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Probe {
    /// How many more times to fail; negative is for ever.
    fail_next: i64,
    /// How often it has been asked.
    #[serde(default, skip_deserializing)]
    asked: u64,
}

impl Probe {
    /// Answers one probe.
    pub(crate) fn ask(&mut self) -> bool {
        self.asked += 1;
        if self.fail_next > 0 {
            self.fail_next -= 1;
            return false;
        }
        self.fail_next == 0
    }

    /// Takes over what a caller set, keeping the count.
    pub(crate) fn set(&mut self, new: Probe) {
        self.fail_next = new.fail_next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fails_as_often_as_told_then_recovers() {
        let mut probe = Probe {
            fail_next: 2,
            asked: 0,
        };
        assert_eq!(
            [probe.ask(), probe.ask(), probe.ask()],
            [false, false, true]
        );
    }

    #[test]
    fn negative_fails_for_ever() {
        let mut probe = Probe {
            fail_next: -1,
            asked: 0,
        };
        assert!((0..10).all(|_| !probe.ask()));
    }
}
