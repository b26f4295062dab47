//! What a runbook says of a step that does not go well: how long a wait lasts, and where to turn then.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::walk::{BUILT_IN, demo_with};
use common::{Cockpit, Home};

/// The demo with this step as its second, opened.
fn at(step: &str) -> Cockpit {
    let home = Home::new();
    let first = BUILT_IN.find("[[step]]").unwrap() + 1;
    let second = first + BUILT_IN[first..].find("[[step]]").unwrap();
    let book = format!("{}{step}\n{}", &BUILT_IN[..second], &BUILT_IN[second..]);
    home.write("books/asset-double-assignment.toml", &book);
    let mut cockpit = demo_with(home, &["--runbooks", "books"]);
    cockpit.keys("]");
    cockpit
}

#[test]
fn a_wait_fails_when_its_check_is_not_clear_in_time_and_says_where_to_turn() {
    let cockpit =
        at("[[step]]\nid = \"drain\"\nkind = \"wait\"\ntitle = \"Wait until nobody has two\"\n\
         until = \"asset-double-assignment\"\nevery = \"1s\"\nat_most = \"2s\"\n\
         on_fail = \"drain-two\"\non_timeout = \"page\"\n\
         [[step]]\nid = \"drain-two\"\nkind = \"note\"\ntitle = \"Not this one\"\ndo = \"Read.\"\n\
         [[step]]\nid = \"page\"\nkind = \"note\"\ntitle = \"Call the owner\"\ndo = \"Call.\"");
    cockpit.wait_for("time left");
    cockpit.wait_for("failed: not clear after 2s: 12 violations");
    cockpit.wait_for("turn to step 4, Call the owner");
}

#[test]
fn a_command_that_failed_says_which_step_to_turn_to() {
    let mut cockpit = at("[[step]]\nid = \"ask\"\nkind = \"command\"\ntitle = \"Ask the pager\"\n\
         argv = [\"false\"]\nreadonly = true\non_fail = \"page\"\n\
         [[step]]\nid = \"page\"\nkind = \"note\"\ntitle = \"Call the owner\"\ndo = \"Call.\"");
    cockpit.wait_for("Ask the pager");
    cockpit.keys("enter");
    cockpit.wait_for("failed: ");
    cockpit.wait_for("turn to step 3, Call the owner");
}
