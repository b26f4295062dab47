//! A change of very many rows: it is previewed, guarded, committed and taken back like a small one,
//! and the program does not hold them all in its memory.

mod common;

use std::time::Instant;

use common::walk::{
    BUILT_IN, RUNBOOK, assert_sound, confirm, database, demo_with_runbook, leave, to_change,
};
use common::{Cockpit, Ground, Home, Sqlite, WIDE};
use steadyhand::dialect::Dialect;
use steadyhand::value::thousands;

/// `STEADYHAND_LARGE` asks for another size, to measure.
fn rows() -> u64 {
    std::env::var("STEADYHAND_LARGE").map_or(100_000, |rows| rows.parse().expect("a number"))
}

/// What the program may ever hold. The images of these rows alone are more than that.
const MOST_KIB: u64 = 160 * 1024;

const SENT: &str = "SELECT COUNT(*) FROM parcels WHERE state = 'sent'";

/// A change that sends all parcels besides its own rows.
fn with_parcels(book: &str) -> String {
    book.replace(
        "[step.limits]\n",
        &format!(
            "[[step.statement]]\nnote = \"Send the parcels\"\nany = \"{SEND}\"\n[step.limits]\n"
        ),
    )
    .replace("max_rows  = 500", "max_rows  = 5000000")
    .replace("time_cap  = \"30s\"", "time_cap  = \"600s\"")
}

/// The demo with a table of many parcels, at that change.
fn at_the_change() -> (Cockpit, Sqlite) {
    let cockpit = demo_with_runbook(with_parcels);
    let mut erp = Sqlite::open(&database(cockpit.home()));
    erp.run(&format!(
        "CREATE TABLE parcels (id INTEGER PRIMARY KEY, state TEXT NOT NULL, weight REAL, label TEXT); \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
         INSERT INTO parcels SELECT i, 'packed', i / 8.0, printf('parcel %d ', i) || hex(zeroblob(100)) FROM n",
        rows()
    ));
    (cockpit, erp)
}

const SEND: &str = "UPDATE parcels SET state = 'sent', weight = weight + 1";

/// The rows beyond so many, as they are shown.
fn more_than(shown: u64) -> String {
    let more = rows() - shown;
    format!("{},{:03}", more / 1000, more % 1000)
}

fn digest(erp: &mut Sqlite) -> String {
    erp.scalar("SELECT COUNT(*) || ' ' || SUM(weight) || ' ' || MIN(state) || ' ' || MAX(state) FROM parcels")
}

/// The rows behind the first ones go to a temporary file.
#[cfg(target_os = "linux")]
#[test]
fn a_preview_that_finds_no_room_for_its_rows_says_so_and_changes_nothing() {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    // The database is another process's business, and of our own files only that of the rows grows so large.
    let ground = Ground::new(Dialect::Postgres);
    let home = Home::new();
    home.write("books/asset-double-assignment.toml", &with_parcels(BUILT_IN));
    let engine = ground.arguments();
    let mut args = vec!["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    args.extend(engine.iter().map(String::as_str));
    let mut cockpit = Cockpit::start_after("trap '' XFSZ", home, &args, WIDE);
    cockpit.wait_for("milestone: detected");
    let mut look = ground.look(&cockpit.home().work());
    look.run(
        "CREATE TABLE parcels (id int PRIMARY KEY, state text NOT NULL, weight float8, label text)",
    );
    look.run(
        "INSERT INTO parcels SELECT i, 'packed', i / 8.0, repeat('x', 200) FROM generate_series(1, 5000) i",
    );
    to_change(&mut cockpit);
    let pid = Pid::from_raw(cockpit.pid());
    let limited = |limit| prlimit(pid, Resource::Fsize, limit).expect("a lower limit is taken");
    let maximum = getrlimit(Resource::Fsize).maximum;
    let before = limited(Rlimit { current: Some(100 << 10), maximum });
    cockpit.keys("enter");
    cockpit.wait_for("the rows cannot be put aside in");
    cockpit.wait_for("File too large");
    assert_eq!(look.count(SENT), 0);
    assert_eq!(look.count("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'"), 0);
    limited(before);
    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    assert_eq!(look.count(SENT), 0, "a preview is taken back");
}

/// A preview that showed the same twice would be agreed to by anybody.
#[test]
fn a_long_value_that_changes_at_its_end_is_shown_there() {
    let mut cockpit = demo_with_runbook(|book| {
        book.replace(
            "[step.limits]\n",
            "[[step.statement]]\nnote = \"Sign the letters\"\n\
             any = \"UPDATE letters SET body = replace(body, 'yes', 'no!')\"\n[step.limits]\n",
        )
    });
    Sqlite::open(&database(cockpit.home())).run(
        "CREATE TABLE letters (id INTEGER PRIMARY KEY, body TEXT); \
         INSERT INTO letters VALUES (1, hex(zeroblob(5000)) || 'yes')",
    );
    cockpit.keys("enter");
    cockpit.wait_for("enter confirm");
    cockpit.keys("d");
    cockpit.wait_for("00yes");
    cockpit.wait_for("00no!");
}

// Only there a process can be asked for the most memory it ever held.
#[cfg(target_os = "linux")]
#[test]
fn a_hundred_thousand_rows_are_changed_and_taken_back_in_little_memory() {
    let (mut cockpit, mut erp) = at_the_change();
    let before = digest(&mut erp);
    let memory = |cockpit: &Cockpit| cockpit.peak_memory().expect("the system tells");
    let mut measured = vec![format!("idle, peak {} KiB", memory(&cockpit))];
    let mut measure = |what: &str, cockpit: &Cockpit, start: Instant| {
        let (seconds, peak) = (start.elapsed().as_secs_f64(), memory(cockpit));
        measured.push(format!("{what} {seconds:.1} s, peak {peak} KiB"));
    };

    let start = Instant::now();
    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    measure("preview", &cockpit, start);
    cockpit.wait_for("rehearsed on the first 10,000 of");
    cockpit.keys("d");
    let more = more_than(5_000);
    cockpit.wait_for(&format!("the first 5,000 rows, and {more} more that are not shown"));
    cockpit.keys("esc");
    cockpit.wait_for("enter confirm");
    assert_eq!(digest(&mut erp), before);

    erp.run("UPDATE parcels SET label = 'lost' WHERE id = 77777");
    let words = format!("erp-demo {}", rows() + 26);
    let start = Instant::now();
    confirm(&mut cockpit, &words);
    cockpit.wait_long_for("ROLLED BACK: nothing was changed");
    measure("drift", &cockpit, start);
    cockpit.wait_for("parcels id 77777 was changed since the preview: label parcel 77777");
    assert_eq!(digest(&mut erp), before);

    cockpit.keys("enter");
    cockpit.wait_long_for("enter confirm");
    let start = Instant::now();
    confirm(&mut cockpit, &words);
    cockpit.wait_long_for(&format!("COMMITTED   {} rows", thousands(rows() + 26)));
    measure("execution", &cockpit, start);
    assert_eq!(erp.count(SENT).unsigned_abs(), rows());

    let start = Instant::now();
    cockpit.keys("u");
    cockpit.wait_long_for("enter confirm");
    measure("preview of the undo", &cockpit, start);
    let start = Instant::now();
    confirm(&mut cockpit, &words.replace(' ', " undo "));
    cockpit.wait_long_for(&format!("COMMITTED   {} rows", thousands(rows() + 26)));
    measure("undo", &cockpit, start);
    assert_eq!(digest(&mut erp), before);
    #[allow(clippy::print_stdout, reason = "the figures are what such a run is for")]
    {
        println!("{}", measured.join("\n"));
    }
    assert!(memory(&cockpit) < MOST_KIB, "{}", measured.join("\n"));
    leave(&mut cockpit);
    assert_sound(cockpit.home());
}
