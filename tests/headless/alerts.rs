//! Alerts: received by real servers, on change only, late rather than never, and without rows.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use serde_json::Value;

use super::common::{Home, Sqlite};
use super::suite::{desk, ended_from_outside};
use super::{Desk, Ran, run, run_at};

const OWNERLESS: &str = "SELECT id FROM asset WHERE owner IS NULL ORDER BY id";

/// A web server that keeps what it was sent: head and body. It answers with the codes in turn, the
/// last one for ever.
struct Web {
    address: String,
    got: Receiver<(String, String)>,
}

impl Web {
    fn new(codes: &'static [u16]) -> Self {
        Self::on(&TcpListener::bind("127.0.0.1:0").unwrap(), codes)
    }

    fn on(listener: &TcpListener, codes: &'static [u16]) -> Self {
        let address = format!("http://{}", listener.local_addr().unwrap());
        let listener = listener.try_clone().unwrap();
        let (tell, got) = channel();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let code = codes.get(n).or(codes.last()).unwrap();
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
                let length =
                    head.to_ascii_lowercase().split("content-length: ").nth(1).map_or(0, |rest| {
                        rest.lines().next().unwrap().trim().parse::<usize>().unwrap()
                    });
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let answer =
                    format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
                let _ = tell.send((head, String::from_utf8(body).unwrap()));
            }
        });
        Self { address, got }
    }

    fn next(&self) -> (String, String) {
        self.got.recv_timeout(Duration::from_secs(20)).expect("a request")
    }

    fn nothing_more(&self) {
        assert!(self.got.try_recv().is_err(), "a request nobody should have sent");
    }
}

fn bad_desk(alert: &str) -> Desk {
    let desk = desk(&[("erp", "production")], alert);
    desk.check("bad", "sev2", OWNERLESS);
    desk
}

fn night(home: &Home, hour: u32) -> Ran {
    run_at(home, &format!("2026-11-21T{hour:02}:00:00Z"), &["check", "--suite", "sev2"])
}

#[test]
fn a_change_is_told_once_with_owner_and_command_but_no_row() {
    let web = Web::new(&[200]);
    let desk = bad_desk(&format!(
        "[alert.hook]\nkind = \"webhook\"\nurl = \"{}/x\"\ntoken_env = \"TOKEN\"\n",
        web.address
    ));
    let path = desk.home.work().join("checks/own/bad.toml");
    let text = fs::read_to_string(&path).unwrap() + "";
    fs::write(
        &path,
        text.replace(
            "owner = \"o\"",
            "owner = \"ERP lead\"\nrunbook = \"asset-double-assignment\"",
        ),
    )
    .unwrap();
    let home = Desk { home: desk.home.with("TOKEN", "t0ps3cret"), database: desk.database };
    let database = home.home.work().join("erp.db");
    Sqlite::open(&database).run("INSERT INTO asset VALUES (77123, NULL, NULL)");
    let ran = night(&home.home, 1);
    assert_eq!((ran.code, ran.err.as_str()), (2, ""));
    let (head, body) = web.next();
    assert!(head.starts_with("POST /x HTTP/1.1"), "{head}");
    assert!(head.contains("Bearer t0ps3cret"), "{head}");
    let event: Value = serde_json::from_str(&body).unwrap();
    let told = &event["changes"][0];
    assert_eq!((&told["before"], &told["now"]), (&Value::Null, &"violated".into()));
    assert_eq!(
        (&told["owner"], &told["runbook"]),
        (&"ERP lead".into(), &"asset-double-assignment".into())
    );
    assert_eq!(told["command"], "steadyhand open asset-double-assignment --target erp");
    assert_eq!(told["number"], 3.0);
    assert!(!body.contains("77123"), "{body}");
    // The same verdict again, whatever the number is, tells nobody anything.
    Sqlite::open(&database).run("DELETE FROM asset WHERE id = 77123");
    night(&home.home, 2);
    web.nothing_more();
    Sqlite::open(&database).run("UPDATE asset SET owner = 'ada'");
    assert_eq!(night(&home.home, 3).code, 0);
    let event: Value = serde_json::from_str(&web.next().1).unwrap();
    assert_eq!(
        (&event["changes"][0]["before"], &event["changes"][0]["now"]),
        (&"violated".into(), &"clear".into())
    );
    fs::remove_file(&database).unwrap();
    assert_eq!(night(&home.home, 4).code, 3);
    let event: Value = serde_json::from_str(&web.next().1).unwrap();
    assert_eq!(event["changes"][0]["now"], "inconclusive");
    for file in home.home.files("state") {
        let text = fs::read_to_string(home.home.path("state").join(file)).unwrap_or_default();
        assert!(!text.contains("t0ps3cret"), "{text}");
    }
}

#[test]
fn a_suite_hears_of_its_checks_whoever_looked_first() {
    let web = Web::new(&[200]);
    let alert = |suite| {
        let Web { address, .. } = &web;
        format!(
            "[alert.{suite}]\nkind = \"webhook\"\nurl = \"{address}/{suite}\"\nsuites = [\"{suite}\"]\n"
        )
    };
    let desk = bad_desk(&(alert("sev2") + &alert("sev3")));
    desk.check("other", "sev3", "SELECT id FROM asset WHERE id < 0");
    let by_name = ["check", "--check", "bad"];
    assert_eq!(run_at(&desk.home, "2026-11-21T01:00:00Z", &by_name).code, 2);
    let (head, body) = web.next();
    assert!(head.starts_with("POST /sev2 ") && body.contains("\"check\":\"bad\""), "{head}{body}");
    assert_eq!(night(&desk.home, 2).code, 2);
    web.nothing_more();
}

/// Somebody stops a run: nothing is known of the checks that it did not reach, and nobody is told that it is.
#[test]
fn a_run_that_is_stopped_tells_nobody_anything() {
    let desk = bad_desk(
        "[alert.page]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"cat >> paged.json\"]\n",
    );
    let until_stopped = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n \
                         WHERE EXISTS (SELECT 1 FROM asset WHERE id = 99)) SELECT id FROM n WHERE id < 0";
    desk.check("long", "sev2", until_stopped);
    let database = desk.home.work().join("erp.db");
    Sqlite::open(&database).run("UPDATE asset SET owner = 'ada'");
    assert_eq!(night(&desk.home, 1).code, 0);
    Sqlite::open(&database).run("INSERT INTO asset VALUES (99, 'ada', NULL)");
    let ended = ended_from_outside(&desk, "erp");
    assert_eq!(ended.status.code(), Some(130));
    Sqlite::open(&database).run("DELETE FROM asset WHERE id = 99");
    let end = jiff::Timestamp::now() + Duration::from_mins(1);
    assert_eq!(run_at(&desk.home, &end.to_string(), &["check", "--suite", "sev2"]).code, 0);
    let paged = fs::read_to_string(desk.home.work().join("paged.json")).unwrap_or_default();
    assert_eq!(paged, "");
    let said = run_at(&desk.home, &end.to_string(), &["history", "long"]).out;
    assert!(said.contains("stopped by the operator"), "the run itself is remembered: {said}");
}

/// A slip would make an alert that is never sent, or a run that nobody could start.
#[test]
fn names_that_nothing_has_are_refused() {
    let desk = bad_desk(
        "[suite.sev9]\nevery = \"24h\"\n[alert.page]\nkind = \"command\"\ncommand = [\"true\"]\n\
         targets = [\"epr\"]\nsuites = [\"sev2\", \"nighly\"]\n",
    );
    let ran = night(&desk.home, 1);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    for said in [
        "There is no suite \"sev9\".\n --> steadyhand.toml:2:8",
        "There is no suite \"nighly\".",
        "Did you mean \"nightly\"?",
        "There is no target \"epr\".",
        "Did you mean \"erp\"?",
    ] {
        assert!(ran.err.contains(said), "{said} is missing in {}", ran.err);
    }
    assert_eq!(ran.err.matches("There is no").count(), 3, "{}", ran.err);
}

#[test]
fn keys_are_told_only_by_a_check_that_allows_it() {
    let web = Web::new(&[200]);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", web.address));
    let path = desk.home.work().join("checks/own/bad.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("owner = \"o\"", "owner = \"o\"\nalert_keys = true")).unwrap();
    night(&desk.home, 1);
    assert!(web.next().1.contains("\"keys\":\"id: 2, 3\""));
}

#[test]
fn slack_gets_its_text_and_the_address_stays_secret() {
    let web = Web::new(&[404, 200]);
    let desk = bad_desk("[alert.ops]\nkind = \"slack\"\nurl_command = [\"cat\", \"address\"]\n");
    let secret = format!("{}/services/T0/S3CRET", web.address);
    desk.home.write("address", &format!("{secret}\n"));
    let path = desk.home.work().join("checks/own/bad.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("title = \"t\"", "title = \"a < b & c\"")).unwrap();
    let ran = night(&desk.home, 1);
    // It is not there: no use in trying again at once.
    assert!(
        ran.err.contains("alert ops: it answered 404; 1 alert kept, the next run tries again"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("S3CRET") && !ran.out.contains("S3CRET"));
    web.next();
    web.nothing_more();
    let ran = night(&desk.home, 2);
    assert_eq!(ran.err, "");
    let body: Value = serde_json::from_str(&web.next().1).unwrap();
    let text = body["text"].as_str().unwrap();
    assert!(text.contains("*[steadyhand] erp (production): 1 violated*"), "{text}");
    assert!(text.contains("a &lt; b &amp; c") && text.contains("was not known"), "{text}");
    let config = run_at(&desk.home, "2026-11-21T03:00:00Z", &["config"]);
    assert!(config.out.contains("slack: the command cat"), "{}", config.out);
}

/// A row came at once, and the time is up while others are looked for.
#[test]
fn a_number_that_is_a_lower_bound_is_told_as_one() {
    let web = Web::new(&[200]);
    let desk = bad_desk(&format!(
        "[alert.ops]\nkind = \"slack\"\nurl_command = [\"echo\", \"{}\"]\n",
        web.address
    ));
    let endless = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) \
                   SELECT 1 AS id UNION ALL SELECT id FROM n WHERE id < 0";
    desk.check("bad", "sev2", endless);
    let path = desk.home.work().join("checks/own/bad.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"20s\"", "\"2s\"")).unwrap();
    let ran = night(&desk.home, 1);
    assert!(ran.code == 2 && ran.out.contains(">= "), "{}{}", ran.out, ran.err);
    let body: Value = serde_json::from_str(&web.next().1).unwrap();
    let text = body["text"].as_str().unwrap();
    assert!(text.contains("violated (was not known): &gt;= "), "{text}");
    for (args, told) in [
        (&["history", "bad"][..], "highest >= "),
        (&["history", "bad", "--format", "json"], "\"at_least\":true,\"at\":"),
    ] {
        let ran = run_at(&desk.home, "2026-11-21T02:00:00Z", args);
        assert!(ran.out.contains(told), "{told} is missing in {}", ran.out);
    }
}

#[test]
fn a_server_that_stumbles_is_tried_again() {
    let web = Web::new(&[503, 429, 200]);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", web.address));
    assert_eq!(night(&desk.home, 1).err, "");
    let bodies: Vec<String> = (0..3).map(|_| web.next().1).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    web.nothing_more();
}

#[test]
fn what_cannot_be_delivered_waits_on_disk_and_arrives_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"http://{address}\"\n"));
    let ran = night(&desk.home, 1);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("1 alert kept"), "{}", ran.err);
    let ran = run_at(&desk.home, "2026-11-21T02:00:00Z", &["health"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("1 alert not delivered, the oldest for"), "{}", ran.out);
    Sqlite::open(&desk.home.work().join("erp.db")).run("UPDATE asset SET owner = 'ada'");
    let web = Web::on(&TcpListener::bind(address).unwrap(), &[200]);
    assert_eq!(night(&desk.home, 2).err, "");
    let states: Vec<Value> = (0..2)
        .map(|_| serde_json::from_str::<Value>(&web.next().1).unwrap()["changes"][0]["now"].clone())
        .collect();
    assert_eq!(states, ["violated", "clear"]);
    assert_eq!(run_at(&desk.home, "2026-11-21T03:00:00Z", &["health"]).code, 0);
}

#[test]
fn a_message_that_cannot_be_read_is_put_aside_and_told() {
    let web = Web::new(&[200]);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", web.address));
    let outbox = desk.home.path("state/steadyhand/outbox/hook");
    fs::create_dir_all(&outbox).unwrap();
    fs::write(outbox.join("0-1-0.json"), "{torn").unwrap();
    let ran = night(&desk.home, 1);
    assert!(ran.err.contains("alert hook: 1 message cannot be read"), "{}", ran.err);
    assert!(web.next().1.contains("\"check\":\"bad\""));
    assert!(outbox.join("0-1-0.unreadable").exists());
    assert_eq!(night(&desk.home, 2).err, "");
}

#[test]
fn a_command_gets_the_event_on_its_standard_input() {
    let desk = bad_desk(
        "[alert.page]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"cat > paged.json\"]\nat_least = \"sev2\"\n",
    );
    desk.check("minor", "sev4", OWNERLESS);
    let path = desk.home.work().join("checks/own/minor.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("[\"sev4\"]", "[\"sev2\"]")).unwrap();
    assert_eq!(night(&desk.home, 1).err, "");
    let paged: Value =
        serde_json::from_str(&fs::read_to_string(desk.home.work().join("paged.json")).unwrap())
            .unwrap();
    assert_eq!(paged["changes"].as_array().unwrap().len(), 1, "{paged}");
    assert_eq!(paged["changes"][0]["check"], "bad");
}

/// Hangs in a program that it starts, which tells so by a file and holds another open.
const HANGS: &str = r#"["sh", "-c", "{ echo > hangs; exec sleep 600; } > held & wait"]"#;

/// A run that is delivering to something that hangs, and what that holds open.
fn hanging(home: &Home) -> (Child, File) {
    let work = home.work();
    let made = Command::new("mkfifo").arg(work.join("held")).status().unwrap();
    assert!(made.success());
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let held = File::options().read(true).custom_flags(flags).open(work.join("held")).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_steadyhand"))
        .args(["check", "--suite", "sev2"])
        .current_dir(&work)
        .env_clear()
        .envs(home.environment())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !work.join("hangs").is_file() {
        assert!(Instant::now() < end, "nobody was told");
        std::thread::yield_now();
    }
    (run, held)
}

/// What the run said, whose verdict stands, after which nothing runs on.
fn said(run: Child, held: &File) -> String {
    let ran = run.wait_with_output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{said}");
    let mut seen = [PollFd::new(held, PollFlags::IN)];
    let soon = Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(poll(&mut seen, Some(&soon)), Ok(1), "what the command started runs on");
    said
}

#[test]
fn a_secret_that_never_comes_ends_in_time_and_keeps_no_other_run_away() {
    let desk = bad_desk(&format!("[alert.ops]\nkind = \"slack\"\nurl_command = {HANGS}\n"));
    let (first, held) = hanging(&desk.home);
    let other = run(&desk.home, &["check", "--suite", "sev2"]);
    assert_eq!((other.code, other.err.as_str()), (2, ""), "{}", other.out);
    let said = said(first, &held);
    let told = "alert ops: sh gave no secret: it was not finished after 10s; 1 alert kept";
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_polite_end_while_somebody_is_told_keeps_verdict_and_message() {
    let desk = bad_desk(&format!("[alert.page]\nkind = \"command\"\ncommand = {HANGS}\n"));
    let (run, held) = hanging(&desk.home);
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let said = said(run, &held);
    assert!(said.contains("alert page: sh did not end in time; 1 alert kept"), "{said}");
}

/// A mail server with a certificate of its own; gives the commands and the mail.
fn mail_server(folder: &std::path::Path, implicit: bool) -> (u16, Receiver<Vec<String>>) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    fs::write(folder.join("ca.pem"), certified.cert.pem()).unwrap();
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, got) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = Vec::new();
            if !implicit {
                let started = talk(&mut stream, &mut lines, true, "STARTTLS");
                if !started {
                    continue;
                }
            }
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut secure = rustls::StreamOwned::new(connection, stream);
            talk(&mut secure, &mut lines, implicit, "AUTH PLAIN");
            let _ = tell.send(lines);
        }
    });
    (port, got)
}

/// Whether the other side asked for encryption; else until it says goodbye.
fn talk(
    stream: &mut (impl std::io::Read + Write),
    lines: &mut Vec<String>,
    greet: bool,
    offer: &str,
) -> bool {
    let say = |stream: &mut dyn Write, text: &str| {
        stream.write_all(format!("{text}\r\n").as_bytes()).is_ok()
    };
    if greet {
        say(stream, "220 localhost");
    }
    let mut data = false;
    loop {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            if !matches!(stream.read(&mut byte), Ok(1)) {
                return false;
            }
            line.push(byte[0]);
        }
        let line = String::from_utf8(line).unwrap().trim_end().to_owned();
        lines.push(line.clone());
        let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        match (data, word.as_str()) {
            (true, ".") => {
                data = false;
                say(stream, "250 kept");
            }
            (true, _) => {}
            (false, "EHLO") => {
                say(stream, &format!("250-localhost\r\n250 {offer}"));
            }
            (false, "STARTTLS") => {
                say(stream, "220 go on");
                return true;
            }
            (false, "AUTH") => {
                say(stream, "235 it is you");
            }
            (false, "DATA") => {
                data = true;
                say(stream, "354 go on");
            }
            (false, "QUIT") => {
                say(stream, "221 bye");
                return false;
            }
            (false, "RCPT") if line.contains("gone@") => {
                say(stream, "550 5.1.1 no such user");
            }
            (false, _) => {
                say(stream, "250 fine");
            }
        }
    }
}

fn mailed(tls: &str, implicit: bool) {
    let desk = bad_desk("");
    let (port, got) = mail_server(&desk.home.work(), implicit);
    let config = fs::read_to_string(desk.home.work().join("steadyhand.toml")).unwrap();
    let alert = format!(
        "[alert.mail]\nkind = \"email\"\nhost = \"localhost\"\nport = {port}\ntls = \"{tls}\"\nca = \"ca.pem\"\n\
         from = \"Steadyhand <db@example.org>\"\nto = [\"dba@example.org\", \"lead@example.org\"]\nuser = \"db\"\npassword_env = \"MAIL_PASSWORD\"\n"
    );
    desk.home.write("steadyhand.toml", &(config + &alert));
    let home = desk.home.with("MAIL_PASSWORD", "hunter2");
    let ran = night(&home, 1);
    assert_eq!((ran.code, ran.err.as_str()), (2, ""));
    let lines = got.recv_timeout(Duration::from_secs(20)).unwrap();
    let whole = lines.join("\n");
    assert_eq!(lines.iter().filter(|line| line.starts_with("RCPT TO:")).count(), 2, "{whole}");
    for said in [
        "AUTH PLAIN",
        "Subject: [steadyhand] erp (production): 1 violated",
        "SEV-2 bad",
        "steadyhand check --target erp --check bad",
        "MIME-Version: 1.0",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(whole.contains(said), "{said} is missing in {whole}");
    }
    assert!(!whole.contains("hunter2"), "{whole}");
}

/// Somebody left the firm, and nobody told the configuration.
#[test]
fn one_address_that_is_refused_keeps_no_mail_from_the_others() {
    let desk = bad_desk("");
    let (port, got) = mail_server(&desk.home.work(), true);
    let config = fs::read_to_string(desk.home.work().join("steadyhand.toml")).unwrap();
    let alert = format!(
        "[alert.mail]\nkind = \"email\"\nhost = \"localhost\"\nport = {port}\ntls = \"tls\"\nca = \"ca.pem\"\n\
         from = \"db@example.org\"\nto = [\"dba@example.org\", \"Gone <gone@example.org>\", \"lead@example.org\"]\n"
    );
    desk.home.write("steadyhand.toml", &(config + &alert));
    // Whom one message reached: a line with a dot ends it.
    let reached = || {
        let mut reached = Vec::new();
        while let Ok(lines) = got.recv_timeout(Duration::from_millis(500)) {
            let to = lines.iter().filter(|line| line.starts_with("RCPT TO:"));
            let delivered = lines.iter().any(|line| line == ".");
            reached.extend(to.filter(|_| delivered).cloned());
        }
        reached
    };
    let ran = night(&desk.home, 1);
    let said =
        "alert mail: not for Gone <gone@example.org>: the mail server: permanent error (550)";
    assert!(ran.err.contains(said) && ran.err.contains("1 alert kept"), "{}", ran.err);
    assert_eq!(reached(), ["RCPT TO:<dba@example.org>", "RCPT TO:<lead@example.org>"]);
    // The next run tries that one, and nobody has it twice.
    let ran = night(&desk.home, 2);
    assert!(ran.err.contains("permanent error (550)"), "{}", ran.err);
    assert_eq!(reached(), Vec::<String>::new());
}

#[test]
fn mail_arrives_over_tls() {
    mailed("tls", true);
}

#[test]
fn mail_arrives_after_starttls() {
    mailed("starttls", false);
}

#[test]
fn mail_is_not_sent_to_a_server_that_is_not_trusted_or_not_encrypted() {
    let desk = bad_desk("");
    let (port, got) = mail_server(&desk.home.work(), true);
    let config = fs::read_to_string(desk.home.work().join("steadyhand.toml")).unwrap();
    let alert = |tls: &str| {
        format!(
            "[alert.mail]\nkind = \"email\"\nhost = \"localhost\"\nport = {port}\ntls = \"{tls}\"\nfrom = \"db@example.org\"\nto = [\"dba@example.org\"]\n"
        )
    };
    desk.home.write("steadyhand.toml", &(config.clone() + &alert("tls")));
    let ran = night(&desk.home, 1);
    assert!(
        ran.err.contains("alert mail: the mail server:") && ran.err.contains("1 alert kept"),
        "{}",
        ran.err
    );
    while let Ok(lines) = got.try_recv() {
        assert_eq!(lines, Vec::<String>::new());
    }
    // A plain listener that offers nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = listener.local_addr().unwrap().port();
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let mut lines = Vec::new();
            talk(&mut stream, &mut lines, true, "SIZE 1000");
            let _ = tell.send(lines);
        }
    });
    desk.home.write(
        "steadyhand.toml",
        &(config + &alert("starttls").replace(&port.to_string(), &plain.to_string())),
    );
    let ran = night(&desk.home, 2);
    assert!(ran.err.contains("1 alert kept"), "{}", ran.err);
    let lines = heard.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(!lines.iter().any(|line| line.starts_with("MAIL")), "{lines:?}");
}

#[test]
fn secrets_do_not_belong_in_the_file() {
    let desk = desk(
        &[("erp", "production")],
        "[alert.a]\nkind = \"slack\"\nurl = \"https://hooks.example.org/S3CRET\"\n[alert.b]\nkind = \"webhook\"\nurl = \"https://u:hunter2@h/\"\n[alert.c]\nkind = \"email\"\nhost = \"h\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\nuser = \"u\"\npassword_env = \"P\"\ntls = \"none\"\n",
    );
    let ran = run_at(&desk.home, "2026-11-21T03:00:00Z", &["config"]);
    assert_eq!(ran.code, 4);
    for said in ["url_env", "may hold a secret", "anybody can read"] {
        assert!(ran.err.contains(said), "{said} is missing in {}", ran.err);
    }
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
}

/// A disk that is full or that nobody may write keeps the history from growing, and no alert from being sent.
#[test]
fn what_cannot_be_kept_is_told_all_the_same() {
    let web = Web::new(&[200]);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", web.address));
    fs::write(desk.home.path("state/steadyhand"), "no folder").unwrap();
    let ran = night(&desk.home, 1);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("erp: this run is not in the history"), "{}", ran.err);
    let said = "alert hook: it arrived, and could not be kept (";
    assert!(ran.err.contains(said), "{}", ran.err);
    assert!(web.next().1.contains("\"check\":\"bad\""));
}

#[test]
fn what_the_history_did_not_take_in_is_told_again_under_the_same_id() {
    let web = Web::new(&[200]);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", web.address));
    let database = desk.home.work().join("erp.db");
    Sqlite::open(&database).run("UPDATE asset SET owner = 'ada'");
    let before = run_at(&desk.home, "2026-10-31T01:00:00Z", &["check", "--suite", "sev2"]);
    assert_eq!(before.code, 0, "{}", before.out);
    Sqlite::open(&database).run("UPDATE asset SET owner = NULL");
    let month = desk.home.path("state/steadyhand/history/erp/2026-11.jsonl");
    fs::create_dir(&month).unwrap();
    let mut ids = Vec::new();
    for hour in [1, 2] {
        let ran = night(&desk.home, hour);
        assert!(ran.code == 2 && ran.err.contains("is not in the history"), "{}", ran.err);
        let event: Value = serde_json::from_str(&web.next().1).unwrap();
        assert_eq!(event["changes"][0]["before"], "clear", "{event}");
        ids.push(event["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    // Another change has another one.
    fs::remove_dir(&month).unwrap();
    night(&desk.home, 3);
    web.next();
    Sqlite::open(&database).run("UPDATE asset SET owner = 'ada'");
    night(&desk.home, 4);
    Sqlite::open(&database).run("UPDATE asset SET owner = NULL");
    night(&desk.home, 5);
    web.next();
    let event: Value = serde_json::from_str(&web.next().1).unwrap();
    assert!(event["changes"][0]["now"] == "violated" && event["id"] != ids[0], "{event}");
}

/// A result that cannot be written is a failure of its own; what was seen is remembered and told.
#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_remembered_and_told() {
    let web = Web::new(&[200]);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", web.address));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    command.args(["check", "--suite", "sev2"]).current_dir(desk.home.work());
    let ran = command.env_clear().envs(desk.home.environment()).stdout(full).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(
        ran.status.code() == Some(3) && said.contains("cannot write standard output"),
        "{said}"
    );
    assert!(web.next().1.contains("\"check\":\"bad\""));
    assert!(run(&desk.home, &["history", "bad"]).out.contains("erp: violated (2) since"));
}

/// The first message is refused for what it says, the second is told all the same.
#[test]
fn a_message_that_is_refused_holds_up_no_other() {
    let web = Web::new(&[400, 400, 200, 200]);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", web.address));
    desk.check("worse", "sev2", "SELECT 1 AS id");
    let refused = "alert hook: it answered 400; 1 alert kept, the next run tries again";
    let ran = night(&desk.home, 1);
    assert!(ran.err.contains(refused), "{}", ran.err);
    Sqlite::open(&desk.home.work().join("erp.db")).run("UPDATE asset SET owner = 'ada'");
    let ran = night(&desk.home, 2);
    assert!(ran.err.contains(refused), "{}", ran.err);
    let mut states = Vec::new();
    for _ in 0..3 {
        let event: Value = serde_json::from_str(&web.next().1).unwrap();
        states.push(event["changes"][0]["now"].clone());
    }
    assert_eq!(states, ["violated", "violated", "clear"]);
    assert_eq!(night(&desk.home, 3).err, "");
    let late = web.next().1;
    assert!(late.contains("\"check\":\"worse\"") && !late.contains("\"check\":\"bad\""), "{late}");
}

/// The last word that somebody gets is how it is.
#[test]
fn a_message_that_was_overtaken_is_not_told_after_the_one_that_overtook_it() {
    let web = Web::new(&[400, 400, 200, 200]);
    let desk = bad_desk(&format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", web.address));
    let ran = night(&desk.home, 1);
    assert!(ran.err.contains("1 alert kept"), "{}", ran.err);
    Sqlite::open(&desk.home.work().join("erp.db")).run("UPDATE asset SET owner = 'ada'");
    let ran = night(&desk.home, 2);
    let said = "it answered 400; 1 older message given up, because a later one arrived";
    assert!(ran.err.contains(said) && !ran.err.contains("kept"), "{}", ran.err);
    assert_eq!(night(&desk.home, 3).err, "");
    desk.check("worse", "sev2", "SELECT 1 AS id");
    night(&desk.home, 4);
    let mut told = Vec::new();
    for _ in 0..4 {
        let event: Value = serde_json::from_str(&web.next().1).unwrap();
        told.push(format!("{} {}", event["changes"][0]["check"], event["changes"][0]["now"]));
    }
    let bad = "\"bad\" \"violated\"";
    assert_eq!(told, [bad, bad, "\"bad\" \"clear\"", "\"worse\" \"violated\""]);
}

/// Names that differ only where a file name cannot, and one that is no file name at all.
#[test]
fn alerts_and_targets_with_odd_names_have_places_of_their_own() {
    const NAMES: [(&str, &str); 3] = [("a b", "erp"), ("a_b", "zoo"), ("..", "..")];
    let alerts = NAMES.map(|(alert, target)| {
        let told = format!("cat >> 'told{target}.json'; false");
        format!(
            "[alert.\"{alert}\"]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"{told}\"]\ntargets = [\"{target}\"]\n"
        )
    });
    let more = "[target.\"..\"]\nurl = \"sqlite://erp.db\"\nenvironment = \"staging\"\n";
    let desk = desk(&[("erp", "staging"), ("zoo", "staging")], &(alerts.concat() + more));
    desk.check("bad", "sev2", OWNERLESS);
    let ran = night(&desk.home, 1);
    assert_eq!(ran.err.matches("1 alert kept").count(), 3, "{}", ran.err);
    for (_, target) in NAMES {
        let told = fs::read_to_string(desk.home.work().join(format!("told{target}.json"))).unwrap();
        let is_theirs = |line: &str| line.contains(&format!("\"target\":\"{target}\""));
        assert!(told.lines().all(is_theirs), "{target}: {told}");
    }
    let report = run_at(&desk.home, "2026-11-21T02:00:00Z", &["report", "--format", "json"]);
    assert_eq!(report.lines()[0]["checks"].as_array().unwrap().len(), 3, "{}", report.out);
    let state = desk.home.path("state/steadyhand");
    let inside = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name());
    let mut inside: Vec<_> = inside.map(|name| name.into_string().unwrap()).collect();
    inside.sort();
    assert_eq!(inside, ["history", "locks", "outbox"]);
}
