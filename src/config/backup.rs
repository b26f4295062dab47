//! What is promised about the backups of a target, and where the newest one is to be found.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::at_home;
use crate::source::{Table, duration_text};

/// `[target.NAME.backup]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backup {
    pub newest: Option<Newest>,
    /// How much of the past may be lost: the greatest age of a backup that can be restored.
    pub rpo: Option<Duration>,
    /// How long a restore may take.
    pub rto: Option<Duration>,
    /// A program that restores where nobody minds; `{backup}` and `{dump}` stand for files.
    pub restore: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Newest {
    /// A file name that may hold `*`; the newest that fits.
    Files(PathBuf),
    /// Prints the time of the newest backup that can be restored.
    Command(Vec<String>),
}

impl Backup {
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        // An argument may be a secret of its own.
        let program = |argv: &[String]| format!("{} …", argv.first().map_or("", String::as_str));
        let newest = self.newest.as_ref().map(|newest| match newest {
            Newest::Files(pattern) => ("backup.newest", pattern.display().to_string()),
            Newest::Command(argv) => ("backup.newest_command", program(argv)),
        });
        let length =
            |key, length: Option<Duration>| length.map(|length| (key, duration_text(length)));
        let restore = self.restore.as_ref().map(|argv| ("backup.restore", program(argv)));
        let all = [newest, length("backup.rpo", self.rpo), length("backup.rto", self.rto), restore];
        all.into_iter().flatten().collect()
    }
}

pub(super) fn read(table: &Table<'_>, base: &Path, home: Option<&Path>) -> Backup {
    let words = |key: &'static str| {
        table.ignore(key);
        table.has(key).then(|| table.argv(key))
    };
    let files = table.optional_text("newest").map(|text| at_home(&base.join(text), base, home));
    let command = words("newest_command");
    if files.is_some() && command.is_some() {
        table.fault("newest_command", "`newest` says it already; write one of the two.");
    }
    let restore = words("restore");
    if let Some(argv) = &restore
        && !argv.is_empty()
        // Where a command tells of the backups, the program knows itself where they are.
        && command.is_none()
        && !argv.iter().any(|word| word.contains("{backup}") || word.contains("{dump}"))
    {
        table.fault(
            "restore",
            "`restore` restores nothing of ours; write {backup} where the newest backup belongs, or {dump} for the dump of the schema.",
        );
    }
    Backup {
        newest: files.map(Newest::Files).or(command.map(Newest::Command)),
        rpo: table.optional_duration("rpo"),
        rto: table.optional_duration("rto"),
        restore,
    }
}
