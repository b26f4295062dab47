//! What the tests of the whole program share: an empty home, a terminal, the program in it, and a
//! look into its database; the servers it works on, and the wire between. Everything waits for what it needs to see; nothing sleeps.

#![allow(dead_code, unused_imports, reason = "every test file uses its own part of this")]

pub mod album;
pub mod book;
mod cockpit;
pub mod desk;
pub mod dice;
mod engines;
mod home;
pub mod mass;
pub mod pooler;
pub mod proxy;
pub mod pty;
pub mod server;
mod sqlite;
pub mod walk;

pub use cockpit::Cockpit;
pub use engines::{Database, Ground, Look};
pub use home::{Home, PLANTED, assert_discreet};
pub use pty::{COMPACT, Ended, Size, Terminal, WIDE};
pub use rustix::process::Signal;
pub use server::Client;
pub use sqlite::Sqlite;

/// The first value of the first row.
fn first(rows: &[Vec<String>], sql: &str) -> String {
    let first = rows.first().and_then(|row| row.first());
    first.unwrap_or_else(|| panic!("no row\n  in: {sql}")).clone()
}

fn whole(text: &str, sql: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no whole number\n  in: {sql}"))
}
