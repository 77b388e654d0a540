//! The workflow: a tuning run as a state machine, for AWS Step Functions.
//!
//! The [`Step`]s are what the state machine calls; [`definition`] is the state machine itself, and
//! everything that deploys it is generated from the same list. What the states hand to each other
//! is in [`state`].

mod decide;
mod definition;
mod digest;
mod histogram;
mod limits;
pub mod state;
mod step;

pub use self::{
    decide::{Undecided, cut_off, decide},
    definition::definition,
    digest::Digest,
    limits::{EVENT_BYTES, STATE_BYTES, TooLarge, check_event, digest_bytes},
    step::Step,
};
