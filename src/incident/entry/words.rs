//! Entries in words: their names in the journal, and the sentence that the timeline tells.

use std::collections::BTreeSet;

use crate::check::{Delta, Verdict};
use crate::control;
use crate::value::counted;
use crate::value::thousands;

use super::{Entry, Outcome};

impl Entry {
    /// The word on disk.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Unanswered { .. } => "unanswered",
            Self::Met { .. } => "met",
            Self::Resumed { .. } => "resumed",
            Self::Policy { .. } => "policy",
            Self::Controls { .. } => "controls",
            Self::TornTail { .. } => "torn-tail",
            Self::SeveritySet { .. } => "severity-set",
            Self::Milestone { .. } => "milestone",
            Self::Note { .. } => "note",
            Self::StepEntered { .. } => "step-entered",
            Self::StepPassed { .. } => "step-passed",
            Self::StepFailed { .. } => "step-failed",
            Self::StepSkipped { .. } => "step-skipped",
            Self::Answered { .. } => "answered",
            Self::Checked { .. } => "checked",
            Self::Exported { .. } => "exported",
            Self::Decided { .. } => "decided",
            Self::Said { .. } => "said",
            Self::Escalated { .. } => "escalated",
            Self::CommandRan { .. } => "command-ran",
            Self::Previewed { .. } => "previewed",
            Self::PreviewFailed { .. } => "preview-failed",
            Self::Approved { .. } => "approved",
            Self::Requested { .. } => "requested",
            Self::Seconded { .. } => "seconded",
            Self::SecondRefused { .. } => "second-refused",
            Self::GlassBroken { .. } => "glass-broken",
            Self::Reviewed { .. } => "reviewed",
            Self::ExecutionStarted { .. } => "execution-started",
            Self::UndoWritten { .. } => "undo-written",
            Self::CommitSent { .. } => "commit-sent",
            Self::Ended { .. } => "ended",
            Self::ChunksPlanned { .. } => "chunks-planned",
            Self::ChunkSent { .. } => "chunk-sent",
            Self::ChunkEnded { .. } => "chunk-ended",
            Self::Paced { .. } => "paced",
            Self::Halted { .. } => "halted",
            Self::Resolved { .. } => "resolved",
            Self::Verified { .. } => "verified",
            Self::GuardRehearsed { .. } => "guard-rehearsed",
            Self::PostmortemEdited { .. } => "postmortem-edited",
            Self::ActionItem { .. } => "action-item",
            Self::Pinned { .. } => "pinned",
            Self::Unpinned { .. } => "unpinned",
            Self::Annotated { .. } => "annotated",
            Self::Confirmed { .. } => "confirmed",
            Self::Mistyped { .. } => "mistyped",
            Self::Closed { .. } => "closed",
            Self::TakeOverAsked { .. } => "take-over-asked",
            Self::TakeOverRefused { .. } => "take-over-refused",
            Self::HandedOver { .. } => "handed-over",
            Self::TakenOver { .. } => "taken-over",
            Self::WroteApart { .. } => "wrote-apart",
            Self::Scored { .. } => "scored",
        }
    }

    /// One plain sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Opened { title, target, severity, .. } => {
                format!("incident opened: {title} on {} ({severity})", target.name)
            }
            Self::Unanswered { why } => format!("opened without its database: {why}"),
            Self::Met { server, version } => {
                format!("the database answers; the incident is bound to it: {version}, {server}")
            }
            Self::Resumed { step } => format!("taken up again at step {step}"),
            Self::Policy { approval, high_risk: None } => {
                format!("the target asks for approval `{approval}`")
            }
            Self::Policy { approval, high_risk: Some(high) } => {
                format!("the target asks for approval `{approval}`, and `{high}` at high risk")
            }
            Self::Controls { runbook, checks } => {
                let all = checks.iter().flat_map(|(_, names)| names).chain(runbook);
                let keys = all.filter(|name| control::place(name).is_none());
                let once: BTreeSet<&str> = keys.map(String::as_str).collect();
                let keys: Vec<&str> = once.into_iter().collect();
                format!("controls in question: {}", keys.join(", "))
            }
            Self::TornTail { bytes } => {
                format!("{bytes} bytes of an unfinished record were put aside after a crash")
            }
            Self::SeveritySet { from, to, reason } => format!("severity {from} to {to}: {reason}"),
            Self::Milestone { which, .. } => format!("milestone: {}", which.word()),
            Self::Note { note, text, .. } => format!("{}: {text}", note.word()),
            Self::StepEntered { step } => format!("step {step} entered"),
            Self::StepPassed { step, how } => format!("step {step} done: {how}"),
            Self::StepFailed { step, why } => format!("step {step} failed: {why}"),
            Self::StepSkipped { step, reason } => format!("step {step} skipped: {reason}"),
            Self::Answered { var, answer, .. } => format!("{var} = {answer}"),
            Self::Checked { check, verdict, delta, .. } => {
                format!("check {check}: {}{}", verdict_words(verdict), delta_words(delta.as_ref()))
            }
            Self::Exported { check, format, rows, path, .. } => {
                format!("{} of {check} exported as {format}: {path}", rows.of("row"))
            }
            Self::Decided { question, choice, .. } => format!("decision: {question} {choice}"),
            Self::Said { audience, next_update, .. } => match next_update {
                Some(due) => {
                    format!("{audience} update given, next one due {} UTC", due.strftime("%H:%M"))
                }
                None => format!("{audience} update given"),
            },
            Self::Escalated { who, due, .. } => match due {
                Some(due) => format!("{who} called, due {} UTC", due.strftime("%H:%M")),
                None => format!("{who} called"),
            },
            Self::CommandRan { argv, exit, .. } => match exit {
                Some(code) => format!("command {} ended with {code}", argv.join(" ")),
                None => format!("command {} did not come to its end", argv.join(" ")),
            },
            Self::Previewed { deed, rows, refused, .. } if refused.is_empty() => {
                format!("preview of the {}: {}, rolled back", deed.word(), counted(*rows, "row"))
            }
            Self::Previewed { deed, refused, .. } => {
                format!("preview of the {} refused: {}", deed.word(), refused.join("; "))
            }
            Self::PreviewFailed { deed, why, .. } => {
                format!("preview of the {} failed, nothing was changed: {why}", deed.word())
            }
            Self::Approved { deed, typed, .. } => {
                format!("{} approved by typing '{typed}'", deed.word())
            }
            Self::Requested { deed, words, expires, .. } => format!(
                "a second person asked to agree to the {}: {words}, until {} UTC",
                deed.word(),
                expires.strftime("%H:%M")
            ),
            Self::Seconded { deed, signer, signer_key, .. } => {
                format!("{} seconded by {signer} with the key {signer_key}", deed.word())
            }
            Self::SecondRefused { why, .. } => format!("a signature was refused: {why}"),
            Self::GlassBroken { deed, reason, review_due, .. } => format!(
                "GLASS BROKEN: {} without a second person: {reason}; review due {}",
                deed.word(),
                review_due.strftime("%Y-%m-%d")
            ),
            Self::Reviewed { signer, remark, .. } => {
                format!("broken glass reviewed by {signer}: {remark}")
            }
            Self::ExecutionStarted { deed, op, .. } => format!("{} {op} started", deed.word()),
            Self::UndoWritten { rows, op, .. } => {
                format!("undo of {op} written: {}", counted(*rows, "row"))
            }
            Self::CommitSent { op, .. } => format!("COMMIT of {op} sent"),
            Self::Ended { deed, outcome, rows, why, .. } => match outcome {
                Outcome::Committed if why.is_empty() => {
                    format!("{} COMMITTED: {}", deed.word(), counted(*rows, "row"))
                }
                Outcome::Committed => {
                    format!("{} COMMITTED: {}; {why}", deed.word(), counted(*rows, "row"))
                }
                Outcome::RolledBack => format!("{} ROLLED BACK: {why}", deed.word()),
                Outcome::Unknown => format!("outcome of the {} UNKNOWN: {why}", deed.word()),
            },
            Self::ChunksPlanned { deed, left, done: 0, about, .. } => {
                let (left, what) = (thousands(*left), deed.counts());
                format!("{} cut into about {about} chunks: {left} {what}", deed.word())
            }
            Self::ChunksPlanned { deed, left, done, .. } => format!(
                "{} goes on: {} {} are left, {} done before",
                deed.word(),
                thousands(*left),
                deed.counts(),
                thousands(*done)
            ),
            Self::ChunkSent { chunk, keys, rows, .. } => {
                let (keys, rows) = (counted(*keys, "key"), counted(*rows, "row"));
                format!("COMMIT of chunk {chunk} sent: {keys}, {rows}")
            }
            Self::ChunkEnded { chunk, outcome: Outcome::Committed, why, .. } if why.is_empty() => {
                format!("chunk {chunk} COMMITTED")
            }
            Self::ChunkEnded { chunk, outcome, why, .. } => {
                format!("chunk {chunk} {}: {why}", outcome.word())
            }
            Self::Paced { chunk, pacing, why, .. } => {
                format!("{} before chunk {chunk}: {why}", pacing.word())
            }
            Self::Halted { deed, done, of, rows, why, .. } => format!(
                "{} HALTED at {} of {} {}, {} committed: {why}",
                deed.word(),
                thousands(*done),
                thousands(*of),
                deed.counts(),
                counted(*rows, "row")
            ),
            Self::Resolved { deed, outcome, how, .. } => {
                format!("{} found {}: {how}", deed.word(), outcome.word())
            }
            Self::Verified { checks, sound: true, .. } if checks.is_empty() => {
                "no check was asked after the commit: none is named that it cures".into()
            }
            Self::Verified { checks, sound: true, .. } => {
                let checks = counted(checks.len(), "check");
                format!("verified on a new connection: {checks} as expected")
            }
            Self::Verified { checks, .. } => format!(
                "verification failed: {}",
                checks
                    .iter()
                    .filter(|(_, verdict)| !verdict.is_clear())
                    .map(|(check, verdict)| format!("{check} {}", verdict_words(verdict)))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Self::GuardRehearsed { sentence, .. } => format!("guardrail rehearsed: {sentence}"),
            Self::PostmortemEdited { part, .. } => format!("postmortem: {part} written"),
            Self::ActionItem { title, owner, due, .. } => {
                format!("action item: {title} ({owner}, due {due})")
            }
            Self::Pinned { record } => format!("record {record} pinned"),
            Self::Unpinned { record } => format!("record {record} not pinned any more"),
            Self::Annotated { record, text } => format!("about record {record}: {text}"),
            Self::Confirmed { what, typed, .. } => format!("confirmed with '{typed}': {what}"),
            Self::Mistyped { names_another_target: true, .. } => {
                "a confirmation named another target; nothing was executed".into()
            }
            Self::Mistyped { .. } => "a confirmation was mistyped; nothing was executed".into(),
            Self::Closed { .. } => "incident closed".into(),
            Self::TakeOverAsked { by } => format!("{by} asks to take over"),
            Self::TakeOverRefused { by } => format!("{by} may not take over yet"),
            Self::HandedOver { to } => format!("handed over to {to}"),
            Self::TakenOver { from, .. } => {
                format!("taken over from {from}, who did not answer")
            }
            Self::WroteApart { host, records, until, did, .. } => {
                let did = match did.as_slice() {
                    [] => "nothing was executed there".to_owned(),
                    did => did.join("; "),
                };
                format!(
                    "{host} went on apart until {} UTC, {} left there: {did}",
                    until.strftime("%H:%M"),
                    counted(*records, "record")
                )
            }
            Self::Scored { score, grade, .. } => format!("drill scored {score} of 100: {grade}"),
        }
    }
}

pub fn verdict_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Clear => "clear".into(),
        Verdict::Violated { violations } => violations.of("violation"),
        Verdict::Measured { reading } => reading.to_string(),
        Verdict::Inconclusive { reason } => format!("could not check ({reason})"),
    }
}

fn delta_words(delta: Option<&Delta>) -> String {
    match delta {
        Some(delta) if delta.new + delta.gone > 0 => {
            format!(" ({} new, {} gone, {} still there)", delta.new, delta.gone, delta.still)
        }
        _ => String::new(),
    }
}
