//! The postmortem on disk: `postmortem.md` in the incident's folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::Around;
use crate::files::write_synced;
use crate::incident::Incident;
use crate::incident::chain::Head;

pub fn path(folder: &Path) -> PathBuf {
    folder.join("postmortem.md")
}

/// The text as it is on disk, if there is one. A file that is not UTF-8 is put aside as it is before
/// anything is made of it.
pub fn read(folder: &Path) -> io::Result<Option<String>> {
    match fs::read(path(folder)) {
        Ok(bytes) => Ok(Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                write_synced(&folder.join("postmortem.md.bytes"), error.as_bytes())?;
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            }
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the text so that a crash leaves the old one or the new one.
pub fn write(folder: &Path, text: &str) -> io::Result<PathBuf> {
    let path = path(folder);
    write_synced(&path, text.as_bytes())?;
    Ok(path)
}

/// Reads the old text, makes it anew, and writes it if anything changed.
pub fn refresh(
    folder: &Path,
    incident: &Incident,
    around: Around<'_>,
    head: &Head,
    zone: &TimeZone,
) -> io::Result<String> {
    let old = read(folder)?;
    let text = super::regenerate(incident, around, old.as_deref(), head, zone);
    if old.as_deref() != Some(&text) {
        write(folder, &text)?;
    }
    Ok(text)
}
