//! Who wants to go on with an incident that another one holds: asks for it, and where nobody answers
//! takes it by typed words.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Holder, Party, signed};

const REQUEST: &str = "take-over.json";

/// The words that take a lease from somebody who does not answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Forced {
    pub(super) from: Holder,
    pub(super) typed: String,
}

impl Forced {
    pub fn words(incident: &str) -> String {
        format!("take over {incident}")
    }

    /// None if the words are wrong, or if the holder lives and may still answer.
    pub fn new(
        typed: &str,
        incident: &str,
        request: &Request,
        holder: &Holder,
        patience: Duration,
        now: Timestamp,
    ) -> Option<Self> {
        let right = typed == Self::words(incident) && request.may_force(holder, patience, now);
        right.then(|| Self { from: holder.clone(), typed: typed.to_owned() })
    }
}

/// Somebody wants to go on with an incident that another one holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub by: Party,
    pub at: Timestamp,
    /// Who said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Request {
    /// Asks. The holder sees it within a second.
    pub fn make(folder: &Path, login: &str, now: Timestamp) -> io::Result<Self> {
        let request = Self { by: Party::here(login), at: now, refused: None };
        request.write(folder)?;
        Ok(request)
    }

    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(REQUEST)).ok()?).ok()
    }

    /// The holder says no.
    pub fn refuse(mut self, folder: &Path, who: &str) -> io::Result<()> {
        self.refused = Some(who.to_owned());
        self.write(folder)
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self).expect("a request is plain data");
        crate::files::write_synced(&folder.join(REQUEST), text.as_bytes())
    }

    /// Nobody answered for so long, or nobody is there to. On another host nobody sees the question.
    pub fn may_force(&self, holder: &Holder, patience: Duration, now: Timestamp) -> bool {
        let waited = !holder.is_elsewhere() && now.duration_since(self.at) >= signed(patience);
        self.refused.is_none() && (waited || holder.is_silent(now))
    }
}

pub fn forget_request(folder: &Path) {
    let _ = fs::remove_file(folder.join(REQUEST));
}
