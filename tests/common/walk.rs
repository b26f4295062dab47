//! The demo's double-assigned assets, walked by hand: the ways to a change and through it, and what
//! the database says from outside.
//!
//! The demo is kept in the folder where runs start, so that `resume` and the commands without a
//! screen find it by its own configuration.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::{Cockpit, Home, Sqlite, WIDE};

pub const RUNBOOK: &str = "asset-double-assignment";
/// What confirms the change: 13 assignments, and the audit log's row for each.
pub const CONFIRMATION: &str = "erp-demo 26";
/// What confirms that it is taken back.
pub const UNDO_CONFIRMATION: &str = "erp-demo undo 26";
/// The first incident of a home.
pub const INCIDENT: &str = "INC-0001";

/// A home whose incidents can be taken over after a second.
pub fn hasty() -> Home {
    let home = Home::new();
    let folder = home.path("config/steadyhand");
    fs::create_dir_all(&folder).expect("the home is ours");
    fs::write(folder.join("steadyhand.toml"), "take_over_after = \"1s\"\n").expect("it is ours");
    home
}

/// A demo that is kept, with its incident just opened.
pub fn demo(home: Home) -> Cockpit {
    demo_with(home, &[])
}

pub fn demo_with(home: Home, more: &[&str]) -> Cockpit {
    let args = [&["demo", "--keep", ".", "--incident", RUNBOOK], more].concat();
    let cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("Take the incident");
    cockpit.wait_for("milestone: detected");
    cockpit
}

/// The demo's runbook.
pub const BUILT_IN: &str = include_str!("../../runbooks/reliability/asset-double-assignment.toml");

/// The demo at the change, with a runbook that was altered for it.
pub fn demo_with_runbook(alter: impl Fn(&str) -> String) -> Cockpit {
    let home = Home::new();
    let altered = alter(BUILT_IN);
    assert_ne!(altered, BUILT_IN, "the runbook has what is to be altered");
    home.write("books/asset-double-assignment.toml", &altered);
    let mut cockpit = demo_with(home, &["--runbooks", "books"]);
    to_change(&mut cockpit);
    cockpit
}

/// The demo's runbook with another change in the place of its own: one of very many rows, in chunks.
pub fn runbook_in_chunks(change: &str) -> String {
    let start = BUILT_IN.find("[[step.statement]]").expect("it has a statement");
    let end = BUILT_IN.find("[step.limits]").expect("it has limits");
    let book = format!("{}{change}{}", &BUILT_IN[..start], &BUILT_IN[end..]);
    book.replace("cures           = [\"asset-double-assignment\"]\n", "")
        .replace("max_rows  = 500", "max_rows  = 5000000")
}

pub fn resume(home: Home) -> Cockpit {
    Cockpit::start_in(home, &["resume"], WIDE)
}

pub fn database(home: &Home) -> PathBuf {
    home.work().join("erp.db")
}

/// From the first step to the change, whose count must have been seen.
pub fn to_change(cockpit: &mut Cockpit) {
    cockpit.keys("]");
    cockpit.wait_for("12 violations");
    cockpit.keys("enter");
    cockpit.wait_for("Is the source still writing?");
    cockpit.keys("] ] ]");
    cockpit.wait_for("enter preview");
}

pub fn preview(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    cockpit.wait_for("enter confirm");
}

/// Opens the confirmation and types into it; the enter that means it is left to the caller.
pub fn type_confirmation(cockpit: &mut Cockpit, text: &str) {
    cockpit.keys("enter");
    cockpit.wait_for("esc leaves it alone");
    cockpit.type_text(text);
    cockpit.wait_for(&format!("> {text}"));
    cockpit.breathe();
}

pub fn confirm(cockpit: &mut Cockpit, text: &str) {
    type_confirmation(cockpit, text);
    cockpit.keys("enter");
}

/// Writes a note into the journal.
pub fn note(cockpit: &mut Cockpit, text: &str) {
    cockpit.keys("e");
    cockpit.wait_for("sort it");
    cockpit.type_text(text);
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_gone("sort it");
}

pub fn leave(cockpit: &mut Cockpit) {
    cockpit.keys("q");
    cockpit.wait_for("Leave?");
    cockpit.breathe();
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_code(), 0);
}

/// `verify` finds nothing altered.
pub fn assert_sound(home: &Home) {
    home.steadyhand(&["verify", INCIDENT]).assert().code(0);
}

/// What the database holds, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub assignments: Vec<Vec<String>>,
    pub audit: i64,
    /// Operations in the ledger.
    pub ledger: i64,
    /// The guardrail stands.
    pub guardrail: bool,
    /// A digest of everything else that the demo's tables hold.
    pub rest: Vec<(String, u64)>,
}

impl Facts {
    pub fn of(home: &Home) -> Self {
        Self::read(&mut Sqlite::open(&database(home)))
    }

    /// The facts without touching the file: what a crash left for the next one is still there.
    pub fn of_copy(home: &Home) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let copy = folder.path().join("erp.db");
        copy_database(&database(home), &copy);
        Self::read(&mut Sqlite::open(&copy))
    }

    fn read(sqlite: &mut Sqlite) -> Self {
        let there = |sqlite: &mut Sqlite, name: &str| {
            sqlite.count(&format!("SELECT COUNT(*) FROM sqlite_schema WHERE name = '{name}'")) > 0
        };
        let ledger = if there(sqlite, "steadyhand_ledger") {
            sqlite.count("SELECT COUNT(*) FROM steadyhand_ledger")
        } else {
            0
        };
        let tables = sqlite.rows(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND \
             name NOT IN ('asset_assignments', 'audit_log', 'steadyhand_ledger') ORDER BY name",
        );
        let rest = tables
            .iter()
            .map(|table| {
                let mut digest = DefaultHasher::new();
                all(sqlite, &table[0]).hash(&mut digest);
                (table[0].clone(), digest.finish())
            })
            .collect();
        assert_eq!(sqlite.scalar("PRAGMA integrity_check"), "ok");
        Self {
            assignments: all(sqlite, "asset_assignments"),
            audit: sqlite.count("SELECT COUNT(*) FROM audit_log"),
            ledger,
            guardrail: there(sqlite, "ux_asset_active"),
            rest,
        }
    }

    /// The same after the change: every later open assignment ended when it began.
    pub fn after_change(&self) -> Self {
        const ID: usize = 0;
        const ASSET: usize = 1;
        const BEGAN: usize = 3;
        const ENDED: usize = 4;
        let mut after = self.clone();
        let open: Vec<Vec<String>> =
            self.assignments.iter().filter(|row| row[ENDED] == "NULL").cloned().collect();
        let place = |row: &Vec<String>| {
            let id: i64 = row[ID].parse().expect("an id is a number");
            (row[BEGAN].clone(), id)
        };
        let mut ended = 0;
        for row in &mut after.assignments {
            let is_later = row[ENDED] == "NULL"
                && open.iter().any(|other| other[ASSET] == row[ASSET] && place(other) < place(row));
            if is_later {
                let began = row[BEGAN].clone();
                row[ENDED] = began;
                ended += 1;
            }
        }
        assert_eq!(ended, 13, "the demo's fault is 13 assignments");
        after.audit += 13;
        after.ledger += 1;
        after
    }

    /// The same after the change was taken back: the audit log keeps both.
    pub fn after_undo(&self, before: &Self) -> Self {
        Self {
            assignments: before.assignments.clone(),
            audit: self.audit + 13,
            ledger: self.ledger + 1,
            ..self.clone()
        }
    }
}

/// Every row of a table in the order of its key. The database joins them to one text, which is much
/// faster than taking twenty thousand rows one by one.
fn all(sqlite: &mut Sqlite, table: &str) -> Vec<Vec<String>> {
    let columns = sqlite.rows(&format!("SELECT name FROM pragma_table_info('{table}')"));
    let values: Vec<String> =
        columns.iter().map(|name| format!("COALESCE(\"{}\", 'NULL')", name[0])).collect();
    let text = sqlite.scalar(&format!(
        "SELECT group_concat({}, char(30)) FROM (SELECT * FROM \"{table}\" ORDER BY 1)",
        values.join(" || char(31) || ")
    ));
    text.split('\u{1e}').map(|row| row.split('\u{1f}').map(str::to_owned).collect()).collect()
}

/// A database and what belongs to it, as they are on disk.
pub fn copy_database(from: &Path, to: &Path) {
    fs::copy(from, to).expect("the database can be copied");
    for more in ["-journal", "-wal"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{more}", path.display()));
        if beside(from).exists() {
            fs::copy(beside(from), beside(to)).expect("the database's journal can be copied");
        }
    }
}

/// Whoever holds the incident does not answer, and these words take it over.
pub fn take_over(cockpit: &mut Cockpit, words: &str) {
    cockpit.wait_for("does not answer");
    cockpit.type_text(words);
    cockpit.wait_for(&format!("> {words}"));
    cockpit.breathe();
    cockpit.keys("enter");
}

/// Runs the command of the step that is open.
pub fn run_command(cockpit: &mut Cockpit) {
    cockpit.keys("enter");
    cockpit.wait_for("Type   erp-demo run");
    cockpit.type_text("erp-demo run");
    cockpit.breathe();
    cockpit.keys("enter");
    cockpit.wait_gone("Type   erp-demo run");
}

/// The command of the step that is open has ended, for the journal and for the screen.
pub fn wait_for_end(cockpit: &Cockpit, kind: &str, count: usize) {
    cockpit.wait_until("the command has ended", |screen| {
        let kinds = journal(cockpit.home());
        kinds.iter().filter(|one| *one == kind).count() == count && !screen.contains("x stops it")
    });
}

/// The kinds of the journal's records, in their order.
pub fn journal(home: &Home) -> Vec<String> {
    journal_of(home, INCIDENT)
}

pub fn journal_of(home: &Home, incident: &str) -> Vec<String> {
    let path = home.work().join(format!("state/incidents/{incident}/journal.jsonl"));
    let text = fs::read_to_string(path).expect("the journal can be read");
    text.lines()
        .map(|line| {
            let (_, rest) = line.split_once("\"kind\":\"").expect("a record has a kind");
            rest.split('"').next().unwrap_or_default().to_owned()
        })
        .collect()
}
