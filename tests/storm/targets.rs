//! Very many targets: looked at and checked a few at a time.

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::common::{Cockpit, Home, WIDE};
use super::{frame, holds_at_most, size, swift};

/// A server that never says a word: it takes whoever comes, holds them for a moment, and counts.
struct Crowd {
    port: u16,
    here: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    all: Arc<AtomicUsize>,
}

impl Crowd {
    fn gather() -> Self {
        const MOMENT: Duration = Duration::from_millis(60);
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = || Arc::new(AtomicUsize::new(0));
        let crowd = Self { port, here: count(), most: count(), all: count() };
        let (here, most, all) = (crowd.here.clone(), crowd.most.clone(), crowd.all.clone());
        thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                let here = here.clone();
                most.fetch_max(here.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                all.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let _ = guest.set_read_timeout(Some(MOMENT));
                    let _ = (&guest).read_to_end(&mut Vec::new());
                    // Before it can be seen that it is over.
                    here.fetch_sub(1, Ordering::SeqCst);
                    drop::<TcpStream>(guest);
                });
            }
        });
        crowd
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    fn all(&self) -> usize {
        self.all.load(Ordering::SeqCst)
    }

    /// So many targets, each on a server of its own as far as an address tells.
    fn targets(&self, many: usize) -> String {
        (0..many).fold(String::new(), |mut text, at| {
            let (high, low) = (at / 250, at % 250 + 1);
            let _ = writeln!(
                text,
                "[target.shop{at:04}]\nurl = \"postgres://ada@127.0.{high}.{low}:{}/shop?sslmode=disable\"\n\
                 environment = \"development\"",
                self.port
            );
            text
        })
    }
}

/// Connections that a run may have open at a time, whatever is configured.
const AT_ONCE: usize = 64;
/// And the home screen, which nobody asked to look everywhere at once.
const AT_HOME: usize = 8;

#[test]
fn home_looks_at_a_thousand_targets_a_few_at_a_time() {
    let many = size(400, 1000);
    let crowd = Crowd::gather();
    let home = Home::new();
    home.write("steadyhand.toml", &crowd.targets(many));
    // Measured now: it takes as long as a look at very many targets.
    frame();
    let mut cockpit = Cockpit::start_in(home, &[], WIDE);
    cockpit.wait_for("shop0000");
    swift(&mut cockpit, &["G"], "Runbooks");
    // What is learnt of others moves nobody off what they chose.
    let seen = crowd.all();
    cockpit.wait_until("a look at more", |_| crowd.all() >= seen + 20);
    assert!(cockpit.screen().contains("Runbooks"), "{}", cockpit.screen());
    swift(&mut cockpit, &["g"], "▸ shop0000");
    // However long it takes to the last one, it goes on.
    for came in (20..=many).step_by(20) {
        cockpit.wait_until(&format!("a look at {came} targets"), |_| crowd.all() >= came);
    }
    assert!(crowd.most() <= AT_HOME, "{} connections at once", crowd.most());
    holds_at_most(&cockpit, "home of many targets", 120);
}

#[test]
fn a_thousand_targets_are_checked_with_few_files_open() {
    let many = size(300, 1000);
    let crowd = Crowd::gather();
    let home = Home::new();
    home.write("steadyhand.toml", &crowd.targets(many));
    let program = env!("CARGO_BIN_EXE_steadyhand");
    let ran = std::process::Command::new("/bin/sh")
        .args(["-c", "ulimit -n 200; exec \"$0\" \"$@\"", program])
        .args(["check", "--check", "asset-double-assignment", "--format", "json"])
        .env_clear()
        .envs(home.environment())
        .current_dir(home.work())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(3), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(said.lines().count(), many + 1);
    assert!(!said.contains("open files"), "a target was not asked for want of files");
    assert_eq!(crowd.all(), many, "every target was asked once");
    assert!(crowd.most() <= AT_ONCE, "{} connections at once", crowd.most());
}
