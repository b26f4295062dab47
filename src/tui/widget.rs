//! The pieces that screens are made of: state in a struct, a picture into a buffer.
//!
//! They know a look and what they show; no effect, no task, no engine.

pub mod table;
