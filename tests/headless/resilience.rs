//! Resilience: dumps by the engines' own programs, a restore that really happens, and evidence that
//! `sha256sum` checks.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use serde_json::{Value, json};

use super::common::server::{self, ADMIN, Kind, Server, Setup};
use super::common::{Cockpit, Ended, Signal, Sqlite, WIDE};
use super::{Desk, Ran, run};

const GUARD: &str = "id = \"guard\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"sev2\"\nkey = [\"id\"]\nsuites = [\"resilience\"]\nowner = \"o\"\n[sql]\nany = \"SELECT id FROM asset WHERE id < 0\"\n";

/// A target with the pack of the test, and what is said of its backups.
fn desk(url: &str, backup: &str) -> Desk {
    let desk = Desk::new();
    desk.home.write("checks/own/guard.toml", GUARD);
    say(&desk, url, backup);
    desk
}

fn say(desk: &Desk, url: &str, backup: &str) {
    let text = format!(
        "checks = [\"checks\"]\n[target.erp]\nurl = \"{url}\"\nenvironment = \"staging\"\npacks = [\"own\"]\n{backup}"
    );
    desk.home.write("steadyhand.toml", &text);
}

fn drill(desk: &Desk, evidence: &str) -> Ran {
    run(&desk.home, &["resilience", "--target", "erp", "--evidence", evidence])
}

fn shell(desk: &Desk, script: &str) -> String {
    let ran =
        Command::new("sh").args(["-ec", script]).current_dir(desk.home.work()).output().unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(ran.status.success(), "{script}: {said}");
    said
}

fn verdict<'r>(ran: &'r Ran, step: &str) -> &'r str {
    let line = ran.out.lines().find(|line| line.split_whitespace().nth(1) == Some(step));
    line.unwrap_or_else(|| panic!("no {step} in {}{}", ran.out, ran.err))
}

fn shop() -> Server {
    let server = server::postgres();
    server.database("shop");
    server.database("scratch");
    server.run(
        "shop",
        "CREATE SCHEMA hr; CREATE TABLE asset (id INT PRIMARY KEY, owner TEXT);
         INSERT INTO asset VALUES (1, 'ada'), (2, NULL); CREATE TABLE hr.\"two words\" (id INT)",
    );
    server
}

#[test]
fn a_backup_is_restored_measured_and_the_evidence_is_checked_by_sha256sum() {
    let server = shop();
    let scratch = server.url("scratch");
    let backup = format!(
        "[target.erp.backup]\nnewest = \"backups/*.dump\"\nrpo = \"15m\"\nrto = \"60m\"\n\
         restore = [\"pg_restore\", \"--exit-on-error\", \"--no-owner\", \"--dbname\", \"{scratch}\", \"{{backup}}\"]\n"
    );
    let desk = desk(&server.url("shop"), &backup);
    fs::create_dir(desk.home.work().join("backups")).unwrap();
    shell(&desk, &format!("pg_dump -Fc -f backups/1.dump '{}'", server.url("shop")));
    let ran = drill(&desk, "proof");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(verdict(&ran, "listing").contains("all of 2 tables are in it"), "{}", ran.out);
    assert!(verdict(&ran, "newest-backup").contains("pg_restore reads its"), "{}", ran.out);
    assert!(verdict(&ran, "recovery-time").contains("1h allowed"), "{}", ran.out);
    assert!(verdict(&ran, "guard").starts_with("clear"), "{}", ran.out);
    assert_eq!(server.client("scratch").count("SELECT count(*) FROM asset"), 2, "it was restored");
    let sums = shell(&desk, "cd proof; sha256sum -c SHA256SUMS; pg_restore --list schema.dump");
    assert!(sums.matches(": OK").count() >= 3 && sums.contains("two words"), "{sums}");
    let result: Value =
        serde_json::from_slice(&fs::read(desk.home.work().join("proof/result.json")).unwrap())
            .unwrap();
    assert_eq!(
        (&result["exit"], &result["recovery_time"]["allowed_seconds"]),
        (&0.into(), &3600.0.into())
    );
    assert!(result["server"].as_str().unwrap().starts_with("PostgreSQL 15"), "{result}");
    // It counts as a run of its suite.
    assert_eq!(run(&desk.home, &["health", "--suite", "resilience"]).code, 0);
    // Evidence is never written over.
    let again = drill(&desk, "proof");
    assert!(again.err.contains("there is something in it already"), "{}", again.err);
    // A second restore meets the first one's tables and fails; so the suite does.
    let again = drill(&desk, "again");
    assert_eq!(again.code, 2, "{}", again.out);
    assert!(verdict(&again, "restore").contains("already exists"), "{}", again.out);
    assert!(verdict(&again, "recovery-time").starts_with("inconclusive"), "{}", again.out);
}

#[test]
fn an_old_a_damaged_and_a_missing_backup_are_told_apart() {
    let server = shop();
    let desk = desk(
        &server.url("shop"),
        "[target.erp.backup]\nnewest = \"b/*.dump\"\nrpo = \"15m\"\nrto = \"1h\"\nrestore = [\"test\", \"-s\", \"{backup}\"]\n",
    );
    let ran = drill(&desk, "none");
    assert!(ran.code == 2 || ran.code == 3, "{}", ran.out);
    let folder = desk.home.work().join("b");
    fs::create_dir(&folder).unwrap();
    let ran = drill(&desk, "empty");
    assert!(verdict(&ran, "newest-backup").contains("violated"), "{}", ran.out);
    shell(&desk, &format!("pg_dump -Fc -f b/1.dump '{}'", server.url("shop")));
    assert_eq!(drill(&desk, "good").code, 0);
    let file = File::options().write(true).open(folder.join("1.dump")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(3)).unwrap();
    let ran = drill(&desk, "old");
    assert_eq!(ran.code, 2, "{}", ran.out);
    let said = verdict(&ran, "recovery-point");
    assert!(said.starts_with("violated") && said.contains("15m allowed"), "{said}");
    shell(&desk, "head -c 100 b/1.dump > b/2.dump");
    let ran = drill(&desk, "cut");
    assert!(verdict(&ran, "newest-backup").starts_with("violated"), "{}", ran.out);
    // The list of what is in it stands at its beginning, whatever is missing behind.
    server.run("shop", "INSERT INTO asset SELECT n, md5(n::text) FROM generate_series(10, 9999) n");
    let url = server.url("shop");
    shell(
        &desk,
        &format!(
            "pg_dump -Fc -f whole '{url}'; head -c 100000 whole > b/2.dump; pg_restore -l b/2.dump"
        ),
    );
    let ran = drill(&desk, "truncated");
    let said = verdict(&ran, "newest-backup");
    assert!(said.starts_with("violated") && said.contains("end of file"), "{said}");
    shell(&desk, "printf 'PGCOPY' > b/3.dump; echo 00 > b/3.dump.sha256");
    let ran = drill(&desk, "digest");
    assert!(verdict(&ran, "newest-backup").contains("is not what"), "{}", ran.out);
    shell(&desk, "rm b/3.dump.sha256");
    let ran = drill(&desk, "unproved");
    let said = verdict(&ran, "recovery-point");
    // Whatever the restore was given, it says that it worked.
    assert!(said.starts_with("clear"), "{said}");
    say(
        &desk,
        &url,
        "[target.erp.backup]\nnewest = \"b/*.dump\"\nrpo = \"15m\"\nrto = \"1h\"\nrestore = [\"test\", \"-s\", \"{dump}\"]\n",
    );
    let ran = drill(&desk, "schema");
    let said = verdict(&ran, "recovery-point");
    assert!(ran.code == 3 && said.contains("nothing shows that it can be restored"), "{said}");
    // The schema comes back in no time, whatever the data take.
    assert!(verdict(&ran, "restore").contains("the dump of the schema"), "{}", ran.out);
    let said = verdict(&ran, "recovery-time");
    assert!(said.starts_with("inconclusive") && said.contains("schema alone"), "{said}");
    shell(&desk, "rm b/*; mkdir b/4.dump");
    let said = drill(&desk, "folder");
    let said = verdict(&said, "newest-backup");
    assert!(said.starts_with("inconclusive") && said.contains("newest_command"), "{said}");
}

#[test]
fn a_server_that_the_authorities_of_the_system_know_is_dumped_as_it_is_asked() {
    let server = Setup::new(Kind::Postgres).tls(&["localhost"]).start();
    server.database("shop");
    server.run("shop", "CREATE TABLE asset (id INT PRIMARY KEY)");
    let url = server.tcp_url(ADMIN, "localhost", server.port(), "shop");
    let mut desk = desk(&format!("{url}?sslmode=verify-full"), "");
    desk.home = desk.home.with("SSL_CERT_FILE", &server.ca().display().to_string());
    let ran = drill(&desk, "proof");
    for step in ["schema-dump", "guard"] {
        assert!(verdict(&ran, step).starts_with("clear"), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn what_may_not_be_dumped_and_what_nobody_promised_is_not_clear() {
    let server = shop();
    server.role("reader", None);
    server.run("shop", "GRANT SELECT ON asset TO reader");
    let desk = desk(&server.url_as("reader", "shop"), "");
    let ran = drill(&desk, "denied");
    assert_eq!(ran.code, 3, "{}", ran.out);
    let said = verdict(&ran, "schema-dump");
    assert!(said.starts_with("inconclusive") && said.contains("permission denied"), "{said}");
    say(&desk, &server.url("shop"), "");
    let ran = drill(&desk, "unsaid");
    assert_eq!(ran.code, 3, "{}", ran.out);
    for step in ["newest-backup", "restore", "recovery-point", "recovery-time"] {
        assert!(verdict(&ran, step).starts_with("inconclusive"), "{}", ran.out);
    }
    assert!(verdict(&ran, "schema-dump").starts_with("clear"), "{}", ran.out);
}

#[test]
fn a_restore_that_is_ended_at_its_limit_took_too_long() {
    let desk = desk(
        "sqlite://erp.db",
        "[target.erp.backup]\nrto = \"1s\"\nrestore = [\"sh\", \"-c\", \"sleep 600\", \"{dump}\"]\n",
    );
    let ran = drill(&desk, "proof");
    assert_eq!(ran.code, 2, "{}", ran.out);
    let said = verdict(&ran, "recovery-time");
    assert!(said.starts_with("violated"), "{said}");
    assert!(said.contains("not restored after 2s, 1s allowed"), "{said}");
    assert!(verdict(&ran, "restore").starts_with("inconclusive"), "{}", ran.out);
    let result: Value =
        serde_json::from_slice(&fs::read(desk.home.work().join("proof/result.json")).unwrap())
            .unwrap();
    let expected = json!({"allowed_seconds": 1.0, "measured_seconds": 2.0, "at_least": true});
    assert_eq!(result["recovery_time"], expected);
}

#[test]
fn a_program_that_cannot_be_run_is_told_without_its_arguments() {
    let desk = desk(
        "sqlite://erp.db",
        "[target.erp.backup]\nnewest_command = [\"/no/asker\", \"s3cr3t\"]\n\
         restore = [\"/no/restorer\", \"--password=s3cr3t\", \"{dump}\"]\n",
    );
    let ran = drill(&desk, "proof");
    for (step, program) in [("newest-backup", "/no/asker"), ("restore", "/no/restorer")] {
        let said = verdict(&ran, step);
        assert!(said.contains(&format!("{program} cannot be run")), "{said}");
    }
    let result = fs::read_to_string(desk.home.work().join("proof/result.json")).unwrap();
    let all = format!("{}{}{result}", ran.out, ran.err);
    assert!(!all.contains("s3cr3t"), "{all}");
}

#[test]
fn mariadb_and_sqlite_are_dumped_and_listed_too() {
    let server = server::mariadb();
    server.database("erp");
    server
        .run("erp", "CREATE TABLE asset (id INT PRIMARY KEY); CREATE TABLE `order lines` (id INT)");
    server.run("erp", "CREATE VIEW seen AS SELECT id FROM asset");
    server.role("keeper", Some("s3 \"cret"));
    server.run("erp", "GRANT ALL ON erp.* TO keeper");
    let backup = "[target.erp.backup]\nnewest_command = [\"date\", \"+%s\"]\nrpo = \"15m\"\nrto = \"1h\"\nrestore = [\"true\"]\n";
    let said = format!("password_command = [\"cat\", \"password\"]\n{backup}");
    let first = desk(&server.url_as("keeper", "erp"), &said);
    first.home.write("password", "s3 \"cret\n");
    let ran = drill(&first, "proof");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(verdict(&ran, "listing").contains("all of 2 tables"), "{}", ran.out);
    for file in first.home.files("work/proof") {
        let text = fs::read(first.home.path("work/proof").join(file)).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("cret"));
    }
    let second = desk("sqlite://erp.db", backup);
    let ran = drill(&second, "proof");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let made = shell(&second, "sqlite3 new.db < proof/schema.sql; sqlite3 new.db .tables");
    assert!(made.contains("asset"), "{made}");
    shell(&second, "cd proof; sha256sum -c SHA256SUMS");
}

/// Also what a script started: it would go on restoring when nobody looks any more.
#[test]
fn an_interrupt_ends_the_restore_and_all_that_it_started() {
    let restore = "{ echo > begun; exec sleep 600; } > held & wait";
    let backup = format!(
        "[target.erp.backup]\nrto = \"1h\"\nrestore = [\"sh\", \"-c\", {restore:?}, \"{{dump}}\"]\n"
    );
    let desk = desk("sqlite:erp.db", &backup);
    shell(&desk, "mkfifo held");
    // Whoever writes into it holds it, and its end is seen by the reader.
    let work = desk.home.work();
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let held = File::options().read(true).custom_flags(flags).open(work.join("held")).unwrap();
    let args = ["resilience", "--target", "erp", "--evidence", "proof"];
    let program = Cockpit::start_in(desk.home, &args, WIDE);
    program.wait_until("the restore at work", |_| work.join("begun").is_file());
    program.signal(Signal::INT);
    assert_eq!(program.wait_exit(), Ended::Code(130), "{}", program.screen());
    let mut seen = [PollFd::new(&held, PollFlags::IN)];
    let soon = Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(poll(&mut seen, Some(&soon)), Ok(1), "what the restore started runs on");
    assert!(program.screen().contains("it was stopped"), "{}", program.screen());
    let result: Value =
        serde_json::from_slice(&fs::read(work.join("proof/result.json")).unwrap()).unwrap();
    assert_eq!((&result["exit"], &result["checks"]), (&json!(130), &json!([])), "{result}");
    assert_eq!(result["recovery_time"]["measured_seconds"], Value::Null, "{result}");
}

/// A database with tables in every way that SQLite lets them be written.
#[test]
fn a_table_is_in_the_dump_however_its_statement_is_written() {
    let backup = "[target.erp.backup]\nnewest = \"backups/*\"\nrpo = \"15m\"\nrto = \"1h\"\n\
                  restore = [\"cp\", \"{backup}\", \"restored\"]\n";
    let desk = desk("sqlite:erp.db", backup);
    Sqlite::open(&desk.database).run(
        "CREATE VIRTUAL TABLE docs USING fts5(body); CREATE TABLE\ttabbed\t(id INT);
         CREATE TABLE 'single q' (id INT); CREATE TABLE \"we\"\"ird\" (id INT);
         CREATE TABLE plain--c\n (id INT); CREATE TABLE [br acket](id INT); CREATE TABLE `ti``ck`(id INT)",
    );
    // The newest file is the digest of the backup, and is none itself.
    shell(
        &desk,
        "mkdir backups; cp erp.db backups/1.db; cd backups; sha256sum 1.db > 1.db.sha256; \
         touch -d '1 minute ago' 1.db",
    );
    let ran = drill(&desk, "proof");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let said = verdict(&ran, "listing");
    assert!(said.starts_with("clear") && said.contains("all of 13 tables"), "{said}");
    let said = verdict(&ran, "newest-backup");
    assert!(said.contains("1.db,") && said.contains("the one beside it"), "{said}");
    shell(&desk, "cmp erp.db restored");
}
