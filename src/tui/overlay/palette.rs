//! The palette: any command of the present mode, found by a few letters.

use std::time::Instant;

use crossterm::event::KeyEvent;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};

use crate::tui::app::App;
use crate::tui::command::Command;
use crate::tui::keymap;
use crate::tui::reach;
use crate::tui::widget::prompt::Prompt;

#[derive(Debug)]
pub struct Palette {
    pub prompt: Prompt,
    pub at: usize,
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub struct Entry {
    pub command: Command,
    pub help: &'static str,
    /// The key that does the same, for the next time.
    pub keys: String,
}

impl Palette {
    pub fn new(app: &App) -> Self {
        let context = app.screen_context();
        let entries = app.keymap.entries(context);
        let entries = entries
            .iter()
            .filter(|entry| entry.command != Command::Palette)
            .filter(|entry| reach::is_in(app, entry.command))
            .map(|entry| Entry {
                command: entry.command,
                help: keymap::help(context, entry.command),
                keys: entry.keys.first().map(ToString::to_string).unwrap_or_default(),
            })
            .collect();
        Self { prompt: Prompt::new(": "), at: 0, entries }
    }

    pub fn key(&mut self, event: KeyEvent, now: Instant) {
        self.prompt.on_key(event, now);
        self.at = 0;
    }

    pub fn paste(&mut self, text: &str, now: Instant) {
        self.prompt.on_paste(text, now);
        self.at = 0;
    }

    pub fn found(&self) -> Vec<&Entry> {
        let typed = self.prompt.text();
        if typed.is_empty() {
            return self.entries.iter().collect();
        }
        let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut letters = Vec::new();
        let words: Vec<String> = typed.split_whitespace().map(str::to_lowercase).collect();
        // Letters here and there are enough for a name; of what it does, whole words are wanted, or
        // any sentence would do for any word.
        let mut found: Vec<(u32, &Entry)> = self
            .entries
            .iter()
            .filter_map(|entry| {
                let name = nucleo_matcher::Utf32Str::new(entry.command.name(), &mut letters);
                let score = pattern.score(name, &mut matcher);
                let help = entry.help.to_lowercase();
                let is_told = || words.iter().all(|word| help.contains(word.as_str()));
                score.or_else(|| is_told().then_some(0)).map(|score| (score, entry))
            })
            .collect();
        // Whoever knows the name gets it first, whatever else has the same letters.
        found.sort_by_key(|(score, entry)| {
            let name = entry.command.name();
            std::cmp::Reverse((name == typed, name.starts_with(typed), *score))
        });
        found.into_iter().map(|(_, entry)| entry).collect()
    }

    pub fn chosen(&self) -> Option<Command> {
        self.found().get(self.at).map(|entry| entry.command)
    }
}
