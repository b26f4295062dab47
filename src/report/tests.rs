#![allow(clippy::unwrap_used)]
use std::time::Duration;

use super::*;
use crate::check::Count;
use crate::dialect::PerDialect;
use crate::source::Paint;
use crate::value::{Rows, ValueRef};

fn check(id: &str, severity: Severity) -> Check {
    Check {
        id: id.into(),
        pack: String::new(),
        title: "t".into(),
        rule: "r".into(),
        severity,
        key: vec!["asset_id".into()],
        suites: Vec::new(),
        owner: String::new(),
        controls: Vec::new(),
        runbook: None,
        timeout: Duration::from_secs(1),
        tables: Vec::new(),
        sql: PerDialect::default(),
        fault: PerDialect::default(),
    }
}

fn outcome(id: &str, severity: Severity, verdict: Verdict) -> Outcome {
    let mut rows = Rows::new(vec!["asset_id".into(), "who".into(), "who".into()]);
    if matches!(verdict, Verdict::Violated { .. }) {
        rows.push([ValueRef::Integer(17), ValueRef::Null, ValueRef::Text("\u{1b}[31m\u{202e}ü")]);
        rows.push([ValueRef::Text("a\nb"), ValueRef::Bytes(&[0, 255]), ValueRef::Real(0.5)]);
    }
    let finding = Finding { verdict, rows, keys: Vec::new(), seconds: 0.084_21 };
    let snapshot = Some("2026-11-21T06:00:00Z".parse().unwrap());
    Outcome { check: check(id, severity), target: "erp-prod".into(), finding, snapshot }
}

fn several() -> Vec<Outcome> {
    let violated = |n| Verdict::from_count(Count::Exact(n));
    let blind = Verdict::Inconclusive { reason: "the table x is not there".into() };
    vec![
        outcome("asset-double-assignment", Severity::Sev2, violated(12)),
        outcome("hours", Severity::Sev4, Verdict::Violated { violations: Count::AtLeast(2) }),
        outcome("clear", Severity::Sev1, Verdict::Clear),
        outcome("blind", Severity::Sev1, blind),
    ]
}

#[test]
fn a_line_says_what_the_contract_says() {
    let line = json::outcome(&several()[0]);
    assert_eq!(
        line,
        concat!(
            r#"{"check":"asset-double-assignment","target":"erp-prod","verdict":"violated","severity":"sev2","#,
            r#""violations":12,"exact":true,"seconds":0.084,"snapshot":"2026-11-21T06:00:00Z","key":["asset_id"],"#,
            r#""sample":[{"asset_id":"17","who":null,"who_2":"\u001b[31m\u202eü"},{"asset_id":"a\nb","who":"0x00ff","who_2":"0.5"}],"#,
            r#""reason":null}"#,
            "\n"
        )
    );
    let line = json::outcome(&several()[3]);
    assert!(
        line.contains(
            r#""verdict":"inconclusive","severity":"sev1","violations":null,"exact":false"#
        ),
        "{line}"
    );
    assert!(line.ends_with("\"sample\":[],\"reason\":\"the table x is not there\"}\n"), "{line}");
    assert!(json::outcome(&several()[1]).contains(r#""violations":2,"exact":false"#));
}

#[test]
fn json_for_a_terminal_reads_back_as_it_was() {
    let value: serde_json::Value = serde_json::from_str(&json::outcome(&several()[0])).unwrap();
    assert_eq!(value["sample"][0]["who_2"], "\u{1b}[31m\u{202e}ü");
}

#[test]
fn totals_tell_warnings_from_violations_and_the_worst_wins() {
    let totals = Totals::of(&several(), 1, 0.414, |exit| exit);
    assert_eq!(
        json::summary(&totals),
        "{\"summary\":{\"targets\":1,\"checks\":4,\"clear\":1,\"warning\":1,\"violated\":1,\"inconclusive\":1,\"seconds\":0.414,\"exit\":2}}\n"
    );
    let without = |n: usize| Totals::of(&several()[n..], 1, 0.0, |exit| exit).exit;
    assert_eq!((without(1), without(4)), (Exit::Inconclusive, Exit::Clear));
    assert_eq!(Totals::of(&several()[1..2], 1, 0.0, |exit| exit).exit, Exit::Warning);
    let paged = |exit| if exit == Exit::Inconclusive { Exit::Violated } else { exit };
    assert_eq!(Totals::of(&several()[3..], 1, 0.0, paged).exit, Exit::Violated);
}

#[test]
fn text_lines_up_and_shows_what_a_terminal_would_obey() {
    let text = text::target("erp-prod", "SQLite 3.50.4", &several(), Paint::Plain);
    insta::assert_snapshot!(text + &text::summary(&Totals::of(&several(), 1, 0.414, |exit| exit)));
}

#[test]
fn colour_only_when_told() {
    let plain = text::target("erp", "", &several(), Paint::Plain);
    assert!(!plain.contains('\u{1b}'));
    let coloured = text::target("erp", "", &several(), Paint::Coloured);
    assert!(coloured.contains("\u{1b}[1;31mviolated"));
}
