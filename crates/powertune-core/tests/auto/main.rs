//! The policy `auto` on functions of known families: that it ends, with a winner and within its
//! caps, that it decides the same twice, and how well it decides.

mod families;
mod properties;
mod quality;
mod run;
