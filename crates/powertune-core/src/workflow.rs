//! The workflow: a tuning run as a state machine for AWS Step Functions.
//!
//! The state machine of [`definition`] calls the [`Step`]s. Everything that deploys it is generated
//! from the same list. [`state`] has the data that the states pass on.

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
