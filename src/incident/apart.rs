//! Apart: what one host wrote about an incident that another went on with, while it could not know.
//!
//! Nothing is mixed: the records of that host stay with it, in a folder of their own. What everybody must
//! know of them is said in one entry, above all what they changed. Pure.

use std::collections::BTreeSet;

use super::Incident;
use super::chain::{self, Head};
use super::entry::{Entry, Outcome, Record};

/// The entry about lines that somebody wrote behind records of ours; none if they do not follow them.
pub fn entry(host: &str, ours: &[Record], lines: &[String]) -> Option<Entry> {
    let begins = lines.first().and_then(|line| number(line))?;
    let common = ours.iter().take_while(|record| record.seq < begins);
    let mut all: Vec<Record> = common.cloned().collect();
    let before = Incident::replay("", &all);
    let mut head = all.last().map_or_else(Head::default, Head::of);
    for line in lines {
        let record = chain::open(&head, line).ok()?;
        head = Head::of(&record);
        all.push(record);
    }
    let own = &all[all.len() - lines.len()..];
    let after = Incident::replay("", &all);
    let last = own.last()?;
    Some(Entry::WroteApart {
        host: host.to_owned(),
        records: own.len() as u64,
        last: last.seq,
        until: last.at,
        rows: after.rows_changed().saturating_sub(before.rows_changed()),
        did: did(own, &after),
    })
}

fn number(line: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Part {
        seq: u64,
    }
    serde_json::from_str::<Part>(line).ok().map(|part| part.seq)
}

/// What came of each that was executed there, once.
fn did(own: &[Record], after: &Incident) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut did: Vec<String> = own
        .iter()
        .filter(|record| is_deed(&record.entry))
        .map(|record| {
            let step = record.entry.step().map(|step| format!("{step}: ")).unwrap_or_default();
            format!("{step}{}", record.entry.sentence())
        })
        .filter(|sentence| told.insert(sentence.clone()))
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

    fn of(entries: Vec<Entry>) -> Option<Entry> {
        let seal = |head: &Head, entry| {
            let (line, record) = chain::seal(head, clock::now(), "casey", entry);
            (Head::of(&record), line, record)
        };
        let (mut head, _, ours) =
            seal(&Head::default(), Entry::StepEntered { step: "mend".into() });
        let (_, _, theirs) = seal(&head, Entry::StepEntered { step: "other".into() });
        let mut lines = Vec::new();
        for entry in entries {
            let (next, line, _) = seal(&head, entry);
            head = next;
            lines.push(line);
        }
        entry("one", &[ours, theirs], &lines)
    }

    #[test]
    fn what_was_committed_apart_is_told_with_its_rows() {
        let started = Entry::ExecutionStarted {
            step: "mend".into(),
            op: "1".into(),
            deed: Deed::Change,
            fingerprint: String::new(),
        };
        let Some(Entry::WroteApart { records, last, rows, did, .. }) =
            of(vec![started.clone(), ended(Outcome::Committed)])
        else {
            unreachable!("they follow")
        };
        assert_eq!((records, last, rows), (2, 3, 26));
        assert_eq!(did, ["mend: change COMMITTED: 26 rows"]);
        let Some(Entry::WroteApart { did, .. }) = of(vec![started]) else {
            unreachable!("they follow")
        };
        assert_eq!(did, ["mend: the outcome of the change 1 is not known"]);
        let Some(Entry::WroteApart { rows, did, .. }) = of(vec![ended(Outcome::RolledBack)]) else {
            unreachable!("they follow")
        };
        assert_eq!((rows, did.len()), (0, 0));
    }

    #[test]
    fn lines_that_do_not_follow_tell_nothing() {
        assert_eq!(entry("one", &[], &["{\"seq\":3}".to_owned()]), None);
        assert_eq!(entry("one", &[], &[]), None);
    }
}
