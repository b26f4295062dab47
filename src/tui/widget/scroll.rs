//! Text that may be longer than its place: wrapped, scrolled, and with a sign where it goes on.

use std::borrow::Borrow;
use std::cell::{Cell, Ref, RefCell};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::wrap::{self, Line};
use crate::tui::command::Command;
use crate::tui::look::{Look, Pen};
use crate::tui::theme::Role;

#[derive(Debug, Clone, Default)]
pub struct Scroll {
    lines: Vec<Line>,
    top: usize,
    /// Of the last drawing: how tall the window and how long the wrapped text was.
    drawn: Cell<(usize, usize)>,
    /// The text as it was last wrapped, and for which width: of a very long one, wrapping it for every
    /// key would be felt.
    wrapped: RefCell<Option<(u16, Vec<Line>)>>,
}

impl Scroll {
    pub fn new(lines: Vec<Line>) -> Self {
        Self { lines, ..Self::default() }
    }

    /// Body text, one line each.
    pub fn plain(text: &str) -> Self {
        Self::new(text.lines().map(wrap::plain).collect())
    }

    /// Other lines in the same place; the reader stays where they were.
    pub fn set(&mut self, lines: Vec<Line>) {
        if self.lines != lines {
            self.lines = lines;
            self.wrapped.take();
        }
    }

    fn wrapped(&self, width: u16) -> Ref<'_, [Line]> {
        let mut wrapped = self.wrapped.borrow_mut();
        if wrapped.as_ref().is_none_or(|(known, _)| *known != width) {
            let lines = self.lines.iter().flat_map(|line| wrap::wrap(line, width)).collect();
            *wrapped = Some((width, lines));
        }
        drop(wrapped);
        Ref::map(self.wrapped.borrow(), |wrapped| match wrapped {
            Some((_, lines)) => lines.as_slice(),
            None => &[],
        })
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Rows that the text needs at this width.
    pub fn height(&self, width: u16) -> usize {
        self.wrapped(width).len()
    }

    /// All of it stood in the window when it was last drawn.
    pub fn fits(&self) -> bool {
        let (height, length) = self.drawn.get();
        height >= length
    }

    /// Its end stood in the window when it was last drawn.
    pub fn is_at_end(&self) -> bool {
        let (height, length) = self.drawn.get();
        self.top + height >= length
    }

    /// Whether the command scrolls.
    pub fn on_command(&mut self, command: Command) -> bool {
        let (height, length) = self.drawn.get();
        let last = length.saturating_sub(height);
        let page = height.max(1);
        self.top = match command {
            Command::Up => self.top.saturating_sub(1),
            Command::Down => self.top + 1,
            Command::PageUp => self.top.saturating_sub(page),
            Command::PageDown => self.top + page,
            Command::HalfUp => self.top.saturating_sub(page / 2),
            Command::HalfDown => self.top + page / 2,
            Command::First => 0,
            Command::Last => last,
            _ => return false,
        }
        .min(last);
        true
    }

    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let lines = self.wrapped(text_of(area).width);
        let height = usize::from(area.height);
        let top = self.top.min(lines.len().saturating_sub(height));
        self.drawn.set((height, lines.len()));
        put(lines.iter().skip(top), (top > 0, top + height < lines.len()), area, buf, look);
    }
}

/// The place without the column of the signs at the right edge.
pub(super) fn text_of(area: Rect) -> Rect {
    Rect { width: area.width.saturating_sub(1), ..area }
}

/// Draws wrapped lines, and where the text goes on beyond the place, above or below.
pub(super) fn put<L: Borrow<Line>>(
    lines: impl Iterator<Item = L>,
    (above, below): (bool, bool),
    area: Rect,
    buf: &mut Buffer,
    look: &Look,
) {
    let text = text_of(area);
    for (row, line) in (0..area.height).zip(lines) {
        wrap::put(line.borrow(), text, row, buf);
    }
    let mut sign = |row: u16, sign: &str| {
        let mut pen = Pen::new(buf, area, row);
        pen.skip(text.width).put(sign, look.style(Role::Muted));
    };
    if above {
        sign(0, look.glyphs.up);
    }
    if below && area.height > 0 {
        sign(area.height - 1, look.glyphs.down);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{look, rows, survives_every_size};

    #[test]
    fn it_scrolls_to_the_end_and_says_that_there_is_more() {
        let mut scroll = Scroll::plain("one\ntwo\nthree four\nfive");
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 3));
        scroll.view(buf.area, &mut buf, &look());
        assert_eq!(rows(&buf), ["one", "two", "three  ▼"]);
        for _ in 0..9 {
            scroll.on_command(Command::Down);
        }
        buf.reset();
        scroll.view(buf.area, &mut buf, &look());
        assert_eq!(rows(&buf), ["three  ▲", "four", "five"]);
        scroll.on_command(Command::Up);
        buf.reset();
        scroll.view(buf.area, &mut buf, &look());
        assert_eq!(rows(&buf)[0], "two    ▲");
    }

    #[test]
    fn every_size_can_be_drawn() {
        let mut scroll = Scroll::plain("one\n\ntwo three\n日本語");
        survives_every_size(|area, buf| scroll.view(area, buf, &look()));
        scroll.on_command(Command::Last);
        survives_every_size(|area, buf| scroll.view(area, buf, &look()));
    }
}
