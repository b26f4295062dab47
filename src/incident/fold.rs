//! The fold: what each entry adds to an incident.

use jiff::Timestamp;

use super::apart::Stretch;
use super::chain::Mark;
use super::entry::{Deed, Entry, Milestone, Origin, Outcome, Record};
use super::{ActionItem, Annotation, Apart, Change, Controls, Incident, Measured, Phase};
use crate::guardrail::Standing;
use crate::runbook::progress::StepState;

impl Incident {
    /// Takes in one record. The only way an incident changes.
    pub fn apply(&mut self, record: &Record) {
        self.records.push(record.clone());
        self.evidence.extend(record.entry.file());
        let at = record.at;
        if self.shifts.last().is_none_or(|(_, who)| *who != record.actor) {
            self.shifts.push((at, record.actor.clone()));
        }
        match &record.entry {
            Entry::Opened { runbook, runbook_sha256, title, severity, target, demo, .. } => {
                self.runbook.clone_from(runbook);
                self.runbook_sha256.clone_from(runbook_sha256);
                self.title.clone_from(title);
                self.severity = Some(*severity);
                self.target = Some(target.clone());
                self.demo = *demo;
                self.drill = record.drill == Mark::Drill;
                self.opened = Some(at);
            }
            Entry::Met { server, version } => {
                if let Some(target) = self.target.as_mut().filter(|target| !target.is_met()) {
                    target.server.clone_from(server);
                    target.version.clone_from(version);
                }
            }
            Entry::Policy { approval, high_risk } => {
                self.policy = Some((approval.clone(), high_risk.clone()));
            }
            Entry::Controls { runbook, checks } => {
                let checks = checks.iter().cloned().collect();
                self.controls = Controls { runbook: runbook.clone(), checks };
            }
            Entry::SeveritySet { to, .. } => self.severity = Some(*to),
            Entry::Milestone { which, at, origin } => self.reach(*which, *at, *origin),
            Entry::Note { at, note, text } => self.notes.push((*at, *note, text.clone())),
            Entry::StepEntered { step } => self.progress.enter(step, at),
            Entry::StepPassed { step, how } => {
                self.progress.set(step, StepState::Passed(how.clone()));
            }
            Entry::StepFailed { step, why } => {
                self.commands.remove(step);
                self.progress.set(step, StepState::Failed(why.clone()));
            }
            Entry::StepSkipped { step, reason } => {
                self.progress.set(step, StepState::Skipped(reason.clone()));
                self.skipped.push((at, step.clone(), reason.clone()));
            }
            Entry::Answered { var, answer, .. } => {
                self.answers.insert(var.clone(), answer.clone());
            }
            Entry::Checked { check, verdict, .. } => {
                let (check, verdict) = (check.clone(), verdict.clone());
                self.counts.push(Measured { at, check, verdict });
            }
            Entry::Exported { path, sha256, .. } => {
                self.exports.push((path.clone(), sha256.clone()));
            }
            Entry::Decided { question, choice, reason, .. } => {
                self.decisions.push((at, question.clone(), choice.clone(), reason.clone()));
            }
            Entry::Said { step, audience, next_update, .. } => {
                self.said.push((at, step.clone(), audience.clone()));
                self.next_update = *next_update;
            }
            Entry::Escalated { to, who, .. } => {
                self.called.push((at, to.clone(), who.clone()));
            }
            Entry::GuardRehearsed { sentence, .. } => {
                self.guard_notes.push((at, sentence.clone()));
            }
            Entry::ActionItem { title, owner, due, action } => {
                let (title, owner, due) = (title.clone(), owner.clone(), due.clone());
                self.actions.retain(|item| item.title != title);
                self.actions.push(ActionItem { title, owner, due, kind: *action });
            }
            Entry::Closed { .. } => {
                self.closed = Some(at);
                self.next_update = None;
                self.reach(Milestone::Closed, at, Origin::Auto);
            }
            Entry::Pinned { record } => _ = self.pinned.insert(*record),
            Entry::Unpinned { record } => _ = self.pinned.remove(record),
            Entry::Annotated { record: of, text } => {
                let (actor, text) = (record.actor.clone(), text.clone());
                self.annotations.entry(*of).or_default().push(Annotation { at, actor, text });
            }
            Entry::Confirmed { step, command: true, .. } => {
                self.commands.insert(step.clone());
            }
            Entry::CommandRan { step, .. } => _ = self.commands.remove(step),
            // Of a program that is gone nothing runs that could still be waited for.
            Entry::Resumed { .. } => self.commands.clear(),
            Entry::WroteApart { did, .. } => {
                if let Some(stretch) = Stretch::of(&record.entry) {
                    let (sentence, did) = (record.entry.sentence(), !did.is_empty());
                    self.apart.retain(|before| !before.stretch.is_same(&stretch));
                    self.apart.push(Apart { stretch, sentence, did });
                }
            }
            Entry::TornTail { .. }
            | Entry::Unanswered { .. }
            | Entry::PostmortemEdited { .. }
            | Entry::Confirmed { .. }
            | Entry::Mistyped { .. }
            | Entry::Scored { .. }
            | Entry::TakeOverAsked { .. }
            | Entry::TakeOverRefused { .. }
            | Entry::HandedOver { .. }
            | Entry::TakenOver { .. }
            | Entry::SecondRefused { .. }
            | Entry::PreviewFailed { .. } => {}
            Entry::Requested { .. }
            | Entry::Seconded { .. }
            | Entry::GlassBroken { .. }
            | Entry::Reviewed { .. } => self.apply_second(record),
            Entry::Previewed { .. }
            | Entry::Approved { .. }
            | Entry::ExecutionStarted { .. }
            | Entry::UndoWritten { .. }
            | Entry::CommitSent { .. }
            | Entry::Ended { .. }
            | Entry::ChunksPlanned { .. }
            | Entry::ChunkSent { .. }
            | Entry::ChunkEnded { .. }
            | Entry::Paced { .. }
            | Entry::Halted { .. }
            | Entry::Resolved { .. }
            | Entry::Verified { .. } => self.apply_change(record),
        }
    }

    fn reach(&mut self, which: Milestone, at: Timestamp, origin: Origin) {
        // What a person said stands against what the program concludes.
        let human = matches!(self.milestones.get(&which), Some((_, Origin::Human)));
        if origin == Origin::Human || !human {
            self.milestones.insert(which, (at, origin));
        }
    }

    pub(super) fn change(&mut self, op: &str) -> Option<&mut Change> {
        self.changes.iter_mut().find(|change| change.op == op)
    }

    /// The change that an entry speaks of, made if this entry is the first to name it.
    fn change_or_new(&mut self, record: &Record, step: &str, op: &str, deed: &Deed) -> &mut Change {
        if let Some(at) = self.changes.iter().position(|change| change.op == op) {
            return &mut self.changes[at];
        }
        self.changes.push(Change {
            step: step.to_owned(),
            op: op.to_owned(),
            deed: deed.clone(),
            at: record.at,
            rows: 0,
            writes: Vec::new(),
            hidden: Vec::new(),
            refused: Vec::new(),
            undo: String::new(),
            phase: Phase::Previewed,
            verified: None,
            undo_file: None,
            left_alone: 0,
            mark: None,
            chunks: None,
            typed: String::new(),
            actor: record.actor.clone(),
            seconds: Vec::new(),
        });
        self.changes.last_mut().expect("one was pushed")
    }

    fn apply_change(&mut self, record: &Record) {
        match &record.entry {
            Entry::Previewed { step, op, deed, rows, writes, hidden, refused, undo, .. } => {
                let change = self.change_or_new(record, step, op, deed);
                if !change.stands() {
                    change.rows = *rows;
                }
                change.writes.clone_from(writes);
                change.hidden.clone_from(hidden);
                change.refused.clone_from(refused);
                change.undo.clone_from(undo);
            }
            Entry::Approved { step, op, deed, typed, .. } => {
                let change = self.change_or_new(record, step, op, deed);
                change.phase = Phase::Approved;
                change.typed.clone_from(typed);
                change.actor.clone_from(&record.actor);
            }
            Entry::ExecutionStarted { step, op, deed, .. } => {
                self.change_or_new(record, step, op, deed).phase = Phase::Started;
            }
            Entry::UndoWritten { op, evidence, left_alone, .. } => {
                if let Some(change) = self.change(op) {
                    change.left_alone = *left_alone;
                    change.undo_file = Some(evidence.clone());
                }
            }
            Entry::ChunksPlanned { step, op, deed, .. } => {
                let change = self.change_or_new(record, step, op, deed);
                change.chunks.get_or_insert_default().apply(&record.entry);
            }
            Entry::ChunkSent { op, .. }
            | Entry::ChunkEnded { op, .. }
            | Entry::Paced { op, .. } => {
                if let Some(change) = self.change(op) {
                    change.chunks.get_or_insert_default().apply(&record.entry);
                }
            }
            Entry::Halted { step, op, deed, rows, why, .. } => {
                let change = self.change_or_new(record, step, op, deed);
                change.phase = Phase::Halted(why.clone());
                change.rows = *rows;
            }
            Entry::CommitSent { op, mark } => {
                if let Some(change) = self.change(op) {
                    change.mark = Some(mark.clone()).filter(|mark| !mark.is_empty());
                    change.phase = Phase::CommitSent;
                }
            }
            Entry::Ended { step, op, deed, outcome, rows, why, .. }
            | Entry::Resolved { step, op, deed, outcome, rows, how: why } => {
                let change = self.change_or_new(record, step, op, deed);
                change.phase = Phase::Ended(*outcome, why.clone());
                if *outcome == Outcome::Committed && *rows > 0 {
                    change.rows = *rows;
                }
                if *outcome == Outcome::Committed {
                    self.committed(step, deed, record.at);
                }
            }
            Entry::Verified { op, checks, sound, .. } => {
                if let Some(change) = self.change(op).filter(|_| !checks.is_empty()) {
                    change.verified = Some(*sound);
                }
                let seen = checks.iter().cloned();
                let seen = seen.map(|(check, verdict)| Measured { at: record.at, check, verdict });
                self.counts.extend(seen);
            }
            _ => {}
        }
    }

    fn committed(&mut self, step: &str, deed: &Deed, at: Timestamp) {
        match deed {
            Deed::Change => self.reach(Milestone::Fixed, at, Origin::Auto),
            Deed::Undo { .. } => {
                self.progress.set(step, StepState::Open);
                self.milestones.remove(&Milestone::Fixed);
                self.milestones.remove(&Milestone::Verified);
            }
            Deed::ApplyGuardrail => {
                self.guardrails.insert(step.to_owned(), Standing::Applied);
            }
            Deed::WithdrawGuardrail => {
                self.guardrails.insert(step.to_owned(), Standing::Withdrawn);
                self.progress.set(step, StepState::Open);
            }
        }
    }
}
