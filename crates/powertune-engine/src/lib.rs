//! Runs a tuning on a Lambda endpoint.
//!
//! The engine drives the planner of `powertune-core`: it publishes a version for each power,
//! invokes the versions, reads the durations, puts everything back and computes the result. Real
//! AWS and the local Lambda differ only in the endpoint URL. The engine prints nothing; displays
//! listen to its [`event::Event`]s.

mod alias;
mod announce;
mod apply;
mod baseline;
mod budget;
mod clean;
mod conflict;
mod election;
pub mod error;
pub mod event;
mod findings;
mod gate;
pub mod gateway;
mod held;
mod invocation;
mod journal;
mod keep;
mod limits;
pub mod mark;
mod measure;
mod prepare;
mod processor;
mod publish;
mod put_back;
mod restore;
mod round;
pub mod run;
pub mod state_machine;
pub mod steps;
mod window;

pub use self::{
    clean::{Cleaned, clean},
    journal::{Journals, OddJournal, Oddness},
    keep::Keep,
    limits::raise_open_files,
};
