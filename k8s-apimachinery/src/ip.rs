//! Addresses and networks as texts: whether they are well formed, and what a network contains.
//!
//! ```
//! use k8s_apimachinery::ip::Network;
//!
//! let network: Network = "10.96.0.0/16".parse().unwrap();
//! assert!(network.contains("10.96.1.2".parse().unwrap()));
//! assert_eq!(network.to_string(), "10.96.0.0/16");
//! ```

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

const ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const NETWORK: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// A network: an address and how many of its leading bits are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// The address as it was written; bits behind the prefix may be set.
    pub address: IpAddr,
    /// How many leading bits are fixed: 32 at most, or 128 for IPv6.
    pub prefix: u8,
}

/// The text is not an address, a slash and a number of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
pub struct NotANetwork;

impl Network {
    /// The first address: all bits behind the prefix are zero.
    pub fn first(self) -> IpAddr {
        from_bits(bits(self.address) & !self.host_mask(), self.address)
    }

    /// The last address: all bits behind the prefix are one.
    pub fn last(self) -> IpAddr {
        from_bits(bits(self.address) | self.host_mask(), self.address)
    }

    /// Whether the address lies in the network.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4()
            && bits(address) & !self.host_mask() == bits(self.address) & !self.host_mask()
    }

    fn host_mask(self) -> u128 {
        let width: u32 = if self.address.is_ipv4() { 32 } else { 128 };
        let host = width - u32::from(self.prefix);
        1u128.checked_shl(host).map_or(u128::MAX, |size| size - 1)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn from_bits(bits: u128, family: IpAddr) -> IpAddr {
    match family {
        IpAddr::V4(_) => IpAddr::V4((bits as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = text.split_once('/').ok_or(NotANetwork)?;
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let is_plain = prefix.bytes().all(|c| c.is_ascii_digit());
        let is_padded = prefix.len() > 1 && prefix.starts_with('0');
        let prefix = prefix.parse().map_err(|_| NotANetwork)?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        match is_plain && !is_padded && prefix <= widest {
            true => Ok(Network { address, prefix }),
            false => Err(NotANetwork),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What is wrong with an address in the one form that new fields take, in Kubernetes' words.
pub fn address_faults(text: &str) -> Vec<String> {
    match text.parse::<IpAddr>() {
        Err(_) if has_only_padding_wrong(text) => vec!["must not have leading 0s".to_owned()],
        Err(_) => vec![ADDRESS.to_owned()],
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            vec!["must not be an IPv4-mapped IPv6 address".to_owned()]
        }
        Ok(address) if address.to_string() != text => {
            vec![format!("must be in canonical form (\"{address}\")")]
        }
        Ok(_) => Vec::new(),
    }
}

/// What is wrong with a network in the one form that new fields take, in Kubernetes' words.
pub fn network_faults(text: &str) -> Vec<String> {
    match text.parse::<Network>() {
        Err(NotANetwork) => vec![NETWORK.to_owned()],
        Ok(network) if network.first() != network.address => {
            vec!["must not have bits set beyond the prefix length".to_owned()]
        }
        Ok(network) if network.to_string() != text => {
            vec![format!("must be in canonical form (\"{network}\")")]
        }
        Ok(_) => Vec::new(),
    }
}

/// Whether the text is an IPv4 address but for zeros in front of its numbers.
fn has_only_padding_wrong(text: &str) -> bool {
    let strip = |part: &str| match part.trim_start_matches('0') {
        "" if !part.is_empty() => "0".to_owned(),
        rest => rest.to_owned(),
    };
    let parts: Vec<_> = text.split('.').map(strip).collect();
    parts.join(".").parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form() {
        #[track_caller]
        fn check(text: &str, want: &[&str]) {
            assert_eq!(address_faults(text), want);
        }
        check("10.96.0.1", &[]);
        check("2001:db8::1", &[]);
        check("10.96.0.01", &["must not have leading 0s"]);
        check(
            "2001:DB8::1",
            &[r#"must be in canonical form ("2001:db8::1")"#],
        );
        check(
            "::ffff:10.0.0.1",
            &["must not be an IPv4-mapped IPv6 address"],
        );
        check("a", &[ADDRESS]);
    }

    #[test]
    fn networks_have_one_form() {
        #[track_caller]
        fn check(text: &str, want: &[&str]) {
            assert_eq!(network_faults(text), want);
        }
        check("10.96.0.0/16", &[]);
        check("0.0.0.0/0", &[]);
        check("2001:db8::/64", &[]);
        check(
            "10.96.0.1/16",
            &["must not have bits set beyond the prefix length"],
        );
        check(
            "2001:0db8::/64",
            &[r#"must be in canonical form ("2001:db8::/64")"#],
        );
        for text in ["10.96.0.0", "10.96.0.0/33", "10.96.0.0/+8", "10.96.0.0/08"] {
            check(text, &[NETWORK]);
        }
    }

    #[test]
    fn a_network_contains_what_lies_between_its_ends() {
        let network: Network = "10.96.3.4/22".parse().expect("a network");
        assert_eq!(network.first().to_string(), "10.96.0.0");
        assert_eq!(network.last().to_string(), "10.96.3.255");
        let contains = |text: &str| network.contains(text.parse().expect("an address"));
        assert!(contains("10.96.2.1") && !contains("10.96.4.0") && !contains("::1"));
        let all: Network = "::/0".parse().expect("a network");
        assert!(all.contains("ffff::".parse().expect("an address")));
    }
}
