//! The built binary, from outside: its commands, its HTTP answers, its files.
//!
//! Each test has its own data folder, server and database. Nothing waits for a time: tests wait for
//! a line, or poll a condition up to a bound.

mod canary;
mod cli;
mod deletion;
mod durability;
mod errors;
mod forms;
mod samples;
mod support;
mod trouble;
