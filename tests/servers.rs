//! The servers of the other tests and the wire to them: they start, they answer, they break where they
//! are told to, and nothing of them is left.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what fails here fails the test; a test that is to be killed tells by its output"
)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::proxy::{Fault, Moment, Proxy, Upstream};
use common::server::{Kind, Server, Setup, tls};
use rustix::process::{Pid, test_kill_process};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};

fn runs(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn starts_answers_and_is_gone(kind: Kind) {
    let server = Setup::new(kind).start();
    let url = server.database("shop");
    assert!(url.contains("/shop?"), "{url}");
    let mut client = server.client("shop");
    client.run("CREATE TABLE t (a INT, b VARCHAR(20)); INSERT INTO t VALUES (1, 'Zoë'), (2, NULL)");
    assert_eq!(client.rows("SELECT b, a FROM t ORDER BY a"), [["Zoë", "1"], ["NULL", "2"]]);
    assert!(client.try_run("INSERT INTO nowhere VALUES (1)").is_err());
    drop(client);
    let (pid, folder) = (server.pid(), server.folder().to_owned());
    assert!(runs(pid));
    drop(server);
    assert!(!runs(pid) && !folder.exists());
}

#[test]
fn postgres_starts_answers_and_is_gone() {
    starts_answers_and_is_gone(Kind::Postgres);
}

#[test]
fn mariadb_starts_answers_and_is_gone() {
    starts_answers_and_is_gone(Kind::Mariadb);
}

/// The same test is run by itself in another process, which is killed in the middle.
fn ends_with_a_killed_test(kind: Kind, name: &str) {
    const HOLD: &str = "STEADYHAND_TEST_HOLDS_A_SERVER";
    if std::env::var_os(HOLD).is_some() {
        let server = Setup::new(kind).start();
        println!("\nserver {} {}", server.pid(), server.folder().display());
        thread::park();
        return;
    }
    let mut other = Command::new(std::env::current_exe().expect("a test is a program"))
        .args(["--exact", name, "--nocapture"])
        .env(HOLD, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test can be run again");
    let lines = BufReader::new(other.stdout.take().expect("its output is a pipe")).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("server "));
    let line = line.expect("the other process starts a server");
    let mut words = line.split(' ').skip(1);
    let pid = words.next().and_then(|word| word.parse().ok()).expect("a process id");
    let folder = Path::new(words.next().expect("a folder"));
    assert!(runs(pid) && folder.exists());
    other.kill().expect("a child can be killed");
    other.wait().expect("a child can be waited for");
    let start = Instant::now();
    while runs(pid) || folder.exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "{line} is still there");
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn postgres_ends_with_a_killed_test() {
    ends_with_a_killed_test(Kind::Postgres, "postgres_ends_with_a_killed_test");
}

#[test]
fn mariadb_ends_with_a_killed_test() {
    ends_with_a_killed_test(Kind::Mariadb, "mariadb_ends_with_a_killed_test");
}

fn keeps_what_was_committed(kind: Kind) {
    let mut server = Setup::new(kind).durable().start();
    server.database("shop");
    server.run("shop", "CREATE TABLE t (a INT)");
    server.run("shop", "INSERT INTO t VALUES (7)");
    server.stop();
    assert!(server.try_client("admin", None, "shop").is_err());
    server.start();
    assert_eq!(server.client("shop").count("SELECT a FROM t"), 7);
}

#[test]
fn postgres_keeps_what_was_committed() {
    keeps_what_was_committed(Kind::Postgres);
}

#[test]
fn mariadb_keeps_what_was_committed() {
    keeps_what_was_committed(Kind::Mariadb);
}

fn asks_for_the_password_of_a_role(kind: Kind) {
    let server = Setup::new(kind).start();
    let database = server.home_database();
    server.role("casey", Some("correct horse"));
    server.role("robin", None);
    if kind == Kind::Mariadb {
        server.run(database, "GRANT SELECT ON mysql.* TO casey@'%', robin@'%'");
    }
    assert!(server.try_client("casey", Some("correct horse"), database).is_ok());
    assert!(server.try_client("casey", Some("wrong"), database).is_err());
    assert!(server.try_client("casey", None, database).is_err());
    let mut robin = server.try_client("robin", None, database).expect("no password is asked for");
    assert!(robin.try_run("CREATE DATABASE mine").is_err());
}

#[test]
fn postgres_asks_for_the_password_of_a_role() {
    asks_for_the_password_of_a_role(Kind::Postgres);
}

#[test]
fn mariadb_asks_for_the_password_of_a_role() {
    asks_for_the_password_of_a_role(Kind::Mariadb);
}

/// Whether a client that insists on the name and the authority gets in.
fn verified(server: &Server, host: &str, ca: &Path) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match server.kind() {
            Kind::Postgres => {
                let options = PgConnectOptions::new_without_pgpass()
                    .host(host)
                    .port(server.port())
                    .username("admin")
                    .database("postgres")
                    .ssl_mode(PgSslMode::VerifyFull)
                    .ssl_root_cert(ca);
                match options.connect().await {
                    Ok(wire) => wire.close().await.is_ok(),
                    Err(_) => false,
                }
            }
            Kind::Mariadb => {
                let options = MySqlConnectOptions::new()
                    .host(host)
                    .port(server.port())
                    .username("admin")
                    .ssl_mode(MySqlSslMode::VerifyIdentity)
                    .ssl_ca(ca);
                match options.connect().await {
                    Ok(wire) => wire.close().await.is_ok(),
                    Err(_) => false,
                }
            }
        }
    })
}

fn proves_who_it_is(kind: Kind) {
    let server = Setup::new(kind).tls(&["localhost"]).start();
    assert!(verified(&server, "localhost", server.ca()));
    assert!(!verified(&server, "127.0.0.1", server.ca()), "the certificate has another name");
    assert!(!verified(&server, "localhost", &tls::stranger(server.folder())));
}

#[test]
fn postgres_proves_who_it_is() {
    proves_who_it_is(Kind::Postgres);
}

#[test]
fn mariadb_proves_who_it_is() {
    proves_who_it_is(Kind::Mariadb);
}

/// A program that answers `ok` to every line, and what it got, once the wire is cut.
fn parrot(folder: &Path) -> (Upstream, thread::JoinHandle<String>) {
    let path = folder.join("parrot");
    let listener = UnixListener::bind(&path).expect("the folder is writable");
    let heard = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody calls");
        let mut heard = String::new();
        let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
        while reader.read_line(&mut heard).is_ok_and(|length| length > 0) {
            if heard.ends_with('\n') {
                let _ = (&stream).write_all(b"ok\n");
            }
        }
        heard
    });
    (Upstream::Unix(path), heard)
}

/// Says `BEGIN` and `COMMIT` through a wire with this fault; what either side got.
fn cut(fault: Fault) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (upstream, heard) = parrot(folder.path());
    let proxy = Proxy::before(upstream);
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    let mut answer = [0; 3];
    stream.write_all(b"BEGIN\n").unwrap();
    stream.read_exact(&mut answer).unwrap();
    proxy.arm(fault);
    stream.write_all(b"do it; COM").unwrap();
    let mut rest = String::new();
    let _ = stream.write_all(b"MIT\n");
    proxy.wait();
    let _ = stream.read_to_string(&mut rest);
    (heard.join().unwrap(), rest)
}

#[test]
fn the_wire_is_cut_where_it_was_told() {
    let at = |moment| cut(Fault::CutAt(b"COMMIT\n".to_vec(), moment));
    let (heard, answer) = at(Moment::Held);
    assert!(!heard.contains("MIT") && answer.is_empty(), "{heard:?} {answer:?}");
    assert_eq!(at(Moment::Sent).0, "BEGIN\ndo it; COMMIT\n");
    assert_eq!(at(Moment::Answered), ("BEGIN\ndo it; COMMIT\n".into(), String::new()));
    assert_eq!(cut(Fault::CutAfter(11)).0, "BEGIN\ndo it");
    let (heard, _) = cut(Fault::CutAt(b"do it".to_vec(), Moment::Part(3)));
    assert_eq!(heard, "BEGIN\ndo ");
}

#[test]
fn a_commit_whose_answer_is_lost_has_happened() {
    for kind in [Kind::Postgres, Kind::Mariadb] {
        for (moment, rows) in [(Moment::Held, 0), (Moment::Answered, 1)] {
            let server = Setup::new(kind).tcp().start();
            server.database("shop");
            server.run("shop", "CREATE TABLE t (a INT)");
            let proxy = Proxy::before(Upstream::Tcp(server.port()));
            let mut client = client_by_tcp(kind, proxy.port());
            client.run("BEGIN");
            client.run("INSERT INTO t VALUES (1)");
            proxy.arm(Fault::CutAt(b"COMMIT".to_vec(), moment));
            assert!(client.try_run("COMMIT").is_err());
            proxy.wait();
            let mut second = server.client("shop");
            assert_eq!(second.count("SELECT COUNT(*) FROM t"), rows, "{kind:?} {moment:?}");
            // One fault is one fault: the next connection passes, unless it is refused.
            assert_eq!(client_by_tcp(kind, proxy.port()).count("SELECT COUNT(*) FROM t"), rows);
            proxy.refuse(true);
            assert!(common::server::Client::by_tcp(kind, proxy.port(), "admin", "shop").is_err());
        }
    }
}

fn client_by_tcp(kind: Kind, port: u16) -> common::server::Client {
    common::server::Client::by_tcp(kind, port, "admin", "shop").expect("the wire passes")
}

#[test]
fn a_stalled_wire_stays_open_and_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (upstream, heard) = parrot(folder.path());
    let proxy = Proxy::before(upstream);
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    proxy.delay(Duration::from_millis(30));
    let start = Instant::now();
    let mut answer = [0; 3];
    stream.write_all(b"hello\n").unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(30));
    proxy.arm(Fault::StallAt(b"COMMIT".to_vec(), Moment::Answered));
    stream.write_all(b"COMMIT\n").unwrap();
    proxy.wait();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = stream.read(&mut answer).unwrap_err();
    assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
    proxy.cut();
    assert_eq!(heard.join().unwrap(), "hello\nCOMMIT\n");
}
