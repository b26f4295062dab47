//! Runbooks from files.
