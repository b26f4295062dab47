//! What is not known: said as plainly as what is.

use super::Impact;
use crate::check::Verdict;
use crate::incident::entry::{Deed, Entry, Milestone, Outcome};
use crate::incident::{Incident, Phase};

pub fn gather(incident: &Incident, impact: &Impact) -> Vec<String> {
    let mut doubts = operations(incident);
    if impact.checks.is_empty() {
        doubts.push("nothing was checked, so nothing is known about the data".into());
    }
    for measure in &impact.checks {
        if let Verdict::Inconclusive { reason } = &measure.last {
            doubts.push(format!("{} could not be checked the last time: {reason}", measure.check));
        }
        if let Verdict::Violated { violations } = &measure.last
            && !violations.is_exact()
        {
            doubts.push(format!(
                "{} was not counted to its end: {violations} violations",
                measure.check
            ));
        }
        if let (Verdict::Violated { violations }, Some(_)) = (&measure.last, incident.closed) {
            doubts.push(format!(
                "{} still had {} at the end",
                measure.check,
                violations.of("violation")
            ));
        }
        if let (Verdict::Measured { reading }, Some(_)) = (&measure.last, incident.closed)
            && measure.last.is_violated()
        {
            doubts.push(format!("{} was still at {reading} at the end", measure.check));
        }
    }
    let apart = incident.apart.iter().filter(|apart| apart.did);
    doubts.extend(apart.map(|apart| {
        format!("not all that was done is told here, nor is it among the rows: {}", apart.sentence)
    }));
    doubts.extend(missing_milestones(incident));
    for record in &incident.records {
        if let Entry::TornTail { bytes } = &record.entry {
            doubts.push(format!(
                "a crash cut off an unfinished record of {bytes} bytes before record {}; what it would have said is not known",
                record.seq
            ));
        }
    }
    doubts
}

fn operations(incident: &Incident) -> Vec<String> {
    let mut doubts = Vec::new();
    for change in &incident.changes {
        let (deed, op, step) = (change.deed.word(), &change.op, &change.step);
        match &change.phase {
            Phase::Started | Phase::CommitSent | Phase::Ended(Outcome::Unknown, _) => {
                doubts.push(format!("the outcome of the {deed} {op} (step {step}) is UNKNOWN"));
            }
            Phase::Halted(why) if change.stands() => doubts.push(format!(
                "the {deed} {op} (step {step}) was halted and is done in part only: {why}"
            )),
            Phase::Ended(Outcome::Committed, _) => {
                let sql = matches!(change.deed, Deed::Change | Deed::Undo { .. });
                let what = match change.verified {
                    Some(false) => "failed its verification",
                    None if sql => "was not verified",
                    Some(true) | None => continue,
                };
                doubts.push(format!("the {deed} {op} (step {step}) {what}"));
            }
            Phase::Previewed
            | Phase::Approved
            | Phase::Halted(_)
            | Phase::Ended(Outcome::RolledBack, _) => {}
        }
    }
    doubts
}

fn missing_milestones(incident: &Incident) -> Option<String> {
    let missing: Vec<&str> = Milestone::ALL
        .into_iter()
        .filter(|which| !incident.milestones.contains_key(which))
        .filter(|which| *which != Milestone::Closed || !incident.is_open())
        .map(Milestone::word)
        .collect();
    (!missing.is_empty()).then(|| format!("no time is known for: {}", missing.join(", ")))
}
