//! Whole runs against the local Lambda, over HTTP, with real functions.

mod bench;
mod cleaning;
mod endings;
mod modes;
mod others;
mod patience;
mod races;
mod refusals;
mod rounds;
