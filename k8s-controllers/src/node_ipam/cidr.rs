//! Cutting a range of addresses into blocks of equal size.

use std::net::Ipv4Addr;

/// A range of IPv4 addresses that is handed out in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CidrPool {
    base: u32,
    prefix: u8,
    block_prefix: u8,
}

/// The range can't be cut so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{range} is no IPv4 range that holds blocks of /{block_prefix}")]
pub struct InvalidPool {
    range: String,
    block_prefix: u8,
}

impl CidrPool {
    /// `10.244.0.0/16` in blocks of /24.
    pub const DEFAULT: Self = Self {
        base: 0x0af4_0000,
        prefix: 16,
        block_prefix: 24,
    };

    /// Parses a range (`10.244.0.0/16`) to be cut into blocks of `block_prefix` bits.
    pub fn parse(range: &str, block_prefix: u8) -> Result<Self, InvalidPool> {
        let invalid = || InvalidPool {
            range: range.to_owned(),
            block_prefix,
        };
        let (base, prefix) = parse(range).ok_or_else(invalid)?;
        if prefix > block_prefix || block_prefix > 32 || block_prefix == 0 {
            return Err(invalid());
        }
        Ok(Self {
            base,
            prefix,
            block_prefix,
        })
    }

    /// How many blocks there are.
    pub fn len(&self) -> u64 {
        1 << (self.block_prefix - self.prefix)
    }

    /// Whether there are no blocks: never.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The block of this number, as text.
    pub(super) fn block(&self, index: u64) -> Option<String> {
        if index >= self.len() {
            return None;
        }
        let offset = index << (32 - u32::from(self.block_prefix));
        let base = self.base | u32::try_from(offset).ok()?;
        Some(format!("{}/{}", Ipv4Addr::from(base), self.block_prefix))
    }

    /// The numbers of the blocks that a range touches; a node may have been given one of another size.
    pub(super) fn touched(&self, range: &str) -> Option<std::ops::RangeInclusive<u64>> {
        let (base, prefix) = parse(range)?;
        let is_inside = prefix >= self.prefix && base & mask(self.prefix) == self.base;
        if !is_inside {
            return None;
        }
        let shift = 32 - u32::from(self.block_prefix);
        let first = u64::from(base - self.base) >> shift;
        let last = u64::from((base | !mask(prefix)) - self.base) >> shift;
        Some(first..=last)
    }
}

/// Base address and prefix length.
fn parse(range: &str) -> Option<(u32, u8)> {
    let (address, prefix) = range.split_once('/')?;
    let address: Ipv4Addr = address.parse().ok()?;
    let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
    Some((u32::from(address) & mask(prefix), prefix))
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_one_another() {
        let pool = CidrPool::parse("10.244.0.0/16", 24).unwrap();
        assert_eq!(pool, CidrPool::DEFAULT);
        assert_eq!(pool.len(), 256);
        assert_eq!(pool.block(0).unwrap(), "10.244.0.0/24");
        assert_eq!(pool.block(255).unwrap(), "10.244.255.0/24");
        assert_eq!(pool.block(256), None);
    }

    #[test]
    fn a_range_touches_its_blocks() {
        let pool = CidrPool::DEFAULT;
        assert_eq!(pool.touched("10.244.3.0/24"), Some(3..=3));
        assert_eq!(pool.touched("10.244.3.128/25"), Some(3..=3));
        assert_eq!(pool.touched("10.244.4.0/23"), Some(4..=5));
        assert_eq!(pool.touched("10.245.0.0/24"), None);
        assert_eq!(pool.touched("fd00::/64"), None);
    }

    #[test]
    fn a_pool_must_hold_its_blocks() {
        assert!(CidrPool::parse("10.244.0.0/25", 24).is_err());
        assert!(CidrPool::parse("10.244.0.0", 24).is_err());
        assert!(CidrPool::parse("10.0.0.0/8", 33).is_err());
    }
}
