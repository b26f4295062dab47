//! Files that lines of another host name and that are not here yet. They come another way than the
//! lines, later or, where they are too large, never; that is not the same as one that went missing.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{JournalError, REQUESTS, io_error, settle_inside};
use crate::digest::{self, sha256};
use crate::files::{write_synced, write_through};
use crate::incident::entry::{self, Evidence, Record};
use crate::incident::lease::Lease;

/// The file that names what is still to come.
pub const AWAITED: &str = "awaited.json";

/// Lines that were received name these. Written before the lines are.
pub(super) fn expect(lease: &Lease, received: &[Record]) -> Result<(), JournalError> {
    let folder = lease.folder();
    let new = entry::files(received).into_keys();
    let mut names = names(folder)?;
    let before = names.len();
    names.extend(new);
    if names.len() == before { Ok(()) } else { keep(folder, &names) }
}

pub fn is_awaiting(folder: &Path) -> Result<bool, JournalError> {
    names(folder).map(|names| !names.is_empty())
}

/// What is still to come, as the last record about each file names it.
pub fn awaited(folder: &Path, records: &[Record]) -> Result<Vec<Evidence>, JournalError> {
    let names = names(folder)?;
    let named = entry::files(records).into_values().map(|(file, _)| file);
    Ok(named.filter(|file| file.is_inside() && names.contains(&file.file)).collect())
}

/// Lays down what came, if it is what the record names.
pub fn arrive(lease: &Lease, file: &Evidence, bytes: &[u8]) -> Result<(), JournalError> {
    lay_down(lease.folder(), file, bytes)?;
    settle(lease, file)
}

/// The same of one that lies elsewhere on this host, however large it is.
pub fn arrive_from(lease: &Lease, file: &Evidence, from: &Path) -> Result<(), JournalError> {
    let failed = |source| io_error("cannot copy", from)(source);
    let path = lease.folder().join(&file.file);
    let is_plain = fs::symlink_metadata(from).is_ok_and(|found| found.is_file());
    if !file.is_inside() || !is_plain || path.exists() {
        return settle(lease, file);
    }
    if digest::of_file(from).map_err(failed)?.1 == file.sha256 {
        settle_inside(&lease.folder().join(REQUESTS))?;
        let mut there = fs::File::open(from).map_err(failed)?;
        write_through(&path, |out| io::copy(&mut there, out).map(drop)).map_err(failed)?;
    }
    settle(lease, file)
}

pub(super) fn lay_down(folder: &Path, file: &Evidence, bytes: &[u8]) -> Result<(), JournalError> {
    if !file.is_inside() || sha256(bytes) != file.sha256 {
        return Ok(());
    }
    settle_inside(&folder.join(REQUESTS))?;
    let path = folder.join(&file.file);
    write_synced(&path, bytes).map_err(io_error("cannot write", &path))
}

/// What is there is not awaited any more: were it to go, it went missing.
pub(super) fn settle(lease: &Lease, file: &Evidence) -> Result<(), JournalError> {
    let folder = lease.folder();
    let mut names = names(folder)?;
    if !folder.join(&file.file).is_file() || !names.remove(&file.file) {
        return Ok(());
    }
    keep(folder, &names)
}

/// None without the file. A list that cannot be read is not an empty one: what it names would be missed.
fn names(folder: &Path) -> Result<BTreeSet<String>, JournalError> {
    let path = folder.join(AWAITED);
    let read = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        read => read,
    };
    let names = read.and_then(|text| Ok(serde_json::from_slice(&text)?));
    names.map_err(io_error("cannot read", &path))
}

fn keep(folder: &Path, names: &BTreeSet<String>) -> Result<(), JournalError> {
    let text = serde_json::to_vec(names).expect("names are plain data");
    let path = folder.join(AWAITED);
    write_synced(&path, &text).map_err(io_error("cannot write", &path))
}
