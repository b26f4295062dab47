//! Elsewhere: what the store says of whoever works on an incident on another host. Their lock is not
//! here, so that this is all that is known of them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Holder, said, signed};
use crate::clock;
use crate::incident::{Incident, journal};

const ELSEWHERE: &str = "elsewhere.json";

/// Who works on it on another host, as long as the store said so a moment ago.
pub fn elsewhere(folder: &Path) -> Option<Holder> {
    let mut holder = said(&folder.join(ELSEWHERE)).filter(|said| !said.is_silent(clock::now()))?;
    let silent = signed(Duration::from_secs(holder.silent.unwrap_or_default()));
    holder.seen = holder.seen.map(|said| said - silent);
    Some(holder)
}

/// The store says who works on it on another host, and how long it has not heard of them; or that
/// nobody does.
pub fn note_elsewhere(folder: &Path, holder: Option<(&str, Duration)>) -> io::Result<()> {
    let path = folder.join(ELSEWHERE);
    let known = holder.and_then(|(told, silent)| {
        let holder: Holder = serde_json::from_str(told).ok()?;
        Some(Holder { silent: Some(silent.as_secs()), ..holder })
    });
    match known {
        Some(holder) => {
            let text = serde_json::to_string(&holder).expect("a holder is plain data");
            journal::write_synced(&path, text.as_bytes())
        }
        None => match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

/// Whether their records say that they are executing something.
pub fn is_executing(folder: &Path) -> bool {
    journal::read(folder).is_ok_and(|(records, ..)| Incident::replay(&records).is_executing())
}
