//! Apart: what one host wrote about an incident that another went on with, while it could not know.
//!
//! Nothing is mixed: the records of that host stay with it, in a folder of their own. What everybody must
//! know of them is said in one entry a stretch, above all what they changed. A host may go on apart more
//! than once, and each time is a stretch of its own. Pure.

use jiff::Timestamp;
use serde::Deserialize;

use super::Incident;
use super::chain::{self, Head};
use super::entry::{Entry, Outcome, Record};

/// What tells one time that a host wrote apart from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    host: String,
    /// The number of its first record, and the hash, which journals of the first versions lack.
    first: u64,
    begins: String,
}

impl Stretch {
    pub fn of(entry: &Entry) -> Option<Self> {
        let Entry::WroteApart { host, records, last, begins, .. } = entry else { return None };
        let first = last.saturating_add(1).saturating_sub(*records);
        Some(Self { host: host.clone(), first, begins: begins.clone() })
    }

    pub fn is_same(&self, other: &Self) -> bool {
        let unnamed = self.begins.is_empty() || other.begins.is_empty();
        self.host == other.host
            && self.first == other.first
            && (unnamed || self.begins == other.begins)
    }
}

/// What these lines of a host come to, in the order of their numbers, as far as our records do not say it
/// yet. More notes are no news.
pub fn news(host: &str, ours: &[Record], lines: &[String]) -> Vec<Entry> {
    let is_news = |entry: &Entry| {
        let (now, Entry::WroteApart { did, .. }) = (Stretch::of(entry), entry) else {
            return false;
        };
        let told = ours.iter().rev().find_map(|record| match &record.entry {
            before @ Entry::WroteApart { did, .. } => {
                let same = now.as_ref()?.is_same(&Stretch::of(before)?);
                same.then_some(did)
            }
            _ => None,
        });
        told != Some(did)
    };
    let entries = stretches(lines).into_iter().map(|written| written.entry(host, ours));
    entries.filter(is_news).collect()
}

/// As much of a line as every version writes.
#[derive(Deserialize)]
struct Line {
    seq: u64,
    prev: String,
    at: Timestamp,
    hash: String,
}

/// Lines that follow each other.
struct Written {
    before: Head,
    begins: String,
    head: Head,
    until: Timestamp,
    records: Vec<Record>,
    unread: u64,
}

fn stretches(lines: &[String]) -> Vec<Written> {
    let mut all: Vec<Written> = Vec::new();
    for text in lines {
        let Ok(line) = serde_json::from_str::<Line>(text) else { continue };
        let Line { seq, prev, at, hash } = line;
        let Some(number) = seq.checked_sub(1) else { continue };
        let before = Head { seq: number, hash: prev };
        let known = all.iter().position(|written| written.head == before);
        let place = known.unwrap_or_else(|| {
            all.push(Written {
                before: before.clone(),
                begins: hash.clone(),
                head: before.clone(),
                until: at,
                records: Vec::new(),
                unread: 0,
            });
            all.len() - 1
        });
        let written = &mut all[place];
        match chain::open(&before, text) {
            Ok(record) => written.records.push(record),
            Err(_) => written.unread += 1,
        }
        (written.head, written.until) = (Head { seq, hash }, at);
    }
    all
}

impl Written {
    fn entry(self, host: &str, ours: &[Record]) -> Entry {
        let common = ours.iter().position(|record| record.hash == self.before.hash);
        let mut all = common.map_or_else(Vec::new, |last| ours[..=last].to_vec());
        let before = Incident::replay("", &all);
        all.extend(self.records.iter().cloned());
        let after = Incident::replay("", &all);
        let mut did = did(&self.records, &after);
        if self.unread > 0 {
            did.push(format!("what {} of them say cannot be read here", self.unread));
        }
        Entry::WroteApart {
            host: host.to_owned(),
            records: self.head.seq - self.before.seq,
            last: self.head.seq,
            begins: self.begins,
            until: self.until,
            rows: after.rows_changed().saturating_sub(before.rows_changed()),
            did,
        }
    }
}

/// What came of each that was executed there.
fn did(own: &[Record], after: &Incident) -> Vec<String> {
    let deeds = own.iter().filter(|record| is_deed(&record.entry));
    let mut did: Vec<String> = deeds
        .map(|record| {
            let step = record.entry.step().map(|step| format!("{step}: ")).unwrap_or_default();
            format!("{step}{}", record.entry.sentence())
        })
        .collect();
    did.extend(after.in_doubt().map(|change| {
        format!(
            "{}: the outcome of the {} {} is not known",
            change.step,
            change.deed.word(),
            change.op
        )
    }));
    did
}

fn is_deed(entry: &Entry) -> bool {
    match entry {
        Entry::Ended { outcome, .. } | Entry::Resolved { outcome, .. } => {
            *outcome == Outcome::Committed
        }
        Entry::Halted { rows, .. } => *rows > 0,
        Entry::CommandRan { .. } | Entry::Closed { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock;
    use crate::incident::entry::Deed;

    fn ended(outcome: Outcome) -> Entry {
        Entry::Ended {
            step: "mend".into(),
            op: "1".into(),
            deed: Deed::Change,
            outcome,
            rows: 26,
            why: String::new(),
            drift: None,
        }
    }

    fn seal(head: &Head, entry: Entry) -> (Head, String, Record) {
        let (line, record) = chain::seal(head, clock::now(), "casey", entry);
        (Head::of(&record), line, record)
    }

    fn entered(step: &str) -> Entry {
        Entry::StepEntered { step: step.into() }
    }

    /// Ours, and lines that follow the first of ours.
    fn world(entries: Vec<Entry>) -> (Vec<Record>, Vec<String>) {
        let (mut head, _, ours) = seal(&Head::default(), entered("mend"));
        let (_, _, theirs) = seal(&head, entered("other"));
        let mut lines = Vec::new();
        for entry in entries {
            let (next, line, _) = seal(&head, entry);
            head = next;
            lines.push(line);
        }
        (vec![ours, theirs], lines)
    }

    fn of(entries: Vec<Entry>) -> Entry {
        let (ours, lines) = world(entries);
        news("one", &ours, &lines).pop().unwrap()
    }

    fn started() -> Entry {
        Entry::ExecutionStarted {
            step: "mend".into(),
            op: "1".into(),
            deed: Deed::Change,
            fingerprint: String::new(),
        }
    }

    #[test]
    fn what_was_committed_apart_is_told_with_its_rows() {
        let Entry::WroteApart { records, last, rows, did, .. } =
            of(vec![started(), ended(Outcome::Committed)])
        else {
            unreachable!("it is one")
        };
        assert_eq!((records, last, rows), (2, 3, 26));
        assert_eq!(did, ["mend: change COMMITTED: 26 rows"]);
        let Entry::WroteApart { did, .. } = of(vec![started()]) else { unreachable!("it is one") };
        assert_eq!(did, ["mend: the outcome of the change 1 is not known"]);
        let Entry::WroteApart { rows, did, .. } = of(vec![ended(Outcome::RolledBack)]) else {
            unreachable!("it is one")
        };
        assert_eq!((rows, did.len()), (0, 0));
    }

    #[test]
    fn each_time_that_a_host_went_on_apart_is_told_and_none_hides_another() {
        let (mut ours, mut lines) = world(vec![ended(Outcome::Committed)]);
        let (_, second, _) = seal(&Head::of(&ours[1]), entered("later"));
        lines.push(second);
        // What went before this one was never laid there.
        let gone = Head { seq: 7, hash: "gone".into() };
        let (_, third, _) = seal(&gone, ended(Outcome::Committed));
        lines.push(third);
        let told = news("one", &ours, &lines);
        let deeds: Vec<usize> = told
            .iter()
            .map(|entry| match entry {
                Entry::WroteApart { did, .. } => did.len(),
                _ => unreachable!("it is one"),
            })
            .collect();
        assert_eq!(deeds, [1, 0, 1]);
        for entry in told {
            let (_, _, record) = seal(&Head::of(ours.last().unwrap()), entry);
            ours.push(record);
        }
        assert_eq!(news("one", &ours, &lines), []);
        assert_eq!(news("two", &ours, &lines).len(), 3);
        let incident = Incident::replay("", &ours);
        assert_eq!(incident.apart.iter().filter(|apart| apart.did).count(), 2);
    }

    #[test]
    fn what_is_told_again_of_one_time_takes_the_place_of_what_was() {
        let (mut ours, lines) = world(vec![started(), ended(Outcome::RolledBack)]);
        let mut old = news("one", &ours, &lines[..1]).pop().unwrap();
        // As it was written before there was such a name.
        if let Entry::WroteApart { begins, .. } = &mut old {
            begins.clear();
        }
        let (_, _, record) = seal(&Head::of(&ours[1]), old);
        ours.push(record);
        let new = news("one", &ours, &lines).pop().unwrap();
        let (_, _, record) = seal(&Head::of(&ours[2]), new);
        ours.push(record);
        let incident = Incident::replay("", &ours);
        assert_eq!(incident.apart.iter().map(|apart| apart.did).collect::<Vec<_>>(), [false]);
    }

    #[test]
    fn a_record_of_a_kind_that_nobody_here_knows_is_something_that_was_done() {
        let (ours, lines) = world(vec![entered("a")]);
        let line = lines[0].replace("step-entered", "of-later");
        let told = news("one", &ours, &[line]);
        assert!(told[0].sentence().contains("what 1 of them say cannot be read"), "{told:?}");
    }

    #[test]
    fn what_is_no_line_tells_nothing() {
        assert_eq!(news("one", &[], &["{\"seq\":3}".to_owned()]), []);
        assert_eq!(news("one", &[], &[]), []);
    }
}
