//! `ResourceList`: exact amounts by name, as requests, limits and quotas carry them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use k8s_openapi::apimachinery::pkg::api::resource;

use crate::{Quantity, Value};

/// Amounts of resources by name. A name that is absent is not the same as a zero.
///
/// Shown as error messages show it: `cpu=1,memory=1Gi`.
///
/// ```
/// use k8s_apimachinery::ResourceList;
/// let hard = ResourceList::from_value(Some(&serde_json::json!({"cpu": "1", "memory": "1024Mi"})));
/// assert_eq!(hard.to_string(), "cpu=1,memory=1Gi");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceList(BTreeMap<String, Quantity>);

impl ResourceList {
    /// Reads the map at a path of an object. What is no quantity is left out: validation rejects it before it is stored.
    pub fn from_value(value: Option<&Value>) -> Self {
        let entries = value.and_then(Value::as_object).into_iter().flatten();
        entries
            .filter_map(|(name, amount)| Some((name.clone(), amount.as_str()?.parse().ok()?)))
            .collect()
    }

    /// Reads a typed map, in the same way.
    pub fn from_map(map: &BTreeMap<String, resource::Quantity>) -> Self {
        map.iter()
            .filter_map(|(name, amount)| Some((name.clone(), amount.0.parse().ok()?)))
            .collect()
    }

    /// The map as it stands in an object.
    pub fn to_value(&self) -> Value {
        let entries = self.0.iter();
        Value::Object(
            entries
                .map(|(name, amount)| (name.clone(), amount.to_string().into()))
                .collect(),
        )
    }

    /// The amount under a name.
    pub fn get(&self, name: &str) -> Option<Quantity> {
        self.0.get(name).copied()
    }

    /// Whether the name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Sets the amount under a name.
    pub fn insert(&mut self, name: impl Into<String>, amount: Quantity) {
        self.0.insert(name.into(), amount);
    }

    /// Names and amounts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Quantity)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is no name in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds `other`, name by name.
    pub fn add(&mut self, other: &ResourceList) {
        self.merge(other, |mine, more| mine.add(more));
    }

    /// Raises each amount to `other`'s where that is greater.
    pub fn raise(&mut self, other: &ResourceList) {
        self.merge(other, |mine, more| *mine = (*mine).max(more));
    }

    /// Takes `other` away from what is there, down to nothing.
    pub fn take(&mut self, other: &ResourceList) {
        for (name, mine) in &mut self.0 {
            if let Some(less) = other.get(name) {
                *mine = less_or_nothing(*mine, less);
            }
        }
    }

    /// What there is more of here than there was: no name for what hasn't grown.
    pub fn beyond(&self, before: &ResourceList) -> ResourceList {
        let grown = |(name, amount): (&str, Quantity)| {
            let before = before.get(name).unwrap_or_default();
            let more = less_or_nothing(amount, before);
            (!more.is_zero()).then(|| (name.to_owned(), more))
        };
        self.iter().filter_map(grown).collect()
    }

    /// The part whose names are wanted.
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> ResourceList {
        self.iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, amount)| (name.to_owned(), amount))
            .collect()
    }

    fn merge(&mut self, other: &ResourceList, combine: impl Fn(&mut Quantity, Quantity)) {
        for (name, amount) in &other.0 {
            match self.0.entry(name.clone()) {
                Entry::Occupied(mut mine) => combine(mine.get_mut(), *amount),
                Entry::Vacant(mine) => drop(mine.insert(*amount)),
            }
        }
    }
}

fn less_or_nothing(mut amount: Quantity, less: Quantity) -> Quantity {
    match amount > less {
        true => amount.sub(less),
        // What is left is written in the same family of suffixes.
        false => amount = Quantity::new(0, amount.format()),
    }
    amount
}

impl FromIterator<(String, Quantity)> for ResourceList {
    fn from_iter<I: IntoIterator<Item = (String, Quantity)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl fmt::Display for ResourceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, amount)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{name}={amount}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(value: Value) -> ResourceList {
        ResourceList::from_value(Some(&value))
    }

    #[test]
    fn sums_keep_the_suffixes_of_their_parts() {
        let mut sum = list(json!({"memory": "0", "cpu": "500m"}));
        sum.add(&list(json!({"memory": "512Mi", "cpu": "1"})));
        sum.add(&list(json!({"memory": "512Mi", "pods": "1"})));
        assert_eq!(sum.to_string(), "cpu=1500m,memory=1Gi,pods=1");
        sum.take(&list(
            json!({"memory": "256Mi", "pods": "2", "secrets": "1"}),
        ));
        assert_eq!(sum.to_string(), "cpu=1500m,memory=768Mi,pods=0");
        assert_eq!(
            sum.to_value(),
            json!({"cpu": "1500m", "memory": "768Mi", "pods": "0"})
        );
    }

    #[test]
    fn the_greater_amount_wins() {
        let mut raised = list(json!({"cpu": "1", "memory": "1Gi"}));
        raised.raise(&list(json!({"cpu": "500m", "memory": "2Gi", "pods": "1"})));
        assert_eq!(raised.to_string(), "cpu=1,memory=2Gi,pods=1");
    }

    #[test]
    fn only_what_grew_is_beyond() {
        let now = list(json!({"cpu": "2", "memory": "1Gi", "pods": "1"}));
        let before = list(json!({"cpu": "1500m", "memory": "2Gi"}));
        assert_eq!(now.beyond(&before).to_string(), "cpu=500m,pods=1");
        assert!(before.beyond(&before).is_empty());
    }

    #[test]
    fn what_is_no_quantity_is_left_out() {
        assert_eq!(
            list(json!({"cpu": "one", "memory": "1"})).to_string(),
            "memory=1"
        );
    }
}
