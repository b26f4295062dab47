//! What every command owes a shell: exit codes for what was typed wrongly, pipes, pages.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Stdio;

use super::common::Home;
use super::{Desk, run};

#[test]
fn what_was_typed_wrongly_is_4_and_on_standard_error() {
    let desk = Desk::new();
    desk.check("fine", "sev3", "SELECT id FROM asset WHERE id < 0");
    for (args, said) in [
        (&["chekc"][..], "chekc"),
        (&["check", "--nope"], "--nope"),
        (&["check", "--format", "yaml"], "yaml"),
        (&["check", "--map", "inconclusive=9"], "the code is 0, 1, 2 or 3"),
        (&["check"], "there is no target to check"),
        (&["check", "--target", "erp"], "There is no target and no file"),
        (
            &["check", "--target", "erp.db", "--check", "self-aproval"],
            "did you mean \"self-approval\"?",
        ),
        (
            &["check", "--target", "erp.db", "--suite", "fortnight"],
            "nightly, operational, pre-deploy",
        ),
        (&["check", "--target", "erp.db", "--bind", "orders=a;b"], "is not a name"),
        (&["check", "--target", "erp.db", "--bind", "ordres=a"], "Did you mean \"orders\"?"),
        (&["check", "--target", "erp.db", "--checks", "nowhere"], "nowhere"),
        (&["check", "--target", "postgres://me:s3cret@h/d"], "password"),
        (&["verify"], "INCIDENT"),
        (&["postmortem", "1", "--format", "pdf"], "pdf"),
        (&["config", "--config", "nowhere.toml"], "nowhere.toml"),
    ] {
        let ran = run(&desk.home, args);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
}

#[test]
fn help_and_version_are_results() {
    for args in [&["--help"][..], &["check", "--help"], &["help"], &["--version"]] {
        let ran = run(&Home::new(), args);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        assert!(!ran.out.is_empty(), "{args:?}");
    }
}

#[test]
fn the_cockpit_needs_a_terminal_and_says_what_does_not() {
    let ran = run(&Home::new(), &[]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("steadyhand check"), "{}", ran.err);
    let ran = run(&Home::new(), &["demo", "--incident", "asset-dubble-assignment"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("did you mean \"asset-double-assignment\"?"), "{}", ran.err);
}

#[test]
fn pages_are_made_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&home, &["completions", shell]);
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("postmortem"), "{shell}");
    }
    let man = run(&home, &["man"]);
    assert_eq!(man.code, 0);
    for said in [".TH steadyhand", "Exit codes", "STEADYHAND CHECK", "inconclusive"] {
        assert!(man.out.contains(said), "{said} is missing in {}", man.out);
    }
    let names = run(&home, &["man", "--list"]);
    assert!(names.out.lines().count() > 15, "{}", names.out);
    for name in names.out.lines() {
        let page = run(&home, &["man", name]);
        assert!(page.out.contains(&format!("steadyhand\\-{name}")), "{name}: {}", page.out);
    }
    let unknown = run(&home, &["man", "chek"]);
    assert!(unknown.code == 4 && unknown.err.contains("did you mean \"check\"?"));
}

#[test]
fn settings_say_where_they_come_from() {
    let home = Home::new().with("STEADYHAND_THEME", "light");
    home.write(
        "steadyhand.toml",
        "[target.erp]\nurl = \"sqlite://erp.db\"\nenvironment = \"production\"\n",
    );
    let ran = run(&home, &["config", "--state", "here"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = |key: &str| ran.out.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    assert!(line("theme").ends_with("STEADYHAND_THEME"), "{}", ran.out);
    assert!(line("state").ends_with("--state"), "{}", ran.out);
    assert!(line("target.erp.environment").ends_with("steadyhand.toml:1"), "{}", ran.out);
    assert!(run(&home, &["themes"]).out.contains("* light\n"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let desk = Desk::new();
    desk.check("bad", "sev2", "SELECT id FROM asset");
    let args = ["check", "--target", "erp.db", "--checks", "checks", "--check", "bad"];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    command.args(args).current_dir(desk.home.work()).env_clear().envs(desk.home.environment());
    let ran = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((ran.status.code(), ran.stderr.as_slice()), (Some(2), &b""[..]));
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_a_failure() {
    let desk = Desk::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    command.arg("themes").current_dir(desk.home.work()).env_clear().envs(desk.home.environment());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(ran.status.code(), Some(3));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("cannot write standard output"), "{said}");
}

/// A link stays and what it leads to is replaced; whoever may read that one still may.
#[test]
fn a_result_goes_where_a_link_leads() {
    let desk = Desk::new();
    desk.check("bad", "sev2", "SELECT id FROM asset");
    desk.home.write("pages/old.txt", "old");
    let work = desk.home.work();
    let old = work.join("pages/old.txt");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("pages/old.txt", work.join("page.txt")).unwrap();
    symlink("pages/new.txt", work.join("first.txt")).unwrap();
    for name in ["page.txt", "first.txt"] {
        let ran = desk.run(&["--check", "bad", "--output", name]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(fs::symlink_metadata(work.join(name)).unwrap().is_symlink(), "{name}");
    }
    for name in ["old.txt", "new.txt"] {
        let text = fs::read_to_string(work.join("pages").join(name)).unwrap();
        assert!(text.starts_with("erp"), "{name}: {text}");
    }
    assert_eq!(fs::metadata(&old).unwrap().mode() & 0o777, 0o640);
    // What is new is as it is without a link.
    let plain = desk.run(&["--check", "bad", "--output", "plain.txt"]);
    assert_eq!(plain.code, 2, "{}", plain.err);
    let mode = |name: &str| fs::metadata(work.join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("pages/new.txt"), mode("plain.txt"));
    // And there is none of a run that was refused.
    symlink(work.join("pages/none.txt"), work.join("second.txt")).unwrap();
    let refused = desk.run(&["--check", "nosuch", "--output", "second.txt"]);
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(!work.join("pages/none.txt").exists());
    // A link that leads to itself leads nowhere.
    symlink("loop.txt", work.join("loop.txt")).unwrap();
    assert_eq!(desk.run(&["--check", "bad", "--output", "loop.txt"]).code, 3);
}

#[test]
#[cfg(target_os = "linux")]
fn a_pipe_is_written_to_under_its_other_name() {
    let desk = Desk::new();
    desk.check("bad", "sev2", "SELECT id FROM asset");
    let ran = desk.run(&["--check", "bad", "--output", "/dev/stdout"]);
    assert_eq!((ran.code, ran.err.as_str()), (2, ""));
    assert_eq!(ran.out.matches("1 check on 1 target").count(), 2, "{}", ran.out);
}

/// As `--output /dev/stdout > file` does; a link of our own, since a fault would replace it.
#[test]
#[cfg(target_os = "linux")]
fn standard_output_under_another_name_is_standard_output() {
    let desk = Desk::new();
    desk.check("bad", "sev2", "SELECT id FROM asset");
    let work = desk.home.work();
    symlink("/proc/self/fd/1", work.join("out")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    command
        .args(["check", "--target", "erp.db", "--checks", "checks", "--check", "bad"])
        .args(["--output", "out"])
        .current_dir(&work)
        .env_clear()
        .envs(desk.home.environment());
    let ran = command.stdout(File::create(work.join("all.txt")).unwrap()).output().unwrap();
    assert_eq!((ran.status.code(), ran.stderr.as_slice()), (Some(2), &b""[..]));
    assert!(fs::symlink_metadata(work.join("out")).unwrap().is_symlink());
    let text = fs::read_to_string(work.join("all.txt")).unwrap();
    assert!(text.starts_with("erp") && text.matches("1 check on 1 target").count() == 2, "{text}");
}

/// Before anything is run, and not behind half an hour of it.
#[test]
fn a_place_that_takes_no_result_is_told_first() {
    let desk = Desk::new();
    desk.check("bad", "sev2", "SELECT id FROM asset");
    let ran = desk.run(&["--check", "bad", "--output", "nowhere/page.txt"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.err);
    assert!(ran.err.contains("cannot write nowhere/page.txt"), "{}", ran.err);
    assert!(ran.err.contains("nothing was run"), "{}", ran.err);
    assert!(run(&desk.home, &["history", "bad"]).out.contains("no runs are remembered"));
    let gate = ["gate", "--target", "erp.db", "--baseline", "nowhere/b.toml", "--update-baseline"];
    let ran = run(&desk.home, &gate);
    assert!(ran.code == 3 && ran.err.contains("nothing was run"), "{}", ran.err);
}

#[test]
#[cfg(unix)]
fn a_variable_that_cannot_be_read_is_not_passed_over() {
    let home = Home::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    let odd = std::ffi::OsStr::from_bytes(b"/tmp/\xff");
    command.arg("config").current_dir(home.work()).env_clear().envs(home.environment());
    let ran = command.env("STEADYHAND_STATE", odd).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(4), "{said}");
    assert!(said.contains("The variable STEADYHAND_STATE is not UTF-8"), "{said}");
}
