//! Frames as bytes: only cells that changed, a scrolled region scrolled, style changes only where the
//! style changes, and each frame in one write between the marks of a synchronised update.
//!
//! Styles are written here and not by crossterm, which takes bold and reversed away under `NO_COLOR`
//! and resets everything after each frame. Nothing is ever asked of the terminal: a question that is
//! not answered costs two seconds. Knows no screen.

use std::io::{self, Write};

use super::shown::{Shift, Shown};
use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

use crate::tui::look::charset;
use crate::value::charset::Charset;

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

#[derive(Debug)]
pub struct Ansi<W> {
    out: W,
    frame: Vec<u8>,
    /// As the terminal has it now; none if somebody else may have changed it.
    pen: Option<Pen>,
    at: Option<Position>,
    cursor: Option<Cursor>,
    wanted: Cursor,
    /// Sized by the first clear or frame.
    shown: Option<Shown>,
    /// Where there is no terminal to ask: tests.
    fixed: Option<Size>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    Hidden,
    At(Position),
}

impl<W: Write> Ansi<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            frame: Vec::new(),
            pen: None,
            at: None,
            cursor: None,
            wanted: Cursor::Hidden,
            shown: None,
            fixed: None,
        }
    }

    /// For a terminal of this size that nobody can be asked about, such as a file.
    pub fn sized(out: W, size: Size) -> Self {
        Self { fixed: Some(size), ..Self::new(out) }
    }

    #[cfg(test)]
    pub(crate) fn written(&self) -> &W {
        &self.out
    }

    /// To a cell, the shortest way that does not depend on what is between.
    fn go(&mut self, x: u16, y: u16) {
        let (column, row) = (x + 1, y + 1);
        let _ = match self.at.filter(|at| at.y == y) {
            Some(at) if at.x == x => Ok(()),
            Some(at) if self.write_over_gap(at, x) => Ok(()),
            Some(_) => write!(self.frame, "\x1b[{column}G"),
            None => write!(self.frame, "\x1b[{row};{column}H"),
        };
        self.at = Some(Position { x, y });
    }

    /// A short gap is written again: that takes fewer bytes than going over it.
    fn write_over_gap(&mut self, at: Position, x: u16) -> bool {
        const SHORT: u16 = 4;
        let (Some(shown), Some(pen)) = (&self.shown, self.pen) else { return false };
        if at.x >= x || x - at.x > SHORT {
            return false;
        }
        let gap: Option<Vec<u8>> = (at.x..x)
            .map(|x| match shown.get(x, at.y) {
                Some(cell) if Pen::of(cell) == pen && cell.symbol().len() == 1 => {
                    Some(cell.symbol().as_bytes()[0])
                }
                _ => None,
            })
            .collect();
        gap.map(|bytes| self.frame.extend_from_slice(&bytes)).is_some()
    }

    /// Line feeds at the bottom of a region scroll it up, reverse ones at its top scroll it down: the
    /// one way that every terminal knows.
    fn scroll(&mut self, shift: Shift) {
        self.dip(Pen::default());
        let (top, bottom) = (shift.top + 1, shift.bottom + 1);
        let _ = write!(self.frame, "\x1b[{top};{bottom}r");
        let count = shift.by.unsigned_abs();
        if shift.by > 0 {
            let _ = write!(self.frame, "\x1b[{bottom}H{}", "\n".repeat(count));
        } else {
            let _ = write!(self.frame, "\x1b[{top}H{}", "\x1bM".repeat(count));
        }
        self.frame.extend_from_slice(b"\x1b[r");
        self.at = None;
    }

    fn write(&mut self, x: u16, y: u16, cell: &Cell) {
        self.go(x, y);
        self.dip(Pen::of(cell));
        let symbol = sent(cell.symbol());
        self.frame.extend_from_slice(symbol.as_bytes());
        // Where a terminal stands after a wide sign is a matter of opinion; so it is told again.
        self.at = (symbol.width() == 1).then_some(Position { x: x + 1, y });
        if let Some(shown) = &mut self.shown {
            shown.set(x, y, cell);
        }
    }

    fn dip(&mut self, pen: Pen) {
        if self.pen == Some(pen) {
            return;
        }
        let mut codes: Vec<String> = Vec::new();
        let before = match self.pen {
            // Taking a modifier away has no code of its own that all terminals know.
            Some(before) if pen.modifier.contains(before.modifier) => before,
            _ => {
                codes.push(String::new());
                Pen::default()
            }
        };
        let added = pen.modifier - before.modifier;
        codes.extend(
            MODIFIERS.iter().filter(|(m, _)| added.contains(*m)).map(|(_, code)| (*code).into()),
        );
        if pen.fg != before.fg {
            codes.push(code(pen.fg, Ground::Fore));
        }
        if pen.bg != before.bg {
            codes.push(code(pen.bg, Ground::Back));
        }
        let _ = write!(self.frame, "\x1b[{}m", codes.join(";"));
        self.pen = Some(pen);
    }
}

/// The last gate: text was made harmless long before, but a cell takes anything, and a field shows what
/// is typed into it.
fn sent(symbol: &str) -> &str {
    match symbol {
        _ if symbol.contains(char::is_control) => "?",
        _ if symbol.is_ascii() || charset() == Charset::Utf8 => symbol,
        _ if symbol.width() > 1 => "??",
        _ => "?",
    }
}

impl<W> Ansi<W> {
    /// Whether this frame is better begun by scrolling, and what is on the screen at its end.
    fn shift(&self, changed: &[(u16, u16, &Cell)]) -> Option<(Shift, Shown)> {
        let shown = self.shown.as_ref()?;
        if changed.len() < super::shown::MANY {
            return None;
        }
        let mut next = shown.clone();
        for (x, y, cell) in changed {
            next.set(*x, *y, cell);
        }
        Some((shown.shift_to(&next)?, next))
    }
}

impl Pen {
    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }
}

/// Nothing that blinks or hides.
const MODIFIERS: [(Modifier, &str); 6] = [
    (Modifier::BOLD, "1"),
    (Modifier::DIM, "2"),
    (Modifier::ITALIC, "3"),
    (Modifier::UNDERLINED, "4"),
    (Modifier::REVERSED, "7"),
    (Modifier::CROSSED_OUT, "9"),
];

#[derive(Clone, Copy)]
enum Ground {
    Fore,
    Back,
}

fn code(color: Color, ground: Ground) -> String {
    let base = |normal: u8| match ground {
        Ground::Fore => normal,
        Ground::Back => normal + 10,
    };
    let basic = |index: u8| base(30 + index).to_string();
    let light = |index: u8| base(90 + index).to_string();
    match color {
        Color::Reset => base(39).to_string(),
        Color::Black => basic(0),
        Color::Red => basic(1),
        Color::Green => basic(2),
        Color::Yellow => basic(3),
        Color::Blue => basic(4),
        Color::Magenta => basic(5),
        Color::Cyan => basic(6),
        Color::Gray => basic(7),
        Color::DarkGray => light(0),
        Color::LightRed => light(1),
        Color::LightGreen => light(2),
        Color::LightYellow => light(3),
        Color::LightBlue => light(4),
        Color::LightMagenta => light(5),
        Color::LightCyan => light(6),
        Color::White => light(7),
        Color::Indexed(index) => format!("{};5;{index}", base(38)),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base(38)),
    }
}

impl<W: Write> Backend for Ansi<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        if self.shown.is_none() {
            self.shown = self.size().ok().map(Shown::blank);
        }
        let changed: Vec<(u16, u16, &Cell)> = content.collect();
        if let Some((shift, next)) = self.shift(&changed) {
            self.scroll(shift);
            if let Some(shown) = &mut self.shown {
                shown.apply(shift);
                for (x, y, cell) in shown.changes(&next) {
                    self.write(x, y, cell);
                }
            }
            return Ok(());
        }
        for (x, y, cell) in changed {
            self.write(x, y, cell);
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.wanted = Cursor::Hidden;
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.wanted == Cursor::Hidden {
            self.wanted = Cursor::At(Position::ORIGIN);
        }
        Ok(())
    }

    /// Never asked: ratatui needs it for inline viewports only.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.at.unwrap_or(Position::ORIGIN))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.wanted = Cursor::At(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, what: ClearType) -> io::Result<()> {
        // Who asks for this does not trust what the screen shows, so nothing counts as known.
        (self.pen, self.at, self.cursor) = (None, None, None);
        self.shown = match what {
            ClearType::All => self.size().ok().map(Shown::blank),
            _ => None,
        };
        if what == ClearType::All {
            // It would be wiped as soon as it is there.
            self.frame.clear();
        }
        self.dip(Pen::default());
        self.frame.extend_from_slice(match what {
            ClearType::All => b"\x1b[2J".as_slice(),
            ClearType::AfterCursor => b"\x1b[J",
            ClearType::BeforeCursor => b"\x1b[1J",
            ClearType::CurrentLine => b"\x1b[2K",
            ClearType::UntilNewLine => b"\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        self.fixed.map_or_else(|| crossterm::terminal::size().map(Into::into), Ok)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    /// The end of a frame. A frame that changed nothing writes nothing.
    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() && self.cursor == Some(self.wanted) {
            return Ok(());
        }
        match self.wanted {
            Cursor::Hidden if self.cursor == Some(Cursor::Hidden) => {}
            Cursor::Hidden => self.frame.extend_from_slice(b"\x1b[?25l"),
            Cursor::At(position) => {
                self.go(position.x, position.y);
                if !matches!(self.cursor, Some(Cursor::At(_))) {
                    self.frame.extend_from_slice(b"\x1b[?25h");
                }
            }
        }
        self.cursor = Some(self.wanted);
        // `wall` and the like may move the cursor between two frames; the next one says where it is.
        self.at = None;
        let mut whole = Vec::with_capacity(self.frame.len() + BEGIN.len() + END.len());
        whole.extend_from_slice(BEGIN);
        whole.append(&mut self.frame);
        whole.extend_from_slice(END);
        self.out.write_all(&whole)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
