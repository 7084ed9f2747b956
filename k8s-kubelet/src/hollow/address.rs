//! Giving out the addresses of a range.

use std::{collections::BTreeSet, net::Ipv4Addr};

/// The addresses of an IPv4 range, each held by at most one sandbox. The first two stay free: the
/// network's own and the gateway's.
#[derive(Debug)]
pub(super) struct Addresses {
    first: u32,
    count: u32,
    next: u32,
    taken: BTreeSet<u32>,
}

impl Addresses {
    /// The addresses of a range such as `10.244.1.0/24`; a range that can't be read has none.
    pub(super) fn new(cidr: &str) -> Self {
        let (base, bits) = cidr.split_once('/').unwrap_or((cidr, "32"));
        let base = base.parse::<Ipv4Addr>().map(u32::from).unwrap_or_default();
        let bits: u32 = bits.parse().unwrap_or(32).min(32);
        let size = 2_u64.pow(32 - bits);
        Self {
            first: base.saturating_add(2),
            // Without the broadcast address as well.
            count: u32::try_from(size.saturating_sub(3)).unwrap_or(u32::MAX),
            next: 0,
            taken: BTreeSet::new(),
        }
    }

    /// A free address: the one that has been free for longest, nearly.
    pub(super) fn take(&mut self) -> Option<String> {
        let offset = (0..self.count)
            .map(|step| (self.next + step) % self.count)
            .find(|offset| !self.taken.contains(offset))?;
        self.taken.insert(offset);
        self.next = (offset + 1) % self.count;
        Some(Ipv4Addr::from(self.first + offset).to_string())
    }

    /// Takes an address back.
    pub(super) fn give_back(&mut self, address: &str) {
        if let Ok(address) = address.parse::<Ipv4Addr>() {
            self.taken
                .remove(&u32::from(address).wrapping_sub(self.first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_distinct_and_come_back_after_use() {
        let mut addresses = Addresses::new("10.0.0.0/29");
        let taken: Vec<_> = std::iter::from_fn(|| addresses.take()).collect();
        assert_eq!(
            taken,
            ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
        );
        addresses.give_back("10.0.0.4");
        assert_eq!(addresses.take().as_deref(), Some("10.0.0.4"));
        assert_eq!(addresses.take(), None);
    }
}
