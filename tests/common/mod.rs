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
