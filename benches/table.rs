//! A table of a million violations beside the programs that people page through rows with.
//!
//! `cargo bench --bench table` starts a PostgreSQL of its own, lays a million rows into it, writes the
//! same rows as CSV, and drives each program that it finds in a real terminal of 120x40: the release
//! build of ours on the database, `csvlens` and `vd` on the CSV, `less` on the CSV, and on the
//! database `psql` with a cursor into `less`, `pgcli` into `less`, and `harlequin`. `TABLE_ROWS` asks for another number of rows.
//!
//! - first rows: from the start of the process until a row stands on the screen. Ours opens an
//!   incident on the way, with its journal on disk.
//! - key: from writing the key to the first byte of the answer, 200 moves of the cursor up and down.
//! - bytes: what came in answer to many keys, divided by the keys, after the terminal fell silent.
//! - burst: 60 keys, 30 a second; lag is from the last key to the last byte.
//! - peak memory: `VmHWM` of the process at the end, everything on the list above done.
//! - while rows arrive: the same keys as soon as the first rows stand there (ours and psql only).
//!
//! Times depend on the machine and on who else uses it: compare them within one run. Bytes and memory
//! do not.

#![allow(clippy::print_stdout, reason = "the table is what a bench is for")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::server::{self, Server, Setup};
use common::{Terminal, WIDE};

const KEYS: usize = 200;
const SCROLLS: usize = 100;
const PAGES: usize = 30;
const BURST: u32 = 60;
const QUIET: Duration = Duration::from_millis(400);

const QUERY: &str = "SELECT id, shelf, label, digest FROM parcels";

/// A program and how it is driven.
struct Peer {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// Texts to wait for and what is typed then, until it is asked for the rows.
    opening: Vec<(&'static str, String)>,
    /// Stands there as soon as a row does.
    row: &'static str,
    /// Stands there when all rows are read, if it says so.
    whole: Option<String>,
    down: &'static str,
    up: &'static str,
    page: &'static str,
    /// Keys that bring the cursor to where each further move scrolls by one.
    to_the_edge: usize,
    /// It reads from the database while keys come.
    streams: bool,
}

#[derive(Default)]
struct Measured {
    name: String,
    first_rows: Duration,
    key: Vec<Duration>,
    arriving: Vec<Duration>,
    move_bytes: usize,
    scroll_bytes: usize,
    page_bytes: usize,
    lag: Duration,
    peak: u64,
    clears: usize,
}

fn main() {
    let rows: u64 =
        std::env::var("TABLE_ROWS").map_or(1_000_000, |rows| rows.parse().expect("rows"));
    let place = Place::new(rows);
    println!("{rows} rows, a terminal of {}x{}\n", WIDE.0, WIDE.1);
    println!(
        "{:<22} {:>10} {:>9} {:>9} {:>7} {:>7} {:>7} {:>8} {:>10} {:>10}",
        "",
        "first rows",
        "key p50",
        "key p95",
        "B/move",
        "B/line",
        "B/page",
        "lag",
        "arriving",
        "peak"
    );
    let mut all = Vec::new();
    for peer in place.peers(rows) {
        let measured = place.measure(&peer);
        measured.print();
        all.push(measured);
    }
    for absent in ["csvlens", "vd", "harlequin", "pgcli"] {
        if find(absent).is_none() {
            println!("{absent:<22} is not on PATH");
        }
    }
    println!();
    ratios(&all);
}

/// What the goals are about, as far as both sides of a ratio were there.
fn ratios(all: &[Measured]) {
    let of = |name: &str| all.iter().find(|measured| measured.name == name);
    let Some(ours) = of("ours") else { return };
    let ratio = |what: &str, ours: f64, theirs: f64, goal: &str| {
        println!("{what:<44} {:>6.2}   goal {goal}", ours / theirs);
    };
    #[allow(clippy::cast_precision_loss, reason = "bytes and KiB of a screen")]
    let number = |n: usize| n as f64;
    #[allow(clippy::cast_precision_loss, reason = "bytes and KiB of a screen")]
    let kib = |n: u64| n as f64;
    let p95 = |measured: &Measured| at(&measured.key, 95).as_secs_f64();
    if let Some(csvlens) = of("csvlens") {
        ratio("key p95 / csvlens", p95(ours), p95(csvlens), "<= 1.2");
        ratio(
            "bytes of a move / csvlens",
            number(ours.move_bytes),
            number(csvlens.move_bytes),
            "<= 0.25",
        );
        ratio("peak memory / csvlens", kib(ours.peak), kib(csvlens.peak), "<= 1.5");
    }
    if let Some(less) = of("less") {
        ratio(
            "bytes of a scroll by one / less",
            number(ours.scroll_bytes),
            number(less.scroll_bytes),
            "<= 1.5",
        );
        ratio("bytes of a page / less", number(ours.page_bytes), number(less.page_bytes), "<= 1.0");
        ratio(
            "lag after a burst / (less + 1 ms)",
            ours.lag.as_secs_f64(),
            less.lag.as_secs_f64() + 0.001,
            "<= 2",
        );
    }
    if let Some(psql) = of("psql cursor | less") {
        ratio(
            "first rows / psql cursor into less",
            ours.first_rows.as_secs_f64(),
            psql.first_rows.as_secs_f64(),
            "<= 1.15",
        );
    }
    if let Some(few) = of("ours, a tenth") {
        ratio("key p95, all rows / a tenth", p95(ours), p95(few), "<= 1.1");
        ratio("peak memory, all rows / a tenth", kib(ours.peak), kib(few.peak), "<= 1.05");
    }
    let arriving = at(&ours.arriving, 95).as_secs_f64();
    ratio("key p95 while rows arrive / after", arriving, p95(ours), "<= 2");
    println!(
        "peak memory of ours {:.1} MiB (goal <= 16), full clears {}",
        kib(ours.peak) / 1024.0,
        ours.clears
    );
}

impl Measured {
    fn print(&self) {
        let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
        let arriving =
            if self.arriving.is_empty() { "-".to_owned() } else { ms(at(&self.arriving, 95)) };
        println!(
            "{:<22} {:>10} {:>9} {:>9} {:>7} {:>7} {:>7} {:>8} {:>10} {:>10}",
            self.name,
            ms(self.first_rows),
            ms(at(&self.key, 50)),
            ms(at(&self.key, 95)),
            self.move_bytes,
            self.scroll_bytes,
            self.page_bytes,
            ms(self.lag),
            arriving,
            format!("{} KiB", self.peak),
        );
    }
}

/// A server with the rows, the same rows as a file, and a home for our program.
struct Place {
    server: Server,
    folder: tempfile::TempDir,
}

impl Place {
    fn new(rows: u64) -> Self {
        let server = Setup::new(server::Kind::Postgres).start();
        server.database("shop");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let place = Self { server, folder };
        place.server.run(
            "shop",
            &format!(
                "CREATE TABLE parcels AS SELECT i AS id, i % 97 AS shelf, 'parcel ' || i AS label, \
                 md5(i::text) AS digest FROM generate_series(1, {rows}) i"
            ),
        );
        place.server.run("shop", "VACUUM ANALYZE parcels");
        let copy = format!("\\copy ({QUERY}) TO '{}' CSV HEADER", place.path("rows.csv").display());
        let done = place.psql().args(["-qc", &copy]).status().expect("psql runs");
        assert!(done.success(), "psql writes the rows as CSV");
        for (name, limit) in [("rows", String::new()), ("few", format!(" LIMIT {}", rows / 10))] {
            place.write_check(name, &format!("{QUERY}{limit}"));
        }
        place.write(
            "steadyhand.toml",
            &format!(
                "[target.shop]\nurl = \"{}\"\nenvironment = \"development\"\n",
                place.server.url("shop")
            ),
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }

    fn write_check(&self, name: &str, sql: &str) {
        let check = format!(
            "id = \"{name}\"\ntitle = \"Rows\"\nrule = \"There are none.\"\nseverity = \"sev2\"\n\
             kind = \"violations\"\nkey = [\"id\"]\nsuites = [\"nightly\"]\nowner = \"us\"\n\
             runbook = \"{name}\"\ntimeout = \"600s\"\n[sql]\nany = \"{sql}\"\n"
        );
        let book = format!(
            "id = \"{name}\"\ntitle = \"Rows\"\nsummary = \"Rows\"\nowner = \"us\"\n\
             severity = \"sev2\"\n[[step]]\nid = \"look\"\nkind = \"check\"\nstage = \"validate\"\n\
             title = \"Look at them\"\ncheck = \"{name}\"\nexpect = \"violated\"\nevery = \"1h\"\n"
        );
        self.write(&format!("{name}/checks/{name}.toml"), &check);
        self.write(&format!("{name}/books/{name}.toml"), &book);
    }

    /// The folder of the server's socket.
    fn host(&self) -> String {
        self.server.socket().parent().expect("a socket is in a folder").display().to_string()
    }

    fn psql(&self) -> Command {
        let mut command = Command::new(find("psql").expect("psql is there where the server is"));
        command.args(["-X", "-h"]).arg(self.host()).args(["-U", server::ADMIN, "-d", "shop"]);
        command
    }

    fn peers(&self, rows: u64) -> Vec<Peer> {
        let csv = || self.path("rows.csv").display().to_string();
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let ours = |name: &str, id: &str, rows: u64| {
            let (checks, books) = (format!("{id}/checks"), format!("{id}/books"));
            let args = ["open", id, "--target", "shop", "--checks", &checks, "--runbooks", &books];
            Peer {
                name: name.into(),
                program: env!("CARGO_BIN_EXE_steadyhand").into(),
                arguments: text(&args),
                opening: Vec::new(),
                row: "parcel ",
                whole: Some(format!("of {}, exact", thousands(rows))),
                down: "down",
                up: "up",
                page: "pagedown",
                to_the_edge: 45,
                streams: true,
            }
        };
        let pager = |name: &str, program: &str, arguments: Vec<String>| {
            Some(Peer {
                name: name.into(),
                program: find(program)?,
                arguments,
                opening: Vec::new(),
                row: "parcel ",
                whole: None,
                down: "j",
                up: "k",
                page: "space",
                to_the_edge: 0,
                streams: false,
            })
        };
        let cursor = vec![
            "-X".into(),
            "-h".into(),
            self.host(),
            "-U".into(),
            server::ADMIN.into(),
            "-d".into(),
            "shop".into(),
            "-v".into(),
            "FETCH_COUNT=1000".into(),
            "-P".into(),
            "pager=always".into(),
            "-c".into(),
            QUERY.into(),
        ];
        let socket = self.host();
        let into_less =
            ["--warn", "off", "--row-limit", "0", "-U", server::ADMIN, "-d", "shop", "-h"];
        let url = format!("postgresql://{}@/shop?host={socket}", server::ADMIN);
        let found = [
            pager("csvlens", "csvlens", vec![csv()]).map(|peer| Peer {
                page: "pagedown",
                to_the_edge: 45,
                ..peer
            }),
            pager("vd", "vd", vec![csv()]).map(|peer| Peer {
                page: "pagedown",
                to_the_edge: 45,
                ..peer
            }),
            pager("less", "less", vec!["-S".into(), csv()]),
            pager("psql cursor | less", "psql", cursor).map(|peer| Peer { streams: true, ..peer }),
            pager("pgcli | less", "pgcli", [text(&into_less), vec![socket]].concat()).map(|peer| {
                Peer { opening: vec![("shop>", format!("{QUERY};\r"))], row: "| parcel ", ..peer }
            }),
            pager(
                "harlequin",
                "harlequin",
                text(&["--viewer-max-rows", "-1", "-a", "postgres", &url]),
            )
            .map(|peer| Peer {
                opening: vec![("shop db", QUERY.into()), ("FROM parcels", "\n".into())],
                down: "down",
                up: "up",
                page: "pagedown",
                to_the_edge: 30,
                ..peer
            }),
        ];
        let mut peers = vec![ours("ours", "rows", rows), ours("ours, a tenth", "few", rows / 10)];
        peers.extend(found.into_iter().flatten());
        peers
    }

    fn start(&self, peer: &Peer) -> Terminal {
        // A home of its own for each start: the second incident is not the first one taken up again.
        let home = tempfile::Builder::new()
            .prefix("home-")
            .tempdir_in(self.folder.path())
            .expect("a folder can be made")
            .keep();
        let path = std::env::var("PATH").unwrap_or_default();
        let home = home.display().to_string();
        let pairs = [
            ("HOME", home.as_str()),
            ("TMPDIR", &home),
            ("XDG_STATE_HOME", &home),
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("USER", "casey"),
            ("PATH", &path),
            ("PAGER", "less -S"),
            ("PSQL_PAGER", "less -S"),
            ("PYTHONPATH", &std::env::var("PYTHONPATH").unwrap_or_default()),
        ];
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let arguments: Vec<&str> = peer.arguments.iter().map(String::as_str).collect();
        let program = peer.program.display().to_string();
        let mut terminal = Terminal::start(&program, &arguments, &pairs, self.folder.path(), WIDE);
        for (text, typed) in &peer.opening {
            terminal.wait_long_for(text);
            terminal.send(typed.as_bytes());
        }
        terminal
    }

    fn measure(&self, peer: &Peer) -> Measured {
        let mut measured = Measured { name: peer.name.clone(), ..Measured::default() };
        // The best of three: the first start of all reads the program from the disk.
        measured.first_rows = (0..3)
            .map(|_| {
                let terminal = self.start(peer);
                terminal.wait_long_for(peer.row);
                let seen = terminal.last_output().expect("rows came from output");
                seen - terminal.started()
            })
            .min()
            .expect("three were measured");
        let mut terminal = self.start(peer);
        terminal.wait_long_for(peer.row);
        if peer.name.starts_with("ours") {
            // The rows of the step have the whole screen.
            terminal.keys("v");
            terminal.wait_for("There are none.");
        }
        if peer.streams {
            measured.arriving = moves(&mut terminal, peer).0;
        }
        if let Some(whole) = &peer.whole {
            terminal.wait_long_for(whole);
        } else {
            quiet(&terminal);
        }
        let (key, bytes) = moves(&mut terminal, peer);
        (measured.key, measured.move_bytes) = (key, bytes);
        for _ in 0..peer.to_the_edge {
            press(&mut terminal, peer.down);
        }
        measured.scroll_bytes = bytes_of(&mut terminal, peer.down, SCROLLS);
        measured.page_bytes = bytes_of(&mut terminal, peer.page, PAGES);
        measured.lag = burst(&mut terminal, peer.down);
        measured.peak = terminal.peak_memory().unwrap_or_default();
        measured.clears = terminal
            .raw_output()
            .windows(4)
            .filter(|bytes| bytes == b"\x1b[2J")
            .count()
            .saturating_sub(1);
        measured
    }
}

/// The cursor up and down: how long until an answer, and the bytes of a key.
fn moves(terminal: &mut Terminal, peer: &Peer) -> (Vec<Duration>, usize) {
    let mut times = Vec::with_capacity(KEYS);
    let begin = terminal.bytes();
    for number in 0..KEYS {
        let key = if number % 2 == 0 { peer.down } else { peer.up };
        times.push(press(terminal, key));
    }
    quiet(terminal);
    times.sort_unstable();
    (times, (terminal.bytes() - begin) / KEYS)
}

fn press(terminal: &mut Terminal, key: &str) -> Duration {
    let before = terminal.bytes();
    let pressed = Instant::now();
    terminal.keys(key);
    let answer = terminal.wait_answer(before);
    answer.first.saturating_duration_since(pressed)
}

fn bytes_of(terminal: &mut Terminal, key: &str, count: usize) -> usize {
    let begin = terminal.bytes();
    for _ in 0..count {
        press(terminal, key);
    }
    quiet(terminal);
    (terminal.bytes() - begin) / count
}

fn burst(terminal: &mut Terminal, key: &str) -> Duration {
    const PAUSE: Duration = Duration::from_millis(33);
    let mut last = Instant::now();
    for _ in 0..BURST {
        last = Instant::now();
        terminal.keys(key);
        terminal.bytes_during(PAUSE);
    }
    quiet(terminal);
    terminal.last_output().map_or(Duration::ZERO, |output| output.saturating_duration_since(last))
}

/// Until nothing more comes, or only what a clock sends.
fn quiet(terminal: &Terminal) {
    const CLOCK: usize = 100;
    while terminal.bytes_during(QUIET) > CLOCK {}
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/bin", "/usr/local/bin"].map(|folder| Path::new(folder).to_owned()));
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn thousands(number: u64) -> String {
    steadyhand::value::thousands(number)
}

/// The value that so many of a hundred do not exceed; the values are sorted.
fn at(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
}
