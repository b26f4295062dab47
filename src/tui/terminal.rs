//! Takes the terminal and gives it back, whatever happens.
//!
//! It is given back once: by the guard, by a panic of the thread that owns it, or by whoever leaves
//! in a hurry. A panic elsewhere is written down and nothing is drawn over. One question at most is
//! sent to the terminal, and nothing waits for the answer. Signals are caught by the loop, not here.

mod backend;
pub mod clipboard;
pub mod hangup;
pub mod keys;
pub mod reply;
mod shown;

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::queue;
use crossterm::style::ResetColor;
use crossterm::terminal::{
    Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::Backend;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::problem::Problem;
pub use backend::Ansi;

/// The terminal that the cockpit draws on.
pub type Screen = Terminal<Ansi<Tty>>;

/// Where to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// On a page of its own, so that the shell's is as it was afterwards.
    Alternate,
    /// On the shell's own page, so that the last frame stays.
    Main,
}

static TAKEN: AtomicBool = AtomicBool::new(false);
/// Wheel and click come to us.
static MOUSE: AtomicBool = AtomicBool::new(false);
static OWNER: Mutex<Option<(ThreadId, Surface)>> = Mutex::new(None);
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Gives the terminal back when it goes.
#[derive(Debug)]
#[must_use = "the terminal is given back when this goes"]
pub struct Guard {
    surface: Surface,
}

/// Takes the terminal for this thread; only a panic of this thread gives it back by itself.
pub fn take(
    surface: Surface,
    env: impl Fn(&str) -> Option<String>,
) -> Result<(Guard, Screen), Problem> {
    fit(io::stdin().is_terminal() && io::stdout().is_terminal(), env("TERM").as_deref())?;
    install_hook();
    enter(surface).map_err(|error| failed(&error))?;
    // From here on every way out gives the terminal back.
    let guard = Guard { surface };
    let screen = Terminal::new(Ansi::new(Tty)).map_err(|error| failed(&error))?;
    Ok((guard, screen))
}

fn fit(is_terminal: bool, term: Option<&str>) -> Result<(), Problem> {
    let why = match term.unwrap_or_default() {
        _ if !is_terminal => "Standard input and output are not both a terminal",
        "" => "TERM is not set, so nobody knows what this terminal can do",
        "dumb" => "TERM is \"dumb\", a terminal that cannot move its cursor",
        _ => return Ok(()),
    };
    Err(Problem::usage(format!("The cockpit cannot be drawn here: {why}.")).hint(
        "With --plain the same runs line by line, such as `steadyhand resume --plain`. `steadyhand \
         check` runs the checks without anybody, `steadyhand incidents` lists incidents.",
    ))
}

fn failed(error: &io::Error) -> Problem {
    Problem::system(format!("The terminal could not be taken: {error}."))
}

impl Guard {
    /// Gives the terminal to the shell until the operator comes back; the next frame must be a
    /// [`repaint`]. What runs on databases has ended before.
    pub fn suspend(&self) -> io::Result<()> {
        give_back();
        kill_process(getpid(), Signal::TSTP)?;
        enter(self.surface)
    }

    /// Takes the terminal again as it was before somebody else had it, without its leave. Not by way of the
    /// modes that it came with: in those an enter that is pressed just then becomes a line feed, and no key.
    pub fn retake(&self) -> io::Result<()> {
        let input = rustix::stdio::stdin();
        let mut modes = tcgetattr(input)?;
        modes.make_raw();
        tcsetattr(input, OptionalActions::Now, &modes)?;
        enter(self.surface)
    }

    /// Lends the terminal to another program, such as an editor, and takes it back.
    pub fn lend<T>(&self, to: impl FnOnce() -> T) -> io::Result<T> {
        give_back();
        let answer = to();
        enter(self.surface)?;
        Ok(answer)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Draws everything again with the next frame. Not `Terminal::clear`, which asks the terminal where
/// its cursor is and waits two seconds for the answer.
pub fn repaint<B: Backend>(terminal: &mut Terminal<B>) -> Result<(), B::Error> {
    let size = terminal.size()?;
    terminal.resize(size.into())
}

/// Sends what is no part of a picture, such as a text for the clipboard.
pub fn send(bytes: &[u8]) {
    // Who is not there any more needs no clipboard.
    let _ = Tty.write(bytes);
}

/// Takes wheel and click from the terminal, or leaves them to it again.
pub fn take_mouse(on: bool) {
    MOUSE.store(on, Ordering::SeqCst);
    let mut bytes = Vec::new();
    let _ = if on { queue!(bytes, EnableMouseCapture) } else { queue!(bytes, DisableMouseCapture) };
    // A terminal that cannot be written to is found out by the next frame.
    let _ = Tty.write_all(&bytes);
}

/// Asks which background the terminal has; what becomes of the answer is said in [`reply`].
pub fn ask_background() {
    // A terminal that cannot be written to is found out by the next frame.
    let _ = Tty.write_all(reply::QUESTION);
}

/// Gives the terminal back if it is taken; safe to call from anywhere, any number of times.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let surface = owner().map_or(Surface::Alternate, |(_, surface)| surface);
    let mut bytes = Vec::new();
    if MOUSE.load(Ordering::SeqCst) {
        let _ = queue!(bytes, DisableMouseCapture);
    }
    let _ = queue!(bytes, EndSynchronizedUpdate, ResetColor, DisableBracketedPaste);
    bytes.extend_from_slice(b"\x1b[m");
    let _ = match surface {
        Surface::Alternate => queue!(bytes, LeaveAlternateScreen),
        // The last frame stays; the shell goes on below it.
        Surface::Main => queue!(bytes, crossterm::cursor::MoveTo(0, u16::MAX - 1)),
    };
    let _ = queue!(bytes, crossterm::cursor::Show);
    if surface == Surface::Main {
        bytes.extend_from_slice(b"\r\n");
    }
    // Nobody is left to be told if this fails: the terminal may be what is gone.
    let _ = write_all(&bytes);
    let _ = disable_raw_mode();
}

fn enter(surface: Surface) -> io::Result<()> {
    enable_raw_mode()?;
    *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = Some((thread::current().id(), surface));
    TAKEN.store(true, Ordering::SeqCst);
    let mut bytes = Vec::new();
    if surface == Surface::Alternate {
        queue!(bytes, EnterAlternateScreen)?;
    }
    // Also on a page of our own: `screen` gives none unless it is told to.
    queue!(bytes, Clear(ClearType::All), EnableBracketedPaste)?;
    if MOUSE.load(Ordering::SeqCst) {
        queue!(bytes, EnableMouseCapture)?;
    }
    write_all(&bytes).inspect_err(|_| give_back())
}

fn owner() -> Option<(ThreadId, Surface)> {
    *OWNER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = owner().is_some_and(|(thread, _)| thread == thread::current().id());
            if TAKEN.load(Ordering::SeqCst) && !ours {
                // The screen is still in use: one line would be drawn over it, and nobody reads it.
                note(info.to_string());
            } else {
                give_back();
                before(info);
            }
        }));
    });
}

fn note(panic: String) {
    let mut first = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
    first.get_or_insert(panic);
}

/// The first panic of a task since the last time this was asked: what and where.
pub fn task_panic() -> Option<String> {
    PANIC.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The terminal itself, without a lock that a panic could leave taken. A frame that comes too late,
/// after the terminal was given back, goes nowhere.
#[derive(Debug, Clone, Copy)]
pub struct Tty;

impl Write for Tty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if TAKEN.load(Ordering::SeqCst) {
            write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;

    let out = rustix::stdio::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(out, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Somebody made the terminal non-blocking, for us as well.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&out, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_can_be_drawn_the_commands_without_a_screen_are_offered() {
        for (is_terminal, term) in [(false, Some("xterm")), (true, Some("dumb")), (true, None)] {
            let problem = fit(is_terminal, term).expect_err("cannot be drawn");
            assert!(problem.sentence.starts_with("The cockpit cannot be drawn here: "));
            assert!(problem.hint.is_some_and(|hint| hint.contains("steadyhand check")));
        }
        assert_eq!(fit(true, Some("screen")), Ok(()));
    }

    #[test]
    fn giving_back_what_was_not_taken_does_nothing() {
        give_back();
        give_back();
        assert_eq!(Tty.write(b"too late").ok(), Some(8));
    }

    #[test]
    fn the_first_panic_of_a_task_is_kept_until_it_is_read() {
        note("one".into());
        note("two".into());
        assert_eq!(task_panic().as_deref(), Some("one"));
        assert_eq!(task_panic(), None);
    }
}
