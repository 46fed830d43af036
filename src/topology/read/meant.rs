//! What was meant: misspelt keys and words are put right, and what cannot be understood is named, so that nothing is
//! judged by it.

use super::taken;
use crate::topology::fault::nearest;
use crate::topology::keys::{Key, Kind, Object};
use crate::topology::spec::Unclear;
use crate::topology::yaml::{Data, Node};

/// The key that an unknown one was meant to be: one that is near, and not there itself.
pub(super) fn meant(
    object: &'static Object,
    entries: &[(Node, Node)],
    text: &str,
) -> Option<&'static Key> {
    let names = || object.keys.iter().map(|key| key.name);
    if names().any(|name| name == text) {
        return None;
    }
    let near = nearest(text, names())?;
    let is_there = entries.iter().any(|(name, _)| name.text() == Some(near));
    object.keys.iter().find(|key| key.name == near && !is_there)
}

/// Puts what was meant in the place of misspelt keys and words.
pub(super) fn mend(node: &mut Node, object: &'static Object) {
    let Data::Map(entries) = &mut node.data else {
        return;
    };
    let names: Vec<_> = entries
        .iter()
        .map(|(name, _)| meant(object, entries, name.text()?))
        .collect();
    for ((name, value), meant) in entries.iter_mut().zip(names) {
        if let (Some(key), Data::Scalar { text, .. }) = (meant, &mut name.data) {
            *text = key.name.to_owned();
        }
        let key = object.keys.iter().find(|key| name.text() == Some(key.name));
        if let Some(key) = key {
            mend_value(value, &key.kind);
        }
    }
}

fn mend_value(node: &mut Node, kind: &'static Kind) {
    match (kind, &mut node.data) {
        (Kind::Object(object) | Kind::Either(_, object), Data::Map(_)) => mend(node, object),
        (Kind::Either(word, _), _) => mend_value(node, word),
        (Kind::List(item), Data::List(items)) => {
            items.iter_mut().for_each(|node| mend_value(node, item));
        }
        (Kind::Map(item), Data::Map(entries)) => {
            let values = entries.iter_mut().map(|(_, value)| value);
            values.for_each(|node| mend_value(node, item));
        }
        (Kind::Words(words), Data::Scalar { text, quoted }) => {
            let known = || words.iter().map(|word| word.word);
            if !known().any(|word| word == text) {
                *text = nearest(text, known()).unwrap_or_default().to_owned();
                *quoted = false;
            }
        }
        _ => {}
    }
}

/// The keys of an object whose value is not of their kind.
pub(super) fn unclear(node: &Node, object: &'static Object) -> Unclear {
    let keys = object.keys.iter();
    let unclear = keys.filter(|key| {
        node.get(key.name)
            .is_some_and(|value| !fits(value, &key.kind))
    });
    unclear.map(|key| key.name).collect()
}

/// Whether a value is of a kind, as far as the reader takes it over.
fn fits(node: &Node, kind: &'static Kind) -> bool {
    match (kind, &node.data) {
        (Kind::Json, _) => true,
        (Kind::Either(_, object) | Kind::Object(object), Data::Map(_)) => {
            let fits = |key: &'static Key| {
                node.get(key.name)
                    .is_some_and(|value| fits(value, &key.kind))
            };
            object.keys.iter().all(|key| !key.required || fits(key))
        }
        (Kind::Either(word, _), _) => fits(node, word),
        // What such an item lacks is unknown of the item alone.
        (Kind::List(Kind::Object(_)), Data::List(items)) => {
            items.iter().all(|node| matches!(node.data, Data::Map(_)))
        }
        (Kind::List(item), Data::List(items)) => items.iter().all(|node| fits(node, item)),
        (Kind::Map(item), Data::Map(entries)) => entries
            .iter()
            .all(|(name, node)| taken(name).is_some() && fits(node, item)),
        (Kind::Object(_) | Kind::List(_) | Kind::Map(_), _) => false,
        (Kind::Words(words), _) => {
            taken(node).is_some_and(|text| words.iter().any(|word| word.word == text.value))
        }
        _ => taken(node).is_some(),
    }
}
