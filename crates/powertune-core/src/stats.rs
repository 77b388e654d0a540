//! Statistics of a power's samples: single figures, intervals of means, and draws of the true
//! figures for a comparison of powers.
//!
//! Intervals and draws come from one model, `reweighting`, so they agree about the certainty of a
//! figure.
//!
//! Samples are finite numbers and taken as independent. If they are not (a slow environment, a
//! drift), the truth is less certain than the figures say.

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
