//! Faults of topology files, test cases and expressions, by area.

mod expressions;
mod files;
mod given;
mod mapping;
mod proof;
mod topology;

use super::FaultCode;

/// The areas, in the order of `docs/ERRORS.md`.
pub(super) static AREAS: &[&[FaultCode]] = &[
    files::FAULTS,
    topology::FAULTS,
    mapping::FAULTS,
    proof::FAULTS,
    expressions::FAULTS,
    given::FAULTS,
];
