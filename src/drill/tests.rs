#![allow(clippy::unwrap_used)]
use super::*;
use crate::check::{Count, Severity, Verdict};
use crate::dialect::Dialect;
use crate::incident::chain::{Head, Mark, seal_marked};
use crate::incident::entry::{Evidence, TargetSeen, number};
use crate::runbook::load;

const RUNBOOK: &str = "id = \"r\"\ntitle = \"t\"\nsummary = \"s\"\nseverity = \"sev2\"\nowner = \"o\"\n\
    [[step]]\nid = \"look\"\nkind = \"check\"\ntitle = \"t\"\ncheck = \"c\"\nrequired = \"run\"\n\
    [[step]]\nid = \"read\"\nkind = \"note\"\ntitle = \"t\"\ndo = \"d\"\nrequired = \"run\"\n";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn scenario() -> Scenario {
    Scenario {
        runbook: "r".into(),
        check: "c".into(),
        target: "erp".into(),
        symptom: String::new(),
        started: at(0),
        first_check: None,
    }
}

fn opened(runbook: &str, target: &str) -> Entry {
    Entry::Opened {
        incident: format!("INC-{runbook}-{target}"),
        runbook: runbook.into(),
        runbook_sha256: String::new(),
        title: "t".into(),
        severity: Severity::Sev2,
        target: TargetSeen {
            name: target.into(),
            url: String::new(),
            dialect: Dialect::Sqlite,
            environment: "development".into(),
            server: String::new(),
            version: String::new(),
        },
        program: String::new(),
        host: String::new(),
        demo: true,
    }
}

fn incident(entries: Vec<(i64, Entry)>) -> Incident {
    let mut head = Head::default();
    let mut records = Vec::new();
    for (second, entry) in entries {
        let (_, record) = seal_marked(&head, at(second), "ada", Mark::Drill, entry);
        head = Head { seq: record.seq, hash: record.hash.clone() };
        records.push(record);
    }
    Incident::replay(number(&records), &records)
}

fn seen(count: u64) -> Entry {
    let verdict = Verdict::from_count(Count::Exact(count));
    let (check, step) = ("c".into(), Some("look".into()));
    Entry::Checked { step, check, verdict, seconds: 0.0, delta: None, sample: None }
}

fn passed(step: &str) -> Entry {
    Entry::StepPassed { step: step.into(), how: "done".into() }
}

fn previewed(op: &str) -> Entry {
    Entry::Previewed {
        step: "fix".into(),
        op: op.into(),
        deed: Deed::Change,
        rows: 1,
        writes: Vec::new(),
        hidden: Vec::new(),
        fingerprint: String::new(),
        refused: Vec::new(),
        undo: String::new(),
        evidence: Evidence { file: String::new(), sha256: String::new() },
    }
}

fn started(op: &str) -> Entry {
    let (step, op, fingerprint) = ("fix".into(), op.into(), String::new());
    Entry::ExecutionStarted { step, op, deed: Deed::Change, fingerprint }
}

fn scored(scenario: &Scenario, incidents: &[Incident], now: i64) -> Scorecard {
    let runbook = load::parse("r.toml", "p", RUNBOOK).unwrap();
    score(scenario, incidents, &runbook, Practice::built_in(), at(now))
}

fn points(card: &Scorecard, item: &str) -> u32 {
    card.items.iter().find(|one| one.item == item).unwrap().points
}

#[test]
fn a_whole_walk_gets_every_point() {
    let walk = incident(vec![
        (30, opened("r", "erp")),
        (40, seen(12)),
        (50, passed("look")),
        (60, previewed("a")),
        (70, started("a")),
        (80, seen(0)),
        (90, passed("read")),
        (100, Entry::Closed { violations: None }),
    ]);
    assert!(walk.drill);
    let card = scored(&scenario(), &[walk], 200);
    assert_eq!((card.score, card.grade.as_str(), card.seconds), (100, "ready", 100));
}

#[test]
fn what_was_missed_costs_its_points() {
    let wrong = incident(vec![(10, opened("r", "spare"))]);
    let mistyped = Entry::Mistyped { step: "fix".into(), names_another_target: true };
    let walk = incident(vec![
        (30, opened("r", "erp")),
        (150, seen(12)),
        (160, mistyped),
        (170, passed("look")),
        (180, started("a")),
        (1300, seen(3)),
    ]);
    let card = scored(&scenario(), &[wrong, walk], 1400);
    for (item, expected) in [
        ("first-check", 5),
        ("diagnosis", 8),
        ("right-target", 0),
        ("communication", 0),
        ("previews", 0),
        ("required-steps", 8),
        ("cured", 0),
        ("closed", 0),
    ] {
        assert_eq!(points(&card, item), expected, "{item}: {:#?}", card.items);
    }
    assert_eq!((card.score, card.grade.as_str()), (21, "not-ready"));
    assert!(card.lines().iter().any(|line| line.contains("1 of 2 done; missing: read")));
}

#[test]
fn nothing_done_is_nothing_scored() {
    let card = scored(&scenario(), &[], 60);
    assert_eq!((card.score, card.grade.as_str()), (0, "not-ready"));
    let looked = Scenario { first_check: Some(at(20)), ..scenario() };
    assert_eq!(points(&scored(&looked, &[], 60), "first-check"), 10);
}
