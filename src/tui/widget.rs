//! The pieces that screens are made of: state in a struct, a picture into a buffer.
//!
//! They know a look and what they show; no effect, no task, no engine.

pub mod chart;
pub mod editor;
pub mod list;
pub mod locks;
pub mod markdown;
pub mod meter;
pub mod panel;
pub mod prompt;
pub mod roll;
pub mod scroll;
pub mod spark;
pub mod sql;
pub mod status;
pub mod stepper;
pub mod table;
pub mod wrap;
