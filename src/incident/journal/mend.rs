//! Opening a journal to append to: what a crash left half-written is put aside first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::{JournalError, io_error, kept_head, truncated};
use crate::files::write_synced;
use crate::incident::chain::{self, Head};
use crate::incident::entry::Record;
use crate::incident::lease::Lease;
use crate::rights;

/// What was put aside, once a record tells of it.
const TOLD: &str = "journal.torn";
const UNTOLD: &str = "journal.torn.untold";

/// A journal to append to.
pub struct Mended {
    pub file: File,
    pub records: Vec<Record>,
    pub head: Head,
    /// Bytes of half a line that were put aside, now or before, and that no record tells of; the next
    /// line would have become one with it.
    pub torn: usize,
}

pub fn mended(lease: &Lease) -> Result<Mended, JournalError> {
    let folder = lease.folder();
    let path = folder.join("journal.jsonl");
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(&path)
        .map_err(io_error("cannot open", &path))?;
    // Who takes it by force puts the lock there first and the journal then: with the old lock still
    // there, this file is not somebody else's.
    if !lease.is_ours() {
        return Err(JournalError::Lost);
    }
    // Whoever cannot change them has them from whoever could.
    let _ = rights::settle_file(&file, folder);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io_error("cannot read", &path))?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        set_aside(&mut file, &path, folder, &bytes[whole..], whole as u64)?;
    }
    let (records, head, fault) = chain::replay(&bytes[..whole]);
    if let Some(fault) = fault.or_else(|| truncated(kept_head(folder).as_ref(), &head)) {
        return Err(fault.into());
    }
    let torn = fs::metadata(folder.join(UNTOLD)).map_or(0, |aside| aside.len());
    let torn = usize::try_from(torn).unwrap_or(usize::MAX);
    Ok(Mended { file, records, head, torn })
}

/// A record tells of it by now.
pub fn told(folder: &Path) -> io::Result<()> {
    fs::rename(folder.join(UNTOLD), folder.join(TOLD))
}

fn set_aside(
    file: &mut File,
    path: &Path,
    folder: &Path,
    tail: &[u8],
    whole: u64,
) -> Result<(), JournalError> {
    let aside = folder.join(UNTOLD);
    write_synced(&aside, tail).map_err(io_error("cannot write", &aside))?;
    file.set_len(whole)
        .and_then(|()| file.seek(SeekFrom::End(0)))
        .and_then(|_| file.sync_all())
        .map_err(io_error("cannot mend", path))
}
