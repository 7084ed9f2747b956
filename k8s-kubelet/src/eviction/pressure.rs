//! What a node can be short of.

use std::{collections::BTreeSet, fmt};

/// A node's condition under pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Of memory.
    Memory,
    /// Of bytes or inodes on a disk.
    Disk,
    /// Of process ids.
    Pid,
}

impl Pressure {
    /// The condition's type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "MemoryPressure",
            Self::Disk => "DiskPressure",
            Self::Pid => "PIDPressure",
        }
    }
}

/// All that a node is short of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pressures(BTreeSet<Pressure>);

impl Pressures {
    /// Whether the node is short of nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the node is short of this.
    pub fn has(&self, pressure: Pressure) -> bool {
        self.0.contains(&pressure)
    }

    /// Whether the node is short of memory and nothing else.
    pub fn is_memory_alone(&self) -> bool {
        self.0.iter().eq(&[Pressure::Memory])
    }
}

impl FromIterator<Pressure> for Pressures {
    fn from_iter<I: IntoIterator<Item = Pressure>>(pressures: I) -> Self {
        Self(pressures.into_iter().collect())
    }
}

/// As Go prints a slice: `[DiskPressure PIDPressure]`.
impl fmt::Display for Pressures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|pressure| pressure.as_str()).collect();
        write!(f, "[{}]", names.join(" "))
    }
}
