//! What one object costs, and what it is to scopes.

use std::collections::{BTreeMap, BTreeSet};

use super::Scopes;
use crate::ResourceList;

/// All that quotas need to know about one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// What it uses, under every name that a quota may have for it.
    pub usage: ResourceList,
    /// What it is.
    pub scopes: Scopes,
    /// Which containers leave out what must be said where a quota limits it.
    pub(super) unsaid: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Footprint {
    /// So many of one thing, and nothing else to say about it.
    pub(super) fn of(usage: ResourceList) -> Self {
        Footprint {
            usage,
            ..Footprint::default()
        }
    }

    /// What the object must say, as a quota that limits these resources wants it: `must specify cpu for: a,b`.
    pub(super) fn lacks(&self, limits: impl Fn(&str) -> bool) -> Option<String> {
        let lacking = self.unsaid.iter().filter(|(resource, _)| limits(resource));
        let lacking: Vec<String> = lacking
            .map(|(resource, containers)| {
                let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
                format!("{resource} for: {}", containers.join(","))
            })
            .collect();
        (!lacking.is_empty()).then(|| format!("must specify {}", lacking.join("; ")))
    }
}
