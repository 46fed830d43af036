//! Error codes of the client library and the broker, and calls that failed.

use std::ffi::CStr;
use std::fmt;

use rdkafka_sys as sys;

use super::native::ffi;

/// An error code of the client library (negative) or the broker (positive), as a number: a newer broker may send codes that the
/// library has no name for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KafkaError(pub(super) i32);

impl KafkaError {
    /// The code as the protocol numbers it; negative codes are the library's own.
    pub fn code(self) -> i32 {
        self.0
    }

    /// The constant's name, such as `MSG_SIZE_TOO_LARGE` or `_PURGE_QUEUE`.
    pub fn name(self) -> &'static str {
        // SAFETY: the library answers every number with a pointer to a string that lives as long as the process.
        unsafe { CStr::from_ptr(ffi::rd_kafka_err2name(self.0)) }
            .to_str()
            .unwrap_or("unknown")
    }

    /// What the code means, in the library's words.
    pub fn description(self) -> &'static str {
        // SAFETY: as in `name`.
        unsafe { CStr::from_ptr(ffi::rd_kafka_err2str(self.0)) }
            .to_str()
            .unwrap_or("unknown error")
    }

    /// Whether the client that reported it is of no further use.
    pub fn is_fatal(self) -> bool {
        self.is(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__FATAL)
    }

    pub(super) fn is(self, code: sys::rd_kafka_resp_err_t) -> bool {
        self.0 == code as i32
    }

    /// `None` for the code that says that all is well.
    pub(super) fn from_code(code: i32) -> Option<KafkaError> {
        (code != 0).then_some(KafkaError(code))
    }
}

impl From<sys::rd_kafka_resp_err_t> for KafkaError {
    fn from(code: sys::rd_kafka_resp_err_t) -> Self {
        KafkaError(code as i32)
    }
}

impl fmt::Debug for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.description(), self.name())
    }
}

/// A call to the client library that failed: what was attempted on what, the code, and the library's own words where it has more to say.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{attempted}: {}", self.reason())]
pub struct ClientError {
    /// What was attempted, on what: `look up the partitions of topic orders`.
    pub attempted: String,
    /// The code.
    pub error: KafkaError,
    /// The library's own words about this very failure; may be empty.
    pub detail: String,
}

impl ClientError {
    pub(super) fn new(attempted: impl Into<String>, error: impl Into<KafkaError>) -> ClientError {
        ClientError {
            attempted: attempted.into(),
            error: error.into(),
            detail: String::new(),
        }
    }

    fn reason(&self) -> String {
        match self.detail.as_str() {
            "" => self.error.to_string(),
            detail => format!("{detail} ({})", self.error.name()),
        }
    }
}
