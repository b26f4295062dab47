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
        if let Some(change) = self.change(op) {
            change.second = Some(second);
        }
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
