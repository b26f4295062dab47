use std::time::Duration;

use super::*;
use crate::check::Severity;

fn site(text: &str) -> Practice {
    Practice::with(&parse("steadyhand.toml", text).unwrap_or_else(|faults| panic!("{faults:?}")))
}

#[test]
fn the_built_in_files_are_without_fault_and_complete() {
    for (name, text) in FILES {
        parse(name, text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    }
    let practice = Practice::built_in();
    for severity in Severity::ALL {
        let level = practice.level(severity);
        assert!(!level.risk.is_empty() && level.due_days() > 0, "{severity}");
        assert!(level.acknowledge <= level.update_every && level.update_every < level.resolve);
    }
    assert!(!practice.calls(Severity::Sev1, jiff::Timestamp::UNIX_EPOCH).is_empty());
    assert!(practice.message(messages::UPDATE).is_some());
}

#[test]
fn the_worse_severity_promises_more() {
    let practice = Practice::built_in();
    for pair in Severity::ALL.windows(2) {
        let (worse, better) = (practice.level(pair[0]), practice.level(pair[1]));
        assert!(worse.update_every <= better.update_every && worse.resolve < better.resolve);
        for rung in &practice.escalation {
            let (soon, late) = (rung.after(pair[0]), rung.after(pair[1]));
            assert!(soon.is_some() || late.is_none(), "{}", rung.id);
            assert!(late.is_none_or(|late| soon.is_some_and(|soon| soon <= late)), "{}", rung.id);
        }
    }
}

#[test]
fn a_site_says_what_is_otherwise_and_the_rest_stays() {
    let ours = site(
        "[severity.sev2]\nupdate_every = \"10m\"\n[escalation.duty]\nwho = \"Duty officer\"\nsev1 = \"now\"\n\
         [control.KC-01]\ntitle = \"Ours\"\nobjective = \"o\"\ncobit = [\"DSS01\"]\n\
         [control.SOX-1]\ntitle = \"More\"\nobjective = \"o\"\n",
    );
    let built_in = Practice::built_in();
    assert_eq!(ours.level(Severity::Sev2).update_every, Duration::from_mins(10));
    assert_eq!(ours.level(Severity::Sev2).risk, built_in.level(Severity::Sev2).risk);
    assert_eq!(ours.level(Severity::Sev1), built_in.level(Severity::Sev1));
    // The matrix is replaced whole.
    let who: Vec<&str> = ours.escalation.iter().map(|rung| rung.who.as_str()).collect();
    assert_eq!(who, ["Duty officer"]);
    assert_eq!(ours.control("KC-01").map(|control| control.title.as_str()), Some("Ours"));
    assert_eq!(ours.controls.len(), built_in.controls.len() + 1);
    assert_eq!(
        ours.spelled_out(&["KC-01".into(), "COBIT DSS01".into(), "ITIL Risk Management".into()]),
        ["KC-01", "COBIT DSS01", "ITIL Risk Management"]
    );
}

#[test]
fn calls_come_in_the_order_of_their_time() {
    let opened: jiff::Timestamp = "2026-11-21T02:00:00Z".parse().expect("a time");
    let calls = Practice::built_in().calls(Severity::Sev2, opened);
    let said: Vec<String> =
        calls.iter().map(|call| format!("{} {}", call.due.strftime("%d %H:%M"), call.id)).collect();
    assert_eq!(
        said,
        [
            "21 02:15 dba-lead",
            "21 03:00 process-owner",
            "21 06:00 it-management",
            "22 02:00 compliance"
        ]
    );
}
