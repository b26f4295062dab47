//! The world moves between the preview and the confirmation, or holds what the change needs: nothing
//! is written, the screen says what moved, and what somebody else wrote survives.

mod common;

use common::book::{check, looking};
use common::walk::{
    BUILT_IN, CONFIRMATION, Facts, assert_sound, confirm, database, demo, demo_with,
    demo_with_runbook, journal, leave, preview, to_change, type_confirmation,
};
use common::{Cockpit, Home, Sqlite, WIDE};

const REPLICA: &str = r#"
checks = ["checks"]
runbooks = ["books"]
[target.erp]
url = "sqlite:primary.db"
detect_url = "sqlite:replica.db"
environment = "staging"
"#;

/// The demo with the change previewed, and what the database held before.
fn previewed() -> (Cockpit, Facts) {
    let mut cockpit = demo(Home::new());
    let before = Facts::of(cockpit.home());
    to_change(&mut cockpit);
    preview(&mut cockpit);
    (cockpit, before)
}

/// Somebody else at the database.
fn other(cockpit: &Cockpit) -> Sqlite {
    Sqlite::open(&database(cockpit.home()))
}

fn approvals(cockpit: &Cockpit) -> usize {
    journal(cockpit.home()).iter().filter(|kind| *kind == "approved").count()
}

/// The confirmation cannot even be opened, and the reason is said.
fn cannot_be_confirmed(cockpit: &mut Cockpit, before: &Facts, why: &str) {
    cockpit.wait_for(why);
    cockpit.keys("enter");
    cockpit.wait_until("the reason again, below", |screen| screen.matches(why).count() == 2);
    assert!(!cockpit.screen().contains("esc leaves it alone"), "{}", cockpit.screen());
    assert_eq!(Facts::of(cockpit.home()), *before);
    assert_eq!(approvals(cockpit), 0);
    assert_sound(cockpit.home());
}

/// What is on the screen is asked anew whatever became of the clock.
#[test]
fn a_check_is_asked_again_after_the_clock_was_set_back() {
    let home = Home::new().with("STEADYHAND_JUMP", "after:checked");
    let book = BUILT_IN.replace("every    = \"10s\"", "every    = \"1s\"");
    assert_ne!(book, BUILT_IN);
    home.write("books/asset-double-assignment.toml", &book);
    let mut cockpit = demo_with(home, &["--runbooks", "books"]);
    cockpit.keys("]");
    cockpit.wait_for("12 violations");
    other(&cockpit).run(
        "UPDATE asset_assignments SET return_date = assigned_at WHERE asset_id = \
         (SELECT asset_id FROM asset_assignments WHERE id = 6002)",
    );
    cockpit.wait_for("11 violations");
    leave(&mut cockpit);
}

/// A copy under the old name may be clear, and says nothing of the database that is not.
#[test]
fn a_check_of_an_incident_is_not_asked_of_another_file() {
    let mut cockpit = demo(Home::new());
    cockpit.keys("]");
    cockpit.wait_for("12 violations");
    let path = database(cockpit.home());
    let restored = cockpit.home().path("tmp").join("restored.db");
    std::fs::copy(&path, &restored).expect("the database can be copied");
    Sqlite::open(&restored).run("DELETE FROM asset_assignments");
    std::fs::rename(&restored, &path).expect("the copy can take its place");
    cockpit.keys("r");
    cockpit.wait_for("erp-demo is another server now");
    cockpit.wait_for("nothing was run");
    assert!(!cockpit.screen().contains("✓ clear"), "{}", cockpit.screen());
    leave(&mut cockpit);
}

/// Rows of an export are those of the finding: from where checks run.
#[test]
fn an_export_comes_from_where_checks_run() {
    let home = Home::new();
    for (name, rows) in [("primary.db", "(1), (2), (3), (4), (5)"), ("replica.db", "(1), (2)")] {
        Sqlite::create(&home.work().join(name)).run(&format!(
            "CREATE TABLE bad (id INTEGER PRIMARY KEY); INSERT INTO bad VALUES {rows}"
        ));
    }
    home.write("steadyhand.toml", REPLICA);
    home.write("checks/bad-rows.toml", &check("bad-rows", "SELECT id FROM bad"));
    home.write("books/look.toml", &looking("look", "bad-rows"));
    let mut cockpit = Cockpit::start_in(home, &["open", "look", "--target", "erp"], WIDE);
    cockpit.wait_for("1-2 of 2");
    cockpit.keys("V");
    cockpit.wait_for("s sort");
    cockpit.wait_for("1-2 of 2");
    cockpit.keys("E");
    cockpit.wait_for("Export all rows as");
    cockpit.keys("enter");
    cockpit.wait_for("2 rows written to");
}

/// A text that is folded in its box.
fn wait_for_words(cockpit: &Cockpit, words: &str) {
    cockpit.wait_until(words, |screen| {
        let text = screen.replace('│', " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ").contains(words)
    });
}

/// What people are told is as old as the count that it was taken from, and says so.
#[test]
fn an_update_says_of_when_its_count_is() {
    let home = Home::new();
    Sqlite::create(&home.work().join("erp.db"))
        .run("CREATE TABLE bad (id INTEGER PRIMARY KEY); INSERT INTO bad VALUES (1), (2)");
    home.write("checks/bad-rows.toml", &check("bad-rows", "SELECT id FROM bad"));
    let book = looking("look", "bad-rows");
    let required = book.replace("expect =", "required = \"pass\"\nexpect =");
    assert_ne!(book, required);
    home.write("books/look.toml", &required);
    let open = ["--checks", "checks", "--runbooks", "books", "open", "look", "--target", "erp.db"];
    let mut cockpit = Cockpit::start_in(home, &open, WIDE);
    cockpit.wait_for("1-2 of 2");
    cockpit.keys("c");
    wait_for_words(&cockpit, "2 violations when first seen, 2 now;");
    cockpit.keys("esc");
    cockpit.wait_gone("when first seen");
    let mut erp = Sqlite::open(&cockpit.home().work().join("erp.db"));
    erp.run("ALTER TABLE bad RENAME TO away");
    cockpit.keys("r");
    cockpit.wait_for("could not check");
    // No key is named that this step does not have.
    cockpit.keys("enter");
    cockpit.wait_for("r runs it again, this step must be done");
    cockpit.keys("c");
    wait_for_words(&cockpit, "first seen, an unknown number (could not be counted at ");
    wait_for_words(&cockpit, "; 2 at ");
    cockpit.keys("esc");
    cockpit.wait_gone("when first seen");
    leave(&mut cockpit);
}

#[test]
fn an_update_after_a_change_has_what_the_change_left() {
    let (mut cockpit, _) = previewed();
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    cockpit.keys("enter");
    cockpit.wait_gone("COMMITTED   26 rows");
    cockpit.keys("c");
    wait_for_words(&cockpit, "when first seen, 0 now.");
    wait_for_words(&cockpit, "Rows written so far: 26.");
    cockpit.keys("esc");
    cockpit.wait_gone("when first seen");
    leave(&mut cockpit);
}

// ----------------------------------------------------------------------------- between the two

#[test]
fn a_row_that_was_edited_since_the_preview_rolls_everything_back() {
    let (mut cockpit, _) = previewed();
    other(&cockpit).run("UPDATE asset_assignments SET note = 'asked Ada' WHERE id = 6002");
    let edited = Facts::of(cockpit.home());
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("ROLLED BACK: nothing was changed");
    cockpit.wait_for("the data changed since the preview");
    cockpit.wait_for("asset_assignments id 6002 was changed since the preview: note hand-over");
    cockpit.wait_for("-> asked Ada");
    assert_eq!(Facts::of(cockpit.home()), edited);

    cockpit.keys("enter");
    cockpit.wait_for("enter confirm");
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    assert_eq!(Facts::of(cockpit.home()), edited.after_change());
    assert_sound(cockpit.home());
}

#[test]
fn a_row_that_came_since_the_preview_is_not_changed_unseen() {
    let (mut cockpit, _) = previewed();
    other(&cockpit).run(
        "INSERT INTO asset_assignments (asset_id, employee_id, assigned_at) \
         SELECT asset_id, employee_id, '2026-11-21 05:00:00' FROM asset_assignments WHERE id = 6001",
    );
    let grown = Facts::of(cockpit.home());
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("ROLLED BACK: nothing was changed");
    cockpit.wait_for("statement 1: 13 rows at the preview, 14 now");
    cockpit.wait_for("asset_assignments id 6019 would be changed, but was not in the preview");
    assert_eq!(Facts::of(cockpit.home()), grown);
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}

#[test]
fn another_file_under_the_same_name_is_not_written() {
    let (mut cockpit, _) = previewed();
    let path = database(cockpit.home());
    let restored = cockpit.home().path("tmp").join("restored.db");
    std::fs::copy(&path, &restored).expect("the database can be copied");
    std::fs::rename(&restored, &path).expect("the copy can take its place");
    let before = Facts::of(cockpit.home());
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("ROLLED BACK: nothing was changed");
    cockpit.wait_for("erp-demo is another server now");
    assert_eq!(Facts::of(cockpit.home()), before);
}

// ------------------------------------------------------------------------------------------ undo

#[test]
fn an_undo_leaves_alone_what_somebody_else_changed_since() {
    let (mut cockpit, before) = previewed();
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    other(&cockpit).run(
        "UPDATE asset_assignments SET return_date = '2026-11-20 09:00:00' WHERE id = 6002; \
         UPDATE asset_assignments SET note = 'asked Ada' WHERE id = 6004",
    );
    cockpit.keys("u");
    cockpit.wait_for("left alone, changed since: asset_assignments id 6002");
    cockpit.wait_for("before NULL, we wrote 2026-11-18 08:19:00, now 2026-11-20 09:00:00");
    cockpit.wait_for("12 upd");
    // The hand knows the words of the change; here they confirm nothing.
    confirm(&mut cockpit, "erp-demo 24");
    cockpit.wait_for("'erp-demo 24' is not it; nothing was executed");
    cockpit.wait_for("TAKE BACK on demo erp-demo");
    cockpit.wait_for("Undo: Close the later assignments");
    cockpit.keys("esc");
    cockpit.wait_for("PREVIEW OF THE UNDO");
    cockpit.wait_for("enter confirm the undo");
    confirm(&mut cockpit, "erp-demo undo 24");
    cockpit.wait_for("COMMITTED   24 rows");
    leave(&mut cockpit);
    // Whoever takes over hears what is not as it was before.
    let card = cockpit.home().steadyhand(&["handover"]).assert().code(0);
    let card = String::from_utf8_lossy(&card.get_output().stdout).into_owned();
    for said in [
        "COMMITTED, 26 rows, and taken back but for 1 row\n",
        "COMMITTED, 24 rows; left alone, because they were changed since: 1 row: ",
        "Close the later assignments, keep the earliest: 1 row left alone when it was taken back\n",
    ] {
        assert!(card.contains(said), "{said} is not on the card:\n{card}");
    }
    let after = Facts::of(cockpit.home());
    let mut wanted = before.assignments.clone();
    for row in &mut wanted {
        match row[0].as_str() {
            "6002" => row[4] = "2026-11-20 09:00:00".to_owned(),
            "6004" => row[5] = "asked Ada".to_owned(),
            _ => {}
        }
    }
    assert_eq!(after.assignments, wanted);
    assert_eq!(after.ledger, 2);
    assert_sound(cockpit.home());
}

// ------------------------------------------------------------------------------------- refusals

#[test]
fn more_rows_than_the_runbook_allows_cannot_be_confirmed() {
    let mut cockpit = demo_with_runbook(|book| book.replace("max_rows  = 500", "max_rows  = 5"));
    let before = Facts::of(cockpit.home());
    cockpit.keys("enter");
    let why = "refused: it writes 26 rows, and the runbook allows 5";
    cannot_be_confirmed(&mut cockpit, &before, why);
}

#[test]
fn a_repair_that_makes_a_neighbour_worse_cannot_be_confirmed() {
    let mut cockpit = demo_with_runbook(|book| {
        book.replace("SET return_date = assigned_at", "SET return_date = '2026-11-21 12:00:00'")
    });
    let before = Facts::of(cockpit.home());
    cockpit.keys("enter");
    cannot_be_confirmed(&mut cockpit, &before, "refused: overlapping-assignment would get worse");
}

#[test]
fn a_repair_that_cures_nothing_cannot_be_confirmed() {
    let mut cockpit =
        demo_with_runbook(|book| book.replace("WHERE r.place > 1)", "WHERE r.place > 2)"));
    let before = Facts::of(cockpit.home());
    cockpit.keys("enter");
    cannot_be_confirmed(&mut cockpit, &before, "refused: asset-double-assignment");
}

#[test]
fn a_preview_that_is_too_old_cannot_be_confirmed() {
    let mut cockpit = demo_with_runbook(|book| {
        book.replace("valid           = \"10m\"", "valid           = \"2s\"")
    });
    let before = Facts::of(cockpit.home());
    preview(&mut cockpit);
    cockpit.wait_for("too old: p previews again");
    // Where the words are asked for, the next key would be one of their letters.
    cockpit.keys("enter J");
    cockpit.wait_for("changes decisions");
    assert_eq!(Facts::of(cockpit.home()), before);
    assert_eq!(approvals(&cockpit), 0);
}

#[test]
fn a_change_whose_needs_are_not_met_is_not_even_previewed() {
    let mut cockpit = demo(Home::new());
    cockpit.keys("] ] ] ] ]");
    cockpit.wait_for("enter say what comes first");
    for key in ["enter", "p"] {
        cockpit.keys(key);
        cockpit.wait_for("first step 2 (");
        cockpit.keys("[");
        cockpit.wait_for("Tell people what is known");
        cockpit.wait_gone("first step 2 (");
        cockpit.keys("]");
        cockpit.wait_for("enter say what comes first");
    }
    leave(&mut cockpit);
    assert!(!journal(cockpit.home()).iter().any(|kind| kind == "previewed"));
}

// ---------------------------------------------------------------------------------------- locks

#[test]
fn a_lock_that_somebody_holds_fails_the_preview_and_nothing_else() {
    let mut cockpit = demo(Home::new());
    let before = Facts::of(cockpit.home());
    to_change(&mut cockpit);
    let mut holder = other(&cockpit);
    holder.run("BEGIN IMMEDIATE");
    cockpit.keys("enter");
    cockpit.wait_for("The preview failed; nothing was changed.");
    cockpit.wait_for("lock");
    holder.run("ROLLBACK");
    assert_eq!(Facts::of(cockpit.home()), before);
    preview(&mut cockpit);
    // Now at the execution: a writer, and a reader that stands in the way of COMMIT only.
    for hold in ["BEGIN IMMEDIATE", "BEGIN; SELECT COUNT(*) FROM assets"] {
        holder.rows(hold);
        confirm(&mut cockpit, CONFIRMATION);
        cockpit.wait_for("ROLLED BACK: nothing was changed");
        cockpit.wait_for("lock");
        holder.run("ROLLBACK");
        assert_eq!(Facts::of(cockpit.home()), before, "{hold}");
        cockpit.keys("enter");
        cockpit.wait_for("enter confirm");
    }
    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    assert_eq!(Facts::of(cockpit.home()), before.after_change());
    assert_sound(cockpit.home());
}

// ------------------------------------------------------------------------------------ the words

#[test]
fn only_the_right_words_and_an_enter_of_their_own_execute() {
    let (mut cockpit, before) = previewed();
    for wrong in ["y", "erp-demo 25", "erp-demo26", "ERP-DEMO 26"] {
        type_confirmation(&mut cockpit, wrong);
        cockpit.keys("enter");
        cockpit.wait_for("is not it; nothing was executed");
        cockpit.keys("esc");
        cockpit.wait_gone("esc leaves it alone");
    }
    // A paste, in brackets and without.
    for paste in
        ["\x1b[200~erp-demo 26\r\x1b[201~", "\x1b[200~erp-demo 26\n\x1b[201~", "erp-demo 26\r"]
    {
        cockpit.keys("enter");
        cockpit.wait_for("esc leaves it alone");
        cockpit.send(paste.as_bytes());
        cockpit.wait_for("> erp-demo 26");
        cockpit.breathe();
        assert!(cockpit.screen().contains("esc leaves it alone"), "{}", cockpit.screen());
        cockpit.keys("esc");
        cockpit.wait_gone("esc leaves it alone");
    }
    // Enter and the text before the box stands there.
    cockpit.send(b"\rerp-demo 26\r");
    cockpit.wait_for("esc leaves it alone");
    cockpit.breathe();
    assert!(cockpit.screen().contains("esc leaves it alone"), "{}", cockpit.screen());
    cockpit.keys("ctrl-c");
    cockpit.wait_gone("esc leaves it alone");
    assert_eq!(approvals(&cockpit), 0);
    assert_eq!(Facts::of(cockpit.home()), before);

    confirm(&mut cockpit, CONFIRMATION);
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    assert_eq!(approvals(&cockpit), 1);
    assert_sound(cockpit.home());
}
