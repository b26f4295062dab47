//! What the operator feels: the real program, built for release, in a real terminal.
//!
//! `cargo bench --bench cockpit` prints one table. Times depend on the machine and on who else uses
//! it; bytes, memory and silence do not, and are what to compare between two versions.

#![allow(clippy::print_stdout, reason = "the table is what a bench is for")]

#[path = "../tests/common/pty.rs"]
#[allow(dead_code, reason = "a bench uses its own part of the terminal")]
mod pty;

use std::path::Path;
use std::time::{Duration, Instant};

use pty::{Ended, Size, Terminal, WIDE};
use rustix::process::Signal;

/// How the program is started.
const ARGUMENTS: &[&str] = &["demo"];
/// On the screen once the home screen has something to say.
const USEFUL: &str = "What is wrong";
/// From the home screen to the table of violations: keys, and the text to wait for after each.
const TO_THE_TABLE: &[(&str, &str)] =
    &[("enter", "milestone: detected"), ("enter", "37 violations"), ("v", "of 37, exact")];
/// The keys that move the cursor there and back again.
const MOVES: [&str; 2] = ["down", "up"];
/// The key that leaves the program from the home screen.
const LEAVE: &str = "q";

const STARTS: usize = 10;
const WAYS_OUT: usize = 5;
const KEYS: usize = 200;
const IDLE: Duration = Duration::from_secs(5);

fn main() {
    let size = WIDE;
    println!("steadyhand in a terminal of {}x{}\n", size.0, size.1);

    let mut first = Vec::new();
    let mut useful = Vec::new();
    let mut restored = Vec::new();
    for _ in 0..STARTS {
        let (mut terminal, _home) = start(size);
        terminal.wait_for(USEFUL);
        let shown = Instant::now();
        let begin = terminal.started();
        first.push(terminal.first_output().expect("the screen came from output") - begin);
        useful.push(shown - begin);
        let pressed = Instant::now();
        terminal.keys(LEAVE);
        let ended = terminal.wait_exit();
        restored.push(pressed.elapsed());
        assert!(matches!(ended, Ended::Code(0 | 130)), "left with {ended:?}");
        assert!(terminal.is_restored(), "the terminal was not given back");
    }
    row("start to first paint", &times(&mut first));
    row("start to useful screen", &times(&mut useful));
    row("key to gone and restored", &times(&mut restored));
    for (name, signal) in [("SIGTERM", Signal::TERM), ("SIGHUP", Signal::HUP)] {
        let mut gone: Vec<Duration> = (0..WAYS_OUT)
            .map(|_| {
                let (terminal, _home) = start(size);
                terminal.wait_for(USEFUL);
                let sent = Instant::now();
                terminal.signal(signal);
                terminal.wait_exit();
                assert!(terminal.is_restored(), "the terminal was not given back after {name}");
                sent.elapsed()
            })
            .collect();
        row(&format!("{name} to gone and restored"), &times(&mut gone));
    }
    let mut gone: Vec<Duration> = (0..WAYS_OUT)
        .map(|_| {
            let (mut terminal, _home) = start(size);
            terminal.wait_for(USEFUL);
            let taken = Instant::now();
            terminal.hang_up();
            terminal.wait_death();
            taken.elapsed()
        })
        .collect();
    row("terminal gone to gone", &times(&mut gone));

    let (mut terminal, _home) = start(size);
    terminal.wait_for(USEFUL);
    for (keys, text) in TO_THE_TABLE {
        terminal.keys(keys);
        terminal.wait_for(text);
    }
    let mut to_first = Vec::new();
    let mut to_last = Vec::new();
    let mut bytes = Vec::new();
    for number in 0..KEYS {
        let before = terminal.bytes();
        let pressed = Instant::now();
        terminal.keys(MOVES[number % MOVES.len()]);
        let answer = terminal.wait_answer(before);
        to_first.push(answer.first - pressed);
        to_last.push(answer.last - pressed);
        bytes.push(answer.bytes);
    }
    row("key to first byte", &times(&mut to_first));
    row("key to whole frame", &times(&mut to_last));
    bytes.sort_unstable();
    row(
        "bytes a cursor move",
        &format!("p50 {:>8}      p95 {:>8}", at(&bytes, 50), at(&bytes, 95)),
    );

    let ticks = terminal.processor_ticks();
    let idle = terminal.bytes_during(IDLE);
    row("bytes while idle", &format!("{idle} in {} s", IDLE.as_secs()));
    if let (Some(before), Some(after)) = (ticks, terminal.processor_ticks()) {
        row(
            "processor while idle",
            &format!("{} clock ticks in {} s", after - before, IDLE.as_secs()),
        );
    }
    if let Some(peak) = terminal.peak_memory() {
        row("peak memory", &format!("{peak} KiB"));
    }
    if let Ok(binary) = std::fs::metadata(env!("CARGO_BIN_EXE_steadyhand")) {
        row("size of the program", &format!("{} KiB", binary.len() / 1024));
    }
}

fn start(size: Size) -> (Terminal, tempfile::TempDir) {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let path = home.path().to_string_lossy().into_owned();
    let environment: Vec<(String, String)> = [
        ("HOME", path.as_str()),
        ("TMPDIR", path.as_str()),
        ("TERM", "xterm-256color"),
        ("LANG", "C.UTF-8"),
        ("STEADYHAND_TOUR", "false"),
        ("USER", "casey"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let program = env!("CARGO_BIN_EXE_steadyhand");
    (Terminal::start(program, ARGUMENTS, &environment, Path::new(&path), size), home)
}

fn row(what: &str, result: &str) {
    println!("{what:<30} {result}");
}

fn times(measured: &mut [Duration]) -> String {
    measured.sort_unstable();
    let ms = |percent| at(measured, percent).as_secs_f64() * 1000.0;
    format!("p50 {:>8.2} ms   p95 {:>8.2} ms   max {:>8.2} ms", ms(50), ms(95), ms(100))
}

/// The value that so many of a hundred do not exceed; the values are sorted.
fn at<T: Copy>(sorted: &[T], percent: usize) -> T {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted[rank.clamp(1, sorted.len()) - 1]
}
