//! What a power's samples say about it: single figures, how far a mean can be trusted, and draws
//! of what the figures may truly be, for comparing powers with each other.
//!
//! Intervals and draws come from one model, the `reweighting` of what was seen: there is one
//! answer to how sure a figure is, however it is asked for.
//!
//! Samples are finite numbers. They are taken as independent of each other; where they are not (a
//! slow environment, drift), the truth is less certain than any figure here says.

mod interval;
pub mod resample;
mod reweighting;
mod summary;
mod trimmed;

pub use interval::{Estimate, Reach};
pub(crate) use reweighting::students_t;
pub(crate) use summary::at_least;
pub use summary::{mean, percentile, trimmed_mean};
pub(crate) use trimmed::trimmed_interval;
