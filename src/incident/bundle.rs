//! An incident in one file that an auditor can check alone: an archive that `tar` opens and whose
//! `SHA256SUMS` `sha256sum -c` checks, with the journal, the frozen runbook, the evidence and the
//! postmortem.
//!
//! Reading one trusts nothing in it: only plain files inside of one folder come out, and what the
//! list of digests does not name is a fault.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::{self, Head};
use super::journal::{self, REQUESTS};
use super::redact;
use crate::digest::{self, Through};

pub const SUMS: &str = "SHA256SUMS";
pub const SIGNATURE: &str = "SHA256SUMS.sig";
/// What a bundle says about itself.
pub const ABOUT: &str = "bundle.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub incident: String,
    pub program: String,
    pub made: Timestamp,
    pub head: Head,
    pub redacted: bool,
    /// Evidence that was left out or had not come from the host that wrote it; the journal holds the
    /// digests.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// What was wrong with the incident when it was made: what is inside may not show it any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// A bundle in the making: a folder with what is not simply copied, and the list of all files.
#[derive(Debug)]
pub struct Making {
    id: String,
    made: Timestamp,
    scratch: tempfile::TempDir,
    /// Path inside the bundle, and where the bytes are.
    files: BTreeMap<String, PathBuf>,
}

/// Gathers the files of an incident. `postmortem` is its text, `faults` what is wrong with it.
pub fn gather(
    folder: &Path,
    id: &str,
    postmortem: &str,
    faults: &[String],
    redacted: bool,
    made: Timestamp,
) -> io::Result<Making> {
    let scratch = tempfile::tempdir()?;
    let mut making = Making { id: id.to_owned(), made, scratch, files: BTreeMap::new() };
    let parts =
        ["journal.jsonl", journal::HEAD, "runbook.toml", journal::AWAITED, "evidence", REQUESTS];
    for part in parts {
        not_a_link(&folder.join(part))?;
    }
    // As it is, because it shows what was cut off; before the journal, which may grow meanwhile.
    match fs::read(folder.join(journal::HEAD)) {
        Ok(kept) => making.write(journal::HEAD, &kept)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let bytes = fs::read(folder.join("journal.jsonl"))?;
    // What is being written at this moment is not part of it.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (records, head, _) = chain::replay(&bytes[..whole]);
    if redacted {
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let stripped =
            text.lines().map(|line| redact::line(line).unwrap_or_else(|| line.to_owned()) + "\n");
        let stripped = stripped.collect::<String>();
        readable(&stripped, &head)?;
        making.write("journal.jsonl", stripped.as_bytes())?;
    } else {
        making.write("journal.jsonl", &bytes[..whole])?;
    }
    making.write("postmortem.md", postmortem.as_bytes())?;
    let runbook = folder.join("runbook.toml");
    if runbook.is_file() {
        making.files.insert("runbook.toml".into(), runbook);
    }
    let awaited = journal::awaited(folder, &records).map_err(io::Error::other)?;
    let awaited = awaited.into_iter().map(|away| away.file);
    let mut left_out: Vec<String> = awaited.filter(|file| !folder.join(file).exists()).collect();
    if !redacted && !left_out.is_empty() {
        // Whoever checks it can tell what never came from what was taken out.
        making.files.insert(journal::AWAITED.into(), folder.join(journal::AWAITED));
    }
    for inside in ["evidence", REQUESTS] {
        for entry in fs::read_dir(folder.join(inside)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                // It is being written at this moment, and gets its name when it is whole.
                continue;
            }
            let name = format!("{inside}/{name}");
            if redacted {
                left_out.push(name);
            } else if entry.file_type()?.is_file() {
                making.files.insert(name, entry.path());
            }
        }
    }
    left_out.sort();
    let about = About {
        incident: id.to_owned(),
        program: format!("steadyhand {}", env!("CARGO_PKG_VERSION")),
        made,
        head,
        redacted,
        left_out,
        faults: faults.to_vec(),
    };
    making.write(ABOUT, &serde_json::to_vec_pretty(&about)?)?;
    let mut sums = String::new();
    for (name, path) in &making.files {
        sums.push_str(&format!("{}  {name}\n", digest::of_file(path)?.1));
    }
    making.write(SUMS, sums.as_bytes())?;
    Ok(making)
}

/// What is left without rows must be read as far as the whole.
fn readable(stripped: &str, head: &Head) -> io::Result<()> {
    match chain::replay_redacted(stripped.as_bytes()) {
        (_, found, Some(fault), _) if found.seq < head.seq => {
            let why = format!("without its rows it cannot be told: {fault}");
            Err(io::Error::new(io::ErrorKind::InvalidData, why))
        }
        _ => Ok(()),
    }
}

/// A link would bring into a bundle what is none of the incident's business.
pub fn not_a_link(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        let why = format!("{} is a link, and an incident holds none", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(())
}

impl Making {
    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.scratch.path().join(name);
        fs::write(&path, bytes)?;
        self.files.insert(name.to_owned(), path);
        Ok(())
    }

    /// The list that a signature is made of.
    pub fn sums(&self) -> PathBuf {
        self.scratch.path().join(SUMS)
    }

    /// Takes in the signature that lies beside the list.
    pub fn signed(&mut self) {
        self.files.insert(SIGNATURE.into(), self.scratch.path().join(SIGNATURE));
    }

    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The archive. The same files at the same time make the same bytes.
    pub fn pack(&self, out: impl Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(out);
        for (name, path) in &self.files {
            let file = File::open(path)?;
            let mut header = tar::Header::new_gnu();
            let size = file.metadata()?.len();
            header.set_size(size);
            header.set_mode(0o644);
            header.set_mtime(u64::try_from(self.made.as_second()).unwrap_or(0));
            archive.append_data(&mut header, format!("{}/{name}", self.id), file.take(size))?;
        }
        archive.into_inner()?.flush()
    }
}

/// A bundle that was unpacked; its folder goes when this does.
#[derive(Debug)]
pub struct Opened {
    pub folder: tempfile::TempDir,
    pub about: About,
    pub is_signed: bool,
    /// What is wrong with it as a bundle.
    pub faults: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    #[error("it is no bundle: {0}")]
    NoBundle(String),
}

/// Unpacks a bundle into a folder of its own and holds every file against the list of digests.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let folder = tempfile::tempdir()?;
    let mut faults = Vec::new();
    let mut archive = tar::Archive::new(File::open(path)?);
    let mut names = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry.map_err(|_| {
            // What the library says repeats the beginning of the file.
            OpenError::NoBundle("it is no tar archive, or cut off".into())
        })?;
        let inside = entry.path()?.into_owned();
        let Some(name) = name(&inside).filter(|_| entry.header().entry_type().is_file()) else {
            faults.push(format!(
                "{} is no plain file of a bundle and was not unpacked",
                inside.display()
            ));
            continue;
        };
        let to = folder.path().join(&name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = Through::new(File::create(&to)?);
        io::copy(&mut entry, &mut file)?;
        if names.insert(name.clone(), file.finish().1).is_some() {
            faults.push(format!("{name} is in the bundle twice"));
        }
    }
    let about = fs::read(folder.path().join(ABOUT)).ok();
    let about = about.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let about = about.ok_or_else(|| OpenError::NoBundle(format!("it holds no {ABOUT}")))?;
    let sums = fs::read_to_string(folder.path().join(SUMS))
        .map_err(|_| OpenError::NoBundle(format!("it holds no {SUMS}")))?;
    let is_signed = names.remove(SIGNATURE).is_some();
    names.remove(SUMS);
    for line in sums.lines() {
        let Some((digest, name)) = line.split_once("  ") else {
            faults.push(format!("{SUMS} holds a line that names no file"));
            continue;
        };
        match names.remove(name) {
            Some(found) if found == digest => {}
            Some(_) => faults.push(format!("{name} was altered: it is not what {SUMS} names")),
            None => faults.push(format!("{name} is missing: {SUMS} names it")),
        }
    }
    faults.extend(
        names.keys().map(|name| format!("{name} is in the bundle, and {SUMS} does not name it")),
    );
    Ok(Opened { folder, about, is_signed, faults })
}

/// The path below the bundle's one folder, if it is a plain one.
fn name(path: &Path) -> Option<String> {
    let mut parts = path.components();
    parts.next().filter(|part| matches!(part, Component::Normal(_)))?;
    let rest: Vec<String> = parts
        .map(|part| match part {
            Component::Normal(name) => name.to_str().map(str::to_owned),
            _ => None,
        })
        .collect::<Option<_>>()?;
    (!rest.is_empty()).then(|| rest.join("/"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_plain_paths_below_one_folder_come_out() {
        let name = |text| super::name(std::path::Path::new(text));
        assert_eq!(name("INC-0001/evidence/a.json").as_deref(), Some("evidence/a.json"));
        for text in ["INC-0001", "/etc/passwd", "INC-0001/../../x", "../x/y", "INC-0001/"] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
