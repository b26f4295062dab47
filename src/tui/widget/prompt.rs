//! One line of text, asked for.
//!
//! Takes nothing that was typed before it was first drawn, and nothing that is pasted can submit it:
//! line breaks of a paste become spaces, also where the terminal sends a paste as single keys.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use ratatui::widgets::Widget as _;
use tui_textarea::TextArea;

use crate::tui::look::{Look, Pen, columns};
use crate::tui::theme::Role;
use crate::value::visible;

/// Nobody types a letter and then enter within this time; a paste without brackets does.
const BURST: Duration = Duration::from_millis(30);

#[derive(Debug)]
pub struct Prompt {
    label: String,
    area: TextArea<'static>,
    armed: Cell<bool>,
    last_key: Option<Instant>,
}

impl Prompt {
    pub fn new(label: impl Into<String>) -> Self {
        let area = TextArea::default();
        Self { label: label.into(), area, armed: Cell::new(false), last_key: None }
    }

    /// With a text to begin with, the cursor behind it.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.area.insert_str(one_line(text));
        self
    }

    pub fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    pub fn set_text(&mut self, text: &str) {
        self.area.clear();
        self.area.insert_str(one_line(text));
    }

    /// It can be seen: from now on keys are taken.
    pub fn arm(&self) {
        self.armed.set(true);
    }

    /// A key that is no command. Enter and tab never become text.
    pub fn on_key(&mut self, key: KeyEvent, now: Instant) {
        if !self.armed.get() {
            return;
        }
        self.last_key = Some(now);
        // The keys of the editor below would break the line in two, or paste what was cut elsewhere.
        match key.code {
            KeyCode::Enter | KeyCode::Tab | KeyCode::BackTab => {}
            KeyCode::Char('u')
                if key.modifiers.contains(crossterm::event::KeyModifiers::CONTROL) =>
            {
                self.set_text("");
            }
            KeyCode::Char('m' | 'j' | 'y' | 'v')
                if key.modifiers.contains(crossterm::event::KeyModifiers::CONTROL) => {}
            KeyCode::Char(c) if visible::typed(c.encode_utf8(&mut [0; 4])).is_empty() => {}
            _ => _ = self.area.input(key),
        }
    }

    /// A paste, as text on the line whatever it holds. What comes right behind it belongs to it.
    pub fn on_paste(&mut self, text: &str, now: Instant) {
        if self.armed.get() {
            self.last_key = Some(now);
            self.area.insert_str(one_line(text));
        }
    }

    /// What comes now comes together with what came before it, as the keys of a paste do.
    pub fn is_burst(&self, now: Instant) -> bool {
        self.last_key.is_some_and(|last| now.saturating_duration_since(last) < BURST)
    }

    /// The text, if enter was meant: after the first drawing, and not as a line break of a paste.
    #[must_use]
    pub fn submit(&mut self, now: Instant) -> Option<String> {
        if !self.armed.get() {
            return None;
        }
        if self.is_burst(now) {
            self.last_key = Some(now);
            return None;
        }
        Some(self.text().to_owned())
    }

    /// `label> text` on the first row. From now on keys are taken.
    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let mut pen = Pen::new(buf, area, 0);
        if pen.left() == 0 {
            return;
        }
        pen.put(&self.label, look.style(Role::Key));
        let mut field = self.area.clone();
        field.set_style(look.style(Role::Text));
        field.set_cursor_line_style(look.style(Role::Text));
        field.set_cursor_style(look.style(Role::Focus).add_modifier(Modifier::UNDERLINED));
        field.render(self.field(area).intersection(buf.area), buf);
        self.arm();
    }

    /// Where the cursor of the terminal belongs.
    pub fn caret(&self, area: Rect) -> Option<Position> {
        let field = self.field(area);
        let before: String = self.text().chars().take(self.area.cursor().1).collect();
        // The field shows a column for each of what is typed, whatever the terminal can show.
        let wide = u16::try_from(visible::width(&before)).unwrap_or(u16::MAX);
        let x = wide.min(field.width.saturating_sub(1));
        (!field.is_empty()).then(|| Position::new(field.x + x, field.y))
    }

    fn field(&self, area: Rect) -> Rect {
        let label = columns(&self.label).min(area.width);
        Rect { x: area.x + label, width: area.width - label, height: area.height.min(1), ..area }
    }
}

fn one_line(text: &str) -> String {
    visible::typed(text).trim_end_matches('\n').replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;
    use crate::tui::look::tests::{look, rows, survives_every_size};

    fn type_text(prompt: &mut Prompt, text: &str, now: Instant) {
        for c in text.chars() {
            prompt.on_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), now);
        }
    }

    fn draw(prompt: &Prompt) -> Vec<String> {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        prompt.view(buf.area, &mut buf, &look());
        rows(&buf)
    }

    #[test]
    fn what_was_typed_before_it_was_drawn_is_not_taken() {
        let mut prompt = Prompt::new("> ");
        let now = Instant::now();
        type_text(&mut prompt, "erp-prod 24", now);
        prompt.on_paste("erp-prod 24", now);
        assert_eq!(prompt.submit(now + BURST), None);
        draw(&prompt);
        assert_eq!(prompt.text(), "");
        type_text(&mut prompt, "yes", now);
        assert_eq!(prompt.submit(now + BURST).as_deref(), Some("yes"));
    }

    #[test]
    fn a_paste_never_submits() {
        let mut prompt = Prompt::new("> ");
        draw(&prompt);
        let now = Instant::now();
        prompt.on_paste("erp-prod\r\n24\u{1b}[A\u{202e}\n", now);
        assert_eq!(prompt.text(), "erp-prod 24[A");
        assert_eq!(draw(&prompt), ["> erp-prod 24[A"]);
        assert_eq!(prompt.submit(now), None, "an enter right behind the brackets");
    }

    #[test]
    fn a_paste_that_comes_as_keys_does_not_submit_either() {
        let mut prompt = Prompt::new("> ");
        draw(&prompt);
        let now = Instant::now();
        type_text(&mut prompt, "erp-prod 24", now);
        assert_eq!(prompt.submit(now + Duration::from_millis(1)), None);
        let later = now + Duration::from_millis(1) + BURST;
        assert_eq!(prompt.submit(later).as_deref(), Some("erp-prod 24"));
    }

    #[test]
    fn no_key_breaks_the_line() {
        let mut prompt = Prompt::new("").with_text("a\nb");
        draw(&prompt);
        for key in
            [KeyCode::Enter, KeyCode::Tab, KeyCode::Char('\u{1b}'), KeyCode::Char('\u{202e}')]
        {
            prompt.on_key(KeyEvent::new(key, KeyModifiers::NONE), Instant::now());
        }
        for c in ['m', 'j', 'y'] {
            prompt.on_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL), Instant::now());
        }
        assert_eq!(prompt.text(), "a b");
    }

    #[test]
    fn the_cursor_of_the_terminal_is_where_the_text_goes_on() {
        let prompt = Prompt::new("> ").with_text("日本");
        assert_eq!(prompt.caret(Rect::new(3, 2, 20, 1)), Some(Position::new(9, 2)));
        assert_eq!(prompt.caret(Rect::new(3, 2, 0, 1)), None);
    }

    #[test]
    fn every_size_can_be_drawn() {
        let prompt = Prompt::new("label> ").with_text("some text that is longer than most fields");
        survives_every_size(|area, buf| {
            prompt.view(area, buf, &look());
            let _ = prompt.caret(area);
        });
    }
}
