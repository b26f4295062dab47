//! Watching line by line: every record as its sentence, as it comes. What is typed asks to take over.

use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write as _};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{HEARD, Seen, Watcher, Watching};
use crate::clock;
use crate::exit::Exit;
use crate::incident::lease::{Forced, Lease};
use crate::incident::store;
use crate::problem::Problem;
use crate::tui::look;
use crate::tui::plain::{Input, QUIET};

const HOW: &str =
    "This is watched, not worked on. take over asks for it; an empty line or quit leaves.";

/// The lease, if it was taken over, or how it ended.
pub fn run(watcher: &mut Watcher) -> Result<Result<Lease, Exit>, Problem> {
    let mut lines = Lines {
        told: Vec::new(),
        watching: watcher.begin(),
        incident: store::name(&watcher.folder),
        at: clock::now(),
    };
    let mut typed = Typed::default();
    // The right words were typed; what takes it is a line of its own.
    let mut meant: Option<String> = None;
    say(HOW)?;
    loop {
        if let Some(lease) = watcher.is_given() {
            return Ok(Ok(lease));
        }
        for line in lines.news(watcher.look()) {
            say(&line)?;
        }
        let line = match typed.wait() {
            Heard::Nothing => continue,
            Heard::End => return Ok(Err(Exit::Clear)),
            Heard::Line(line) => line,
        };
        if let Some(words) = meant.take() {
            // What became of it since they were typed counts.
            for line in lines.news(watcher.look()) {
                say(&line)?;
            }
            match (line.trim(), lines.forced(&words)) {
                ("", Some(forced)) => match watcher.force(forced) {
                    Ok(lease) => return Ok(Ok(lease)),
                    Err(why) => say(&why)?,
                },
                ("", None) => say("who works on it has answered; nothing was taken over")?,
                _ => say("left alone; nothing was taken over")?,
            }
            continue;
        }
        match line.trim() {
            "" | "q" | "quit" => return Ok(Err(Exit::Clear)),
            "take over" => match watcher.ask() {
                Ok(Some(lease)) => return Ok(Ok(lease)),
                Ok(None) => say("asked; who works on it sees it within a second")?,
                Err(why) => say(&why)?,
            },
            words => match lines.forced(words) {
                Some(_) if !std::io::stdin().is_terminal() => {
                    say("that is typed at a terminal; nothing was taken over")?;
                }
                Some(_) => {
                    typed.forget();
                    meant = Some(words.to_owned());
                    say("enter alone takes it over, anything else leaves it")?;
                }
                None => say(HOW)?,
            },
        }
    }
}

struct Lines {
    /// The hashes of the records that were told.
    told: Vec<String>,
    watching: Watching,
    incident: String,
    /// When it was looked at last.
    at: Timestamp,
}

impl Lines {
    fn news(&mut self, seen: Seen) -> Vec<String> {
        let mut news = VecDeque::new();
        if let Some(records) = seen.records {
            // What only this host wrote makes room for what the store has.
            let same = records.iter().zip(&self.told).take_while(|(now, told)| now.hash == **told);
            let same = same.count();
            for record in records.iter().skip(same) {
                let (time, sentence) = (record.at.strftime("%H:%M:%S"), record.entry.sentence());
                news.push_back(format!("{time} UTC  {}: {sentence}", record.actor));
            }
            self.told = records.into_iter().map(|record| record.hash).collect();
        }
        let (before, could) = (self.watching.line(self.at), self.watching.may_force(self.at));
        self.at = seen.at;
        self.watching.holder = seen.holder;
        self.watching.request = seen.request;
        let now = self.watching.line(seen.at);
        // Its age is no news.
        let silent = |line: &str| line.contains("no sign of life");
        if !self.told.is_empty() && before != now && !(silent(&before) && silent(&now)) {
            news.push_back(now);
        }
        if let Some(who) = self.watching.request.as_ref().and_then(|one| one.refused.clone()) {
            news.push_back(format!("{who} goes on with it and does not hand it over now"));
            self.watching.request = None;
        }
        if !could && self.watching.may_force(seen.at) {
            let words = Forced::words(&self.incident);
            news.push_back(format!("nobody answers; type  {words}  to go on alone"));
        }
        news.extend(seen.trouble);
        news.extend(seen.heard.then(|| HEARD.to_owned()));
        news.into()
    }

    fn forced(&self, typed: &str) -> Option<Forced> {
        let Watching { patience, holder, request } = &self.watching;
        let (holder, request) = (holder.as_ref()?, request.as_ref()?);
        Forced::new(typed, &self.incident, request, holder, *patience, clock::now())
    }
}

fn say(line: &str) -> Result<(), Problem> {
    let shown: Vec<String> = line.lines().map(|line| look::shown(line).into_owned()).collect();
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{}", shown.join("\n  ")).and_then(|()| out.flush());
    written.map_err(|error| Problem::system(format!("standard output: {error}")))
}

enum Heard {
    Line(String),
    Nothing,
    End,
}

/// What is typed. Nobody goes on reading when the watching is over.
#[derive(Default)]
struct Typed {
    waiting: Vec<u8>,
}

impl Typed {
    /// What came together with what was read meant nothing that was asked later.
    fn forget(&mut self) {
        std::thread::sleep(QUIET);
        self.waiting.clear();
        Input::discard();
    }

    /// A line, or nothing for as long as it is until the next look.
    fn wait(&mut self) -> Heard {
        let input = rustix::stdio::stdin();
        let seconds = i64::try_from(Watcher::EVERY.as_secs()).unwrap_or(1);
        let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
        if !self.waiting.contains(&b'\n') {
            match poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&timeout)) {
                Ok(0) | Err(_) => return Heard::Nothing,
                Ok(_) => {}
            }
            let mut piece = [0; 1024];
            match rustix::io::read(input, &mut piece) {
                Ok(0) => return Heard::End,
                Ok(length) => self.waiting.extend_from_slice(&piece[..length]),
                Err(Errno::INTR | Errno::AGAIN) => return Heard::Nothing,
                Err(_) => return Heard::End,
            }
        }
        let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') else {
            return Heard::Nothing;
        };
        let line: Vec<u8> = self.waiting.drain(..=end).collect();
        Heard::Line(String::from_utf8_lossy(&line).into_owned())
    }
}
