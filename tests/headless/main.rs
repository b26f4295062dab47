//! The commands without a screen, through the real program: what stands on standard output, what on
//! standard error, and the exit code.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod alerts;
mod audit;
mod bundle;
mod check;
mod docs;
mod formats;
mod gate;
mod incidents;
mod lint;
mod metrics;
mod names;
mod packs;
mod past;
mod rehearse;
mod resilience;
mod shell;
mod suite;
mod trouble;

use std::path::PathBuf;
use std::process::Output;

use common::{Home, Sqlite};

/// What a run left behind.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(home: &Home, args: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = home.steadyhand(args).output().unwrap();
    common::assert_discreet(&format!("{args:?}"), &[stdout.as_slice(), &stderr].concat());
    Ran {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// The same at a time of the test's choosing.
fn run_at(home: &Home, at: &str, args: &[&str]) -> Ran {
    let mut command = home.steadyhand(args);
    let Output { status, stdout, stderr } = command.env("STEADYHAND_CLOCK", at).output().unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

impl Ran {
    fn lines(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A small database and a pack of checks for it.
struct Desk {
    home: Home,
    database: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let home = Home::new();
        let database = home.work().join("erp.db");
        Sqlite::create(&database).run(
            "CREATE TABLE asset (id INTEGER PRIMARY KEY, owner TEXT, note);
             INSERT INTO asset VALUES (1, 'ada', NULL), (2, NULL, x'00ff'), (3, NULL, NULL);",
        );
        Self { home, database }
    }

    /// Adds a check that finds what `sql` selects.
    fn check(&self, id: &str, severity: &str, sql: &str) {
        let text = format!(
            "id = \"{id}\"\ntitle = \"t\"\nrule = \"r\"\nseverity = \"{severity}\"\nkey = [\"id\"]\n\
             suites = [\"{severity}\"]\nowner = \"o\"\ntimeout = \"20s\"\n[sql]\nany = \"\"\"\n{sql}\n\"\"\"\n"
        );
        self.home.write(&format!("checks/own/{id}.toml"), &text);
    }

    /// Runs `check` with the own pack only, as far as names select it.
    fn run(&self, args: &[&str]) -> Ran {
        let mut all = vec!["check", "--target", "erp.db", "--checks", "checks"];
        all.extend(args);
        run(&self.home, &all)
    }
}
