#![allow(clippy::unwrap_used)]
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::incident::entry::Entry;
use crate::incident::journal::{Journal, JournalError};
use crate::incident::{Incident, journal};

/// The words of somebody who waited long enough.
fn forced(folder: &Path) -> Forced {
    let now = clock::now();
    let request = Request::make(folder, "bob", now).unwrap();
    let holder = holder(folder).unwrap();
    Forced::new("take over X", "X", &request, &holder, Duration::ZERO, now).unwrap()
}

#[test]
fn whoever_only_looks_whether_it_is_free_forgets_no_question() {
    let folder = tempfile::tempdir().unwrap();
    Request::make(folder.path(), "bob", clock::now()).unwrap();
    drop(Lease::take_here(folder.path(), "the store").unwrap());
    assert!(Request::read(folder.path()).is_some());
    drop(Lease::take(folder.path(), "bob").unwrap());
    assert!(Request::read(folder.path()).is_none());
}

/// Whoever works gives a sign each second, by whatever clock.
#[test]
fn a_sign_from_before_the_clock_was_set_back_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut lease = Lease::take(folder.path(), "ada").unwrap();
    let ahead = lease.file.metadata().unwrap().modified().unwrap() + Duration::from_hours(2);
    let silent = || holder(folder.path()).unwrap().is_silent(clock::now());
    assert!(!silent());
    lease.file.set_modified(ahead).unwrap();
    assert!(silent());
    lease.beat();
    assert!(!silent());
}

#[test]
fn only_the_store_says_that_nobody_works_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let lease = Lease::take(folder.path(), "ada").unwrap();
    let told = lease.told();
    drop(lease);
    for (told, silent) in [(told.as_str(), 0), (told.as_str(), 3600), ("of a later version", 0)] {
        let silent = Duration::from_secs(silent);
        store_says(folder.path(), Says::Held { told, silent }).unwrap();
        assert!(matches!(Lease::take(folder.path(), "bob"), Err(LeaseError::Held { .. })));
        let holder = elsewhere(folder.path()).unwrap();
        assert_eq!(holder.is_silent(clock::now()), silent > SILENT, "{told}");
        // By words it is ours here; whether it is theirs no more is for the store to say.
        drop(Lease::take_by_force(folder.path(), "bob", forced_if(folder.path(), &holder)));
        assert!(elsewhere(folder.path()).is_some());
    }
    store_says(folder.path(), Says::Nobody).unwrap();
    Lease::take(folder.path(), "bob").unwrap();
}

fn forced_if(folder: &Path, holder: &Holder) -> Forced {
    Forced { from: holder.clone(), typed: folder.display().to_string() }
}

#[test]
fn who_comes_second_is_told_who_came_first() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
    let executing = journal.begin().unwrap();
    let taken = Lease::take_by_force(folder.path(), "bob", forced(folder.path()));
    assert!(matches!(taken, Err(LeaseError::Executing)), "{taken:?}");
    drop(executing);
    let taking = open(&folder.path().join(TAKING)).unwrap();
    taking.try_lock().unwrap();
    let taken = Lease::take_by_force(folder.path(), "bob", forced(folder.path()));
    assert!(matches!(taken, Err(LeaseError::Taking)), "{taken:?}");
    assert!(matches!(journal.begin(), Err(JournalError::Lease(LeaseError::Taking))));
}

/// Or nobody else of the group could ever open it.
#[test]
fn what_a_killed_program_left_for_itself_alone_is_the_groups_when_its_owner_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    mode(folder.path(), 0o2770).unwrap();
    let lock = folder.path().join(LOCK);
    fs::write(&lock, "").unwrap();
    mode(&lock, 0o600).unwrap();
    drop(Lease::take(folder.path(), "ada").unwrap());
    assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o660);
}

#[test]
fn words_are_for_one_shift_of_one_holder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Lease::take(folder.path(), "ada").unwrap();
    let words = forced(folder.path());
    drop(first);
    let _second = Lease::take(folder.path(), "ada").unwrap();
    let taken = Lease::take_by_force(folder.path(), "bob", words);
    assert!(matches!(taken, Err(LeaseError::Held { .. })), "{taken:?}");
}

#[test]
fn whoever_was_replaced_lays_no_file_down() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
    let _taken = Lease::take_by_force(folder.path(), "bob", forced(folder.path())).unwrap();
    let made = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
    assert!(matches!(journal.keep_made("one.csv", made), Err(JournalError::Lost)));
    assert!(matches!(journal.keep("two.txt", b"two"), Err(JournalError::Lost)));
    assert!(fs::read_dir(folder.path().join(journal::EVIDENCE)).unwrap().next().is_none());
}

#[test]
fn a_command_is_under_way_from_its_words_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(folder.path(), "ada").unwrap();
    let step = || "dump".to_owned();
    let confirmed = |command: bool| {
        let (what, typed) = (String::new(), String::new());
        journal.append(Entry::Confirmed { step: step(), what, typed, command }).unwrap();
        elsewhere::is_executing(folder.path())
    };
    assert!(!confirmed(false), "a session is ended at once");
    for over in [
        Entry::StepFailed { step: step(), why: String::new() },
        // What a program that is gone had begun.
        Entry::Resumed { step: step() },
    ] {
        assert!(confirmed(true));
        journal.append(over).unwrap();
        assert!(!elsewhere::is_executing(folder.path()));
    }
    let (records, ..) = journal::read(folder.path()).unwrap();
    assert!(Incident::replay("INC-0001", &records).commands.is_empty());
}
