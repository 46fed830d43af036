//! The road on an embedded broker and registry: what goes in comes out, once or for a known reason, whatever fails in between.

mod connections;
mod faults;
mod formats;
mod life;
mod outages;
mod poison;
mod world;
