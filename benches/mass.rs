//! What a change in chunks costs beside loops that somebody writes by hand for `psql`: the same chunks
//! of the same rows, each in one transaction. One keeps its before-images in a table of the server; the
//! other brings the images of before and after to this host, where ours are, and syncs them before
//! COMMIT.
//!
//! `cargo bench --bench mass` starts a server of its own that writes through to the disk, and works on a
//! million rows unless `STEADYHAND_ROWS` says otherwise. The rounds alternate, each on a table made anew;
//! what counts is the ratio. Ours also has the journal, the ledger and an undo that was rehearsed.

#![allow(clippy::print_stdout, reason = "the table is what a bench is for")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::desk::Desk;
use steadyhand::dialect::Dialect;
use steadyhand::ops::mass::Reins;
use steadyhand::recovery::Execution;

const ROUNDS: u32 = 2;

/// What psql does with one chunk.
const LOOPS: [(&str, &str); 2] = [
    (
        "images in a table",
        "BEGIN;
INSERT INTO parcels_before SELECT * FROM parcels WHERE id BETWEEN {a} AND {b} AND state = 'packed';
UPDATE parcels SET state = 'sent', weight = weight + 1 WHERE id BETWEEN {a} AND {b} AND state = 'packed';
COMMIT;
",
    ),
    (
        "images on this host",
        "BEGIN;
\\copy (SELECT * FROM parcels WHERE id BETWEEN {a} AND {b} AND state = 'packed' ORDER BY id) TO '{folder}/before'
UPDATE parcels SET state = 'sent', weight = weight + 1 WHERE id BETWEEN {a} AND {b} AND state = 'packed';
\\copy (SELECT * FROM parcels WHERE id BETWEEN {a} AND {b} ORDER BY id) TO '{folder}/after'
\\! sync {folder}/before {folder}/after
COMMIT;
",
    ),
];

const KEYS: &str = "SELECT id FROM parcels WHERE state = 'packed' ORDER BY id";
const SEND: &str = "UPDATE parcels SET state = 'sent', weight = weight + 1 WHERE id IN (:chunk) AND state = 'packed'";

fn rows() -> u64 {
    std::env::var("STEADYHAND_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number"))
}

fn make_anew(desk: &mut Desk) {
    desk.run("DROP TABLE IF EXISTS parcels");
    desk.run("DROP TABLE IF EXISTS parcels_before");
    desk.run(
        "CREATE TABLE parcels (id int PRIMARY KEY, state text NOT NULL, weight numeric(10,2), label text)",
    );
    desk.run(&format!(
        "INSERT INTO parcels SELECT g, 'packed', (g % 1000) / 8.0, 'parcel ' || g || repeat('x', 60) \
         FROM generate_series(1, {}) g",
        rows()
    ));
    desk.run("CREATE INDEX ON parcels (state)");
    desk.run("CREATE TABLE parcels_before (LIKE parcels)");
    desk.run("VACUUM ANALYZE parcels");
    desk.run("CHECKPOINT");
}

fn main() {
    let mut desk =
        Desk::on(Dialect::Postgres, "", |setup| setup.durable().with("shared_buffers", "128MB"));
    println!("{} rows\n", rows());
    for round in 0..ROUNDS {
        make_anew(&mut desk);
        let op = format!("op{round}");
        let mut job = desk.mass_job(&op, KEYS, &[SEND], (5_000, 50_000));
        job.plan.limits.max_rows = rows();
        let start = Instant::now();
        let preview = desk.preview(&job);
        let previewed = start.elapsed();
        let start = Instant::now();
        let execution = desk.drive(&job, preview, &Reins::default(), &|_| {});
        let ours = start.elapsed();
        assert!(matches!(execution, Execution::Committed { .. }), "{execution:?}");
        assert_eq!(
            desk.count("SELECT count(*) FROM parcels WHERE state = 'sent'").unsigned_abs(),
            rows()
        );
        let incident = desk.incident();
        let change = incident.changes.iter().find(|change| change.op == op).expect("it was done");
        let sizes: Vec<u64> =
            change.chunks.iter().flat_map(|chunks| &chunks.sent).map(|chunk| chunk.keys).collect();

        println!(
            "{} chunks of {} to {} keys: preview {:.2} s, execution {:.2} s",
            sizes.len(),
            sizes.iter().min().unwrap_or(&0),
            sizes.iter().max().unwrap_or(&0),
            previewed.as_secs_f64(),
            ours.as_secs_f64(),
        );
        for (name, chunk) in LOOPS {
            make_anew(&mut desk);
            let theirs = psql(&desk, chunk, &sizes);
            let sent = desk.count("SELECT count(*) FROM parcels WHERE state = 'sent'");
            assert_eq!(sent.unsigned_abs(), rows());
            let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
            println!("  psql, {name}: {:.2} s, ratio {ratio:.2}", theirs.as_secs_f64());
        }
    }
}

/// The same chunks by hand.
fn psql(desk: &Desk, chunk: &str, sizes: &[u64]) -> Duration {
    let folder = desk.folder();
    let chunk = chunk.replace("{folder}", &folder.to_string_lossy());
    let mut script = String::new();
    let mut from = 1;
    for size in sizes {
        let chunk = chunk.replace("{a}", &from.to_string());
        let _ = write!(script, "{}", chunk.replace("{b}", &(from + size - 1).to_string()));
        from += size;
    }
    let path = folder.join("loop.sql");
    std::fs::write(&path, script).expect("the folder is writable");
    let url = desk.server.as_ref().expect("a server").url("erp");
    let start = Instant::now();
    let status = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(&path)
        .arg(&url)
        .stdout(Stdio::null())
        .status()
        .expect("psql is installed");
    assert!(status.success());
    start.elapsed()
}
