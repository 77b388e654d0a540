//! The real binary, as a user runs it.

mod aliases;
mod binary;
mod commands;
mod endings;
mod functions;
mod limits;
mod local;
mod results;
