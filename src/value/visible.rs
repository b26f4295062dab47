//! Untrusted text made visible and harmless.
