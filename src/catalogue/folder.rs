//! The files of a folder: `*.toml` in it, and in the folders right below it, which are packs.
//!
//! Nothing outside the folder is read, whatever a link in it points to, and nothing that is not a
//! file of a sensible size.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::File;
use crate::source::Fault;

/// More than any runbook; a file beyond it is something else.
const LARGEST: u64 = 4 << 20;

/// Every file of a folder, in the order of their names.
pub(super) fn read(dir: &Path, faults: &mut Vec<Fault>) -> Vec<File> {
    let root = match dir.canonicalize() {
        Ok(root) if root.is_dir() => root,
        Ok(_) => {
            faults.push(about(dir, "This is not a folder; name the folder that holds the files."));
            return vec![];
        }
        Err(error) => {
            faults.push(unreadable(dir, "folder", &error));
            return vec![];
        }
    };
    let pack = name_of(&root);
    let mut files = vec![];
    for path in entries(dir, faults) {
        if path.is_dir() {
            if !inside(&path, &root, faults) {
                continue;
            }
            let pack = name_of(&path);
            for path in entries(&path, faults) {
                files.extend(file(&path, &root, &pack, faults));
            }
        } else {
            files.extend(file(&path, &root, &pack, faults));
        }
    }
    files
}

/// One file that was named by itself.
pub(super) fn read_one(path: &Path, faults: &mut Vec<Fault>) -> Option<File> {
    let pack = path.parent().map(name_of).unwrap_or_default();
    text(path, &pack, faults)
}

fn file(path: &Path, root: &Path, pack: &str, faults: &mut Vec<Fault>) -> Option<File> {
    let toml = path.extension().is_some_and(|ending| ending == "toml");
    (toml && inside(path, root, faults)).then(|| text(path, pack, faults)).flatten()
}

fn text(path: &Path, pack: &str, faults: &mut Vec<Fault>) -> Option<File> {
    let read = || -> io::Result<Option<String>> {
        // A pipe would wait for ever, so what it is comes before opening it.
        if !fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let mut text = String::new();
        fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
        Ok((text.len() as u64 <= LARGEST).then_some(text))
    };
    match read() {
        Ok(Some(text)) => {
            Some(File { name: path.display().to_string(), pack: pack.to_owned(), text })
        }
        Ok(None) => {
            faults.push(about(
                path,
                "This is not a file of at most 4 MiB; move it out of the folder.",
            ));
            None
        }
        Err(error) => {
            faults.push(unreadable(path, "file", &error));
            None
        }
    }
}

/// The entries in the order of their names, hidden ones left out.
fn entries(dir: &Path, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let listed = fs::read_dir(dir).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    match listed {
        Ok(mut paths) => {
            paths.retain(|path| !name_of(path).starts_with('.'));
            paths.sort();
            paths
        }
        Err(error) => {
            faults.push(unreadable(dir, "folder", &error));
            vec![]
        }
    }
}

fn inside(path: &Path, root: &Path, faults: &mut Vec<Fault>) -> bool {
    match path.canonicalize() {
        Ok(real) if real.starts_with(root) => true,
        Ok(_) => {
            faults.push(about(path, "This link leads out of the folder; copy the file instead."));
            false
        }
        Err(error) => {
            faults.push(unreadable(path, "file", &error));
            false
        }
    }
}

fn about(path: &Path, sentence: &str) -> Fault {
    Fault::whole(&path.display().to_string(), sentence)
}

fn unreadable(path: &Path, what: &str, error: &io::Error) -> Fault {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => format!("There is no such {what}."),
        io::ErrorKind::PermissionDenied => format!("You may not read this {what}."),
        io::ErrorKind::InvalidData => format!("This {what} is not text in UTF-8."),
        _ => format!("This {what} cannot be read: {error}."),
    };
    about(path, &reason)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
