//! Reasons of dead letters, by area.

mod datum;
mod event;
mod frame;
mod functions;
mod internal;
mod output;
mod values;

use super::ReasonCode;

/// The areas, in the order of `docs/ERRORS.md`.
pub(super) static AREAS: &[&[ReasonCode]] = &[
    frame::REASONS,
    functions::REASONS,
    datum::REASONS,
    event::REASONS,
    output::REASONS,
    values::REASONS,
    internal::REASONS,
];
