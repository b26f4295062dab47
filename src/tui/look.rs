//! Theme and signs together, and the pen that every widget draws with.
//!
//! The pen cuts at the edge of its area, never leaves the buffer, and makes all text harmless once
//! more: a screen that forgets to, shows an escape sequence instead of sending it. What the terminal can
//! show is said once for the whole program, as its locale is. Knows no widget.

use std::borrow::Cow;
use std::sync::OnceLock;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::glyphs::Glyphs;
use super::theme::{Role, Theme};
use crate::value::ValueRef;
use crate::value::charset::Charset;
use crate::value::visible::{self, Shown};

static CHARSET: OnceLock<Charset> = OnceLock::new();

/// Says what the terminal can show, before the first frame. Only the first word counts.
pub fn settle(charset: Charset) {
    let _ = CHARSET.set(charset);
}

pub fn charset() -> Charset {
    CHARSET.get().copied().unwrap_or(Charset::Utf8)
}

/// The text as the terminal shows it. Doing it twice changes nothing.
pub fn shown(text: &str) -> Cow<'_, str> {
    charset().text(visible::text(text))
}

/// The same of a value in full, with its line breaks.
pub fn shown_lines(text: &str) -> Vec<String> {
    text.split('\n').map(|line| shown(line).into_owned()).collect()
}

/// A value of which perhaps only the beginning is at hand, with how many bytes it has.
pub fn shown_part(value: ValueRef<'_>, whole: Option<u64>) -> Shown<'_> {
    charset().value(visible::part(value, whole))
}

/// How everything looks; handed to every `view`.
#[derive(Debug, Clone)]
pub struct Look {
    pub theme: Theme,
    pub glyphs: Glyphs,
}

impl Look {
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Verdict as sign, word and colour; never one of them alone.
    pub fn ok(&self) -> (&'static str, Style) {
        (self.glyphs.ok, self.style(Role::Ok))
    }

    pub fn bad(&self) -> (&'static str, Style) {
        (self.glyphs.bad, self.style(Role::Danger))
    }

    pub fn unknown(&self) -> (&'static str, Style) {
        (self.glyphs.unknown, self.style(Role::Unknown))
    }
}

/// One line of an area, written from left to right.
#[derive(Debug)]
pub struct Pen<'b> {
    buf: &'b mut Buffer,
    x: u16,
    y: u16,
    right: u16,
}

impl<'b> Pen<'b> {
    /// The given row of the area, counted from its top; a row that is not there takes no ink.
    pub fn new(buf: &'b mut Buffer, area: Rect, row: u16) -> Self {
        let inside = area.intersection(buf.area);
        let y = area.y.saturating_add(row);
        let there = inside.top() <= y && y < inside.bottom() && area.x == inside.x;
        let right = if there { inside.right() } else { inside.x };
        Self { buf, x: inside.x, y, right }
    }

    /// Columns that are left.
    pub fn left(&self) -> u16 {
        self.right.saturating_sub(self.x)
    }

    /// The column that is written next, counted on the screen.
    pub fn column(&self) -> u16 {
        self.x
    }

    pub fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let left = self.left();
        if left > 0 {
            let text = shown(text);
            let (x, _) = self.buf.set_stringn(self.x, self.y, text, usize::from(left), style);
            self.x = x;
        }
        self
    }

    /// With the sign for "more" at the end, if the text does not fit into these columns.
    pub fn put_within(&mut self, text: &str, columns: u16, more: &str, style: Style) -> &mut Self {
        let text = shown(text);
        let columns = usize::from(columns.min(self.left()));
        if visible::width(&text) <= columns {
            return self.put(&text, style);
        }
        let sign = visible::width(more);
        let (head, _) = visible::head(&text, columns.saturating_sub(sign));
        self.put(head, style);
        if sign <= columns { self.put(more, style) } else { self }
    }

    pub fn skip(&mut self, columns: u16) -> &mut Self {
        self.x = self.x.saturating_add(columns).min(self.right);
        self
    }

    /// Spaces in this style up to the right edge.
    pub fn fill(&mut self, style: Style) -> &mut Self {
        while self.x < self.right {
            self.buf[(self.x, self.y)].set_symbol(" ").set_style(style);
            self.x += 1;
        }
        self
    }

    /// At the right edge, if there is room behind what was written and two columns of air.
    pub fn put_right(&mut self, text: &str, style: Style) -> bool {
        let wide = columns(text);
        let fits = self.left() >= wide.saturating_add(2) || (self.left() == wide && wide > 0);
        if fits {
            let end = self.right;
            self.x = end - wide;
            self.put(text, style);
            // What comes next from the left must not overwrite it.
            self.x = end;
        }
        fits
    }

    pub fn sign(&mut self, sign: (&str, Style)) -> &mut Self {
        self.put(sign.0, sign.1).skip(1)
    }
}

/// Columns as a terminal counts them.
pub fn columns(text: &str) -> u16 {
    u16::try_from(visible::width(&shown(text))).unwrap_or(u16::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::CellWidth as _;
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::*;
    use crate::tui::glyphs;
    use crate::tui::theme::depth::Depth;

    /// The look of most tests.
    pub fn look() -> Look {
        let theme = Theme::built_in("dark", Depth::Indexed).expect("dark is built in");
        Look { theme, glyphs: glyphs::UTF8 }
    }

    pub fn ascii() -> Look {
        let theme = Theme::built_in("mono", Depth::Sixteen).expect("mono is built in");
        Look { theme, glyphs: glyphs::ASCII }
    }

    /// The text of a buffer, one string a row, without the spaces at the end.
    pub fn rows(buf: &Buffer) -> Vec<String> {
        (buf.area.top()..buf.area.bottom())
            .map(|y| {
                let mut row = String::new();
                let mut x = buf.area.left();
                while x < buf.area.right() {
                    row.push_str(buf[(x, y)].symbol());
                    x += buf[(x, y)].symbol().cell_width().max(1);
                }
                row.trim_end().to_owned()
            })
            .collect()
    }

    /// Draws at every small size, at a size larger than the buffer, and away from the corner.
    pub fn survives_every_size(draw: impl Fn(Rect, &mut Buffer)) {
        for (width, height) in (0..=3).flat_map(|w| (0..=3).map(move |h| (w, h))) {
            let area = Rect::new(0, 0, width, height);
            draw(area, &mut Buffer::empty(area));
        }
        for (width, height) in [(80, 24), (120, 40), (300, 1), (1, 60)] {
            let area = Rect::new(0, 0, width, height);
            draw(area, &mut Buffer::empty(area));
            draw(area, &mut Buffer::empty(Rect::new(0, 0, 7, 3)));
            draw(Rect::new(5, 2, width, height), &mut Buffer::empty(Rect::new(0, 0, 9, 4)));
        }
    }

    #[test]
    fn the_pen_stays_in_its_line() {
        survives_every_size(|area, buf| {
            let mut pen = Pen::new(buf, area, 1);
            pen.put("日本語", Style::new()).put_within("abcdef", 4, "…", Style::new());
            pen.put_right("right", Style::new());
            pen.fill(Style::new());
        });
    }

    #[test]
    fn a_screen_that_forgets_cannot_send_an_escape_sequence() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        let area = buf.area;
        Pen::new(&mut buf, area, 0).put("a\u{1b}[2J\u{202e}b", Style::new());
        assert_eq!(rows(&buf), ["a\\e[2J<U+202E>b"]);
    }

    #[test]
    fn what_does_not_fit_says_so() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 1));
        let area = buf.area;
        Pen::new(&mut buf, area, 0).put_within("violations", 6, "…", Style::new());
        assert_eq!(rows(&buf), ["viola…"]);
    }

    proptest! {
        #[test]
        fn ratatui_counts_the_columns_as_we_do(source in "\\PC*") {
            let shown = visible::text(&source);
            for cluster in shown.graphemes(true) {
                let ratatui = usize::from(cluster.cell_width());
                prop_assert_eq!(ratatui, visible::width(cluster), "{:?}", cluster);
            }
        }
    }
}
