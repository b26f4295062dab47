//! Bundles: made here, checked by `tar`, `sha256sum` and `ssh-keygen` as well as by ourselves, in a
//! home that has never seen the incident.

use std::fs;
use std::path::Path;
use std::process::Command;

use steadyhand::incident::entry::{Deed, Entry, Outcome, Pacing};
use steadyhand::incident::journal::Journal;
use steadyhand::runbook::ActionKind;

use super::common::Home;
use super::incidents::incidents;
use super::{Ran, run};

fn bundle(home: &Home, more: &[&str]) -> Ran {
    let mut args = vec!["bundle", "1", "--output", "one.tar"];
    args.extend(more);
    run(home, &args)
}

/// The bundle in a home of its own.
fn elsewhere(home: &Home) -> Home {
    let other = Home::new();
    fs::copy(home.work().join("one.tar"), other.work().join("one.tar")).unwrap();
    other
}

fn shell(folder: &Path, script: &str) -> String {
    let ran = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    let said =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{script}: {said}");
    said
}

#[test]
fn a_bundle_is_checked_by_tools_that_everybody_has() {
    let (home, folder) = incidents();
    let ran = bundle(&home, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.ends_with("  one.tar\nINC-0001: 7 files\n"), "{}", ran.out);
    let other = elsewhere(&home);
    let sums = shell(
        &other.work(),
        "sha256sum one.tar; tar xf one.tar; cd INC-0001; sha256sum -c SHA256SUMS",
    );
    assert!(sums.starts_with(&ran.out[..64]), "{sums}");
    assert_eq!(sums.matches(": OK").count(), 6, "{sums}");
    assert_eq!(
        fs::read(other.work().join("INC-0001/journal.jsonl")).unwrap(),
        fs::read(folder.join("journal.jsonl")).unwrap()
    );
    let ran = run(&other, &["verify", "one.tar"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("INC-0001 is sound") && ran.out.contains("it is not signed"),
        "{}",
        ran.out
    );
    // What was unpacked by hand is a folder like any other.
    assert_eq!(run(&other, &["verify", "INC-0001"]).code, 0);
}

/// It has no name of its own before it is whole, and may be gone by then.
#[test]
fn what_is_being_written_at_this_moment_is_in_no_bundle() {
    let (home, folder) = incidents();
    fs::write(folder.join("evidence/.tmpAbC123"), "half of it").unwrap();
    for more in [&[][..], &["--redact"]] {
        let ran = bundle(&home, more);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let inside = shell(&home.work(), "tar tf one.tar; tar xOf one.tar INC-0001/bundle.json");
        assert!(!inside.contains(".tmp"), "{inside}");
        fs::remove_file(home.work().join("one.tar")).unwrap();
    }
}

#[test]
fn whatever_is_altered_in_a_bundle_is_named() {
    let (home, _) = incidents();
    bundle(&home, &[]);
    for (change, said) in [
        (
            "sed -i s/casey/mallory/ journal.jsonl; sha256sum $(grep -o '[^ ]*$' SHA256SUMS) > x; mv x SHA256SUMS",
            "record 1 was altered",
        ),
        (
            "sed -i s/17/18/ evidence/sample.jsonl",
            "evidence/sample.jsonl was altered: it is not what SHA256SUMS names",
        ),
        ("rm evidence/sample.jsonl", "evidence/sample.jsonl is missing"),
        ("echo x > evidence/more.txt", "SHA256SUMS does not name it"),
        ("head -n 3 journal.jsonl > x; mv x journal.jsonl", "journal.jsonl was altered"),
        ("ln -s /etc/passwd evidence/link", "no plain file of a bundle"),
    ] {
        let other = elsewhere(&home);
        let script =
            format!("tar xf one.tar; cd INC-0001; {change}; cd ..; tar cf one.tar INC-0001");
        shell(&other.work(), &script);
        let ran = run(&other, &["verify", "one.tar"]);
        assert_eq!(ran.code, 2, "{change}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(said), "{change}: {}", ran.out);
    }
    let other = Home::new();
    other.write("one.tar", "this is no archive, however long it is made to be");
    let ran = run(&other, &["verify", "one.tar"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("one.tar: it is no bundle"), "{}", ran.err);
    assert!(!ran.err.contains("however long"), "nothing of the file is told: {}", ran.err);
}

/// A bundle takes along what its folder shows, whatever is in it.
#[test]
fn a_bundle_of_what_was_altered_is_not_sound_either() {
    for (change, redact, said) in [
        (
            "head -n 4 journal.jsonl > x; mv x journal.jsonl",
            false,
            "ends after record 4, but record 5",
        ),
        ("rm head.json", false, "head.json is missing"),
        ("sed -i s/17/18/ evidence/sample.jsonl", true, "evidence/sample.jsonl was altered"),
    ] {
        let (home, folder) = incidents();
        shell(&folder, change);
        let ran = bundle(&home, if redact { &["--redact"] } else { &[] });
        assert_eq!(ran.code, 2, "{change}: {}{}", ran.out, ran.err);
        let other = elsewhere(&home);
        let ran = run(&other, &["verify", "one.tar"]);
        assert_eq!(ran.code, 2, "{change}: {}{}", ran.out, ran.err);
        assert_eq!(ran.out.matches(said).count(), 1, "{change}: {}", ran.out);
        shell(&other.work(), "tar xf one.tar");
        assert_eq!(run(&other, &["verify", "INC-0001"]).code, 2, "{change}: unpacked by hand");
    }
}

#[test]
fn a_redacted_bundle_holds_no_row_and_its_chain_can_still_be_checked() {
    let (home, folder) = incidents();
    let ran = bundle(&home, &["--redact"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let bytes = fs::read(home.work().join("one.tar")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for row in ["import stopped", "\"asset_id\":17"] {
        assert!(!text.contains(row), "{row}");
    }
    let other = elsewhere(&home);
    let ran = run(&other, &["verify", "one.tar"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 of 5 records were redacted"), "{}", ran.out);
    assert!(ran.out.contains("1 file of evidence left out"), "{}", ran.out);
    // The head is that of the whole journal, so whoever holds it can show what was taken out.
    let whole = run(&home, &["verify", folder.to_str().unwrap()]);
    assert_eq!(whole.out.lines().last(), ran.out.lines().last());
    // Unpacked by hand it is not taken for a journal.
    shell(&other.work(), "tar xf one.tar");
    assert_eq!(run(&other, &["verify", "INC-0001"]).code, 2);
    shell(
        &other.work(),
        "cd INC-0001; sed -i 's/count/other/' journal.jsonl; sha256sum $(grep -o '[^ ]*$' SHA256SUMS) > x; mv x SHA256SUMS; cd ..; tar cf one.tar INC-0001",
    );
    assert_eq!(run(&other, &["verify", "one.tar"]).code, 2);
}

/// One name can be the format's own in one record and typed by a person in another.
#[test]
fn a_redacted_bundle_holds_nothing_that_a_person_typed() {
    let (home, folder) = incidents();
    let (journal, _) = Journal::open(&folder, "casey").unwrap();
    let (step, typed) = ("close".to_owned(), "typed by jane".to_owned());
    let (op, deed) = ("1".to_owned(), Deed::Undo { of: "0".into() });
    let (outcome, rows) = (Outcome::Committed, 1);
    for entry in [
        Entry::ActionItem {
            title: "call Jane Doe about order 4711".into(),
            owner: "sales".into(),
            due: "2026-12-01".into(),
            action: ActionKind::Process,
        },
        Entry::Confirmed {
            step: step.clone(),
            what: "end the session of Jane Doe".into(),
            typed: typed.clone(),
            command: false,
        },
        Entry::Paced { op: op.clone(), chunk: 1, pacing: Pacing::Paused, why: typed.clone() },
        Entry::Ended { step, op, deed, outcome, rows, why: typed, drift: None },
    ] {
        journal.append(entry).unwrap();
    }
    drop(journal);
    let ran = bundle(&home, &["--redact"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let bytes = fs::read(home.work().join("one.tar")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for person in ["Jane", "4711", "jane"] {
        assert!(!text.contains(person), "{person}");
    }
    assert!(text.contains(r#""deed":{"what":"undo","of":"0"}"#), "{text}");
    assert!(text.contains(r#""title":"Asset assigned to two people""#), "{text}");
    let ran = run(&elsewhere(&home), &["verify", "one.tar"]);
    assert!(ran.out.contains("5 of 9 records were redacted"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_signature_is_made_and_checked_by_ssh_keygen() {
    let (home, _) = incidents();
    let keys = "ssh-keygen -q -t ed25519 -N '' -C ada -f ada; ssh-keygen -q -t ed25519 -N '' -C bob -f bob;
        (printf 'ada@example.org '; cat ada.pub) > signers; (printf 'bob@example.org '; cat bob.pub) > others";
    shell(&home.work(), keys);
    let ran = bundle(&home, &["--sign", "nokey"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("not signed, and not made") && !home.work().join("one.tar").exists(),
        "{}",
        ran.err
    );
    let ran = bundle(&home, &["--sign", "ada"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("INC-0001, signed: 8 files"), "{}", ran.out);
    let verify = |more: &[&str]| {
        let mut args = vec!["verify", "one.tar"];
        args.extend(more);
        run(&home, &args)
    };
    let ran = verify(&["--signers", "signers"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("Good \"steadyhand\" signature for ada@example.org"), "{}", ran.out);
    let ran = verify(&["--signers", "others"]);
    assert!(ran.code == 2 && ran.out.contains("not among those of others"), "{}", ran.out);
    let ran = verify(&[]);
    assert!(
        ran.code == 0 && ran.out.contains("--signers FILE tells whose key that is"),
        "{}",
        ran.out
    );
    assert_eq!(verify(&["--signers", "none"]).code, 4);
    let outside = "rm -rf INC-0001; tar xf one.tar; cd INC-0001; ssh-keygen -Y verify -n steadyhand -f ../signers -I ada@example.org -s SHA256SUMS.sig < SHA256SUMS";
    assert!(shell(&home.work(), outside).contains("Good"));
    // A list that was made anew after the signature.
    shell(
        &home.work(),
        "cd INC-0001; echo x >> postmortem.md; sha256sum $(grep -o '[^ ]*$' SHA256SUMS) > x; mv x SHA256SUMS; cd ..; tar cf one.tar INC-0001",
    );
    let ran = verify(&["--signers", "signers"]);
    assert!(
        ran.code == 2 && ran.out.contains("the signature of ada@example.org does not fit"),
        "{}",
        ran.out
    );
    assert_eq!(verify(&[]).code, 2);
}

#[test]
fn a_bundle_is_written_over_nothing_but_a_file() {
    let (home, _) = incidents();
    shell(&home.work(), "mkfifo one.tar; ln -s two.tar link.tar; echo old > two.tar");
    let ran = bundle(&home, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.err);
    assert!(ran.err.contains("cannot write one.tar: it is there and is no file"), "{}", ran.err);
    shell(&home.work(), "test -p one.tar");
    let ran = run(&home, &["bundle", "1", "--output", "link.tar"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    shell(&home.work(), "test -L link.tar; tar tf two.tar");
}
