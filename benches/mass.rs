//! What a change in chunks costs beside a loop that somebody writes by hand for `psql`: the same
//! chunks of the same rows, each with its before-images in a table, in one transaction with the update.
//!
//! `cargo bench --bench mass` starts a server of its own, on a million rows unless `STEADYHAND_ROWS`
//! says otherwise. The rounds alternate, each on a table made anew; what counts is the ratio. Ours
//! also has the after-images, the journal, the ledger and an undo that was rehearsed.

#![allow(clippy::print_stdout, reason = "the table is what a bench is for")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::desk::Desk;
use steadyhand::dialect::Dialect;
use steadyhand::ops::mass::Reins;
use steadyhand::recovery::Execution;

const ROUNDS: u32 = 2;

/// What psql does with one chunk.
const CHUNK: &str = "BEGIN;
INSERT INTO parcels_before SELECT * FROM parcels WHERE id BETWEEN {a} AND {b} AND state = 'packed';
UPDATE parcels SET state = 'sent', weight = weight + 1 WHERE id BETWEEN {a} AND {b} AND state = 'packed';
COMMIT;
";

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
    let mut desk = Desk::new(Dialect::Postgres, "");
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

        make_anew(&mut desk);
        let mut script = String::new();
        let mut from = 1;
        for size in &sizes {
            let chunk = CHUNK.replace("{a}", &from.to_string());
            let _ = write!(script, "{}", chunk.replace("{b}", &(from + size - 1).to_string()));
            from += size;
        }
        let path = desk.folder().join("loop.sql");
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
        let theirs = start.elapsed();
        assert!(status.success());
        assert_eq!(
            desk.count("SELECT count(*) FROM parcels WHERE state = 'sent'").unsigned_abs(),
            rows()
        );
        println!(
            "{} chunks of {} to {} keys: preview {:.2} s, execution {:.2} s, psql {:.2} s, ratio {:.2}",
            sizes.len(),
            sizes.iter().min().unwrap_or(&0),
            sizes.iter().max().unwrap_or(&0),
            previewed.as_secs_f64(),
            ours.as_secs_f64(),
            theirs.as_secs_f64(),
            ours.as_secs_f64() / theirs.as_secs_f64()
        );
    }
}
