//! App: the whole state of the cockpit. Plain data; `update` changes it, `view` draws it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use ratatui::layout::{Position, Rect};

use super::case::Case;
use super::effect::Run;
use super::keymap::{Context, Keymap};
use super::look::Look;
use super::overlay::Overlay;
use super::replay::moment::Replay;
use super::screen::home::Home;
use super::screen::journal::JournalScreen;
use super::screen::postmortem::PostmortemScreen;
use super::screen::violations::Violations;
use super::terminal::clipboard::Between;
use super::theme::Theme;
use super::theme::depth::Depth;
use super::widget::scroll::Scroll;
use crate::catalogue::Catalogue;
use crate::config::{Seconding, Target};
use crate::exit::Exit;
use crate::incident::lease::Request;
use crate::practice::Practice;

/// What does not change while the cockpit is open.
#[derive(Debug)]
pub struct Facts {
    pub catalogue: Arc<Catalogue>,
    pub practice: Arc<Practice>,
    pub targets: Vec<Target>,
    /// How a second person agrees.
    pub seconding: Seconding,
    pub depth: Depth,
    /// What stands between us and the terminal's clipboard.
    pub between: Between,
    /// How often a check runs again where its step does not say.
    pub refresh: std::time::Duration,
    /// The demo's database is to be made first.
    pub demo: bool,
    /// What somebody said at the beginning of the drill, if this is one.
    pub drill: Option<String>,
    /// Everything goes when the cockpit is left.
    pub thrown_away: bool,
    /// Where to go at the start.
    pub start: Start,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    Home,
    Open { runbook: String, target: String },
    Resume { incident: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    Home,
    Step,
    Violations,
    Recovery,
    Guardrail,
    Server,
    Journal,
    Postmortem,
}

impl Screen {
    pub fn context(self) -> Context {
        match self {
            Self::Home => Context::Home,
            Self::Step => Context::Step,
            Self::Violations => Context::Table,
            Self::Recovery => Context::Recovery,
            Self::Guardrail => Context::Guardrail,
            Self::Server => Context::Server,
            Self::Journal => Context::Journal,
            Self::Postmortem => Context::Postmortem,
        }
    }
}

/// One line above the keys that says what just happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    pub text: String,
    pub bad: bool,
    pub at: Timestamp,
}

/// A list as it was drawn: its place, the first line shown, and the line of each thing in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clickable {
    pub area: Rect,
    pub top: usize,
    pub lines: Vec<usize>,
}

impl Clickable {
    /// What stands at this place of the screen.
    pub fn at(&self, column: u16, row: u16) -> Option<usize> {
        let inside = self.area.contains(Position { x: column, y: row });
        let line = self.top + usize::from(row.checked_sub(self.area.y)?);
        self.lines.iter().position(|of| *of == line).filter(|_| inside)
    }
}

/// Something that one key took away.
#[derive(Debug)]
pub enum Lost {
    Overlay(Box<Overlay>),
    Theme(Box<Theme>),
    Filter { check: Option<String>, filter: String },
    Find(String),
    Incident(String),
}

#[derive(Debug)]
pub struct App {
    pub facts: Facts,
    pub look: Look,
    pub keymap: Keymap,
    pub now: Timestamp,
    pub screen: Screen,
    pub overlay: Option<Overlay>,
    /// Boxes that something lies upon; the last comes back first.
    pub under: Vec<Overlay>,
    pub home: Home,
    pub case: Option<Case>,
    pub violations: Violations,
    pub journal: JournalScreen,
    pub postmortem: PostmortemScreen,
    /// Scroll positions of the step, recovery, guardrail and server screens.
    pub step_scroll: Scroll,
    pub recovery_scroll: Scroll,
    pub guard_scroll: Scroll,
    pub server_scroll: Scroll,
    pub toast: Option<Toast>,
    /// The plan that is being asked for, and since when.
    pub explaining: Option<(Run, Timestamp)>,
    /// Unchanged columns of a change are shown too.
    pub unfolded: bool,
    /// Wheel and click come to us.
    pub mouse: bool,
    /// What a click may put the cursor on.
    pub clickable: Option<Clickable>,
    /// What the last keys changed and `oops` brings back, the newest last.
    pub undone: Vec<Lost>,
    /// Nothing is done here: what was done is looked at.
    pub replay: Option<Replay>,
    /// Somebody who wants to go on with the incident.
    pub asked: Option<Request>,
    /// The folder of the incident that is only looked at from now on: somebody else works on it.
    pub watch: Option<PathBuf>,
    /// Why nothing may be done any more.
    pub read_only: Option<String>,
    pub leaving: Option<&'static str>,
    /// The shell gets the terminal as soon as nothing runs on a database any more.
    pub stepping_out: bool,
    pub quit: Option<Exit>,
    /// When the keys came that are being taken in: those that lay there together came at one moment,
    /// however long it takes to get through them.
    pub heard: Instant,
    last_run: Run,
}

impl App {
    pub fn new(facts: Facts, look: Look, keymap: Keymap, now: Timestamp) -> Self {
        Self {
            facts,
            look,
            keymap,
            now,
            screen: Screen::Home,
            overlay: None,
            under: Vec::new(),
            home: Home::default(),
            case: None,
            violations: Violations::default(),
            journal: JournalScreen::default(),
            postmortem: PostmortemScreen::default(),
            step_scroll: Scroll::default(),
            recovery_scroll: Scroll::default(),
            guard_scroll: Scroll::default(),
            server_scroll: Scroll::default(),
            toast: None,
            explaining: None,
            unfolded: false,
            mouse: false,
            clickable: None,
            undone: Vec::new(),
            replay: None,
            asked: None,
            watch: None,
            read_only: None,
            leaving: None,
            stepping_out: false,
            quit: None,
            heard: Instant::now(),
            last_run: 0,
        }
    }

    pub fn new_run(&mut self) -> Run {
        self.last_run += 1;
        self.last_run
    }

    /// Remembers what a key takes away; the oldest go.
    pub fn lose(&mut self, lost: Lost) {
        const KEPT: usize = 8;
        if self.undone.len() == KEPT {
            self.undone.remove(0);
        }
        self.undone.push(lost);
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: false, at: self.now });
    }

    pub fn complain(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: true, at: self.now });
    }

    /// Puts a box on top; one that somebody writes in comes back when it goes.
    pub fn cover(&mut self, overlay: Overlay) {
        self.under.extend(self.overlay.take().filter(Overlay::is_written_in));
        self.overlay = Some(overlay);
    }

    /// Takes the box on top away. One that lay below takes keys again once it was seen.
    pub fn uncover(&mut self) -> Option<Overlay> {
        let gone = self.overlay.take();
        self.overlay = self.under.pop();
        if let Some(below) = &mut self.overlay {
            below.drawn = false;
        }
        gone
    }

    /// Another step lies before the operator: what was begun to be answered on the one before, open,
    /// below or taken away by a key, must not answer for this one.
    pub fn forget_step(&mut self) {
        self.under.retain(|overlay| !overlay.is_of_step());
        self.undone.retain(|lost| !matches!(lost, Lost::Overlay(of) if of.is_of_step()));
        if self.overlay.as_ref().is_some_and(Overlay::is_of_step) {
            self.uncover();
        }
    }

    /// The same for another incident, or none: no box that was left belongs to it, and neither does
    /// what kept its journal from being written.
    pub fn forget_incident(&mut self) {
        self.forget_step();
        self.read_only = None;
        self.under.clear();
        self.undone.retain(|lost| !matches!(lost, Lost::Overlay(_) | Lost::Filter { .. }));
    }

    /// Something of ours is under way on a database.
    pub fn is_at_work(&self) -> bool {
        let home = &self.home;
        let asks = |case: &Case| {
            case.is_busy() || case.resolving.is_some() || case.watch.running.is_some()
        };
        home.preparing
            || home.opening.is_some()
            || home.health.iter().any(|health| health.running.is_some())
            || self.explaining.is_some()
            || self.violations.runs().next().is_some()
            || self.case.as_ref().is_some_and(asks)
    }

    /// Whatever is shown carries the watermark.
    pub fn is_drill(&self) -> bool {
        self.facts.drill.is_some() || self.case.as_ref().is_some_and(|case| case.incident.drill)
    }

    /// Which keys mean something now.
    pub fn context(&self) -> Context {
        match &self.overlay {
            Some(overlay) => overlay.context(),
            None => self.screen_context(),
        }
    }

    /// The same below whatever lies on top.
    pub fn screen_context(&self) -> Context {
        if self.replay.is_some() { Context::Replay } else { self.screen.context() }
    }

    pub fn target(&self, name: &str) -> Option<&Target> {
        self.facts.targets.iter().find(|target| target.name == name)
    }
}
