//! What a site agreed on, as the engineer meets it: severities with their risk, whom to call, the words
//! for those who wait, and when the next of them are due.

#![allow(clippy::unwrap_used)]

mod common;

use common::{COMPACT, Cockpit, Ended, Home, Size, WIDE, walk};

const SITE: &str = r#"
[severity.sev1]
risk = "The payroll run of tonight cannot start."
[severity.sev2]
update_every = "45m"

[escalation.duty]
who   = "Duty officer"
reach = "pager 4711"
sev2  = "now"
[escalation.head]
who  = "Head of operations"
sev1 = "now"
sev2 = "2h"

[message.update]
technical = "{{ incident }}: still at {{ step }}, {{ owner }} answers for it."
business  = "{{ title }}: please wait. {{ risk }}"
executive = "{{ incident }} goes on. Next word {{ next_update }}."
"#;

fn cockpit(size: Size) -> Cockpit {
    let home = Home::new();
    home.write("steadyhand.toml", SITE);
    let cockpit =
        Cockpit::start_in(home, &["demo", "--keep", "kept", "--incident", walk::RUNBOOK], size);
    cockpit.wait_for("Say in the incident channel");
    cockpit.wait_for("milestone: detected");
    cockpit.breathe();
    cockpit
}

fn agreed(size: Size) {
    let mut cockpit = cockpit(size);
    cockpit.wait_for("first update in 45 min");
    cockpit.wait_for("call  Duty officer, pager 4711; due");

    cockpit.keys("S");
    cockpit.wait_for("when in doubt, the higher one");
    cockpit.wait_for("The payroll run of tonight cannot start.");
    cockpit.wait_for("SEV-4");
    cockpit.keys("esc");
    cockpit.wait_gone("when in doubt");

    cockpit.keys("E");
    cockpit.wait_for("Whom to call");
    cockpit.wait_for("now  Duty officer (pager 4711)");
    cockpit.wait_for("Head of operations");
    cockpit.keys("enter");
    cockpit.wait_for("Duty officer called, due");
    cockpit.wait_gone("call  Duty officer");

    // The first update has the runbook's own words, which tell of the steps before them; any other has those that
    // were agreed on.
    cockpit.keys("c");
    cockpit.wait_for("still at 1/10 Take the incident");
    cockpit.keys("esc");
    cockpit.wait_gone("still at 1/10 Take the incident");
    cockpit.keys("] ] ] ] ]");
    cockpit.wait_for("it never counted.");
    cockpit.keys("c");
    cockpit.wait_for("it was given: record it");
    cockpit.wait_for("Source contained");
    cockpit.wait_for("tab next text");
    cockpit.keys("y");
    cockpit.wait_for("asked the terminal to copy the technical text");
    cockpit.wait_for_bytes(b"\x1b]52;c;");
    cockpit.keys("enter");
    cockpit.wait_for("technical update recorded as given");
    cockpit.keys("esc");
    // Nobody was moved by it, and the step knows of it.
    cockpit.wait_gone("Recorded as given.");
    cockpit.wait_for("it never counted.");
    cockpit.keys("[");
    cockpit.wait_for("enter told, go on");
    cockpit.wait_for("next update in 20 min");
    cockpit.keys("enter");
    cockpit.wait_gone("enter told, go on");
    cockpit.keys("c");
    cockpit.wait_for("answers for it.");
    cockpit.keys("enter");
    cockpit.wait_for("Recorded as given.");
    cockpit.keys("enter");
    cockpit.wait_for("please wait.");
    cockpit.keys("esc");
    cockpit.wait_gone("please wait.");
    // And one more of them, on the same step.
    cockpit.keys("c");
    cockpit.wait_for("answers for it.");
    cockpit.keys("esc");
    cockpit.wait_gone("answers for it.");
    cockpit.wait_for("next update in 45 min");
    // Nobody is due any more once nothing more goes wrong.
    cockpit.keys("m");
    cockpit.wait_for("Which milestone was reached?");
    cockpit.keys("down down down");
    cockpit.wait_for("▸ contained");
    cockpit.keys("enter");
    cockpit.wait_for("contained: when?");
    cockpit.keys("enter");
    cockpit.wait_gone("contained: when?");
    cockpit.keys("E");
    cockpit.wait_for("This is contained: nobody is due to be called");
    cockpit.wait_for("not called  Head of operations");
    cockpit.keys("esc");
    cockpit.wait_gone("This is contained");
    cockpit.keys("q");
    cockpit.wait_for("Leave?");
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_exit(), Ended::Code(0));

    let home = cockpit.into_home();
    let state = home.path("work/kept/state").to_string_lossy().into_owned();
    let output = home.steadyhand(&["--state", &state, "postmortem", "1"]).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    for said in ["- Duty officer: called ", "| `KC-01` | Custody of assets "] {
        assert!(page.contains(said), "{said} is missing in {page}");
    }
    assert!(!page.contains("Head of operations: **not called"), "their time has not come");
}

#[test]
fn what_was_agreed_on_is_at_hand_at_80x24() {
    agreed(COMPACT);
}

#[test]
fn what_was_agreed_on_is_at_hand_at_120x40() {
    agreed(WIDE);
}
