//! The local Lambda over HTTP, as its users call it.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

#[path = "../bed/mod.rs"]
mod bed;
mod control_plane;
mod invoke;
mod security;
