//! What the operator does: a key, the wheel, a command; what means the same everywhere is done here.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};

use crate::tui::app::{App, Lost, Screen};
use crate::tui::case::Case;
use crate::tui::command::Command;
use crate::tui::draft;
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::overlay::{Kind, Overlay, escalation, palette};
use crate::tui::replay::moment;
use crate::tui::screen::{
    guardrail, home, journal, postmortem, recovery, server, step, violations,
};
use crate::tui::theme::Theme;

use super::leaving::{cancel, interrupt, quit, step_out, stop_case};
use super::overlay::{dismiss, in_overlay, is_columns};
use super::together;

pub fn key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    // What was typed before a box stood on the screen was not meant for it.
    if app.overlay.as_ref().is_some_and(|overlay| !overlay.drawn) {
        return Vec::new();
    }
    let context = app.context();
    match app.keymap.lookup(context, event) {
        Some(command) => command_given(app, command, Some(event)),
        // A box is ticked with space everywhere.
        None if event.code == KeyCode::Char(' ') && is_columns(app) => {
            in_overlay(app, Command::Confirm, None)
        }
        None if matches!(&app.overlay, Some(Overlay { kind: Kind::Tour(_), .. })) => dismiss(app),
        None => {
            match &mut app.overlay {
                Some(overlay) => overlay.key(event, app.heard),
                None if app.replay.is_some() => moment::refuse(app),
                None => {}
            }
            Vec::new()
        }
    }
}

/// The wheel moves as three arrow keys do; a click puts the cursor somewhere, and opens nothing.
pub(super) fn mouse(app: &mut App, event: MouseEvent) -> Vec<Effect> {
    if !app.mouse || app.overlay.as_ref().is_some_and(|overlay| !overlay.drawn) {
        return Vec::new();
    }
    let wheel = match event.kind {
        MouseEventKind::ScrollUp => Command::Up,
        MouseEventKind::ScrollDown => Command::Down,
        MouseEventKind::Down(MouseButton::Left) => {
            let at = app.clickable.as_ref().and_then(|list| list.at(event.column, event.row));
            if let (Some(at), Screen::Home, None) = (at, app.screen, &app.overlay) {
                app.home.at = home::items(app).into_iter().nth(at);
            }
            return Vec::new();
        }
        _ => return Vec::new(),
    };
    (0..3).flat_map(|_| command_given(app, wheel, None)).collect()
}

pub(super) fn command_given(
    app: &mut App,
    command: Command,
    event: Option<KeyEvent>,
) -> Vec<Effect> {
    if app.overlay.is_none() {
        app.toast = None;
    }
    app.stepping_out = false;
    match command {
        Command::Suspend => return step_out(app),
        Command::Repaint => return vec![Effect::Repaint],
        Command::Interrupt if app.replay.is_none() || app.overlay.is_some() => {
            return interrupt(app);
        }
        _ => {}
    }
    if app.overlay.is_some() {
        in_overlay(app, command, event)
    } else if app.replay.is_some() {
        moment::on_command(app, command)
    } else {
        on_screen(app, command)
    }
}

/// Commands that mean the same everywhere; the others go to the screen.
pub(super) fn on_screen(app: &mut App, command: Command) -> Vec<Effect> {
    match command {
        Command::Quit => quit(app),
        Command::Help => {
            app.cover(Overlay::help());
            Vec::new()
        }
        Command::Palette => {
            let palette = palette::Palette::new(app);
            app.cover(Overlay::new(Kind::Palette(Box::new(palette))));
            Vec::new()
        }
        Command::Mouse => {
            app.mouse = !app.mouse;
            app.say(if app.mouse {
                "wheel and click are for the cockpit; selecting text may need shift"
            } else {
                "the mouse is the terminal's"
            });
            vec![Effect::Mouse(app.mouse)]
        }
        Command::Tour => {
            app.cover(Overlay::tour());
            Vec::new()
        }
        Command::Card => {
            together::card(app);
            Vec::new()
        }
        Command::HandOver => {
            together::question(app);
            Vec::new()
        }
        Command::Oops => oops(app),
        Command::Theme => {
            let next = app.look.theme.next(app.facts.depth);
            let before = std::mem::replace(&mut app.look.theme, next);
            app.lose(Lost::Theme(Box::new(before)));
            let back = app.keymap.label(Context::Global, Command::Oops);
            let back = back.map_or_else(String::new, |key| format!("   {key} goes back"));
            let Theme { name, about, .. } = &app.look.theme;
            let kept = format!("until you leave; theme = \"{name}\" in steadyhand.toml keeps it");
            app.say(format!("theme {name}: {about}, {kept}{back}"));
            Vec::new()
        }
        Command::Cancel => cancel(app),
        Command::Back => back(app),
        Command::Incident
        | Command::Server
        | Command::Journal
        | Command::Postmortem
        | Command::Violations
        | Command::Note
        | Command::Severity
        | Command::Escalate
        | Command::Milestone
        | Command::CloseIncident => of_incident(app, command),
        other => match app.screen {
            Screen::Home => home::on_command(app, other),
            Screen::Step => step::on_command(app, other),
            Screen::Violations => violations::on_command(app, other),
            Screen::Recovery => recovery::on_command(app, other),
            Screen::Guardrail => guardrail::on_command(app, other),
            Screen::Server => server::on_command(app, other),
            Screen::Journal => journal::on_command(app, other),
            Screen::Postmortem => postmortem::on_command(app, other),
        },
    }
}

/// Commands that need an open incident.
pub(super) fn of_incident(app: &mut App, command: Command) -> Vec<Effect> {
    let Some(case) = &app.case else {
        app.complain("open an incident first");
        return Vec::new();
    };
    let open = case.incident.is_open();
    let ask = |app: &mut App, overlay: Overlay| {
        if open {
            app.cover(overlay);
        } else {
            app.complain("the incident is closed");
        }
        Vec::new()
    };
    match command {
        Command::Incident => {
            app.screen = Screen::Step;
            Vec::new()
        }
        Command::Server => {
            app.screen = Screen::Server;
            server::look(app)
        }
        Command::Journal => {
            app.screen = Screen::Journal;
            Vec::new()
        }
        Command::Postmortem => {
            app.screen = Screen::Postmortem;
            vec![Effect::Postmortem]
        }
        Command::Violations => {
            let check = case.check_of_step().or(case.main_check()).map(str::to_owned);
            violations::open(app, check)
        }
        Command::Note => {
            let overlay = draft::note(case);
            ask(app, overlay)
        }
        Command::Severity => {
            let now = case.incident.severity;
            let overlay = Overlay::severity(now, &app.facts.practice);
            ask(app, overlay)
        }
        Command::Escalate => match escalation::overlay(app) {
            Some(overlay) => ask(app, overlay),
            None => {
                app.complain("nobody is to be called at this severity");
                Vec::new()
            }
        },
        Command::Milestone => ask(app, Overlay::milestone()),
        Command::CloseIncident => step::close(app),
        _ => Vec::new(),
    }
}

pub(super) fn back(app: &mut App) -> Vec<Effect> {
    if app.screen == Screen::Violations && violations::back(app) {
        return Vec::new();
    }
    match app.screen {
        Screen::Home if !app.home.find.is_empty() => {
            let find = std::mem::take(&mut app.home.find);
            app.lose(Lost::Find(find));
            Vec::new()
        }
        Screen::Home => {
            app.say("q leaves");
            Vec::new()
        }
        Screen::Step => {
            if let Some(why) = app.case.as_ref().and_then(Case::must_end) {
                app.complain(why);
                return Vec::new();
            }
            app.screen = Screen::Home;
            app.forget_incident();
            let mut effects: Vec<Effect> = stop_case(app);
            effects.extend(app.explaining.take().map(|(run, _)| Effect::Stop { run }));
            if let Some(case) = app.case.take().filter(|case| case.incident.is_open()) {
                app.lose(Lost::Incident(case.incident.id));
            }
            app.violations = violations::Violations::default();
            effects.extend([Effect::Leave, Effect::ListIncidents]);
            effects.extend(home::survey_all(app));
            effects
        }
        _ => {
            app.screen = if app.case.is_some() { Screen::Step } else { Screen::Home };
            Vec::new()
        }
    }
}

/// Brings back what the last key took away. What was recorded stays recorded.
pub(super) fn oops(app: &mut App) -> Vec<Effect> {
    let Some(lost) = app.undone.pop() else {
        app.say("nothing to take back; what was recorded stays recorded");
        return Vec::new();
    };
    match lost {
        Lost::Overlay(overlay) => app.overlay = Some(*overlay),
        Lost::Theme(theme) => {
            app.say(format!("theme {} again", theme.name));
            app.look.theme = *theme;
        }
        Lost::Find(find) => app.home.find = find,
        Lost::Filter { check, filter } => return violations::filter_again(app, &check, &filter),
        Lost::Incident(incident) => {
            if app.screen == Screen::Home {
                return home::go_to(app, Effect::Resume { incident });
            }
        }
    }
    Vec::new()
}
