//! The cockpit: take the terminal, run the loop, give it back.
//!
//! One biased `select!` over signals, answers, keys and the second hand. Everything that is ready is
//! taken in, then one frame is drawn if something changed. What decides is in `update`, what acts is
//! in `perform`, what draws is in `view`.

pub mod app;
pub mod case;
pub mod command;
mod draft;
pub mod effect;
pub mod glyphs;
pub mod keymap;
pub mod look;
pub mod message;
pub mod overlay;
pub mod page;
pub mod perform;
mod picture;
pub mod plain;
pub mod reach;
pub mod replay;
pub mod screen;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;
pub mod wake;
pub mod watch;
pub mod widget;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::Event;
use futures_util::FutureExt as _;
use ratatui::Terminal;
use ratatui::backend::Backend;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::catalogue::Catalogue;
use crate::check::Check;
use crate::clock;
use crate::config::{Seconding, Target};
use crate::drill::{Scenario, Scorecard};
use crate::exit::Exit;
use crate::incident::lease::Lease;
use crate::practice::Practice;
use crate::problem::Problem;
use app::{App, Facts};
use effect::{EditFor, Effect};
use glyphs::Glyphs;
use keymap::Keymap;
use look::Look;
use message::Message;
use perform::{ForTerminal, World};
use picture::Picture;
use terminal::keys::Keys;
use terminal::reply::{Reply, Taken};
use theme::Theme;
use theme::depth::Depth;

pub use app::Start;

/// What the cockpit is started with.
#[derive(Debug)]
pub struct Cockpit {
    pub catalogue: Catalogue,
    /// What is agreed on for incidents.
    pub practice: Practice,
    pub targets: Vec<Target>,
    /// Where incidents are kept.
    pub state: PathBuf,
    pub actor: String,
    /// How a second person agrees.
    pub seconding: Seconding,
    pub theme: Theme,
    pub background: Background,
    pub keymap: Keymap,
    /// Wheel and click are for the cockpit.
    pub mouse: bool,
    /// The file that says that somebody was shown around; none if nobody is to be.
    pub tour: Option<PathBuf>,
    /// How often a check runs again where its step does not say.
    pub refresh: Duration,
    /// Where the demo's database is to be made.
    pub demo: Option<Ground>,
    /// What the demo is to be a drill of.
    pub drill: Option<Scenario>,
    /// The checks whose faults are put into it.
    pub faults: Vec<Check>,
    /// It goes when the cockpit is left.
    pub thrown_away: bool,
    pub start: Start,
    /// Where incidents of several hosts are kept.
    pub store: Option<Target>,
    /// The lease of the incident it is started with, if it was taken over, which says which one that is.
    pub lease: Option<Lease>,
}

/// What is known of the background of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Enough, or somebody chose the theme.
    Settled,
    /// Only the terminal can tell which theme fits.
    Asked,
}

/// Where a demo lays its database.
#[derive(Debug, Clone)]
pub enum Ground {
    /// A file in this folder.
    Folder(PathBuf),
    /// A schema of its own on this server.
    Server {
        given: Box<Target>,
        /// An earlier demo made it already.
        made: bool,
    },
}

/// What is left to say when the terminal is the shell's again.
#[derive(Debug)]
pub struct Farewell {
    pub exit: Exit,
    /// What the drill came to, if it was one.
    pub scored: Option<Scorecard>,
    /// The incident that was open, and its folder.
    pub incident: Option<(String, PathBuf, bool)>,
    /// The folder of the incident that somebody else works on now, to be looked at.
    pub watch: Option<PathBuf>,
}

/// Runs the cockpit on the terminal of the process.
pub async fn run(cockpit: Cockpit) -> Result<Farewell, Problem> {
    let (guard, mut screen) =
        terminal::take(terminal::Surface::Alternate, |name| std::env::var(name).ok())?;
    let (messages, inbox) = unbounded_channel();
    watch_signals(&messages, || Message::GoAway("SIGINT"))?;
    let away = messages.clone();
    terminal::hangup::watch(move || {
        let _ = away.send(Message::GoAway("the terminal is gone"));
    })
    .map_err(|error| Problem::system(format!("the terminal cannot be watched: {error}")))?;
    let asked = cockpit.background == Background::Asked;
    let (mut app, mut world) = make(cockpit, messages);
    let mut keys = Keys::new()
        .map_err(|error| Problem::system(format!("the keys cannot be read: {error}")))?;
    let ask = asked.then_some(terminal::ask_background as fn());
    let cycle = cycle(&mut screen, &mut keys, inbox, &mut app, &mut world, &guard, ask);
    let outcome = AssertUnwindSafe(cycle).catch_unwind().await;
    if !matches!(outcome, Ok(Ok(()))) {
        // What was being typed is all that is not on disk already: a picture may fail before anybody
        // says that the terminal is gone.
        let effects = draft::keep(&mut app);
        world.perform(effects);
    }
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(panic) => {
            drop(world);
            std::panic::resume_unwind(panic)
        }
    };
    drop(screen);
    drop(guard);
    leave(app, world, outcome).await
}

/// Lets what still runs end, and says what is left to say.
async fn leave(
    app: App,
    mut world: World,
    outcome: std::io::Result<()>,
) -> Result<Farewell, Problem> {
    world.settle(Duration::from_secs(2)).await;
    let scored = world.score_at_the_end();
    let cleared = if app.facts.thrown_away && app.watch.is_none() {
        world.clear_away().await
    } else {
        Ok(())
    };
    outcome.map_err(|error| Problem::system(format!("the terminal failed: {error}")))?;
    let incident = app
        .case
        .as_ref()
        .map(|case| (case.incident.id.clone(), case.folder.clone(), case.incident.is_open()));
    cleared?;
    let (exit, watch) = (app.quit.unwrap_or(Exit::Clear), app.watch);
    Ok(Farewell { exit, scored, incident, watch })
}

fn make(cockpit: Cockpit, messages: UnboundedSender<Message>) -> (App, World) {
    // A drill that was broken off goes on as one.
    let drill = cockpit.drill.or_else(|| Scenario::read(&cockpit.state));
    let catalogue = Arc::new(cockpit.catalogue);
    let practice = Arc::new(cockpit.practice);
    let environment = |name: &str| std::env::var(name).ok();
    let depth = Depth::choose(environment);
    let theme = cockpit.theme.at(depth);
    let glyphs = Glyphs::choose(look::charset(), environment);
    let look = Look { theme, glyphs };
    let facts = Facts {
        catalogue: catalogue.clone(),
        practice: practice.clone(),
        targets: cockpit.targets.clone(),
        seconding: cockpit.seconding.clone(),
        depth,
        between: terminal::clipboard::Between::see(environment),
        refresh: cockpit.refresh,
        demo: cockpit.demo.is_some(),
        drill: drill.as_ref().map(|scenario| scenario.symptom.clone()),
        thrown_away: cockpit.thrown_away,
        start: cockpit.start,
    };
    let shown_around = cockpit.tour.as_ref().is_none_or(|file| file.exists());
    let mut app = App::new(facts, look, cockpit.keymap, clock::now());
    app.mouse = cockpit.mouse;
    if !shown_around && app.facts.start == Start::Home && drill.is_none() {
        app.overlay = Some(overlay::Overlay::tour());
    }
    let mut world =
        World::new(catalogue, practice, cockpit.targets, cockpit.state, cockpit.actor, messages);
    world.seconding = cockpit.seconding;
    world.demo = cockpit.demo;
    world.faults = cockpit.faults;
    world.drill = drill;
    world.tour = cockpit.tour;
    world.lease = cockpit.lease;
    world.store = cockpit.store;
    (app, world)
}

fn watch_signals(
    messages: &UnboundedSender<Message>,
    interrupted: fn() -> Message,
) -> Result<(), Problem> {
    let continued = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
    let kinds: [(SignalKind, fn() -> Message); 4] = [
        (continued, || Message::Continued),
        (SignalKind::terminate(), || Message::GoAway("SIGTERM")),
        (SignalKind::hangup(), || Message::GoAway("SIGHUP")),
        (SignalKind::interrupt(), interrupted),
    ];
    for (kind, message) in kinds {
        let mut stream = signal(kind)
            .map_err(|error| Problem::system(format!("signals cannot be handled: {error}")))?;
        let messages = messages.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let _ = messages.send(message());
            }
        });
    }
    Ok(())
}

/// A frame that took so long to get rid of was held up by the link.
const STALLED: Duration = Duration::from_millis(500);

/// The loop.
async fn cycle<B: Backend>(
    screen: &mut Terminal<B>,
    keys: &mut Keys,
    mut inbox: UnboundedReceiver<Message>,
    app: &mut App,
    world: &mut World,
    guard: &terminal::Guard,
    ask: Option<fn()>,
) -> Result<(), B::Error> {
    // The first frame stands before anything is asked of a disk, a database or the terminal.
    let mut picture = Picture::first(screen, guard, app)?;
    let mut reply = match ask {
        Some(ask) => {
            ask();
            Reply::new(Instant::now())
        }
        None => Reply::none(Instant::now()),
    };
    let mut effects = screen::home::start(app);
    if app.mouse {
        effects.push(Effect::Mouse(true));
    }
    if !app.facts.demo {
        effects.extend(update::begin(app));
    }
    carry_out(app, world, &mut picture, effects);
    let mut wake = tokio::time::Instant::now();
    let mut keys_over = false;
    loop {
        // Whatever came in between puts nothing off.
        wake = wake.min(tokio::time::Instant::now() + wake::next(app, clock::now()));
        let mut typed = Vec::new();
        let message = tokio::select! {
            biased;
            Some(message) = inbox.recv() => Some(message),
            events = keys.next(), if !keys_over && !terminal::hangup::is_gone() => match events {
                Ok(events) => {
                    typed = events;
                    None
                }
                Err(_) => {
                    keys_over = true;
                    Some(Message::GoAway("the terminal is gone"))
                }
            },
            () = tokio::time::sleep_until(wake) => {
                wake += Duration::from_hours(1);
                Some(Message::Tick)
            }
        };
        app.heard = Instant::now();
        if let Some(message) = message {
            take_in(app, world, &mut picture, message);
        }
        for message in typed.into_iter().filter_map(|event| of_event(event, &mut reply)) {
            take_in(app, world, &mut picture, message);
        }
        // Whatever else is ready goes into the same frame.
        while let Ok(message) = inbox.try_recv() {
            take_in(app, world, &mut picture, message);
        }
        for event in keys.ready() {
            if let Some(message) = of_event(event, &mut reply) {
                take_in(app, world, &mut picture, message);
            }
        }
        if let Some(failed) = failed_task() {
            take_in(app, world, &mut picture, failed);
        }
        if app.quit.is_some() {
            return Ok(());
        }
        // A frame that changed no cell sends nothing.
        let is_new = app.overlay.as_ref().is_some_and(|overlay| !overlay.drawn);
        let made = picture.draw(app).await?;
        if is_new && made.elapsed() > STALLED {
            // Typed while the box waited for the link: it was not meant for it.
            for event in keys.ready() {
                match of_event(event, &mut reply) {
                    Some(Message::Key(_) | Message::Paste(_)) | None => {}
                    Some(other) => take_in(app, world, &mut picture, other),
                }
            }
        }
    }
}

fn of_event(event: Event, reply: &mut Reply) -> Option<Message> {
    match reply.take(&event, Instant::now()) {
        Taken::Key => {}
        Taken::Part => return None,
        Taken::Ground(ground) => return Some(Message::Ground(ground)),
    }
    match event {
        Event::Key(key) => Some(Message::Key(key)),
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Resize(..) => Some(Message::Resized),
        Event::Mouse(event) => Some(Message::Mouse(event)),
        Event::FocusGained | Event::FocusLost => None,
    }
}

/// One message through update and perform.
fn take_in<B: Backend>(
    app: &mut App,
    world: &mut World,
    picture: &mut Picture<'_, B>,
    message: Message,
) {
    // What follows from a panic, such as what became of the change, is not to be covered by it.
    for mut message in failed_task().into_iter().chain([message]) {
        picture.due |= takes_again(&message, picture.guard);
        note_for_world(world, &mut message);
        let effects = update::update(app, message, clock::now());
        carry_out(app, world, picture, effects);
    }
}

/// That a task panicked since this was asked last.
fn failed_task() -> Option<Message> {
    let panic = terminal::task_panic()?;
    let problem = Problem::system(format!("a task of ours failed: {panic}"))
        .hint("What it did is not known; the journal has everything up to it.");
    Some(Message::Failed(problem))
}

/// Whoever had the terminal in between left it as they liked, also at the same size: then the whole
/// picture is due.
fn takes_again(message: &Message, guard: &terminal::Guard) -> bool {
    if matches!(message, Message::Continued) {
        let _ = guard.retake();
    }
    matches!(message, Message::Resized | Message::Continued)
}

/// What the world must know of an answer before anything follows from it.
fn note_for_world(world: &mut World, message: &mut Message) {
    match message {
        Message::Opened(Ok(opened)) => world.take_desk(opened),
        Message::Prepared(Err(_)) => world.is_not_ours(),
        _ => {}
    }
}

fn carry_out<B: Backend>(
    app: &mut App,
    world: &mut World,
    picture: &mut Picture<'_, B>,
    effects: Vec<Effect>,
) {
    for asked in world.perform(effects) {
        match asked {
            ForTerminal::Repaint => picture.due = true,
            ForTerminal::Bell => {}
            ForTerminal::Clipboard(text) => {
                terminal::send(&terminal::clipboard::sequence(&text, app.facts.between));
            }
            ForTerminal::Mouse(on) => terminal::take_mouse(on),
            ForTerminal::Suspend => {
                let _ = picture.guard.suspend();
                picture.due = true;
            }
            ForTerminal::Edit { text, purpose, file } => {
                let outcome = picture.guard.lend(|| edit_outside(&text, &file));
                picture.due = true;
                let text = outcome
                    .map_err(|error| {
                        Problem::system(format!("the terminal was not given back: {error}"))
                    })
                    .and_then(|text| text);
                hand_in(app, world, purpose, text);
            }
        }
    }
}

fn hand_in(app: &mut App, world: &mut World, purpose: EditFor, text: Result<String, Problem>) {
    let message = Message::EditedOutside { purpose, text };
    let effects = update::update(app, message, clock::now());
    // An edited text asks for files and entries only, nothing of the terminal.
    world.perform(effects);
}

/// Runs `$VISUAL` or `$EDITOR` on the file that holds the text.
fn edit_outside(text: &str, file: &Path) -> Result<String, Problem> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
    let editor = editor.filter(|editor| !editor.trim().is_empty()).unwrap_or_else(|| "vi".into());
    let read = || std::fs::read_to_string(file);
    let failed = |what: String| {
        let changed = read().is_ok_and(|now| now.trim_end() != text.trim_end());
        Problem::system(what).hint(if changed {
            format!("what it saved is in {}, and in this box the next time", file.display())
        } else {
            "the text is as it was; it can be edited here, without another program".into()
        })
    };
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let started = Instant::now();
    let status = std::process::Command::new(program)
        .args(words)
        .arg(file)
        .status()
        .map_err(|error| failed(format!("{editor} cannot be run: {error}")))?;
    if !status.success() {
        let seconds = started.elapsed().as_secs();
        return Err(failed(format!("{editor} ended with {status} after {seconds} s")));
    }
    read().map_err(|error| failed(format!("what {editor} wrote cannot be read: {error}")))
}
