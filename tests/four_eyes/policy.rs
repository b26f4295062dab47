//! Who must agree: what a policy asks, whoever comes how.

use std::fs;
use std::os::unix::fs::symlink;

use crate::common::book::{COUNT, book, command};
use crate::common::walk::{self, Facts, RUNBOOK, journal, leave, to_change};
use crate::common::{Cockpit, WIDE};
use crate::ground::{
    ask, assert_nothing_done, previewed, request, scene, scene_with, shell, sign, told,
};

#[test]
fn the_policy_holds_however_somebody_comes_there() {
    let home = scene("four-eyes", "");
    let mut casey = previewed(home);
    let before = Facts::of(casey.home());
    casey.keys("!");
    casey.wait_for("the policy of this target lets nobody go alone");
    leave(&mut casey);
    // By its path, under another name.
    let home = casey.into_home();
    let mut casey = Cockpit::start_in(home, &["open", RUNBOOK, "--target", "erp.db"], WIDE);
    casey.wait_for("milestone: detected");
    to_change(&mut casey);
    casey.keys("enter");
    casey.wait_for("a second person must agree");
    casey.keys("enter");
    casey.wait_for("a second person must agree first");
    leave(&mut casey);
    // Line by line, and after the configuration forgot what it asked for.
    let home = casey.into_home();
    let path = home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).expect("it is there");
    fs::write(path, text.replace("approval = \"four-eyes\"\n", "")).expect("it is ours");
    let mut casey = Cockpit::start_in(home, &["resume", "2", "--plain"], WIDE);
    let mut from = 0;
    for (line, answer) in [
        ("", "Recover > "),
        ("", "a second person must agree"),
        ("", "a second person must agree first"),
        ("erp 26", "is no key and no command"),
        ("break-glass", "lets nobody go alone"),
        ("confirm", "a second person must agree first"),
    ] {
        if from > 0 {
            from = casey.bytes();
            casey.send(format!("{line}\r").as_bytes());
        }
        casey.wait_output(from, answer, |said| said.contains(answer) && said.ends_with(" > "));
        from = from.max(1);
    }
    casey.send(b"\x04");
    casey.wait_code();
    assert_eq!(Facts::of(casey.home()), before);
}

/// Casey has a list of signers with casey's own second key in it, and says nothing of approvals or
/// the least.
#[test]
fn no_later_layer_takes_back_what_the_system_asks() {
    let home = scene("confirm", "valid = \"23h\"");
    shell(
        &home.work(),
        "printf 'robin@example.org ' > mine; cat keys/stranger.pub >> mine
         cp signers ../etc/signers; mv mine signers",
    );
    let database = walk::database(&home).display().to_string();
    let etc = format!(
        "[approval]\nsigners = \"signers\"\nvalid = \"20m\"\n[target.books]\n\
         url = \"sqlite://{database}\"\nenvironment = \"production\"\napproval = \"four-eyes\"\n"
    );
    fs::write(home.path("etc/steadyhand.toml"), etc).expect("the folder is ours");
    let path = home.work().join("steadyhand.toml");
    let own = fs::read_to_string(&path).expect("it is there");
    home.write("mine.toml", &own);
    let silent = own.replace("approval = \"confirm\"\n", "");
    let second = format!(
        "{own}\n[target.other]\nurl = \"sqlite://{database}\"\nenvironment = \"staging\"\n\
         approval = \"none\"\n"
    );
    let same = format!("{}\n", own.replace("[target.erp-demo]", "[target.books]"));
    let nobody = "state = \"state\"\n".to_owned();
    for (name, text, args) in [
        ("erp-demo", &own, &["config"][..]),
        ("erp-demo", &silent, &["config"]),
        ("other", &second, &["config"]),
        ("books", &same, &["config"]),
        ("erp-demo", &nobody, &["config", "--config", "mine.toml"]),
    ] {
        fs::write(&path, text).expect("it is ours");
        let ran = home.steadyhand(args).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let warned = String::from_utf8_lossy(&ran.stderr).into_owned();
        let line = |key: &str| {
            let of = |line: &&str| line.split_whitespace().next() == Some(key);
            said.lines().find(of).unwrap_or_else(|| panic!("{key} in {said}{warned}")).to_owned()
        };
        let approval = line(&format!("target.{name}.approval"));
        assert!(approval.contains("four-eyes") && approval.contains("/etc/"), "{approval}");
        for key in ["approval.signers", "approval.valid"] {
            assert!(line(key).contains("/etc/steadyhand.toml"), "{}", line(key));
        }
        assert!(warned.contains("the stricter holds"), "{name}: {warned}");
        assert!(warned.contains("`signers` of [approval]"), "{name}: {warned}");
    }
    // The walk itself, on a file of casey's own.
    let mut casey = Cockpit::start_in(home, &["resume", "--config", "mine.toml"], WIDE);
    let before = Facts::of(casey.home());
    casey.wait_for("taken up again");
    to_change(&mut casey);
    casey.keys("enter");
    casey.wait_for("a second person must agree");
    casey.keys("enter");
    casey.wait_for("a second person must agree first");
    ask(&mut casey);
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    sign(casey.home(), "stranger", "steadyhand-approval", &bytes);
    casey.wait_for("the signature was refused");
    leave(&mut casey);
    assert_nothing_done(casey.home(), &before);
    let text = told(casey.home());
    assert!(text.contains(r#""kind":"policy","approval":"four-eyes""#), "{text}");
    assert!(text.contains("is not among those of"), "{text}");
}

/// The path of the system leads over a link that is not there when the program starts.
#[test]
fn what_the_system_asks_holds_also_for_a_file_that_comes_later() {
    let home = scene("confirm", "");
    let (work, link) = (home.work(), home.path("link"));
    let etc = format!(
        "[target.books]\nurl = \"sqlite://{}/erp.db\"\nenvironment = \"production\"\n\
         approval = \"four-eyes\"\n",
        link.display()
    );
    fs::write(home.path("etc/steadyhand.toml"), etc).expect("the folder is ours");
    let mut casey = Cockpit::start_in(home, &[], WIDE);
    casey.wait_for("enter go on with it");
    symlink(work, link).expect("the folder is ours");
    casey.keys("enter");
    casey.wait_for("taken up again");
    to_change(&mut casey);
    casey.keys("enter");
    casey.wait_for("a second person must agree");
    leave(&mut casey);
}

#[test]
fn the_policy_that_was_in_force_is_in_the_journal_also_where_one_is_enough() {
    let home = scene("confirm", "");
    let text = told(&home);
    assert!(text.contains(r#""kind":"policy","approval":"confirm""#), "{text}");
}

/// A guardrail that would stand.
const STAND: &str = r#"
[[step]]
id       = "stand"
kind     = "guard"
stage    = "close"
title    = "One of each"
apply    = { any = "CREATE UNIQUE INDEX ux_one ON asset_assignments (note) WHERE note = 'one'" }
probe    = { any = "UPDATE asset_assignments SET note = 'one'" }
rejects  = { any = "asset_assignments.note" }
withdraw = { any = "DROP INDEX ux_one" }
"#;

/// What has no preview: a command that writes, and a guardrail.
#[test]
fn what_nobody_can_be_shown_is_refused_before_any_words_are_typed() {
    let unseen = book(&[&command("make", "Make a file", &["touch", "made"], false), COUNT, STAND]);
    let mut casey = walk::resume(scene_with(&unseen, "four-eyes"));
    let before = Facts::of(casey.home());
    casey.wait_for("a command that writes has no preview");
    casey.keys("enter");
    casey.wait_until("it is refused, and said", |screen| {
        screen.matches("erp-demo asks for a second person").count() == 2
    });
    assert!(!casey.screen().contains("erp-demo run"), "{}", casey.screen());
    casey.keys("]");
    casey.wait_for("12 violations");
    casey.keys("]");
    casey.wait_for("One of each");
    casey.keys("enter");
    casey.wait_for("enter apply");
    casey.keys("enter");
    casey.wait_for("erp-demo asks for a second person");
    assert!(!casey.screen().contains("erp-demo apply"), "{}", casey.screen());
    leave(&mut casey);
    assert_nothing_done(casey.home(), &before);
    assert!(!journal(casey.home()).iter().any(|kind| kind == "confirmed"));
    assert!(!casey.home().work().join("made").exists());
}
