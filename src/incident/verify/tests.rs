#![allow(clippy::unwrap_used)]
use std::path::PathBuf;

use super::*;
use crate::check::{Count, Severity, Verdict};
use crate::dialect::Dialect;
use crate::digest::sha256;
use crate::incident::entry::{Deed, TargetSeen};
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
        journal
            .append(Entry::UndoWritten { op: "c1".into(), rows: 0, left_alone: 0, evidence })
            .unwrap();
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
        verify(self.0.path(), head.map(|head| head.parse().unwrap()).as_ref()).unwrap()
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

/// The undo of a chunk, the list of its keys and exported rows are evidence like any other.
#[test]
fn files_of_chunks_and_exports_are_looked_at_too() {
    let files = ["evidence/keys-c2.jsonl", "evidence/undo-c2-1.jsonl", "evidence/export-c.csv"];
    let made = || {
        let folder = Folder::new();
        let (journal, _) = Journal::open(folder.0.path(), "ada").unwrap();
        let keep = |name: &str| journal.keep(name, b"{}\n").unwrap();
        let planned = Entry::ChunksPlanned {
            step: "s".into(),
            op: "c2".into(),
            deed: Deed::Change,
            left: 1,
            done: 0,
            first: 1,
            about: 1,
            list: Some(keep("keys-c2.jsonl")),
        };
        let sent = Entry::ChunkSent {
            op: "c2".into(),
            chunk: 1,
            keys: 1,
            rows: 1,
            back: None,
            left_alone: 0,
            undo: keep("undo-c2-1.jsonl"),
            mark: String::new(),
        };
        let Evidence { file: path, sha256 } = keep("export-c.csv");
        let (check, format, rows) = ("c".into(), "csv".into(), Count::Exact(1));
        let exported = Entry::Exported { check, format, rows, path, sha256 };
        for entry in [planned, sent, exported] {
            journal.append(entry).unwrap();
        }
        folder
    };
    let report = made().verify(None);
    assert_eq!((&*report.faults, &*report.notes, report.files), (&[][..], &[][..], 6));
    for file in files {
        let folder = made();
        fs::write(folder.path(file), "{\"id\":2}\n").unwrap();
        assert!(folder.faults()[0].starts_with(&format!("{file} was altered")), "{file}");
        fs::remove_file(folder.path(file)).unwrap();
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
fn a_head_that_a_loss_of_power_took_is_called_so_and_comes_back_with_the_next_record() {
    let folder = Folder::new();
    fs::write(folder.path("head.json"), "").unwrap();
    let faults = folder.faults();
    assert!(
        faults.len() == 1 && faults[0].contains("as a loss of power may leave it"),
        "{faults:?}"
    );
    let (journal, _) = Journal::open(folder.0.path(), "ada").unwrap();
    journal.append(Entry::StepEntered { step: "close".into() }).unwrap();
    assert_eq!(folder.faults(), Vec::<String>::new());
}

#[test]
fn a_hash_written_down_elsewhere_is_found_or_missed() {
    let folder = Folder::new();
    let head = folder.verify(None).head.hash;
    assert!(folder.verify(Some(&head.to_uppercase()[..12])).is_sound());
    let (records, ..) = journal::read(folder.0.path()).unwrap();
    let earlier = folder.verify(Some(&records[2].hash));
    assert!(earlier.is_sound() && earlier.notes[0].contains("record 3 of 5"), "{earlier:?}");
    assert!(!folder.verify(Some(&"0".repeat(64))).is_sound());
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
    let outside =
        ["../../etc/passwd", "evidence/../../x", "evidence/.x", "requests/", "/etc/passwd"];
    for (at, file) in outside.into_iter().enumerate() {
        let evidence = Evidence { file: file.into(), sha256: String::new() };
        let (step, sentence) = ("g".into(), String::new());
        let entry = Entry::GuardRehearsed { step, accepted: true, sentence, evidence };
        journal.append(entry).unwrap();
        let faults = folder.faults();
        assert!(faults.len() == at + 1 && faults.iter().all(|one| one.contains("outside")));
    }
}

#[test]
fn a_link_out_of_the_folder_is_a_fault_and_gets_into_no_bundle() {
    use std::os::unix::fs::symlink;
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "{\"id\":1}\n").unwrap();
    for part in ["runbook.toml", "journal.jsonl", "evidence/sample-1.jsonl", "evidence"] {
        let folder = Folder::new();
        let path = folder.path(part);
        let moved = secret.path().with_extension(part.replace('/', "-"));
        fs::rename(&path, &moved).unwrap();
        symlink(&moved, &path).unwrap();
        assert!(folder.faults().iter().any(|fault| fault.contains("is a link")), "{part}");
        let made = crate::incident::bundle::gather(
            folder.0.path(),
            "INC-0001",
            "",
            &[],
            false,
            jiff::Timestamp::UNIX_EPOCH,
        );
        // A link in the evidence is left out, any other refused.
        let names = made.map(|made| format!("{made:?}")).unwrap_or_default();
        assert!(!names.contains("sample-1") || !part.contains("sample"), "{part}: {names}");
        assert!(!names.contains("runbook.toml") || part != "runbook.toml", "{part}: {names}");
        if moved.is_dir() { fs::remove_dir_all(moved) } else { fs::remove_file(moved) }.unwrap();
    }
}

mod any_change {
    use proptest::prelude::*;

    use super::*;

    /// What somebody does to the bytes of a journal.
    #[derive(Debug, Clone)]
    enum Edit {
        Change(u8),
        Insert(u8),
        Remove,
        Cut,
        Double,
        Swap(usize),
    }

    fn edit() -> impl Strategy<Value = Edit> {
        prop_oneof![
            (1u8..=255).prop_map(Edit::Change),
            any::<u8>().prop_map(Edit::Insert),
            Just(Edit::Remove),
            Just(Edit::Cut),
            Just(Edit::Double),
            (0usize..10_000).prop_map(Edit::Swap),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        /// Whatever it is, and wherever: it is found, and named is the record that it happened to or,
        /// where two ran together or one is gone, the one that no longer follows.
        #[test]
        fn is_found_and_named(at in 0usize..10_000, edit in edit()) {
            thread_local!(static FOLDER: (Folder, Vec<u8>) = {
                let folder = Folder::new();
                let bytes = fs::read(folder.path("journal.jsonl")).unwrap();
                (folder, bytes)
            });
            FOLDER.with(|(folder, whole)| {
                let mut bytes = whole.clone();
                let at = at % bytes.len();
                match edit {
                    Edit::Change(by) => bytes[at] = bytes[at].wrapping_add(by),
                    Edit::Insert(byte) => bytes.insert(at, byte),
                    Edit::Remove => drop(bytes.remove(at)),
                    Edit::Cut => bytes.truncate(at),
                    Edit::Double => bytes.insert(at, bytes[at]),
                    Edit::Swap(with) => { let with = with % bytes.len(); bytes.swap(at, with) }
                }
                prop_assume!(bytes != *whole);
                let first = bytes.iter().zip(whole).position(|(a, b)| a != b);
                let first = first.unwrap_or(bytes.len().min(whole.len()).saturating_sub(1));
                // A line that was added behind the last is a record too many.
                let record = line_of(whole, first) + u64::from(bytes.starts_with(whole));
                fs::write(folder.path("journal.jsonl"), &bytes).unwrap();
                let report = folder.verify(None);
                prop_assert!(!report.is_sound(), "{edit:?} at {at}");
                // What stands before is trusted, nothing else is.
                prop_assert!(report.records < record || report.faults[0].contains(&format!("record {record}")),
                    "{edit:?} at {at}, in record {record}: {report:?}");
                // Of what was cut off, the record before is the last that is known.
                let named = (record.saturating_sub(1)..=record + 1)
                    .any(|n| report.faults.iter().any(|fault| fault.contains(&format!("record {n}"))));
                prop_assert!(named || bytes.is_empty() || record == 1, "{edit:?} at {at}, in record {record}: {report:?}");
                Ok(())
            })?;
        }
    }

    #[test]
    fn a_journal_cut_inside_a_record_loses_no_other_and_says_so() {
        let folder = Folder::new();
        let path = folder.path("journal.jsonl");
        let whole = fs::read(&path).unwrap();
        for cut in (1..whole.len()).step_by(7) {
            fs::write(&path, &whole[..cut]).unwrap();
            fs::remove_file(folder.path("head.json")).unwrap_or_default();
            let complete = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
            let (_, records) = Journal::open(folder.0.path(), "ada").unwrap();
            let torn = usize::from(whole[cut - 1] != b'\n');
            assert_eq!(records.len(), complete + torn, "cut at {cut}");
            let aside = fs::read(folder.path("journal.torn")).unwrap_or_default();
            let start =
                whole[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            assert!(torn == 0 || aside == whole[start..cut], "cut at {cut}");
        }
    }
}
