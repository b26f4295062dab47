//! What is typed, all of it that lies there at once.
//!
//! crossterm's stream gives one event at a time, from a thread of its own, and says that there is
//! nothing while half a line still lies there. A box that is drawn in between would take the other half
//! as meant for it. Here a thread only waits, when it is asked to, and reads nothing: an editor that has
//! the terminal in between loses nothing to us.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::hangup;

#[derive(Debug)]
pub struct Keys {
    ask: Sender<()>,
    told: UnboundedReceiver<io::Result<()>>,
    is_asked: bool,
    /// A new size comes by a signal, which crossterm has heard too by then.
    resized: Signal,
}

impl Keys {
    pub fn new() -> io::Result<Self> {
        // The one that crossterm reads.
        let input = rustix::stdio::stdin();
        let input = if rustix::termios::isatty(input) {
            input.try_clone_to_owned()?
        } else {
            File::options().read(true).write(true).open("/dev/tty")?.into()
        };
        let resized = signal(SignalKind::window_change())?;
        // From here on crossterm hears of sizes, too.
        event::poll(AN_INSTANT)?;
        let ((ask, asked), (tell, told)) = (channel(), unbounded_channel());
        thread::Builder::new().name("keys".into()).spawn(move || wait(&input, &asked, &tell))?;
        Ok(Self { ask, told, is_asked: false, resized })
    }

    /// Waits until something is there, and takes all of it. Nothing is lost where nobody waits on.
    pub async fn next(&mut self) -> io::Result<Vec<Event>> {
        loop {
            if hangup::is_gone() {
                // Whoever watches for that says so.
                std::future::pending::<()>().await;
            }
            let events = there()?;
            if !events.is_empty() {
                return Ok(events);
            }
            if !self.is_asked {
                self.is_asked = self.ask.send(()).is_ok();
            }
            tokio::select! {
                told = self.told.recv() => {
                    self.is_asked = false;
                    told.unwrap_or_else(|| Err(io::Error::other("nobody waits for keys")))?;
                }
                _ = self.resized.recv() => {}
            }
        }
    }

    /// What is there without waiting.
    pub fn ready(&mut self) -> Vec<Event> {
        // Whoever waits hears of what cannot be read.
        there().unwrap_or_default()
    }
}

/// Tells, each time it is asked, as soon as there is something to read. The thread ends with whoever
/// asks, or with the process.
fn wait(input: &OwnedFd, asked: &Receiver<()>, tell: &UnboundedSender<io::Result<()>>) {
    while asked.recv().is_ok() {
        let told = loop {
            match poll(&mut [PollFd::new(input, PollFlags::IN)], None) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                other => break other.map(drop).map_err(io::Error::from),
            }
        };
        if tell.send(told).is_err() {
            return;
        }
    }
}

/// No time at all is too little for crossterm 0.29: it does not hand out then what it has read already.
/// In this one it looks again and again, and never sleeps.
const AN_INSTANT: Duration = Duration::from_micros(5);

fn there() -> io::Result<Vec<Event>> {
    let mut events = Vec::new();
    // Twice, because the host may take the processor away for longer than that before it has looked.
    while !hangup::is_gone() && (event::poll(AN_INSTANT)? || event::poll(AN_INSTANT)?) {
        events.push(event::read()?);
    }
    Ok(events)
}
