//! Every file of `tests/invalid/` is refused with its sentences, each at its line and column.
//!
//! A file begins with what is expected of it, one comment a fault: `# expect: LINE:COLUMN: SENTENCE`.
//! To write them after a change of words, set `STEADYHAND_BLESS=1`, and read every one of them.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use steadyhand::source::Fault;
use steadyhand::tui::keymap::Keymap;
use steadyhand::tui::theme::Theme;
use steadyhand::{check, config, runbook};

const EXPECT: &str = "# expect: ";

fn files(folder: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid").join(folder);
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    files
}

/// The faults without the name of the file, which is checked here.
fn found(faults: &[Fault], name: &str) -> Vec<String> {
    let prefix = format!("{name}:");
    faults
        .iter()
        .map(|fault| {
            let line = fault.to_string();
            assert!(fault.line > 0, "{line} has no place");
            line.strip_prefix(&prefix)
                .unwrap_or_else(|| panic!("{line} is of another file"))
                .to_owned()
        })
        .collect()
}

fn refused(folder: &str, judge: impl Fn(&str, &str) -> Vec<Fault>) {
    let mut wrong = vec![];
    for path in files(folder) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let expected: Vec<&str> =
            text.lines().map_while(|line| line.strip_prefix(EXPECT)).collect();
        let found = found(&judge(&name, &text), &name);
        if std::env::var_os("STEADYHAND_BLESS").is_some() {
            bless(&path, &text, &name, &judge);
        } else if found.is_empty() || found != expected {
            wrong.push(format!("{folder}/{name}\n  expected {expected:#?}\n  found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Writes the comments; as they move the lines, their number is fixed first.
fn bless(path: &Path, text: &str, name: &str, judge: impl Fn(&str, &str) -> Vec<Fault>) {
    let body: String =
        text.split_inclusive('\n').skip_while(|line| line.starts_with(EXPECT)).collect();
    let comments = |faults: &[String]| -> String {
        faults.iter().flat_map(|fault| [EXPECT, fault, "\n"]).collect()
    };
    let first = found(&judge(name, &body), name);
    let moved = format!("{}{body}", comments(&first));
    let second = found(&judge(name, &moved), name);
    fs::write(path, format!("{}{body}", comments(&second))).unwrap();
}

#[test]
fn broken_checks_are_refused_with_their_sentences() {
    refused("checks", |name, text| {
        check::load::parse(name, "invalid", text).err().unwrap_or_default()
    });
}

#[test]
fn broken_runbooks_are_refused_with_their_sentences() {
    refused("runbooks", |name, text| {
        runbook::load::parse(name, "invalid", text).err().unwrap_or_default()
    });
}

#[test]
fn broken_configurations_are_refused_with_their_sentences() {
    refused("config", config::lint);
}

#[test]
fn broken_themes_are_refused_with_their_sentences() {
    refused("themes", |name, text| Theme::parse(name, text).err().unwrap_or_default());
}

#[test]
fn broken_key_maps_are_refused_with_their_sentences() {
    refused("keymaps", |name, text| Keymap::parse(name, text).err().unwrap_or_default());
}
