//! Lines from standard input, one when one is wanted, so that an editor that is lent the terminal
//! finds nobody else reading. Before a prompt that writes, whatever waits there is thrown away.

use std::io::IsTerminal as _;
use std::sync::mpsc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::problem::Problem;

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Line,
    /// What comes from now on, and nothing that came before.
    Fresh,
}

#[derive(Debug)]
pub struct Read {
    pub text: String,
    /// False if a later prompt stands there now.
    pub is_answer: bool,
}

#[derive(Debug)]
pub struct Input {
    wants: mpsc::Sender<(u64, Want)>,
    lines: UnboundedReceiver<(u64, String)>,
    is_terminal: bool,
    /// The number of the last prompt, and of the one that wanted nothing from before it.
    last: u64,
    fresh: u64,
    /// A line is wanted that did not come yet.
    waiting: bool,
}

impl Input {
    pub fn start() -> Result<Self, Problem> {
        let (wants, wanted) = mpsc::channel();
        let (tell, lines) = unbounded_channel();
        let is_terminal = std::io::stdin().is_terminal();
        thread::Builder::new()
            .name("lines".into())
            .spawn(move || read(&wanted, &tell))
            .map_err(|error| Problem::system(format!("the input cannot be read: {error}")))?;
        Ok(Self { wants, lines, is_terminal, last: 0, fresh: 0, waiting: false })
    }

    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Throws away what was typed and not read.
    pub fn discard() {
        let _ = tcflush(rustix::stdio::stdin(), QueueSelector::IFlush);
    }

    /// A prompt stands there and wants a line. One that is being read already will do, unless what
    /// came before the prompt must not count.
    pub fn want(&mut self, want: Want) {
        if self.waiting && (want == Want::Line || self.is_fresh()) {
            return;
        }
        self.last += 1;
        if want == Want::Fresh {
            self.fresh = self.last;
        }
        self.waiting = true;
        let _ = self.wants.send((self.last, want));
    }

    /// What is being read came after the last prompt that writes.
    pub fn is_fresh(&self) -> bool {
        self.waiting && self.fresh == self.last
    }

    /// The next line; none when there will be no more.
    pub async fn next(&mut self) -> Option<Read> {
        let (number, text) = self.lines.recv().await?;
        let is_answer = number >= self.fresh;
        if number == self.last {
            self.waiting = false;
        }
        Some(Read { text, is_answer })
    }
}

fn read(wants: &mpsc::Receiver<(u64, Want)>, lines: &UnboundedSender<(u64, String)>) {
    let mut waiting = Vec::new();
    for (number, want) in wants {
        if want == Want::Fresh {
            waiting.clear();
        }
        let Some(line) = line(&mut waiting) else { return };
        if lines.send((number, line)).is_err() {
            return;
        }
    }
}

/// The next line, however it ends; none at the end of the input.
fn line(waiting: &mut Vec<u8>) -> Option<String> {
    let input = rustix::stdio::stdin();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            return Some(line.trim_end_matches(['\n', '\r']).to_owned());
        }
        match rustix::io::read(input, &mut piece) {
            Ok(0) => return None,
            Ok(length) => waiting.extend_from_slice(&piece[..length]),
            Err(Errno::INTR) => {}
            // Somebody made the terminal non-blocking, for us as well.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&input, PollFlags::IN)], None);
            }
            Err(_) => return None,
        }
    }
}
