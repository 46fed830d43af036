//! The road of a record: consume, process, deliver, ack, commit.
pub mod process;
