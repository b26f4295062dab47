//! `steadyhand lint`: every fault of checks, runbooks and configuration files, each with its place;
//! with a target also what the database itself says about every statement.

use std::fs;
use std::path::PathBuf;

use super::Out;
use super::chosen::in_packs;
use crate::catalogue::{self, Catalogue};
use crate::config::{self, Config, Overrides, Surroundings, Target};
use crate::exit::Exit;
use crate::ops::Stopper;
use crate::ops::prepare::prepare;
use crate::problem::Problem;
use crate::source::{Fault, render};
use crate::value::counted;

#[derive(Debug)]
pub struct Asked {
    /// Files and folders; the built-in packs if nothing is named and nothing configured.
    pub paths: Vec<PathBuf>,
    /// Only what is in these.
    pub packs: Vec<String>,
    pub target: Option<String>,
}

pub async fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let mut paths = asked.paths.clone();
    paths.extend(config.check_dirs());
    paths.extend(config.runbook_dirs());
    let is_config = |path: &PathBuf| path.file_name().is_some_and(|name| name == "steadyhand.toml");
    let configs: Vec<PathBuf> = paths.extract_if(.., |path| is_config(path)).collect();
    let mut faults = Vec::new();
    for path in &configs {
        faults.extend(configuration(path)?);
    }
    let judged = if paths.is_empty() && !configs.is_empty() {
        Ok(Catalogue::default())
    } else {
        catalogue::judge(&paths, &config.practice)
    };
    // What is in force is judged where nothing is named.
    if asked.paths.is_empty() && judged.is_ok() {
        faults.extend(names(config));
    }
    let mut judged = match judged {
        Ok(judged) if faults.is_empty() => judged,
        Ok(_) => return told(&faults, out),
        Err(found) => {
            faults.extend(found);
            return told(&faults, out);
        }
    };
    if judged.checks.is_empty() && judged.runbooks.is_empty() && configs.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Problem::usage(format!("nothing to judge in {}", paths.join(", "))).hint(
            "checks and runbooks are .toml files, a configuration is called steadyhand.toml",
        ));
    }
    in_packs(&asked.packs, &judged)?;
    let target = asked.target.as_ref().map(|named| config.target(named)).transpose()?;
    // A pack is meant for what the target holds; whoever names files means all that is in them.
    let chosen = |pack: &str| match (&target, asked.packs.as_slice()) {
        (Some(target), []) => !asked.paths.is_empty() || target.takes(pack),
        (_, packs) => packs.is_empty() || packs.iter().any(|name| name == pack),
    };
    judged.checks.retain(|check| chosen(&check.pack));
    judged.runbooks.retain(|runbook| chosen(&runbook.pack));
    let (checks, runbooks) = (judged.checks.len(), judged.runbooks.len());
    let files = match configs.len() {
        0 => String::new(),
        n => format!(", {}", counted(n, "configuration file")),
    };
    let what = format!("{}, {}{files}", counted(checks, "check"), counted(runbooks, "runbook"));
    match &target {
        None => {
            out.put(&format!("no faults: {what}\n"))?;
            Ok(Exit::Clear)
        }
        Some(target) => on_target(target, &judged, &what, out).await,
    }
}

/// The faults of a file, and those of the names in it once it is used.
fn configuration(path: &PathBuf) -> Result<Vec<Fault>, Problem> {
    let name = path.display().to_string();
    let faults = match fs::read_to_string(path) {
        Ok(source) => config::lint(&name, &source),
        Err(error) => vec![Fault::whole(&name, format!("This file cannot be read: {error}."))],
    };
    if !faults.is_empty() {
        return Ok(faults);
    }
    let used = Overrides { config: Some(path.clone()), ..Overrides::default() };
    Ok(match Config::load(&Surroundings::of_process()?, &used) {
        Ok(config) => names(&config),
        Err(faults) => faults,
    })
}

/// Checks, suites, packs and targets that are named and that there are none of.
fn names(config: &Config) -> Vec<Fault> {
    match Catalogue::load(&config.check_dirs(), &config.runbook_dirs()) {
        Ok(catalogue) => {
            let mut faults = config.unknown_packs(&catalogue.packs());
            faults.extend(config.unknown_in_runs(&catalogue.suites()));
            faults.extend(catalogue.settled(&config.settings).err().unwrap_or_default());
            faults
        }
        Err(faults) => faults,
    }
}

fn told(faults: &[Fault], out: &mut Out) -> Result<Exit, Problem> {
    out.put(&format!("{}\n\n", render(faults, out.paint)))?;
    out.put(&format!("{}\n", counted(faults.len(), "fault")))?;
    Ok(Exit::Usage)
}

async fn on_target(
    target: &Target,
    judged: &Catalogue,
    what: &str,
    out: &mut Out,
) -> Result<Exit, Problem> {
    out.progress(&format!("{}: {what} ...", target.name));
    let prepared = prepare(target, &judged.checks, &judged.runbooks, &Stopper::default()).await?;
    if prepared.refused.is_empty() {
        let statements = counted(prepared.sound, "statement");
        out.put(&format!("no faults: {what}; {statements} prepared on {}\n", target.name))?;
        return Ok(Exit::Clear);
    }
    let fault = |(place, words): &(String, String)| {
        let words = words.trim_end_matches('.');
        Fault::whole(place, format!("{} refuses it: {words}.", target.name))
    };
    let faults: Vec<Fault> = prepared.refused.iter().map(fault).collect();
    told(&faults, out)
}
