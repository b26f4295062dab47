//! Markdown as it will be read: titles, lists, quotations, code, without its marks. Nothing in it is
//! obeyed: raw HTML and links are shown as what they are.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::wrap::{self, Line, Piece};
use crate::tui::look::{Look, Pen};
use crate::tui::theme::Role;

/// Beyond this the text is too long to be shown anew with every key.
const MOST: usize = 200 << 10;

/// Draws the text so that what is at `line` of `of` lines can be seen.
pub fn view(text: &str, line: usize, of: usize, area: Rect, buf: &mut Buffer, look: &Look) {
    if text.len() > MOST {
        Pen::new(buf, area, 0).put("too long to be shown as it reads", look.style(Role::Muted));
        return;
    }
    let lines = lines(text, look);
    let rows: Vec<Line> = lines.iter().flat_map(|line| wrap::wrap(line, area.width)).collect();
    let height = usize::from(area.height);
    let at = rows.len() * line / of.max(1);
    let top = at.saturating_sub(height / 2).min(rows.len().saturating_sub(height));
    for (row, line) in (0..area.height).zip(rows.iter().skip(top)) {
        wrap::put(line, area, row, buf);
    }
}

/// The text in lines, wrapped by nobody yet.
pub fn lines(text: &str, look: &Look) -> Vec<Line> {
    let mut page = Reader { look, lines: Vec::new(), line: Line::new(), state: State::default() };
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        page.take(event);
    }
    page.end_line();
    while page.lines.last().is_some_and(Vec::is_empty) {
        page.lines.pop();
    }
    page.lines
}

#[derive(Default)]
struct State {
    title: bool,
    strong: usize,
    weak: usize,
    struck: usize,
    code: bool,
    quotes: usize,
    /// The number of the next item of each list, or none for one without.
    lists: Vec<Option<u64>>,
    links: Vec<String>,
}

struct Reader<'l> {
    look: &'l Look,
    lines: Vec<Line>,
    line: Line,
    state: State,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.begin(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(text) => self.piece(&text, self.look.style(Role::Key)),
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.end_line(),
            Event::Rule => {
                self.end_line();
                let rule = self.look.glyphs.horizontal.repeat(20);
                self.piece(&rule, self.look.style(Role::Border));
                self.end_block();
            }
            _ => {}
        }
    }

    fn begin(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => self.state.title = true,
            Tag::Strong => self.state.strong += 1,
            Tag::Emphasis => self.state.weak += 1,
            Tag::Strikethrough => self.state.struck += 1,
            Tag::BlockQuote(_) => self.state.quotes += 1,
            Tag::CodeBlock(_) => self.state.code = true,
            Tag::List(first) => {
                self.end_line();
                self.state.lists.push(first);
            }
            Tag::Item => {
                self.end_line();
                let depth = self.state.lists.len().saturating_sub(1);
                let sign = match self.state.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => format!("{} ", self.look.glyphs.separator),
                };
                let indent = "  ".repeat(depth);
                self.piece(&format!("{indent}{sign}"), self.look.style(Role::Muted));
            }
            Tag::Link { dest_url, .. } => self.state.links.push(dest_url.to_string()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.end_block();
                self.state.title = false;
            }
            TagEnd::Strong => self.state.strong -= 1,
            TagEnd::Emphasis => self.state.weak -= 1,
            TagEnd::Strikethrough => self.state.struck -= 1,
            TagEnd::BlockQuote(_) => {
                self.end_block();
                self.state.quotes -= 1;
            }
            TagEnd::CodeBlock => {
                self.state.code = false;
                self.end_block();
            }
            TagEnd::List(_) => {
                self.state.lists.pop();
                if self.state.lists.is_empty() {
                    self.end_block();
                }
            }
            TagEnd::Item => self.end_line(),
            TagEnd::Paragraph if self.state.lists.is_empty() => self.end_block(),
            TagEnd::Paragraph => self.end_line(),
            TagEnd::Link => {
                // Where it leads stands beside it: nothing here can be clicked.
                if let Some(to) = self.state.links.pop() {
                    self.piece(&format!(" ({to})"), self.look.style(Role::Muted));
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let mut style = self.look.style(if self.state.title {
            Role::Title
        } else if self.state.code {
            Role::Key
        } else {
            Role::Text
        });
        for (on, modifier) in [
            (self.state.strong > 0, Modifier::BOLD),
            (self.state.weak > 0, Modifier::ITALIC),
            (self.state.struck > 0, Modifier::CROSSED_OUT),
        ] {
            if on {
                style = style.add_modifier(modifier);
            }
        }
        let mut lines = text.split('\n');
        self.piece(lines.next().unwrap_or_default(), style);
        for line in lines {
            self.end_line();
            self.piece(line, style);
        }
    }

    fn piece(&mut self, text: &str, style: Style) {
        if self.line.is_empty() && self.state.quotes > 0 {
            let bars = format!("{} ", self.look.glyphs.vertical).repeat(self.state.quotes);
            self.line.push(Piece::new(bars, self.look.style(Role::Border)));
        }
        if !text.is_empty() {
            self.line.push(Piece::new(text, style));
        }
    }

    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.lines.push(std::mem::take(&mut self.line));
        }
    }

    fn end_block(&mut self) {
        self.end_line();
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Line::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{look, rows, survives_every_size};

    fn read(text: &str) -> Vec<String> {
        let joined = |line: &Line| line.iter().map(|piece| piece.text.as_str()).collect();
        lines(text, &look()).iter().map(joined).collect()
    }

    #[test]
    fn marks_become_what_they_mean() {
        let text = "# Why\nIt was **late**,\nand `stock` ran.\n\n- one\n  - two\n1. three\n\n> said\n\n---\n";
        assert_eq!(
            read(text),
            [
                "Why",
                "",
                "It was late, and stock ran.",
                "",
                "· one",
                "  · two",
                "",
                "1. three",
                "",
                "│ said",
                "",
                "────────────────────"
            ]
        );
    }

    #[test]
    fn html_and_links_are_shown_and_not_obeyed() {
        assert_eq!(read("<b>x</b> [y](https://z)"), ["<b>x</b> y (https://z)"]);
        assert_eq!(read("```\na\n  b\n```"), ["a", "  b"]);
    }

    #[test]
    fn what_is_edited_is_in_sight() {
        let lines: Vec<String> = (0..100).map(|n| format!("line {n}\n")).collect();
        let text = lines.join("\n");
        let mut buf = Buffer::empty(Rect::new(0, 0, 10, 3));
        view(&text, 100, 200, buf.area, &mut buf, &look());
        assert!(rows(&buf).iter().any(|row| row == "line 50"), "{:?}", rows(&buf));
        survives_every_size(|area, buf| view("# a\n- b c d", 1, 2, area, buf, &look()));
    }
}
