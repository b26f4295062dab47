//! The tools of the other tests, tried on programs whose behaviour is known: a shell that prints and
//! reads. A journey that fails must never have to ask whether the terminal was at fault.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::pty::escapes;
use common::{COMPACT, Ended, Home, Signal, Size, Sqlite, Terminal};

fn shell(script: &str, size: Size) -> (Terminal, Home) {
    let home = Home::new();
    let terminal =
        Terminal::start("/bin/sh", &["-c", script], &home.environment(), &home.work(), size);
    (terminal, home)
}

/// Makes the terminal raw and prints every byte that comes as octal numbers, until a `q`.
const ECHO_KEYS: &str = "stty raw -echo; printf 'ready '; while :; do \
    byte=$(dd bs=1 count=1 2>/dev/null | od -An -to1); printf '%s' \"$byte\"; \
    [ \"$byte\" = ' 161' ] && break; done; stty sane";

#[test]
fn text_is_typed_and_seen() {
    let (mut terminal, _home) = shell("printf 'who? '; read x; printf 'hello %s' \"$x\"", COMPACT);
    terminal.wait_for("who?");
    terminal.type_text("Ada ☂");
    terminal.keys("enter");
    terminal.wait_for("hello Ada ☂");
    assert_eq!(terminal.wait_code(), 0);
    assert_eq!(terminal.screen().lines().next(), Some("who? Ada ☂"));
}

#[test]
fn keys_arrive_as_xterm_sends_them() {
    let (mut terminal, _home) = shell(ECHO_KEYS, (120, 5));
    terminal.wait_for("ready");
    for (name, octal) in [
        ("enter", "015"),
        ("esc", "033"),
        ("ctrl-p", "020"),
        ("alt-x", "033 170"),
        ("up", "033 133 101"),
        ("pagedown", "033 133 066 176"),
        ("backspace", "177"),
        (":", "072"),
        ("-", "055"),
        ("ä", "303 244"),
    ] {
        terminal.keys(name);
        terminal.wait_until(&format!("{octal} for {name}"), |screen| {
            screen.replace('\n', "").ends_with(octal)
        });
    }
    terminal.keys("q");
    assert_eq!(terminal.wait_code(), 0);
}

#[test]
fn a_program_in_application_mode_gets_its_cursor_keys() {
    let (mut terminal, _home) = shell(&format!("printf '\\033[?1h'; {ECHO_KEYS}"), COMPACT);
    terminal.wait_for("ready");
    terminal.keys("down q");
    terminal.wait_for("033 117 102 161");
}

#[test]
fn pasting_is_in_brackets_where_they_were_asked_for() {
    let (mut terminal, _home) = shell(&format!("printf '\\033[?2004h'; {ECHO_KEYS}"), (120, 5));
    terminal.wait_for("ready");
    terminal.paste("a");
    terminal.wait_for("033 133 062 060 060 176 141 033 133 062 060 061 176");
    assert!(!terminal.is_restored(), "bracketed paste is still on");
}

#[test]
fn a_failed_wait_shows_the_screen_and_does_not_last_when_the_program_is_gone() {
    let (terminal, _home) = shell("printf 'the only line\\n\\033[31m'; exit 3", COMPACT);
    let failure = catch_unwind(AssertUnwindSafe(|| terminal.wait_for("another line")))
        .expect_err("the text is not there");
    let message = failure.downcast_ref::<String>().expect("a panic with a message");
    for part in ["another line", "|the only line", "80x24", "ended: Code(3)", r"\x1b[31m"] {
        assert!(message.contains(part), "{part:?} is missing in:\n{message}");
    }
}

#[test]
fn a_new_size_reaches_the_program() {
    let (mut terminal, _home) =
        shell("trap 'stty size' WINCH; stty size; while :; do read x || :; done", COMPACT);
    terminal.wait_for("24 80");
    terminal.resize((100, 30));
    terminal.keys("enter");
    terminal.wait_for("30 100");
    assert_eq!(terminal.screen().split('\n').count(), 30);
}

#[test]
fn the_end_of_a_program_is_told_apart() {
    let (terminal, _home) = shell("exit 5", COMPACT);
    assert_eq!(terminal.wait_exit(), Ended::Code(5));
    let (terminal, _home) = shell("printf ready; read x", COMPACT);
    terminal.wait_for("ready");
    terminal.signal(Signal::KILL);
    assert_eq!(terminal.wait_exit(), Ended::Signal(9));
    let (terminal, _home) = shell("trap 'exit 7' TERM; printf ready; read x", COMPACT);
    terminal.wait_for("ready");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait_code(), 7);
}

#[test]
fn the_last_words_are_never_lost() {
    let script = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo \"line $i\"; done; exit 2";
    for _ in 0..20 {
        let (terminal, _home) = shell(script, COMPACT);
        assert_eq!(terminal.wait_exit(), Ended::Code(2));
        assert!(terminal.raw_output().starts_with(b"line 1\r\n"));
        assert!(terminal.raw_output().ends_with(b"line 300\r\n"), "{}", terminal.screen());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_can_be_taken_away() {
    for (script, word) in [
        ("trap 'echo told >end; exit' HUP; printf ready; while :; do read x; done", "told"),
        ("trap '' HUP; printf ready; read x; echo noticed >end", "noticed"),
    ] {
        let (mut terminal, home) = shell(script, COMPACT);
        terminal.wait_for("ready");
        terminal.hang_up();
        terminal.wait_death();
        let said = std::fs::read_to_string(home.path("work/end")).expect("the program said why");
        assert_eq!(said.trim(), word);
    }
}

#[test]
fn a_frame_is_seen_only_when_it_is_whole() {
    let script = "printf '\\033[?2026hhalf'; read x; printf 'whole\\033[?2026l'; read x";
    let (mut terminal, _home) = shell(script, COMPACT);
    terminal.wait_for_bytes(b"half");
    let early = terminal.bytes();
    terminal.keys("enter");
    // Had the half been shown, this would be answered before the other half is there.
    terminal.wait_for("half");
    assert!(terminal.screen().contains("whole"), "{}", terminal.screen());
    assert!(terminal.wait_answer(early).bytes >= "whole".len());
}

#[test]
fn the_alternate_screen_is_left_behind() {
    let script = "printf '\\033[?1049h\\033[?25lcockpit'; read x; \
        printf '\\033[?25h\\033[?1049l'; printf 'summary'";
    let (mut terminal, _home) = shell(script, COMPACT);
    terminal.wait_for("cockpit");
    assert!(!terminal.is_restored());
    assert_eq!(terminal.cursor(), None);
    terminal.keys("enter");
    terminal.wait_gone("cockpit");
    terminal.wait_for("summary");
    assert_eq!(terminal.wait_code(), 0);
    assert!(terminal.is_restored());
}

#[test]
fn control_sequences_are_named_by_kind() {
    let found = escapes(
        b"\x1b[31m\x1b[2;5H\x1b[?1049h\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1bPq\x1b\\\x1bc\x07 a\r\n\xc2\x9b",
    );
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        ["C0 07", "C1 9b", "CSI ?1049h", "CSI H", "CSI m", "DCS", "ESC c", "OSC 0", "OSC 52"]
    );
}

#[test]
fn a_run_sees_nothing_of_the_machine() {
    let home = Home::new().with("STEADYHAND_CLOCK", "2026-11-21T06:00:00Z").with("LANG", "C");
    let terminal =
        Terminal::start("/usr/bin/env", &[], &home.environment(), &home.work(), (200, 50));
    terminal.wait_exit();
    let output = String::from_utf8(terminal.raw_output()).expect("the environment is text");
    let mut names: Vec<&str> =
        output.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    // What the shell that leads the session adds by itself.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "DEBUG_STEADYHAND_SYSTEM",
            "HOME",
            "LANG",
            "LOGNAME",
            "PATH",
            "PGPASSWORD",
            "SHELL",
            "STEADYHAND_CLOCK",
            "STEADYHAND_THEME",
            "STEADYHAND_TOUR",
            "TERM",
            "TMPDIR",
            "TZ",
            "USER",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
        ]
    );
    assert!(output.contains("LANG=C\r"), "a variable that was set again has its last value");
    let inside = home.path("state").to_string_lossy().into_owned();
    assert!(output.contains(&inside), "{inside} is missing in {output}");
}

#[test]
fn a_database_is_read_and_changed_behind_the_back() {
    let home = Home::new();
    let path = home.write("kept/erp.db", "");
    std::fs::remove_file(&path).expect("the file was just written");
    let mut first = Sqlite::create(&path);
    first.run("CREATE TABLE t (id INTEGER, name TEXT, share REAL, raw BLOB)");
    assert_eq!(first.run("INSERT INTO t VALUES (1, 'ä', 0.5, x'00ff'), (2, NULL, 1, NULL)"), 2);
    assert_eq!(
        first.rows("SELECT * FROM t ORDER BY id"),
        [["1", "ä", "0.5", "00ff"], ["2", "NULL", "1", "NULL"]]
    );
    let mut second = Sqlite::find(&home.work());
    assert_eq!(second.count("SELECT COUNT(*) FROM t"), 2);
    assert_eq!(second.scalar("SELECT name FROM t WHERE id = 1"), "ä");
    assert!(second.try_run("INSERT INTO nowhere VALUES (1)").is_err());
    assert_eq!(home.files("work"), [std::path::PathBuf::from("kept/erp.db")]);
}
