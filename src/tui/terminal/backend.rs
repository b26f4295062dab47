//! Frames as bytes: only cells that changed, style changes only where the style changes, and each
//! frame in one write between the marks of a synchronised update.
//!
//! Styles are written here and not by crossterm, which takes bold and reversed away under `NO_COLOR`
//! and resets everything after each frame. Nothing is ever asked of the terminal: a question that is
//! not answered costs two seconds. Knows no screen.

use std::io::{self, Write};

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    Hidden,
    At(Position),
}

impl<W: Write> Ansi<W> {
    pub fn new(out: W) -> Self {
        let wanted = Cursor::Hidden;
        Self { out, frame: Vec::new(), pen: None, at: None, cursor: None, wanted }
    }

    #[cfg(test)]
    pub(crate) fn written(&self) -> &W {
        &self.out
    }

    fn go(&mut self, x: u16, y: u16) {
        let (column, row) = (x + 1, y + 1);
        let _ = match self.at {
            Some(at) if at.x == x && at.y == y => Ok(()),
            Some(at) if at.y == y => write!(self.frame, "\x1b[{column}G"),
            _ => write!(self.frame, "\x1b[{row};{column}H"),
        };
        self.at = Some(Position { x, y });
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
        for (x, y, cell) in content {
            self.go(x, y);
            self.dip(Pen { fg: cell.fg, bg: cell.bg, modifier: cell.modifier });
            // The last gate: text was made harmless long before, but a cell takes anything.
            let symbol = if cell.symbol().contains(char::is_control) { "?" } else { cell.symbol() };
            self.frame.extend_from_slice(symbol.as_bytes());
            // Where a terminal stands after a wide sign is a matter of opinion; so it is told again.
            self.at = (symbol.width() == 1).then_some(Position { x: x + 1, y });
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
        crossterm::terminal::size().map(Into::into)
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
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;
    use ratatui::{Terminal, TerminalOptions, Viewport};

    use super::*;

    struct Probe {
        terminal: Terminal<Ansi<Vec<u8>>>,
        seen: usize,
    }

    impl Probe {
        fn new() -> Self {
            let viewport = Viewport::Fixed(Rect::new(0, 0, 20, 3));
            let terminal =
                Terminal::with_options(Ansi::new(Vec::new()), TerminalOptions { viewport })
                    .expect("a fixed viewport asks nothing");
            Self { terminal, seen: 0 }
        }

        fn frame(
            &mut self,
            parts: &[(u16, u16, &str, Style)],
            cursor: Option<(u16, u16)>,
        ) -> String {
            self.terminal
                .draw(|frame| {
                    for (x, y, text, style) in parts {
                        frame.buffer_mut().set_string(*x, *y, text, *style);
                    }
                    if let Some(cursor) = cursor {
                        frame.set_cursor_position(cursor);
                    }
                })
                .expect("a vector takes everything");
            let all = self.terminal.backend().written();
            let new = String::from_utf8(all[self.seen..].to_vec()).expect("UTF-8");
            self.seen = all.len();
            new.replace('\u{1b}', "^")
        }
    }

    #[test]
    fn a_frame_is_one_synchronised_update_and_an_idle_one_is_nothing() {
        let mut probe = Probe::new();
        let plain = Style::new();
        assert_eq!(probe.frame(&[(1, 1, "ab", plain)], None), "^[?2026h^[2;2H^[mab^[?25l^[?2026l");
        assert_eq!(probe.frame(&[(1, 1, "ab", plain)], None), "");
        assert_eq!(probe.frame(&[(1, 1, "aX", plain)], None), "^[?2026h^[2;3HX^[?2026l");
    }

    #[test]
    fn styles_are_written_only_where_they_change() {
        let mut probe = Probe::new();
        let bold = Style::new().bold();
        let frame =
            probe.frame(&[(0, 0, "a", bold), (1, 0, "b", bold.blue()), (2, 0, "c", bold)], None);
        assert_eq!(frame, "^[?2026h^[1;1H^[;1ma^[34mb^[39mc^[?25l^[?2026l");
        let frame = probe.frame(&[(0, 0, "abc", Style::new().red().on_white())], None);
        assert_eq!(frame, "^[?2026h^[1;1H^[;31;107mabc^[?2026l");
    }

    #[test]
    fn the_cursor_is_shown_where_it_is_wanted() {
        let mut probe = Probe::new();
        assert!(probe.frame(&[], Some((2, 1))).ends_with("^[2;3H^[?25h^[?2026l"));
        assert_eq!(probe.frame(&[], Some((2, 1))), "");
        assert_eq!(probe.frame(&[], Some((4, 1))), "^[?2026h^[2;5H^[?2026l");
        assert_eq!(probe.frame(&[], None), "^[?2026h^[?25l^[?2026l");
    }

    #[test]
    fn after_a_clear_nothing_counts_as_known() {
        let mut probe = Probe::new();
        let bold = Style::new().bold();
        probe.frame(&[(0, 0, "a", bold)], Some((1, 0)));
        probe.terminal.backend_mut().clear().expect("no question asked");
        let frame = probe.frame(&[(0, 0, "b", bold)], Some((1, 0)));
        assert_eq!(frame, "^[?2026h^[m^[2J^[1;1H^[1mb^[?25h^[?2026l");
    }

    #[test]
    fn a_control_character_in_a_cell_never_gets_out() {
        let mut probe = Probe::new();
        probe
            .terminal
            .draw(|frame| _ = frame.buffer_mut()[(0, 0)].set_symbol("\u{1b}]0;x\u{7}"))
            .expect("drawn");
        assert!(!probe.terminal.backend().written().windows(2).any(|pair| pair == b"\x1b]"));
    }
}
