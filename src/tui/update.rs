//! Update: one message in, effects out. Routing and what belongs to no screen; the rest is a call.
//!
//! Names neither operations nor engines: what it wants done it returns.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use jiff::Timestamp;

use super::app::{App, Lost, Screen, Start};
use super::case::Case;
use super::command::Command;
use super::draft;
use super::effect::Effect;
use super::keymap::Context;
use super::message::{Message, Opened};
use super::overlay::{Kind, Overlay, Purpose, answer, comms, escalation, outside, palette, tour};
use super::replay::moment;
use super::screen::{
    guardrail, home, journal, plan, postmortem, recovery, server, step, violations,
};
use super::theme::Theme;
use crate::check::{Delta, Finding, Verdict};
use crate::exit::Exit;
use crate::guardrail::Standing;
use crate::incident::Chunked;
use crate::incident::entry::{Entry, Milestone, Origin, Outcome};
use crate::recovery::mass::Rein;
use crate::recovery::protocol::Said;
use crate::runbook::Step;
use crate::runbook::progress::StepState;
use crate::value::pile::Pile;
use crate::value::thousands;

/// More than anybody writes on one line, in bytes.
const LONG: usize = 4096;

/// Takes in one message.
#[must_use]
pub fn update(app: &mut App, message: Message, now: Timestamp) -> Vec<Effect> {
    app.now = now;
    if app.replay.is_some() {
        return moment::update(app, message);
    }
    let effects = match message {
        Message::Key(event) => key(app, event),
        Message::Paste(text) => {
            pasted(app, &text);
            Vec::new()
        }
        Message::Command(command) => match &app.overlay {
            Some(overlay) if !overlay.drawn => Vec::new(),
            _ => command_given(app, command, None),
        },
        Message::Typed(text) => answer::whole(app, &text),
        Message::Resized | Message::Continued => Vec::new(),
        Message::Mouse(event) => mouse(app, event),
        Message::Ground(ground) => {
            let fitting = Theme::built_in(Theme::name_for(ground), app.facts.depth);
            if let Some(theme) = fitting {
                app.look.theme = theme;
            }
            Vec::new()
        }
        Message::Tick => {
            let mut effects = draft::keep(app);
            effects.extend(tick(app));
            effects
        }
        Message::GoAway(why) => {
            let mut effects = draft::keep(app);
            effects.extend(go_away(app, why));
            effects
        }
        Message::Prepared(outcome) => prepared(app, outcome),
        Message::Incidents(incidents) => {
            app.home.incidents = incidents;
            home::settle_cursor(app);
            Vec::new()
        }
        Message::Surveyed { run, target, survey } => {
            home::surveyed(app, run, &target, survey);
            Vec::new()
        }
        Message::Opened(opened) => {
            app.home.opening = false;
            match opened {
                Ok(opened) => enter_case(app, *opened),
                Err(problem) => tell(app, problem),
            }
        }
        Message::Recorded(record) => {
            if let Some(case) = &mut app.case {
                case.incident.apply(&record);
            }
            Vec::new()
        }
        Message::JournalFailed(why) => {
            let sentence = format!("the journal cannot be written: {why}");
            app.read_only = Some(sentence.clone());
            let hint = "Nothing more is done from here, only shown. Make room on the disk, then leave and resume.";
            tell(app, crate::problem::Problem::system(sentence).hint(hint))
        }
        Message::Reading { run, check, rows } => violations::reading(app, run, &check, rows),
        Message::Checked { run, check, finding, delta, rows, cut } => {
            checked(app, run, &check, finding, delta, rows, cut)
        }
        Message::Working { run, words, percent } => {
            violations::working(app, run, words, percent);
            Vec::new()
        }
        Message::Worked { run, done } => violations::worked(app, run, done),
        Message::Copied(copied) => violations::copied(app, copied),
        Message::Relations { run, found } => violations::related(app, run, found),
        Message::Related { run, found } => violations::arrived(app, run, found),
        Message::Explained { run, plans } => {
            plan::explained(app, run, plans);
            Vec::new()
        }
        Message::LookedFirst { run, step, look } => recovery::looked(app, run, &step, look),
        Message::Previewed { run, step, preview } => recovery::previewed(app, run, &step, preview),
        Message::Moved { run, step, progress } => {
            recovery::moved(app, run, &step, *progress);
            Vec::new()
        }
        Message::Executed { run, step, execution } => {
            recovery::executed(app, run, &step, execution)
        }
        Message::Resolved { step, outcome, .. } => resolved(app, &step, outcome),
        Message::Rehearsed { run, step, rehearsal } => {
            guardrail::rehearsed(app, run, &step, rehearsal)
        }
        Message::GuardPut { run, step, outcome, why } => {
            guardrail::put(app, run, &step, outcome, &why)
        }
        Message::Looked { run, seen } => {
            server::looked(app, run, seen);
            Vec::new()
        }
        Message::SessionEnded(ended) => server::ended(app, ended),
        Message::CommandRan { run, step, argv, ran, output } => {
            command_ran(app, run, &step, argv, *ran, output)
        }
        Message::Exported { check, format, exported, .. } => match exported {
            Ok(file) => {
                let folder = app.case.as_ref().map(|case| case.folder.as_path());
                let inside = folder.and_then(|folder| file.path.strip_prefix(folder).ok());
                let path = inside.unwrap_or(&file.path).display().to_string();
                app.say(format!("{} rows: {path} of the incident's folder", file.rows));
                let (rows, sha256) = (file.rows, file.sha256);
                vec![Effect::Append(Entry::Exported { check, format, rows, path, sha256 })]
            }
            Err(problem) => tell(app, problem),
        },
        Message::Postmortem { text, path } => {
            match (text, &mut app.case) {
                (Ok(text), Some(case)) => {
                    case.postmortem = text;
                    case.postmortem_path = path;
                }
                (Err(problem), _) => return tell(app, problem),
                (Ok(_), None) => {}
            }
            Vec::new()
        }
        Message::DraftFailed(why) => {
            app.complain(format!("what is being typed cannot be put on disk: {why}"));
            Vec::new()
        }
        Message::Scored(card) => {
            app.cover(Overlay::plain("DRILL: your score", card.lines()));
            Vec::new()
        }
        Message::EditedOutside { purpose, text } => outside::came_back(app, &purpose, text),
        Message::Failed(problem) => tell(app, problem),
    };
    leave_when_done(app);
    if app.read_only.is_some() { effects.into_iter().filter(harmless).collect() } else { effects }
}

/// What may still be done when the journal cannot be written.
fn harmless(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Stop { .. }
            | Effect::Rein { rein: Rein::Stop(_), .. }
            | Effect::Leave
            | Effect::Suspend
            | Effect::Repaint
            | Effect::Bell
            | Effect::ListIncidents
            | Effect::Survey { .. }
            | Effect::Detect { .. }
            | Effect::Work { .. }
            | Effect::Clipboard(_)
            | Effect::Relations { .. }
            | Effect::Related { .. }
            | Effect::Look { .. }
            | Effect::FirstLook { .. }
            | Effect::KeepDraft { .. }
            | Effect::ForgetDraft { .. }
    )
}

fn tell(app: &mut App, problem: crate::problem::Problem) -> Vec<Effect> {
    app.cover(Overlay::problem(problem));
    Vec::new()
}

/// A paste is text. One of several lines makes room for them where a note is asked for.
fn pasted(app: &mut App, text: &str) {
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
        _ => overlay.paste(text),
    }
}

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
                Some(overlay) => overlay.key(event),
                None if app.replay.is_some() => moment::refuse(app),
                None => {}
            }
            Vec::new()
        }
    }
}

fn is_columns(app: &App) -> bool {
    matches!(app.overlay.as_ref().map(|overlay| &overlay.kind), Some(Kind::Columns { .. }))
}

/// The wheel moves as three arrow keys do; a click puts the cursor somewhere, and opens nothing.
fn mouse(app: &mut App, event: MouseEvent) -> Vec<Effect> {
    if !app.mouse || app.overlay.as_ref().is_some_and(|overlay| !overlay.drawn) {
        return Vec::new();
    }
    let wheel = match event.kind {
        MouseEventKind::ScrollUp => Command::Up,
        MouseEventKind::ScrollDown => Command::Down,
        MouseEventKind::Down(MouseButton::Left) => {
            let at = app.clickable.as_ref().and_then(|list| list.at(event.column, event.row));
            if let (Some(at), Screen::Home, None) = (at, app.screen, &app.overlay) {
                app.home.cursor = at;
            }
            return Vec::new();
        }
        _ => return Vec::new(),
    };
    (0..3).flat_map(|_| command_given(app, wheel, None)).collect()
}

/// Brings back what the last key took away. What was recorded stays recorded.
fn oops(app: &mut App) -> Vec<Effect> {
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

fn command_given(app: &mut App, command: Command, event: Option<KeyEvent>) -> Vec<Effect> {
    if app.overlay.is_none() {
        app.toast = None;
    }
    match command {
        Command::Suspend => {
            let mut effects = draft::keep(app);
            effects.push(Effect::Suspend);
            return effects;
        }
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
fn on_screen(app: &mut App, command: Command) -> Vec<Effect> {
    match command {
        Command::Quit => quit(app),
        Command::Help => {
            app.overlay = Some(Overlay::help());
            Vec::new()
        }
        Command::Palette => {
            let palette = palette::Palette::new(&app.keymap, app.screen_context());
            app.overlay = Some(Overlay::new(Kind::Palette(Box::new(palette))));
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
            app.overlay = Some(Overlay::tour());
            Vec::new()
        }
        Command::Oops => oops(app),
        Command::Theme => {
            let next = app.look.theme.next(app.facts.depth);
            let before = std::mem::replace(&mut app.look.theme, next);
            app.lose(Lost::Theme(Box::new(before)));
            let back = app.keymap.label(Context::Global, Command::Oops);
            let back = back.map_or_else(String::new, |key| format!("   {key} goes back"));
            app.say(format!("theme {}: {}{back}", app.look.theme.name, app.look.theme.about));
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
fn of_incident(app: &mut App, command: Command) -> Vec<Effect> {
    let Some(case) = &app.case else {
        app.complain("open an incident first");
        return Vec::new();
    };
    let open = case.incident.is_open();
    let ask = |app: &mut App, overlay: Overlay| {
        if open {
            app.overlay = Some(overlay);
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

fn back(app: &mut App) -> Vec<Effect> {
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
            if app.case.as_ref().is_some_and(Case::is_writing) {
                app.complain("a change is being executed; its outcome comes first");
                return Vec::new();
            }
            app.screen = Screen::Home;
            let mut effects: Vec<Effect> = stop_case(app);
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

fn stop_all(app: &App) -> Vec<Effect> {
    let mut effects = stop_case(app);
    effects.extend(app.explaining.map(|(run, _)| Effect::Stop { run }));
    effects.extend(home::stop_surveys(app));
    effects.extend(app.violations.runs().map(|run| Effect::Stop { run }));
    effects
}

fn stop_case(app: &App) -> Vec<Effect> {
    let runs = app.case.as_ref().map(Case::runs).unwrap_or_default();
    runs.into_iter().map(|run| Effect::Stop { run }).collect()
}

fn cancel(app: &mut App) -> Vec<Effect> {
    if let Some(halt) = halt(app, "stopped by the operator") {
        app.say("it stops after this chunk");
        return vec![halt];
    }
    let effects = stop_all(app);
    app.explaining = None;
    if effects.is_empty() {
        let writing = app.case.as_ref().is_some_and(Case::is_writing);
        app.say(if writing {
            "an execution ends by itself within its time cap"
        } else {
            "nothing is running"
        });
    } else {
        app.say("stopping it in the database ...");
    }
    effects
}

fn interrupt(app: &mut App) -> Vec<Effect> {
    if app.overlay.is_some() {
        return dismiss(app);
    }
    let effects = stop_all(app);
    if effects.is_empty() { quit(app) } else { effects }
}

fn quit(app: &mut App) -> Vec<Effect> {
    if app.case.as_ref().is_some_and(Case::is_writing) {
        app.complain("a change is being executed; its outcome comes first");
        return Vec::new();
    }
    if app.case.as_ref().is_some_and(|case| case.incident.is_open()) {
        let question = if app.facts.drill.is_some() {
            "Leave? The drill ends here and is scored."
        } else if app.facts.thrown_away {
            "Leave? The demo and this incident are thrown away."
        } else {
            "Leave? The incident stays open; `steadyhand resume` goes on here."
        };
        let answers = vec!["Leave".to_owned(), "Stay".to_owned()];
        app.overlay = Some(Overlay::choice(question, answers, Purpose::Leave));
        return Vec::new();
    }
    app.quit = Some(Exit::Clear);
    Vec::new()
}

/// The system asks us to go: before COMMIT is sent everything is rolled back; after, the outcome is
/// waited for. The second time at once.
fn go_away(app: &mut App, why: &'static str) -> Vec<Effect> {
    if app.leaving.is_some() {
        app.quit = Some(Exit::Interrupted);
        return Vec::new();
    }
    app.leaving = Some(why);
    // What is done in chunks can be left between two of them, and is taken up again there.
    let mut effects = stop_all(app);
    effects.extend(halt(app, "the cockpit was asked to go"));
    effects
}

fn halt(app: &App, why: &'static str) -> Option<Effect> {
    let run = app.case.as_ref().and_then(Case::driving)?;
    Some(Effect::Rein { run, rein: Rein::Stop(why) })
}

fn leave_when_done(app: &mut App) {
    if app.leaving.is_some() && !app.case.as_ref().is_some_and(Case::is_writing) {
        app.quit = Some(Exit::Interrupted);
    }
}

/// Takes the box away. Who asked for a confirmation hears that there is none.
fn dismiss(app: &mut App) -> Vec<Effect> {
    let effects = draft::keep(app);
    let Some(mut overlay) = app.uncover() else { return effects };
    // A confirmation that was left alone is asked for anew; it never comes back half typed. What has
    // a draft is there again by itself.
    let comes_back = match &overlay.kind {
        Kind::Ask(ask) => ask.expected.is_none() && ask.purpose != Purpose::Note,
        Kind::Choice(_) | Kind::Text { .. } | Kind::Changes { .. } => true,
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

fn in_overlay(app: &mut App, command: Command, event: Option<KeyEvent>) -> Vec<Effect> {
    let Some(overlay) = &mut app.overlay else { return Vec::new() };
    if let Kind::Writing(writing) = &mut overlay.kind
        && writing.on_command(command)
    {
        return Vec::new();
    }
    match (&mut overlay.kind, command) {
        (Kind::Comms(_), Command::Back) => return comms::done(app),
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
        (Kind::Changes { .. }, Command::Complete) => recovery::fold_rows(app),
        (Kind::Ask(_), Command::Confirm) => return answer::text(app),
        (Kind::Choice(_), Command::Confirm) => return answer::choice(app),
        (Kind::Choice(choice), Command::Up) => choice.at = choice.at.saturating_sub(1),
        (Kind::Choice(choice), Command::Down) => {
            choice.at = (choice.at + 1).min(choice.items.len().saturating_sub(1));
        }
        (Kind::Columns { at }, Command::Up) => *at = at.saturating_sub(1),
        (Kind::Columns { at }, Command::Down) => {
            let columns = app.violations.top().map_or(0, |table| table.columns().len());
            *at = (*at + 1).min(columns.saturating_sub(1));
        }
        (Kind::Columns { at }, Command::Confirm) => {
            if let Some(table) = app.violations.top_mut() {
                table.toggle_column(*at);
            }
        }
        (Kind::Comms(_), Command::Confirm) => return comms::give(app),
        (Kind::Comms(comms), Command::Complete | Command::Down) => comms.at = (comms.at + 1) % 3,
        (Kind::Comms(comms), Command::Up) => comms.at = (comms.at + 2) % 3,
        (Kind::Palette(palette), Command::Up) => palette.at = palette.at.saturating_sub(1),
        (Kind::Palette(palette), Command::Down) => {
            palette.at = (palette.at + 1).min(palette.found().len().saturating_sub(1));
        }
        (Kind::Palette(palette), Command::Confirm) => {
            let chosen = palette.chosen();
            app.overlay = None;
            return chosen.map_or_else(Vec::new, |command| command_given(app, command, None));
        }
        (
            Kind::Text { scroll, .. } | Kind::Changes { scroll } | Kind::Help { scroll },
            Command::Up | Command::Down | Command::PageUp | Command::PageDown,
        ) => {
            scroll.on_command(command);
        }
        (
            Kind::Text { .. } | Kind::Changes { .. } | Kind::Help { .. } | Kind::Problem(_),
            Command::Confirm,
        ) => {
            app.uncover();
        }
        _ => {
            if let Some(event) = event {
                overlay.key(event);
            }
        }
    }
    Vec::new()
}

/// Some time went by: what is due runs again.
fn tick(app: &mut App) -> Vec<Effect> {
    if app
        .toast
        .as_ref()
        .is_some_and(|toast| app.now.duration_since(toast.at).as_secs() >= super::wake::SHOWN)
    {
        app.toast = None;
    }
    if app.leaving.is_some() {
        return Vec::new();
    }
    let watching = match app.screen {
        Screen::Step => true,
        Screen::Violations => !app.violations.is_large(),
        _ => false,
    };
    let due = app
        .case
        .as_ref()
        .is_some_and(|case| watching && case.incident.is_open() && case.is_due(app.now));
    let mut effects = server::tick(app);
    if !due {
        return effects;
    }
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return effects };
    if let Some(check) = case.check_of_step().map(str::to_owned) {
        effects.extend(case.detect(&check, run, now));
    }
    effects
}

fn prepared(app: &mut App, outcome: Result<(), crate::problem::Problem>) -> Vec<Effect> {
    app.home.preparing = false;
    if let Err(problem) = outcome {
        return tell(app, problem);
    }
    let mut effects = vec![Effect::ListIncidents];
    if let Some(symptom) = app.facts.drill.clone() {
        // Looking is the first thing that is scored.
        app.overlay = Some(Overlay::plain("DRILL: you are called", called(&symptom)));
        return effects;
    }
    effects.extend(home::survey_all(app));
    effects.extend(begin(app));
    effects
}

fn called(symptom: &str) -> Vec<String> {
    let told = [
        symptom,
        "",
        "Something is wrong in one of these databases. They were made for this drill; nothing you do reaches any other.",
        "",
        "Find out what it is, open the incident on it, contain, tell people, mend it and close the incident, as you would at night. The clock runs.",
        "",
        "Leaving ends the drill, and it is scored either way.",
    ];
    told.map(str::to_owned).to_vec()
}

/// Where to go at the start, once there is something to go to.
pub fn begin(app: &mut App) -> Vec<Effect> {
    match app.facts.start.clone() {
        Start::Home => Vec::new(),
        Start::Open { runbook, target } => home::go_to(app, Effect::Open { runbook, target }),
        Start::Resume { incident } => home::go_to(app, Effect::Resume { incident }),
    }
}

/// An incident was opened or taken up again: go to its step, and clear up what was cut off.
fn enter_case(app: &mut App, opened: Opened) -> Vec<Effect> {
    let incident = crate::incident::Incident::replay(&opened.records);
    let current = incident.progress.current.clone();
    let at = current.and_then(|step| opened.runbook.position(&step)).unwrap_or(0);
    let fresh = !opened.resumed;
    let unseen = opened.identity.as_ref().err().map(ToString::to_string);
    app.violations = violations::Violations::default();
    app.case = Some(Case {
        incident,
        runbook: opened.runbook,
        target: opened.target,
        identity: opened.identity,
        folder: opened.folder,
        refresh: app.facts.refresh,
        at,
        live: std::collections::HashMap::new(),
        recoveries: std::collections::HashMap::new(),
        guards: std::collections::HashMap::new(),
        outputs: std::collections::HashMap::new(),
        waiting: std::collections::HashMap::new(),
        watch: super::case::Watch::default(),
        postmortem: String::new(),
        postmortem_path: std::path::PathBuf::new(),
        drafts: opened.drafts,
    });
    app.screen = Screen::Step;
    // From here the database has other things to do, and a reader may be in a change's way.
    let mut effects = home::stop_surveys(app);
    if fresh {
        let (at, origin) = (app.now, Origin::Auto);
        effects.push(Effect::Append(Entry::Milestone { which: Milestone::Detected, at, origin }));
    }
    effects.extend(catch_up(app));
    effects.extend(recovery::resolve(app));
    effects.extend(step::look_at(app, at));
    effects.push(Effect::Postmortem);
    effects.extend(app.case.as_mut().map(draft::forget_what_is_kept).unwrap_or_default());
    if let Some(waiting) = app.case.as_ref().and_then(draft::waiting) {
        app.say(waiting);
    }
    if let Some(why) = unseen {
        app.complain(why);
    }
    effects
}

fn checked(
    app: &mut App,
    run: crate::tui::effect::Run,
    check: &str,
    finding: Arc<Finding>,
    delta: Option<Delta>,
    rows: Pile,
    cut: Option<String>,
) -> Vec<Effect> {
    let stopped = matches!(&finding.verdict, Verdict::Inconclusive { reason } if reason.contains("stopped by"));
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let open = case.incident.is_open();
    let known = case.live_mut(check).running.is_some_and(|(of, _)| of == run);
    let mut effects = case.checked(run, check, finding, delta, rows, now);
    if !open {
        effects.clear();
    }
    if known {
        effects.extend(violations::checked(app, check, cut.as_deref()));
    }
    if stopped {
        app.say("the database stopped the query");
    }
    effects
}

/// Writes down what follows from a commit where the program was cut off before it could: without it
/// a step that is done could be neither done again nor left.
fn catch_up(app: &App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    if !case.incident.is_open() {
        return Vec::new();
    }
    let open = |step: &&Step| {
        matches!(case.incident.progress.state(&step.id), StepState::Pending | StepState::Open)
    };
    let settled = |step: &Step| {
        let step = step.id.clone();
        let standing = case.incident.standing_change(&step);
        if let Some(change) = standing.filter(|change| change.is_committed()) {
            return Some(if change.verified == Some(false) {
                Entry::StepFailed { step, why: "committed, but the verification failed".into() }
            } else {
                let how = "committed before the program was cut off".into();
                Entry::StepPassed { step, how }
            });
        }
        let stands = case.incident.guardrails.get(&step) == Some(&Standing::Applied);
        stands.then(|| Entry::StepPassed { step, how: "the guardrail stands".into() })
    };
    case.runbook.steps.iter().filter(open).filter_map(settled).map(Effect::Append).collect()
}

fn resolved(
    app: &mut App,
    step: &str,
    outcome: Result<(Outcome, String), crate::problem::Problem>,
) -> Vec<Effect> {
    match outcome {
        Ok((outcome, how)) => {
            if let Some(case) = &mut app.case
                && let Some(recovery) = case.recoveries.get_mut(step)
            {
                recovery.state = crate::recovery::protocol::State::Idle;
            }
            let last = app.case.as_ref().and_then(|case| {
                case.incident.changes.iter().rev().find(|change| change.step == step)
            });
            let chunks = last.and_then(|change| change.chunks.as_ref());
            let sentences = became(outcome, &how, chunks);
            app.overlay = Some(Overlay::text(
                "What became of the change that was cut off",
                sentences.into_iter().map(crate::tui::widget::wrap::plain).collect(),
            ));
            catch_up(app)
        }
        Err(problem) => tell(
            app,
            problem.hint("The outcome stays UNKNOWN; r on the recovery screen asks again."),
        ),
    }
}

fn became(outcome: Outcome, how: &str, chunks: Option<&Chunked>) -> Vec<String> {
    let (done, of) = chunks.map_or((0, 0), |chunks| (chunks.done(), chunks.keys));
    let what = if done > 0 && done < of { "The chunk that was cut off" } else { "It" };
    let left = (done > 0 && done < of).then(|| {
        let (done, of) = (thousands(done), thousands(of));
        format!("{done} of {of} keys are done; the rest can be gone on with from here.")
    });
    let sentence = match outcome {
        Outcome::Unknown => format!("Still unknown: {how}"),
        _ if done > 0 && done == of => {
            format!(
                "It did commit, to the last of its {of} keys: {how}. Nothing is to be repeated."
            )
        }
        Outcome::Committed if left.is_some() => format!("{what} did commit: {how}."),
        Outcome::Committed => format!("{what} did commit: {how}. Nothing is to be repeated."),
        Outcome::RolledBack if left.is_some() => format!("{what} did not commit: {how}."),
        Outcome::RolledBack => format!("{what} did not commit: {how}. Nothing was changed."),
    };
    [Some(sentence), left].into_iter().flatten().collect()
}

fn command_ran(
    app: &mut App,
    run: crate::tui::effect::Run,
    step: &str,
    argv: Vec<String>,
    ran: crate::runbook::Ran,
    output: Option<crate::incident::entry::Evidence>,
) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let slot = case.outputs.entry(step.to_owned()).or_default();
    if slot.running.is_none_or(|(of, _)| of != run) {
        return Vec::new();
    }
    slot.running = None;
    let (exit, seconds) = (ran.exit, ran.seconds);
    let why = match (&ran.trouble, exit) {
        (Some(trouble), _) => Some(trouble.clone()),
        (None, Some(0)) => None,
        (None, _) => Some("the command did not end with 0".to_owned()),
    };
    slot.ran = Some(ran);
    let Some(output) = output else { return Vec::new() };
    let step = step.to_owned();
    let told = match why {
        None => Entry::StepPassed { step: step.clone(), how: "the command ended with 0".into() },
        Some(why) => Entry::StepFailed { step: step.clone(), why },
    };
    vec![
        Effect::Append(Entry::CommandRan { step, argv, exit, seconds, output }),
        Effect::Append(told),
    ]
}
