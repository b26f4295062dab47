//! steadyhand: a terminal cockpit for database incidents.
//!
//! The tree shows the product; `ARCHITECTURE.md` draws who may import whom.

pub mod audit;
pub mod catalogue;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod control;
pub mod demo;
pub mod dialect;
pub mod digest;
pub mod drill;
pub mod engine;
pub mod exit;
pub mod files;
pub mod format;
pub mod grants;
pub mod guardrail;
pub mod headless;
pub mod history;
pub mod incident;
pub mod ops;
pub mod postmortem;
pub mod practice;
pub mod problem;
pub mod recovery;
pub mod report;
pub mod rights;
pub mod runbook;
pub mod signature;
pub mod source;
pub mod sql;
pub mod tui;
pub mod value;
