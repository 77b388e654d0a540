//! An HTTP server for tests, and the way from it to the local Lambda. Only tests, benchmarks and
//! examples depend on this crate.

mod server;
mod upstream;

pub use crate::{server::Server, upstream::Upstream};
