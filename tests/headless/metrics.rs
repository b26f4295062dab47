//! `metrics`: numbers with their definitions, and what could not be read.

use std::fs;

use steadyhand::incident::entry::{Entry, Milestone, Origin};
use steadyhand::incident::journal::Journal;

use super::incidents::incidents;
use super::run;

#[test]
fn every_number_has_its_definition_and_its_number_of_incidents() {
    let (home, folder) = incidents();
    let ran = run(&home, &["metrics"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for said in [
        "2 incidents, 1 of them open",
        "number                      now",
        "time to detect (MTTD)       not known (0 of 2)",
        "from the detection until a check proves that it is mended",
        "come back                   0 of 2 (0 %)",
        "false alarms                0 of 1 (0 %)",
        "closed, and no check ever saw a violation, and nothing was changed",
    ] {
        assert!(ran.out.contains(said), "{said:?} is missing in {}", ran.out);
    }
    let (journal, records) = Journal::open(&folder, "casey").unwrap();
    let at = records[0].at;
    for which in [Milestone::ImpactBegan, Milestone::Acknowledged, Milestone::Verified] {
        journal.append(Entry::Milestone { which, at, origin: Origin::Human }).unwrap();
    }
    drop(journal);
    let lines = run(&home, &["metrics", "--format", "json"]).lines();
    let of = |key: &str| lines.iter().find(|line| line["metric"] == key).unwrap();
    assert_eq!(of("mttr")["now"]["known"], 1);
    assert_eq!(of("mttr")["before"]["of"], 0);
    assert_eq!(of("resolved-in-time")["now"], serde_json::json!({"number": 1, "of": 1}));
    assert_eq!(lines.last().unwrap()["summary"]["incidents"], 2);
    let ran = run(&home, &["metrics", "--of", "stock-drift", "--format", "markdown"]);
    assert!(ran.out.contains("| incidents | 0 | 0 | opened in the period |"), "{}", ran.out);
}

/// Nothing is what a mistyped name would find.
#[test]
fn a_name_that_nothing_has_is_refused() {
    let (home, _) = incidents();
    for (args, said) in [
        (["metrics", "--target", "erp-prd"], "there is no target \"erp-prd\""),
        (["metrics", "--target", "erp-prd"], "did you mean \"erp-prod\"?"),
        (["metrics", "--of", "stock-drfit"], "did you mean \"stock-drift\"?"),
        (["audit", "--target", "erp-prd"], "did you mean \"erp-prod\"?"),
    ] {
        let ran = run(&home, &args);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
    }
    assert_eq!(run(&home, &["audit", "--target", "erp-prod"]).code, 0);
}

#[test]
fn what_cannot_be_read_is_named_and_not_counted_as_nothing() {
    let (home, folder) = incidents();
    fs::write(folder.join("journal.jsonl"), "\0garbage\n").unwrap();
    let ran = run(&home, &["metrics", "--format", "json"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("INC-0001 is left out"), "{}", ran.err);
    let lines = ran.lines();
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(
        (summary["incidents"].as_u64(), &summary["damaged"][0]),
        (Some(1), &"INC-0001".into())
    );
}

#[test]
fn a_postmortem_compares_with_the_times_before() {
    let (home, _) = incidents();
    let ran = run(&home, &["postmortem", "2"]);
    for said in ["## Before and after", "It came back", "1 earlier incident on this runbook"] {
        let there = ran.out.contains(said);
        // The first one was never closed, so this one did not come back after it.
        assert_eq!(there, said != "It came back", "{said}: {}", ran.out);
    }
}
