//! stub
use super::Fault;
use crate::schema::Schema;
/// A value that does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct JsonFault {
    /// Path of the value.
    pub path: String,
    /// What does not fit.
    pub message: String,
}
/// A datum as JSON.
pub fn to_json(_schema: &Schema, _datum: &[u8]) -> Result<serde_json::Value, Fault> {
    todo!()
}
/// JSON as a datum.
pub fn from_json(_schema: &Schema, _value: &serde_json::Value) -> Result<Vec<u8>, JsonFault> {
    todo!()
}
