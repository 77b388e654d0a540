//! The real binary, as a user runs it.

mod aliases;
mod binary;
mod commands;
mod endings;
mod local;
mod results;
