//! Text of very many parts, each made when it comes into sight: what lies beyond the window takes neither
//! memory nor time.

use std::cell::Cell;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::scroll;
use super::wrap::{self, Line};
use crate::tui::command::Command;
use crate::tui::look::Look;

/// A part, and a line of it as it is wrapped.
type Place = (usize, usize);

#[derive(Debug, Default)]
pub struct Roll {
    top: Cell<Place>,
    /// Lines to go, up or down. How long the parts are is known when the window is drawn.
    to_go: Cell<isize>,
    height: Cell<u16>,
}

impl Roll {
    /// Whether the command scrolls.
    pub fn on_command(&self, command: Command) -> bool {
        let page = isize::try_from(self.height.get().max(1)).unwrap_or(1);
        let by = match command {
            Command::Up => -1,
            Command::Down => 1,
            Command::PageUp => -page,
            Command::PageDown => page,
            Command::HalfUp => -(page / 2).max(1),
            Command::HalfDown => (page / 2).max(1),
            Command::First | Command::Last => {
                // Where its end is is known when the window is drawn.
                let part = if command == Command::First { 0 } else { usize::MAX };
                self.top.set((part, 0));
                self.to_go.set(0);
                return true;
            }
            _ => return false,
        };
        self.to_go.set(self.to_go.get() + by);
        true
    }

    /// Draws a text of so many parts.
    pub fn view(
        &self,
        parts: usize,
        part: impl Fn(usize) -> Vec<Line>,
        area: Rect,
        buf: &mut Buffer,
        look: &Look,
    ) {
        let wrapped = |at: usize| -> Vec<Line> {
            let width = scroll::text_of(area).width;
            part(at).iter().flat_map(|line| wrap::wrap(line, width)).collect()
        };
        let text = Text { parts, height: &|at| wrapped(at).len() };
        let height = usize::from(area.height);
        let last = text.back((parts, 0), height);
        let (to_go, top) = (self.to_go.take(), text.inside(self.top.get()));
        let top = match to_go {
            0.. => text.on(top, to_go.unsigned_abs()),
            _ => text.back(top, to_go.unsigned_abs()),
        }
        .min(last);
        self.top.set(top);
        self.height.set(area.height);
        let lines = (top.0..parts).flat_map(wrapped).skip(top.1).take(height);
        scroll::put(lines, (top > (0, 0), top < last), area, buf, look);
    }
}

/// What is known of the text: how many parts, and how tall one is.
struct Text<'t> {
    parts: usize,
    height: &'t dyn Fn(usize) -> usize,
}

impl Text<'_> {
    /// The place, or the nearest before it where its part became shorter.
    fn inside(&self, (part, line): Place) -> Place {
        if part >= self.parts {
            return (self.parts, 0);
        }
        (part, line.min((self.height)(part).saturating_sub(1)))
    }

    fn on(&self, (mut part, line): Place, lines: usize) -> Place {
        let mut left = line + lines;
        while part < self.parts {
            let height = (self.height)(part);
            if left < height {
                return (part, left);
            }
            left -= height;
            part += 1;
        }
        (part, 0)
    }

    fn back(&self, (mut part, mut line): Place, lines: usize) -> Place {
        let mut left = lines;
        while left > line && part > 0 {
            left -= line;
            part -= 1;
            line = (self.height)(part);
        }
        (part, line.saturating_sub(left))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::tui::look::tests::{look, rows, survives_every_size};

    fn part(at: usize) -> Vec<Line> {
        vec![wrap::plain(format!("row {at}")), wrap::plain("  one two three four")]
    }

    fn shown(roll: &Roll, parts: usize, width: u16) -> Vec<String> {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, 4));
        roll.view(parts, part, buf.area, &mut buf, &look());
        rows(&buf)
    }

    #[test]
    fn it_goes_line_by_line_through_its_parts_and_stops_at_both_ends() {
        let roll = Roll::default();
        let head = ["row 0", "  one two three four", "row 1", "  one two three four  ▼"];
        assert_eq!(shown(&roll, 1_000_000, 23), head);
        roll.on_command(Command::Down);
        let next =
            ["  one two three four  ▲", "row 1", "  one two three four", "row 2                 ▼"];
        assert_eq!(shown(&roll, 1_000_000, 23), next);
        roll.on_command(Command::PageUp);
        assert_eq!(shown(&roll, 1_000_000, 23), head);
        for _ in 0..5 {
            roll.on_command(Command::PageDown);
        }
        let end =
            ["row 2                 ▲", "  one two three four", "row 3", "  one two three four"];
        assert_eq!(shown(&roll, 4, 23), end);
        roll.on_command(Command::Up);
        assert_eq!(shown(&roll, 4, 23)[1], "row 2");
    }

    #[test]
    fn where_it_becomes_wider_or_shorter_the_same_part_stays_on_top() {
        let roll = Roll::default();
        shown(&roll, 9, 12);
        for _ in 0..6 {
            roll.on_command(Command::Down);
        }
        assert_eq!(shown(&roll, 9, 12)[0], "  three    ▲");
        assert_eq!(shown(&roll, 9, 23)[0], "  one two three four  ▲");
        assert_eq!(shown(&roll, 1, 23)[0], "row 0");
        assert_eq!(shown(&roll, 0, 23), ["", "", "", ""]);
    }

    #[test]
    fn only_what_is_in_sight_is_made() {
        let (roll, made) = (Roll::default(), RefCell::new(Vec::new()));
        for command in [Command::Down, Command::PageDown, Command::PageDown] {
            roll.on_command(command);
            let mut buf = Buffer::empty(Rect::new(0, 0, 23, 4));
            let noted = |at: usize| {
                made.borrow_mut().push(at);
                part(at)
            };
            roll.view(1_000_000, noted, buf.area, &mut buf, &look());
        }
        assert!(made.borrow().iter().all(|at| *at < 10 || *at >= 999_990), "{made:?}");
        assert!(made.borrow().len() < 40, "{made:?}");
        survives_every_size(|area, buf| roll.view(1_000, part, area, buf, &look()));
    }
}
