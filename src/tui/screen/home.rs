//! Home: open incidents, the health of every target, what is wrong, and the runbooks.
//!
//! One cursor goes through everything that Enter can open.

pub mod detail;
mod page;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

pub use page::{found_words, item_line, page};

use crate::check::{Check, Finding, Severity, Survey, Verdict};
use crate::config::{Environment, Target};
use crate::incident::store::Summary;
use crate::problem::Problem;
use crate::tui::app::{App, Screen};
use crate::tui::command::Command;
use crate::tui::effect::{Effect, Run};
use crate::tui::keymap::Context;
use crate::tui::overlay::{Ask, Overlay, Purpose};

#[derive(Debug, Default)]
pub struct Home {
    pub incidents: Vec<Summary>,
    pub health: Vec<Health>,
    /// The demo's database is still being made.
    pub preparing: bool,
    /// Since when an incident is asked for that is not there yet: a second enter must not open another.
    pub opening: Option<Timestamp>,
    /// What the cursor was put on, and stays on wherever it moves to.
    pub at: Option<Item>,
    pub find: String,
}

/// What is known of one target.
#[derive(Debug)]
pub struct Health {
    pub target: String,
    /// It is to be looked at as soon as there is room.
    pub waiting: bool,
    pub running: Option<(Run, Timestamp)>,
    pub seen: Option<(Timestamp, Result<Arc<Survey>, Problem>)>,
}

/// Something that the cursor can stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Incident(String),
    Target(String),
    Wrong { target: String, check: String },
    Runbook(String),
}

impl Item {
    /// The heading it stands under.
    pub fn section(&self) -> &'static str {
        match self {
            Self::Incident(_) => "Open incidents",
            Self::Target(_) => "Health",
            Self::Wrong { .. } => "What is wrong",
            Self::Runbook(_) => "Runbooks",
        }
    }
}

/// Everything that can be opened, in the order of the screen.
pub fn items(app: &App) -> Vec<Item> {
    listed(app).0
}

/// The same, and how many more things are wrong.
fn listed(app: &App) -> (Vec<Item>, usize) {
    let home = &app.home;
    let find = home.find.to_lowercase();
    let fits = |text: &str| text.to_lowercase().contains(&find);
    let incidents = home.incidents.iter().filter(|incident| incident.is_open());
    let incidents = incidents
        .filter(|incident| fits(&incident.title) || fits(&incident.id) || fits(&incident.target))
        .map(|incident| Item::Incident(incident.id.clone()));
    let targets = home.health.iter().filter(|health| fits(&health.target));
    let targets = targets.map(|health| Item::Target(health.target.clone()));
    let runbooks = app
        .facts
        .catalogue
        .runbooks
        .iter()
        .filter(|runbook| fits(&runbook.id) || fits(&runbook.title))
        .map(|runbook| Item::Runbook(runbook.id.clone()));
    let (wrong, more) = all_wrong(app);
    (incidents.chain(targets).chain(wrong).chain(runbooks).collect(), more)
}

/// What is not clear, as far as anybody goes through it, and how many more: what is wrong before what
/// could not be checked, the most severe first.
fn all_wrong(app: &App) -> (Vec<Item>, usize) {
    const MOST: usize = 200;
    let find = app.home.find.to_lowercase();
    let known = app.facts.catalogue.checks.iter();
    let known: HashMap<&str, &Check> = known.map(|check| (check.id.as_str(), check)).collect();
    let mut found: BTreeMap<(bool, Option<Severity>), Vec<Item>> = BTreeMap::new();
    let mut all = 0;
    for health in &app.home.health {
        let Some((_, Ok(survey))) = &health.seen else { continue };
        let wrong = survey.findings.iter().filter(|(_, finding)| !finding.verdict.is_clear());
        let fits = |text: &str| text.to_lowercase().contains(&find);
        for (check, finding) in wrong {
            let of = known.get(check.as_str());
            if !fits(check) && !fits(&health.target) && !of.is_some_and(|of| fits(&of.title)) {
                continue;
            }
            all += 1;
            let unseen = matches!(finding.verdict, Verdict::Inconclusive { .. });
            let alike = found.entry((unseen, of.map(|of| of.severity))).or_default();
            if alike.len() < MOST {
                let (target, check) = (health.target.clone(), check.clone());
                alike.push(Item::Wrong { target, check });
            }
        }
    }
    let shown: Vec<Item> = found.into_values().flatten().take(MOST).collect();
    let more = all - shown.len();
    (shown, more)
}

/// Where the cursor is among them. Before it is put anywhere it is on what comes first: an open
/// incident, else the first thing that is wrong.
pub fn cursor(app: &App, items: &[Item]) -> usize {
    let chosen = app.home.at.as_ref().and_then(|at| items.iter().position(|item| item == at));
    let urgent = |item: &Item| matches!(item, Item::Incident(_) | Item::Wrong { .. });
    chosen.or_else(|| items.iter().position(urgent)).unwrap_or(0)
}

pub fn start(app: &mut App) -> Vec<Effect> {
    app.home.health = app
        .facts
        .targets
        .iter()
        .map(|target| Health {
            target: target.name.clone(),
            waiting: false,
            running: None,
            seen: None,
        })
        .collect();
    if app.facts.demo {
        app.home.preparing = true;
        return vec![Effect::Prepare];
    }
    let mut effects = vec![Effect::ListIncidents];
    effects.extend(survey_all(app));
    effects
}

/// Targets that are looked at at a time: nobody asked to look everywhere at once.
const AT_ONCE: usize = 8;

pub fn survey_all(app: &mut App) -> Vec<Effect> {
    for health in &mut app.home.health {
        health.waiting = health.running.is_none();
    }
    survey_more(app)
}

/// Those whose turn it is, in the order of the screen.
fn survey_more(app: &mut App) -> Vec<Effect> {
    let running = app.home.health.iter().filter(|health| health.running.is_some()).count();
    let mut effects = Vec::new();
    for at in 0..app.home.health.len() {
        if running + effects.len() >= AT_ONCE {
            break;
        }
        if !app.home.health[at].waiting {
            continue;
        }
        let run = app.new_run();
        let health = &mut app.home.health[at];
        (health.waiting, health.running) = (false, Some((run, app.now)));
        effects.push(Effect::Survey { run, target: health.target.clone() });
    }
    effects
}

pub fn stop_surveys(app: &mut App) -> Vec<Effect> {
    let health = &mut app.home.health;
    for health in health.iter_mut() {
        health.waiting = false;
    }
    let running = health.iter().filter_map(|health| health.running);
    running.map(|(run, _)| Effect::Stop { run }).collect()
}

pub fn surveyed(
    app: &mut App,
    run: Run,
    target: &str,
    survey: Result<Survey, Problem>,
) -> Vec<Effect> {
    let now = app.now;
    let Some(health) = app.home.health.iter_mut().find(|health| health.target == target) else {
        return Vec::new();
    };
    if health.running.is_none_or(|(of, _)| of != run) {
        return Vec::new();
    }
    health.running = None;
    health.seen = Some((now, survey.map(Arc::new)));
    survey_more(app)
}

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    let items = items(app);
    let last = items.len().saturating_sub(1);
    let cursor = cursor(app, &items);
    let to = match command {
        Command::Up => Some(cursor.saturating_sub(1)),
        Command::Down => Some((cursor + 1).min(last)),
        Command::PageUp | Command::HalfUp => Some(cursor.saturating_sub(10)),
        Command::PageDown | Command::HalfDown => Some((cursor + 10).min(last)),
        Command::First => Some(0),
        Command::Last => Some(last),
        _ => None,
    };
    if let Some(to) = to {
        app.home.at = items.get(to).cloned();
    }
    match command {
        Command::Open | Command::Confirm => match items.get(cursor).cloned() {
            Some(item) => open(app, item),
            None => Vec::new(),
        },
        Command::Refresh => survey_all(app),
        Command::Find => {
            app.overlay =
                Some(Overlay::ask(Ask::new(Purpose::FindHome, "Find").filled(&app.home.find)));
            Vec::new()
        }
        Command::OpenRow => {
            if !items.is_empty() {
                let known = detail::page(app).finish();
                app.overlay = Some(Overlay::text("What is known of it", known));
            }
            Vec::new()
        }
        Command::NewIncident | Command::Runbooks => {
            app.home.find.clear();
            app.home.at =
                self::items(app).into_iter().find(|item| matches!(item, Item::Runbook(_)));
            app.say("choose a runbook, enter opens an incident on it");
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn open(app: &mut App, item: Item) -> Vec<Effect> {
    match item {
        Item::Incident(incident) => go_to(app, Effect::Resume { incident }),
        Item::Target(target) => {
            app.say(format!("checking {target} again"));
            survey_all(app)
        }
        Item::Wrong { target, check } => {
            let runbook = app.facts.catalogue.check(&check).and_then(|check| check.runbook.clone());
            match runbook {
                Some(runbook) => open_on(app, runbook, target),
                None => {
                    let key = app.keymap.label(Context::Home, Command::Runbooks);
                    let key = key
                        .map_or_else(String::new, |key| format!("; {key} goes to those there are"));
                    app.complain(format!("{check} names no runbook{key}"));
                    Vec::new()
                }
            }
        }
        Item::Runbook(runbook) => {
            match app.facts.targets.as_slice() {
                [] => {
                    app.complain("no target is configured: add one to steadyhand.toml, or start with --target");
                    Vec::new()
                }
                [only] => {
                    let target = only.name.clone();
                    open_on(app, runbook, target)
                }
                many => {
                    let word = |target: &Target| match target.environment {
                        _ if app.facts.demo => String::new(),
                        Environment::Production => "   PRODUCTION".to_owned(),
                        other => format!("   {}", other.word()),
                    };
                    let line = |target: &Target| format!("{}{}", target.name, word(target));
                    let lines = many.iter().map(line).collect();
                    app.overlay =
                        Some(Overlay::choice("On which target?", lines, Purpose::Target(runbook)));
                    Vec::new()
                }
            }
        }
    }
}

/// Opens an incident, unless one is open on the same runbook and target: then that one.
pub fn open_on(app: &mut App, runbook: String, target: String) -> Vec<Effect> {
    let open = app.home.incidents.iter().find(|incident| {
        incident.is_open() && incident.runbook == runbook && incident.target == target
    });
    if let Some(incident) = open {
        let incident = incident.id.clone();
        app.say(format!("{incident} is open on this already"));
        return go_to(app, Effect::Resume { incident });
    }
    go_to(app, Effect::Open { runbook, target, unanswered: None })
}

/// Asks for an incident, unless one is on its way.
pub fn go_to(app: &mut App, effect: Effect) -> Vec<Effect> {
    if app.home.opening.is_some() {
        return Vec::new();
    }
    app.home.opening = Some(app.now);
    vec![effect]
}

/// Said where it takes a while.
pub fn is_being_opened(app: &App) -> Option<&'static str> {
    let since = app.home.opening.filter(|_| app.screen == Screen::Home)?;
    (app.now.duration_since(since).as_secs() >= 1)
        .then_some("the incident is being opened: its database and the store are asked")
}

/// A check that is not clear on a target.
#[derive(Debug, Clone, Copy)]
pub struct Wrong<'a> {
    /// Unless it is loaded no more.
    pub check: Option<&'a Check>,
    pub finding: &'a Finding,
    pub at: Timestamp,
}

fn wrong<'a>(app: &'a App, target: &str, check: &str) -> Option<Wrong<'a>> {
    let health = app.home.health.iter().find(|health| health.target == target)?;
    let (at, survey) = health.seen.as_ref()?;
    let (_, finding) = survey.as_ref().ok()?.findings.iter().find(|(id, _)| id == check)?;
    Some(Wrong { check: app.facts.catalogue.check(check), finding, at: *at })
}

/// What Enter does to the thing under the cursor; nothing where there is none.
pub fn enter_word(app: &App) -> Option<&'static str> {
    let items = items(app);
    Some(match items.get(cursor(app, &items))? {
        Item::Incident(_) => "go on with it",
        Item::Target(_) => "check again",
        Item::Wrong { check, .. }
            if app.facts.catalogue.check(check).is_some_and(|check| check.runbook.is_none()) =>
        {
            "say what to do"
        }
        Item::Wrong { .. } | Item::Runbook(_) => "open incident",
    })
}
