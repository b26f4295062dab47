//! What changed, as sentences: a place that was entered is told whole, elsewhere only lines that are
//! new. Both looks at a page are taken at the same second, so that no clock counts as news.

use std::io::{self, Write};

use super::out::Out;
use super::page;
use crate::tui::app::{App, Screen, Toast};
use crate::tui::command::Command;
use crate::tui::keymap::{self, Context};
use crate::tui::message::Message;
use crate::tui::reach;
use crate::tui::screen::home::{self, Item};
use crate::tui::widget::table::Table;

/// Lines of a page that are told at a time.
const LINES: usize = 40;

/// What is told whole when one comes to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    screen: Screen,
    incident: Option<String>,
    step: usize,
}

impl Place {
    fn of(app: &App) -> Self {
        Self {
            screen: app.screen,
            incident: app.case.as_ref().map(|case| case.incident.id.clone()),
            step: app.case.as_ref().map_or(0, |case| case.at),
        }
    }
}

/// The app as it was before messages came.
#[derive(Debug, Default)]
struct Before {
    /// The page, and what lies on it.
    lines: Vec<String>,
    /// What works on the screen; none while something lies on it.
    keys: Option<String>,
    verdict: Option<String>,
    toast: Option<Toast>,
    refused: Option<String>,
    overdue: bool,
    kind: Kind,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Only the clock moved.
    Tick,
    /// A check answered; it may have said the same as before.
    Check,
    #[default]
    Other,
}

#[derive(Debug, Default)]
pub struct Tell {
    place: Option<Place>,
    before: Before,
    /// The page before that one; an execution ends on what its preview showed.
    earlier: Vec<String>,
    /// What is to be told.
    news: Vec<String>,
    whole: bool,
    new_keys: bool,
    /// From which row of the table on.
    from: usize,
    /// What did not fit any more.
    rest: Vec<String>,
    /// The list of the home screen as it was told last: its numbers are those that are answered.
    pub listed: Vec<Item>,
}

impl Tell {
    /// Looks at the app before messages change it; the app has their time already.
    pub fn before(&mut self, app: &App, messages: &[Message]) {
        for message in messages {
            if let Message::Recorded(record) = message
                && record.entry.is_narrative()
            {
                let sentence = record.entry.sentence().replace('\n', " / ");
                self.news.push(format!("Recorded: {sentence}"));
            }
        }
        let kind = match messages {
            [Message::Tick] => Kind::Tick,
            [Message::Checked { .. }] => Kind::Check,
            _ => Kind::Other,
        };
        let looked = kind != Kind::Tick;
        self.before = Before {
            lines: if looked { self.look(app) } else { Vec::new() },
            keys: (looked && app.overlay.is_none()).then(|| page::keys(app)),
            verdict: verdict(app),
            toast: app.toast.clone(),
            refused: page::refused(app).map(str::to_owned),
            overdue: overdue(app),
            kind,
        };
    }

    /// And after them; whether there is something to tell.
    pub fn after(&mut self, app: &App) -> bool {
        if app.toast != self.before.toast
            && let Some(toast) = &app.toast
        {
            self.news.push(toast.text.clone());
        }
        if let Some(refused) = page::refused(app)
            && self.before.refused.as_deref() != Some(refused)
        {
            self.news.push(refused.to_owned());
        }
        if overdue(app) && !self.before.overdue {
            self.news.push("The update that was promised is due now.".into());
        }
        let place = Place::of(app);
        let again = match self.before.kind {
            Kind::Tick => true,
            Kind::Check => verdict(app) == self.before.verdict,
            Kind::Other => false,
        };
        if self.place.as_ref() != Some(&place) {
            self.place = Some(place);
            self.whole();
        } else if !self.whole && !again {
            let now = self.look(app);
            self.changed_to(app, &now);
        }
        let asks = app.overlay.as_ref().is_some_and(|overlay| !overlay.drawn);
        self.whole || self.new_keys || asks || !self.news.is_empty()
    }

    /// Everything that can be read just now.
    fn look(&self, app: &App) -> Vec<String> {
        let mut lines = page::body(app, self.from);
        if let Some(overlay) = app.overlay.as_ref().filter(|overlay| overlay.drawn) {
            lines.extend(page::overlay(app, overlay));
        }
        lines
    }

    fn changed_to(&mut self, app: &App, now: &[String]) {
        let mut new = added(&self.before.lines, now);
        if app.screen == Screen::Recovery {
            new = added(&self.earlier, &new);
        }
        if !new.is_empty() {
            self.earlier.clone_from(&self.before.lines);
            self.news.extend(new);
        }
        let before = self.before.keys.as_ref();
        self.new_keys |=
            app.overlay.is_none() && before.is_some_and(|keys| *keys != page::keys(app));
    }

    pub fn say(&mut self, words: impl Into<String>) {
        self.news.push(words.into());
    }

    /// The whole page is to be told.
    pub fn whole(&mut self) {
        self.whole = true;
        self.from = 0;
        self.earlier.clear();
    }

    /// The next of what did not fit, or the next rows of the table.
    pub fn more(&mut self, app: &App) {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return self.first_of(rest);
        }
        let rows = app.violations.table.as_ref().map_or(0, Table::len);
        if app.screen == Screen::Violations && ((self.from + page::ROWS) as u64) < rows {
            let before = page::body(app, self.from);
            self.from += page::ROWS;
            let next = added(&before, &page::body(app, self.from));
            self.news.extend(next);
            return;
        }
        self.say("that was all; where tells it again");
    }

    fn first_of(&mut self, mut lines: Vec<String>) {
        if lines.len() > LINES {
            self.rest = lines.split_off(LINES);
            lines.push(format!("({} more lines; more tells them)", self.rest.len()));
        }
        self.news.extend(lines);
    }

    /// What works now: keys, commands, and the words of line mode.
    pub fn help(&mut self, app: &App) {
        let mut lines = Vec::new();
        let context = app.context();
        for entry in app.keymap.entries(context) {
            let moves = is_movement(entry.command) && entry.context == Context::Global;
            if moves || (app.overlay.is_none() && !reach::is_in(app, entry.command)) {
                continue;
            }
            let keys: Vec<String> = entry.keys.iter().map(ToString::to_string).collect();
            let keys =
                if keys.is_empty() { String::new() } else { format!("{}, ", keys.join(" ")) };
            lines.push(format!(
                "  {keys}{}: {}",
                entry.command.name(),
                keymap::help(context, entry.command)
            ));
        }
        lines.push("  an empty line: enter".into());
        lines.push("  a number: that item of the list, or that row of the table".into());
        lines.push("  more: what did not fit; where: the whole page again".into());
        lines.push("Type a key or a name, then enter. Where a text is asked for, a colon stands before a command: :back".into());
        self.first_of(lines);
    }

    /// Writes what there is to tell. Whether there was anything.
    pub fn write(&mut self, app: &mut App, out: &mut Out<impl Write>) -> io::Result<bool> {
        if app.screen == Screen::Home {
            self.listed = home::items(app);
        }
        let mut lines = std::mem::take(&mut self.news);
        if std::mem::take(&mut self.whole) {
            lines.extend(page::heading(app));
            self.rest.clear();
            self.first_of(page::body(app, self.from));
            lines.append(&mut self.news);
            self.new_keys = true;
        }
        if std::mem::take(&mut self.new_keys) && app.overlay.is_none() {
            lines.push(page::keys(app));
        }
        let is_new = app.overlay.as_ref().is_some_and(|overlay| !overlay.drawn);
        if let Some(overlay) = &mut app.overlay {
            overlay.was_shown();
        }
        if let Some(overlay) = app.overlay.as_ref().filter(|_| is_new) {
            let told = page::overlay(app, overlay);
            self.first_of(told);
            lines.append(&mut self.news);
        }
        let lines = without_gaps(lines);
        if lines.is_empty() {
            return Ok(false);
        }
        out.block(&lines)?;
        Ok(true)
    }
}

fn is_movement(command: Command) -> bool {
    matches!(
        command,
        Command::Up
            | Command::Down
            | Command::PageUp
            | Command::PageDown
            | Command::HalfUp
            | Command::HalfDown
            | Command::First
            | Command::Last
            | Command::Theme
            | Command::Palette
    )
}

/// What the present step's check says since somebody wanted to know.
fn verdict(app: &App) -> Option<String> {
    let case = app.case.as_ref()?;
    let check = app.violations.check.as_deref().filter(|_| app.screen == Screen::Violations);
    let check = check.or(case.check_of_step())?;
    case.answer_of(check).map(crate::incident::entry::verdict_words)
}

fn overdue(app: &App) -> bool {
    crate::tui::view::top_line(app).update.is_some_and(|(_, overdue)| overdue)
}

/// Lines that were not there before, in their order.
fn added(before: &[String], after: &[String]) -> Vec<String> {
    let mut known: Vec<&str> = before.iter().map(|line| unnumbered(line)).collect();
    let mut new = Vec::new();
    for line in after.iter().filter(|line| !line.trim().is_empty()) {
        match known.iter().position(|old| *old == unnumbered(line)) {
            Some(at) => _ = known.swap_remove(at),
            None => new.push(line.clone()),
        }
    }
    new
}

/// An item that only moved in its list is no news.
fn unnumbered(line: &str) -> &str {
    match line.trim_start().split_once(". ") {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    }
}

/// Empty lines say nothing to who listens, and a block ends where the next begins.
fn without_gaps(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| !line.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_are_new_are_told() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(added(&lines("a\nb\nb"), &lines("b\nc\n\nb\nb")), ["c", "b"]);
        assert_eq!(added(&lines(" 1. a"), &lines(" 1. b\n 2. a")), [" 1. b"]);
        assert_eq!(without_gaps(lines("a\n\n b\n ")), ["a", " b"]);
    }
}
