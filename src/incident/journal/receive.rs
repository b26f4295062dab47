//! Lines of the same chain that another host wrote. Each must follow the one before, like any other, or
//! none is taken.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::awaited::expect;
use super::{JournalError, io_error, keep_head, read, settle};
use crate::incident::chain::{self, Head};
use crate::incident::lease::Lease;
use crate::incident::rights;

/// Appends them; whoever does has the lease here, so that nobody else writes.
pub fn receive(lease: &Lease, lines: &[String]) -> Result<(), JournalError> {
    let folder = lease.folder();
    settle(folder)?;
    let path = folder.join("journal.jsonl");
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(io_error("cannot open", &path))?;
    let _ = rights::settle_file(&file, folder);
    let (_, mut head, fault) = read(folder)?;
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    let (mut records, mut text) = (Vec::new(), String::new());
    for line in lines {
        let record = chain::open(&head, line)?;
        head = Head { seq: record.seq, hash: record.hash.clone() };
        text.extend([line, "\n"]);
        records.push(record);
    }
    expect(folder, &records)?;
    file.write_all(text.as_bytes()).map_err(io_error("cannot write", &path))?;
    file.sync_data().map_err(io_error("cannot write", &path))?;
    keep_head(folder, &head);
    Ok(())
}
