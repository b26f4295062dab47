//! A number over time, as bars as tall as there is room, with what happened written below.
//!
//! A count holds until the next one; before the first nothing is known, and nothing is drawn. One is
//! never drawn like none.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::look::{Look, Pen, columns};
use crate::tui::theme::Role;

#[derive(Debug, Clone)]
pub struct Chart<'c> {
    /// In order; none where it could not be counted.
    pub points: &'c [(Timestamp, Option<f64>)],
    pub from: Timestamp,
    pub to: Timestamp,
    /// What is written at its time, in order.
    pub marks: &'c [(Timestamp, &'c str)],
    /// Where the reader is.
    pub here: Option<Timestamp>,
    /// Written at both ends of the axis.
    pub ends: (String, String),
}

/// What one column shows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    Before,
    Unknown,
    Number(f64),
}

impl Chart<'_> {
    /// Bars, then a line of marks, then the axis.
    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let area = area.intersection(buf.area);
        if area.height < 3 || area.width < 12 {
            return;
        }
        let most = self.most();
        let label = number(most);
        let margin = columns(&label).max(1) + 1;
        let plot = Rect { x: area.x + margin, width: area.width.saturating_sub(margin), ..area };
        let bars = area.height - 2;
        Pen::new(buf, area, 0).put(&label, look.style(Role::Muted));
        if bars > 1 {
            let zero = Rect { x: area.x + margin - 2, ..area };
            Pen::new(buf, zero, bars - 1).put("0", look.style(Role::Muted));
        }
        let drawn = self.columns(plot.width);
        for row in 0..bars {
            let mut pen = Pen::new(buf, plot, row);
            for column in &drawn {
                let (glyph, role) = bar(*column, most, bars - 1 - row, bars, look);
                pen.put(glyph, look.style(role));
            }
        }
        self.marks(Rect { y: area.y + bars, height: 1, ..plot }, buf, look);
        self.axis(Rect { y: area.y + bars + 1, height: 1, ..plot }, buf, look);
    }

    fn most(&self) -> f64 {
        let before = self.points.iter().rev().find(|(at, _)| *at < self.from);
        let inside = self.points.iter().filter(|(at, _)| *at >= self.from && *at <= self.to);
        before.into_iter().chain(inside).filter_map(|(_, number)| *number).fold(0.0, f64::max)
    }

    /// The column of a moment; none outside of the window.
    fn place(&self, at: Timestamp, width: u16) -> Option<u16> {
        if at < self.from || at > self.to || width == 0 {
            return None;
        }
        let whole = self.to.duration_since(self.from).as_secs_f64().max(f64::MIN_POSITIVE);
        let part = at.duration_since(self.from).as_secs_f64() / whole;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to 1
        let column = (part * f64::from(width)) as u16;
        Some(column.min(width - 1))
    }

    /// The worst that was seen in the time of each column, or what held before.
    fn columns(&self, width: u16) -> Vec<Column> {
        let worse = |a: Column, b: Column| match (a, b) {
            (Column::Number(a), Column::Number(b)) => Column::Number(a.max(b)),
            (Column::Before, other) | (other, Column::Before) => other,
            (Column::Unknown, other) | (other, Column::Unknown) => other,
        };
        let seen = |number: Option<f64>| number.map_or(Column::Unknown, Column::Number);
        let mut held = Column::Before;
        let mut points = self.points.iter().peekable();
        while let Some((_, number)) = points.next_if(|(at, _)| *at < self.from) {
            held = seen(*number);
        }
        let mut drawn = Vec::with_capacity(usize::from(width));
        for column in 0..width {
            let mut shown = None;
            while let Some((_, number)) =
                points.next_if(|(at, _)| self.place(*at, width).is_some_and(|at| at <= column))
            {
                held = seen(*number);
                shown = Some(shown.map_or(held, |before| worse(before, held)));
            }
            drawn.push(shown.unwrap_or(held));
        }
        drawn
    }

    /// Every mark where it happened; of words that would meet, the later ones are cut.
    fn marks(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let mut placed: Vec<(u16, String)> = Vec::new();
        for (at, word) in self.marks {
            let Some(column) = self.place(*at, area.width) else { continue };
            match placed.last_mut() {
                Some((last, words)) if *last == column => words.push_str(&format!(", {word}")),
                _ => placed.push((column, (*word).to_owned())),
            }
        }
        for (number, (column, words)) in placed.iter().enumerate() {
            let next = placed.get(number + 1).map_or(area.width, |(next, _)| *next);
            let place = Rect { x: area.x + column, width: next - column, ..area };
            let mut pen = Pen::new(buf, place, 0);
            pen.put(look.glyphs.vertical, look.style(Role::Focus));
            let room = pen.left().saturating_sub(1);
            pen.put_within(words, room, "", look.style(Role::Text));
        }
    }

    fn axis(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let (first, last) = &self.ends;
        let mut pen = Pen::new(buf, area, 0);
        pen.put(first, look.style(Role::Muted));
        pen.put_right(last, look.style(Role::Muted));
        if let Some(column) = self.here.and_then(|at| self.place(at, area.width)) {
            let mut pen = Pen::new(buf, Rect { x: area.x + column, width: 1, ..area }, 0);
            pen.put(look.glyphs.up, look.style(Role::Focus));
        }
    }
}

/// `12`, `0.85`
fn number(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}

/// The part of a bar that lies in one row, counted from below.
fn bar(column: Column, most: f64, row: u16, rows: u16, look: &Look) -> (&'static str, Role) {
    let steps = &look.glyphs.spark;
    let levels = steps.len() - 1;
    let value = match column {
        Column::Before => return (" ", Role::Text),
        Column::Unknown if row == 0 => return (look.glyphs.unknown, Role::Unknown),
        Column::Unknown => return (" ", Role::Text),
        Column::Number(value) => value,
    };
    if value <= 0.0 || most <= 0.0 {
        return if row == 0 { (steps[0], Role::Ok) } else { (" ", Role::Text) };
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let filled = (value / most * (usize::from(rows) * levels) as f64).ceil() as usize;
    let here = filled.saturating_sub(usize::from(row) * levels).min(levels);
    if here == 0 { (" ", Role::Text) } else { (steps[here], Role::Danger) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tui::look::tests::{look, rows, survives_every_size};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn drawn(points: &[(i64, Option<f64>)], marks: &[(i64, &str)], height: u16) -> Vec<String> {
        let points: Vec<_> = points.iter().map(|(minute, n)| (at(*minute), *n)).collect();
        let marks: Vec<_> = marks.iter().map(|(minute, word)| (at(*minute), *word)).collect();
        let chart = Chart {
            points: &points,
            from: at(10),
            to: at(20),
            marks: &marks,
            here: Some(at(15)),
            ends: ("06:10".into(), "06:20".into()),
        };
        let mut buf = Buffer::empty(Rect::new(0, 0, 23, height));
        chart.view(buf.area, &mut buf, &look());
        rows(&buf)
    }

    #[test]
    fn a_count_holds_until_the_next_and_one_is_not_none() {
        let shown = drawn(&[(11, Some(1.0)), (14, Some(14.0)), (17, Some(0.0))], &[], 4);
        assert_eq!(shown[0], "14         ██████");
        assert_eq!(shown[1], " 0   ▂▂▂▂▂▂██████▁▁▁▁▁▁");
        assert_eq!(shown[3], "   06:10     ▲    06:20");
    }

    #[test]
    fn what_was_before_the_window_is_known_in_it_and_what_could_not_be_seen_is_said() {
        let shown = drawn(&[(1, Some(3.0)), (15, None)], &[], 3);
        assert_eq!(shown[0], "3 ██████████???????????");
    }

    #[test]
    fn marks_stand_where_they_happened_and_do_not_meet() {
        let marks = [(10, "detected"), (13, "contained"), (13, "fixed"), (30, "closed")];
        let shown = drawn(&[(10, Some(1.0))], &marks, 3);
        assert_eq!(shown[1], "  │dete │contained, fi");
    }

    #[test]
    fn every_size_can_be_drawn() {
        let points = [(at(10), Some(3.0)), (at(12), None), (at(20), Some(0.0))];
        let chart = Chart {
            points: &points,
            from: at(10),
            to: at(10),
            marks: &[(at(10), "detected")],
            here: Some(at(10)),
            ends: ("a".into(), "b".into()),
        };
        survives_every_size(|area, buf| chart.view(area, buf, &look()));
    }
}
