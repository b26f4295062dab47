//! Going on: what is left of a change that was halted, the way back of what it did, and what is
//! written down of one that was cut off.

use std::path::Path;

use crate::incident::entry::{Deed, Entry, Outcome};
use crate::incident::journal::Journal;
use crate::incident::{Chunked, Doubtful, Incident};
use crate::ops::plan;
use crate::ops::recover::Job;
use crate::problem::Problem;
use crate::recovery::Plan;
use crate::recovery::mass::{Artefact, Before, Keys, Source};

/// A change of which some chunks are done goes on with the rest of its list.
pub fn go_on(job: &mut Job, incident: &Incident, folder: &Path) -> Result<(), Problem> {
    let Some(mass) = &mut job.plan.mass else { return Ok(()) };
    let begun = incident.changes.iter().find(|change| change.op == job.op);
    let begun = begun.and_then(|change| change.chunks.as_ref());
    let Some(chunks) = begun.filter(|chunks| chunks.done() > 0) else { return Ok(()) };
    let Source::Query { key, .. } = &mass.source else { return Ok(()) };
    let lost = |why: String| {
        Problem::refused(format!("the rest of {} cannot be gone on with: {why}", job.op))
            .hint("u takes back what was done; after that it can be begun anew")
    };
    let list = chunks.list.as_ref().ok_or_else(|| lost("its keys were not kept".into()))?;
    let keys = Keys::open(&folder.join(&list.file), &list.sha256).map_err(lost)?;
    mass.source = Source::Rest { key: key.clone(), keys, chunk: chunks.next() };
    mass.before = before(chunks);
    Ok(())
}

/// The plan that takes an execution back, from the artefacts that the journal names.
pub fn undo(job: &Job, incident: &Incident, folder: &Path, of: &str) -> Result<Plan, Problem> {
    let none = || Problem::refused(format!("no undo was written for {of}"));
    let change = incident.changes.iter().find(|change| change.op == of).ok_or_else(none)?;
    let lacks = change.lacks().map(str::to_owned);
    let Some(chunks) = &change.chunks else {
        let artefact = change.undo_file.as_ref().ok_or_else(none)?;
        let plan = plan::undo(&job.plan, of, folder, artefact)?;
        return Ok(Plan { lacks, ..plan });
    };
    let begun = incident.changes.iter().find(|change| change.op == job.op);
    let begun = begun.and_then(|change| change.chunks.clone()).unwrap_or_default();
    // What was done last is taken back first.
    let left = chunks.committed().rev().filter(|chunk| !begun.has(chunk.number));
    let artefact = |chunk: &crate::incident::Chunk| Artefact {
        chunk: chunk.number,
        path: folder.join(&chunk.undo.file),
        sha256: chunk.undo.sha256.clone(),
        rows: chunk.back,
    };
    let plan = plan::undo_chunks(&job.plan, of, left.map(artefact).collect(), before(&begun));
    Ok(Plan { lacks, ..plan })
}

fn before(chunks: &Chunked) -> Before {
    Before { keys: chunks.done(), rows: chunks.rows(), left_alone: chunks.left_alone() }
}

/// A change in chunks that was cut off.
#[derive(Debug, Clone)]
pub struct CutOff {
    pub step: String,
    pub op: String,
    pub deed: Deed,
    pub chunk: Doubtful,
}

impl CutOff {
    /// Writes down what the database said of the chunk, and where the whole stands by that.
    pub fn found(self, outcome: Outcome, how: &str, journal: &Journal) -> Result<(), Problem> {
        let Self { step, op, deed, chunk } = self;
        let append = |entry| {
            let written = journal.append(entry);
            written.map(drop).map_err(|error| Problem::system(error.to_string()))
        };
        let (mut done, mut rows) = chunk.done;
        if let Some((keys, of_chunk)) = chunk.sent {
            let (op, chunk, why) = (op.clone(), chunk.number, how.to_owned());
            append(Entry::ChunkEnded { op, chunk, outcome, why })?;
            if outcome == Outcome::Committed {
                (done, rows) = (done + keys, rows + of_chunk);
            }
        }
        if outcome == Outcome::Unknown {
            return Ok(());
        }
        let why = "the program was cut off".to_owned();
        let ended = |outcome, why| {
            let (step, op, deed) = (step.clone(), op.clone(), deed.clone());
            Entry::Ended { step, op, deed, outcome, rows, why, drift: None }
        };
        append(match done {
            0 => ended(Outcome::RolledBack, why),
            done if done == chunk.of => {
                ended(Outcome::Committed, "every chunk is in the database".into())
            }
            done => {
                let (step, op, deed) = (step.clone(), op.clone(), deed.clone());
                Entry::Halted { step, op, deed, done, of: chunk.of, rows, why, drift: None }
            }
        })
    }
}
