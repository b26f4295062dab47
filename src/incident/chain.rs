//! The hash chain of a journal, on its bytes alone.
//!
//! A line is `{"seq":N,"prev":"…","at":"…","actor":"…","entry":{…},"hash":"…"}`, that of a drill has
//! `"drill":true` before its entry. The hash is the
//! SHA-256 of the line's own bytes before `,"hash":`, and those bytes hold the hash of the line
//! before. So any tool that can cut a line and knows SHA-256 can check it, for ever, whatever
//! entries later versions add. Pure: reads no file and asks no clock.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Record};
use crate::digest::sha256;

/// What the first record names as the one before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Serialize, Deserialize)]
struct Body<E> {
    seq: u64,
    prev: String,
    at: Timestamp,
    actor: String,
    /// The watermark of a drill.
    #[serde(default, skip_serializing_if = "Mark::is_none")]
    drill: Mark,
    entry: E,
}

/// Whether a record is of a drill; on every line, so that none can be taken for a real one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum Mark {
    #[default]
    None,
    Drill,
}

impl Mark {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl From<bool> for Mark {
    fn from(drill: bool) -> Self {
        if drill { Self::Drill } else { Self::None }
    }
}

impl From<Mark> for bool {
    fn from(mark: Mark) -> Self {
        mark == Mark::Drill
    }
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last record; 0 for an empty journal.
    pub seq: u64,
    pub hash: String,
}

impl Head {
    /// That of a journal whose last record it is.
    pub fn of(record: &Record) -> Self {
        Self { seq: record.seq, hash: record.hash.clone() }
    }
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: GENESIS.into() }
    }
}

/// Seals an entry behind a head: the line to write (without its end) and the record.
pub fn seal(head: &Head, at: Timestamp, actor: &str, entry: Entry) -> (String, Record) {
    seal_marked(head, at, actor, Mark::None, entry)
}

/// The same with a watermark.
pub fn seal_marked(
    head: &Head,
    at: Timestamp,
    actor: &str,
    drill: Mark,
    entry: Entry,
) -> (String, Record) {
    let (seq, prev, actor) = (head.seq + 1, head.hash.clone(), actor.to_owned());
    let body = Body { seq, prev, at, actor, drill, entry };
    let mut line = serde_json::to_string(&body).expect("an entry is plain data");
    line.pop();
    let hash = sha256(line.as_bytes());
    line.push_str(&format!(",\"hash\":\"{hash}\"}}"));
    let Body { seq, actor, entry, .. } = body;
    let record = Record { seq, at, actor, drill, entry, hash };
    (line, record)
}

/// Why a line does not belong where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("record {seq} was altered: its hash does not fit its content")]
    Altered { seq: u64 },
    #[error(
        "record {seq} does not follow the record before it: one was removed, inserted or moved"
    )]
    Unlinked { seq: u64 },
    #[error("record {seq} cannot be read: {why}")]
    Unreadable { seq: u64, why: String },
    #[error("the journal ends after record {last}, but record {expected} was written")]
    Truncated { last: u64, expected: u64 },
}

/// Reads one line that must follow `head`.
pub fn open(head: &Head, line: &str) -> Result<Record, Fault> {
    let seq = head.seq + 1;
    let unreadable = |why: &str| Fault::Unreadable { seq, why: why.to_owned() };
    let (sealed, tail) = line.rsplit_once(",\"hash\":\"").ok_or_else(|| unreadable("no hash"))?;
    let hash = tail.strip_suffix("\"}").ok_or_else(|| unreadable("not a whole line"))?;
    if sha256(sealed.as_bytes()) != hash {
        return Err(Fault::Altered { seq });
    }
    read(head, sealed, hash)
}

/// The record of a line whose hash is taken as it is said.
fn read(head: &Head, sealed: &str, hash: &str) -> Result<Record, Fault> {
    let seq = head.seq + 1;
    let body: Body<Entry> = serde_json::from_str(&format!("{sealed}}}"))
        .map_err(|error| Fault::Unreadable { seq, why: error.to_string() })?;
    if body.seq != seq || body.prev != head.hash {
        return Err(Fault::Unlinked { seq });
    }
    let Body { seq, at, actor, drill, entry, .. } = body;
    Ok(Record { seq, at, actor, drill, entry, hash: hash.to_owned() })
}

/// The lines of a journal. None is one that nobody wrote so, whatever reading it as text makes of it: it is
/// no UTF-8, or holds a sign that is always written as `\\r`.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Option<&str>> {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = whole.split(|byte| *byte == b'\n').filter(|_| !bytes.is_empty());
    lines.map(|line| str::from_utf8(line).ok().filter(|line| !line.contains('\r')))
}

/// Reads a whole journal; on a fault, what stands before it is kept.
pub fn replay(bytes: &[u8]) -> (Vec<Record>, Head, Option<Fault>) {
    let mut head = Head::default();
    let mut records = Vec::new();
    for line in lines(bytes) {
        match line.map_or(Err(Fault::Altered { seq: head.seq + 1 }), |line| open(&head, line)) {
            Ok(record) => {
                head = Head { seq: record.seq, hash: record.hash.clone() };
                records.push(record);
            }
            Err(fault) => return (records, head, Some(fault)),
        }
    }
    (records, head, None)
}

/// Reads a journal from which texts were taken out; also gives the numbers of the records that lost
/// some. Only for bundles that say so: such a record is held by its place, not by its content.
pub fn replay_redacted(bytes: &[u8]) -> (Vec<Record>, Head, Option<Fault>, Vec<u64>) {
    const MARK: &str = ",\"redacted\":true,\"hash\":\"";
    let mut head = Head::default();
    let (mut records, mut redacted) = (Vec::new(), Vec::new());
    for line in lines(bytes) {
        let opened = match line.map(|line| (line, line.rsplit_once(MARK))) {
            Some((_, Some((sealed, hash)))) => {
                redacted.push(head.seq + 1);
                read(&head, sealed, hash.trim_end_matches("\"}"))
            }
            Some((line, None)) => open(&head, line),
            None => Err(Fault::Altered { seq: head.seq + 1 }),
        };
        match opened {
            Ok(record) => {
                head = Head { seq: record.seq, hash: record.hash.clone() };
                records.push(record);
            }
            Err(fault) => return (records, head, Some(fault), redacted),
        }
    }
    (records, head, None, redacted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn journal(n: usize) -> Vec<String> {
        let mut head = Head::default();
        (0..n)
            .map(|i| {
                let entry = Entry::StepEntered { step: format!("step-{i} ,\"hash\":\"x\"}}") };
                let (line, record) = seal(&head, Timestamp::UNIX_EPOCH, "ada", entry);
                head = Head { seq: record.seq, hash: record.hash };
                line
            })
            .collect()
    }

    #[test]
    fn a_sealed_journal_opens() {
        let (records, head, fault) = replay(journal(5).join("\n").as_bytes());
        assert_eq!((records.len(), head.seq, fault), (5, 5, None));
    }

    /// Written before there were pins and annotations; no later version may read it otherwise.
    #[test]
    fn a_journal_of_the_first_version_is_read_and_verified() {
        let (records, head, fault) = replay(include_bytes!("chain/old.jsonl"));
        assert_eq!((records.len(), head.seq, fault), (4, 4, None));
        assert_eq!(crate::incident::entry::number(&records), "INC-0001");
        let incident = crate::incident::Incident::replay("INC-0001", &records);
        assert!(!incident.is_open() && incident.pinned.is_empty());
        assert_eq!(incident.notes[0].2, "nobody had been handed out");
    }

    /// Read as text, it would be the sign that stood there.
    #[test]
    fn bytes_that_are_no_text_are_an_altered_record() {
        let (text, _) = seal(
            &Head::default(),
            Timestamp::UNIX_EPOCH,
            "\u{fffd}",
            Entry::Closed { violations: None },
        );
        assert_eq!(replay(text.as_bytes()).2, None);
        let at = text.find('\u{fffd}').expect("it is there");
        let bytes = [&text.as_bytes()[..at], &[0xff], &text.as_bytes()[at + 3..]].concat();
        assert_eq!(replay(&bytes).2, Some(Fault::Altered { seq: 1 }));
        let ended = [text.as_bytes(), b"\r\n"].concat();
        assert_eq!(replay(&ended).2, Some(Fault::Altered { seq: 1 }));
    }

    #[test]
    fn a_dropped_line_is_named() {
        let mut lines = journal(5);
        lines.remove(2);
        assert_eq!(replay(lines.join("\n").as_bytes()).2, Some(Fault::Unlinked { seq: 3 }));
    }

    #[test]
    fn swapped_lines_are_named() {
        let mut lines = journal(5);
        lines.swap(1, 2);
        assert_eq!(replay(lines.join("\n").as_bytes()).2, Some(Fault::Unlinked { seq: 2 }));
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_found_in_its_record(line in 0usize..4, at in 0usize..200, by in 1u8..255) {
            let mut lines: Vec<Vec<u8>> = journal(4).into_iter().map(String::into_bytes).collect();
            let bytes = &mut lines[line];
            let at = at % bytes.len();
            bytes[at] = bytes[at].wrapping_add(by);
            prop_assume!(bytes[at] != b'\n');
            let (records, _, fault) = replay(&lines.join(&b'\n'));
            prop_assert!(fault.is_some());
            prop_assert_eq!(records.len(), line);
        }
    }
}
