//! Whole runs on the local Lambda, over HTTP, with real functions.

mod alias_steps;
mod aliases;
mod answers;
mod bench;
mod cleaning;
mod door;
mod endings;
mod gone;
mod identical;
mod modes;
mod others;
mod patience;
mod processors;
mod races;
mod refusals;
mod rounds;
mod settled;
mod steps;
