//! What a line means: the name of a key, of a command, a number of a list, or a text where one is
//! asked for. Everything becomes a message; nothing here changes the app by itself.

use crate::tui::app::{App, Screen};
use crate::tui::command::Command;
use crate::tui::keymap::Key;
use crate::tui::message::Message;
use crate::tui::overlay::{Kind, Overlay};
use crate::tui::screen::home::{self, Item};
use crate::tui::screen::journal;
use crate::tui::widget::table::Table;
use crate::value::thousands;

#[derive(Debug)]
pub enum Heard {
    /// To be taken as one.
    Messages(Vec<Message>),
    Say(String),
    More,
    Help,
}

/// Ends a text of several lines.
const END: &str = ".";

/// Whether the question that stands there wants words that write.
pub fn asks_to_write(app: &App) -> bool {
    words_of(app).is_some()
}

fn words_of(app: &App) -> Option<&str> {
    match app.overlay.as_ref().map(|overlay| &overlay.kind) {
        Some(Kind::Ask(ask)) => ask.expected.as_deref(),
        _ => None,
    }
}

/// What puts a box away that only tells, once it was told.
pub fn closes(app: &App) -> Option<Command> {
    match app.overlay.as_ref()? {
        Overlay { kind: Kind::Tour(_), drawn: true } => Some(Command::Back),
        Overlay {
            kind:
                Kind::Text { .. } | Kind::Changes { .. } | Kind::Help { .. } | Kind::Problem { .. },
            drawn: true,
        } => Some(Command::Confirm),
        _ => None,
    }
}

pub fn hear(
    app: &mut App,
    line: &str,
    listed: &[Item],
    sure: &mut Option<String>,
    written: &mut Vec<String>,
    is_terminal: bool,
) -> Vec<Heard> {
    if let Some(words) = sure.take() {
        // Only what was confirmed, and only by an enter that came alone after it.
        if line.is_empty() && words_of(app) == Some(&words) {
            return vec![typed(words)];
        }
        let said = "left alone; nothing was executed";
        return vec![one(Command::Back), Heard::Say(said.into())];
    }
    if !matches!(app.overlay.as_ref().map(|overlay| &overlay.kind), Some(Kind::Writing(_))) {
        written.clear();
    }
    match app.overlay.as_ref().map(|overlay| &overlay.kind) {
        None => on_screen(app, line, listed),
        Some(Kind::Ask(ask)) => match &ask.expected {
            Some(expected) if line == expected => {
                if !is_terminal {
                    let said = "standard input is not a terminal, and what writes must be typed at \
                                one; nothing was executed";
                    return vec![one(Command::Back), Heard::Say(said.into())];
                }
                *sure = Some(expected.clone());
                vec![Heard::Say(
                    "These are the words. An enter alone executes; anything else leaves it alone."
                        .into(),
                )]
            }
            _ => text(app, line, ask.prompt.text()),
        },
        Some(Kind::Writing(_)) => lines(app, line, written),
        Some(Kind::Choice(choice)) => {
            let items = &choice.items;
            let meant = |item: &String| item.eq_ignore_ascii_case(line.trim());
            let at = match number(line) {
                Some(number) => Some(number).filter(|at| *at < items.len()),
                None => items.iter().position(meant),
            };
            match at {
                Some(at) => {
                    let up = vec![Command::Up; items.len()];
                    all([up, vec![Command::Down; at], vec![Command::Confirm]].concat())
                }
                None => command(app, line),
            }
        }
        Some(_) => command(app, line),
    }
}

fn on_screen(app: &App, line: &str, listed: &[Item]) -> Vec<Heard> {
    match (number(line), app.screen) {
        (Some(at), Screen::Home) => match now_at(listed, at, &home::items(app)) {
            Some(at) => to(at, Command::Open),
            None => {
                vec![Heard::Say(format!("nothing of the list as it is now was told as {line}"))]
            }
        },
        (Some(at), Screen::Violations) => {
            let rows = app.violations.top().map_or(0, Table::len);
            reach(at, usize::try_from(rows).unwrap_or(usize::MAX), Command::OpenRow)
        }
        (Some(at), Screen::Journal) => reach(at, journal::listed(app).len(), Command::Open),
        _ => command(app, line),
    }
}

/// Where a thing stands by now that was told under this number: the list may have moved since.
fn now_at(listed: &[Item], number: usize, now: &[Item]) -> Option<usize> {
    let meant = listed.get(number)?;
    now.iter().position(|item| item == meant)
}

/// To one of so many items of a list, and into it, unless there is none of that number.
fn reach(at: usize, of: usize, then: Command) -> Vec<Heard> {
    // Each item on the way is a step.
    const FAR: usize = 10_000;
    let why = match at {
        at if at < of.min(FAR) => return to(at, then),
        at if at < of => format!("that is far down; `:{}` goes there", Command::GoTo.name()),
        _ if of == 0 => "there are no rows here".to_owned(),
        _ => format!("there are rows 1 to {}", thousands(of as u64)),
    };
    vec![Heard::Say(why)]
}

fn to(at: usize, then: Command) -> Vec<Heard> {
    all([vec![Command::First], vec![Command::Down; at], vec![then]].concat())
}

fn all(commands: Vec<Command>) -> Vec<Heard> {
    vec![Heard::Messages(commands.into_iter().map(Message::Command).collect())]
}

/// Numbers are counted from one where people see them.
fn number(line: &str) -> Option<usize> {
    line.trim().parse::<usize>().ok()?.checked_sub(1)
}

fn one(command: Command) -> Heard {
    Heard::Messages(vec![Message::Command(command)])
}

/// A key or a command by its name, perhaps behind a colon.
fn command(app: &App, line: &str) -> Vec<Heard> {
    let name = line.trim();
    let name = name.strip_prefix(':').map_or(name, str::trim);
    let found = match name {
        "" if line.trim().is_empty() => by_key(app, "enter"),
        "" => Some(Command::Help),
        "more" => return vec![Heard::More],
        "where" => Some(Command::Repaint),
        "?" => Some(Command::Help),
        "\u{1b}" => Some(Command::Back),
        name => by_key(app, name).or_else(|| Command::from_name(name)),
    };
    match found {
        Some(Command::Help | Command::Palette) => vec![Heard::Help],
        Some(Command::PageDown) if app.overlay.is_none() => vec![Heard::More],
        Some(command) => vec![one(command)],
        None => {
            vec![Heard::Say(format!("'{name}' is no key and no command; ? lists what works now"))]
        }
    }
}

fn by_key(app: &App, name: &str) -> Option<Command> {
    app.keymap.command_of(app.context(), Key::parse(name).ok()?)
}

/// An answer of one line. A colon leads to commands; an empty line takes what is proposed.
fn text(app: &App, line: &str, proposed: &str) -> Vec<Heard> {
    let typed = match line.strip_prefix(':') {
        Some("empty") => String::new(),
        Some(rest) if rest.starts_with(':') => rest.to_owned(),
        Some(_) => return command(app, line),
        None if line == "\u{1b}" => return vec![one(Command::Back)],
        None if line.is_empty() => proposed.to_owned(),
        None => line.to_owned(),
    };
    vec![self::typed(typed)]
}

/// A text of several lines, until its end.
fn lines(app: &App, line: &str, written: &mut Vec<String>) -> Vec<Heard> {
    match line.strip_prefix(':') {
        _ if line == END => {
            let text = std::mem::take(written).join("\n");
            // Nothing written leaves what was there.
            let kept = if text.is_empty() { one(Command::Back) } else { typed(text) };
            return vec![kept];
        }
        Some("empty") => return vec![typed(String::new())],
        Some(rest) if rest.starts_with(':') => written.push(rest.to_owned()),
        Some(_) => return command(app, line),
        None => written.push(line.to_owned()),
    }
    Vec::new()
}

fn typed(text: String) -> Heard {
    Heard::Messages(vec![Message::Typed(text)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_what_was_told_under_it() {
        let runbook = |id: &str| Item::Runbook(id.into());
        let wrong = |check: &str| Item::Wrong { target: "erp".into(), check: check.into() };
        let told = [wrong("late"), runbook("late"), runbook("orphans")];
        let moved = [wrong("orphans"), wrong("doubled"), runbook("late"), runbook("orphans")];
        assert_eq!(now_at(&told, 1, &moved), Some(2));
        assert_eq!(now_at(&told, 0, &moved), None, "it is clear by now");
        assert_eq!(now_at(&told, 3, &moved), None, "no such number was told");
    }
}
