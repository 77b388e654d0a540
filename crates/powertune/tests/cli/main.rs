//! The real binary, as a user runs it.

mod aliases;
mod answers;
mod bad_input;
mod between;
mod binary;
mod commands;
mod credentials;
mod endings;
mod functions;
mod journals;
mod limits;
mod local;
mod measured;
mod outputs;
mod payloads;
mod price_lists;
mod prices;
mod results;
mod silence;
mod stage;
mod stdin;
mod terminal;
mod unreachable;
mod warnings;
