//! Checks from files.
