//! x
pub mod chain;
pub mod entry;
pub mod journal;
