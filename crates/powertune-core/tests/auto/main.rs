//! The policy `auto` on families of functions: it ends with a winner and within its limits, decides
//! the same twice, and decides well.

mod families;
mod properties;
mod quality;
mod run;
