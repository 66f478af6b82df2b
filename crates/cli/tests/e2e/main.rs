//! The built binary, from outside: its commands, its HTTP answers, its files.
//!
//! Each test has its own data folder, server and database. Nothing waits for a time: tests wait for
//! a line, or poll a condition up to a bound.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    clippy::similar_names,
    clippy::format_collect,
    clippy::match_wild_err_arm,
    clippy::duration_suboptimal_units,
    reason = "a test without its surroundings can only stop; a story is read from top to bottom"
)]

mod canary;
mod cli;
mod deletion;
mod durability;
mod errors;
mod forms;
mod samples;
mod support;
mod trouble;
