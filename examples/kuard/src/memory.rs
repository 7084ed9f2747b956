//! Memory on request: for seeing limits, eviction and the OOM killer at work.

use serde::Serialize;

/// What is held, in bytes.
#[derive(Default)]
pub(crate) struct Memory(Vec<Vec<u8>>);

/// What `/mem/api` shows.
#[derive(Serialize)]
pub(crate) struct Usage {
    /// Held on request, in bytes.
    allocated: usize,
    /// Resident set of the process, in bytes.
    resident: u64,
}

impl Memory {
    /// Allocates and touches `size` bytes, so that they count as resident.
    pub(crate) fn allocate(&mut self, size: usize) {
        self.0.push(vec![1; size]);
    }

    /// Gives all of it back.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn usage(&self) -> Usage {
        let pages = std::fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|statm| statm.split(' ').nth(1)?.parse::<u64>().ok());
        Usage {
            allocated: self.0.iter().map(Vec::len).sum(),
            resident: pages.unwrap_or(0) * rustix::param::page_size() as u64,
        }
    }
}
