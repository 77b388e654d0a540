//! AWS Lambda on this machine.
//!
//! AWS clients call it over HTTP on loopback. It runs functions as processes that speak the Lambda
//! Runtime API, with CPU and memory in proportion to their memory size. It shares no code with the
//! tuner, so that neither can hide the other's mistakes.

mod api;
mod auth;
mod calls;
mod connections;
mod constraint;
mod credentials;
mod exception;
mod execution;
mod folder;
mod latency;
mod loopback;
mod package;
mod platform;
mod reference;
mod runtimes;
mod server;
mod settings;
mod store;
mod version;

pub use api::runtimes;
pub use credentials::Credentials;
pub use execution::CpuControl;
pub use server::{CreateError, LocalLambda, NewFunction, StartError};
pub use settings::{MemoryRefusal, Moves, Revisions, Settings, VersionStart, VersionState};
