//! A packet's way through rendered rules, so that golden texts are not merely frozen.
//!
//! Understands exactly the matches and targets that [`super::rules`] writes; anything else is a
//! panic, so that a rule nobody checks can't slip in.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::{
    chain,
    rules::Cidr,
    writer::{Ruleset, Table},
};

/// A new connection's first packet.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) port: u16,
    /// Whether the destination is one of this node's addresses.
    pub(crate) destination_is_local: bool,
    /// What `statistic` sees: one throw decides the share of the whole, between 0 and 1.
    pub(crate) dice: f64,
    /// Lists of `recent` that know the source.
    pub(crate) recent: Vec<String>,
}

impl Packet {
    pub(crate) fn tcp(source: &str, destination: &str, port: u16) -> Packet {
        Packet {
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
            port,
            destination_is_local: false,
            dice: 0.0,
            recent: Vec::new(),
        }
    }

    pub(crate) fn towards_this_node(self) -> Packet {
        Packet {
            destination_is_local: true,
            ..self
        }
    }
}

/// Where the packet ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// No rule concerned it.
    Passed,
    Rejected,
    Dropped,
    /// Rewritten to an endpoint, with or without a new source.
    Sent {
        to: SocketAddrV4,
        masquerade: bool,
    },
}

/// Address translation first, then the filter for what was not rewritten, as in the kernel.
pub(crate) fn walk(rules: &Ruleset, packet: &Packet) -> Outcome {
    let mut state = State {
        packet,
        marked: false,
        share_left: 1.0,
        dice: packet.dice,
    };
    if let Some(Verdict::Dnat(to)) = state.chain(&rules.nat, chain::SERVICES) {
        return Outcome::Sent {
            to,
            masquerade: state.marked,
        };
    }
    for name in [chain::SERVICES, chain::EXTERNAL] {
        match state.chain(&rules.filter, name) {
            Some(Verdict::Reject) => return Outcome::Rejected,
            Some(Verdict::Drop) => return Outcome::Dropped,
            Some(Verdict::Dnat(_)) => panic!("the filter table rewrites no address"),
            None => {}
        }
    }
    Outcome::Passed
}

enum Verdict {
    Dnat(SocketAddrV4),
    Reject,
    Drop,
}

struct State<'a> {
    packet: &'a Packet,
    marked: bool,
    share_left: f64,
    dice: f64,
}

impl State<'_> {
    fn chain(&mut self, table: &Table, name: &str) -> Option<Verdict> {
        let rules = table
            .chains
            .get(name)
            .unwrap_or_else(|| panic!("a jump to {name}, which is missing"));
        for rule in rules {
            let words = words(rule);
            let Some(at) = words.iter().position(|word| word == "-j") else {
                panic!("no target: {rule}")
            };
            if !self.matches(&words[..at]) {
                continue;
            }
            match words[at + 1].as_str() {
                "DNAT" => {
                    return Some(Verdict::Dnat(
                        words[at + 3].parse().expect("address and port"),
                    ));
                }
                "REJECT" => return Some(Verdict::Reject),
                "DROP" => return Some(Verdict::Drop),
                chain::MARK_MASQ => self.marked = true,
                other => {
                    if let Some(verdict) = self.chain(table, other) {
                        return Some(verdict);
                    }
                }
            }
        }
        None
    }

    fn matches(&mut self, words: &[String]) -> bool {
        let mut words = words.iter().map(String::as_str);
        let mut negated = false;
        let mut holds = true;
        let mut list = "";
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("an option has a value");
            let result = match word {
                "!" => {
                    negated = true;
                    continue;
                }
                "-m" | "--comment" | "--mode" | "--seconds" => {
                    value();
                    continue;
                }
                "--name" => {
                    list = value();
                    continue;
                }
                "--reap" | "--set" => continue,
                "-p" => value() == "tcp",
                "-s" => within(self.packet.source, value()),
                "-d" => within(self.packet.destination, value()),
                "--dport" => value() == self.packet.port.to_string(),
                "--dst-type" => value() == "LOCAL" && self.packet.destination_is_local,
                // No test sends from this node itself.
                "--src-type" => value() != "LOCAL",
                "--rcheck" => self.packet.recent.iter().any(|known| known == list),
                "--probability" => self.throw(value().parse().expect("a number")),
                other => panic!("{other} is not understood"),
            };
            holds &= result != negated;
            negated = false;
        }
        holds
    }

    /// One throw for the whole walk: each rule takes its share of what is left.
    fn throw(&mut self, probability: f64) -> bool {
        let share = self.share_left * probability;
        if self.dice < share {
            return true;
        }
        self.dice -= share;
        self.share_left -= share;
        false
    }
}

fn within(ip: Ipv4Addr, network: &str) -> bool {
    let Cidr { address, prefix } = network.parse().expect("a network");
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    ip.to_bits() & mask == address.to_bits() & mask
}

/// Splits at spaces outside quotes.
fn words(rule: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in rule.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
