//! Static tables for `lookup`: read once, bounded, typed.

use std::collections::HashMap;
use std::fmt;

use super::{Const, Type};
use crate::codec::Val;

/// A table: rows by a key.
pub struct Table {
    /// The name under which expressions know it.
    pub name: String,
    /// The columns beside the key, and their types.
    pub columns: Vec<(String, Type)>,
    rows: Rows,
}

enum Rows {
    Texts(HashMap<Box<str>, Box<[Const]>>),
    Ints(HashMap<i64, Box<[Const]>>),
}

impl Table {
    /// An empty table; the key is a text, or an int if `int_key`.
    pub fn new(name: String, int_key: bool, columns: Vec<(String, Type)>) -> Table {
        let rows = match int_key {
            true => Rows::Ints(HashMap::new()),
            false => Rows::Texts(HashMap::new()),
        };
        Table {
            name,
            columns,
            rows,
        }
    }

    /// Adds a row: the values of the columns, in their order. False if the key is there already, or of the wrong type.
    pub fn insert(&mut self, key: &Const, row: Box<[Const]>) -> bool {
        match (&mut self.rows, key) {
            (Rows::Texts(rows), Const::Str(key)) => {
                rows.insert(key.to_string().into_boxed_str(), row).is_none()
            }
            (Rows::Ints(rows), Const::Int(key)) => rows.insert(*key, row).is_none(),
            _ => false,
        }
    }

    /// The type of the key.
    pub fn key(&self) -> Type {
        match self.rows {
            Rows::Texts(_) => Type::String,
            Rows::Ints(_) => Type::Int,
        }
    }

    /// The row of a key.
    pub fn row(&self, key: Val) -> Option<&[Const]> {
        match (&self.rows, key) {
            (Rows::Texts(rows), Val::Str(key)) => rows.get(key).map(|row| &**row),
            (Rows::Ints(rows), Val::Int(key)) => rows.get(&key).map(|row| &**row),
            _ => None,
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}", self.name)
    }
}
