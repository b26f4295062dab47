//! `steadyhand metrics`: what the incidents of a period add up to, beside the period before. Reads
//! files only.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::chosen::{known, known_targets};
use super::{Incidents, Out};
use crate::clock;
use crate::config::Config;
use crate::exit::Exit;
use crate::format::TextMarkdownOrJson;
use crate::incident::Incident;
use crate::incident::fleet::Fleet;
use crate::problem::Problem;
use crate::report::metrics::{self as page, Period};

#[derive(Debug)]
pub struct Asked {
    pub targets: Vec<String>,
    pub runbooks: Vec<String>,
    pub since: Duration,
    /// What was made up for a demo or a drill instead of what happened.
    pub practice: bool,
    pub format: TextMarkdownOrJson,
    pub output: Option<PathBuf>,
}

pub fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let now = clock::now();
    let length = SignedDuration::try_from(asked.since).unwrap_or(SignedDuration::MAX);
    let back = |from: Timestamp| from.checked_sub(length).unwrap_or(Timestamp::MIN);
    let (from, before) = (back(now), back(back(now)));
    let Incidents { sound, damaged } = Incidents::of(config, out)?;
    let all = sound.into_iter().map(|(_, incident)| incident);
    let all: Vec<Incident> = all.filter(|incident| incident.demo == asked.practice).collect();
    let targets = all.iter().filter_map(|incident| incident.target.as_ref());
    known_targets(&asked.targets, config, targets.map(|target| target.name.as_str()))?;
    if !asked.runbooks.is_empty() {
        let Some(catalogue) = super::catalogue(config, out) else { return Ok(Exit::Usage) };
        let mut ids: Vec<&str> = catalogue.runbooks.iter().map(|one| one.id.as_str()).collect();
        ids.extend(all.iter().map(|incident| incident.runbook.as_str()));
        asked.runbooks.iter().try_for_each(|id| known(id, &ids, "runbook"))?;
    }
    let opened_in = |from: Timestamp, to: Timestamp| -> Vec<&Incident> {
        let wanted = |incident: &&Incident| {
            let target = incident.target.as_ref().map_or("", |target| &target.name);
            incident.opened.is_some_and(|at| from <= at && at < to)
                && (asked.targets.is_empty() || asked.targets.iter().any(|name| name == target))
                && (asked.runbooks.is_empty() || asked.runbooks.contains(&incident.runbook))
        };
        all.iter().filter(wanted).collect()
    };
    let end = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now);
    let of = |from: Timestamp, to: Timestamp| Period {
        from,
        to: to.min(now),
        fleet: Fleet::of(&opened_in(from, to), &all, &config.practice, now),
    };
    let (this, last) = (of(from, end), of(before, from));
    let text = match asked.format {
        TextMarkdownOrJson::Text => page::text(&this, &last),
        TextMarkdownOrJson::Markdown => page::markdown(&this, &last),
        TextMarkdownOrJson::Json => page::json(&this, &last, &damaged),
    };
    match &asked.output {
        Some(path) => {
            out.put_into(path, &text)?;
            out.put(&format!("{} written: {}\n", path.display(), page::headline(&this)))?;
        }
        None => out.put(&text)?,
    }
    Ok(if damaged.is_empty() { Exit::Clear } else { Exit::Inconclusive })
}
