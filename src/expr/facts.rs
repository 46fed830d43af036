//! What flow typing knows at a place: which paths are null or not, and which values `event.op` can have.

use std::collections::BTreeSet;

/// The operations of Debezium, and `*` for any other text: a comparison must not prove what an unknown operation breaks.
const OPS: [&str; 7] = ["c", "r", "u", "d", "t", "m", "*"];

/// Knowledge about paths (`event.after`, `out.note`, `meta.key`), gathered from conditions that hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    non_null: BTreeSet<String>,
    null: BTreeSet<String>,
    /// Operations ruled out.
    excluded: BTreeSet<&'static str>,
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
        Facts {
            impossible: true,
            ..Self::default()
        }
    }

    /// Whether the conditions contradict each other.
    pub fn is_impossible(&self) -> bool {
        self.impossible
    }

    /// The path is not null.
    pub fn non_null(path: &str) -> Self {
        Facts {
            non_null: BTreeSet::from([path.to_owned()]),
            ..Self::default()
        }
        .settled()
    }

    /// The path is null.
    pub fn null(path: &str) -> Self {
        Facts {
            null: BTreeSet::from([path.to_owned()]),
            ..Self::default()
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
        self.non_null.contains(&format!("{place}?"))
    }

    /// `event.op` is one of these.
    pub fn op_in<S: AsRef<str>>(ops: &[S]) -> Self {
        let named = |op: &str| ops.iter().any(|o| known(o.as_ref()) == op);
        Facts {
            excluded: OPS.into_iter().filter(|op| !named(op)).collect(),
            ..Self::default()
        }
        .settled()
    }

    /// `event.op` is none of these.
    pub fn op_not_in<S: AsRef<str>>(ops: &[S]) -> Self {
        let named = |op: &str| op != "*" && ops.iter().any(|o| o.as_ref() == op);
        Facts {
            excluded: OPS.into_iter().filter(|op| named(op)).collect(),
            ..Self::default()
        }
        .settled()
    }

    /// Both hold.
    pub fn and(&self, other: &Facts) -> Facts {
        Facts {
            non_null: self.non_null.union(&other.non_null).cloned().collect(),
            null: self.null.union(&other.null).cloned().collect(),
            excluded: self.excluded.union(&other.excluded).copied().collect(),
            impossible: self.impossible || other.impossible,
        }
        .settled()
    }

    /// One of them holds.
    pub fn or(&self, other: &Facts) -> Facts {
        match (self.impossible, other.impossible) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => Facts {
                non_null: self
                    .non_null
                    .intersection(&other.non_null)
                    .cloned()
                    .collect(),
                null: self.null.intersection(&other.null).cloned().collect(),
                excluded: self
                    .excluded
                    .intersection(&other.excluded)
                    .copied()
                    .collect(),
                impossible: false,
            },
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
        Facts {
            non_null: kept(&self.non_null),
            null: kept(&self.null),
            excluded: self.excluded.clone(),
            impossible: self.impossible,
        }
    }

    /// Whether the path is known not to be null.
    pub fn is_non_null(&self, path: &str) -> bool {
        self.non_null.contains(path)
    }

    /// Whether the path is known to be null.
    pub fn is_null(&self, path: &str) -> bool {
        self.null.contains(path)
    }

    /// The operations of Debezium that `event.op` can still be.
    pub fn ops(&self) -> Vec<&'static str> {
        OPS.into_iter()
            .filter(|op| *op != "*" && !self.excluded.contains(op))
            .collect()
    }

    /// Draws Debezium's conclusions: c and r have no `before` and an `after`, u has an `after`, d only a `before`, t and
    /// m neither. Paths named `event.before` and `event.after` exist in that envelope only, so this holds for all.
    fn settled(mut self) -> Facts {
        if self.is_non_null("event.after") {
            self.excluded.extend(["d", "t", "m"]);
        }
        if self.is_null("event.after") {
            self.excluded.extend(["c", "r", "u"]);
        }
        if self.is_non_null("event.before") {
            self.excluded.extend(["c", "r", "t", "m"]);
        }
        if self.is_null("event.before") {
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
        self
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
