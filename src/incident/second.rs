//! Who else agreed to a change: asked, agreed, or alone and looked at afterwards. The fold of the
//! records about it.

use jiff::Timestamp;

use super::Incident;
use super::entry::{Entry, Record};

/// Where the agreement of a second person stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Second {
    Asked {
        words: String,
        expires: Timestamp,
    },
    Agreed {
        at: Timestamp,
        signer: String,
        key: String,
    },
    /// Somebody went alone.
    BrokenGlass {
        /// The digest of what was done, as a request.
        request: String,
        reason: String,
        due: Timestamp,
        reviewed: Option<Review>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    pub at: Timestamp,
    pub signer: String,
    pub remark: String,
}

/// What somebody did alone and nobody has looked at since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreviewed<'a> {
    pub op: &'a str,
    pub request: &'a str,
    pub reason: &'a str,
    pub due: Timestamp,
}

/// What a review signs: the request of what was done alone, and what was found.
pub fn reviewed(request_sha256: &str, remark: &str) -> Vec<u8> {
    format!("{request_sha256}\n{remark}\n").into_bytes()
}

impl Incident {
    pub(super) fn apply_second(&mut self, record: &Record) {
        let (op, second) = match &record.entry {
            Entry::Requested { op, words, expires, .. } => {
                (op, Second::Asked { words: words.clone(), expires: *expires })
            }
            Entry::Seconded { op, signer, signer_key, .. } => {
                let (signer, key) = (signer.clone(), signer_key.clone());
                (op, Second::Agreed { at: record.at, signer, key })
            }
            Entry::GlassBroken { op, reason, review_due, evidence, .. } => {
                let (request, reason) = (evidence.sha256.clone(), reason.clone());
                (op, Second::BrokenGlass { request, reason, due: *review_due, reviewed: None })
            }
            Entry::Reviewed { op, request, signer, remark, .. } => {
                let (at, signer, remark) = (record.at, signer.clone(), remark.clone());
                let seconds = self.change(op).map(|change| change.seconds.iter_mut());
                let found = seconds.into_iter().flatten().rev().find_map(|second| match second {
                    Second::BrokenGlass { request: of, reviewed, .. }
                        if request.as_ref().is_none_or(|request| request == of) =>
                    {
                        Some(reviewed)
                    }
                    _ => None,
                });
                if let Some(reviewed) = found {
                    *reviewed = Some(Review { at, signer, remark });
                }
                return;
            }
            _ => return,
        };
        let Some(change) = self.change(op) else { return };
        // What was asked has its answer, or was asked anew.
        change.seconds.pop_if(|last| matches!(last, Second::Asked { .. }));
        change.seconds.push(second);
    }

    /// Who agreed to what was previewed last of this operation: the rest of one that was halted is
    /// agreed to anew.
    pub fn second_of(&self, op: &str) -> Option<&Second> {
        let last = self.records.iter().rev().find_map(|record| match &record.entry {
            Entry::Previewed { op: of, .. } if of == op => Some(false),
            Entry::Requested { op: of, .. }
            | Entry::Seconded { op: of, .. }
            | Entry::GlassBroken { op: of, .. }
                if of == op =>
            {
                Some(true)
            }
            _ => None,
        });
        let change = self.changes.iter().find(|change| change.op == op)?;
        change.seconds.last().filter(|_| last == Some(true))
    }

    /// What waits for its review, each by itself: an operation may be gone on with alone.
    pub fn unreviewed(&self) -> impl Iterator<Item = Unreviewed<'_>> {
        self.changes.iter().flat_map(|change| {
            change.seconds.iter().filter_map(|second| match second {
                Second::BrokenGlass { request, reason, due, reviewed: None } => {
                    Some(Unreviewed { op: &change.op, request, reason, due: *due })
                }
                _ => None,
            })
        })
    }
}
