//! The checks and runbooks that are at hand: the packs inside the binary, and folders of the user.
//!
//! A folder adds, or replaces by id. Files are judged one by one by their loaders; what concerns
//! several of them (does the check exist that a step names?) is judged here. Knows no database.

mod folder;
mod lint;
mod pack;

use crate::check::{self, Check, Settings};
use crate::control;
use crate::practice::Practice;
use crate::runbook::{self, Runbook};
use crate::source::{Care, Fault, Spot, quoted};
pub use lint::{judge, lint};

use std::path::PathBuf;

#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    pub checks: Vec<Check>,
    pub runbooks: Vec<Runbook>,
    /// Packs of built-in runbooks that nobody needed to read.
    unread: Vec<String>,
}

impl Catalogue {
    /// The built-in packs, then each folder in order; a later one replaces by id.
    pub fn load(check_dirs: &[PathBuf], runbook_dirs: &[PathBuf]) -> Result<Self, Vec<Fault>> {
        // A test has judged the built-in files; whoever starts the program need not wait for it.
        Self::onto(Shelf::built_in(Care::Trust)?, check_dirs, runbook_dirs)
    }

    /// The same for whoever runs checks only: of the built-in runbooks it knows no more than that
    /// they are there. They are most of what there is to read.
    pub fn load_checks(
        check_dirs: &[PathBuf],
        runbook_dirs: &[PathBuf],
    ) -> Result<Self, Vec<Fault>> {
        let mut shelf = Shelf::default();
        let mut faults = vec![];
        shelf.add(pack::checks(), Kind::Checks, Care::Trust, &mut faults);
        shelf.unread = pack::runbooks();
        if faults.is_empty() { Self::onto(shelf, check_dirs, runbook_dirs) } else { Err(faults) }
    }

    fn onto(
        mut shelf: Shelf,
        check_dirs: &[PathBuf],
        runbook_dirs: &[PathBuf],
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = vec![];
        for dir in check_dirs {
            let files = folder::read(dir, &mut faults);
            shelf.add(files, Kind::Checks, Care::Judge, &mut faults);
        }
        for dir in runbook_dirs {
            let files = folder::read(dir, &mut faults);
            shelf.add(files, Kind::Runbooks, Care::Judge, &mut faults);
        }
        // Names are only compared when every file could be read, else a missing one is a guess.
        if faults.is_empty() {
            faults = shelf.missing();
        }
        if faults.is_empty() { Ok(shelf.catalogue()) } else { Err(faults) }
    }

    /// Only what is inside the binary.
    pub fn built_in() -> Result<Self, Vec<Fault>> {
        Self::load(&[], &[])
    }

    /// The same with what a site says about its checks.
    pub fn settled(mut self, settings: &Settings) -> Result<Self, Vec<Fault>> {
        let faults = settings.lay_over(&mut self.checks);
        self.sort();
        if faults.is_empty() { Ok(self) } else { Err(faults) }
    }

    fn sort(&mut self) {
        self.checks.sort_by(|a, b| (a.severity, &a.id).cmp(&(b.severity, &b.id)));
        self.runbooks.sort_by(|a, b| (a.severity, &a.id).cmp(&(b.severity, &b.id)));
    }

    /// The names of the packs that something at hand is in.
    pub fn packs(&self) -> Vec<&str> {
        let checks = self.checks.iter().map(|check| check.pack.as_str());
        let mut packs: Vec<&str> =
            checks.chain(self.runbooks.iter().map(|runbook| runbook.pack.as_str())).collect();
        packs.extend(self.unread.iter().map(String::as_str));
        packs.retain(|pack| !pack.is_empty());
        packs.sort_unstable();
        packs.dedup();
        packs
    }

    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }

    pub fn runbook(&self, id: &str) -> Option<&Runbook> {
        self.runbooks.iter().find(|runbook| runbook.id == id)
    }

    /// The names of the suites that some check is in.
    pub fn suites(&self) -> Vec<&str> {
        let mut suites: Vec<&str> =
            self.checks.iter().flat_map(|check| &check.suites).map(String::as_str).collect();
        suites.sort_unstable();
        suites.dedup();
        suites
    }

    /// The checks of a suite.
    pub fn suite(&self, name: &str) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.suites.iter().any(|suite| suite == name))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Checks,
    Runbooks,
}

/// A file that was read.
#[derive(Debug, Clone)]
struct File {
    name: String,
    pack: String,
    text: String,
}

impl File {
    /// What it must be called inside.
    fn id(&self) -> &str {
        let name = self.name.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".toml").unwrap_or(name)
    }
}

/// Everything loaded so far, with the places where files name each other.
#[derive(Debug, Default)]
struct Shelf {
    checks: Vec<check::load::Loaded>,
    runbooks: Vec<runbook::load::Loaded>,
    /// Files that are known by their names only.
    unread: Vec<File>,
}

impl Shelf {
    fn built_in(care: Care) -> Result<Self, Vec<Fault>> {
        let mut shelf = Self::default();
        let mut faults = vec![];
        shelf.add(pack::checks(), Kind::Checks, care, &mut faults);
        shelf.add(pack::runbooks(), Kind::Runbooks, care, &mut faults);
        if faults.is_empty() { Ok(shelf) } else { Err(faults) }
    }

    /// The files of one folder: an id may stand there once, and replaces what was there before.
    fn add(&mut self, files: Vec<File>, kind: Kind, care: Care, faults: &mut Vec<Fault>) {
        let mut taken: Vec<(String, String)> = vec![];
        for file in files {
            let id = match kind {
                Kind::Checks => self.add_check(&file, care, faults),
                Kind::Runbooks => self.add_runbook(&file, care, faults),
            };
            let Some((id, spot)) = id else { continue };
            match taken.iter().find(|(other, _)| *other == id) {
                Some((_, first)) => faults.push(spot.fault(format!(
                    "The id {} is taken by {first}; give one of the two another name.",
                    quoted(&id)
                ))),
                None => taken.push((id, file.name)),
            }
        }
    }

    fn add_check(
        &mut self,
        file: &File,
        care: Care,
        faults: &mut Vec<Fault>,
    ) -> Option<(String, Spot)> {
        match check::load::load(care, &file.name, &file.pack, &file.text) {
            Ok(loaded) => {
                let named = (loaded.check.id.clone(), loaded.id.clone());
                self.checks.retain(|other| other.check.id != named.0);
                self.checks.push(loaded);
                Some(named)
            }
            Err(found) => {
                faults.extend(found);
                None
            }
        }
    }

    fn add_runbook(
        &mut self,
        file: &File,
        care: Care,
        faults: &mut Vec<Fault>,
    ) -> Option<(String, Spot)> {
        match runbook::load::load(care, &file.name, &file.pack, &file.text) {
            Ok(loaded) => {
                let named = (loaded.runbook.id.clone(), loaded.id.clone());
                self.runbooks.retain(|other| other.runbook.id != named.0);
                self.runbooks.push(loaded);
                Some(named)
            }
            Err(found) => {
                faults.extend(found);
                None
            }
        }
    }

    /// Names that lead nowhere.
    fn missing(&self) -> Vec<Fault> {
        let checks: Vec<&str> = self.checks.iter().map(|loaded| &*loaded.check.id).collect();
        let mut runbooks: Vec<&str> =
            self.runbooks.iter().map(|loaded| &*loaded.runbook.id).collect();
        runbooks.extend(self.unread.iter().map(File::id));
        let mut faults = vec![];
        for loaded in &self.checks {
            if let Some(id) = &loaded.check.runbook {
                faults.extend(loaded.runbook.unknown("runbook", id, &runbooks));
            }
        }
        for loaded in &self.runbooks {
            for (id, spot) in &loaded.checks {
                faults.extend(spot.unknown("check", id, &checks));
            }
        }
        faults
    }

    /// Controls and messages that nobody has agreed on. An incident goes on without them, so that
    /// only whoever asks is told.
    fn not_agreed(&self, practice: &Practice) -> Vec<Fault> {
        let known: Vec<&str> = practice.controls.iter().map(|one| one.id.as_str()).collect();
        let messages: Vec<&str> = practice.messages.iter().map(|one| one.name.as_str()).collect();
        let of_checks = self.checks.iter().flat_map(|loaded| &loaded.controls);
        let of_runbooks = self.runbooks.iter().flat_map(|loaded| &loaded.controls);
        let controls = of_checks
            .chain(of_runbooks)
            .filter(|(name, _)| control::place(name).is_none())
            .filter_map(|(name, spot)| spot.unknown("control", name, &known));
        let named = self.runbooks.iter().flat_map(|loaded| &loaded.messages);
        let messages = named.filter_map(|(name, spot)| spot.unknown("message", name, &messages));
        controls.chain(messages).collect()
    }

    fn catalogue(self) -> Catalogue {
        let mut catalogue = Catalogue {
            checks: self.checks.into_iter().map(|loaded| loaded.check).collect(),
            runbooks: self.runbooks.into_iter().map(|loaded| loaded.runbook).collect(),
            unread: self.unread.into_iter().map(|file| file.pack).collect(),
        };
        catalogue.sort();
        catalogue
    }
}

#[cfg(test)]
mod tests;
