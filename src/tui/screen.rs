//! Screens: each a file with what it keeps, what a command does there, and how it is drawn.
//!
//! A screen returns effects and never carries one out; it names neither operations nor engines.

pub mod guardrail;
pub mod home;
pub mod journal;
pub mod plan;
pub mod postmortem;
pub mod recovery;
pub mod server;
pub mod step;
pub mod violations;
