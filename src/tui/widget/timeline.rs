//! What happened, one sentence each, in order: times at the left, decisions and changes with a sign.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::list::Cursor;
use crate::tui::command::Command;
use crate::tui::look::{Look, Pen, columns};
use crate::tui::theme::Role;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Ready to show: "06:01:07", or with a date or a second zone.
    pub time: String,
    pub text: String,
    /// How it looks: changes and decisions differ from what merely happened.
    pub role: Role,
    /// One column, or empty.
    pub sign: &'static str,
}

#[derive(Debug, Clone, Default)]
pub struct Timeline {
    entries: Vec<Entry>,
    cursor: Cursor,
}

impl Timeline {
    /// The cursor begins at the newest entry.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut cursor = Cursor::new(entries.len());
        cursor.go(entries.len());
        Self { entries, cursor }
    }

    /// A reader at the end follows; a reader further up is left in peace.
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.cursor.set_len(self.entries.len());
    }

    pub fn selected(&self) -> Option<usize> {
        self.cursor.selected()
    }

    pub fn select(&mut self, at: usize) {
        self.cursor.go(at);
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn on_command(&mut self, command: Command) -> bool {
        self.cursor.on_command(command)
    }

    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let window = self.cursor.window(area.height);
        let time = self.entries[window.clone()].iter().map(|e| columns(&e.time)).max().unwrap_or(0);
        for (row, at) in (0..area.height).zip(window) {
            let entry = &self.entries[at];
            let here = at == self.cursor.at();
            let mut pen = Pen::new(buf, area, row);
            if here {
                pen.put(look.glyphs.here, look.style(Role::Selection));
            } else {
                pen.skip(1);
            }
            write(entry, time, here, &mut pen, look);
        }
    }

    /// The newest entries only, without a cursor: the strip below a step.
    pub fn view_tail(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let from = self.entries.len().saturating_sub(usize::from(area.height));
        let newest = &self.entries[from..];
        let time = newest.iter().map(|entry| columns(&entry.time)).max().unwrap_or(0);
        // The newest first: it is the one that was just waited for.
        for (row, entry) in (0..area.height).zip(newest.iter().rev()) {
            let mut pen = Pen::new(buf, area, row);
            pen.skip(1);
            write(entry, time, false, &mut pen, look);
        }
    }

    pub fn caret(&self, area: Rect) -> Option<Position> {
        let window = self.cursor.window(area.height);
        let row = u16::try_from(self.cursor.at().checked_sub(window.start)?).ok()?;
        (row < area.height && !self.entries.is_empty()).then(|| Position::new(area.x, area.y + row))
    }
}

fn write(entry: &Entry, time: u16, here: bool, pen: &mut Pen<'_>, look: &Look) {
    let start = pen.column();
    pen.put(&entry.time, look.style(Role::Muted));
    pen.skip((start + time + 2).saturating_sub(pen.column()));
    let start = pen.column();
    pen.put(entry.sign, look.style(entry.role));
    pen.skip((start + 2).saturating_sub(pen.column()));
    let style = if here {
        look.style(Role::Selection)
    } else if entry.role == Role::Text {
        Style::new()
    } else {
        look.style(entry.role)
    };
    let room = pen.left();
    pen.put_within(&entry.text, room, look.glyphs.more, style);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{look, rows, survives_every_size};

    fn timeline(count: usize) -> Timeline {
        let entry = |n: usize| Entry {
            time: format!("06:00:{n:02}"),
            text: format!("entry {n}"),
            role: if n.is_multiple_of(2) { Role::Text } else { Role::Changed },
            sign: if n.is_multiple_of(2) { "" } else { "!" },
        };
        Timeline::new((0..count).map(entry).collect())
    }

    #[test]
    fn the_newest_is_in_sight_and_a_reader_is_left_in_peace() {
        let mut timeline = timeline(5);
        let mut buf = Buffer::empty(Rect::new(0, 0, 30, 2));
        timeline.view(buf.area, &mut buf, &look());
        assert_eq!(rows(&buf), [" 06:00:03  ! entry 3", "▸06:00:04    entry 4"]);
        timeline.on_command(Command::First);
        let newer = timeline.entries()[4].clone();
        timeline.push(newer);
        assert_eq!(timeline.selected(), Some(0));
    }

    #[test]
    fn the_strip_shows_the_newest_first() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 30, 2));
        timeline(5).view_tail(buf.area, &mut buf, &look());
        assert_eq!(rows(&buf), [" 06:00:04    entry 4", " 06:00:03  ! entry 3"]);
    }

    #[test]
    fn every_size_can_be_drawn() {
        for count in [0, 1, 40] {
            let timeline = timeline(count);
            survives_every_size(|area, buf| {
                timeline.view(area, buf, &look());
                timeline.view_tail(area, buf, &look());
                let _ = timeline.caret(area);
            });
        }
    }
}
