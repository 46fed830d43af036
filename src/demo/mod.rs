//! The main job on an embedded default: an in-process broker and registry, a generator of change events, and the real worker on the
//! shipped topologies. Every record's end is checked against what the generator knows it must be.

pub mod audit;
pub mod broker;
pub mod encode;
pub mod expect;
pub mod feed;
pub mod generate;
pub mod shop;
pub mod truth;
