//! Files judged without being used: named one by one, or as folders.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Catalogue, File, Kind, Shelf, folder};
use crate::practice::Practice;
use crate::source::{self, Care, Fault};

/// Every fault of these files and folders. A file's own keys tell whether it is a check or a
/// runbook; what it names may be in another of the files, or in the binary. Without any path, the
/// built-in packs are judged.
pub fn lint(paths: &[PathBuf]) -> Vec<Fault> {
    judge(paths, Practice::built_in()).err().unwrap_or_default()
}

/// The same; without a fault, what stands in these files alone.
pub fn judge(paths: &[PathBuf], practice: &Practice) -> Result<Catalogue, Vec<Fault>> {
    let mut shelf = Shelf::built_in(if paths.is_empty() { Care::Judge } else { Care::Trust })?;
    let mut named = Shelf::default();
    let mut faults = vec![];
    // What is named and configured, or named twice, is judged once.
    let mut seen = HashSet::new();
    for path in paths {
        let mut is_new = |path: &Path| path.canonicalize().map_or(true, |real| seen.insert(real));
        if path.is_dir() && !is_new(path) {
            continue;
        }
        let mut files = if path.is_dir() {
            below(path, &mut faults)
        } else {
            folder::read_one(path, &mut faults).into_iter().collect()
        };
        files.retain(|file| is_new(Path::new(&file.name)));
        let (checks, runbooks) = sorted(files, &mut faults);
        // Their faults are noted once, on the shelf that knows everything.
        named.add(checks.clone(), Kind::Checks, Care::Judge, &mut vec![]);
        named.add(runbooks.clone(), Kind::Runbooks, Care::Judge, &mut vec![]);
        shelf.add(checks, Kind::Checks, Care::Judge, &mut faults);
        shelf.add(runbooks, Kind::Runbooks, Care::Judge, &mut faults);
    }
    // A file that could not be read is not missing, so names are compared only without faults.
    if faults.is_empty() {
        faults = shelf.missing();
        faults.extend(if paths.is_empty() { &shelf } else { &named }.not_agreed(practice));
    }
    match (faults.is_empty(), paths.is_empty()) {
        (false, _) => Err(faults),
        (true, true) => Ok(shelf.catalogue()),
        (true, false) => Ok(named.catalogue()),
    }
}

/// A folder of packs; or one that holds `checks` and `runbooks`, which hold packs.
fn below(dir: &Path, faults: &mut Vec<Fault>) -> Vec<File> {
    let halves: Vec<PathBuf> = ["checks", "runbooks"]
        .iter()
        .map(|half| dir.join(half))
        .filter(|half| half.is_dir())
        .collect();
    if halves.is_empty() {
        return folder::read(dir, faults);
    }
    halves.iter().flat_map(|half| folder::read(half, faults)).collect()
}

fn sorted(files: Vec<File>, faults: &mut Vec<Fault>) -> (Vec<File>, Vec<File>) {
    let (mut checks, mut runbooks) = (vec![], vec![]);
    for file in files {
        match guess(&file) {
            Some(Kind::Checks) => checks.push(file),
            Some(Kind::Runbooks) => runbooks.push(file),
            None => faults.push(
                Fault::whole(&file.name, "This is neither a check nor a runbook.")
                    .suggest("A check has `[sql]`, a runbook has `[[step]]`."),
            ),
        }
    }
    (checks, runbooks)
}

/// By the keys; by the folder where the file cannot be read as TOML or says nothing.
fn guess(file: &File) -> Option<Kind> {
    let has = |key: &str| source::has_key(&file.text, key);
    let lies_in =
        |folder: &str| Path::new(&file.name).components().any(|part| part.as_os_str() == folder);
    if has("step") || has("action") {
        Some(Kind::Runbooks)
    } else if has("sql") || has("rule") || lies_in("checks") {
        Some(Kind::Checks)
    } else if lies_in("runbooks") || has("summary") {
        Some(Kind::Runbooks)
    } else {
        None
    }
}
