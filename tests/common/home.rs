//! A home that nobody lived in: every run of the program gets its own, so that no configuration, no
//! state and no variable of the machine can change what a test sees.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

/// A secret that every run could read, and no run may show, store or hand on.
pub const PLANTED: &str = "planted-9d41-hunter2";

/// The planted secret is not in this.
pub fn assert_discreet(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains(PLANTED), "the planted secret is in {what}");
}

/// How long a headless run may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Home {
    root: TempDir,
    extra: Vec<(String, String)>,
    taken: Vec<String>,
}

impl Home {
    pub fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("steadyhand-test-")
            .tempdir()
            .expect("a temporary folder can be made");
        for folder in ["home", "config", "state", "data", "cache", "tmp", "work", "etc"] {
            fs::create_dir(root.path().join(folder)).expect("the temporary folder is writable");
        }
        Self { root, extra: Vec::new(), taken: Vec::new() }
    }

    /// Adds a variable, or changes one, for every run that starts from here.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a variable away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.taken.push(name.to_owned());
        self
    }

    /// A folder or file in this home: `home`, `config`, `state`, `data`, `cache`, `tmp`, `work`, `etc`.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join(inside)
    }

    /// Where runs start.
    pub fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// Writes a file under `work`, with its folders.
    pub fn write(&self, inside: &str, content: &str) -> PathBuf {
        let path = self.work().join(inside);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("the temporary folder is writable");
        fs::write(&path, content).expect("the temporary folder is writable");
        path
    }

    /// Every file below a folder, relative to it, sorted.
    pub fn files(&self, inside: &str) -> Vec<PathBuf> {
        let base = self.path(inside);
        let mut found = Vec::new();
        list(&base, &base, &mut found);
        found.sort();
        found
    }

    /// The whole environment of a run; nothing is inherited but the search path.
    pub fn environment(&self) -> Vec<(String, String)> {
        let at = |inside: &str| self.path(inside).to_string_lossy().into_owned();
        let mut variables = vec![
            ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
            ("HOME".to_owned(), at("home")),
            ("XDG_CONFIG_HOME".to_owned(), at("config")),
            ("XDG_STATE_HOME".to_owned(), at("state")),
            ("XDG_DATA_HOME".to_owned(), at("data")),
            ("XDG_CACHE_HOME".to_owned(), at("cache")),
            ("TMPDIR".to_owned(), at("tmp")),
            // In place of `/etc/steadyhand`, which is the machine's.
            ("DEBUG_STEADYHAND_SYSTEM".to_owned(), at("etc")),
            ("TERM".to_owned(), "xterm-256color".to_owned()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("TZ".to_owned(), "UTC".to_owned()),
            // Every home here is new; the tour has a test of its own.
            ("STEADYHAND_TOUR".to_owned(), "false".to_owned()),
            // Else the terminal is asked for its background.
            ("STEADYHAND_THEME".to_owned(), "dark".to_owned()),
            ("USER".to_owned(), "casey".to_owned()),
            ("LOGNAME".to_owned(), "casey".to_owned()),
            ("SHELL".to_owned(), "/bin/sh".to_owned()),
            ("PGPASSWORD".to_owned(), PLANTED.to_owned()),
        ];
        for (name, value) in &self.extra {
            variables.retain(|(known, _)| known != name);
            variables.push((name.clone(), value.clone()));
        }
        variables.retain(|(name, _)| !self.taken.contains(name));
        variables
    }

    /// A run without a terminal: `home.steadyhand(&["check"]).assert().code(2)`.
    pub fn steadyhand(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadyhand"));
        command
            .args(args)
            .env_clear()
            .envs(self.environment())
            .current_dir(self.work())
            .timeout(PATIENCE);
        command
    }
}

/// Whatever a test is about: the secret is in no file that its runs have left.
impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for inside in self.files("") {
            let path = self.root.path().join(&inside);
            // What a test wrote there for the program to find.
            let given = [".pgpass", ".my.cnf", ".pg_service.conf"];
            if given.iter().any(|name| inside.ends_with(name)) {
                continue;
            }
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file())
                && let Ok(bytes) = fs::read(&path)
            {
                assert_discreet(&inside.display().to_string(), &bytes);
            }
        }
    }
}

fn list(base: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            list(base, &path, found);
        } else if let Ok(inside) = path.strip_prefix(base) {
            found.push(inside.to_owned());
        }
    }
}
