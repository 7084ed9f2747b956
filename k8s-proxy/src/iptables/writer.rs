//! Tables of rules, and the `iptables-restore` text that turns one into another.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The rules of one table, by chain. Only chains of our own are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Rules without their leading `-A CHAIN`, in order.
    pub chains: BTreeMap<String, Vec<String>>,
}

impl Table {
    /// Adds a chain, which may stay empty.
    pub fn chain(&mut self, name: &str) -> &mut Vec<String> {
        self.chains.entry(name.to_owned()).or_default()
    }

    /// Appends a rule, adding its chain if needed.
    pub fn rule(&mut self, chain: &str, rule: impl Into<String>) {
        self.chain(chain).push(rule.into());
    }
}

/// Everything that the proxy wants in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Address translation.
    pub nat: Table,
    /// Refusals and permissions.
    pub filter: Table,
}

impl Ruleset {
    /// The text for `iptables-restore --noflush` that turns `old` into `self`: only chains that
    /// differ are written, chains that are gone are removed. Empty if nothing differs.
    pub fn since(&self, old: &Ruleset) -> String {
        let mut text = String::new();
        write_table(&mut text, "filter", &old.filter, &self.filter);
        write_table(&mut text, "nat", &old.nat, &self.nat);
        text
    }
}

fn write_table(text: &mut String, name: &str, old: &Table, new: &Table) {
    let changed: Vec<(&String, &Vec<String>)> = new
        .chains
        .iter()
        .filter(|(chain, rules)| old.chains.get(*chain) != Some(rules))
        .collect();
    let gone: BTreeSet<&String> = old
        .chains
        .keys()
        .filter(|chain| !new.chains.contains_key(*chain))
        .collect();
    if changed.is_empty() && gone.is_empty() {
        return;
    }
    // Declaring a chain empties it; chains go last, when nothing refers to them any more.
    let _ = writeln!(text, "*{name}");
    for chain in changed
        .iter()
        .map(|(chain, _)| *chain)
        .chain(gone.iter().copied())
    {
        let _ = writeln!(text, ":{chain} - [0:0]");
    }
    for (chain, rules) in changed {
        for rule in rules {
            let _ = writeln!(text, "-A {chain} {rule}");
        }
    }
    for chain in gone {
        let _ = writeln!(text, "-X {chain}");
    }
    text.push_str("COMMIT\n");
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn nat(chains: &[(&str, &[&str])]) -> Ruleset {
        let mut ruleset = Ruleset::default();
        for (chain, rules) in chains {
            ruleset
                .nat
                .chain(chain)
                .extend(rules.iter().map(|rule| (*rule).to_owned()));
        }
        ruleset
    }

    #[test]
    fn only_what_differs_is_written() {
        let old = nat(&[("A", &["-j B", "-j C"]), ("B", &["-j X"]), ("C", &["-j Y"])]);
        let new = nat(&[("A", &["-j B"]), ("B", &["-j X"]), ("D", &[])]);
        expect![[r#"
            *nat
            :A - [0:0]
            :D - [0:0]
            :C - [0:0]
            -A A -j B
            -X C
            COMMIT
        "#]]
        .assert_eq(&new.since(&old));
        assert_eq!(new.since(&new), "");
    }
}
