//! What is being typed, beside the journal until it is kept or dropped: a crash or a cut link loses
//! nothing. One file for each box in the incident's folder, for its owner alone. Not evidence: no
//! bundle takes it along.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::files::write_synced;
use crate::rights;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// When it was last written down.
    pub at: Timestamp,
    pub text: String,
}

/// Where the draft of a box lies.
pub fn path(incident: &Path, name: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    incident.join("drafts").join(format!("{name}.md"))
}

/// Every draft that is there, by the name of its box. What cannot be read is left where it is.
pub fn all(incident: &Path) -> BTreeMap<String, Draft> {
    let entries = fs::read_dir(incident.join("drafts")).into_iter().flatten().flatten();
    entries.filter_map(|entry| one(&entry.path())).collect()
}

fn one(path: &Path) -> Option<(String, Draft)> {
    // An editor leaves files of its own here.
    let name = path.file_name()?.to_str()?.strip_suffix(".md")?;
    let text = fs::read_to_string(path).ok().filter(|text| !text.trim().is_empty())?;
    let at = Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok()?;
    (!name.starts_with('.')).then(|| (name.to_owned(), Draft { at, text }))
}

pub fn keep(incident: &Path, name: &str, text: &str) -> io::Result<()> {
    let path = path(incident, name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
        // It may be somebody else's, who let us in.
        let _ = rights::settle_folder(folder);
    }
    write_synced(&path, text.as_bytes())
}

pub fn forget(incident: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(path(incident, name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_draft_is_there_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        assert!(all(folder.path()).is_empty());
        keep(folder.path(), "comms-tell/../people", "one\ntwo").unwrap();
        keep(folder.path(), "note", "  \n").unwrap();
        fs::write(folder.path().join("drafts/note.md~"), "an editor's").unwrap();
        let found = all(folder.path());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["comms-tell----people"]);
        assert_eq!(found["comms-tell----people"].text, "one\ntwo");
        forget(folder.path(), "comms-tell----people").unwrap();
        forget(folder.path(), "never-there").unwrap();
        assert!(all(folder.path()).is_empty());
    }

    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), "note", "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path(folder.path(), "note")), 0o600);
        assert_eq!(mode(&folder.path().join("drafts")), 0o700);
    }
}
