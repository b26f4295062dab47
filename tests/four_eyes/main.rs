//! Two people, one change: one asks in the cockpit, the other looks, runs it with their own rights
//! and signs with a real key in a terminal of their own. What is not exactly that executes nothing.

mod agree;
mod alone;
#[path = "../common/mod.rs"]
mod common;
mod ground;
mod policy;
mod refused;
