//! Places: what stands in the words of a command for the target and for the incident.

use std::path::{Path, PathBuf};

use super::Argv;
use crate::dialect::Dialect;

/// The folder of all backups, in the state folder.
pub const BACKUPS: &str = "backups";

#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    pub dialect: Dialect,
    pub database: &'a str,
    /// Where the database is a file.
    pub file: &'a Path,
    /// The folder of the incident.
    pub folder: &'a Path,
}

impl Places<'_> {
    /// The state folder.
    pub fn state(&self) -> &Path {
        self.folder.parent().and_then(Path::parent).unwrap_or(self.folder)
    }

    /// Backups lie beside the incidents: they are large, and no evidence.
    pub fn backups(self) -> PathBuf {
        self.state().join(BACKUPS)
    }

    fn incident(self) -> String {
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    }

    /// The arguments as they will be run, but for where the access lies; none on an engine that the
    /// step has nothing for.
    pub fn words(self, argv: &Argv) -> Option<Vec<String>> {
        let words = argv.get(self.dialect)?;
        Some(words.iter().map(|word| self.filled(word)).collect())
    }

    pub fn filled(self, word: &str) -> String {
        let backup = self.backups().join(self.incident());
        let scratch = match self.dialect {
            Dialect::Sqlite => backup.with_extension("scratch").display().to_string(),
            _ => format!("steadyhand_scratch_{}", self.incident()),
        };
        let mut filled = word.to_owned();
        for (name, value) in [
            ("{database}", self.database),
            ("{file}", &self.file.display().to_string()),
            ("{scratch}", &scratch),
            ("{backup}", &backup.display().to_string()),
        ] {
            filled = filled.replace(name, value);
        }
        filled
    }
}
