//! Page: lines of styled text, built from sentences and values, for the body of a screen.
//!
//! The pen makes every text harmless where it is drawn. Knows no screen and no effect.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use ratatui::style::Style;

use super::look::Look;
use super::theme::Role;
use super::widget::sql;
use super::widget::wrap::{Line, Piece};
use crate::dialect::Dialect;

#[derive(Debug)]
pub struct Page<'l> {
    look: &'l Look,
    lines: Vec<Line>,
}

impl<'l> Page<'l> {
    pub fn new(look: &'l Look) -> Self {
        Self { look, lines: Vec::new() }
    }

    pub fn finish(self) -> Vec<Line> {
        self.lines
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn blank(&mut self) -> &mut Self {
        self.lines.push(Line::default());
        self
    }

    /// One line of parts, each with its role.
    pub fn line(&mut self, parts: &[(&str, Role)]) -> &mut Self {
        let pieces = parts.iter().map(|(text, role)| Piece::new(*text, self.look.style(*role)));
        self.lines.push(pieces.collect());
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.line(&[(text, Role::Text)])
    }

    pub fn muted(&mut self, text: &str) -> &mut Self {
        self.line(&[(text, Role::Muted)])
    }

    pub fn title(&mut self, text: &str) -> &mut Self {
        self.line(&[(text, Role::Title)])
    }

    /// Text of several lines, kept as lines.
    pub fn lines(&mut self, text: &str, role: Role) -> &mut Self {
        for line in text.lines() {
            self.line(&[(line, role)]);
        }
        self
    }

    /// A sign, then a sentence.
    pub fn signed(&mut self, sign: (&str, Style), text: &str, role: Role) -> &mut Self {
        let mark = Piece::new(format!("{} ", sign.0), sign.1);
        self.lines.push(vec![mark, Piece::new(text, self.look.style(role))]);
        self
    }

    /// `name   value`, the name in a column of this width.
    pub fn pair(&mut self, name: &str, width: usize, value: &str) -> &mut Self {
        let padded = format!("{name:<width$} ");
        self.line(&[(&padded, Role::Muted), (value, Role::Text)])
    }

    /// A statement, its words told apart.
    pub fn sql(&mut self, text: &str, dialect: Dialect) -> &mut Self {
        self.lines.extend(sql::lines(text, dialect, self.look));
        self
    }

    pub fn push(&mut self, line: Line) -> &mut Self {
        self.lines.push(line);
        self
    }
}

/// `now`, `12 min ago`, `3 h ago`: by the minute, so that a page on which nothing happens stays as it
/// is, and a slow link is silent.
pub fn ago(seconds: i64) -> String {
    match seconds {
        ..=59 => "now".into(),
        60..=5999 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3600),
    }
}

/// Time that goes on, by the minute: `<1 min`, `14 min`, `2 h 05 min`.
pub fn going_on(seconds: i64) -> String {
    match seconds {
        ..=59 => "<1 min".into(),
        60..=3599 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Time that runs out: by the minute, and the last one by the second.
pub fn to_go(seconds: i64) -> String {
    match seconds {
        ..=0 => "0 s".into(),
        1..=60 => format!("{seconds} s"),
        _ => going_on((seconds + 59) / 60 * 60),
    }
}

/// A moment as the journal has it, and as the clock on the wall has it where that is another.
pub fn moment(at: Timestamp, form: &str) -> String {
    let local = at.to_zoned(TimeZone::system());
    let utc = at.strftime(form);
    if local.offset() == Offset::UTC {
        format!("{utc} UTC")
    } else {
        format!("{utc} UTC {}", local.strftime("%H:%M"))
    }
}

/// `00:14:32`; with a minus sign when it is over.
pub fn clock(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let n = seconds.unsigned_abs();
    if n >= 3600 {
        format!("{sign}{:02}:{:02}:{:02}", n / 3600, n / 60 % 60, n % 60)
    } else {
        format!("{sign}{:02}:{:02}", n / 60, n % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_move_by_the_minute_and_a_countdown_ends_by_the_second() {
        assert_eq!(
            [0, 59, 60, 119, 3600].map(ago),
            ["now", "now", "1 min ago", "1 min ago", "60 min ago"]
        );
        assert_eq!([0, 59, 60, 7500].map(going_on), ["<1 min", "<1 min", "1 min", "2 h 05 min"]);
        assert_eq!(
            [3601, 1200, 1199, 1141, 1140, 61, 60, 1, 0].map(to_go),
            ["1 h 01 min", "20 min", "20 min", "20 min", "19 min", "2 min", "60 s", "1 s", "0 s"]
        );
    }
}
