//! A cursor in a list and the window that follows it; how each line looks is up to the owner.

use std::cell::Cell;
use std::ops::Range;

use crate::tui::command::Command;

#[derive(Debug, Clone, Default)]
pub struct Cursor {
    at: usize,
    len: usize,
    top: Cell<usize>,
    height: Cell<usize>,
}

impl Cursor {
    pub fn new(len: usize) -> Self {
        Self { len, ..Self::default() }
    }

    /// The list has become longer or shorter; a cursor at its end stays there.
    pub fn set_len(&mut self, len: usize) {
        let at_end = self.len > 0 && self.at + 1 == self.len;
        self.len = len;
        let last = len.saturating_sub(1);
        self.at = if at_end { last } else { self.at.min(last) };
    }

    pub fn at(&self) -> usize {
        self.at
    }

    /// The line of the cursor, if there is one.
    pub fn selected(&self) -> Option<usize> {
        (self.len > 0).then_some(self.at)
    }

    pub fn go(&mut self, at: usize) {
        self.at = at.min(self.len.saturating_sub(1));
    }

    /// Whether the command moves a cursor in a list.
    pub fn on_command(&mut self, command: Command) -> bool {
        let page = self.height.get().max(1);
        let half = (page / 2).max(1);
        match command {
            Command::Up => self.go(self.at.saturating_sub(1)),
            Command::Down => self.go(self.at + 1),
            Command::PageUp => self.go(self.at.saturating_sub(page)),
            Command::PageDown => self.go(self.at + page),
            Command::HalfUp => self.go(self.at.saturating_sub(half)),
            Command::HalfDown => self.go(self.at + half),
            Command::First => self.go(0),
            Command::Last => self.go(self.len),
            _ => return false,
        }
        true
    }

    /// The lines to draw in a window of this height; it moves only as far as the cursor needs.
    pub fn window(&self, height: u16) -> Range<usize> {
        let height = usize::from(height).max(1);
        let top = self.top.get().clamp((self.at + 1).saturating_sub(height), self.at);
        let top = top.min(self.len.saturating_sub(height));
        self.top.set(top);
        self.height.set(height);
        top..(top + height).min(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_moves_only_as_far_as_needed() {
        let mut cursor = Cursor::new(10);
        assert_eq!(cursor.window(4), 0..4);
        cursor.go(4);
        assert_eq!(cursor.window(4), 1..5);
        cursor.go(2);
        assert_eq!(cursor.window(4), 1..5);
        cursor.on_command(Command::Last);
        assert_eq!(cursor.window(4), 6..10);
        assert_eq!(cursor.window(0), 9..10);
    }

    #[test]
    fn a_cursor_at_the_end_follows_what_is_added() {
        let mut cursor = Cursor::new(3);
        cursor.on_command(Command::Last);
        cursor.set_len(5);
        assert_eq!(cursor.selected(), Some(4));
        cursor.go(1);
        cursor.set_len(6);
        assert_eq!(cursor.selected(), Some(1));
        cursor.set_len(0);
        assert_eq!(cursor.selected(), None);
    }
}
