//! The first and the last line of every screen: where one is, and which keys work now.
//!
//! What matters least goes first when the terminal is narrow; the environment, the target and the
//! severity never do. Times come as words, because nothing here knows what time it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::look::{Look, Pen, columns, shown};
use crate::tui::theme::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Production,
    Staging,
    Development,
    Demo,
    Drill,
    /// What was, and not what is.
    Replay,
    /// What somebody else does.
    Watching,
}

impl Environment {
    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "PRODUCTION",
            Self::Staging => "staging",
            Self::Development => "development",
            Self::Demo => "demo",
            Self::Drill => "DRILL",
            Self::Replay => "REPLAY",
            Self::Watching => "WATCHING",
        }
    }

    pub fn role(self) -> Role {
        match self {
            Self::Production => Role::Production,
            Self::Staging => Role::Staging,
            Self::Development => Role::Development,
            Self::Demo | Self::Drill | Self::Replay | Self::Watching => Role::Drill,
        }
    }
}

/// Line 1. Every part that is missing takes no room.
#[derive(Debug, Clone, Default)]
pub struct Context {
    pub target: Option<(Environment, String)>,
    /// "`PostgreSQL` 15 primary"
    pub engine: String,
    /// The role that is logged in.
    pub role: String,
    /// "INC-0042"
    pub incident: String,
    pub severity: String,
    /// "open 14 min"
    pub open: String,
    /// "checking 3 s": what is under way, and for how long.
    pub running: String,
    /// "next update in 6 min", and whether it is overdue.
    pub update: Option<(String, bool)>,
    /// Shown at the left where there is no target: the name of the program.
    pub title: String,
    /// Shown at the right where there is no incident: "3 targets, 1 open incident".
    pub summary: String,
}

impl Context {
    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let left = self.left(look);
        let right = self.right(look);
        let wide = |parts: &[Part]| parts.iter().map(|part| part.columns() + 2).sum::<u16>();
        let mut shown: Vec<&Part> = left.iter().chain(&right).collect();
        // The highest rank goes first; rank 0 stays, cut by the edge if it must be.
        while shown.iter().map(|part| part.columns() + 2).sum::<u16>()
            > area.width.saturating_add(1)
        {
            let Some(rank) = shown.iter().map(|part| part.rank).max().filter(|rank| *rank > 0)
            else {
                break;
            };
            shown.retain(|part| part.rank != rank);
        }
        let kept = |parts: Vec<Part>| -> Vec<Part> {
            parts.into_iter().filter(|part| shown.contains(&part)).collect()
        };
        let (left, right) = (kept(left.clone()), kept(right.clone()));

        let mut pen = Pen::new(buf, area, 0);
        for part in &left {
            pen.put(&part.text, part.style).skip(2);
        }
        let end = wide(&right).saturating_sub(2);
        pen.skip(pen.left().saturating_sub(end + 1));
        for part in &right {
            pen.put(&part.text, part.style).skip(2);
        }
    }

    fn left(&self, look: &Look) -> Vec<Part> {
        let mut parts = Vec::new();
        match &self.target {
            Some((environment, target)) => {
                let word = format!(" {} ", environment.word());
                parts.push(Part::new(0, word, look.style(environment.role())));
                parts.push(Part::new(0, target, look.style(Role::Title)));
            }
            None => parts.push(Part::new(0, format!(" {}", self.title), look.style(Role::Title))),
        }
        let server = [self.engine.as_str(), self.role.as_str()]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(&format!(" {} ", look.glyphs.separator));
        parts.push(Part::new(4, server, look.style(Role::Muted)));
        parts.retain(|part| !part.text.trim().is_empty());
        parts
    }

    fn right(&self, look: &Look) -> Vec<Part> {
        let plain = Style::new();
        let mut parts = vec![
            Part::new(5, &self.summary, look.style(Role::Muted)),
            Part::new(2, &self.incident, plain),
            Part::new(0, &self.severity, look.style(Role::Title)),
            Part::new(3, &self.open, plain),
            Part::new(1, &self.running, look.style(Role::Focus)),
        ];
        if let Some((words, overdue)) = &self.update {
            let role = if *overdue { Role::Danger } else { Role::Text };
            parts.push(Part::new(1, words, look.style(role)));
        }
        parts.retain(|part| !part.text.is_empty());
        parts
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Part {
    rank: u8,
    text: String,
    style: Style,
}

impl Part {
    fn new(rank: u8, text: impl Into<String>, style: Style) -> Self {
        Self { rank, text: shown(&text.into()).into_owned(), style }
    }

    fn columns(&self) -> u16 {
        columns(&self.text)
    }
}

/// The last line: what works now, what is recommended first.
#[derive(Debug, Clone, Default)]
pub struct Footer {
    keys: Vec<(String, String)>,
}

impl Footer {
    /// Pairs of key and word; commands without a key are left out.
    pub fn new<W: Into<String>>(keys: impl IntoIterator<Item = (Option<String>, W)>) -> Self {
        let keys = keys.into_iter().filter_map(|(key, word)| Some((key?, word.into()))).collect();
        Self { keys }
    }

    /// All of it as a sentence.
    pub fn words(&self) -> String {
        let words: Vec<String> =
            self.keys.iter().map(|(key, word)| format!("{key} {word}")).collect();
        words.join("; ")
    }

    /// Dropped from the right where it is narrow; the very last, which is the help, goes last.
    pub fn view(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        const GAP: u16 = 3;
        let wide = |(key, word): &(String, String)| columns(key) + 1 + columns(word);
        let room = area.width.saturating_sub(1);
        let total: u16 = self.keys.iter().map(|pair| wide(pair) + GAP).sum();
        let last = self.keys.len().saturating_sub(1);
        let reserved = match self.keys.last() {
            Some(help) if total.saturating_sub(GAP) > room => wide(help) + GAP,
            _ => 0,
        };
        let mut pen = Pen::new(buf, area, 0);
        pen.skip(1);
        let mut taken = 0;
        let mut full = false;
        for (at, pair) in self.keys.iter().enumerate() {
            let kept_free = if at == 0 || at == last { 0 } else { reserved };
            full |= at != last && taken + wide(pair) + kept_free > room;
            if (full && at != last) || taken + wide(pair) > room {
                continue;
            }
            let word = if at == 0 { look.style(Role::Title) } else { Style::new() };
            pen.put(&pair.0, look.style(Role::Key)).put(" ", Style::new()).put(&pair.1, word);
            pen.skip(GAP);
            taken += wide(pair) + GAP;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{ascii, look, rows, survives_every_size};

    fn context(environment: Environment) -> Context {
        Context {
            target: Some((environment, "erp-prod".into())),
            engine: "PostgreSQL 15 primary".into(),
            role: "erp_readonly".into(),
            incident: "INC-0042".into(),
            severity: "SEV-2".into(),
            open: "open 00:14".into(),
            update: Some(("next update in 05:28".into(), false)),
            ..Context::default()
        }
    }

    fn line(context: &Context, width: u16) -> String {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, 1));
        context.view(buf.area, &mut buf, &look());
        rows(&buf).remove(0)
    }

    #[test]
    fn what_matters_least_goes_first() {
        let context = context(Environment::Production);
        assert_eq!(
            line(&context, 120),
            " PRODUCTION   erp-prod  PostgreSQL 15 primary · erp_readonly          INC-0042  SEV-2  open 00:14  next update in 05:28"
        );
        assert_eq!(
            line(&context, 80),
            " PRODUCTION   erp-prod        INC-0042  SEV-2  open 00:14  next update in 05:28"
        );
        assert_eq!(line(&context, 52), " PRODUCTION   erp-prod  SEV-2  next update in 05:28");
        assert_eq!(line(&context, 32), " PRODUCTION   erp-prod    SEV-2");
    }

    #[test]
    fn only_production_is_filled() {
        for (environment, filled) in [
            (Environment::Production, 12),
            (Environment::Staging, 0),
            (Environment::Development, 0),
            (Environment::Drill, 0),
        ] {
            let mut buf = Buffer::empty(Rect::new(0, 0, 80, 1));
            context(environment).view(buf.area, &mut buf, &look());
            let count =
                buf.content().iter().filter(|c| c.bg != ratatui::style::Color::Reset).count();
            assert_eq!(count, filled, "{environment:?}");
        }
    }

    #[test]
    fn the_home_screen_has_a_title_and_a_summary() {
        let context = Context {
            title: "steadyhand".into(),
            summary: "3 targets, 1 open incident".into(),
            ..Context::default()
        };
        assert_eq!(line(&context, 50), " steadyhand            3 targets, 1 open incident");
    }

    #[test]
    fn keys_go_from_the_right_and_the_help_stays() {
        let key = |key: &str| Some(key.to_owned());
        let footer = Footer::new([
            (key("enter"), "next step"),
            (key("v"), "rows"),
            (None, "export"),
            (key("p"), "preview"),
            (key("?"), "help"),
        ]);
        let line = |width| {
            let mut buf = Buffer::empty(Rect::new(0, 0, width, 1));
            footer.view(buf.area, &mut buf, &look());
            rows(&buf).remove(0)
        };
        assert_eq!(line(80), " enter next step   v rows   p preview   ? help");
        assert_eq!(line(40), " enter next step   v rows   ? help");
        assert_eq!(line(18), " enter next step");
    }

    #[test]
    fn every_size_can_be_drawn() {
        for look in [look(), ascii()] {
            let context = context(Environment::Production);
            survives_every_size(|area, buf| context.view(area, buf, &look));
            survives_every_size(|area, buf| Context::default().view(area, buf, &look));
            let footer = Footer::new([(Some("q".to_owned()), "quit")]);
            survives_every_size(|area, buf| footer.view(area, buf, &look));
        }
    }
}
