//! Rows before and after a change: one line for every value that differs.

use std::cell::Cell;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::command::Command;
use crate::tui::look::{Look, Pen, columns};
use crate::tui::theme::Role;
use crate::value::{Value, visible};

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// "id 1042"
    pub key: String,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Changed(Vec<(String, Value, Value)>),
    Added(Vec<(String, Value)>),
    Removed(Vec<(String, Value)>),
}

/// One drawn line; the key stands on the first of its row only.
#[derive(Debug, Clone)]
struct Line {
    key: String,
    column: String,
    before: Option<Value>,
    after: Option<Value>,
}

#[derive(Debug, Clone, Default)]
pub struct Diff {
    lines: Vec<Line>,
    top: Cell<usize>,
    height: Cell<usize>,
}

impl Diff {
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        Self { lines: rows.into_iter().flat_map(lines).collect(), ..Self::default() }
    }

    /// Lines it takes to show everything.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the command scrolls.
    pub fn on_command(&mut self, command: Command) -> bool {
        let page = self.height.get().max(1);
        let (top, last) = (self.top.get(), self.lines.len().saturating_sub(page));
        let to = match command {
            Command::Up => top.saturating_sub(1),
            Command::Down => top + 1,
            Command::PageUp | Command::HalfUp => top.saturating_sub(page),
            Command::PageDown | Command::HalfDown => top + page,
            Command::First => 0,
            Command::Last => last,
            _ => return false,
        };
        self.top.set(to.min(last));
        true
    }

    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let height = usize::from(area.height);
        self.height.set(height);
        self.top.set(self.top.get().min(self.lines.len().saturating_sub(height)));
        let shown = || self.lines.iter().skip(self.top.get()).take(height);
        let widest = |text: fn(&Line) -> &str| {
            shown()
                .map(|line| columns(&visible::text(text(line))))
                .max()
                .unwrap_or(0)
                .min(area.width / 3)
        };
        let (key, column) = (widest(|line| &line.key), widest(|line| &line.column));
        for (row, line) in (0..area.height).zip(shown()) {
            let mut pen = Pen::new(buf, area, row);
            field(&mut pen, &line.key, key, look, Style::new());
            field(&mut pen, &line.column, column, look, look.style(Role::Muted));
            line.values(&mut pen, look);
        }
    }
}

impl Line {
    fn values(&self, pen: &mut Pen<'_>, look: &Look) {
        let sign = match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                value(pen, before, look, Role::Removed);
                pen.put(&format!(" {} ", look.glyphs.arrow), look.style(Role::Muted));
                value(pen, after, look, Role::Changed);
                return;
            }
            (None, Some(_)) => ("+ ", Role::Changed),
            _ => ("- ", Role::Removed),
        };
        pen.put(sign.0, look.style(sign.1));
        if let Some(only) = self.before.as_ref().or(self.after.as_ref()) {
            value(pen, only, look, sign.1);
        }
    }
}

fn field(pen: &mut Pen<'_>, text: &str, width: u16, look: &Look, style: Style) {
    let end = pen.column().saturating_add(width);
    pen.put_within(text, width, look.glyphs.more, style);
    pen.skip(end.saturating_sub(pen.column())).skip(if width > 0 { 3 } else { 0 });
}

fn value(pen: &mut Pen<'_>, value: &Value, look: &Look, role: Role) {
    for segment in visible::cell(value.as_ref()).segments {
        let role = match segment.kind {
            visible::Kind::Plain => role,
            visible::Kind::Escaped => Role::Escaped,
            visible::Kind::Note => Role::Null,
        };
        let room = pen.left();
        pen.put_within(&segment.text, room, look.glyphs.more, look.style(role));
    }
}

fn lines(row: Row) -> Vec<Line> {
    let values: Vec<(String, Option<Value>, Option<Value>)> = match row.what {
        What::Changed(values) => {
            values.into_iter().map(|(column, a, b)| (column, Some(a), Some(b))).collect()
        }
        What::Added(values) => {
            values.into_iter().map(|(column, b)| (column, None, Some(b))).collect()
        }
        What::Removed(values) => {
            values.into_iter().map(|(column, a)| (column, Some(a), None)).collect()
        }
    };
    let keys = std::iter::once(row.key).chain(std::iter::repeat(String::new()));
    values
        .into_iter()
        .zip(keys)
        .map(|((column, before, after), key)| Line { key, column, before, after })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{ascii, look, rows, survives_every_size};

    fn diff() -> Diff {
        let text = |text: &str| Value::Text(text.into());
        Diff::new([
            Row {
                key: "id 1042".into(),
                what: What::Changed(vec![
                    ("return_date".into(), Value::Null, text("2026-11-21")),
                    ("note".into(), text(""), text("a\u{1b}b ")),
                ]),
            },
            Row { key: "id 7".into(), what: What::Added(vec![("id".into(), Value::Integer(7))]) },
            Row { key: "id 8".into(), what: What::Removed(vec![("id".into(), Value::Integer(8))]) },
        ])
    }

    #[test]
    fn before_and_after_stand_side_by_side() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 60, 4));
        diff().view(buf.area, &mut buf, &look());
        assert_eq!(
            rows(&buf),
            [
                "id 1042   return_date   NULL → 2026-11-21",
                "          note          '' → 'a\\eb '",
                "id 7      id            + 7",
                "id 8      id            - 8",
            ]
        );
    }

    #[test]
    fn it_scrolls_and_stops_at_the_end() {
        let mut diff = diff();
        let mut buf = Buffer::empty(Rect::new(0, 0, 60, 2));
        diff.view(buf.area, &mut buf, &ascii());
        diff.on_command(Command::Last);
        diff.on_command(Command::Down);
        buf.reset();
        diff.view(buf.area, &mut buf, &ascii());
        assert_eq!(rows(&buf), ["id 7   id   + 7", "id 8   id   - 8"]);
        survives_every_size(|area, buf| diff.view(area, buf, &look()));
        survives_every_size(|area, buf| Diff::default().view(area, buf, &look()));
    }
}
