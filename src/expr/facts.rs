//! What flow typing knows at a place: which paths are null or not, and which values `event.op` can have.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::proof::Values;

/// The operations of Debezium, and `*` for any other text: a comparison must not prove what an unknown operation breaks.
const OPS: [&str; 7] = ["c", "r", "u", "d", "t", "m", "*"];

/// Knowledge about paths (`event.after`, `out.note`, `meta.key`) and values, gathered from conditions that hold. It has the
/// size of a pointer: the checker holds many of them at once while it descends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(Arc<Known>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    non_null: BTreeSet<String>,
    null: BTreeSet<String>,
    /// Operations ruled out.
    excluded: BTreeSet<&'static str>,
    /// Which values are possible.
    values: Values,
    /// Set where the conditions contradict each other: nothing gets here.
    impossible: bool,
}

impl Facts {
    /// Nothing is known.
    pub fn none() -> Self {
        Self::default()
    }

    /// What holds where nothing can get to.
    pub fn impossible() -> Self {
        Facts(Arc::new(Known {
            impossible: true,
            ..Known::default()
        }))
    }

    /// Whether the conditions contradict each other.
    pub fn is_impossible(&self) -> bool {
        self.0.impossible
    }

    /// Which values are possible.
    pub fn of_values(values: Values) -> Self {
        Facts(Arc::new(Known {
            values,
            ..Known::default()
        }))
    }

    /// Which values are possible.
    pub fn values(&self) -> &Values {
        &self.0.values
    }

    /// The path is not null.
    pub fn non_null(path: &str) -> Self {
        Known {
            non_null: BTreeSet::from([path.to_owned()]),
            ..Known::default()
        }
        .settled()
    }

    /// The path is null.
    pub fn null(path: &str) -> Self {
        Known {
            null: BTreeSet::from([path.to_owned()]),
            ..Known::default()
        }
        .settled()
    }

    /// The place (a key of a map, an optional) has a value, be it null.
    pub fn present(place: &str) -> Self {
        // No path ends so: nothing else is said of it.
        Facts::non_null(&format!("{place}?"))
    }

    /// Whether the place is known to have a value.
    pub fn is_present(&self, place: &str) -> bool {
        self.0.non_null.contains(&format!("{place}?"))
    }

    /// `event.op` is one of these.
    pub fn op_in<S: AsRef<str>>(ops: &[S]) -> Self {
        let named = |op: &str| ops.iter().any(|o| known(o.as_ref()) == op);
        Known {
            excluded: OPS.into_iter().filter(|op| !named(op)).collect(),
            ..Known::default()
        }
        .settled()
    }

    /// `event.op` is none of these.
    pub fn op_not_in<S: AsRef<str>>(ops: &[S]) -> Self {
        let named = |op: &str| op != "*" && ops.iter().any(|o| o.as_ref() == op);
        Known {
            excluded: OPS.into_iter().filter(|op| named(op)).collect(),
            ..Known::default()
        }
        .settled()
    }

    /// Both hold.
    pub fn and(&self, other: &Facts) -> Facts {
        if *other.0 == Known::default() {
            return self.clone();
        }
        if *self.0 == Known::default() {
            return other.clone();
        }
        let values = self.0.values.and(&other.0.values);
        Known {
            non_null: self.0.non_null.union(&other.0.non_null).cloned().collect(),
            null: self.0.null.union(&other.0.null).cloned().collect(),
            excluded: self.0.excluded.union(&other.0.excluded).copied().collect(),
            impossible: self.0.impossible || other.0.impossible || values.is_none(),
            values: values.unwrap_or_default(),
        }
        .settled()
    }

    /// One of them holds.
    pub fn or(&self, other: &Facts) -> Facts {
        match (self.0.impossible, other.0.impossible) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => Facts(Arc::new(Known {
                non_null: self
                    .0
                    .non_null
                    .intersection(&other.0.non_null)
                    .cloned()
                    .collect(),
                null: self.0.null.intersection(&other.0.null).cloned().collect(),
                excluded: self
                    .0
                    .excluded
                    .intersection(&other.0.excluded)
                    .copied()
                    .collect(),
                values: self.0.values.or(&other.0.values),
                impossible: false,
            })),
        }
    }

    /// What is left when the paths that begin so have got new values.
    pub fn without(&self, prefix: &str) -> Facts {
        let kept = |paths: &BTreeSet<String>| {
            paths
                .iter()
                .filter(|path| !path.starts_with(prefix))
                .cloned()
                .collect()
        };
        Facts(Arc::new(Known {
            non_null: kept(&self.0.non_null),
            null: kept(&self.0.null),
            excluded: self.0.excluded.clone(),
            values: self.0.values.clone(),
            impossible: self.0.impossible,
        }))
    }

    /// Whether the path is known not to be null.
    pub fn is_non_null(&self, path: &str) -> bool {
        self.0.non_null.contains(path)
    }

    /// Whether the path is known to be null.
    pub fn is_null(&self, path: &str) -> bool {
        self.0.null.contains(path)
    }

    /// The operations of Debezium that `event.op` can still be.
    pub fn ops(&self) -> Vec<&'static str> {
        OPS.into_iter()
            .filter(|op| *op != "*" && !self.0.excluded.contains(op))
            .collect()
    }
}

impl Known {
    /// Draws Debezium's conclusions: c and r have no `before` and an `after`, u has an `after`, d only a `before`, t and
    /// m neither. Paths named `event.before` and `event.after` exist in that envelope only, so this holds for all.
    fn settled(mut self) -> Facts {
        if self.non_null.contains("event.after") {
            self.excluded.extend(["d", "t", "m"]);
        }
        if self.null.contains("event.after") {
            self.excluded.extend(["c", "r", "u"]);
        }
        if self.non_null.contains("event.before") {
            self.excluded.extend(["c", "r", "t", "m"]);
        }
        if self.null.contains("event.before") {
            self.excluded.insert("d");
        }
        let left: Vec<_> = OPS
            .into_iter()
            .filter(|op| !self.excluded.contains(op))
            .collect();
        let mut note = |holds: fn(&str) -> bool, path: &str, null: bool| {
            if !left.is_empty() && left.iter().all(|op| holds(op)) {
                if null {
                    &mut self.null
                } else {
                    &mut self.non_null
                }
                .insert(path.to_owned());
            }
        };
        note(|op| matches!(op, "c" | "r" | "u"), "event.after", false);
        note(|op| matches!(op, "d" | "t" | "m"), "event.after", true);
        note(|op| op == "d", "event.before", false);
        note(
            |op| matches!(op, "c" | "r" | "t" | "m"),
            "event.before",
            true,
        );
        self.impossible |=
            left.is_empty() || self.null.iter().any(|path| self.non_null.contains(path));
        Facts(Arc::new(self))
    }
}

fn known(op: &str) -> &str {
    if OPS[..6].contains(&op) { op } else { "*" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_tells_what_is_null() {
        let create = Facts::op_in(&["c", "r"]);
        assert!(create.is_non_null("event.after") && create.is_null("event.before"));
        let update = Facts::op_in(&["u", "c"]);
        assert!(update.is_non_null("event.after") && !update.is_null("event.before"));
        let delete = Facts::op_in(&["d"]);
        assert!(delete.is_null("event.after") && delete.is_non_null("event.before"));
        assert!(Facts::op_in(&["t"]).is_null("event.before"));
    }

    #[test]
    fn an_unknown_operation_proves_nothing() {
        let not = Facts::op_not_in(&["d", "t", "m"]);
        assert!(
            !not.is_non_null("event.after"),
            "an operation x may have no after"
        );
        assert!(!Facts::op_in(&["c", "x"]).is_non_null("event.after"));
        assert_eq!(not.ops(), ["c", "r", "u"]);
    }

    #[test]
    fn an_after_rules_out_deletes() {
        assert_eq!(Facts::non_null("event.after").ops(), ["c", "r", "u"]);
        assert!(
            Facts::non_null("event.after")
                .and(&Facts::op_in(&["d"]))
                .is_impossible()
        );
    }

    #[test]
    fn alternatives_keep_what_both_say() {
        let either = Facts::op_in(&["c"]).or(&Facts::op_in(&["u"]));
        assert!(either.is_non_null("event.after") && !either.is_null("event.before"));
        assert_eq!(
            Facts::impossible().or(&Facts::null("event.x")),
            Facts::null("event.x")
        );
        assert_eq!(either.ops(), ["c", "u"]);
    }
}
