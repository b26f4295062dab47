//! Incidents that several hosts keep in one PostgreSQL: followed live from elsewhere, gone on with by
//! one at a time, while the store comes and goes.

mod apart;
#[path = "../common/mod.rs"]
mod common;
mod files;
mod force;
mod ground;
mod shelf;
mod turns;
