#![allow(clippy::unwrap_used)]
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::check::{Count, Severity, Verdict};
use crate::dialect::Dialect;
use crate::incident::chain;
use crate::incident::entry::{
    Deed, Entry, Evidence, Milestone, NoteKind, Origin, Outcome, Record, TargetSeen,
};
use crate::incident::handover::Card;
use crate::practice::Practice;
use crate::recovery::{Drift, Tally};
use crate::runbook::{ActionKind, SuggestedAction};

struct Night {
    head: Head,
    at: Timestamp,
    records: Vec<Record>,
}

impl Night {
    fn new() -> Self {
        let at = "2026-11-21T02:00:00Z".parse().unwrap();
        Self { head: Head::default(), at, records: Vec::new() }
    }

    fn then(&mut self, seconds: i64, entry: Entry) -> &mut Self {
        self.at += SignedDuration::from_secs(seconds);
        let (_, record) = chain::seal(&self.head, self.at, "casey", entry);
        self.head = Head { seq: record.seq, hash: record.hash.clone() };
        self.records.push(record);
        self
    }

    fn incident(&self) -> Incident {
        Incident::replay("INC-0001", &self.records)
    }

    fn text(&self, old: Option<&str>) -> String {
        regenerate(&self.incident(), around(&runbook()), old, &self.head, &TimeZone::UTC)
    }
}

fn evidence(name: &str) -> Evidence {
    Evidence { file: format!("evidence/{name}"), sha256: crate::digest::sha256(name.as_bytes()) }
}

fn violations(n: u64) -> Verdict {
    Verdict::from_count(Count::Exact(n))
}

fn opened() -> Entry {
    Entry::Opened {
        incident: "INC-0001".into(),
        runbook: "asset-double-assignment".into(),
        runbook_sha256: crate::digest::sha256(b"runbook"),
        title: "Asset assigned to two people".into(),
        severity: Severity::Sev2,
        target: TargetSeen {
            name: "erp-prod".into(),
            url: "sqlite:///srv/erp.db".into(),
            dialect: Dialect::Sqlite,
            environment: "production".into(),
            server: "/srv/erp.db#1:2".into(),
            version: "3.50.4".into(),
        },
        program: "steadyhand 0.1.0".into(),
        host: "bastion".into(),
        demo: false,
    }
}

fn checked(verdict: Verdict) -> Entry {
    let check = "asset-double-assignment".into();
    Entry::Checked {
        step: Some("count".into()),
        check,
        verdict,
        seconds: 0.01,
        delta: None,
        sample: None,
    }
}

fn previewed(op: &str, refused: &[&str]) -> Entry {
    let upd = |updated| Tally { updated, ..Tally::default() };
    let ins = |inserted| Tally { inserted, ..Tally::default() };
    Entry::Previewed {
        step: "close-later".into(),
        op: op.into(),
        deed: Deed::Change,
        rows: 24,
        writes: vec![("asset_assignments".into(), upd(12)), ("audit_log".into(), ins(12))],
        hidden: vec![("audit_log".into(), ins(12))],
        fingerprint: "f".into(),
        refused: refused.iter().map(|why| (*why).to_owned()).collect(),
        undo: "rehearsed: 12 of 12 rows come back".into(),
        evidence: evidence("preview.json"),
    }
}

fn ended(op: &str, outcome: Outcome, drift: Option<Drift>) -> Entry {
    let (step, why) = ("close-later".into(), "as previewed".into());
    Entry::Ended { step, op: op.into(), deed: Deed::Change, outcome, rows: 24, why, drift }
}

fn whole_night() -> Night {
    let mut night = Night::new();
    let step = || "close-later".to_owned();
    let approved = |op: &str| Entry::Approved {
        step: step(),
        op: op.into(),
        deed: Deed::Change,
        fingerprint: "f".into(),
        typed: "erp-prod 24".into(),
        expires: "2026-11-21T03:00:00Z".parse().unwrap(),
    };
    let controls = Entry::Controls {
        runbook: vec!["KC-01".into(), "ITIL Incident Management".into()],
        checks: vec![(
            "asset-double-assignment".into(),
            vec!["KC-01".into(), "SOX-7".into(), "COBIT DSS06".into()],
        )],
    };
    night.then(0, opened()).then(0, controls).then(4, checked(violations(12)));
    let at = night.at;
    night
        .then(1, Entry::Milestone { which: Milestone::Detected, at, origin: Origin::Auto })
        .then(
            30,
            Entry::Milestone {
                which: Milestone::ImpactBegan,
                at: at - SignedDuration::from_mins(90),
                origin: Origin::Human,
            },
        )
        .then(
            40,
            Entry::Note {
                at,
                note: NoteKind::Luck,
                text: "the import <b>stopped</b> by itself | alone".into(),
            },
        )
        .then(2, Entry::Note { at, note: NoteKind::Todo, text: "ask the stock desk".into() })
        .then(
            9,
            Entry::StepSkipped { step: "pause-import".into(), reason: "it had stopped".into() },
        )
        .then(
            60,
            Entry::Said {
                step: "tell".into(),
                audience: "technical".into(),
                text: "12 assets affected.\n# not a heading\n".into(),
                head: night_head(),
                next_update: Some("2026-11-21T02:30:00Z".parse().unwrap()),
            },
        )
        .then(20, previewed("c1", &["overlapping-assignment would get worse: 0 to 1 violation"]))
        .then(20, previewed("c2", &[]))
        .then(20, approved("c2"))
        .then(
            1,
            Entry::ExecutionStarted {
                step: step(),
                op: "c2".into(),
                deed: Deed::Change,
                fingerprint: "f".into(),
            },
        )
        .then(
            1,
            ended(
                "c2",
                Outcome::RolledBack,
                Some(Drift { differences: vec!["row 7 appeared".into()] }),
            ),
        )
        .then(20, previewed("c3", &[]))
        .then(20, approved("c3"))
        .then(
            1,
            Entry::ExecutionStarted {
                step: step(),
                op: "c3".into(),
                deed: Deed::Change,
                fingerprint: "f".into(),
            },
        )
        .then(
            1,
            Entry::UndoWritten {
                op: "c3".into(),
                rows: 12,
                left_alone: 0,
                evidence: evidence("undo-c3.jsonl"),
            },
        )
        .then(0, Entry::CommitSent { op: "c3".into(), mark: String::new() })
        .then(1, ended("c3", Outcome::Committed, None))
        .then(
            1,
            Entry::Verified {
                step: step(),
                op: "c3".into(),
                checks: vec![("asset-double-assignment".into(), Verdict::Clear)],
                sound: true,
            },
        );
    let at = night.at;
    night
        .then(0, Entry::Milestone { which: Milestone::Verified, at, origin: Origin::Auto })
        .then(
            10,
            Entry::GuardRehearsed {
                step: "one-active".into(),
                accepted: true,
                sentence: "the data fits and the bad state is rejected by name".into(),
                evidence: evidence("guard.json"),
            },
        )
        .then(
            10,
            Entry::ActionItem {
                title: "Fix the import".into(),
                owner: "ERP integration".into(),
                due: String::new(),
                action: ActionKind::Prevent,
            },
        )
        .then(60, Entry::Closed { violations: Some(Count::Exact(0)) });
    night
}

fn around(runbook: &Runbook) -> Around<'_> {
    Around { runbook: Some(runbook), practice: Practice::built_in(), all: &[] }
}

fn night_head() -> String {
    "3f2a".into()
}

fn runbook() -> Runbook {
    Runbook {
        id: "asset-double-assignment".into(),
        pack: "reliability".into(),
        title: "Asset assigned to two people".into(),
        summary: String::new(),
        symptom: None,
        owner: "ERP / DBA lead".into(),
        severity: Severity::Sev2,
        controls: Vec::new(),
        steps: Vec::new(),
        actions: vec![
            SuggestedAction {
                title: "Fix the import".into(),
                owner: "x".into(),
                kind: ActionKind::Prevent,
            },
            SuggestedAction {
                title: "Run the check before each deployment".into(),
                owner: "ERP / DBA lead".into(),
                kind: ActionKind::Detect,
            },
        ],
        source: String::new(),
    }
}

#[test]
fn a_whole_night_is_written_down() {
    insta::assert_snapshot!(whole_night().text(None));
}

#[test]
fn a_draft_is_complete_at_every_moment_and_the_same_twice() {
    let night = whole_night();
    for n in 0..=night.records.len() {
        let incident = Incident::replay("INC-0001", &night.records[..n]);
        let head = Head { seq: n as u64, ..Head::default() };
        let text = regenerate(&incident, around(&runbook()), None, &head, &TimeZone::UTC);
        assert_eq!(text.matches("\n## ").count(), 19, "after record {n}: {text}");
        assert_eq!(parts(&text).len(), 8);
        let again = regenerate(&incident, around(&runbook()), Some(&text), &head, &TimeZone::UTC);
        assert_eq!(again, text);
    }
}

#[test]
fn what_a_person_wrote_outlives_new_records() {
    let mut night = whole_night();
    let mine = "The import has no lock.\n\n* it runs twice\n";
    let text = replace_part(&night.text(None), "contributing-factors", mine);
    night.then(5, Entry::Resumed { step: "close".into() });
    let newer = night.text(Some(&text));
    assert!(newer.contains(&format!("<!-- yours: contributing-factors -->\n{mine}<!-- end")));
    assert!(newer.contains("taken up again at step close"));
    assert!(!newer.contains("## Kept text"));
}

#[test]
fn an_unknown_outcome_is_called_unknown_until_it_is_found_out() {
    let mut night = Night::new();
    let start = Entry::ExecutionStarted {
        step: "close-later".into(),
        op: "c1".into(),
        deed: Deed::Change,
        fingerprint: "f".into(),
    };
    night.then(0, opened()).then(1, previewed("c1", &[])).then(1, start);
    night.then(0, Entry::CommitSent { op: "c1".into(), mark: String::new() });
    let text = night.text(None);
    assert!(text.contains("Outcome: **UNKNOWN**"), "{text}");
    assert!(
        text.contains("- the outcome of the change c1 (step close-later) is UNKNOWN"),
        "{text}"
    );
    assert!(text.contains("whether they were written is not known"), "{text}");
    night.then(
        9,
        Entry::Resolved {
            step: "close-later".into(),
            op: "c1".into(),
            deed: Deed::Change,
            outcome: Outcome::Committed,
            rows: 24,
            how: "its ledger row is in the database".into(),
        },
    );
    let text = night.text(None);
    assert!(text.contains("Outcome: **COMMITTED**") && !text.contains("UNKNOWN"), "{text}");
    assert!(text.contains("was not verified"), "{text}");
}

#[test]
fn could_not_check_is_a_doubt_and_not_clear() {
    let mut night = Night::new();
    let blind = Verdict::Inconclusive { reason: "the file is locked".into() };
    night.then(0, opened()).then(1, checked(violations(3))).then(1, checked(blind));
    let text = night.text(None);
    assert!(text.contains("could not be checked the last time: the file is locked"), "{text}");
    assert!(text.contains("3 violations when first checked, could not check"), "{text}");
}

#[test]
fn a_hostile_database_writes_no_markup() {
    let mut night = Night::new();
    let text = "<!-- end: surprise -->\n# \u{1b}[2J\u{202e}<script>".to_owned();
    let at = night.at;
    night.then(0, opened()).then(1, Entry::Note { at, note: NoteKind::Well, text: text.clone() });
    night.then(1, Entry::StepSkipped { step: "a`|b".into(), reason: text.clone() });
    night.then(
        1,
        Entry::Said {
            step: "t".into(),
            audience: text.clone(),
            text: text.clone(),
            head: text,
            next_update: None,
        },
    );
    let page = night.text(None);
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "{page}");
    assert!(!page.replace("\\<", "").contains("<script"), "{page}");
    assert_eq!(night.text(Some(&page)), page);
}

#[test]
fn what_was_written_on_lines_stands_on_lines() {
    let mut night = Night::new();
    let (at, text) = (night.at, "first *line*\n# second\nthird".to_owned());
    let later = at + SignedDuration::from_hours(30);
    night.then(0, opened()).then(1, checked(violations(3)));
    for (at, note) in [(later, NoteKind::Well), (at, NoteKind::Badly)] {
        night.then(1, Entry::Note { at, note, text: text.clone() });
    }
    let page = night.text(None);
    let lines = "- first \\*line\\*\\\n  \\# second\\\n  third (noted 2026-11-22 08:00:00 UTC)\n";
    assert!(page.contains(lines), "{page}");
    assert!(
        page.contains("first \\*line\\*\\\n  \\# second\\\n  third (written down 2026-"),
        "the timeline: {page}"
    );
    assert!(!page.contains("\\n"), "{page}");
    assert_eq!(night.text(Some(&page)), page);
    // On the card for whoever goes on, too, each with its day and in its place.
    let card = Card::of(&night.incident(), None, Practice::built_in(), None);
    let card = escape::card(&card);
    let lines = "- 2026-11-21 02:00 UTC badly: first \\*line\\*\\\n  \\# second\\\n  third\n\
                 - 2026-11-22 08:00 UTC well: first";
    assert!(card.contains(lines), "{card}");
    assert!(card.contains("3 violations at 2026-11-21 02:00 UTC"), "{card}");
}

#[test]
fn a_damaged_text_of_another_zone_holds_nothing_of_ours_that_is_kept() {
    let night = whole_night();
    let there = TimeZone::fixed(jiff::tz::offset(5));
    let text = regenerate(&night.incident(), around(&runbook()), None, &night.head, &there);
    assert!(text.contains("+05:00)"), "{text}");
    let mine = replace_part(&text, "luck", "the import stopped by itself");
    let damaged = mine.replace("<!-- end: luck -->", "");
    let mended = night.text(Some(&damaged));
    let kept = parts::kept(&mended).expect("it lost its place");
    assert_eq!(kept.trim(), "the import stopped by itself", "{kept}");
}
