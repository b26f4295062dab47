//! Files that are broken at random: whatever stands in one, reading it ends soon, with a value or with
//! faults that have a place in the file. Never a panic, never a hang, never memory without bounds.
//!
//! The shipped files are the corpus. The same seed breaks them the same way: `STEADYHAND_SEED=12`
//! for another one, `STEADYHAND_LONG=100` for a hundred times as many.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use common::dice::{Dice, rounds};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use steadyhand::check;
use steadyhand::config;
use steadyhand::dialect::Dialect;
use steadyhand::digest::sha256;
use steadyhand::incident::bundle;
use steadyhand::incident::chain::{self, Head};
use steadyhand::incident::entry::Entry;
use steadyhand::incident::journal::Journal;
use steadyhand::incident::verify::verify_bundle;
use steadyhand::incident::{Incident, metrics};
use steadyhand::postmortem::{self, Around, Draft};
use steadyhand::practice::Practice;
use steadyhand::recovery::request::{Bounds, Person, Place, Sample, Statement};
use steadyhand::recovery::{Request, TableWrites, Tally, undo};
use steadyhand::report;
use steadyhand::runbook;
use steadyhand::signature;
use steadyhand::source::{Fault, Paint, render};
use steadyhand::sql;
use steadyhand::tui::keymap::Keymap;
use steadyhand::tui::theme::Theme;

/// Longer than anything takes that is read before an operator sees it.
const SOON: Duration = Duration::from_secs(5);

/// What is written into files: syntax, names, and what has broken readers before.
const WORDS: [&str; 58] = [
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "{{",
    "}}",
    "{%",
    "%}",
    "=",
    ",",
    "\n",
    "\r",
    "\0",
    "#",
    "\\",
    "\\u0000",
    "\\U0010FFFF",
    "\u{feff}",
    "\u{202e}",
    "\u{1b}[2J",
    "ä",
    "👩‍👩‍👧",
    ".",
    "-",
    "1e999",
    "-9223372036854775809",
    "99999999999999999999",
    "0x",
    "nan",
    "inf",
    "true",
    "1979-05-27",
    "null",
    "::",
    ":name",
    "$$",
    "--",
    "/*",
    "*/",
    ";",
    "SELECT ",
    "step.statement",
    "[sql]\n",
    "any = ",
    "kind = \"change\"\n",
    "10000000000000h",
    "-1s",
    "../../etc/passwd",
    "%00",
    "\"kind\":\"",
    "e\u{301}\u{301}\u{301}",
    "postgres://u:p@[::1]:99999/x?a=b&a=c",
];

/// One more text like these.
fn broken(dice: &mut Dice, corpus: &[String]) -> String {
    let mut bytes = dice.pick(corpus).clone().into_bytes();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(40)).min(bytes.len());
        match dice.below(9) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, u8::try_from(dice.below(256)).unwrap()),
            3 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            4 => {
                let other = dice.pick(corpus).as_bytes();
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(200)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            5 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            // A great many of the same.
            6 if dice.below(8) == 0 => {
                let many = dice.pick::<&str>(&WORDS).repeat(1 + dice.below(4_000));
                bytes.splice(at..at, many.into_bytes());
            }
            _ => drop(bytes.splice(at..at, dice.pick::<&str>(&WORDS).bytes())),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every shipped file below this folder.
fn shipped(folder: &str) -> Vec<String> {
    let mut found = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} is empty");
    found.into_iter().map(|(_, text)| text).collect()
}

/// Breaks texts and has them read.
fn fuzz(usual: usize, corpus: &[String], read: impl Fn(&str)) {
    let mut dice = Dice::new();
    for text in corpus {
        read(text);
    }
    for round in 0..rounds(usual) {
        let text = broken(&mut dice, corpus);
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&text)));
        let took = start.elapsed();
        if outcome.is_err() || took > SOON {
            let kept = std::env::temp_dir().join("steadyhand-fuzz");
            fs::write(&kept, &text).unwrap();
            let (seed, kept) = (dice.seed, kept.display());
            panic!("STEADYHAND_SEED={seed}, round {round}, {took:?}; the text is in {kept}");
        }
    }
}

/// Faults are drawn, and each has a place that is in the text.
fn placed(faults: &[Fault], text: &str) {
    assert!(!faults.is_empty(), "it is refused without a word");
    let lines = text.split('\n').count();
    for fault in faults {
        assert!(fault.line >= 1 && fault.line <= lines.max(1), "{fault} of {lines} lines");
        assert!(fault.column >= 1, "{fault}");
        assert!(!fault.sentence.is_empty());
        assert!(!fault.to_string().contains('\u{1b}'), "{fault:?}");
    }
    let drawn = render(&faults[..faults.len().min(20)], Paint::Plain);
    assert!(!drawn.contains(['\u{1b}', '\u{202e}', '\0']), "{drawn:?}");
}

#[test]
fn checks() {
    fuzz(150, &shipped("checks"), |text| {
        if let Err(faults) = check::load::parse("fuzz.toml", "fuzz", text) {
            placed(&faults, text);
        }
    });
}

#[test]
fn runbooks() {
    fuzz(80, &shipped("runbooks"), |text| {
        if let Err(faults) = runbook::load::parse("fuzz.toml", "fuzz", text) {
            placed(&faults, text);
        }
    });
}

#[test]
fn themes() {
    fuzz(150, &shipped("themes"), |text| {
        if let Err(faults) = Theme::parse("fuzz.toml", text) {
            placed(&faults, text);
        }
    });
}

#[test]
fn key_maps() {
    let built_in =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui/keymap.toml"));
    fuzz(100, &[built_in.unwrap()], |text| {
        if let Err(faults) = Keymap::parse("fuzz.toml", text) {
            placed(&faults, text);
        }
    });
}

#[test]
fn configurations() {
    let mut corpus = shipped("practice");
    corpus.extend(shipped("tests/invalid/config"));
    fuzz(150, &corpus, |text| {
        let faults = config::lint("fuzz.toml", text);
        if !faults.is_empty() {
            placed(&faults, text);
        }
    });
}

#[test]
fn statements() {
    let corpus: Vec<String> = [
        "SELECT a, 'b;c' FROM t WHERE d = :d -- e\n",
        "WITH x AS (SELECT 1) UPDATE t SET a = 1 FROM x WHERE t.b IN (1, 2) RETURNING *",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN IF NEW.a THEN SET NEW.a = 1; END IF; END",
        "DO $g$ BEGIN CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $b$ BEGIN END $b$; END $g$",
        "INSERT INTO t SELECT CASE WHEN ((a)) THEN $$x$$ END FROM u JOIN v USING (w)",
    ]
    .map(str::to_owned)
    .into();
    fuzz(200, &corpus, |text| {
        for dialect in Dialect::ALL {
            let _ = sql::classify(text, dialect);
            let _ = (sql::definitions(text, dialect), sql::tables(text, dialect));
            let _ = (sql::parameters(text, dialect), sql::columns(text, dialect));
            let _ =
                (sql::aim(text, dialect), sql::look(text, dialect), sql::mentions(text, dialect));
        }
    });
}

/// What a text of one word, a great many times, does to whoever reads it by recursion.
#[test]
fn texts_without_an_end_in_sight() {
    // With STEADYHAND_LONG=100 as long as a file may be.
    let many = rounds(1_000);
    let soon = SOON * u32::try_from(rounds(1)).unwrap();
    let deep =
        |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(many), close.repeat(many));
    for text in [
        deep("(", ")"),
        deep("(SELECT ", ")"),
        deep("CASE WHEN ", " THEN 1 END"),
        deep("NOT ", ""),
        deep("- ", ""),
        deep("1 + ", ""),
        deep("a OR ", ""),
        deep("f(", ")"),
        deep("[", "]"),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(many)),
        format!("SELECT 1 FROM t{}", " JOIN t ON 1".repeat(many)),
        format!("SELECT {}1", "1, ".repeat(many)),
        format!("SELECT 1 {}", "/*".repeat(many)),
        "WITH x AS (".repeat(many),
        "[".repeat(many * 5),
    ] {
        let start = Instant::now();
        for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb] {
            let _ = (sql::classify(&text, dialect), sql::tables(&text, dialect));
            let _ = (sql::functions(&text, dialect), sql::look(&text, dialect));
        }
        assert!(start.elapsed() < soon, "{}…: {:?}", &text[..30], start.elapsed());
    }
    for text in [
        "[".repeat(many * 5),
        format!("a = {}", "[".repeat(many * 5)),
        format!("a = {}", "{a=".repeat(many * 2)),
        "a.".repeat(many * 2),
        format!("[{}a]", "a.".repeat(many * 2)),
    ] {
        let start = Instant::now();
        placed(&check::load::parse("fuzz.toml", "fuzz", &text).unwrap_err(), &text);
        placed(&config::lint("fuzz.toml", &text), &text);
        assert!(start.elapsed() < soon, "{}…: {:?}", &text[..30], start.elapsed());
    }
}

/// A journal, a line each, of some length.
fn journal() -> Vec<String> {
    let mut head = Head::default();
    let entries = [
        r#"{"kind":"opened","incident":"INC-0001","runbook":"r","runbook_sha256":"ab","title":"t","severity":"sev2","target":{"name":"erp","url":"sqlite:///x","dialect":"sqlite","environment":"production","server":"s","version":"3"},"program":"p","host":"h","demo":false}"#,
        r#"{"kind":"step-entered","step":"look"}"#,
        r#"{"kind":"step-failed","step":"look","why":"it broke"}"#,
        r#"{"kind":"torn-tail","bytes":12}"#,
        r#"{"kind":"answered","step":"ask","name":"since","value":"2026-01-01"}"#,
        r#"{"kind":"note","step":null,"text":"a note","note":"decision"}"#,
        r#"{"kind":"commit-sent","op":"c1"}"#,
        r#"{"kind":"undo-written","op":"c1","rows":3,"evidence":{"file":"evidence/undo-c1.jsonl","sha256":"ab"}}"#,
        r#"{"kind":"closed","violations":null}"#,
    ];
    let mut lines = vec![];
    for entry in entries {
        let Ok(entry) = serde_json::from_str::<Entry>(entry) else { continue };
        let (line, record) = chain::seal(&head, Timestamp::UNIX_EPOCH, "ada", entry);
        head = Head { seq: record.seq, hash: record.hash };
        lines.push(line);
    }
    assert!(lines.len() > 5, "the entries are still those of the program: {lines:?}");
    lines
}

/// All that is made of a journal: the fold, its sentences, its postmortem.
fn replayed(text: &str) {
    let (records, head, _) = chain::replay(text.as_bytes());
    let (_, _, _, _) = chain::replay_redacted(text.as_bytes());
    let incident = Incident::replay("INC-0001", &records);
    for record in &records {
        let _ = record.entry.sentence();
    }
    let _ = metrics::metrics(&incident);
    let practice = Practice::default();
    let around = Around { runbook: None, practice: &practice, all: &[] };
    let _ = postmortem::write(&Draft::of(&incident, around, &head), None, &TimeZone::UTC);
}

#[test]
fn journals() {
    let lines = journal();
    fuzz(300, &[lines.join("\n") + "\n"], replayed);
    // The same with every record sealed again, as somebody who forges one would do.
    fuzz(600, &lines, |text| {
        let mut head = Head::default();
        let mut forged = String::new();
        for line in lines.iter().take(2).map(String::as_str).chain([text]) {
            let body = line.rsplit_once(",\"hash\":").map_or(line, |(body, _)| body);
            let from = body.find("\"at\":").unwrap_or(0);
            let body =
                format!("{{\"seq\":{},\"prev\":\"{}\",{}", head.seq + 1, head.hash, &body[from..]);
            let hash = sha256(body.as_bytes());
            forged.push_str(&format!("{body},\"hash\":\"{hash}\"}}\n"));
            head = Head { seq: head.seq + 1, hash };
        }
        replayed(&forged);
    });
}

#[test]
fn undo_artefacts() {
    let whole = r#"{"op":"c1","step":"fix","target":"erp","server":"s","tables":[{"table":"t","key":["id"],"columns":["id","a"],"hidden":false,"rows":2}]}
[[{"int":1}],[{"int":1},{"text":"x"}],"Gone"]
[[{"int":2}],[{"int":2},"null"],{"Changed":[[1,{"text":"y"}]]}]
"#;
    assert!(undo::read(whole.as_bytes()).is_ok());
    fuzz(600, &[whole.to_owned()], |text| {
        if let Ok((_, images)) = undo::read(text.as_bytes()) {
            let _ = undo::impossible(&images);
        }
    });
}

#[test]
fn bundles() {
    let folder = tempfile::tempdir().unwrap();
    let incident = folder.path().join("INC-0001");
    let (journal, _) = Journal::open(&incident, "ada").unwrap();
    journal.append(Entry::StepEntered { step: "look".into() }).unwrap();
    journal.keep("sample-1.jsonl", b"{\"id\":1}\n").unwrap();
    fs::write(incident.join("runbook.toml"), "id = \"r\"\n").unwrap();
    let mut whole = vec![];
    let making =
        bundle::gather(&incident, "INC-0001", "# page\n", &[], false, Timestamp::UNIX_EPOCH);
    making.unwrap().pack(&mut whole).unwrap();
    let path = folder.path().join("bundle.tar");
    let mut dice = Dice::new();
    for round in 0..rounds(300) {
        let mut bytes = whole.clone();
        for _ in 0..=dice.below(5) {
            // Headers are where the meaning is: every 512 bytes.
            let at =
                (dice.below(bytes.len() / 512 + 1) * 512 + dice.below(512)).min(bytes.len() - 1);
            match dice.below(6) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
                2 => {
                    // The kind of an entry: link, device, folder, long name, sparse.
                    let kind = (at / 512 * 512 + 156).min(bytes.len() - 1);
                    bytes[kind] = *dice.pick(b"0123456LKSxgV\0");
                }
                3 => {
                    let name = at / 512 * 512;
                    for (offset, byte) in b"../../../tmp/x\0".iter().enumerate() {
                        if let Some(place) = bytes.get_mut(name + offset) {
                            *place = *byte;
                        }
                    }
                }
                4 => {
                    // The checksum made right again, so that the header is believed.
                    let start = at / 512 * 512;
                    if let Some(header) = bytes.get_mut(start..start + 512) {
                        header[148..156].fill(b' ');
                        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
                        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
                    }
                }
                _ => {
                    let end = (at + dice.below(1024)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        fs::write(&path, &bytes).unwrap();
        let start = Instant::now();
        let outcome = catch_unwind(|| {
            if let Ok(opened) = bundle::open(&path) {
                let _ = verify_bundle(&opened, None);
            }
        });
        assert!(
            outcome.is_ok() && start.elapsed() < SOON,
            "STEADYHAND_SEED={}, round {round}",
            dice.seed
        );
    }
    let there: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(there.len(), 2, "{there:?}");
}

/// What a second person is shown, and what they send back.
#[test]
fn requests_and_signatures() {
    let statement = Statement { note: "n".into(), sql: "UPDATE t SET a = 1".into(), rows: 2 };
    let writes = TableWrites {
        table: "t".into(),
        direct: Tally { updated: 2, ..Tally::default() },
        hidden: Tally::default(),
    };
    let person = |name: &str| Person { name: name.into(), account: "a".into(), host: "h".into() };
    let sample = Sample { table: "t".into(), key: "id 1".into(), changes: vec!["a 0 -> 1".into()] };
    let request = Request {
        form: 1,
        incident: "INC-0001".into(),
        step: "fix".into(),
        title: "Fix".into(),
        operation: "INC-0001-x-1".into(),
        undoes: None,
        target: Place {
            name: "erp".into(),
            engine: "sqlite".into(),
            environment: "production".into(),
            server: "s".into(),
        },
        sql_sha256: sha256(b"UPDATE t SET a = 1\n"),
        statements: vec![statement],
        rows: 2,
        chunks: None,
        writes: vec![writes],
        sample: vec![sample],
        checks: Vec::new(),
        undo: "rehearsed".into(),
        warnings: vec!["w".into()],
        limits: Bounds { max_rows: 5, time_cap_ms: 1, lock_wait_ms: 1, max_blocked: 1 },
        fingerprint: sha256(b"f"),
        requester: person("casey"),
        created: Timestamp::UNIX_EPOCH,
        expires: Timestamp::from_second(900).unwrap(),
    };
    assert_eq!(Request::read(&request.bytes()).as_ref(), Ok(&request));
    assert_eq!(Request::read(request.armored().as_bytes()).as_ref(), Ok(&request));
    let file = String::from_utf8(request.bytes()).unwrap();
    let corpus = [file.clone(), request.armored(), file.replace("casey", "\\u001b[2J\\u202e")];
    fuzz(3_000, &corpus, |text| {
        if let Ok(request) = Request::read(text.as_bytes()) {
            assert_eq!(Request::read(&request.bytes()).as_ref(), Ok(&request));
            let page = report::request::text(&request, Timestamp::UNIX_EPOCH, Paint::Plain);
            let odd = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!page.contains(odd), "{page:?}");
        }
        if let Some(armored) = signature::armored(text) {
            assert!(armored.is_ascii() && armored.len() <= 2 * signature::LONGEST);
        }
    });
}
