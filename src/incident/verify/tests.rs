#![allow(clippy::unwrap_used)]
use std::path::PathBuf;

use super::*;
use crate::check::{Severity, Verdict};
use crate::dialect::Dialect;
use crate::digest::sha256;
use crate::incident::entry::TargetSeen;
use crate::incident::journal::Journal;

/// As a line writes it; bare, the letters also turn up in a hash.
const AUTHOR: &str = "\"ada\"";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
        fs::write(folder.path().join("runbook.toml"), "id = \"r\"\n").unwrap();
        let target = TargetSeen {
            name: "erp".into(),
            url: String::new(),
            dialect: Dialect::Sqlite,
            environment: "production".into(),
            server: String::new(),
            version: String::new(),
        };
        let opened = Entry::Opened {
            incident: "INC-0001".into(),
            runbook: "r".into(),
            runbook_sha256: sha256(b"id = \"r\"\n"),
            title: "t".into(),
            severity: Severity::Sev2,
            target,
            program: String::new(),
            host: String::new(),
            demo: false,
        };
        journal.append(opened).unwrap();
        let sample = Some(journal.keep("sample-1.jsonl", b"{\"id\":1}\n").unwrap());
        let (check, verdict) = ("c".into(), Verdict::Clear);
        journal
            .append(Entry::Checked {
                step: None,
                check,
                verdict,
                seconds: 0.1,
                delta: None,
                sample,
            })
            .unwrap();
        let evidence = journal.keep("undo-c1.jsonl", b"{}\n").unwrap();
        journal.append(Entry::UndoWritten { op: "c1".into(), rows: 0, evidence }).unwrap();
        journal.append(Entry::StepEntered { step: "close".into() }).unwrap();
        journal.append(Entry::Closed { violations: None }).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn lines(&self, change: impl FnOnce(&mut Vec<String>)) {
        let path = self.path("journal.jsonl");
        let mut lines: Vec<String> =
            fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(&path, lines.into_iter().map(|line| line + "\n").collect::<String>()).unwrap();
    }

    fn faults(&self) -> Vec<String> {
        self.verify(None).faults
    }

    fn verify(&self, head: Option<&str>) -> Report {
        verify(self.0.path(), head).unwrap()
    }
}

#[test]
fn an_untouched_folder_is_sound() {
    let report = Folder::new().verify(None);
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(report.notes, Vec::<String>::new());
    assert_eq!((report.records, report.files), (5, 3));
}

#[test]
fn whatever_happens_to_a_line_names_the_record() {
    for seq in 1..=5u64 {
        let at = usize::try_from(seq).unwrap() - 1;
        let first = |change: &dyn Fn(&mut Vec<String>)| {
            let folder = Folder::new();
            folder.lines(change);
            folder.faults().first().cloned().unwrap_or_default()
        };
        let changed = first(&|lines| lines[at] = lines[at].replace(AUTHOR, "\"eve\""));
        assert!(changed.contains(&format!("record {seq} was altered")), "{changed}");
        let rehashed = first(&|lines| {
            let (head, _) = lines[at].split_once(",\"hash\"").unwrap();
            let head = head.replace(AUTHOR, "\"eve\"");
            lines[at] = format!("{head},\"hash\":\"{}\"}}", sha256(head.as_bytes()));
        });
        // The record itself is sound now; the next one, or the head, gives it away.
        let given_away = if seq < 5 {
            format!("record {} does not follow", seq + 1)
        } else {
            "head.json names another record 5".into()
        };
        assert!(rehashed.contains(&given_away), "{rehashed}");
        let dropped = first(&|lines| drop(lines.remove(at)));
        let named = if seq < 5 {
            format!("record {seq} does not follow")
        } else {
            "ends after record 4, but record 5".into()
        };
        assert!(dropped.contains(&named), "{dropped}");
        let cut = first(&|lines| lines.truncate(at));
        assert!(cut.contains(&format!("ends after record {}, but record 5", seq - 1)), "{cut}");
        let ended = first(&|lines| lines[at].push('\r'));
        assert!(ended.contains(&format!("record {seq} was altered")), "{ended}");
        let doubled = first(&|lines| lines.insert(at, lines[at].clone()));
        assert!(doubled.contains(&format!("record {} does not follow", seq + 1)), "{doubled}");
        if seq < 5 {
            let swapped = first(&|lines| lines.swap(at, at + 1));
            assert!(swapped.contains(&format!("record {seq} does not follow")), "{swapped}");
        }
    }
}

#[test]
fn whatever_happens_to_a_file_names_it() {
    for file in ["runbook.toml", "evidence/sample-1.jsonl", "evidence/undo-c1.jsonl"] {
        let folder = Folder::new();
        let path = folder.path(file);
        fs::write(&path, fs::read_to_string(&path).unwrap() + " ").unwrap();
        assert!(folder.faults()[0].starts_with(&format!("{file} was altered")), "{file}");
        fs::remove_file(&path).unwrap();
        assert!(folder.faults()[0].starts_with(&format!("{file} is missing")), "{file}");
    }
}

#[test]
fn everything_wrong_is_listed_at_once() {
    let folder = Folder::new();
    folder.lines(|lines| lines[3] = lines[3].replace("close", "other"));
    fs::remove_file(folder.path("head.json")).unwrap();
    fs::remove_file(folder.path("runbook.toml")).unwrap();
    fs::write(folder.path("evidence/sample-1.jsonl"), "").unwrap();
    assert_eq!(folder.faults().len(), 5, "{:?}", folder.faults());
}

#[test]
fn a_hash_written_down_elsewhere_is_found_or_missed() {
    let folder = Folder::new();
    let head = folder.verify(None).head.hash;
    assert!(folder.verify(Some(&head.to_uppercase()[..12])).is_sound());
    let (records, ..) = journal::read(folder.0.path()).unwrap();
    let earlier = folder.verify(Some(&records[2].hash));
    assert!(earlier.is_sound() && earlier.notes[0].contains("record 3 of 5"), "{earlier:?}");
    for wrong in ["", "abc", "zzzzzzzzzz", &"0".repeat(64)] {
        assert!(!folder.verify(Some(wrong)).is_sound(), "{wrong}");
    }
    // Without the head, a journal that was cut and its head file with it look sound.
    folder.lines(|lines| lines.truncate(4));
    let head_file = Head { seq: 4, hash: records[3].hash.clone() };
    fs::write(folder.path("head.json"), serde_json::to_string(&head_file).unwrap()).unwrap();
    assert!(folder.verify(None).is_sound());
    assert!(!folder.verify(Some(&head)).is_sound());
}

#[test]
fn what_is_left_over_is_noted() {
    let folder = Folder::new();
    fs::write(folder.path("evidence/stray.json"), "").unwrap();
    let path = folder.path("journal.jsonl");
    fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"seq\":6").unwrap();
    let report = folder.verify(None);
    assert!(report.is_sound());
    assert_eq!(report.notes.len(), 2, "{report:?}");
}

#[test]
fn a_record_cannot_point_outside() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(folder.0.path(), "ada").unwrap();
    let evidence = Evidence { file: "../../etc/passwd".into(), sha256: String::new() };
    let entry = Entry::GuardRehearsed {
        step: "g".into(),
        accepted: true,
        sentence: String::new(),
        evidence,
    };
    journal.append(entry).unwrap();
    assert!(folder.faults()[0].contains("outside"));
}
