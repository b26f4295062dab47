//! The handover card: what somebody who goes on with an incident must know, from its journal.
//!
//! Two questions, answered without anybody writing: what was done, and what is next. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::entry::{Deed, Entry, NoteKind, Outcome, verdict_words};
use super::lease::Holder;
use super::{Change, Incident, Phase, fleet};
use crate::guardrail::Standing;
use crate::practice::Practice;
use crate::runbook::progress::StepState;
use crate::runbook::{Action, Runbook};
use crate::value::counted;
use crate::value::thousands;

/// The heading of what to type, which is ours and in Markdown.
pub const GO_ON: &str = "To go on with it";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    pub incident: String,
    pub title: String,
    pub target: String,
    pub severity: String,
    /// Who may write.
    pub holder: Option<String>,
    /// On another host, where no key reaches them.
    pub is_elsewhere: bool,
    pub known: Vec<String>,
    pub tried: Vec<String>,
    pub open: Vec<String>,
    /// Previews that wait for their typed confirmation.
    pub approvals: Vec<String>,
    pub guardrails: Vec<String>,
    pub next_update: Option<Timestamp>,
    pub next_step: Option<Next>,
    /// Whether there is anything to go on with.
    pub is_open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    pub step: String,
    pub title: String,
    pub why: String,
    /// How long it takes, as the runbook estimates it.
    pub minutes: Option<u32>,
}

impl Card {
    pub fn of(
        incident: &Incident,
        runbook: Option<&Runbook>,
        practice: &Practice,
        holder: Option<&Holder>,
    ) -> Self {
        let target = incident.target.as_ref();
        let first =
            || fleet::first_update_due(incident, practice).filter(|_| incident.said.is_empty());
        Self {
            incident: incident.id.clone(),
            title: incident.title.clone(),
            target: target
                .map_or_else(String::new, |seen| format!("{} ({})", seen.name, seen.environment)),
            severity: incident.severity.map(|severity| severity.to_string()).unwrap_or_default(),
            holder: holder.map(ToString::to_string),
            is_elsewhere: holder.is_some_and(Holder::is_elsewhere),
            known: known(incident),
            tried: tried(incident),
            open: open(incident, runbook),
            approvals: approvals(incident, runbook),
            guardrails: guardrails(incident),
            next_update: incident.next_update.or_else(first).filter(|_| incident.is_open()),
            next_step: runbook.and_then(|runbook| next(incident, runbook)),
            is_open: incident.is_open(),
        }
    }

    /// What stands on it, in its order: a heading and what is to be said under it.
    pub fn sections(&self) -> Vec<(&'static str, Vec<String>)> {
        let or = |lines: &[String], nothing: &str| {
            if lines.is_empty() { vec![nothing.to_owned()] } else { lines.to_vec() }
        };
        let due = self
            .next_update
            .map_or_else(|| "none is due".to_owned(), |due| format!("due {}", when(due)));
        let next = match &self.next_step {
            Some(next) => {
                let why = (!next.why.is_empty()).then(|| format!("Why: {}", next.why));
                let length = next.minutes.map(|minutes| format!("Takes about {minutes} min"));
                [Some(next.title.clone()), why, length].into_iter().flatten().collect()
            }
            None => vec!["no step is left".to_owned()],
        };
        let holder = self.holder.clone().unwrap_or_else(|| "nobody works on it".into());
        let go_on = match &self.holder {
            Some(_) if self.is_elsewhere => format!(
                "`steadyhand resume {}` on this host when they have left; if no sign of life comes, t \
                 while watching it",
                self.incident
            ),
            Some(_) => {
                format!("`steadyhand watch {}` on this host; t there asks for it", self.incident)
            }
            None => format!("`steadyhand resume {}` on this host", self.incident),
        };
        let mut sections = vec![
            ("Who works on it", vec![holder]),
            ("Known", or(&self.known, "nothing was checked yet")),
            ("Tried", or(&self.tried, "nothing was changed")),
            ("Open", or(&self.open, "nothing is open")),
            ("Approvals open", or(&self.approvals, "none")),
            ("Guardrails standing", or(&self.guardrails, "none")),
            ("Next update", vec![due]),
            ("Next step", next),
        ];
        if self.is_open {
            sections.push((GO_ON, vec![go_on]));
        }
        sections
    }

    pub fn head(&self) -> String {
        format!("{}: {} on {}, {}", self.incident, self.title, self.target, self.severity)
    }
}

/// With its day: an incident may last for days.
fn when(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

fn known(incident: &Incident) -> Vec<String> {
    let mut checks: Vec<&str> = Vec::new();
    for measured in &incident.counts {
        if !checks.contains(&measured.check.as_str()) {
            checks.push(&measured.check);
        }
    }
    let mut known: Vec<String> = checks
        .into_iter()
        .filter_map(|check| {
            let (mut of, last) = (incident.counts_of(check), incident.counts_of(check).last()?);
            let first = of.next()?;
            let (then, now) = (verdict_words(&first.verdict), verdict_words(&last.verdict));
            let at = when(last.at);
            Some(if then == now {
                format!("{check}: {now} at {at}")
            } else {
                format!("{check}: {now} at {at}, {then} when first checked")
            })
        })
        .collect();
    known.extend(incident.answers.iter().map(|(var, answer)| format!("{var} = {answer}")));
    let notes = incident.notes.iter().filter(|(_, kind, _)| *kind != NoteKind::Todo);
    let mut notes: Vec<_> = notes.collect();
    // One that was backdated stands where it belongs.
    notes.sort_by_key(|(at, ..)| *at);
    let told = notes.into_iter();
    known.extend(told.map(|(at, kind, text)| format!("{} {}: {text}", when(*at), kind.word())));
    known
}

fn tried(incident: &Incident) -> Vec<String> {
    let changes = incident.changes.iter().filter_map(|change| {
        let how = how_it_went(change)?;
        let back = match incident.taken_back(&change.op) {
            None => String::new(),
            Some(0) => ", and taken back".to_owned(),
            Some(left) => format!(", and taken back but for {}", counted(left, "row")),
        };
        Some(format!("{} of {}: {how}{back}", change.deed.word(), change.step))
    });
    let mut tried: Vec<String> = changes.collect();
    tried.extend(commands(incident));
    let skipped = incident.skipped.iter();
    tried.extend(skipped.map(|(_, step, reason)| format!("step {step} skipped: {reason}")));
    let decided = incident.decisions.iter();
    tried.extend(decided.map(|(_, question, choice, why)| format!("{question} {choice}: {why}")));
    let called = incident.called.iter();
    tried.extend(called.map(|(at, _, who)| format!("{who} called at {}", when(*at))));
    tried
}

/// Every run of a command with its end. One that writes was confirmed before, and may have written whatever
/// became of it.
fn commands(incident: &Incident) -> Vec<String> {
    let mut told = Vec::new();
    // By its step, of which one runs at a time.
    let mut begun: BTreeMap<&str, (&str, Timestamp)> = BTreeMap::new();
    for record in &incident.records {
        match &record.entry {
            Entry::Confirmed { step, what, command: true, .. } => {
                begun.insert(step, (what, record.at));
            }
            Entry::CommandRan { step, argv, exit, .. } => {
                let writes =
                    if begun.remove(step.as_str()).is_some() { ", which writes" } else { "" };
                let ended = match exit {
                    Some(code) => format!("ended with {code}"),
                    None => "did not come to its end".to_owned(),
                };
                let (argv, at) = (argv.join(" "), when(record.at));
                told.push(format!("command of {step}{writes}: {argv}: {ended} at {at}"));
            }
            Entry::StepFailed { step, why } => {
                if let Some((what, at)) = begun.remove(step.as_str()) {
                    let at = when(at);
                    told.push(format!(
                        "command of {step}, which writes: {what}: confirmed at {at}, {why}"
                    ));
                }
            }
            _ => {}
        }
    }
    told.extend(begun.into_iter().map(|(step, (what, at))| {
        let at = when(at);
        format!("command of {step}, which writes: {what}: confirmed at {at}, its end is not known")
    }));
    told
}

/// None of what was only previewed.
fn how_it_went(change: &Change) -> Option<String> {
    let how = match &change.phase {
        Phase::Ended(Outcome::Committed, why) => {
            let rows = counted(change.rows, "row");
            // Of an undo that is what it did not bring back.
            let is_undo = matches!(change.deed, Deed::Undo { .. });
            let said = if is_undo && !why.is_empty() { format!("; {why}") } else { String::new() };
            return Some(format!("COMMITTED, {rows}{said}"));
        }
        Phase::Ended(Outcome::RolledBack, why) => format!("ROLLED BACK, {why}"),
        Phase::Ended(Outcome::Unknown, _) | Phase::CommitSent => "its outcome is not known".into(),
        Phase::Started => "begun and not ended".into(),
        Phase::Halted(why) => format!("halted, {why}"),
        // The rest of it is made ready.
        Phase::Previewed | Phase::Approved if change.stands() => "halted".into(),
        Phase::Previewed | Phase::Approved => return None,
    };
    let Some(chunks) = change.chunks.as_ref().filter(|_| change.stands()) else { return Some(how) };
    let (rows, done, keys) = (chunks.rows(), chunks.done(), chunks.keys);
    let more = if chunks.in_doubt().is_some() { "; of one more it is not known" } else { "" };
    Some(format!(
        "{how}, {} COMMITTED in {}, {} of {} {} done{more}",
        counted(rows, "row"),
        counted(chunks.committed().count(), "chunk"),
        thousands(done),
        thousands(keys),
        change.deed.counts()
    ))
}

fn open(incident: &Incident, runbook: Option<&Runbook>) -> Vec<String> {
    let title = |id: &str| {
        let step = runbook.and_then(|runbook| runbook.step(id));
        step.map_or_else(|| id.to_owned(), |step| step.title.clone())
    };
    let mut open: Vec<String> = incident.apart.iter().map(|apart| apart.sentence.clone()).collect();
    if incident.target.as_ref().is_some_and(|target| !target.is_met()) {
        open.push("no server has answered yet: the incident is bound to none".into());
    }
    if let Some(change) = incident.in_doubt() {
        open.push(format!(
            "the outcome of the {} at {} is not known; going on with the incident finds out",
            change.deed.word(),
            title(&change.step)
        ));
    }
    let halted = incident.changes.iter().filter(|change| change.is_halted());
    open.extend(halted.map(|change| format!("{} is done in part", title(&change.step))));
    let changes = incident.changes.iter();
    open.extend(changes.filter(|change| change.deed == Deed::Change).filter_map(|change| {
        let left = incident.taken_back(&change.op).filter(|left| *left > 0)?;
        let (rows, title) = (counted(left, "row"), title(&change.step));
        Some(format!("{title}: {rows} left alone when it was taken back"))
    }));
    let mut failed: Vec<String> = Vec::new();
    for (step, state) in &incident.progress.states {
        if let StepState::Failed(why) = state {
            failed.push(format!("{} failed: {why}", title(step)));
        }
    }
    failed.sort();
    open.extend(failed);
    let missing = runbook.map(|runbook| incident.progress.missing(runbook)).unwrap_or_default();
    if incident.is_open() {
        open.extend(missing.into_iter().map(|step| format!("{} is required", title(step))));
    }
    let todo = incident.notes.iter().filter(|(_, kind, _)| *kind == NoteKind::Todo);
    open.extend(todo.map(|(_, _, text)| format!("todo: {text}")));
    let actions = incident.actions.iter();
    open.extend(actions.map(|item| format!("{} ({}, due {})", item.title, item.owner, item.due)));
    open
}

/// A later preview of a step takes the place of the one before. Of a step that is done or skipped only an
/// undo can still be meant.
fn approvals(incident: &Incident, runbook: Option<&Runbook>) -> Vec<String> {
    let changes = incident.changes.iter().enumerate();
    let last = changes.filter(|(at, change)| {
        incident.changes[at + 1..].iter().all(|later| later.step != change.step)
    });
    let is_over = |change: &Change| {
        change.deed == Deed::Change && incident.progress.state(&change.step).is_settled()
    };
    let last = last.filter(|(_, change)| !is_over(change));
    last.filter_map(|(_, change)| waiting(change, runbook)).collect()
}

fn waiting(change: &Change, runbook: Option<&Runbook>) -> Option<String> {
    let waits =
        matches!(change.phase, Phase::Previewed | Phase::Approved) && change.refused.is_empty();
    let valid = runbook.and_then(|runbook| match &runbook.step(&change.step)?.action {
        Action::Change(change) => SignedDuration::try_from(change.valid).ok(),
        _ => None,
    });
    waits.then(|| {
        // Who was asked to agree says for how long.
        let until = valid.filter(|_| change.seconds.is_empty()).map(|valid| change.at + valid);
        let until = until
            .map_or_else(String::new, |until| format!(", to be confirmed until {}", when(until)));
        let (deed, step, rows) = (change.deed.word(), &change.step, counted(change.rows, "row"));
        format!("{deed} of {step}: previewed at {}, {rows}{until}", when(change.at))
    })
}

fn guardrails(incident: &Incident) -> Vec<String> {
    let standing =
        incident.guardrails.iter().filter(|(_, standing)| **standing == Standing::Applied);
    standing.map(|(step, _)| step.clone()).collect()
}

/// The step that it stands at; if that is done, the next one that is not.
fn next(incident: &Incident, runbook: &Runbook) -> Option<Next> {
    if !incident.is_open() {
        return None;
    }
    let at =
        incident.progress.current.as_deref().and_then(|step| runbook.position(step)).unwrap_or(0);
    let mut steps = runbook.steps.iter().skip(at);
    let step = steps.find(|step| !incident.progress.state(&step.id).is_settled())?;
    let minutes = step.minutes;
    let (step, title, why) = (step.id.clone(), step.title.clone(), step.why.clone());
    Some(Next { step, title, why, minutes })
}
