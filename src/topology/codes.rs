//! Every code that an operator can meet, in tables: faults of `check`, reasons of dead letters, reasons of pauses.
//! `docs/ERRORS.md` is made from them. A file holds the codes of one area, in the order of that page.

mod faults;
mod kafka;
mod pauses;
mod reasons;

pub use kafka::KAFKA;
pub use pauses::PAUSES;

/// A fault that `lockgate check` and `lockgate test` report.
#[derive(Debug)]
pub struct FaultCode {
    /// The code.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// A reason why a record was dead-lettered.
#[derive(Debug)]
pub struct ReasonCode {
    /// The code: header `lockgate.dlq.reason`, label `reason`.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do before the record is redriven.
    pub remedy: &'static str,
    /// Whether a rule of the topology judged it: such records do not count for the poison share.
    pub declared: bool,
}

/// A reason why a partition waits. Nothing is lost, and nothing of it is dead-lettered.
#[derive(Debug)]
pub struct PauseCode {
    /// The code: label `reason` of `lockgate_paused`, `paused` of `/status`.
    pub code: &'static str,
    /// What it means, and by what it ends.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn fault(code: &'static str, meaning: &'static str, remedy: &'static str) -> FaultCode {
    FaultCode {
        code,
        meaning,
        remedy,
    }
}

const fn reason(code: &'static str, meaning: &'static str, remedy: &'static str) -> ReasonCode {
    ReasonCode {
        code,
        meaning,
        remedy,
        declared: false,
    }
}

const fn rule(code: &'static str, meaning: &'static str, remedy: &'static str) -> ReasonCode {
    ReasonCode {
        code,
        meaning,
        remedy,
        declared: true,
    }
}

const fn pause(code: &'static str, meaning: &'static str, remedy: &'static str) -> PauseCode {
    PauseCode {
        code,
        meaning,
        remedy,
    }
}

/// Faults of topology files, test cases and expressions.
pub fn faults() -> impl Iterator<Item = &'static FaultCode> {
    faults::AREAS.iter().copied().flatten()
}

/// Reasons of dead letters. All are of the class `poison`: the record itself can never be delivered as it is.
pub fn reasons() -> impl Iterator<Item = &'static ReasonCode> {
    reasons::AREAS.iter().copied().flatten()
}
