//! A moment of an incident: the fold of the records up to it, put on the screens. Forward and back
//! are the same: the moment is made anew. Decides, and reads nothing but the evidence beside the
//! journal, each file of which must be the one that its record names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::shown;
use crate::check::Finding;
use crate::config::Target;
use crate::exit::Exit;
use crate::incident::Incident;
use crate::incident::chain::Head;
use crate::incident::entry::{Entry, Evidence, Record};
use crate::postmortem::{self, Around};
use crate::problem::Problem;
use crate::runbook::{Action, Runbook};
use crate::tui::app::{App, Screen};
use crate::tui::case::{Case, Watch};
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::message::Message;
use crate::tui::overlay::{Kind, Overlay, palette};
use crate::tui::screen::violations::{self, Violations};
use crate::tui::screen::{guardrail, journal, postmortem as document, recovery};
use crate::tui::watch::{self, Watching};

/// An incident as it lies on disk.
#[derive(Debug)]
pub struct Story {
    /// What the incident is called here.
    pub name: String,
    pub records: Vec<Record>,
    pub runbook: Runbook,
    pub target: Target,
    pub folder: PathBuf,
}

#[derive(Debug)]
pub struct Replay {
    story: Story,
    /// How many records are told.
    at: usize,
    /// Records a second, when it goes on by itself.
    speed: Option<u32>,
    /// Somebody works on it while it is looked at.
    pub watching: Option<Watching>,
}

impl Replay {
    /// `12/57`
    pub fn place(&self) -> String {
        format!("{}/{}", self.at, self.story.records.len())
    }

    pub fn record(&self) -> &Record {
        &self.story.records[self.at - 1]
    }

    pub fn speed(&self) -> Option<u32> {
        self.speed
    }

    /// How long to wait for the next record, if it is not for a key.
    pub fn pause(&self) -> Option<Duration> {
        let more = self.at < self.story.records.len();
        self.speed.filter(|_| more).map(|speed| Duration::from_secs(1) / speed)
    }

    fn go(&mut self, to: usize) {
        self.at = to.clamp(1, self.story.records.len());
    }

    /// The next record of a kind, forward or back; the end of the journal if there is none.
    fn seek(&self, forward: bool, wanted: fn(&Entry) -> bool) -> usize {
        let is = |at: &usize| wanted(&self.story.records[at - 1].entry);
        let last = self.story.records.len();
        if forward {
            (self.at + 1..=last).find(is).unwrap_or(last)
        } else {
            (1..self.at).rev().find(is).unwrap_or(1)
        }
    }

    /// A file of evidence, if it is still the one that was written.
    pub(super) fn evidence(&self, named: &Evidence) -> Option<Vec<u8>> {
        let bytes = std::fs::read(self.story.folder.join(&named.file)).ok()?;
        (crate::digest::sha256(&bytes) == named.sha256).then_some(bytes)
    }
}

/// Begins at the first record, or where somebody works on it, at the last.
pub fn begin(app: &mut App, story: Story, watching: Option<Watching>) {
    let at = if watching.is_some() { story.records.len() } else { 1 };
    app.replay = Some(Replay { story, at, speed: None, watching });
    show(app);
    follow(app);
}

/// The journal has other records than before. Whoever looks at the last one goes with it.
pub fn grow(app: &mut App, records: Vec<Record>) {
    let now = app.now;
    let Some(replay) = &mut app.replay else { return };
    let hash = |records: &[Record]| records.last().map(|record| record.hash.clone());
    if records.is_empty() || hash(&records) == hash(&replay.story.records) {
        return;
    }
    let at_end = replay.at >= replay.story.records.len();
    replay.story.records = records;
    if !at_end {
        // What is looked at is as it was.
        return;
    }
    replay.go(usize::MAX);
    let (toast, at, before) = (app.toast.take(), app.journal.at, finding(app));
    let check = app.violations.check.clone();
    let table = std::mem::replace(&mut app.violations, Violations::of(check));
    show(app);
    (app.toast, app.now, app.journal.at) = (toast, now, at);
    // Whoever reads the rows of a check stays where they are, unless there are others.
    if before == finding(app) {
        app.violations = table;
    }
    if !is_aside(app.screen) {
        follow(app);
    }
}

/// What the check found whose rows are looked at.
fn finding(app: &App) -> Option<Arc<Finding>> {
    let check = app.violations.check.as_ref()?;
    app.case.as_ref()?.live.get(check)?.finding.clone()
}

pub fn update(app: &mut App, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(event) => return crate::tui::update::key(app, event),
        Message::Paste(text) => {
            if let Some(overlay) = app.overlay.as_mut().filter(|overlay| overlay.drawn) {
                overlay.paste(&text, app.heard);
            }
        }
        Message::Seen(seen) => watch::seen(app, *seen),
        // The time for the next record.
        Message::Tick => step(app, |replay| replay.at + 1),
        // A storm of sizes may end where it began, on a terminal that lost what was drawn.
        Message::Resized => return vec![Effect::Repaint],
        Message::GoAway(_) => app.quit = Some(Exit::Interrupted),
        _ => {}
    }
    Vec::new()
}

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    let is_step = |entry: &Entry| matches!(entry, Entry::StepEntered { .. });
    let is_milestone = |entry: &Entry| {
        matches!(entry, Entry::Milestone { .. } | Entry::Opened { .. } | Entry::Closed { .. })
    };
    match command {
        Command::Quit | Command::Interrupt => app.quit = Some(Exit::Clear),
        Command::Right => step(app, |replay| replay.at + 1),
        Command::Left => step(app, |replay| replay.at.saturating_sub(1)),
        Command::First => step(app, |_| 1),
        Command::Last => step(app, |_| usize::MAX),
        Command::NextStep => step(app, |replay| replay.seek(true, is_step)),
        Command::PrevStep => step(app, |replay| replay.seek(false, is_step)),
        Command::NextMilestone => step(app, |replay| replay.seek(true, is_milestone)),
        Command::PrevMilestone => step(app, |replay| replay.seek(false, is_milestone)),
        Command::Play => play(app, |speed| if speed.is_some() { None } else { Some(1) }),
        Command::Faster => play(app, |speed| Some(speed.map_or(1, |n| (n * 2).min(16)))),
        Command::Card => crate::tui::update::together::card(app),
        Command::TakeOver => return watch::take_over(app),
        Command::Help => app.cover(Overlay::help()),
        Command::Palette => {
            let palette = palette::Palette::new(app);
            app.cover(Overlay::new(Kind::Palette(Box::new(palette))));
        }
        Command::Theme => {
            app.look.theme = app.look.theme.next(app.facts.depth);
            app.say(format!("theme {}", app.look.theme.name));
        }
        Command::Journal => {
            app.screen = Screen::Journal;
            app.journal.at = None;
        }
        Command::Postmortem => {
            app.screen = Screen::Postmortem;
            write_postmortem(app);
        }
        Command::Violations | Command::Rows => {
            let check =
                app.case.as_ref().and_then(|case| case.check_of_step().or(case.main_check()));
            let check = check.map(str::to_owned);
            app.violations = Violations::of(check);
            app.screen = Screen::Violations;
            return violations::refresh(app);
        }
        Command::Incident => follow(app),
        Command::Back if is_aside(app.screen) => follow(app),
        Command::Back => app.say("q leaves"),
        other => return on_screen(app, other),
    }
    Vec::new()
}

/// What only looks, on the screen that is shown. Whatever else it would ask for is dropped.
fn on_screen(app: &mut App, command: Command) -> Vec<Effect> {
    let scrolls = matches!(
        command,
        Command::Up
            | Command::Down
            | Command::PageUp
            | Command::PageDown
            | Command::HalfUp
            | Command::HalfDown
    );
    match (app.screen, command) {
        (
            Screen::Journal,
            Command::Filter
            | Command::Search
            | Command::NextMatch
            | Command::PrevMatch
            | Command::ZoomIn
            | Command::ZoomOut
            | Command::Open
            | Command::Confirm,
        ) => return journal::on_command(app, command),
        (Screen::Journal, _) if scrolls => return journal::on_command(app, command),
        (Screen::Postmortem, _) if scrolls => return document::on_command(app, command),
        (Screen::Recovery, Command::Changes | Command::Statements) => {
            return recovery::on_command(app, command);
        }
        (Screen::Guardrail, Command::Statements) => return guardrail::on_command(app, command),
        (Screen::Violations, Command::Open) => {
            return violations::on_command(app, Command::OpenRow);
        }
        (Screen::Violations, _) if scrolls => return violations::on_command(app, command),
        (Screen::Step, _) if scrolls => _ = app.step_scroll.on_command(command),
        (Screen::Recovery, _) if scrolls => _ = app.recovery_scroll.on_command(command),
        (Screen::Guardrail, _) if scrolls => _ = app.guard_scroll.on_command(command),
        (_, Command::Open | Command::Confirm) => {
            app.journal.at = app.replay.as_ref().map(|replay| replay.record().seq);
            app.journal.shown = journal::Shown::Everything;
            return journal::on_command(app, Command::Open);
        }
        _ => refuse(app),
    }
    Vec::new()
}

/// A key that does something elsewhere.
pub fn refuse(app: &mut App) {
    let watching = app.replay.as_ref().is_some_and(|replay| replay.watching.is_some());
    app.complain(if watching {
        "this is watched: somebody else works on it, and nothing is done from here"
    } else {
        "this is a replay: it is looked at, and nothing is done"
    });
}

fn step(app: &mut App, to: impl FnOnce(&Replay) -> usize) {
    let Some(replay) = &mut app.replay else { return };
    let (before, to) = (replay.at, to(replay));
    replay.go(to);
    if replay.at == replay.story.records.len() {
        replay.speed = None;
    }
    if replay.at != before {
        show(app);
        if !is_aside(app.screen) {
            follow(app);
        }
    }
}

fn play(app: &mut App, change: impl FnOnce(Option<u32>) -> Option<u32>) {
    let Some(replay) = &mut app.replay else { return };
    replay.speed = change(replay.speed);
}

/// A screen that was asked for stays; the others go with the records.
fn is_aside(screen: Screen) -> bool {
    matches!(screen, Screen::Journal | Screen::Postmortem | Screen::Violations)
}

/// The screen that this record was made on.
fn follow(app: &mut App) {
    let (Some(replay), Some(case)) = (&app.replay, &mut app.case) else { return };
    let record = replay.record();
    if let Some(at) = record.entry.step().and_then(|step| case.runbook.position(step)) {
        case.at = at;
    }
    let of_change = record.entry.is_of_change();
    app.screen = match &case.step().action {
        Action::Change(_) if of_change => Screen::Recovery,
        Action::Guard(_) if of_change => Screen::Guardrail,
        _ => Screen::Step,
    };
}

/// Makes the moment anew.
fn show(app: &mut App) {
    let Some(replay) = &app.replay else { return };
    let told = &replay.story.records[..replay.at];
    let incident = Incident::replay(&replay.story.name, told);
    app.now = replay.record().at;
    let runbook = replay.story.runbook.clone();
    let at = incident.progress.current.as_deref().and_then(|step| runbook.position(step));
    let case = Case {
        live: shown::live(replay, &incident),
        recoveries: shown::recoveries(replay, &incident),
        guards: shown::guards(told),
        outputs: shown::outputs(replay, told),
        exports: Vec::new(),
        incident,
        runbook,
        target: replay.story.target.clone(),
        identity: Err(Problem::refused("a replay reaches no database")),
        folder: replay.story.folder.clone(),
        refresh: Duration::MAX,
        at: at.unwrap_or(0),
        watch: Watch::default(),
        postmortem: String::new(),
        resolving: None,
        postmortem_path: PathBuf::new(),
        drafts: BTreeMap::new(),
    };
    app.case = Some(case);
    app.toast = None;
    app.journal.at = None;
    app.violations = Violations::of(app.violations.check.take());
    // A new table has nothing to do.
    let _ = violations::refresh(app);
    if app.screen == Screen::Postmortem {
        write_postmortem(app);
    }
}

/// The document as it was then. What people wrote in it carries no time, so that it is there at the
/// end only.
fn write_postmortem(app: &mut App) {
    let (Some(replay), Some(case)) = (&app.replay, &mut app.case) else { return };
    let record = replay.record();
    let head = Head { seq: record.seq, hash: record.hash.clone() };
    let at_end = replay.at == replay.story.records.len();
    let path = replay.story.folder.join("postmortem.md");
    let old = if at_end { std::fs::read_to_string(&path).ok() } else { None };
    let around = Around { runbook: Some(&case.runbook), practice: &app.facts.practice, all: &[] };
    case.postmortem =
        postmortem::regenerate(&case.incident, around, old.as_deref(), &head, &TimeZone::system());
    case.postmortem_path = path;
}
