//! A password from a command: an argument vector, never a shell, under a time limit.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::Zeroizing;

use super::Secret;
use crate::problem::Problem;
use crate::source::{duration_text, quoted};

/// Long enough to touch a token or to unlock a key.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// More than any password is long.
const CAPTURED: usize = 64 * 1024;

/// The first line of what the command prints.
pub(super) fn password(argv: &[String], patience: Duration) -> Result<Secret, Problem> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Problem::usage("The password command is empty."));
    };
    let what = format!("The password command {}", quoted(program));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that whatever it starts ends with it.
        .process_group(0)
        .spawn()
        .map_err(|error| {
            Problem::usage(format!("{what} cannot be run: {error}."))
                .hint("password_command is a program and its arguments, each a text of its own")
        })?;
    let (out, err) = (gathered(child.stdout.take()), gathered(child.stderr.take()));
    let mut waited = Duration::ZERO;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if waited < patience => {
                thread::sleep(LOOK);
                waited += LOOK;
            }
            ended => {
                if let Ok(pid) = i32::try_from(child.id())
                    && let Some(group) = Pid::from_raw(pid)
                {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                let _ = child.wait();
                let why = match ended {
                    Err(error) => format!("was lost: {error}"),
                    _ => format!("was not finished after {}", duration_text(patience)),
                };
                return Err(Problem::unreachable(format!("{what} {why}; nothing was connected."))
                    .hint("it runs without a terminal: does it wait for a passphrase?"));
            }
        }
    };
    if !status.success() {
        let said = received(&err, LOOK * 10);
        let said = String::from_utf8_lossy(&said);
        let problem =
            Problem::unreachable(format!("{what} failed ({status}); nothing was connected."));
        return Err(match said.trim() {
            "" => problem.hint("it said nothing on its standard error"),
            said => problem.hint(format!("it said: {}", crate::value::visible::text(said))),
        });
    }
    // Something it left behind may hold the pipe open; the line is there all the same.
    let text = received(&out, LOOK * 10);
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match str::from_utf8(line) {
        Ok("") => Err(Problem::unreachable(format!("{what} printed no password."))
            .hint("the first line of its standard output is taken")),
        Ok(line) => Ok(Secret::from(line)),
        Err(_) => Err(Problem::unreachable(format!("{what} printed something that is not UTF-8."))),
    }
}

/// What comes out of a pipe, piece by piece, read aside so that a full pipe never blocks the command.
fn gathered(pipe: Option<impl Read + Send + 'static>) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        let mut pipe = pipe.take(CAPTURED as u64);
        let mut buffer = Zeroizing::new([0; 4096]);
        while let Ok(n @ 1..) = pipe.read(&mut buffer[..]) {
            if sender.send(Zeroizing::new(buffer[..n].to_vec())).is_err() {
                return;
            }
        }
    });
    receiver
}

fn received(pieces: &Receiver<Zeroizing<Vec<u8>>>, patience: Duration) -> Zeroizing<Vec<u8>> {
    // Of one size from the start: a growing buffer would leave copies behind.
    let mut all = Zeroizing::new(Vec::with_capacity(CAPTURED));
    loop {
        match pieces.recv_timeout(patience) {
            Ok(piece) => all.extend_from_slice(&piece),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return all,
        }
    }
}
