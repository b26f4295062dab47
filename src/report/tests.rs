#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::check::metric::{Judge, Judged};
use crate::check::{Count, Kind, Metric, REMEDIATION, Threshold};
use crate::dialect::PerDialect;
use crate::source::Paint;
use crate::value::{Rows, ValueRef};

fn check(id: &str, severity: Severity) -> Check {
    Check {
        id: id.into(),
        pack: String::new(),
        title: "t".into(),
        rule: "r".into(),
        kind: Kind::Violations,
        severity,
        key: vec!["asset_id".into()],
        suites: Vec::new(),
        owner: String::new(),
        controls: Vec::new(),
        runbook: None,
        timeout: Duration::from_secs(1),
        tables: Vec::new(),
        named: BTreeMap::new(),
        alert_keys: false,
        about: None,
        bind: Vec::new(),
        disabled: None,
        sql: PerDialect::default(),
        fault: PerDialect::default(),
        finds: None,
    }
}

fn outcome(id: &str, severity: Severity, verdict: Verdict) -> Outcome {
    let mut rows = Rows::new(vec!["asset_id".into(), "who".into(), "who".into()]);
    if matches!(verdict, Verdict::Violated { .. }) {
        rows.push([ValueRef::Integer(17), ValueRef::Null, ValueRef::Text("\u{1b}[31m\u{202e}ü")]);
        rows.push([ValueRef::Text("a\nb"), ValueRef::Bytes(&[0, 255]), ValueRef::Real(0.5)]);
    }
    let finding = Finding { verdict, rows, keys: None, seconds: 0.084_21, cause: None };
    let snapshot = Some("2026-11-21T06:00:00Z".parse().unwrap());
    Outcome {
        check: Arc::new(check(id, severity)),
        target: "erp-prod".into(),
        address: "erp-prod".into(),
        finding,
        snapshot,
        server: Some("7321/erp".into()),
        ruling: None,
    }
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
            r#""reason":null,"kind":"violations","owner":"","controls":[],"server":"7321/erp"}"#,
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
    assert!(line.contains("\"sample\":[],\"reason\":\"the table x is not there\","), "{line}");
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
        json::summary(&totals, &[]),
        "{\"summary\":{\"targets\":1,\"checks\":4,\"clear\":1,\"warning\":1,\"violated\":1,\"inconclusive\":1,\"seconds\":0.414,\"exit\":2,\"disabled\":0,\"elsewhere\":0,\"other_packs\":0}}\n"
    );
    let without = |n: usize| Totals::of(&several()[n..], 1, 0.0, |exit| exit).exit;
    assert_eq!((without(1), without(4)), (Exit::Inconclusive, Exit::Inconclusive));
    assert_eq!(Totals::of(&several()[1..2], 1, 0.0, |exit| exit).exit, Exit::Warning);
    let paged = |exit| if exit == Exit::Inconclusive { Exit::Violated } else { exit };
    assert_eq!(Totals::of(&several()[3..], 1, 0.0, paged).exit, Exit::Violated);
}

#[test]
fn text_lines_up_and_shows_what_a_terminal_would_obey() {
    let text = text::target("erp-prod", "SQLite 3.50.4", &several(), Paint::Plain);
    insta::assert_snapshot!(text + &text::summary(&Totals::of(&several(), 1, 0.414, |exit| exit)));
}

fn measured(value: &str) -> Outcome {
    let metric = Metric {
        warn: Threshold::parse(">= 0.8"),
        critical: Threshold::parse(">= 0.95"),
        unit: "ratio".into(),
    };
    let names = vec!["value".to_owned()];
    let mut judge = Judge::new(&metric, &[], (1, 1_000), None);
    judge.take(&names, &[ValueRef::Text(value)]);
    let Judged { verdict, rows, keys } = judge.finish(names);
    let mut one = outcome("connections", Severity::Sev2, Verdict::Clear);
    one.finding = Finding { verdict, rows, keys, seconds: 0.0, cause: None };
    Arc::make_mut(&mut one.check).kind = Kind::Metric(metric);
    Arc::make_mut(&mut one.check).key.clear();
    one
}

#[test]
fn a_metric_shows_its_value_and_exits_by_its_thresholds() {
    let exits = ["0.41", "0.80", "0.96"].map(|value| measured(value).exit());
    assert_eq!(exits, [Exit::Clear, Exit::Warning, Exit::Violated]);
    let line = json::outcome(&measured("0.80"));
    assert!(line.contains(r#""verdict":"warning""#), "{line}");
    assert!(
        line.contains(r#""value":"0.80","unit":"ratio","series":null,"threshold":">= 0.8"}"#),
        "{line}"
    );
    let text = text::target("erp", "", &[measured("0.41"), measured("0.96")], Paint::Plain);
    assert!(
        text.contains("clear         SEV-2  connections  0.41 ratio (warns at >= 0.8)"),
        "{text}"
    );
    assert!(
        text.contains("violated      SEV-2  connections  0.96 ratio, critical at >= 0.95"),
        "{text}"
    );
}

#[test]
fn what_is_missing_comes_with_the_ddl_that_mends_it() {
    let mut rows = Rows::new(vec!["asset_id".into(), REMEDIATION.into()]);
    rows.push([ValueRef::Text("ix"), ValueRef::Text("CREATE INDEX ix\n ON t (a)")]);
    let mut one = outcome("index", Severity::Sev3, Verdict::from_count(Count::Exact(1)));
    Arc::make_mut(&mut one.check).kind = Kind::Catalog;
    one.finding.rows = rows;
    let text = text::target("erp", "", &[one], Paint::Plain);
    assert!(text.contains("CREATE INDEX ix\n") && text.contains("  ON t (a)\n"), "{text}");
}

#[test]
fn a_disabled_check_is_told_and_not_judged() {
    let mut check = check("late", Severity::Sev3);
    check.disabled = Some("until the migration is done".into());
    assert!(json::disabled(&check, "erp").contains(r#""verdict":"disabled""#));
    let text = text::disabled(&[&check], Paint::Plain);
    assert_eq!(text, "  disabled      SEV-3  late  until the migration is done\n");
    let totals = Totals { disabled: 1, elsewhere: 2, ..Totals::of(&[], 1, 0.0, |exit| exit) };
    assert!(text::summary(&totals).ends_with("inconclusive, 1 disabled, 2 for other engines\n"));
}

#[test]
fn colour_only_when_told() {
    let plain = text::target("erp", "", &several(), Paint::Plain);
    assert!(!plain.contains('\u{1b}'));
    let coloured = text::target("erp", "", &several(), Paint::Coloured);
    assert!(coloured.contains("\u{1b}[1;31mviolated"));
}
