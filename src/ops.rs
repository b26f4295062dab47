//! Where the domain meets a database: every operation that the cockpit or a headless command asks
//! for, as a plain async function.
//!
//! Nothing here draws or decides what comes next; an operation takes what it needs, opens its own
//! connections, proves what it says, and gives one answer.

pub mod backup;
pub mod command;
pub mod connect;
pub mod detect;
pub mod explain;
pub mod export;
pub mod guard;
pub mod look;
pub mod mass;
pub mod notify;
pub mod plan;
pub mod prepare;
pub mod pressure;
pub mod recover;
pub mod related;
pub mod resolve;
pub mod second;
pub mod share;
pub mod suite;
pub mod tool;

mod bind;
mod client;
mod images;
mod rehearse;
mod restore;

/// Stops an operation; made by whoever asks for one.
pub use crate::engine::Stopper;

/// Who a server is, by its own word.
pub use crate::engine::{Badge, Capability, Identity, Pressure, Setting};
