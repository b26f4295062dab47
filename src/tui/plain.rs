//! Line mode: the cockpit for screen readers, serial consoles and terminals that cannot move a cursor.
//!
//! App, update and perform are those of the screen. A line that was typed becomes the command or the
//! answer that keys would have been; what changed is told in sentences. Lines are edited by the
//! terminal itself, which stays as the shell has it: there is nothing to give back.

mod hear;
mod input;
mod out;
mod page;
mod tell;

use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until};

use super::app::App;
use super::command::Command;
use super::effect::Effect;
use super::message::Message;
use super::perform::{ForTerminal, World};
use super::{Cockpit, Farewell, edit_outside, hand_in, screen, update, wake};
use crate::clock;
use crate::problem::Problem;
use hear::Heard;
pub use input::Input;
use input::Want;
use out::Out;
use tell::Tell;

/// What belongs together comes within this time, and is told as one block.
const TOGETHER: Duration = Duration::from_millis(40);
/// No block waits longer for its end.
const AT_MOST: Duration = Duration::from_millis(250);
/// Nobody reads a prompt that writes and answers it within this time; the rest of a paste does.
pub const QUIET: Duration = Duration::from_millis(300);

/// Runs the cockpit line by line, on whatever standard input and output are.
pub async fn run(mut cockpit: Cockpit) -> Result<Farewell, Problem> {
    // The tour is about a screen.
    cockpit.tour = None;
    let (messages, inbox) = unbounded_channel();
    super::watch_signals(&messages, || Message::Command(Command::Interrupt))?;
    let input = Input::start()?;
    let (app, world) = super::make(cockpit, messages);
    let out = Out::new(std::io::stdout(), app.look.glyphs.charset());
    let mut walk = Walk {
        app,
        world,
        input,
        out,
        tell: Tell::default(),
        since: None,
        due: None,
        prompt: Prompt::Due,
        sure: None,
        written: Vec::new(),
    };
    let outcome = walk.cycle(inbox).await;
    let Walk { app, world, .. } = walk;
    super::leave(app, world, outcome).await
}

/// Whether somebody is asked for a line just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prompt {
    /// To be written with the next block, or alone.
    Due,
    Stands,
}

struct Walk {
    app: App,
    world: World,
    input: Input,
    out: Out<std::io::Stdout>,
    tell: Tell,
    /// When the first news of the present block came.
    since: Option<Instant>,
    /// When the block is told.
    due: Option<Instant>,
    prompt: Prompt,
    /// The right words were typed; an enter of its own is what is missing.
    sure: Option<String>,
    /// The lines of a longer text so far.
    written: Vec<String>,
}

impl Walk {
    async fn cycle(&mut self, mut inbox: UnboundedReceiver<Message>) -> std::io::Result<()> {
        let mut effects = screen::home::start(&mut self.app);
        if !self.app.facts.demo {
            effects.extend(update::begin(&mut self.app));
        }
        self.carry_out(effects);
        self.news();
        let mut wake = Instant::now();
        loop {
            let due = self.due;
            wake = wake.min(Instant::now() + wake::next(&self.app, clock::now()));
            tokio::select! {
                biased;
                Some(message) = inbox.recv() => self.take_in(message),
                heard = self.input.next() => self.line(heard),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.flush().await?;
                }
                () = sleep_until(wake) => {
                    wake += Duration::from_hours(1);
                    self.take_in(Message::Tick);
                }
            }
            if let Some(failed) = super::failed_task() {
                self.take_in(failed);
            }
            if self.app.quit.is_some() {
                self.tell.write(&mut self.app, &mut self.out)?;
                return self.out.end();
            }
            // A script is asked again when what it asked for is done; a person at any time.
            if self.prompt == Prompt::Due && self.due.is_none() && self.may_ask() {
                self.news();
            }
        }
    }

    fn may_ask(&self) -> bool {
        self.input.is_terminal() || self.is_settled()
    }

    /// Nothing is under way that a script would have to wait for.
    fn is_settled(&self) -> bool {
        let home = &self.app.home;
        let surveyed = home.health.iter().all(|health| !health.waiting && health.running.is_none());
        let case = self.app.case.as_ref();
        !home.preparing
            && home.opening.is_none()
            && surveyed
            && !case.is_some_and(super::case::Case::is_busy)
    }

    /// Something is to be told soon.
    fn news(&mut self) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        self.due = Some((now + TOGETHER).min(since + AT_MOST));
    }

    /// One message through update and perform; what it changed is remembered for the next block.
    fn take_in(&mut self, message: Message) {
        self.take_all(vec![message]);
    }

    /// Messages of which only the end is of interest.
    fn take_all(&mut self, messages: Vec<Message>) {
        if messages.iter().any(|message| matches!(message, Message::Continued)) {
            self.prompt = Prompt::Due;
            self.news();
        }
        let now = clock::now();
        self.app.now = now;
        self.tell.before(&self.app, &messages);
        let prompt = page::prompt(&self.app, false);
        for mut message in messages {
            super::note_for_world(&mut self.world, &mut message);
            let effects = update::update(&mut self.app, message, now);
            self.carry_out(effects);
        }
        if page::prompt(&self.app, false) != prompt {
            self.prompt = Prompt::Due;
            self.news();
        }
        if self.tell.after(&self.app) {
            self.news();
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for asked in self.world.perform(effects) {
            match asked {
                ForTerminal::Repaint => self.tell.whole(),
                ForTerminal::Bell | ForTerminal::Mouse(_) => {}
                ForTerminal::Clipboard(_) => {
                    let words = "line by line the terminal's clipboard is out of reach; export \
                                 writes a file";
                    self.tell.say(words);
                }
                ForTerminal::Suspend => {
                    let _ = kill_process(getpid(), Signal::TSTP);
                }
                ForTerminal::Edit { text, purpose, file } => {
                    let text = edit_outside(&text, &file);
                    hand_in(&mut self.app, &mut self.world, purpose, text);
                }
            }
        }
    }

    /// A line came, or none will come any more.
    fn line(&mut self, read: Option<input::Read>) {
        let Some(read) = read else {
            return self.take_in(Message::GoAway("the input ended"));
        };
        self.prompt = Prompt::Due;
        self.news();
        if let Err(error) = self.out.heard(&read.text, self.input.is_terminal()) {
            self.tell.say(error.to_string());
        }
        if !read.is_answer {
            let words = "that was typed before the question stood here, and is not taken";
            return self.tell.say(words);
        }
        let heard = hear::hear(
            &mut self.app,
            &read.text,
            &self.tell.listed,
            &mut self.sure,
            &mut self.written,
            self.input.is_terminal(),
        );
        for one in heard {
            match one {
                Heard::Messages(messages) => self.take_all(messages),
                Heard::Say(words) => self.tell.say(words),
                Heard::More => self.tell.more(&self.app),
                Heard::Help => self.tell.help(&self.app),
            }
        }
    }

    /// Tells what there is to tell, and asks for the next line.
    async fn flush(&mut self) -> std::io::Result<()> {
        (self.since, self.due) = (None, None);
        if self.tell.write(&mut self.app, &mut self.out)? {
            self.prompt = Prompt::Due;
        }
        // What only tells is closed by having been told.
        if let Some(command) = hear::closes(&self.app) {
            self.take_in(Message::Command(command));
            self.due = None;
            self.since = None;
            self.tell.write(&mut self.app, &mut self.out)?;
        }
        if self.prompt == Prompt::Stands || !self.may_ask() {
            return Ok(());
        }
        let fresh = hear::asks_to_write(&self.app) && self.input.is_terminal();
        if fresh && !self.input.is_fresh() {
            sleep(QUIET).await;
            Input::discard();
        }
        self.out.prompt(&page::prompt(&self.app, self.sure.is_some()))?;
        self.prompt = Prompt::Stands;
        self.input.want(if fresh { Want::Fresh } else { Want::Line });
        Ok(())
    }
}
