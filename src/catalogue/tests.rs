use std::fs;
use std::path::Path;

use super::*;

const CHECK: &str = "id = \"ID\"\ntitle = \"T\"\nrule = \"R\"\nseverity = \"sev3\"\nkey = [\"a\"]\nowner = \"o\"\n[sql]\nany = \"SELECT a FROM t\"\n";
const RUNBOOK: &str = "id = \"ID\"\ntitle = \"T\"\nsummary = \"S\"\nseverity = \"sev3\"\nowner = \"o\"\n[[step]]\nid = \"s\"\nkind = \"check\"\ntitle = \"T\"\ncheck = \"CHECK\"\n";

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
    fs::write(&path, text).expect("a file");
    path
}

fn sentences(faults: &[Fault], dir: &Path) -> Vec<String> {
    let dir = format!("{}/", dir.display());
    faults.iter().map(|fault| fault.to_string().replace(&dir, "")).collect()
}

#[test]
fn the_built_in_packs_are_complete_and_without_fault() {
    let catalogue = judge(&[], Practice::built_in()).unwrap_or_else(|faults| {
        panic!("{}", crate::source::render(&faults, crate::source::Paint::Plain))
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let count = |folder: &str| folder::read(&root.join(folder), &mut vec![]).len();
    assert_eq!(catalogue.checks.len(), count("checks"), "a file of checks/ is not in the list");
    assert_eq!(
        catalogue.runbooks.len(),
        count("runbooks"),
        "a file of runbooks/ is not in the list"
    );
}

#[test]
fn what_was_judged_is_what_is_trusted_and_costs_no_parsing_at_the_start() {
    let taken_apart = || crate::sql::TAKEN_APART.get();
    let before = taken_apart();
    let trusted = Catalogue::built_in().expect("good");
    assert_eq!(taken_apart() - before, 0, "SQL of built-in files was parsed at the start");
    let judged = judge(&[], Practice::built_in()).expect("good");
    assert!(taken_apart() > before);
    for (trusted, judged) in trusted.checks.iter().zip(&judged.checks) {
        assert_eq!(trusted, judged, "write `tables` in {}", judged.id);
    }
    assert_eq!(trusted.runbooks, judged.runbooks);
}

#[test]
fn a_folder_adds_and_replaces_by_id() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "mine/fresh.toml", &CHECK.replace("ID", "fresh"));
    write(dir.path(), "self-approval.toml", &CHECK.replace("ID", "self-approval"));
    write(dir.path(), "notes.txt", "not read");
    let before = Catalogue::built_in().expect("good").checks.len();
    let catalogue = Catalogue::load(&[dir.path().to_owned()], &[]).expect("good");
    assert_eq!(catalogue.checks.len(), before + 1);
    assert_eq!(catalogue.check("self-approval").map(|check| check.title.as_str()), Some("T"));
    assert_eq!(catalogue.check("fresh").map(|check| check.pack.as_str()), Some("mine"));
}

#[test]
fn names_that_lead_nowhere_and_ids_that_stand_twice_are_faults() {
    let dir = tempfile::tempdir().expect("a folder");
    let checks = dir.path().join("checks");
    write(&checks, "a/late.toml", &CHECK.replace("ID", "late"));
    write(&checks, "b/late.toml", &CHECK.replace("ID", "late"));
    let faults = Catalogue::load(std::slice::from_ref(&checks), &[]).expect_err("twice");
    let first = "checks/a/late.toml";
    assert_eq!(
        sentences(&faults, dir.path()),
        [format!(
            "checks/b/late.toml:1:6: The id \"late\" is taken by {first}; give one of the two another name."
        )]
    );
    fs::remove_file(checks.join("b/late.toml")).expect("gone");
    write(&checks, "a/late.toml", &CHECK.replace("ID\"", "late\"\nrunbook = \"self-aproval\""));
    let runbooks = dir.path().join("runbooks");
    write(&runbooks, "late.toml", &RUNBOOK.replace("ID", "late").replace("CHECK", "latte"));
    let faults = Catalogue::load(&[checks], &[runbooks]).expect_err("unknown");
    assert_eq!(
        sentences(&faults, dir.path()),
        [
            "checks/a/late.toml:2:11: There is no runbook \"self-aproval\". Did you mean \"self-approval\"?",
            "runbooks/late.toml:10:9: There is no check \"latte\". Did you mean \"late\"?",
        ]
    );
}

#[test]
fn nothing_outside_a_folder_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let outside = write(dir.path(), "outside/x.toml", &CHECK.replace("ID", "x"));
    let inside = dir.path().join("inside");
    fs::create_dir(&inside).expect("a folder");
    std::os::unix::fs::symlink(&outside, inside.join("x.toml")).expect("a link");
    std::os::unix::fs::symlink(dir.path().join("outside"), inside.join("pack")).expect("a link");
    let faults = Catalogue::load(&[inside, dir.path().join("none")], &[]).expect_err("faults");
    assert_eq!(
        sentences(&faults, dir.path()),
        [
            "inside/pack: This link leads out of the folder; copy the file instead.",
            "inside/x.toml: This link leads out of the folder; copy the file instead.",
            "none: There is no such folder.",
        ]
    );
}

#[test]
fn lint_tells_checks_from_runbooks_by_their_keys() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "late.toml", &CHECK.replace("ID", "late"));
    let runbook =
        write(dir.path(), "b/fix.toml", &RUNBOOK.replace("ID", "fix").replace("CHECK", "late"));
    assert_eq!(lint(&[dir.path().to_owned()]), []);
    assert_eq!(lint(&[runbook]).len(), 1, "alone, its check is missing");
    let odd = write(dir.path(), "odd/c.toml", "colour = 1\n");
    assert_eq!(
        sentences(&lint(&[odd]), dir.path()),
        [
            "odd/c.toml: This is neither a check nor a runbook. A check has `[sql]`, a runbook has `[[step]]`."
        ]
    );
    assert_eq!(lint(&[]), []);
}

#[test]
fn runbooks_that_were_not_read_are_known_by_their_names() {
    let whole = Catalogue::built_in().expect("good");
    let lean = Catalogue::load_checks(&[], &[]).expect("no check names a runbook in vain");
    assert_eq!((&lean.checks, lean.packs()), (&whole.checks, whole.packs()));
    assert!(lean.runbooks.is_empty());
    for (file, runbook) in
        pack::runbooks().iter().zip(Shelf::built_in(Care::Trust).expect("good").runbooks)
    {
        assert_eq!(file.id(), runbook.runbook.id);
    }
}
