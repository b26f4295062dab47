use crossterm::event::{KeyCode, KeyModifiers};

use super::*;

fn press(c: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
}

#[test]
fn every_command_has_a_key_somewhere() {
    let keymap = Keymap::built_in();
    for command in Command::ALL {
        let bound =
            Context::ALL.iter().any(|context| !keymap.keys_for(*context, *command).is_empty());
        assert!(bound, "{} has no key", command.name());
    }
}

#[test]
fn a_mode_has_its_own_keys_and_the_global_ones() {
    let keymap = Keymap::built_in();
    assert_eq!(keymap.lookup(Context::Table, press('s')), Some(Command::Sort));
    assert_eq!(keymap.lookup(Context::Step, press('s')), Some(Command::Skip));
    assert_eq!(keymap.lookup(Context::Step, press('q')), Some(Command::Quit));
    assert_eq!(keymap.label(Context::Step, Command::Quit).as_deref(), Some("q"));
}

#[test]
fn letters_are_text_where_text_is_asked_for() {
    let keymap = Keymap::built_in();
    for context in [Context::Text, Context::Editor] {
        for c in ' '..='~' {
            assert_eq!(keymap.lookup(context, press(c)), None, "{c}");
        }
    }
    let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(keymap.lookup(Context::Text, enter), Some(Command::Confirm));
    assert_eq!(keymap.lookup(Context::Editor, enter), None);
}

#[test]
fn what_a_broken_escape_sequence_leaves_behind_does_no_harm() {
    let harmful = [
        Command::Approve,
        Command::Apply,
        Command::Withdraw,
        Command::Undo,
        Command::Rehearse,
        Command::Preview,
        Command::Confirm,
        Command::Skip,
        Command::Cancel,
        Command::Quit,
    ];
    let keymap = Keymap::built_in();
    for context in Context::ALL {
        for c in "[O;~ABCDEFHPQRSMZ0123456789".chars() {
            if let Some(command) = keymap.lookup(*context, press(c)) {
                assert!(!harmful.contains(&command), "{c} in {context:?}");
            }
        }
        let esc = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
        assert_eq!(keymap.lookup(*context, esc), Some(Command::Back));
    }
}

#[test]
fn no_key_belongs_to_screen_tmux_or_flow_control() {
    let keymap = Keymap::built_in();
    for context in Context::ALL {
        for c in "ab\\sqhjkl".chars() {
            let event = KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
            let command = keymap.lookup(*context, event);
            // ctrl-h is what some terminals send for backspace.
            assert!(command.is_none() || c == 'h', "ctrl-{c} in {context:?}");
        }
    }
}

#[test]
fn a_users_file_replaces_only_what_it_names() {
    let keymap = Keymap::parse("keys.toml", "[table]\nexport = [\"ctrl-o\"]\nreverse = []\n")
        .expect("no fault");
    assert_eq!(keymap.label(Context::Table, Command::Export).as_deref(), Some("ctrl-o"));
    assert_eq!(keymap.label(Context::Table, Command::Reverse), None);
    assert_eq!(keymap.lookup(Context::Table, press('E')), None);
    assert_eq!(keymap.label(Context::Table, Command::Sort).as_deref(), Some("s"));
}

#[test]
fn every_fault_of_a_key_map_is_reported_together() {
    let source = "[tabel]\n[table]\nexprot = [\"E\"]\nsort = [\"n\"]\nmark = [\"ctrl-m\"]\n\
        copy = [\"q\"]\n[text]\nback = [\"b\"]\n";
    let faults = Keymap::parse("keys.toml", source).expect_err("six faults");
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "keys.toml:1:2: A key map has no key `tabel`. Did you mean `table`?",
            "keys.toml:3:1: The mode `table` has no key `exprot`. Did you mean `export`?",
            "keys.toml:4:9: `n` cannot mean `sort` in [table]: it means `next-match` in [table]. Take another key, or write next-match = [] in [table].",
            "keys.toml:5:9: A terminal cannot tell \"ctrl-m\" from enter. Write \"enter\" or take another key.",
            "keys.toml:6:9: `q` cannot mean `copy` in [table]: it means `quit` in [global]. Take another key, or write quit = [] in [global].",
            "keys.toml:8:9: `b` is text in [text], not a command.",
        ]
    );
}
