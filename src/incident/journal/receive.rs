//! Lines of the same chain that another host wrote. Each must follow the one before, like any other, or
//! none is taken.

use std::io::Write as _;

use super::awaited::expect;
use super::mend::{Mended, mended};
use super::{JournalError, io_error, keep_head, settle, sync_head};
use crate::incident::chain::{self, Head};
use crate::incident::lease::Lease;

/// Appends them; whoever does has the lease here, so that nobody else writes.
pub fn receive(lease: &Lease, lines: &[String]) -> Result<(), JournalError> {
    let folder = lease.folder();
    settle(folder)?;
    let path = folder.join("journal.jsonl");
    let Mended { mut file, mut head, .. } = mended(lease)?;
    let (mut records, mut text) = (Vec::new(), String::new());
    for line in lines {
        let record = chain::open(&head, line)?;
        head = Head { seq: record.seq, hash: record.hash.clone() };
        text.extend([line, "\n"]);
        records.push(record);
    }
    if !lease.is_ours() {
        return Err(JournalError::Lost);
    }
    expect(lease, &records)?;
    file.write_all(text.as_bytes()).map_err(io_error("cannot write", &path))?;
    file.sync_data().map_err(io_error("cannot write", &path))?;
    // Whoever took it meanwhile has a journal of their own, and its head.
    if !lease.is_ours() {
        return Err(JournalError::Lost);
    }
    keep_head(folder, &head);
    sync_head(folder);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::incident::entry::Entry;
    use crate::incident::journal::{Journal, bytes, read};

    #[test]
    fn whoever_lost_the_lease_receives_nothing() {
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (journal, _) = Journal::open(theirs.path(), "ada").unwrap();
        journal.append(Entry::StepEntered { step: "one".into() }).unwrap();
        let line = String::from_utf8(bytes(theirs.path()).unwrap()).unwrap();
        let lease = Lease::take(ours.path(), "the store").unwrap();
        std::fs::remove_file(ours.path().join("writer.lock")).unwrap();
        let received = receive(&lease, &[line.trim_end().to_owned()]);
        assert!(matches!(received, Err(JournalError::Lost)), "{received:?}");
        assert!(!ours.path().join("head.json").exists());
    }

    #[test]
    fn a_half_written_record_is_put_aside_before_a_line_is_received() {
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (journal, _) = Journal::open(theirs.path(), "ada").unwrap();
        for step in ["one", "two"] {
            journal.append(Entry::StepEntered { step: step.into() }).unwrap();
        }
        let all = String::from_utf8(bytes(theirs.path()).unwrap()).unwrap();
        let (one, two) = all.trim_end().split_once('\n').unwrap();
        let lease = Lease::take(ours.path(), "the store").unwrap();
        receive(&lease, &[one.to_owned()]).unwrap();
        let torn = &two[..20];
        std::fs::write(ours.path().join("journal.jsonl"), format!("{one}\n{torn}")).unwrap();
        receive(&lease, &[two.to_owned()]).unwrap();
        assert_eq!(bytes(ours.path()).unwrap(), all.as_bytes());
        assert!(read(ours.path()).unwrap().2.is_none());
        // No record told of it yet; whoever goes on does.
        drop(lease);
        let (_, records) = Journal::open(ours.path(), "bob").unwrap();
        let bytes = torn.len();
        assert_eq!(records.last().map(|last| &last.entry), Some(&Entry::TornTail { bytes }));
        assert_eq!(std::fs::read(ours.path().join("journal.torn")).unwrap(), torn.as_bytes());
        let (_, again) = Journal::open(ours.path(), "bob").unwrap();
        assert_eq!(again.len(), records.len());
    }
}
