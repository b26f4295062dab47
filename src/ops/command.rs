//! Commands outside SQL: an argument vector, never a shell, under a time limit, output captured.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::engine::Stopper;
use crate::runbook::Ran;

/// Output beyond this is cut, and said to be.
const CAPTURED: usize = 1024 * 1024;

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
    let outcome = tokio::time::timeout(timeout, child(argv, settings, stopper)).await;
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(Ok((exit, output))) => {
            let trouble = exit.is_none().then(|| "it was stopped".to_owned());
            Ran { exit, output, seconds, trouble }
        }
        Ok(Err(error)) => {
            // Without the arguments: one may be a secret of its own.
            let program = argv.first().map_or("", String::as_str);
            let trouble = Some(format!("{program} cannot be run: {error}"));
            Ran { exit: None, output: Vec::new(), seconds, trouble }
        }
        Err(_) => {
            let trouble = Some(format!("not finished after {:.0} s", timeout.as_secs_f64()));
            Ran { exit: None, output: Vec::new(), seconds, trouble }
        }
    }
}

async fn child(
    argv: &[String],
    settings: &[Setting],
    stopper: &Stopper,
) -> std::io::Result<(Option<i32>, Vec<u8>)> {
    let (program, arguments) =
        argv.split_first().ok_or_else(|| std::io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    for (name, value) in settings {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reading = async { tokio::join!(capture(out), capture(err)) };
    let (mut out, err) = tokio::select! {
        both = reading => both,
        () = stopper.stopped() => return Ok((None, Vec::new())),
    };
    if !err.is_empty() {
        out.extend_from_slice(ERRORS.as_bytes());
        out.extend_from_slice(&err);
    }
    let status = child.wait().await?;
    group.release();
    Ok((status.code(), out))
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

async fn capture(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut output = Vec::new();
    let Some(mut pipe) = pipe else { return output };
    let mut buffer = [0; 8192];
    let mut cut = false;
    while let Ok(n) = pipe.read(&mut buffer).await {
        if n == 0 {
            break;
        }
        let room = CAPTURED.saturating_sub(output.len());
        output.extend_from_slice(&buffer[..n.min(room)]);
        cut |= n > room;
    }
    if cut {
        output.extend_from_slice(b"\n--- cut after 1 MiB ---\n");
    }
    output
}
