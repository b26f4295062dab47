//! A terminal that tests hold in their hands: it starts a program, types, watches the screen, and can
//! say what the program sent byte by byte.
//!
//! One thread reads; the test waits on a condition variable until the screen shows what it asked
//! for. It answers no query of the program: the worst terminal there is. Knows nothing of
//! steadyhand, so that benches and self-tests can use it as it is.
//!
//! As after a login, a shell leads the session and the program is its child. That is more than
//! likeness: when a program is the last one to let go of a terminal, Linux now and then throws away
//! what was not read yet, and a test would miss its last words. The shell says in the stream, as a
//! string that terminals ignore, who started and how it ended, and holds the terminal until all was
//! read.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::ops::Range;
#[cfg(target_os = "linux")]
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
#[cfg(target_os = "linux")]
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open};
use rustix::termios::{Action, tcflow};
use vt100::Parser;

/// Columns, rows.
pub type Size = (u16, u16);

/// The terminal of a bare login.
pub const COMPACT: Size = (80, 24);
/// A pane with room.
pub const WIDE: Size = (120, 40);

/// What is waited for may lie outside of the terminal, where nothing rings a bell.
const LOOK: Duration = Duration::from_millis(50);

/// How long a test waits for something that should be there in a blink.
const PATIENCE: Duration = Duration::from_secs(20);

const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";

/// What the shell at the head of the session does.
const LEADER: &str = r#"
    trap : INT QUIT TERM
    exec 3>&2 2>/dev/null
    /bin/sh -c 'printf "\033_started %s\033\\" $$; exec "$@"' sh "$@" 2>&3 3>&-
    printf '\033_ended %s\033\\' $?
    kill -STOP $$
"#;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Code(u32),
    Signal(u32),
}

impl Ended {
    /// From what a shell says. 130 is the code of a program that was interrupted and says so.
    fn from_shell(code: u32) -> Self {
        match code {
            130 => Self::Code(130),
            129..=192 => Self::Signal(code - 128),
            _ => Self::Code(code),
        }
    }
}

/// Output that followed an instant: when its first and last byte came, and how many they were.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub first: Instant,
    pub last: Instant,
    pub bytes: usize,
}

pub struct Terminal {
    /// The program's number.
    pid: Pid,
    leader: Box<dyn Child + Send + Sync>,
    state: Arc<Shared>,
    writer: Option<Box<dyn Write + Send>>,
    master: Option<Box<dyn MasterPty + Send>>,
    reader: Option<JoinHandle<()>>,
    /// The program is known to be gone, and its number may be another's by now.
    gone: bool,
    /// Text was typed or pasted, and no key since.
    typed: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: Parser,
    raw: Vec<u8>,
    /// Arrival of each piece of output: when, and how many bytes had come by then.
    arrivals: Vec<(Instant, usize)>,
    started: Option<(Instant, Pid)>,
    ended: Option<Ended>,
    /// No more output can come.
    closed: bool,
}

impl State {
    /// Left of the caret, or below it where the box is full. At the left edge nobody can tell: the
    /// letter may be on the line above.
    fn is_at_caret(&self, letter: char) -> bool {
        let screen = self.parser.screen();
        let (row, column) = screen.cursor_position();
        let cells = (0..=column).rev().filter_map(|column| screen.cell(row, column));
        let mut near = cells.filter(|cell| !cell.is_wide_continuation()).take(2);
        let is_it = |shown: &str| shown.contains(letter) || letter == ' ' && shown.is_empty();
        column == 0 || near.any(|cell| is_it(cell.contents()))
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        /// More than one of the shell's strings is long.
        const LOOK_BACK: usize = 64;
        let mut before = self.raw.len();
        self.raw.extend_from_slice(bytes);
        self.parser.process(bytes);
        if self.started.is_none() {
            // Nothing else can have come: the program is not there yet.
            let Some((at, number)) = said(&self.raw, "started") else { return };
            let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
            self.started = pid.map(|pid| (now, pid));
            self.raw.drain(..at.end);
            before = 0;
        }
        let from = before.saturating_sub(LOOK_BACK);
        if let Some((at, number)) = said(&self.raw[from..], "ended") {
            self.ended = Some(Ended::from_shell(number));
            self.closed = true;
            self.raw.truncate(from + at.start);
        }
        if self.raw.len() > before {
            self.arrivals.push((now, self.raw.len()));
        }
    }

    /// A terminal that knows synchronised output shows nothing between begin and end of a frame.
    fn in_frame(&self) -> bool {
        let last = |mark: &[u8]| self.raw.windows(mark.len()).rposition(|bytes| bytes == mark);
        last(BEGIN_FRAME) > last(END_FRAME)
    }

    fn screen(&self) -> String {
        let (_, columns) = self.parser.screen().size();
        let rows = self.parser.screen().rows(0, columns.get());
        rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the terminal panics while it holds the state")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.lock())
    }

    /// Waits until the answer is there, and gives it; `None` when it took too long or never can.
    fn wait<T>(
        &self,
        patience: Duration,
        mut answer: impl FnMut(&State) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + patience;
        let mut guard = self.lock();
        loop {
            if let Some(answer) = answer(&guard) {
                return Some(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || guard.closed {
                return None;
            }
            let waited = self.changed.wait_timeout(guard, left.min(LOOK));
            guard = waited.expect("no thread of the terminal panics while it holds the state").0;
        }
    }
}

impl Terminal {
    /// Starts a program with exactly this environment.
    pub fn start(
        program: &str,
        arguments: &[&str],
        environment: &[(String, String)],
        folder: &Path,
        size: Size,
    ) -> Self {
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", LEADER, "sh", program]);
        command.args(arguments);
        command.env_clear();
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd(folder);

        let pair = native_pty_system().openpty(pty_size(size)).expect("a terminal can be opened");
        let mut input = pair.master.try_clone_reader().expect("the terminal can be read");
        let writer = pair.master.take_writer().expect("the terminal can be written");
        let leader = pair.slave.spawn_command(command).expect("a shell can be started");
        // Ours would keep the terminal open after the program is gone.
        drop(pair.slave);

        let (columns, rows) = vt_size(size);
        let state = Arc::new(Shared {
            state: Mutex::new(State {
                parser: Parser::new(rows, columns, 0),
                raw: Vec::new(),
                arrivals: Vec::new(),
                started: None,
                ended: None,
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let shared = Arc::clone(&state);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024].into_boxed_slice();
            while let Ok(length @ 1..) = input.read(&mut buffer) {
                let now = Instant::now();
                if shared.read(|state| state.closed) {
                    return;
                }
                shared.change(|state| state.receive(now, &buffer[..length]));
            }
            shared.change(|state| state.closed = true);
        });
        let (_, pid) = state
            .wait(PATIENCE, |state| state.started)
            .expect("the shell starts the program and says so");
        Self {
            pid,
            leader,
            state,
            writer: Some(writer),
            master: Some(pair.master),
            reader: Some(reader),
            gone: false,
            typed: false,
        }
    }

    // ------------------------------------------------------------------------------------- hands

    /// Presses keys, named or single, with blanks between them: `keys("down down enter ctrl-p x")`.
    pub fn keys(&mut self, names: &str) {
        if std::mem::take(&mut self.typed) {
            self.breathe();
        }
        for name in names.split_whitespace() {
            let application = self.state.read(|state| state.parser.screen().application_cursor());
            let bytes = key(name, application);
            self.send(&bytes);
        }
    }

    /// Types a text, one key after the other, each after the one before stands at the caret:
    /// whatever else is drawn meanwhile is no answer.
    pub fn type_text(&mut self, text: &str) {
        for letter in text.chars() {
            let before = self.bytes();
            self.send(letter.to_string().as_bytes());
            let answered = self.state.wait(PATIENCE, |state| {
                let is_new = state.raw.len() > before && !state.in_frame();
                (is_new && state.is_at_caret(letter)).then_some(())
            });
            if answered.is_none() {
                self.give_up(&format!("an answer to the key {letter:?} of {text:?}"));
            }
            self.typed = true;
        }
    }

    /// A person's pause between the last letter and enter. Where a program takes a shorter one for a
    /// paste, there is nothing on the screen to wait for; this is the one wait for time there is.
    pub fn breathe(&self) {
        let _ = self.state.wait(Duration::from_millis(60), |_| None::<()>);
    }

    /// Pastes, in brackets if the program asked for them.
    pub fn paste(&mut self, text: &str) {
        self.typed = true;
        if self.state.read(|state| state.parser.screen().bracketed_paste()) {
            self.send(format!("\x1b[200~{text}\x1b[201~").as_bytes());
        } else {
            self.send(text.as_bytes());
        }
    }

    /// Sends bytes as they are, in one piece.
    pub fn send(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().expect("the writer is there until the drop");
        // A program that is gone does not read; the wait that follows will say so with the screen.
        let _ = writer.write_all(bytes).and_then(|()| writer.flush());
    }

    /// The link stalls: nothing that the program writes from now on is taken.
    pub fn stall(&self) {
        tcflow(self.inside(), Action::OOff).expect("an open terminal can be held");
    }

    /// The link is back.
    pub fn flow(&self) {
        tcflow(self.inside(), Action::OOn).expect("an open terminal can be let go");
    }

    /// Whether the program is held up by a system call of this name or number, such as a write that
    /// nobody takes.
    #[cfg(target_os = "linux")]
    pub fn waits_in(&self, place: &str) -> bool {
        let path = format!("/proc/{0}/task/{0}/wchan", self.pid());
        std::fs::read_to_string(path).is_ok_and(|wchan| wchan.contains(place))
    }

    /// How often the threads of the program went to sleep by themselves since they were started.
    #[cfg(target_os = "linux")]
    pub fn naps(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        let naps = |task: std::fs::DirEntry| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"))?;
            line.trim().parse::<u64>().ok()
        };
        tasks.filter_map(Result::ok).filter_map(naps).sum()
    }

    /// Nanoseconds that the first thread of the program, which takes keys and draws, was at work: not
    /// what it waited for, nor what other threads did meanwhile.
    #[cfg(target_os = "linux")]
    pub fn work(&self) -> u64 {
        let path = format!("/proc/{0}/task/{0}/schedstat", self.pid());
        let stat = std::fs::read_to_string(path).expect("the system tells");
        stat.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number comes first")
    }

    /// The terminal as the program has it.
    fn inside(&self) -> File {
        let name = self.master.as_ref().and_then(|master| master.tty_name()).expect("a terminal");
        File::options().read(true).write(true).open(name).expect("it is there")
    }

    /// Sets the terminal as somebody else might, while the program is stopped.
    pub fn stty(&self, settings: &[&str]) {
        let done = Command::new("stty").args(settings).stdin(self.inside()).status();
        assert!(done.is_ok_and(|status| status.success()), "stty works");
    }

    pub fn resize(&mut self, size: Size) {
        let (columns, rows) = vt_size(size);
        // First the picture: the program may answer before this function returns.
        self.state.change(|state| state.parser.screen_mut().set_size(rows, columns));
        let master = self.master.as_ref().expect("the terminal is there until the drop");
        master.resize(pty_size(size)).expect("an open terminal can be resized");
    }

    /// The program's number.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends a signal to the program; to one that is gone already, nothing.
    pub fn signal(&self, signal: Signal) {
        if self.ended().is_none() && !self.gone {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Takes the terminal away, as a lost connection does: the program gets SIGHUP from the system,
    /// and its reads and writes fail from now on. What it does then is not seen here any more; wait
    /// with [`Self::wait_death`].
    #[cfg(target_os = "linux")]
    pub fn hang_up(&mut self) {
        let master = self.master.take().expect("a terminal is taken away once");
        let path = master.tty_name().expect("a terminal has a name");
        let mut inside = File::options()
            .write(true)
            .custom_flags(i32::try_from(OFlags::NOCTTY.bits()).expect("a flag fits"))
            .open(path)
            .expect("the terminal is still there");
        // The writer says good-bye with a line end if there is an end-of-file key: nobody must read
        // that as a key.
        let silent = Command::new("stty")
            .args(["eof", "undef"])
            .stdin(inside.try_clone().expect("a file can be shared"))
            .status();
        assert!(silent.is_ok_and(|status| status.success()), "stty works");
        // The reader holds the terminal too; one byte wakes it, so that it sees that it is over.
        self.state.change(|state| state.closed = true);
        inside.write_all(&[0]).expect("the terminal is still there");
        self.join_reader();
        self.writer = None;
        // With these two the last holds on the terminal are gone.
        drop(inside);
        drop(master);
    }

    fn join_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }

    // -------------------------------------------------------------------------------------- eyes

    /// Waits until the text stands on the screen, in one row.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(&format!("{text:?} on the screen"), |screen| screen.contains(text));
    }

    /// Waits until the text stands nowhere on the screen.
    pub fn wait_gone(&self, text: &str) {
        self.wait_until(&format!("{text:?} gone from the screen"), |screen| !screen.contains(text));
    }

    /// Waits until the screen, rows joined by line ends, is as described.
    pub fn wait_until(&self, what: &str, mut is_so: impl FnMut(&str) -> bool) {
        let seen = self
            .state
            .wait(PATIENCE, |state| (!state.in_frame() && is_so(&state.screen())).then_some(()));
        if seen.is_none() {
            self.give_up(what);
        }
    }

    /// The same for work that takes its time, many rows for instance.
    pub fn wait_long_for(&self, text: &str) {
        const LONG: Duration = Duration::from_mins(2);
        let seen = self
            .state
            .wait(LONG, |state| (!state.in_frame() && state.screen().contains(text)).then_some(()));
        if seen.is_none() {
            self.give_up(&format!("{text:?}, for long"));
        }
    }

    /// Waits until the program sent these bytes, anywhere since its start.
    pub fn wait_for_bytes(&self, wanted: &[u8]) {
        let seen = self.state.wait(PATIENCE, |state| {
            state.raw.windows(wanted.len()).any(|bytes| bytes == wanted).then_some(())
        });
        if seen.is_none() {
            self.give_up(&format!("the bytes {}", wanted.escape_ascii()));
        }
    }

    /// Waits until what the program sent after the first `from` bytes is as described, and gives it.
    pub fn wait_output(&self, from: usize, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let seen = self.state.wait(PATIENCE, |state| {
            let text = String::from_utf8_lossy(state.raw.get(from..)?).replace('\r', "");
            is_so(&text).then_some(text)
        });
        seen.unwrap_or_else(|| self.give_up(what))
    }

    /// Waits until the program ended and its last output was read.
    pub fn wait_exit(&self) -> Ended {
        let ended = self.state.wait(PATIENCE, |state| state.ended);
        ended.unwrap_or_else(|| self.give_up("the end of the program"))
    }

    /// Waits for an end by itself, and gives the exit code.
    pub fn wait_code(&self) -> u32 {
        match self.wait_exit() {
            Ended::Code(code) => code,
            Ended::Signal(number) => panic!("ended by signal {number}\n{}", self.report()),
        }
    }

    /// Waits until the program is gone after the terminal was taken away. How it ended is not known.
    #[cfg(target_os = "linux")]
    pub fn wait_death(&mut self) {
        if let Ok(program) = pidfd_open(self.pid, PidfdFlags::empty()) {
            let patience = Timespec::try_from(PATIENCE).expect("some seconds fit");
            let mut ends = [PollFd::new(&program, PollFlags::IN)];
            let events = poll(&mut ends, Some(&patience)).expect("a process can be waited for");
            assert_eq!(events, 1, "the program outlived its terminal\n{}", self.report());
        }
        self.gone = true;
    }

    pub fn ended(&self) -> Option<Ended> {
        self.state.read(|state| state.ended)
    }

    /// The screen as text, rows joined by line ends, blanks at the end of rows cut.
    pub fn screen(&self) -> String {
        self.state.read(State::screen)
    }

    /// Row and column of the cursor from zero; `None` while it is hidden.
    pub fn cursor(&self) -> Option<(u16, u16)> {
        self.state.read(|state| {
            let screen = state.parser.screen();
            (!screen.hide_cursor()).then(|| screen.cursor_position())
        })
    }

    /// A look at the parsed screen: colours, modes, cells.
    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        self.state.read(|state| look(state.parser.screen()))
    }

    /// Whether the program gave the terminal back as it found it: main screen, cursor, no mouse, no
    /// bracketed paste.
    pub fn is_restored(&self) -> bool {
        self.look(|screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        })
    }

    /// Everything the program sent since its start.
    pub fn raw_output(&self) -> Vec<u8> {
        self.state.read(|state| state.raw.clone())
    }

    /// How many bytes the program sent since its start.
    pub fn bytes(&self) -> usize {
        self.state.read(|state| state.raw.len())
    }

    /// The kinds of control sequences that the program sent; see [`escapes`].
    pub fn escapes(&self) -> BTreeSet<String> {
        escapes(&self.raw_output())
    }

    // -------------------------------------------------------------------------------- stop-watch

    /// Waits for output after the first `before` bytes, up to the end of the frame it belongs to.
    pub fn wait_answer(&self, before: usize) -> Answer {
        let answer = self.state.wait(PATIENCE, |state| {
            let ready = state.raw.len() > before && !state.in_frame();
            let mut pieces = state.arrivals.iter().filter(|(_, upto)| *upto > before);
            let (first, _) = pieces.next().filter(|_| ready)?;
            let (last, _) = state.arrivals.last()?;
            Some(Answer { first: *first, last: *last, bytes: state.raw.len() - before })
        });
        answer.unwrap_or_else(|| self.give_up("output"))
    }

    /// When the program was about to start: the shell's part is over.
    pub fn started(&self) -> Instant {
        self.state.read(|state| state.started).expect("a terminal is made once it started").0
    }

    /// When the first byte came.
    pub fn first_output(&self) -> Option<Instant> {
        self.state.read(|state| state.arrivals.first().map(|(at, _)| *at))
    }

    /// When the last byte came.
    pub fn last_output(&self) -> Option<Instant> {
        self.state.read(|state| state.arrivals.last().map(|(at, _)| *at))
    }

    /// Watches for so long and gives the number of bytes that came. For benches.
    pub fn bytes_during(&self, time: Duration) -> usize {
        let before = self.bytes();
        let _ = self.state.wait(time, |_| None::<()>);
        self.bytes() - before
    }

    /// The most memory the program ever held, in KiB; `None` where the system does not tell.
    pub fn peak_memory(&self) -> Option<u64> {
        let path = format!("/proc/{}/status", self.pid.as_raw_nonzero());
        let status = std::fs::read_to_string(path).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// The processor time the program used so far, in clock ticks (user and system).
    pub fn processor_ticks(&self) -> Option<u64> {
        let path = format!("/proc/{}/stat", self.pid.as_raw_nonzero());
        let stat = std::fs::read_to_string(path).ok()?;
        // The name may hold blanks; the fields are counted from the bracket that closes it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    }

    // ---------------------------------------------------------------------------------- failures

    fn give_up(&self, what: &str) -> ! {
        panic!("waited in vain for {what}\n{}", self.report());
    }

    /// The screen in a frame, how the program is, and the last bytes it sent.
    fn report(&self) -> String {
        const TAIL: usize = 300;
        self.state.read(|state| {
            let (rows, columns) = state.parser.screen().size();
            let line = "-".repeat(usize::from(columns.get()));
            let mut report = format!("+{line}+ {columns}x{rows}\n");
            for row in state.screen().split('\n') {
                let _ = writeln!(report, "|{row}");
            }
            let end = match &state.ended {
                None => "still running".to_owned(),
                Some(ended) => format!("ended: {ended:?}"),
            };
            let tail = &state.raw[state.raw.len().saturating_sub(TAIL)..];
            let _ = write!(report, "+{line}+ {end}\nlast bytes: {}", tail.escape_ascii());
            report
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Before the writer goes, which says good-bye with a line end: nobody must read it as a key.
        self.signal(Signal::KILL);
        // Not its own `kill`, which asks politely first and gives it time.
        if let Some(leader) = number(&*self.leader) {
            let _ = kill_process(leader, Signal::KILL);
        }
        let _ = self.leader.wait();
        self.writer = None;
        self.master = None;
        self.join_reader();
    }
}

fn number(child: &(dyn Child + Send + Sync)) -> Option<Pid> {
    child.process_id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

/// Where the shell said this word in the stream, and the number behind it.
fn said(bytes: &[u8], word: &str) -> Option<(Range<usize>, u32)> {
    let start = format!("\x1b_{word} ").into_bytes();
    let from = bytes.windows(start.len()).position(|part| part == start)?;
    let number = &bytes[from + start.len()..];
    let length = number.windows(2).position(|part| part == b"\x1b\\")?;
    let text = std::str::from_utf8(&number[..length]).ok()?;
    Some((from..from + start.len() + length + 2, text.parse().ok()?))
}

fn pty_size((cols, rows): Size) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

/// The picture has at least one cell even where the terminal says none.
fn vt_size((columns, rows): Size) -> (NonZeroU16, NonZeroU16) {
    (
        NonZeroU16::new(columns).unwrap_or(NonZeroU16::MIN),
        NonZeroU16::new(rows).unwrap_or(NonZeroU16::MIN),
    )
}

/// What xterm sends for a key.
fn key(name: &str, application_cursor: bool) -> Vec<u8> {
    let cursor = |sign: char| {
        format!("\x1b{}{sign}", if application_cursor { 'O' } else { '[' }).into_bytes()
    };
    match name {
        "enter" => b"\r".to_vec(),
        "esc" => b"\x1b".to_vec(),
        "tab" => b"\t".to_vec(),
        "backtab" | "shift-tab" => b"\x1b[Z".to_vec(),
        "space" => b" ".to_vec(),
        "backspace" => b"\x7f".to_vec(),
        "up" => cursor('A'),
        "down" => cursor('B'),
        "right" => cursor('C'),
        "left" => cursor('D'),
        "home" => cursor('H'),
        "end" => cursor('F'),
        "insert" => b"\x1b[2~".to_vec(),
        "delete" => b"\x1b[3~".to_vec(),
        "pageup" => b"\x1b[5~".to_vec(),
        "pagedown" => b"\x1b[6~".to_vec(),
        "f1" => b"\x1bOP".to_vec(),
        "f2" => b"\x1bOQ".to_vec(),
        "f3" => b"\x1bOR".to_vec(),
        "f4" => b"\x1bOS".to_vec(),
        "f5" => b"\x1b[15~".to_vec(),
        "ctrl-space" => vec![0],
        _ => match name.split_once('-') {
            Some(("ctrl", letter)) if letter.len() == 1 => vec![letter.as_bytes()[0] & 0x1f],
            Some(("alt", rest)) if !rest.is_empty() => {
                [b"\x1b".to_vec(), key(rest, application_cursor)].concat()
            }
            _ if name.chars().count() == 1 => name.as_bytes().to_vec(),
            _ => panic!("{name:?} is no key: a name of tests/common/pty.rs, or one sign"),
        },
    }
}

/// The kinds of sequences that the program sends by itself.
pub const OWN: [&str; 22] = [
    "CSI ?1049h",
    "CSI ?1049l",
    "CSI ?2004h",
    "CSI ?2004l",
    "CSI ?2026h",
    "CSI ?2026l",
    "CSI ?25h",
    "CSI ?25l",
    "CSI A",
    "CSI B",
    "CSI C",
    "CSI D",
    "CSI G",
    "CSI H",
    "CSI J",
    "CSI K",
    "CSI m",
    // Scrolling in a region.
    "CSI r",
    "CSI S",
    "CSI T",
    "ESC D",
    "ESC M",
];

/// The kinds of control sequences in some output, without their parameters where these only say
/// where or which colour: `CSI m`, `CSI ?1049h`, `OSC 52`, `ESC 7`, `DCS`, `C0 07`, `C1 9b`.
///
/// What a program may send is a short list; text from a database that reached the terminal as a
/// sequence makes the list longer.
pub fn escapes(output: &[u8]) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    let text = String::from_utf8_lossy(output);
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '\x1b' => {
                kinds.insert(escape(&mut signs));
            }
            '\r' | '\n' => {}
            '\0'..='\x1f' | '\x7f' => {
                kinds.insert(format!("C0 {:02x}", u32::from(sign)));
            }
            '\u{80}'..='\u{9f}' => {
                kinds.insert(format!("C1 {:02x}", u32::from(sign)));
            }
            _ => {}
        }
    }
    kinds
}

fn escape(signs: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    match signs.next() {
        Some('[') => {
            let mut parameters = String::new();
            for sign in signs.by_ref() {
                if ('@'..='~').contains(&sign) {
                    // Modes are told apart; positions and colours are not.
                    let modes = matches!(sign, 'h' | 'l') || parameters.contains(['>', '<', '=']);
                    return format!("CSI {}{sign}", if modes { &parameters } else { "" });
                }
                parameters.push(sign);
            }
            "CSI cut".to_owned()
        }
        Some(start @ (']' | 'P' | '_' | '^' | 'X')) => {
            let mut content = String::new();
            while let Some(sign) = signs.next() {
                match sign {
                    '\x07' => break,
                    '\x1b' if signs.peek() == Some(&'\\') => {
                        signs.next();
                        break;
                    }
                    _ => content.push(sign),
                }
            }
            match start {
                ']' => format!("OSC {}", content.split(';').next().unwrap_or_default()),
                'P' => "DCS".to_owned(),
                _ => "string".to_owned(),
            }
        }
        Some(sign) => format!("ESC {sign}"),
        None => "ESC cut".to_owned(),
    }
}
