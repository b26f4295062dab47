//! Commands outside SQL: an argument vector, never a shell, under a time limit, output captured, also of
//! one that did not come to its end.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::engine::Stopper;
use crate::runbook::Ran;

/// Output beyond this is cut, and said to be.
const CAPTURED: usize = 1024 * 1024;

/// How long the rest of what was said is waited for when a command is over: what it left behind may hold
/// its output open.
const REST: Duration = Duration::from_secs(1);

/// What stands before what a command said on standard error.
pub const ERRORS: &str = "--- standard error ---\n";

/// A variable for a command, or one that it must not see.
pub type Setting = (String, Option<String>);

/// Runs it in an environment that differs from ours in these settings.
pub async fn run(
    argv: &[String],
    settings: &[Setting],
    timeout: Duration,
    stopper: &Stopper,
) -> Ran {
    let start = Instant::now();
    // Without the arguments: one may be a secret of its own.
    let program = argv.first().map_or("", String::as_str);
    let mut child = match spawned(argv, settings) {
        Ok(child) => child,
        Err(error) => {
            let trouble = Some(format!("{program} cannot be run: {error}"));
            return Ran { exit: None, output: Vec::new(), seconds: 0.0, trouble };
        }
    };
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (out, err) = (Captured::of(child.stdout.take()), Captured::of(child.stderr.take()));
    let ended = tokio::select! {
        status = child.wait() => status.map_err(|error| format!("{program} was lost: {error}")),
        () = stopper.stopped() => Err("it was stopped".to_owned()),
        () = tokio::time::sleep(timeout) => {
            Err(format!("not finished after {:.0} s", timeout.as_secs_f64()))
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let (exit, trouble) = match ended {
        Ok(status) => {
            group.release();
            (status.code(), signalled(status))
        }
        Err(why) => {
            drop(group);
            (None, Some(why))
        }
    };
    let rest = async { tokio::join!(child.wait(), out.end, err.end) };
    let _ = tokio::time::timeout(REST, rest).await;
    let (mut output, err) = (taken(&out.said), taken(&err.said));
    if !err.is_empty() {
        output.extend_from_slice(ERRORS.as_bytes());
        output.extend_from_slice(&err);
    }
    Ran { exit, output, seconds, trouble }
}

/// A program that somebody or something else ended has no exit code.
fn signalled(status: ExitStatus) -> Option<String> {
    status.signal()?;
    // What it is called stands behind the number, and whether it left a core.
    Some(format!("ended by {}", status.to_string().replacen(": ", " ", 1)))
}

fn spawned(argv: &[String], settings: &[Setting]) -> std::io::Result<Child> {
    let (program, arguments) =
        argv.split_first().ok_or_else(|| std::io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    for (name, value) in settings {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// A program and what it started: ended together when this goes, because a script that is killed
/// leaves its programs running.
struct Group(Option<Pid>);

impl Group {
    /// What it left behind on purpose stays.
    fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Nobody is left to be ended.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// What came out of a pipe so far. It is read to its end, whoever still waits for that: what a command left
/// behind would not survive a pipe that nobody reads.
struct Captured {
    said: Arc<Mutex<Vec<u8>>>,
    end: JoinHandle<()>,
}

impl Captured {
    fn of(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let said = Arc::default();
        let end = tokio::spawn(capture(pipe, Arc::clone(&said)));
        Self { said, end }
    }
}

fn taken(said: &Mutex<Vec<u8>>) -> Vec<u8> {
    std::mem::take(&mut said.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn capture(pipe: Option<impl AsyncRead + Unpin>, said: Arc<Mutex<Vec<u8>>>) {
    let Some(mut pipe) = pipe else { return };
    let (mut buffer, mut room) = ([0; 8192], CAPTURED);
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&buffer[..n.min(room)]);
        if n > room && room > 0 {
            said.extend_from_slice(b"\n--- cut after 1 MiB ---\n");
        }
        room = room.saturating_sub(n);
    }
}
