//! What nobody else may see: passwords, in whatever the program shows, writes or hands on; and the
//! files that it leaves, by whoever else has an account on the host.
//!
//! Every test of the whole program looks for a planted secret besides, see `tests/common/home.rs`;
//! here it is used in earnest, and looked for in the list of processes as well.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::server::{Kind, Setup};
use common::walk::{confirm, leave, preview, to_change};
use common::{Cockpit, Home, PLANTED, WIDE, assert_discreet};

/// Looks through the arguments of all processes until it is dropped.
struct Watch {
    done: Arc<AtomicBool>,
    found: Option<thread::JoinHandle<Vec<String>>>,
}

impl Watch {
    fn new() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stop = done.clone();
        let watch = move || {
            let mut found = vec![];
            while !stop.load(Ordering::Acquire) {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    let arguments = String::from_utf8_lossy(&arguments).into_owned();
                    if arguments.contains(PLANTED) && !found.contains(&arguments) {
                        found.push(arguments);
                    }
                }
                thread::park_timeout(Duration::from_millis(20));
            }
            found
        };
        Self { done, found: Some(thread::spawn(watch)) }
    }

    fn end(mut self) -> Vec<String> {
        self.done.store(true, Ordering::Release);
        self.found.take().unwrap().join().unwrap()
    }
}

/// A whole incident on a server that asks for the password, and every command about it.
fn journey(kind: Kind, engine: &str) {
    let watch = Watch::new();
    let server = Setup::new(kind).start();
    server.database("erp");
    server.role("keeper", Some(PLANTED));
    match kind {
        Kind::Postgres => server.run("erp", "ALTER ROLE keeper SUPERUSER"),
        Kind::Mariadb => server.run("erp", "GRANT ALL ON *.* TO keeper@'%'"),
    };
    let home = Home::new().without("PGPASSWORD");
    for (name, text) in [
        (".pgpass", format!("*:*:*:*:{PLANTED}\n")),
        (".my.cnf", format!("[client]\npassword={PLANTED}\n")),
    ] {
        let path = home.path("home").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let url = server.url_as("keeper", "erp");
    let args = ["demo", "--keep", ".", "--incident", common::walk::RUNBOOK, "--engine", engine];
    let mut cockpit = Cockpit::start_in(home, &[&args[..], &["--url", &url]].concat(), WIDE);
    cockpit.wait_for("Take the incident");
    cockpit.wait_for("milestone: detected");
    to_change(&mut cockpit);
    preview(&mut cockpit);
    confirm(&mut cockpit, "erp-demo 26");
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    let home = cockpit.into_home();
    for args in [
        &["config"][..],
        &["check", "--target", "erp-demo", "--check", common::walk::RUNBOOK],
        &["check", "--target", "erp-demo", "--check", common::walk::RUNBOOK, "--format", "json"],
        &["grants", "--target", "erp-demo"],
        &["rehearse", common::walk::RUNBOOK, "--target", "erp-demo"],
        &["incidents"],
        &["verify", "1"],
        &["postmortem", "1"],
        &["bundle", "1"],
        // Not let in, and nothing there: what goes wrong is told without it too.
        &["check", "--target", &url.replace("keeper", "nobody"), "--check", common::walk::RUNBOOK],
        &["check", "--target", &url.replace("/erp", "/away"), "--check", common::walk::RUNBOOK],
    ] {
        let output = home.steadyhand(args).output().unwrap();
        assert_discreet(&format!("{args:?}"), &[output.stdout, output.stderr].concat());
    }
    assert_eq!(watch.end(), Vec::<String>::new(), "among the arguments of a process");
    // Every file in the home is looked through when it goes.
}

#[test]
fn a_password_of_postgresql_is_nowhere() {
    journey(Kind::Postgres, "postgres");
}

#[test]
fn a_password_of_mariadb_is_nowhere() {
    journey(Kind::Mariadb, "mariadb");
}

#[test]
fn what_is_left_is_for_its_owner_whatever_the_mask_is() {
    let args = ["demo", "--keep", ".", "--incident", common::walk::RUNBOOK];
    let mut cockpit = Cockpit::start_after("umask 0", Home::new(), &args, WIDE);
    cockpit.wait_for("Take the incident");
    cockpit.wait_for("milestone: detected");
    to_change(&mut cockpit);
    preview(&mut cockpit);
    confirm(&mut cockpit, "erp-demo 26");
    cockpit.wait_for("COMMITTED   26 rows");
    leave(&mut cockpit);
    let home = cockpit.into_home();
    let mut looked = 0;
    for inside in home.files("work") {
        // Each file by itself, and the folders that lead to it.
        for path in home.work().join(&inside).ancestors() {
            if path == home.work() {
                break;
            }
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} has the rights {mode:o}", path.display());
            looked += 1;
        }
    }
    assert!(looked > 20, "{looked}");
    // A result that was asked for goes by the mask.
    for (mask, expected) in [("0", 0o666), ("022", 0o644), ("077", 0o600)] {
        let mut shell = std::process::Command::new("/bin/sh");
        let script = format!("umask {mask}; exec \"$0\" check --suite nightly --output out.json");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_steadyhand")]);
        shell.env_clear().envs(home.environment()).current_dir(home.work());
        shell.output().unwrap();
        let path = home.work().join("out.json");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected, "umask {mask}");
        fs::remove_file(path).unwrap();
    }
}

/// The address of a database where something else is wanted, and the address of a webhook in a file with a fault:
/// what says that it is wrong repeats neither.
#[test]
fn what_was_written_in_the_wrong_place_is_not_repeated() {
    // Another one than whose processes are looked at.
    let slip = "slipped-4711-in";
    let url = format!("postgres://admin:{slip}@localhost/erp");
    let home = Home::new();
    for arguments in [
        &["history", "-t"][..],
        &["history"],
        &["report", "-t"],
        &["report", "--since"],
        &["audit", "-t"],
        &["audit", "--control"],
        &["metrics", "-t"],
        &["health", "-t"],
        &["health", "-s"],
        &["check", "--check"],
        &["check", "--suite"],
        &["check", "--pack"],
        &["check", "--map"],
        &["check", "--output"],
        &["gate", "--baseline"],
        &["rehearse"],
        &["drill"],
        &["approve"],
        &["lint"],
        &["lint", "--pack"],
        &["config", "-t"],
        &["open"],
        &["resume"],
        &["watch"],
        &["replay"],
        &["handover"],
        &["postmortem"],
        &["bundle"],
        &["verify"],
        &["--theme"],
        &["check", "--config"],
        &["check", "--checks"],
        &["check", "--runbooks"],
        &["check", "--bind"],
        &["incidents"],
        &[],
    ] {
        let output = home.steadyhand(&[arguments, &[&url]].concat()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains(slip), "{arguments:?}: {said}");
        assert!(!said.is_empty() && output.status.code() != Some(101), "{arguments:?}");
    }
    home.write(
        "steadyhand.toml",
        &format!(
            "[alert.a]\nkind = \"slack\"\nurl = \"https://hooks/{slip}\"\n\
             [alert.b]\nkind = \"webhook\"\nurl = \"https://h/x?t={slip}\"\n\
             [alert.c]\nurl = \"https://h/x?t={slip}\"\nsuite = 3\n\
             [target.d]\nurl = \"mysql://erp@h\"\npassword_command = [\"a\"]\nenvironment = \"{url}\"\n"
        ),
    );
    let output = home.steadyhand(&["check"]).output().unwrap();
    fs::remove_file(home.work().join("steadyhand.toml")).unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains(slip), "{said}");
    assert!(output.status.code() == Some(4) && said.contains("https://hooks/***"), "{said}");
    assert!(!said.contains("SQLite file"), "{said}");
}
