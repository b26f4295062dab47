//! steadyhand: a terminal cockpit for database incidents.
//!
//! The tree shows the product; `ARCHITECTURE.md` draws who may import whom.

pub mod check;
pub mod clock;
pub mod dialect;
pub mod digest;
pub mod exit;
pub mod problem;
pub mod runbook;
pub mod source;
pub mod sql;
pub mod tui;
pub mod value;
