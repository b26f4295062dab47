//! Replay: an incident from its journal, record by record, on the screens that it was worked on.
//!
//! There is no world behind these screens: no journal is opened for writing, no target is known, no
//! database can be reached, and every effect but those on the terminal is dropped. What a moment looks
//! like is in `moment`.

pub mod moment;
mod shown;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant as Wake, sleep_until};

use super::app::{App, Facts, Start};
use super::effect::Effect;
use super::glyphs::Glyphs;
use super::keymap::Keymap;
use super::look::{self, Look};
use super::message::Message;
use super::terminal::clipboard::Between;
use super::terminal::keys::Keys;
use super::terminal::reply::Reply;
use super::theme::Theme;
use super::theme::depth::Depth;
use super::watch::{self, Watcher, Watching};
use super::{of_event, terminal, update, view, watch_signals};
use crate::catalogue::Catalogue;
use crate::config::Target;
use crate::exit::Exit;
use crate::incident::entry::{Record, number};
use crate::incident::lease::Lease;
use crate::incident::store::StoreError;
use crate::incident::{Incident, bundle, chain, journal, store};
use crate::practice::Practice;
use crate::problem::Problem;
use moment::{Replay, Story};

/// What a replay is started with.
#[derive(Debug)]
pub struct Replaying {
    pub what: What,
    pub catalogue: Catalogue,
    pub practice: Practice,
    pub theme: Theme,
    pub keymap: Keymap,
}

/// What is looked at.
#[derive(Debug)]
pub enum What {
    /// An incident's name, the path of its folder, or a bundle; and where incidents are kept.
    Told { wanted: String, state: PathBuf },
    /// The folder of one that somebody else works on, which is followed.
    Watched { folder: PathBuf, how: Box<watch::Asked> },
}

/// How the looking ended.
#[derive(Debug)]
pub enum Shown {
    Left(Exit),
    /// It was taken over: whoever has the lease goes on with what it is the lease of.
    Taken(Box<Lease>),
}

/// Tells it line by line while somebody works on it.
pub fn lines(folder: PathBuf, how: watch::Asked) -> Result<Shown, Problem> {
    if let (_, Some(told)) = lying(folder.clone())? {
        return Err(Problem::refused(told));
    }
    Ok(match watch::lines::run(&mut Watcher::new(folder, how))? {
        Ok(lease) => Shown::Taken(Box::new(lease)),
        Err(exit) => Shown::Left(exit),
    })
}

/// Shows it until the operator leaves.
pub async fn run(asked: Replaying) -> Result<Shown, Problem> {
    let ((found, told), mut watcher) = match &asked.what {
        What::Told { wanted, state } => (find(state, wanted)?, None),
        What::Watched { folder, how } => {
            (lying(folder.clone())?, Some(Watcher::new(folder.clone(), *how.clone())))
        }
    };
    let mut app = make(asked, found.story, watcher.as_ref().map(Watcher::begin))?;
    if let Some(told) = told {
        app.complain(told);
    }
    let (guard, mut screen) =
        terminal::take(terminal::Surface::Alternate, |name| std::env::var(name).ok())?;
    let (messages, mut inbox) = unbounded_channel();
    watch_signals(&messages, || Message::GoAway("SIGINT"))?;
    terminal::hangup::watch(move || _ = messages.send(Message::GoAway("the terminal is gone")))
        .map_err(|error| Problem::system(format!("the terminal cannot be watched: {error}")))?;
    let mut keys = Keys::new()
        .map_err(|error| Problem::system(format!("the keys cannot be read: {error}")))?;
    // Nothing is asked of the terminal, so that every key is a key.
    let mut reply = Reply::none(Instant::now());
    let mut due = Wake::now();
    let shown = async {
        loop {
            screen.draw(|frame| view::view(&mut app, frame))?;
            let pause = app.replay.as_ref().and_then(Replay::pause);
            let look = sleep_until(due);
            let mut messages = tokio::select! {
                biased;
                Some(message) = inbox.recv() => vec![message],
                events = keys.next(), if !terminal::hangup::is_gone() => match events {
                    Ok(events) => {
                        events.into_iter().filter_map(|event| of_event(event, &mut reply)).collect()
                    }
                    Err(_) => vec![Message::GoAway("the terminal is gone")],
                },
                () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)), if pause.is_some() => {
                    vec![Message::Tick]
                }
                () = look, if watcher.is_some() => {
                    due = Wake::now() + Watcher::EVERY;
                    let Some(watcher) = &mut watcher else { continue };
                    if let Some(lease) = watcher.is_given() {
                        return Ok::<_, std::io::Error>(Ok(lease));
                    }
                    vec![Message::Seen(Box::new(watcher.look()))]
                }
            };
            app.heard = Instant::now();
            messages
                .extend(keys.ready().into_iter().filter_map(|event| of_event(event, &mut reply)));
            for message in messages {
                let taken = take_in(&mut app, &mut screen, &guard, &mut watcher, message)?;
                if let Some(lease) = taken {
                    return Ok(Ok(lease));
                }
            }
            if let Some(exit) = app.quit {
                return Ok(Err(exit));
            }
        }
    };
    let outcome = AssertUnwindSafe(shown).catch_unwind().await;
    drop(guard);
    match outcome {
        Ok(outcome) => outcome
            .map(|ended| match ended {
                Ok(lease) => Shown::Taken(Box::new(lease)),
                Err(exit) => Shown::Left(exit),
            })
            .map_err(|error| Problem::system(format!("the terminal failed: {error}"))),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// One message; of what the screens ask for, only what concerns the terminal is done, and the lease.
fn take_in(
    app: &mut App,
    screen: &mut terminal::Screen,
    guard: &terminal::Guard,
    watcher: &mut Option<Watcher>,
    message: Message,
) -> std::io::Result<Option<Lease>> {
    if super::takes_again(&message, guard) {
        terminal::repaint(screen)?;
    }
    let now = app.now;
    for effect in update::update(app, message, now) {
        match effect {
            Effect::Repaint => terminal::repaint(screen)?,
            Effect::Suspend => {
                let _ = guard.suspend();
                terminal::repaint(screen)?;
            }
            Effect::Clipboard(text) => {
                terminal::send(&terminal::clipboard::sequence(&text, app.facts.between));
            }
            Effect::AskTakeOver => match watcher.as_mut().map(Watcher::ask) {
                Some(Ok(None)) => {
                    app.say("asked; you go on as soon as it is handed over");
                }
                Some(Ok(lease)) => return Ok(lease),
                Some(Err(why)) => app.complain(why),
                None => {}
            },
            Effect::TakeOver(forced) => match watcher.as_mut().map(|one| one.force(forced)) {
                Some(Ok(lease)) => return Ok(Some(lease)),
                Some(Err(why)) => app.complain(why),
                None => {}
            },
            _ => {}
        }
    }
    Ok(None)
}

/// A story, and the folder that goes when it has been told.
struct Found {
    story: Story,
    _unpacked: Option<bundle::Opened>,
}

/// The records and whatever lies beside them; and what is wrong with them, if anything.
fn find(state: &Path, wanted: &str) -> Result<(Found, Option<String>), Problem> {
    let path = Path::new(wanted);
    if path.is_file() {
        let opened = bundle::open(path).map_err(|error| {
            Problem::usage(format!("{wanted}: {error}"))
                .hint("name an incident, its folder, or a file that `steadyhand bundle` made")
        })?;
        let folder = opened.folder.path().to_owned();
        let broken = opened.faults.first().cloned();
        let (records, fault) = if opened.about.redacted {
            let bytes = journal::bytes(&folder)
                .map_err(|error| Problem::unreachable(format!("{wanted}: {error}")))?;
            let (records, _, fault, _) = chain::replay_redacted(&bytes);
            (records, fault.map(|fault| fault.to_string()))
        } else {
            read(&folder)?
        };
        let name = number(&records).to_owned();
        let story = story(name, folder, records)?;
        return Ok((Found { story, _unpacked: Some(opened) }, broken.or(fault)));
    }
    lying(store::folder_of(state, wanted).map_err(|error| unfound(&error))?)
}

/// The same of what lies in a folder.
fn lying(folder: PathBuf) -> Result<(Found, Option<String>), Problem> {
    let (records, fault) = read(&folder)?;
    let story = story(store::name(&folder), folder, records)?;
    Ok((Found { story, _unpacked: None }, fault))
}

fn unfound(error: &StoreError) -> Problem {
    Problem::usage(error.to_string())
        .hint("`steadyhand incidents` lists those that there are; --state names another folder")
}

fn read(folder: &Path) -> Result<(Vec<Record>, Option<String>), Problem> {
    let (records, _, fault) =
        journal::read(folder).map_err(|error| Problem::unreachable(error.to_string()))?;
    let told = |fault| format!("only what stands before the damage is shown: {fault}");
    Ok((records, fault.map(told)))
}

fn story(name: String, folder: PathBuf, records: Vec<Record>) -> Result<Story, Problem> {
    let incident = Incident::replay(&name, &records);
    let verify = "`steadyhand verify` says what was altered";
    let nothing = || Problem::refused(format!("{}: it was never opened", folder.display()));
    let target = incident.target.as_ref().ok_or_else(|| nothing().hint(verify))?;
    let target = Target::seen(&target.name, &target.url, &target.environment)?;
    let runbook = store::frozen(&folder, &incident).ok_or_else(|| {
        let sentence = "runbook.toml is not the one the incident was opened on";
        Problem::refused(format!("{}: {sentence}", folder.display())).hint(verify)
    })?;
    Ok(Story { name, records, runbook, target, folder })
}

fn make(asked: Replaying, story: Story, watching: Option<Watching>) -> Result<App, Problem> {
    let environment = |name: &str| std::env::var(name).ok();
    let depth = Depth::choose(environment);
    let theme = asked.theme.at(depth);
    let glyphs = Glyphs::choose(look::charset(), environment);
    let facts = Facts {
        catalogue: asked.catalogue.into(),
        practice: asked.practice.into(),
        seconding: crate::config::Seconding::default(),
        targets: Vec::new(),
        depth,
        between: Between::see(environment),
        refresh: Duration::MAX,
        demo: false,
        drill: None,
        thrown_away: false,
        start: Start::Home,
    };
    let at = if watching.is_some() { story.records.last() } else { story.records.first() };
    let now = at.map(|record| record.at);
    let now = now.ok_or_else(|| Problem::refused("its journal is empty"))?;
    let mut app = App::new(facts, Look { theme, glyphs }, asked.keymap, now);
    moment::begin(&mut app, story, watching);
    Ok(app)
}
