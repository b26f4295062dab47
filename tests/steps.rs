//! The step in work, for kinds that the journey does not pass: what it proposes, and which keys it
//! offers.

mod common;

use common::walk::leave;
use common::{Cockpit, Home, Sqlite, WIDE};

const ON: [&str; 6] = ["--target", "scratch.db", "--checks", "checks", "--runbooks", "books"];

const BOOK: &str = r#"
id       = "steps"
title    = "Steps"
summary  = "Every kind of step that stands still."
owner    = "DBA"
severity = "sev2"

[[step]]
id       = "read"
kind     = "note"
stage    = "stabilise"
title    = "Read what is known"
do       = "Read it."
required = "pass"

[[step]]
id       = "more"
kind     = "decide"
stage    = "contain"
title    = "Is there more of it?"
question = "Is something else wrong as well?"
[[step.option]]
label = "No: go on"
goto  = "settle"
when  = "others clear"
[[step.option]]
label = "Yes: that one first"
goto  = "rest"
when  = "others violated"

[[step]]
id    = "settle"
kind  = "manual"
stage = "recover"
title = "Settle it"
do    = "Settle it."
needs = ["read"]
done_when = "It is settled."

[[step]]
id      = "rest"
kind    = "wait"
stage   = "recover"
title   = "Let it rest"
for   = "90s"
"#;

fn home() -> Home {
    let home = Home::new();
    Sqlite::create(&home.work().join("scratch.db"))
        .run("CREATE TABLE others (id INTEGER PRIMARY KEY); INSERT INTO others VALUES (1), (2)");
    home.write(
        "checks/others.toml",
        "id = \"others\"\ntitle = \"Others\"\nrule = \"There are none.\"\nowner = \"DBA\"\n\
         severity = \"sev2\"\nkind = \"violations\"\nkey = [\"id\"]\ntimeout = \"10s\"\n\
         tables = [\"others\"]\n[sql]\nany = \"SELECT id FROM others\"\n",
    );
    home.write("books/steps.toml", BOOK);
    home
}

/// No other step runs the check, and somebody comes back to the decision with a new program.
#[test]
fn a_decision_asks_the_checks_that_propose_its_options() {
    let mut cockpit = Cockpit::start_in(home(), &[&["open", "steps"][..], &ON].concat(), WIDE);
    cockpit.wait_for("Read what is known");
    cockpit.keys("]");
    cockpit.wait_for("What proposes one of them:");
    cockpit.wait_for("2 violations");
    cockpit.keys("enter");
    cockpit.wait_for("▸ Yes: that one first   (proposed by the check)");
    cockpit.keys("esc");
    cockpit.wait_gone("proposed by the check");
    leave(&mut cockpit);
    Sqlite::open(&cockpit.home().work().join("scratch.db")).run("DELETE FROM others");
    let args = [&["resume"][..], &ON[2..]].concat();
    let mut cockpit = Cockpit::start_in(cockpit.into_home(), &args, WIDE);
    cockpit.wait_for("✓ clear");
    cockpit.keys("enter");
    cockpit.wait_for("▸ No: go on   (proposed by the check)");
    cockpit.keys("esc");
    cockpit.wait_gone("proposed by the check");
    // Asked again on demand.
    Sqlite::open(&cockpit.home().work().join("scratch.db")).run("INSERT INTO others VALUES (3)");
    cockpit.keys("r");
    cockpit.wait_for("1 violation");
    leave(&mut cockpit);
}

#[test]
fn the_last_line_offers_no_key_that_comes_to_nothing() {
    let mut cockpit = Cockpit::start_in(home(), &[&["open", "steps"][..], &ON].concat(), WIDE);
    cockpit.wait_for("enter read, go on");
    let last = |cockpit: &Cockpit| cockpit.screen().lines().last().unwrap_or_default().to_owned();
    assert!(!last(&cockpit).contains("s skip"), "{}", last(&cockpit));
    cockpit.keys("]");
    cockpit.wait_for("s skip");
    cockpit.keys("]");
    cockpit.wait_for("enter say what comes first");
    cockpit.keys("enter");
    cockpit.wait_for("first step 1 (Read what is known)");
    cockpit.keys("]");
    cockpit.wait_for("enter say how long");
    cockpit.keys("enter");
    cockpit.wait_for("to go; s skips the rest with a reason");
    leave(&mut cockpit);
}
