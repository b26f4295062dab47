//! The incidents of a state folder: `<state folder>/incidents/<id>/`, one folder each.
//!
//! Lists them, names new ones, finds the one that was meant. A folder that cannot be read is listed
//! with what is wrong with it; nothing here writes but the creation of a new folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Incident, drafts, journal};
use crate::check::Severity;
use crate::rights;
use crate::runbook::{Runbook, load};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot create {}: {source}", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("there is no incident {0}")]
    Unknown(String),
    #[error("{wanted} could be {}", of.join(" or "))]
    Ambiguous { wanted: String, of: Vec<String> },
    #[error("no incident is open in {}", state.display())]
    NoneOpen { state: PathBuf },
    #[error("{} are open: name the one that is meant", of.join(" and "))]
    SeveralOpen { of: Vec<String> },
}

/// An incident as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The name of its folder.
    pub id: String,
    pub folder: PathBuf,
    pub title: String,
    pub runbook: String,
    pub target: String,
    pub environment: String,
    pub severity: Option<Severity>,
    pub demo: bool,
    pub drill: bool,
    pub opened: Option<Timestamp>,
    pub closed: Option<Timestamp>,
    /// When its last record was written.
    pub last: Option<Timestamp>,
    /// The step it stands at.
    pub step: Option<String>,
    /// An operation whose outcome is not known.
    pub in_doubt: bool,
    /// When the review of something done without a second person is due, the earliest.
    pub review_due: Option<Timestamp>,
    /// Why its journal cannot be trusted or read, if so.
    pub trouble: Option<String>,
    pub branch: Branch,
}

/// Whose records a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// Those that everybody has or will have.
    Common,
    /// What only this host wrote while another went on.
    Apart,
}

impl Summary {
    /// Can be gone on with.
    pub fn is_open(&self) -> bool {
        self.branch == Branch::Common
            && self.opened.is_some()
            && self.closed.is_none()
            && self.trouble.is_none()
    }

    pub fn state(&self) -> &'static str {
        match (&self.trouble, self.closed, self.in_doubt) {
            (Some(_), ..) => "damaged",
            _ if self.branch == Branch::Apart => "apart",
            (None, _, true) => "in doubt",
            (None, None, false) => "open",
            (None, Some(_), false) => "closed",
        }
    }
}

/// The folder of all incidents, in the state folder.
const INCIDENTS: &str = "incidents";

fn home(state: &Path) -> PathBuf {
    state.join(INCIDENTS)
}

/// Where an incident lies.
pub fn folder(state: &Path, id: &str) -> PathBuf {
    home(state).join(id)
}

/// Every incident there is, the newest number last.
pub fn list(state: &Path) -> Result<Vec<Summary>, StoreError> {
    let ids = ids(state)?;
    Ok(ids.iter().map(|id| summary(&folder(state, id))).collect())
}

/// The incident of one folder, and why its journal cannot be trusted or read, if so.
pub fn incident(folder: &Path) -> (Incident, Option<String>) {
    let (records, trouble) = match journal::read(folder) {
        Ok((records, _, None)) if records.is_empty() => {
            (records, Some("its journal is empty".into()))
        }
        Ok((records, _, fault)) => (records, fault.map(|fault| fault.to_string())),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    (Incident::replay(&name(folder), &records), trouble)
}

/// Every incident there is, with what is wrong with it, in the order of their numbers. What only this host
/// wrote of one that another went on with is no incident of its own.
pub fn all(state: &Path) -> Result<Vec<(String, Incident, Option<String>)>, StoreError> {
    let one = |id: String| {
        let (incident, trouble) = incident(&folder(state, &id));
        (id, incident, trouble)
    };
    let ids = ids(state)?.into_iter().filter(|id| !is_apart(&folder(state, id)));
    Ok(ids.map(one).collect())
}

/// The folder of every incident.
pub fn folders(state: &Path) -> Result<Vec<PathBuf>, StoreError> {
    Ok(ids(state)?.iter().map(|id| folder(state, id)).collect())
}

/// What one folder holds.
pub fn summary(folder: &Path) -> Summary {
    let (incident, trouble) = incident(folder);
    let target = incident.target.clone();
    let (target, environment) =
        target.map_or_else(Default::default, |target| (target.name, target.environment));
    Summary {
        id: name(folder),
        folder: folder.to_owned(),
        in_doubt: incident.in_doubt().is_some(),
        review_due: incident.unreviewed().map(|one| one.due).min(),
        last: incident.records.last().map(|record| record.at),
        step: incident.progress.current.clone(),
        title: incident.title,
        runbook: incident.runbook,
        target,
        environment,
        severity: incident.severity,
        demo: incident.demo,
        drill: incident.drill,
        opened: incident.opened,
        closed: incident.closed,
        trouble,
        branch: if is_apart(folder) { Branch::Apart } else { Branch::Common },
    }
}

/// The one that was meant: a name, the beginning of one, its number, or without any the open one
/// that was worked on last.
pub fn find(state: &Path, wanted: Option<&str>) -> Result<Summary, StoreError> {
    let Some(wanted) = wanted else {
        let none = || StoreError::NoneOpen { state: state.to_owned() };
        return open(state)?.into_iter().max_by_key(|summary| summary.last).ok_or_else(none);
    };
    let ids = ids(state)?;
    let same = |id: &&String| id.eq_ignore_ascii_case(wanted);
    let is_number = |id: &&String| number(id).is_some_and(|n| wanted.parse() == Ok(n));
    let begins =
        |id: &&String| id.get(..wanted.len()).is_some_and(|head| head.eq_ignore_ascii_case(wanted));
    let exact = ids.iter().find(same).or_else(|| ids.iter().find(is_number));
    let mut meant: Vec<&String> = ids.iter().filter(begins).collect();
    if let Some(exact) = exact {
        meant = vec![exact];
    }
    match meant.as_slice() {
        [one] if !wanted.is_empty() => Ok(summary(&folder(state, one))),
        [_, _, ..] => Err(StoreError::Ambiguous {
            wanted: wanted.to_owned(),
            of: meant.into_iter().cloned().collect(),
        }),
        _ => Err(StoreError::Unknown(wanted.to_owned())),
    }
}

/// The incidents that can be gone on with.
pub fn open(state: &Path) -> Result<Vec<Summary>, StoreError> {
    Ok(list(state)?.into_iter().filter(Summary::is_open).collect())
}

/// The one that is open, where no other is.
pub fn only_open(state: &Path) -> Result<Summary, StoreError> {
    let mut open = open(state)?;
    match open.len() {
        2.. => Err(StoreError::SeveralOpen { of: open.into_iter().map(|one| one.id).collect() }),
        _ => open.pop().ok_or_else(|| StoreError::NoneOpen { state: state.to_owned() }),
    }
}

/// The folder of an incident: by its name in the state folder, or by a path to a copy of it.
pub fn folder_of(state: &Path, wanted: &str) -> Result<PathBuf, StoreError> {
    let path = Path::new(wanted);
    if path.join("journal.jsonl").is_file() {
        return Ok(path.to_owned());
    }
    find(state, Some(wanted)).map(|found| found.folder)
}

/// The runbook as it was when the incident was opened; none if it is not that one any more.
pub fn frozen(folder: &Path, incident: &Incident) -> Option<Runbook> {
    let source = fs::read_to_string(folder.join("runbook.toml")).ok()?;
    let same = crate::digest::sha256(source.as_bytes()) == incident.runbook_sha256;
    // The name of a file must be the id, and the frozen copy has another.
    let name = format!("{}.toml", incident.runbook);
    if same { load::parse(&name, "", &source).ok() } else { None }
}

/// Creates the folder of a new incident; creating it is what makes the name ours.
pub fn create(state: &Path) -> Result<(String, PathBuf), StoreError> {
    let home = home(state);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Create { path, source }
    };
    rights::folders(state, &[INCIDENTS]).map_err(failed(&home))?;
    let mut taken = ids(state)?;
    loop {
        let id = new_id(&taken);
        let folder = home.join(&id);
        match fs::create_dir(&folder) {
            Ok(()) => return Ok((id, folder)),
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken.push(id),
            Err(error) => return Err(failed(&folder)(error)),
        }
    }
}

/// In the folder of what only this host wrote: what the incident is called here.
const APART: &str = "apart.json";

/// Whether a folder has what only this host wrote of an incident that another went on with.
pub fn is_apart(folder: &Path) -> bool {
    folder.join(APART).exists()
}

/// Puts what only this host wrote under a name of its own, which is given; that of the incident is free.
pub fn put_apart(folder: &Path) -> io::Result<PathBuf> {
    let name = name(folder);
    let text = serde_json::json!({ "of": name }).to_string();
    crate::files::write_synced(&folder.join(APART), text.as_bytes())?;
    let first = std::iter::once(format!("{name}-apart"));
    let mut names = first.chain((2_u32..).map(|n| format!("{name}-apart-{n}")));
    let free = names.find_map(|name| {
        let to = folder.with_file_name(name);
        (!to.exists()).then_some(to)
    });
    let to = free.expect("the numbers do not end before the folders");
    fs::rename(folder, &to)?;
    Ok(to)
}

/// What people wrote belongs to the incident, whichever records it has: the text of its postmortem and what
/// was being typed are in both.
pub fn keep_words(apart: &Path, folder: &Path) -> io::Result<()> {
    for name in ["postmortem.md", "postmortem.md.bytes"] {
        let (from, to) = (apart.join(name), folder.join(name));
        if from.is_file() && !to.exists() {
            crate::files::write_synced(&to, &fs::read(from)?)?;
        }
    }
    let typed = drafts::all(folder);
    for (name, draft) in drafts::all(apart) {
        if !typed.contains_key(&name) {
            drafts::keep(folder, &name, &draft.text)?;
        }
    }
    Ok(())
}

/// Held while a folder gets its first lines, so that no incident is laid into two.
pub fn alone(state: &Path) -> Result<File, StoreError> {
    let home = home(state);
    let failed = |source| StoreError::Create { path: home.clone(), source };
    rights::folders(state, &[INCIDENTS]).map_err(failed)?;
    let file = File::open(&home).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// The name after the highest one: `INC-0001`, `INC-0002`, ...
pub fn new_id(taken: &[String]) -> String {
    let highest = taken.iter().filter_map(|id| number(id)).max().unwrap_or(0);
    let mut later = (u64::from(highest) + 1..).map(|n| format!("INC-{n:04}"));
    later.find(|id| !taken.contains(id)).expect("nobody has that many folders")
}

/// What nobody can have counted up to is a name like any other.
fn number(id: &str) -> Option<u32> {
    id.strip_prefix("INC-")?.parse().ok()
}

/// The names of all folders, in the order of their numbers.
fn ids(state: &Path) -> Result<Vec<String>, StoreError> {
    let home = home(state);
    let failed = |source| StoreError::Read { path: home.clone(), source };
    let entries = match fs::read_dir(&home) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            ids.push(name(&path));
        }
    }
    ids.sort_by_key(|id| (number(id).unwrap_or(u32::MAX), id.clone()));
    Ok(ids)
}

/// What an incident is called here.
pub fn name(folder: &Path) -> String {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    // `.` has a name too.
    last(folder).or_else(|| last(&folder.canonicalize().ok()?)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::entry::{Entry, TargetSeen};
    use super::super::journal::Journal;
    use super::*;
    use crate::dialect::Dialect;

    fn opened(state: &Path) -> Journal {
        let (id, folder) = create(state).unwrap();
        let (journal, _) = Journal::open(&folder, "ada").unwrap();
        let target = TargetSeen {
            name: "erp".into(),
            url: String::new(),
            dialect: Dialect::Sqlite,
            environment: "production".into(),
            server: String::new(),
            version: String::new(),
        };
        let entry = Entry::Opened {
            incident: id,
            runbook: "r".into(),
            runbook_sha256: String::new(),
            title: "t".into(),
            severity: Severity::Sev2,
            target,
            program: String::new(),
            host: String::new(),
            demo: false,
        };
        journal.append(entry).unwrap();
        journal
    }

    #[test]
    fn names_count_up_and_are_never_given_twice() {
        let state = tempfile::tempdir().unwrap();
        let made: Vec<String> = (0..3).map(|_| create(state.path()).unwrap().0).collect();
        assert_eq!(made, ["INC-0001", "INC-0002", "INC-0003"]);
        fs::create_dir(folder(state.path(), "INC-9999")).unwrap();
        assert_eq!(create(state.path()).unwrap().0, "INC-10000");
        assert_eq!(list(state.path()).unwrap().last().unwrap().id, "INC-10000");
        fs::create_dir(folder(state.path(), "INC-18446744073709551615")).unwrap();
        assert_eq!(create(state.path()).unwrap().0, "INC-10001");
    }

    #[test]
    fn nothing_there_is_an_empty_list() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(list(&state.path().join("new")).unwrap(), []);
        assert!(matches!(find(state.path(), None), Err(StoreError::NoneOpen { .. })));
    }

    #[test]
    fn the_one_that_was_meant_is_found() {
        let state = tempfile::tempdir().unwrap();
        let first = opened(state.path());
        opened(state.path()).append(Entry::Closed { violations: None }).unwrap();
        assert_eq!(find(state.path(), None).unwrap().id, "INC-0001");
        for wanted in ["INC-0002", "inc-0002", "2", "0002"] {
            assert_eq!(find(state.path(), Some(wanted)).unwrap().id, "INC-0002", "{wanted}");
        }
        assert!(matches!(find(state.path(), Some("INC-")), Err(StoreError::Ambiguous { .. })));
        assert!(matches!(find(state.path(), Some("INC-7")), Err(StoreError::Unknown(_))));
        assert!(matches!(
            find(state.path(), Some("")),
            Err(StoreError::Unknown(_) | StoreError::Ambiguous { .. })
        ));
        first.append(Entry::StepEntered { step: "count".into() }).unwrap();
        assert_eq!(find(state.path(), None).unwrap().step.as_deref(), Some("count"));
    }

    #[test]
    fn a_damaged_folder_is_listed_as_such() {
        let state = tempfile::tempdir().unwrap();
        drop(opened(state.path()));
        create(state.path()).unwrap();
        drop(opened(state.path()));
        let path = folder(state.path(), "INC-0003").join("journal.jsonl");
        let text = fs::read_to_string(&path).unwrap().replace("production", "staging");
        fs::write(&path, text).unwrap();
        fs::write(home(state.path()).join("notes.txt"), "no folder").unwrap();
        let all = list(state.path()).unwrap();
        let states: Vec<_> = all.iter().map(|one| (one.id.as_str(), one.state())).collect();
        assert_eq!(
            states,
            [("INC-0001", "open"), ("INC-0002", "damaged"), ("INC-0003", "damaged")]
        );
        assert!(all[2].trouble.as_ref().unwrap().contains("record 1 was altered"));
    }
}
