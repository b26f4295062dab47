//! A box for a text of several lines: editor, search in it, and how the text will be read.

use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent};

use super::Purpose;
use crate::tui::command::Command;
use crate::tui::widget::editor::Editor;
use crate::tui::widget::prompt::Prompt;

#[derive(Debug)]
pub struct Writing {
    pub title: String,
    pub editor: Editor,
    pub purpose: Purpose,
    /// The name under which what is typed goes to disk; without one it does not.
    pub draft: Option<String>,
    pub reading: Reading,
    pub find: Option<Prompt>,
    /// Where the text that was looked for is not.
    pub nowhere: Option<String>,
}

/// How the text as it will be read is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// Beside the text where there is room.
    #[default]
    Beside,
    /// Where there is no room, instead of the text; where there is, not at all.
    Turned,
}

impl Writing {
    pub fn new(title: &str, text: &str, purpose: Purpose) -> Self {
        let mut editor = Editor::new(text);
        editor.to_end();
        Self {
            title: title.to_owned(),
            editor,
            purpose,
            draft: None,
            reading: Reading::default(),
            find: None,
            nowhere: None,
        }
    }

    #[must_use]
    pub fn drafted(self, name: &str) -> Self {
        Self { draft: Some(name.to_owned()), ..self }
    }

    /// What the key that keeps does here.
    pub fn save_word(&self) -> &'static str {
        match self.purpose {
            Purpose::Note | Purpose::Annotate(_) => "write it down",
            Purpose::Signature => "check it",
            _ => "keep and close",
        }
    }

    pub fn back_word(&self) -> &'static str {
        match self.purpose {
            Purpose::Note | Purpose::Annotate(_) => "leave it as a draft",
            Purpose::Signature => "leave it",
            _ => "keep and close",
        }
    }

    /// Whether the command is one of the box itself.
    pub fn on_command(&mut self, command: Command) -> bool {
        match command {
            Command::Back if self.find.is_some() => self.find = None,
            Command::Search => self.find = Some(Prompt::new("find ")),
            Command::NextMatch => _ = self.editor.next_match(),
            Command::UndoTyping => self.editor.undo(),
            Command::RedoTyping => self.editor.redo(),
            Command::Clear => self.editor.set_text(""),
            Command::Read => {
                self.reading = match self.reading {
                    Reading::Beside => Reading::Turned,
                    Reading::Turned => Reading::Beside,
                };
            }
            _ => return false,
        }
        true
    }

    pub fn key(&mut self, event: KeyEvent, now: Instant) {
        self.nowhere = None;
        let Some(find) = &mut self.find else { return self.editor.on_key(event) };
        if event.code != KeyCode::Enter {
            return find.on_key(event, now);
        }
        let wanted = find.text().to_owned();
        self.find = None;
        if !self.editor.search(&wanted) && !wanted.is_empty() {
            self.nowhere = Some(format!("'{wanted}' is not in this text"));
        }
    }

    pub fn paste(&mut self, text: &str, now: Instant) {
        match &mut self.find {
            Some(find) => find.on_paste(text, now),
            None => self.editor.on_paste(text),
        }
    }
}
