//! What a command or a paste does in the box that lies on top.

use crossterm::event::KeyEvent;

use crate::recovery::protocol::Said;
use crate::tui::app::{App, Lost};
use crate::tui::command::Command;
use crate::tui::draft;
use crate::tui::effect::Effect;
use crate::tui::overlay::comms::AUDIENCES;
use crate::tui::overlay::{Kind, Overlay, Purpose, answer, comms, outside, tour};
use crate::tui::screen::recovery;
use crate::tui::widget::list::Cursor;

use super::input::command_given;

/// More than anybody writes on one line, in bytes.
const LONG: usize = 4096;

pub(super) fn is_columns(app: &App) -> bool {
    matches!(app.overlay.as_ref().map(|overlay| &overlay.kind), Some(Kind::Columns { .. }))
}

/// A paste is text. One of several lines makes room for them where a note is asked for.
pub(super) fn pasted(app: &mut App, text: &str) {
    let Some(overlay) = app.overlay.as_mut().filter(|overlay| overlay.drawn) else { return };
    let lines = text.trim_end().contains(['\n', '\r']) || text.len() > LONG;
    match &mut overlay.kind {
        Kind::Ask(ask) if ask.purpose == Purpose::Note && lines => {
            let mut writing = draft::note_on_lines(ask.prompt.text());
            writing.editor.insert(text);
            app.overlay = Some(Overlay::writing(writing));
        }
        Kind::Ask(_) if text.len() > LONG => {
            app.complain(format!(
                "{} bytes are too many for one line; nothing of it was taken",
                text.len()
            ));
        }
        _ => overlay.paste(text, app.heard),
    }
}

pub(super) fn in_overlay(app: &mut App, command: Command, event: Option<KeyEvent>) -> Vec<Effect> {
    let Some(overlay) = &mut app.overlay else { return Vec::new() };
    if let Kind::Writing(writing) = &mut overlay.kind
        && writing.on_command(command)
    {
        return Vec::new();
    }
    match (&mut overlay.kind, command) {
        (Kind::Writing(_), Command::Back | Command::Save) => return answer::edited(app, command),
        (Kind::Writing(_) | Kind::Ask(_) | Kind::Comms(_), Command::ExternalEditor) => {
            return outside::edit(app);
        }
        (Kind::Comms(_), Command::SeveralLines) => return comms::edit(app),
        (Kind::Ask(ask), Command::SeveralLines) if ask.purpose == Purpose::Note => {
            let writing = draft::note_on_lines(ask.prompt.text());
            app.overlay = Some(Overlay::writing(writing));
        }
        (_, Command::Back) => return dismiss(app),
        (Kind::Tour(card), Command::Confirm) if *card + 1 < tour::CARDS => *card += 1,
        (Kind::Tour(_), _) => return dismiss(app),
        (Kind::Changes { .. }, Command::Complete) => app.unfolded = !app.unfolded,
        (Kind::Text { copy: Some(text), .. }, Command::Complete | Command::Copy) => {
            let copied = text.clone();
            app.say(app.facts.between.asked("the card", "`steadyhand handover` prints it"));
            return vec![Effect::Clipboard(copied)];
        }
        (Kind::Ask(ask), command) if moves(command) => _ = ask.scroll.on_command(command),
        (Kind::Ask(_), Command::Confirm) => return answer::text(app),
        (Kind::Choice(_), Command::Confirm) => return answer::choice(app),
        (Kind::Choice(choice), command) if moves(command) => {
            choice.at = moved(choice.at, choice.items.len(), command);
        }
        (Kind::Columns { at }, command) if moves(command) => {
            let columns = app.violations.top().map_or(0, |table| table.columns().len());
            *at = moved(*at, columns, command);
        }
        (Kind::Columns { at }, Command::Confirm) => {
            if let Some(table) = app.violations.top_mut() {
                table.toggle_column(*at);
            }
        }
        (Kind::Comms(_), Command::Confirm) => return comms::give(app),
        (Kind::Comms(shown), Command::Copy) => {
            let (copied, audience) = (shown.texts[shown.at].clone(), AUDIENCES[shown.at]);
            let what = format!("the {audience} text");
            app.say(app.facts.between.asked(&what, "ctrl-e has it in $EDITOR"));
            return vec![Effect::Clipboard(copied)];
        }
        (Kind::Comms(comms), Command::Complete | Command::Down) => comms.turn((comms.at + 1) % 3),
        (Kind::Comms(comms), Command::Up) => comms.turn((comms.at + 2) % 3),
        (Kind::Comms(comms), command) if moves(command) => {
            comms.scroll.on_command(command);
        }
        (Kind::Palette(palette), command) if moves(command) => {
            palette.at = moved(palette.at, palette.found().len(), command);
        }
        (Kind::Palette(palette), Command::Confirm) => {
            if palette.prompt.submit(app.heard).is_none() {
                app.complain(answer::TOGETHER);
                return Vec::new();
            }
            let Some(chosen) = palette.chosen() else { return Vec::new() };
            app.overlay = None;
            return command_given(app, chosen, None);
        }
        (
            Kind::Text { scroll, .. } | Kind::Help { scroll } | Kind::Problem { scroll, .. },
            command,
        ) if moves(command) => _ = scroll.on_command(command),
        (Kind::Changes { roll, .. }, command) if roll.on_command(command) => {}
        (
            Kind::Text { .. } | Kind::Changes { .. } | Kind::Help { .. } | Kind::Problem { .. },
            Command::Confirm,
        ) => {
            app.uncover();
        }
        _ => {
            if let Some(event) = event {
                overlay.key(event, app.heard);
            }
        }
    }
    Vec::new()
}

fn moves(command: Command) -> bool {
    use Command::{Down, First, HalfDown, HalfUp, Last, PageDown, PageUp, Up};
    matches!(command, Up | Down | PageUp | PageDown | HalfUp | HalfDown | First | Last)
}

/// Where a cursor in so many lines of a box is then.
fn moved(at: usize, of: usize, command: Command) -> usize {
    const PAGE: u16 = 10;
    let mut cursor = Cursor::new(of);
    cursor.go(at);
    let _ = cursor.window(PAGE);
    cursor.on_command(command);
    cursor.at()
}

/// Takes the box away. Who asked for a confirmation hears that there is none.
pub(super) fn dismiss(app: &mut App) -> Vec<Effect> {
    let effects = draft::keep(app);
    let Some(mut overlay) = app.uncover() else { return effects };
    // A confirmation that was left alone is asked for anew; it never comes back half typed. What has
    // a draft is there again by itself.
    let comes_back = match &overlay.kind {
        Kind::Ask(ask) => ask.expected.is_none() && ask.purpose != Purpose::Note,
        // What it offered by its place may be something else by then.
        Kind::Choice(choice) => {
            !matches!(choice.purpose, Purpose::HandOver | Purpose::Related | Purpose::Escalate)
        }
        Kind::Text { .. } | Kind::Changes { .. } => true,
        _ => false,
    };
    if comes_back {
        overlay.drawn = false;
        app.lose(Lost::Overlay(Box::new(overlay)));
        return effects;
    }
    match overlay.kind {
        Kind::Tour(_) => vec![Effect::TourSeen],
        Kind::Ask(ask) if matches!(ask.purpose, Purpose::Execute) => recovery::say(app, Said::Back),
        Kind::Ask(ask) if ask.purpose == Purpose::Note && !ask.prompt.text().trim().is_empty() => {
            app.say("the note is not written; what you typed is there when you open it again");
            effects
        }
        _ => effects,
    }
}
