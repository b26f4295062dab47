//! One key as files write it and as terminals send it, brought to one form.
//!
//! Terminals disagree: a capital comes with or without shift, backspace may be ctrl-h, and some keys
//! cannot be told apart at all. Binding one of those would work on one machine and not on the next.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::source::{did_you_mean, quoted};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const NAMES: [(&str, KeyCode); 16] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("insert", KeyCode::Insert),
    ("delete", KeyCode::Delete),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("page-up", KeyCode::PageUp),
    ("page-down", KeyCode::PageDown),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
];

/// Control characters that terminals send for another key.
const SAME: [(char, &str); 5] =
    [('m', "enter"), ('j', "enter"), ('i', "tab"), ('h', "backspace"), ('[', "esc")];

impl Key {
    pub fn event(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        let shift = event.modifiers.contains(KeyModifiers::SHIFT);
        let control = modifiers.contains(KeyModifiers::CONTROL);
        let code = match event.code {
            KeyCode::Char('h') if control => {
                modifiers -= KeyModifiers::CONTROL;
                KeyCode::Backspace
            }
            KeyCode::Char(c) if control => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Char(c) if shift => KeyCode::Char(c.to_ascii_uppercase()),
            KeyCode::Tab if shift => KeyCode::BackTab,
            code => code,
        };
        Some(Self { code, modifiers })
    }

    /// Or a sentence about what is wrong and a suggestion.
    pub fn parse(text: &str) -> Result<Self, (String, Option<String>)> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        for (prefix, modifier) in [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT)] {
            if let Some(stripped) = rest.strip_prefix(prefix) {
                modifiers |= modifier;
                rest = stripped;
            }
        }
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(c), None) if !c.is_control() => Some(KeyCode::Char(c)),
            _ => named(rest).or_else(|| function(rest)),
        };
        let Some(code) = code else {
            let near = did_you_mean(rest, NAMES.map(|(name, _)| name));
            return Err((
                format!(
                    "{} is no key; write one character or a name such as \"enter\".",
                    quoted(text)
                ),
                match near {
                    _ if rest.starts_with("shift-") => {
                        Some("Write a capital as a capital, and shift-tab as \"backtab\".".into())
                    }
                    Some(near) => Some(format!("Did you mean \"{near}\"?")),
                    None => None,
                },
            ));
        };
        if let (KeyCode::Char(c), true) = (code, modifiers.contains(KeyModifiers::CONTROL)) {
            if let Some((_, same)) = SAME.iter().find(|(control, _)| *control == c) {
                let sentence = format!("A terminal cannot tell {} from {same}.", quoted(text));
                return Err((sentence, Some(format!("Write \"{same}\" or take another key."))));
            }
            if c.is_ascii_uppercase() {
                let lower = text.to_ascii_lowercase();
                let sentence = format!("A terminal cannot tell {} from \"{lower}\".", quoted(text));
                return Err((sentence, Some(format!("Write \"{lower}\"."))));
            }
        }
        Ok(Self { code, modifiers })
    }

    /// Whether a text field takes it as a letter.
    pub fn is_text(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && self.modifiers.is_empty()
    }
}

fn named(text: &str) -> Option<KeyCode> {
    NAMES.iter().find_map(|(name, code)| (*name == text).then_some(*code))
}

fn function(text: &str) -> Option<KeyCode> {
    let number = text.strip_prefix('f')?.parse::<u8>().ok()?;
    (1..=12).contains(&number).then_some(KeyCode::F(number))
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("ctrl-")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("alt-")?;
        }
        match (NAMES.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(number)) => write!(f, "f{number}"),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(code: KeyCode, modifiers: KeyModifiers) -> String {
        Key::event(KeyEvent::new(code, modifiers)).expect("a key").to_string()
    }

    #[test]
    fn what_terminals_send_for_one_key_is_one_key() {
        assert_eq!(event(KeyCode::Char('G'), KeyModifiers::SHIFT), "G");
        assert_eq!(event(KeyCode::Char('G'), KeyModifiers::NONE), "G");
        assert_eq!(event(KeyCode::Char('g'), KeyModifiers::SHIFT), "G");
        assert_eq!(event(KeyCode::Char('h'), KeyModifiers::CONTROL), "backspace");
        assert_eq!(event(KeyCode::Tab, KeyModifiers::SHIFT), "backtab");
        assert_eq!(event(KeyCode::Char('Z'), KeyModifiers::CONTROL), "ctrl-z");
    }

    #[test]
    fn a_key_reads_and_writes_back() {
        for text in ["q", "?", "enter", "ctrl-c", "alt-x", "f12", "page-up", "space", "ä", "-"] {
            assert_eq!(Key::parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn keys_that_a_terminal_cannot_send_are_refused() {
        for text in ["", "ctrl-m", "ctrl-h", "ctrl-A", "shift-a", "f13", "entr", "ab"] {
            assert!(Key::parse(text).is_err(), "{text}");
        }
    }
}
