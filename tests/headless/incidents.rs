//! `incidents`, `postmortem`, `verify` on folders that the library wrote and somebody else altered.

use std::fs;
use std::path::{Path, PathBuf};

use steadyhand::check::{Count, Severity, Verdict};
use steadyhand::dialect::Dialect;
use steadyhand::digest::sha256;
use steadyhand::incident::entry::{Entry, Milestone, NoteKind, Origin, TargetSeen};
use steadyhand::incident::journal::Journal;
use steadyhand::incident::store;

use super::common::Home;
use super::run;

/// An open incident, and one that was closed.
pub fn incidents() -> (Home, PathBuf) {
    let home = Home::new();
    let state = home.path("state/steadyhand");
    let first = incident(&state);
    incident(&state).append(Entry::Closed { violations: None }).unwrap();
    let folder = first.folder();
    (home, folder)
}

fn incident(state: &Path) -> Journal {
    let (id, folder) = store::create(state).unwrap();
    let (journal, _) = Journal::open(&folder, "casey").unwrap();
    let runbook = include_str!("../../runbooks/reliability/asset-double-assignment.toml");
    fs::write(folder.join("runbook.toml"), runbook).unwrap();
    let target = TargetSeen {
        name: "erp-prod".into(),
        url: "sqlite:///srv/erp.db".into(),
        dialect: Dialect::Sqlite,
        environment: "production".into(),
        server: "/srv/erp.db#1:2".into(),
        version: "3.50.4".into(),
    };
    let opened = Entry::Opened {
        incident: id,
        runbook: "asset-double-assignment".into(),
        runbook_sha256: sha256(runbook.as_bytes()),
        title: "Asset assigned to two people".into(),
        severity: Severity::Sev2,
        target,
        program: "steadyhand".into(),
        host: "bastion".into(),
        demo: false,
    };
    let at = journal.append(opened).unwrap().at;
    let sample = Some(journal.keep("sample.jsonl", b"{\"asset_id\":17}\n").unwrap());
    let verdict = Verdict::from_count(Count::Exact(12));
    let check = "asset-double-assignment".into();
    let text = "the \u{1b}[31mimport stopped".into();
    for entry in [
        Entry::Checked {
            step: Some("count".into()),
            check,
            verdict,
            seconds: 0.1,
            delta: None,
            sample,
        },
        Entry::Milestone { which: Milestone::Detected, at, origin: Origin::Auto },
        Entry::Note { at, note: NoteKind::Luck, text },
        Entry::StepEntered { step: "count".into() },
    ] {
        journal.append(entry).unwrap();
    }
    journal
}

#[test]
fn incidents_are_listed_also_damaged_ones() {
    let (home, folder) = incidents();
    let ran = run(&home, &["incidents"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(
        lines[1].starts_with("INC-0001  open") && lines[1].contains("erp-prod  count"),
        "{}",
        ran.out
    );
    assert!(lines[2].starts_with("INC-0002  closed"), "{}", ran.out);
    fs::write(folder.join("journal.jsonl"), "\0garbage\n").unwrap();
    let ran = run(&home, &["incidents", "--format", "json"]);
    let lines = ran.lines();
    assert_eq!(
        (ran.code, lines[0]["state"].as_str(), lines[1]["state"].as_str()),
        (0, Some("damaged"), Some("closed"))
    );
    assert_eq!(lines[2]["summary"], serde_json::json!({"incidents": 2, "open": 0, "damaged": 1}));
    let none = run(&Home::new(), &["incidents"]).out;
    assert!(
        none.starts_with("no incidents in /") && none.ends_with("state/steadyhand\n"),
        "{none}"
    );
}

#[test]
fn the_card_is_of_the_only_open_incident_and_of_several_it_asks_which() {
    let (home, _) = incidents();
    let ran = run(&home, &["handover"]);
    assert!(ran.code == 0 && ran.out.contains("INC-0001"), "{}{}", ran.out, ran.err);
    incident(&home.path("state/steadyhand"));
    let ran = run(&home, &["handover"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert!(ran.err.contains("INC-0001 and INC-0003 are open: name the one"), "{}", ran.err);
    let ran = run(&Home::new(), &["handover"]);
    assert!(ran.code == 4 && ran.err.contains("no incident is open"), "{}", ran.err);
}

#[test]
fn what_incidents_saw_of_a_check_is_told_with_its_history() {
    let (home, _) = incidents();
    let args = ["history", "asset-double-assignment"];
    let ran = run(&home, &args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("no run of asset-double-assignment is remembered"), "{}", ran.out);
    let told = |id: &str| {
        ran.out.lines().any(|line| {
            line.starts_with(id) && line.contains("erp-prod") && line.contains("12 violations")
        })
    };
    assert!(told("INC-0001") && told("INC-0002"), "{}", ran.out);
    let ran = run(&home, &[&args[..], &["--format", "json"]].concat());
    let lines = ran.lines();
    assert_eq!(lines.len(), 3, "{}", ran.out);
    let first = &lines[0]["in_incident"];
    assert_eq!((&first["incident"], &first["check"]), (&"INC-0001".into(), &args[1].into()));
    assert_eq!(lines[2]["summary"], serde_json::json!({"trends": 0, "in_incidents": 2}));
    let ran = run(&home, &["history", "orphans"]);
    assert_eq!(ran.out, "no runs are remembered\n");
    let ran = run(&home, &["history", "orphans", "--format", "json"]);
    assert_eq!(ran.out, "{\"summary\":{\"trends\":0,\"in_incidents\":0}}\n");
}

/// Beside runs, and with a journal that cannot be read.
#[test]
fn runs_come_first_in_a_history_and_what_is_damaged_is_told() {
    let (home, folder) = incidents();
    let runs = home.path("state/steadyhand/history/erp-prod");
    fs::create_dir_all(&runs).unwrap();
    let run_of = r#"{"at":"2026-11-07T02:00:00Z","seconds":1.0,"target":"erp-prod","suites":["nightly"],"seen":[{"check":"asset-double-assignment","severity":"sev2","state":"violated","number":1.0,"seconds":0.1}]}"#;
    fs::write(runs.join("2026-11.jsonl"), format!("{run_of}\n")).unwrap();
    fs::write(folder.join("journal.jsonl"), "\0garbage\n").unwrap();
    let args = ["history", "asset-double-assignment"];
    let ran = run(&home, &[&args[..], &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("INC-0001 is left out: "), "{}", ran.err);
    let lines = ran.lines();
    assert_eq!((&lines[0]["check"], &lines[0]["turns"]), (&args[1].into(), &0.into()));
    assert_eq!(lines[1]["in_incident"]["incident"], "INC-0002");
    assert_eq!(lines[2]["summary"], serde_json::json!({"trends": 1, "in_incidents": 1}));
    let ran = run(&home, &args);
    assert!(ran.out.contains("first look") && ran.out.contains("last look"), "{}", ran.out);
}

/// 0x9b begins a control sequence as well as escape and a bracket do, and JSON lets it stand.
#[test]
fn what_a_journal_holds_does_not_control_a_terminal() {
    let (home, folder) = incidents();
    let (journal, _) = Journal::open(&folder, "\u{9b}31mrobin").unwrap();
    let sample = Some(journal.keep("late.jsonl", b"{}\n").unwrap());
    let verdict = Verdict::from_count(Count::Exact(1));
    let check = "orphans".into();
    journal
        .append(Entry::Checked { step: None, check, verdict, seconds: 0.1, delta: None, sample })
        .unwrap();
    let text = "\u{9b}2J \u{202e}gone".into();
    let at = "2026-11-22T02:00:00Z".parse().unwrap();
    journal.append(Entry::Note { at, note: NoteKind::Observation, text }).unwrap();
    drop(journal);
    fs::remove_file(folder.join("evidence/late.jsonl")).unwrap();
    fs::write(folder.join("awaited.json"), "[\"evidence/late.jsonl\"]").unwrap();
    for (args, told) in [
        (&["handover", "1", "--format", "json"][..], "\\u009b2J \\u202egone"),
        (&["bundle", "1"], "not in it: evidence/late.jsonl; it lies on the host where "),
        (&["bundle", "1", "--output", "none/one.tar"], "choose another place with --output"),
    ] {
        let ran = run(&home, args);
        let said = ran.out + &ran.err;
        assert!(said.contains(told), "{args:?}: {said}");
        assert!(!said.contains(['\u{9b}', '\u{202e}']), "{args:?}: {said}");
    }
}

/// A slip of the hand accuses nobody, and asks for nothing less.
#[test]
fn verify_refuses_what_is_no_hash_and_a_list_that_is_not_there() {
    let (home, _) = incidents();
    assert_eq!(run(&home, &["bundle", "1", "--output", "one.tar"]).code, 0);
    for which in ["1", "one.tar"] {
        for (more, said) in [
            (["--head", "xyz"], "at least 8 hexadecimal digits"),
            (["--head", "ab12"], "at least 8 hexadecimal digits"),
            (["--signers", "nobody"], "nobody: No such file"),
            (["--signers", "/"], "/: Is a directory"),
        ] {
            let ran = run(&home, &[&["verify", which][..], &more].concat());
            assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{more:?}: {}", ran.err);
            assert!(ran.err.contains(said), "{more:?}: {}", ran.err);
        }
    }
}

#[test]
fn of_a_file_that_was_not_brought_only_is_said_what_is_known() {
    let (home, folder) = incidents();
    fs::remove_file(folder.join("evidence/sample.jsonl")).unwrap();
    fs::write(folder.join("awaited.json"), "[\"evidence/sample.jsonl\"]").unwrap();
    let ran = run(&home, &["verify", "1"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let known = "was not brought here: it lies on the host where casey wrote record 2";
    assert!(ran.out.contains(known) && !ran.out.contains("the store"), "{}", ran.out);
    // A list that cannot be read is not an empty one.
    fs::write(folder.join("awaited.json"), "[").unwrap();
    let ran = run(&home, &["verify", "1"]);
    assert!(ran.code == 2 && ran.out.contains("awaited.json: EOF"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_postmortem_is_complete_and_nothing_in_the_folder_changes() {
    let (home, folder) = incidents();
    let before = home.files("state");
    let ran = run(&home, &["postmortem", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.starts_with("# Postmortem INC-0001: Asset assigned to two people\n"),
        "{}",
        ran.out
    );
    // From the frozen runbook.
    assert!(
        ran.out.contains("Run asset-double-assignment before each deployment of the import"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("the \\\\e\\[31mimport stopped"), "{}", ran.out);
    assert!(
        ran.err.contains(
            "Contributing factors (needed), Why we were surprised (needed), What went well,"
        ),
        "{}",
        ran.err
    );
    assert_eq!(home.files("state"), before);
    let whole = steadyhand::postmortem::replace_part(&ran.out, "surprise", "it ran twice");
    fs::write(folder.join("postmortem.md"), whole).unwrap();
    let ran = run(&home, &["postmortem", "INC-0001", "--output", "pm.md"]);
    assert_eq!(ran.out, "postmortem of INC-0001 written to pm.md\n");
    let text = fs::read_to_string(home.work().join("pm.md")).unwrap();
    assert!(text.contains("it ran twice") && !ran.err.contains("surprised"), "{}", ran.err);
    let ran = run(&home, &["postmortem", "INC-0001", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&json["incident"], &json["yours"]["surprise"]),
        (&"INC-0001".into(), &"it ran twice".into())
    );
    assert!(!ran.out.contains('\u{1b}'));
}

#[test]
fn a_folder_that_was_copied_away_verifies_without_anything_else() {
    let (home, folder) = incidents();
    let ran = run(&home, &["verify", "INC-0001"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("INC-0001 is sound: 5 records, 2 files of evidence"), "{}", ran.out);
    let head = ran.out.split_whitespace().last().unwrap().to_owned();
    let copy = home.path("work/copy");
    let copied =
        std::process::Command::new("cp").arg("-r").arg(&folder).arg(&copy).status().unwrap();
    assert!(copied.success());
    assert_eq!(run(&home, &["verify", "copy", "--head", &head[..12]]).code, 0);
    let ran = run(&home, &["verify", "copy", "--head", "deadbeefdeadbeef"]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("no record has the hash deadbeefdeadbeef"), "{}", ran.out);
}

#[test]
fn what_was_altered_is_named() {
    for (file, from, to, said) in [
        ("journal.jsonl", "erp-prod", "erp-test", "record 1 was altered"),
        (
            "journal.jsonl",
            "asset-double-assignment\",\"verdict",
            "asset-double-assignement\",\"verdict",
            "record 2 was altered",
        ),
        ("runbook.toml", "return_date", "return_data", "runbook.toml was altered"),
        ("evidence/sample.jsonl", "17", "18", "evidence/sample.jsonl was altered"),
    ] {
        let (home, folder) = incidents();
        let path = folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let ran = run(&home, &["verify", "1"]);
        assert_eq!(ran.code, 2, "{file}: {}", ran.out);
        assert!(ran.out.contains(said), "{file}: {}", ran.out);
        // The rest of the story can still be read, and says that it is not whole.
        let ran = run(&home, &["postmortem", "1"]);
        let damaged = file == "journal.jsonl";
        assert_eq!(
            (ran.code == 2, ran.out.contains("the journal is damaged")),
            (damaged, damaged),
            "{file}"
        );
    }
}

#[test]
fn an_incident_that_is_not_there_is_a_question_of_usage() {
    let (home, _) = incidents();
    for command in ["verify", "postmortem"] {
        let ran = run(&home, &[command, "INC-0042"]);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""));
        assert!(ran.err.contains("there is no incident INC-0042"), "{}", ran.err);
        assert!(run(&home, &[command, "INC"]).err.contains("could be INC-0001 or INC-0002"));
    }
}

/// Whoever goes on must not take the half that can be read for all that was done.
#[test]
fn the_card_of_a_damaged_incident_says_that_it_is_not_whole() {
    let (home, folder) = incidents();
    let path = folder.join("journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let altered = lines[2].replace("12", "13");
    fs::write(&path, [lines[0], lines[1], &altered, lines[3]].join("\n") + "\n").unwrap();
    for (format, said) in [
        ("text", "Not whole"),
        ("markdown", "**Not whole**"),
        ("json", "\"damaged\":\"the journal"),
    ] {
        let ran = run(&home, &["handover", "1", "--format", format]);
        assert_eq!(ran.code, 2, "{format}: {}", ran.out);
        assert!(ran.out.contains(said) && ran.err.contains("is damaged"), "{format}: {}", ran.out);
    }
    fs::write(&path, "").unwrap();
    let ran = run(&home, &["handover", "1"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.err);
}
