//! Facts about AWS Lambda, and the decisions of powertune.
//!
//! Everything here is pure: no clock, network, file or environment. The [`plan::Planner`] takes
//! what was observed and says what to measure next. Its caller measures: a command line, a state
//! machine, or a replay of recorded samples.

pub mod analysis;
pub mod architecture;
pub mod arn;
pub mod backlog;
pub mod budget;
pub mod dry_run;
pub mod ending;
pub mod observation;
pub mod payload;
pub mod plan;
pub mod power;
pub mod price;
pub mod region;
pub mod report;
pub mod request;
pub mod result;
pub mod stats;
pub mod stopped;
pub mod strategy;
pub mod verdict;
pub mod visualization;
pub mod warning;
pub mod workflow;
