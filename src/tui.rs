//! The cockpit.

pub mod command;
pub mod glyphs;
pub mod keymap;
pub mod look;
pub mod theme;
pub mod widget;
