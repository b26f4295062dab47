//! Elsewhere: what the store says of whoever works on an incident on another host. Their lock is not
//! here, so that this is all that is known of them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::{Holder, Party, said, signed};
use crate::incident::store;

const ELSEWHERE: &str = "elsewhere.json";

/// What the store says of who works on an incident on another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says<'a> {
    Nobody,
    /// As the holder told it, and for how long the store has not heard of them.
    Held {
        told: &'a str,
        silent: Duration,
    },
}

/// Who works on it on another host, as the store said it last. That nobody does is for the store to say:
/// while it is away it says nothing, and its holder falls silent.
pub fn elsewhere(folder: &Path) -> Option<Holder> {
    let mut holder = said(&folder.join(ELSEWHERE))?;
    let silent = signed(Duration::from_secs(holder.silent.unwrap_or_default()));
    holder.seen = holder.seen.map(|said| said - silent);
    Some(holder)
}

/// The store said so at this moment.
pub fn store_says(folder: &Path, says: Says<'_>) -> io::Result<()> {
    let path = folder.join(ELSEWHERE);
    let Says::Held { told, silent } = says else {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    // Whoever says it in words that this version does not know works there all the same.
    let holder = serde_json::from_str(told).unwrap_or_else(|_| Holder::unknown());
    let holder = Holder { silent: Some(silent.as_secs()), ..holder };
    let text = serde_json::to_string(&holder).expect("a holder is plain data");
    crate::files::write_synced(&path, text.as_bytes())
}

impl Holder {
    fn unknown() -> Self {
        let party = Party { login: "somebody".into(), host: "another host".into(), pid: 0 };
        Self { party, since: Timestamp::UNIX_EPOCH, silent: None, seen: None }
    }

    /// Works on another host: no lock of this one, and no key, reaches them.
    pub fn is_elsewhere(&self) -> bool {
        self.silent.is_some()
    }

    /// The same shift of the same cockpit, whenever it was seen.
    pub fn is_same(&self, other: &Self) -> bool {
        self.party == other.party && self.since == other.since
    }
}

/// Whether their records say that they are executing something.
pub fn is_executing(folder: &Path) -> bool {
    store::incident(folder).0.is_executing()
}
