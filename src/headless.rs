//! Headless: the subcommands without a screen, for scripts, cron and auditors.
//!
//! Each takes what it needs and gives an `Exit`. Standard output carries the result and at least one
//! line, standard error the rest; all of it goes through `Out`. Nothing here writes to a database,
//! and nothing here knows that there is a cockpit.

pub mod alerts;
pub mod approve;
pub mod audit;
pub mod bundle;
pub mod check;
mod chosen;
pub mod config;
pub mod gate;
pub mod grants;
pub mod handover;
pub mod incidents;
mod interrupts;
pub mod lint;
mod lock;
pub mod metrics;
mod out;
pub mod pages;
pub mod past;
pub mod postmortem;
pub mod rehearse;
pub mod resilience;
pub mod review;
mod seconds;
pub mod share;
pub mod suite;
pub mod themes;
mod tty;
pub mod verify;

use std::path::{Path, PathBuf};

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::incident::Incident;
use crate::incident::store::{self, StoreError};
use crate::problem::Problem;
use crate::source::{Fault, render};
pub use out::{Color, Out, keep_to_oneself};

/// The checks and runbooks at hand; faults are told, and give none.
fn catalogue(config: &Config, out: &mut Out) -> Option<Catalogue> {
    ready(Catalogue::load(&config.check_dirs(), &config.runbook_dirs()), config, out)
}

/// The same for whoever needs the checks only. What is said about their runs must name what there is.
fn checks(config: &Config, out: &mut Out) -> Option<Catalogue> {
    let loaded = Catalogue::load_checks(&config.check_dirs(), &config.runbook_dirs());
    let catalogue = ready(loaded, config, out)?;
    let faults = config.unknown_in_runs(&catalogue.suites());
    if !faults.is_empty() {
        told(&faults, out);
        return None;
    }
    Some(catalogue)
}

fn ready(
    loaded: Result<Catalogue, Vec<Fault>>,
    config: &Config,
    out: &mut Out,
) -> Option<Catalogue> {
    let settled = loaded.and_then(|catalogue| catalogue.settled(&config.settings));
    let judged = settled.and_then(|catalogue| {
        let faults = config.unknown_packs(&catalogue.packs());
        if faults.is_empty() { Ok(catalogue) } else { Err(faults) }
    });
    match judged {
        Ok(catalogue) => Some(catalogue),
        Err(faults) => {
            told(&faults, out);
            None
        }
    }
}

fn told(faults: &[Fault], out: &mut Out) {
    out.say_as_it_is(&format!("{}\n", render(faults, out.paint_errors)));
}

/// The folder of an incident: by its name in the state folder, or by a path to a copy of it.
fn incident_folder(state: &Path, wanted: &str) -> Result<PathBuf, Problem> {
    store::folder_of(state, wanted).map_err(|error| unfound(&error))
}

/// The incidents of this host.
struct Incidents {
    /// Those that can be trusted, with their names.
    sound: Vec<(String, Incident)>,
    /// The names of the others.
    damaged: Vec<String>,
}

impl Incidents {
    /// Says of each that is left out, why.
    fn of(config: &Config, out: &mut Out) -> Result<Self, Problem> {
        let mut all = Self { sound: Vec::new(), damaged: Vec::new() };
        for (id, incident, trouble) in store::all(&config.state.value).map_err(|e| unfound(&e))? {
            match trouble {
                Some(trouble) => {
                    out.say(&format!("steadyhand: {id} is left out: {trouble}"));
                    all.damaged.push(id);
                }
                None => all.sound.push((id, incident)),
            }
        }
        Ok(all)
    }
}

fn unfound(error: &StoreError) -> Problem {
    match error {
        StoreError::Unknown(_)
        | StoreError::Ambiguous { .. }
        | StoreError::NoneOpen { .. }
        | StoreError::SeveralOpen { .. } => Problem::usage(error.to_string()).hint(
            "`steadyhand incidents` lists those that there are; --state names another folder",
        ),
        StoreError::Read { .. } | StoreError::Create { .. } => {
            Problem::system(error.to_string()).hint("--state names another folder")
        }
    }
}
