//! Addresses and networks as texts: what has no fault is its own canonical form, and ends lie inside.

use anyhow::{Result, ensure};
use k8s_apimachinery::ip::{self, Network};
use k8s_store::testing::Dice;

use super::{Target, text};
use crate::mutate;

const WORDS: [&str; 18] = [
    "10.",
    "0",
    "255",
    "256",
    "08",
    ".",
    ":",
    "::",
    "ffff:",
    "2001:db8:",
    "/",
    "/0",
    "/8",
    "/32",
    "/64",
    "/128",
    "/129",
    "%eth0",
];

pub(super) struct Networks;

impl Target for Networks {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        if dice.one_in(2) {
            return mutate::sentence(dice, &WORDS, 10);
        }
        let [a, b, c, d] = (dice.throw() as u32).to_be_bytes();
        let mut text = match dice.one_in(2) {
            true => format!("{a}.{b}.{c}.{d}/{}", dice.below(34)),
            false => {
                let bits =
                    u128::from(dice.throw()) << 64 | u128::from(dice.throw() >> dice.below(64));
                format!("{}/{}", std::net::Ipv6Addr::from(bits), dice.below(130))
            }
        }
        .into_bytes();
        if dice.one_in(4) {
            mutate::mutate(dice, &mut text, &WORDS);
        }
        text
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Some(text) = text(input) else {
            return Ok(());
        };
        if ip::address_faults(text).is_empty() {
            let address: std::net::IpAddr = text.parse()?;
            ensure!(
                address.to_string() == text,
                "{address} is written as {text}"
            );
        }
        let is_canonical = ip::network_faults(text).is_empty();
        let Ok(network) = text.parse::<Network>() else {
            ensure!(!is_canonical, "no network, but no fault either");
            return Ok(());
        };
        ensure!(
            network.to_string().parse() == Ok(network),
            "{network} changes"
        );
        ensure!(
            !is_canonical || network.to_string() == text,
            "{network} is written as {text}"
        );
        let (first, last) = (network.first(), network.last());
        ensure!(
            network.contains(first) && network.contains(last),
            "{network} lacks its ends"
        );
        ensure!(
            first <= network.address && network.address <= last,
            "{network} begins at {first}"
        );
        Ok(())
    }
}
