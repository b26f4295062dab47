//! Several lines of text: wrapped, with undo and search, behind one door so that the widget below
//! can be changed.

use std::cell::Cell;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use ratatui::widgets::Widget as _;
use tui_textarea::{CursorMove, TextArea, WrapMode};

use crate::tui::look::Look;
use crate::tui::theme::Role;
use crate::value::visible;

#[derive(Debug)]
pub struct Editor {
    area: TextArea<'static>,
    before: String,
    armed: Cell<bool>,
}

impl Editor {
    pub fn new(text: &str) -> Self {
        let before = visible::typed(text);
        let mut area = TextArea::new(before.split('\n').map(str::to_owned).collect());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_max_histories(1000);
        Self { area, before, armed: Cell::new(false) }
    }

    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// What came back from an editor outside; can be undone.
    pub fn set_text(&mut self, text: &str) {
        self.area.select_all();
        self.area.insert_str(visible::typed(text));
    }

    /// At the cursor, drawn before or not.
    pub fn insert(&mut self, text: &str) {
        self.area.insert_str(visible::typed(text));
    }

    /// What it came from was seen: keys are taken from now on.
    pub fn arm(&self) {
        self.armed.set(true);
    }

    /// The line of the cursor, and how many there are.
    pub fn place(&self) -> (usize, usize) {
        (self.area.cursor().0, self.area.lines().len())
    }

    pub fn is_changed(&self) -> bool {
        self.text() != self.before
    }

    /// What is there now counts as kept.
    pub fn saved(&mut self) {
        self.before = self.text();
    }

    /// A key that is no command; nothing that was typed before the first drawing.
    pub fn on_key(&mut self, key: KeyEvent) {
        let hidden = |c: char| visible::typed(c.encode_utf8(&mut [0; 4])).is_empty();
        let hidden = matches!(key.code, crossterm::event::KeyCode::Char(c) if hidden(c));
        if self.armed.get() && !hidden {
            self.area.input(key);
        }
    }

    pub fn on_paste(&mut self, text: &str) {
        if self.armed.get() {
            self.area.insert_str(visible::typed(text));
        }
    }

    pub fn undo(&mut self) {
        self.area.undo();
    }

    pub fn redo(&mut self) {
        self.area.redo();
    }

    /// Looks for this text, in any letter case; empty ends the search. False if it is nowhere.
    pub fn search(&mut self, text: &str) -> bool {
        let pattern = if text.is_empty() {
            String::new()
        } else {
            format!("(?i){}", regex_lite::escape(text))
        };
        self.area.set_search_pattern(pattern).is_ok() && self.area.search_forward(true)
    }

    pub fn next_match(&mut self) -> bool {
        self.area.search_forward(false)
    }

    pub fn prev_match(&mut self) -> bool {
        self.area.search_back(false)
    }

    pub fn to_end(&mut self) {
        self.area.move_cursor(CursorMove::Bottom);
        self.area.move_cursor(CursorMove::End);
    }

    pub fn view(&mut self, area: Rect, buf: &mut Buffer, look: &Look) {
        let area = area.intersection(buf.area);
        self.armed.set(true);
        if area.is_empty() {
            return;
        }
        self.area.set_style(look.style(Role::Text));
        self.area.set_cursor_line_style(look.style(Role::Text));
        self.area.set_selection_style(look.style(Role::Selection).add_modifier(Modifier::REVERSED));
        self.area.set_search_style(look.style(Role::Match));
        self.area.set_cursor_style(look.style(Role::Focus).add_modifier(Modifier::UNDERLINED));
        (&self.area).render(area, buf);
    }

    /// Where the cursor of the terminal belongs, after drawing.
    pub fn caret(&self, area: Rect) -> Option<Position> {
        let (top, left) = self.area.scroll_offset();
        let cursor = self.area.screen_cursor();
        let row = u16::try_from(cursor.row).ok()?.checked_sub(top)?;
        let column = u16::try_from(cursor.col).ok()?.checked_sub(left)?;
        (row < area.height && area.width > 0)
            .then(|| Position::new(area.x + column.min(area.width - 1), area.y + row))
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;
    use crate::tui::look::tests::{look, rows, survives_every_size};

    fn drawn(editor: &mut Editor) -> Vec<String> {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 4));
        editor.view(buf.area, &mut buf, &look());
        rows(&buf)
    }

    #[test]
    fn long_lines_wrap_and_a_paste_keeps_its_lines() {
        let mut editor = Editor::new("what went wrong");
        assert_eq!(drawn(&mut editor)[..2], ["what went", "wrong"]);
        editor.to_end();
        editor.on_paste("\r\nand\u{202e} then");
        assert_eq!(editor.text(), "what went wrong\nand then");
        assert!(editor.is_changed());
        editor.undo();
        assert!(!editor.is_changed());
    }

    #[test]
    fn nothing_typed_before_the_first_drawing_is_taken() {
        let mut editor = Editor::new("");
        let key = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE);
        editor.on_key(key);
        assert_eq!(editor.text(), "");
        drawn(&mut editor);
        editor.on_key(key);
        assert_eq!(editor.text(), "x");
        assert_eq!(editor.caret(Rect::new(2, 3, 12, 4)), Some(Position::new(3, 3)));
    }

    #[test]
    fn search_takes_the_text_as_it_is() {
        let mut editor = Editor::new("one (Two)\ntwo");
        assert!(editor.search("(two"));
        assert!(!editor.search("three"));
        assert!(editor.search("TWO") && editor.next_match() && editor.prev_match());
    }

    #[test]
    fn a_text_from_outside_can_be_undone() {
        let mut editor = Editor::new("mine");
        editor.set_text("theirs\nnow");
        assert_eq!(editor.text(), "theirs\nnow");
        editor.undo();
        editor.undo();
        assert_eq!(editor.text(), "mine");
    }

    #[test]
    fn every_size_can_be_drawn() {
        let editor = std::cell::RefCell::new(Editor::new("one\ntwo three four\n日本語"));
        survives_every_size(|area, buf| {
            let mut editor = editor.borrow_mut();
            editor.to_end();
            editor.view(area, buf, &look());
            let _ = editor.caret(area);
        });
    }
}
