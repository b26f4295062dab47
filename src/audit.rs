//! Audit: which control, which check, when last green, which incidents.
//!
//! Puts together what is there already: the register, the checks and runbooks at hand, the history of
//! runs and the journals. A gap is told like a finding: a control without a check, a check that never
//! ran. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::check::{Check, Severity, Verdict};
use crate::control;
use crate::history::{Standing, State};
use crate::incident::Incident;
use crate::incident::entry::Entry;
use crate::practice::{Control, Practice};
use crate::runbook::Runbook;

/// What the view is made from.
#[derive(Debug)]
pub struct Sources<'a> {
    pub practice: &'a Practice,
    pub checks: &'a [Check],
    pub runbooks: &'a [Runbook],
    /// By target and check.
    pub standings: &'a BTreeMap<(String, String), Standing>,
    pub incidents: &'a [Incident],
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    pub controls: Vec<Line>,
    /// Checks that name no key control.
    pub unassigned: Vec<String>,
}

/// One control.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    #[serde(flatten)]
    pub control: Control,
    pub state: Holding,
    pub checks: Vec<Checked>,
    pub runbooks: Vec<String>,
    pub incidents: Vec<Happened>,
}

/// What the checks of a control say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holding {
    /// All of them are clear wherever they ran last.
    Holds,
    /// One could not see, or never ran.
    NotKnown,
    NoCheck,
    Violated,
}

impl Holding {
    pub fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::NotKnown => "not known",
            Self::NoCheck => "no check",
            Self::Violated => "violated",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    pub check: String,
    pub title: String,
    pub severity: Severity,
    pub owner: String,
    /// Why it does not run, if it was switched off.
    pub disabled: Option<String>,
    /// On every target where it was seen.
    pub targets: Vec<Seen>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    pub target: String,
    pub state: State,
    pub at: Timestamp,
    pub last_green: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Happened {
    pub incident: String,
    pub title: String,
    pub target: String,
    pub severity: Option<Severity>,
    pub opened: Option<Timestamp>,
    pub closed: Option<Timestamp>,
    pub runbook: String,
    /// Made up: a demo or a drill.
    pub practised: bool,
}

impl Audit {
    pub fn of(sources: &Sources<'_>) -> Self {
        let seen = seen(sources);
        let controls = sources.practice.controls.iter();
        Self {
            controls: controls.map(|control| line(control, sources, &seen)).collect(),
            unassigned: sources
                .checks
                .iter()
                .filter(|check| check.controls.iter().all(|name| control::place(name).is_some()))
                .map(|check| check.id.clone())
                .collect(),
        }
    }

    /// Only what has to do with a name: a key control, a place, or a whole framework.
    pub fn only(&mut self, names: &[String]) {
        let fits = |control: &Control| {
            names.iter().any(|name| {
                let within = format!("{name} ");
                control.id == *name
                    || control
                        .places
                        .iter()
                        .any(|place| place == name || place.starts_with(&within))
            })
        };
        if !names.is_empty() {
            self.controls.retain(|line| fits(&line.control));
            self.unassigned.clear();
        }
    }

    pub fn count(&self, state: Holding) -> usize {
        self.controls.iter().filter(|line| line.state == state).count()
    }
}

type ByCheck = BTreeMap<String, BTreeMap<String, Seen>>;

/// How every check stands on every target, by runs and by what incidents saw.
fn seen(sources: &Sources<'_>) -> ByCheck {
    let mut all = ByCheck::new();
    let mut add = |check: &str, new: Seen| {
        let of = all.entry(check.to_owned()).or_default();
        match of.get_mut(&new.target) {
            Some(old) => {
                let green = old.last_green.max(new.last_green);
                if new.at >= old.at {
                    *old = new;
                }
                old.last_green = green;
            }
            None => {
                of.insert(new.target.clone(), new);
            }
        }
    };
    for ((target, check), standing) in sources.standings {
        let (state, at, last_green) = (standing.state, standing.at, standing.last_clear);
        add(check, Seen { target: target.clone(), state, at, last_green });
    }
    // What was made up says nothing about a target.
    for incident in sources.incidents.iter().filter(|incident| !incident.demo) {
        let Some(target) = incident.target.as_ref().map(|target| &target.name) else { continue };
        let mut saw = |check: &str, verdict: &Verdict, at: Timestamp| {
            let known = sources.checks.iter().find(|known| known.id == check);
            let Some(severity) = known.map(|check| check.severity) else { return };
            let state = State::of(verdict, severity);
            let last_green = (state == State::Clear).then_some(at);
            add(check, Seen { target: target.clone(), state, at, last_green });
        };
        for record in &incident.records {
            match &record.entry {
                Entry::Checked { check, verdict, .. } => saw(check, verdict, record.at),
                Entry::Verified { checks, .. } => {
                    for (check, verdict) in checks {
                        saw(check, verdict, record.at);
                    }
                }
                _ => {}
            }
        }
    }
    all
}

fn line(control: &Control, sources: &Sources<'_>, seen: &ByCheck) -> Line {
    let names = |names: &[String]| names.contains(&control.id);
    let checks: Vec<Checked> = sources
        .checks
        .iter()
        .filter(|check| names(&check.controls))
        .map(|check| Checked {
            check: check.id.clone(),
            title: check.title.clone(),
            severity: check.severity,
            owner: check.owner.clone(),
            disabled: check.disabled.clone(),
            targets: seen.get(&check.id).map_or_else(Vec::new, |of| of.values().cloned().collect()),
        })
        .collect();
    let runbooks = sources.runbooks.iter().filter(|runbook| names(&runbook.controls));
    let incidents =
        sources.incidents.iter().filter(|incident| concerns(incident, control, sources));
    Line {
        control: control.clone(),
        state: holding(&checks),
        runbooks: runbooks.map(|runbook| runbook.id.clone()).collect(),
        incidents: incidents.map(happened).collect(),
        checks,
    }
}

fn holding(checks: &[Checked]) -> Holding {
    let of = |check: &Checked| {
        let worst = check.targets.iter().map(|seen| match seen.state {
            State::Clear => Holding::Holds,
            State::Inconclusive => Holding::NotKnown,
            State::Warning | State::Violated => Holding::Violated,
        });
        worst.max().unwrap_or(Holding::NotKnown)
    };
    let asked = checks.iter().filter(|check| check.disabled.is_none());
    asked.map(of).max().unwrap_or(Holding::NoCheck)
}

/// Whether an incident touched a control: by what its journal says, or, of an old one that says
/// nothing, by what its runbook is for today.
fn concerns(incident: &Incident, control: &Control, sources: &Sources<'_>) -> bool {
    let mut said = incident.controls.names().peekable();
    if said.peek().is_some() {
        return incident.controls.runbook.contains(&control.id) || violated(incident, control);
    }
    let runbook = sources.runbooks.iter().find(|runbook| runbook.id == incident.runbook);
    runbook.is_some_and(|runbook| runbook.controls.contains(&control.id))
}

/// A check that stands for the control was violated in the incident, be it a neighbour only.
fn violated(incident: &Incident, control: &Control) -> bool {
    incident.counts.iter().filter(|measured| measured.verdict.is_violated()).any(|measured| {
        let names = incident.controls.checks.get(&measured.check);
        names.is_some_and(|names| names.contains(&control.id))
    })
}

fn happened(incident: &Incident) -> Happened {
    Happened {
        incident: incident.id.clone(),
        title: incident.title.clone(),
        target: incident.target.as_ref().map_or_else(String::new, |target| target.name.clone()),
        severity: incident.severity,
        opened: incident.opened,
        closed: incident.closed,
        runbook: incident.runbook.clone(),
        practised: incident.demo,
    }
}
