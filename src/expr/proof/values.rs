//! What conditions prove about values, by what is read: `v3` is the value's fourth slot, `size(v3)` a call on it.

use std::collections::BTreeMap;

use super::extent::Extent;

/// What is known of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    extent: Extent,
    /// Whether it is known not to be null: else no value is left to a value that must be null.
    present: bool,
}

/// Knowledge about values, by the key of what is read (see [`super::Scope::key`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, Known>);

impl Values {
    /// Of one value.
    pub fn one(key: String, extent: Extent, present: bool) -> Values {
        Values(BTreeMap::from([(key, Known { extent, present })]))
    }

    /// Both hold; `None` if they contradict each other.
    pub fn and(&self, other: &Values) -> Option<Values> {
        let mut all = self.clone();
        for (key, known) in &other.0 {
            let both = match all.0.get(key) {
                Some(before) => Known {
                    extent: before.extent.meet(&known.extent),
                    present: before.present || known.present,
                },
                None => known.clone(),
            };
            if both.present && both.extent == Extent::Empty {
                return None;
            }
            all.0.insert(key.clone(), both);
        }
        Some(all)
    }

    /// One of them holds.
    pub fn or(&self, other: &Values) -> Values {
        let both = self.0.iter().filter_map(|(key, known)| {
            let joined = Known {
                extent: known.extent.join(&other.0.get(key)?.extent),
                present: known.present && other.0.get(key)?.present,
            };
            (joined.extent != Extent::Any).then(|| (key.clone(), joined))
        });
        Values(both.collect())
    }

    /// What is known of a value.
    pub fn get(&self, key: &str) -> Option<&Extent> {
        self.0.get(key).map(|known| &known.extent)
    }
}
