//! `steadyhand audit`: which control, which check, when last green, which incidents. Reads files
//! only; connects to nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::chosen::known_targets;
use super::past::{called, unreadable};
use super::{Incidents, Out, catalogue};
use crate::audit::{Audit, Sources};
use crate::clock;
use crate::config::Config;
use crate::control;
use crate::exit::Exit;
use crate::format::TextMarkdownOrJson;
use crate::history::Standing;
use crate::history::store as runs;
use crate::incident::Incident;
use crate::problem::Problem;
use crate::report::audit as page;
use crate::source::{did_you_mean, quoted};

#[derive(Debug)]
pub struct Asked {
    /// Key controls, places or frameworks; all without any.
    pub controls: Vec<String>,
    pub targets: Vec<String>,
    /// Also what was made up for a demo or a drill.
    pub practice: bool,
    pub format: TextMarkdownOrJson,
    pub output: Option<PathBuf>,
}

pub fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let Some(catalogue) = catalogue(config, out) else { return Ok(Exit::Usage) };
    let state = &config.state.value;
    let mut standings = standings(state)?;
    let Incidents { sound, damaged } = Incidents::of(config, out)?;
    let damaged = damaged.len();
    let incidents = sound.into_iter().map(|(_, incident)| incident);
    let mut incidents: Vec<Incident> =
        incidents.filter(|incident| asked.practice || !incident.demo).collect();
    let of_runs = standings.keys().map(|(target, _)| target.as_str());
    let of_incidents = incidents.iter().filter_map(|one| Some(one.target.as_ref()?.name.as_str()));
    known_targets(&asked.targets, config, of_runs.chain(of_incidents))?;
    if !asked.targets.is_empty() {
        standings.retain(|(target, _), _| asked.targets.contains(target));
        incidents.retain(|one| {
            one.target.as_ref().is_none_or(|target| asked.targets.contains(&target.name))
        });
    }
    let mut audit = Audit::of(&Sources {
        practice: &config.practice,
        checks: &catalogue.checks,
        runbooks: &catalogue.runbooks,
        standings: &standings,
        incidents: &incidents,
    });
    known(&asked.controls, &audit)?;
    audit.only(&asked.controls);
    let text = match asked.format {
        TextMarkdownOrJson::Text => page::text(&audit, out.paint),
        TextMarkdownOrJson::Markdown => page::markdown(&audit, clock::now()),
        TextMarkdownOrJson::Json => page::json(&audit, damaged),
    };
    match &asked.output {
        Some(path) => {
            out.put_into(path, &text)?;
            out.put(&format!("{} written: {}\n", path.display(), page::headline(&audit)))?;
        }
        None => out.put(&text)?,
    }
    // What could not be read may hold what the view lacks.
    Ok(if damaged == 0 { Exit::Clear } else { Exit::Inconclusive })
}

fn known(asked: &[String], audit: &Audit) -> Result<(), Problem> {
    let mut names: Vec<&str> = Vec::new();
    for line in &audit.controls {
        names.push(&line.control.id);
        for place in &line.control.places {
            names.push(place);
            names.extend(control::place(place).map(|(framework, _)| framework.word()));
        }
    }
    for wanted in asked {
        if names.contains(&wanted.as_str()) {
            continue;
        }
        let problem = Problem::usage(format!("no control is called {}", quoted(wanted)));
        return Err(match did_you_mean(wanted, names.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
            None => {
                problem.hint("`steadyhand audit` lists them; a framework such as COBIT will do")
            }
        });
    }
    Ok(())
}

fn standings(state: &Path) -> Result<BTreeMap<(String, String), Standing>, Problem> {
    let mut all = BTreeMap::new();
    for folder in runs::folders(state).map_err(|error| unreadable(state, &error))? {
        let target = called(&folder).map_err(|error| unreadable(&folder, &error))?;
        let Some(target) = target else { continue };
        let of = runs::standings(&folder).map_err(|error| unreadable(&folder, &error))?;
        all.extend(of.into_iter().map(|(check, standing)| ((target.clone(), check), standing)));
    }
    Ok(all)
}
