//! Whether an incident's folder is as it was written: the chain, its head, the frozen runbook, every
//! file of evidence.
//!
//! Needs nothing but the folder. Everything wrong is listed, the first altered record by its number.
//! What comes after a broken record is not trusted, so the files that only it names are not vouched
//! for.

use std::fs;
use std::io;
use std::path::Path;

use super::Incident;
use super::bundle::{ABOUT, Opened, not_a_link};
use super::chain::{self, Fault, Head};
use super::entry::{self, Entry, Evidence, Record};
use super::journal::{self, EVIDENCE, HEAD, JournalError, REQUESTS};
use super::store;
use crate::digest::{self, Beginning};
use crate::value::counted;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What it is called: in its folder by that, in a bundle as where it was opened.
    pub incident: String,
    /// Records that stand.
    pub records: u64,
    pub head: Head,
    /// Files whose content fits its digest.
    pub files: usize,
    /// Files that another host wrote and that were not brought here: nothing can be said of them.
    pub not_brought: Vec<NotBrought>,
    /// What other hosts did that these records do not tell, a sentence each.
    pub apart: Vec<String>,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
    /// What is worth knowing and is not wrong.
    pub notes: Vec<String>,
}

/// A file that lies with whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotBrought {
    pub file: String,
    actor: String,
    seq: u64,
}

impl NotBrought {
    pub fn place(&self) -> String {
        format!("it lies on the host where {} wrote record {}", self.actor, self.seq)
    }
}

impl Report {
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Checks a folder; `head` was written down elsewhere.
pub fn verify(folder: &Path, head: Option<&Beginning>) -> Result<Report, JournalError> {
    let mut report = whole(folder, head)?;
    report.incident = store::name(folder);
    Ok(report)
}

fn whole(folder: &Path, head: Option<&Beginning>) -> Result<Report, JournalError> {
    let (records, found, fault) = journal::read(folder)?;
    Ok(judge(folder, head, records, found, fault, Whole::Yes))
}

/// Whether everything is to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    /// Texts and evidence were taken out.
    Redacted,
}

/// Checks the folder of a bundle that was unpacked.
pub fn verify_bundle(bundle: &Opened, head: Option<&Beginning>) -> Result<Report, JournalError> {
    let folder = bundle.folder.path();
    let mut report = if bundle.about.redacted {
        let bytes = journal::bytes(folder)?;
        let (records, found, fault, lost) = chain::replay_redacted(&bytes);
        let all = records.len();
        let mut report = judge(folder, head, records, found, fault, Whole::Redacted);
        report.note(format!(
            "{} of {all} records were redacted: their hashes hold the chain, their content cannot be proved from here",
            lost.len()
        ));
        report.note(format!(
            "{} of evidence left out; the journal holds the digests",
            counted(bundle.about.left_out.len(), "file")
        ));
        if lost.last().is_some_and(|last| *last == report.head.seq) {
            report.note("the last record is one of them, so nothing after it confirms its hash");
        }
        report
    } else {
        whole(folder, head)?
    };
    if bundle.about.head != report.head {
        report.fault(format!("{ABOUT} names another head than the journal has"));
    }
    for fault in &bundle.about.faults {
        if !report.faults.contains(fault) {
            report.fault(format!("{fault} (seen when the bundle was made)"));
        }
    }
    report.faults.splice(0..0, bundle.faults.iter().cloned());
    Ok(report)
}

fn judge(
    folder: &Path,
    head: Option<&Beginning>,
    records: Vec<Record>,
    found: Head,
    fault: Option<Fault>,
    whole: Whole,
) -> Report {
    let mut report = Report {
        incident: entry::number(&records).to_owned(),
        records: found.seq,
        head: found,
        files: 0,
        not_brought: Vec::new(),
        apart: Vec::new(),
        faults: Vec::new(),
        notes: Vec::new(),
    };
    let text = fs::read(folder.join("journal.jsonl")).unwrap_or_default();
    for part in ["journal.jsonl", HEAD, EVIDENCE, REQUESTS] {
        if let Err(error) = not_a_link(&folder.join(part)) {
            report.fault(error.to_string());
        }
    }
    report.lines(&text, fault);
    report.head_file(folder, &records);
    if let Some(head) = head {
        report.written_down(head, &records);
    }
    report.runbook(folder, &records);
    report.apart(&records);
    if whole == Whole::Yes {
        report.evidence(folder, &records);
    }
    report
}

impl Report {
    fn fault(&mut self, sentence: impl Into<String>) {
        self.faults.push(sentence.into());
    }

    fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    fn lines(&mut self, bytes: &[u8], fault: Option<Fault>) {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = line_of(bytes, whole) - 1;
        if let Some(fault) = fault {
            self.fault(fault.to_string());
            let after = lines.saturating_sub(self.records + 1);
            if after > 0 {
                self.fault(format!(
                    "{after} lines after it cannot be trusted and were not looked at"
                ));
            }
        }
        if self.records == 0 && self.faults.is_empty() {
            self.fault("the journal holds no record");
        }
        if whole < bytes.len() {
            let torn = bytes.len() - whole;
            self.note(format!("{torn} bytes of an unfinished record stand at the end; opening the incident puts them aside"));
        }
    }

    /// The head beside the journal was written after each record, so it may be one record behind.
    fn head_file(&mut self, folder: &Path, records: &[Record]) {
        let kept = fs::read(folder.join(HEAD)).ok();
        let Some(kept) = kept else {
            self.fault("head.json is missing, so a journal cut at its end could not be noticed");
            return;
        };
        if kept.is_empty() {
            self.fault("head.json is empty, as a loss of power may leave it: a journal cut at its end could not be noticed");
            return;
        }
        let Ok(kept) = serde_json::from_slice::<Head>(&kept) else {
            self.fault("head.json cannot be read");
            return;
        };
        let known = records.iter().find(|record| record.seq == kept.seq);
        match known {
            Some(record) if record.hash != kept.hash => {
                self.fault(format!("head.json names another record {} than the journal holds", kept.seq));
            }
            Some(_) if kept.seq < self.head.seq => self.note(format!(
                "head.json names record {}, the journal goes on to {}: the program ended between the two",
                kept.seq, self.head.seq
            )),
            // A head beyond the journal's end is a fault of the chain, which is listed already.
            Some(_) | None => {}
        }
    }

    fn written_down(&mut self, head: &Beginning, records: &[Record]) {
        match records.iter().find(|record| head.begins(&record.hash)) {
            Some(record) if record.seq == self.head.seq => {
                self.note("the head is the one that was written down");
            }
            Some(record) => self.note(format!(
                "the hash that was written down is that of record {} of {}: up to there nothing was altered",
                record.seq, self.head.seq
            )),
            None => self.fault(format!(
                "no record has the hash {head} that was written down: this is not the journal it was taken from, or it was altered since"
            )),
        }
    }

    fn runbook(&mut self, folder: &Path, records: &[Record]) {
        let digest = records.iter().find_map(|record| match &record.entry {
            Entry::Opened { runbook_sha256, .. } => Some(runbook_sha256),
            _ => None,
        });
        if let Some(digest) = digest {
            let runbook = Evidence { file: "runbook.toml".into(), sha256: digest.clone() };
            self.file(folder, &runbook, 1);
        }
    }

    fn apart(&mut self, records: &[Record]) {
        for apart in Incident::replay("", records).apart {
            self.note(format!("not among these records: {}", apart.sentence));
            if apart.did {
                self.apart.push(apart.sentence);
            }
        }
    }

    /// Whether everything that was written and done is here.
    pub fn is_whole(&self) -> bool {
        self.not_brought.is_empty() && self.apart.is_empty()
    }

    fn evidence(&mut self, folder: &Path, records: &[Record]) {
        let named = entry::files(records);
        let awaited = journal::awaited(folder, records).unwrap_or_else(|error| {
            self.fault(error.to_string());
            Vec::new()
        });
        for (evidence, seq) in named.values() {
            let file = &evidence.file;
            if !evidence.is_inside() {
                self.fault(format!(
                    "record {seq} names {file}, which lies outside of the incident"
                ));
            } else if awaited.contains(evidence) && fs::symlink_metadata(folder.join(file)).is_err()
            {
                let written = records.iter().find(|record| record.seq == *seq);
                let actor = written.map(|record| record.actor.clone()).unwrap_or_default();
                let away = NotBrought { file: file.clone(), actor, seq: *seq };
                self.note(format!("{file} was not brought here: {}", away.place()));
                self.not_brought.push(away);
            } else {
                self.file(folder, evidence, *seq);
            }
        }
        let files = |inside: &'static str| {
            let there = fs::read_dir(folder.join(inside)).into_iter().flatten().flatten();
            there.map(move |entry| format!("{inside}/{}", entry.file_name().to_string_lossy()))
        };
        let mut unnamed: Vec<String> = files(EVIDENCE)
            .chain(files(REQUESTS))
            .filter(|file| !named.contains_key(file.as_str()))
            .collect();
        unnamed.sort();
        for file in unnamed {
            self.note(format!("no record names {file}"));
        }
    }

    fn file(&mut self, folder: &Path, Evidence { file, sha256 }: &Evidence, seq: u64) {
        let path = folder.join(file);
        match not_a_link(&path).and_then(|()| digest::of_file(&path)) {
            Ok((_, found)) if found == *sha256 => self.files += 1,
            Ok(_) => self.fault(format!("{file} was altered: it is not what record {seq} names")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.fault(format!("{file} is missing: record {seq} names it"));
            }
            Err(error) => self.fault(format!("{file} cannot be read: {error}")),
        }
    }
}

/// The number of the line that a byte stands in, from 1.
fn line_of(bytes: &[u8], at: usize) -> u64 {
    bytes[..at].split(|byte| *byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests;
