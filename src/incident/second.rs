//! Who else agreed to a change: asked, agreed, or alone and looked at afterwards. The fold of the
//! records about it.

use jiff::Timestamp;

use super::entry::{Entry, Record};
use super::{Change, Incident};

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
            Entry::GlassBroken { op, reason, review_due, .. } => {
                let (reason, due) = (reason.clone(), *review_due);
                (op, Second::BrokenGlass { reason, due, reviewed: None })
            }
            Entry::Reviewed { op, signer, remark, .. } => {
                let (at, signer, remark) = (record.at, signer.clone(), remark.clone());
                if let Some(Some(Second::BrokenGlass { reviewed, .. })) =
                    self.change(op).map(|change| &mut change.second)
                {
                    *reviewed = Some(Review { at, signer, remark });
                }
                return;
            }
            _ => return,
        };
        let Some(change) = self.change(op) else { return };
        let open = matches!(change.second, Some(Second::BrokenGlass { reviewed: None, .. }));
        // Whoever agrees to the rest of a change has not looked at what was done alone before.
        if !open || matches!(second, Second::BrokenGlass { .. }) {
            change.second = Some(second);
        }
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
        change.second.as_ref().filter(|_| last == Some(true))
    }

    /// What somebody did alone and nobody has looked at since.
    pub fn unreviewed(&self) -> impl Iterator<Item = (&Change, &str, Timestamp)> {
        self.changes.iter().filter_map(|change| match &change.second {
            Some(Second::BrokenGlass { reason, due, reviewed: None }) => {
                Some((change, reason.as_str(), *due))
            }
            _ => None,
        })
    }
}
