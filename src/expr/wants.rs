//! The slots that the expressions of one source read, collected while they are compiled.

use std::collections::BTreeSet;

use super::Source;
use crate::codec::Want;

/// Slots wanted from a source's value and from its key. Slot numbers are indexes into the two lists.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    value: Vec<Want>,
    key: Vec<Want>,
    /// Slots of the value that are more than asked for.
    read: BTreeSet<u16>,
}

impl Wants {
    /// No slots yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The slot of a path (field indexes of the reader schema) in the value.
    pub fn slot(&mut self, path: &[u32]) -> u16 {
        self.slot_of(Source::Value, path)
    }

    /// The slot of a path in the key.
    pub fn key_slot(&mut self, path: &[u32]) -> u16 {
        self.slot_of(Source::Key, path)
    }

    /// The slot of a path in the value of which only the presence matters, as far as this one is concerned.
    pub fn asked_slot(&mut self, path: &[u32]) -> u16 {
        self.place(Source::Value, path)
    }

    /// The slots of the value of which only the presence matters.
    pub fn asked(&self) -> Vec<u16> {
        (0..self.value.len() as u16)
            .filter(|slot| !self.read.contains(slot))
            .collect()
    }

    /// The slot of a path in the value or the key; the same path always has the same slot.
    ///
    /// # Panics
    /// If one source wants more than 65 535 paths: expressions are bounded far below that.
    pub fn slot_of(&mut self, source: Source, path: &[u32]) -> u16 {
        let slot = self.place(source, path);
        if source == Source::Value {
            self.read.insert(slot);
        }
        slot
    }

    fn place(&mut self, source: Source, path: &[u32]) -> u16 {
        let list = match source {
            Source::Value => &mut self.value,
            Source::Key => &mut self.key,
        };
        let at = list
            .iter()
            .position(|want| want.path == path)
            .unwrap_or_else(|| {
                list.push(Want {
                    path: path.to_vec(),
                });
                list.len() - 1
            });
        u16::try_from(at).expect("a source has fewer than 65 536 slots")
    }

    /// The path of a slot.
    pub fn path(&self, source: Source, slot: u16) -> &[u32] {
        match source {
            Source::Value => &self.value[usize::from(slot)].path,
            Source::Key => &self.key[usize::from(slot)].path,
        }
    }

    /// What the scan of the value captures.
    pub fn value(&self) -> &[Want] {
        &self.value
    }

    /// What the scan of the key captures.
    pub fn key(&self) -> &[Want] {
        &self.key
    }

    /// The lists of value and key.
    pub fn into_parts(self) -> (Vec<Want>, Vec<Want>) {
        (self.value, self.key)
    }
}
