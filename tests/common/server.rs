//! A database server of one's own: started for one test, on a socket in a temporary folder, and gone
//! with the test whatever becomes of it.
//!
//! Every test has a server to itself, so it may stop it, fill it or change its settings. That is cheap
//! because a prepared data folder is copied (`install`): a fraction of a second for either engine. A
//! shell beside the server waits for the end of a pipe that the test process holds; when that process
//! ends, in whatever way, it ends the server and takes the folder away.

mod client;
mod install;
pub mod tls;

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub use client::Client;
use install::Owner;
use tempfile::TempDir;

/// How long a server may take to answer before it counts as broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who may do everything, without a password.
pub const ADMIN: &str = "admin";

/// Runs the server ("$@"), ends it at the end of standard input, and removes the folder unless it is
/// to be kept for another start.
const SUPERVISOR: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ read -r word; kill -"$SIGNAL" $server; } <&3 & watch=$!
wait $server
kill $watch 2>/dev/null
[ -e "$FOLDER/keep" ] || rm -rf "$FOLDER"
"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    Mariadb,
}

/// `server::postgres()`: on a socket, without TLS.
pub fn postgres() -> Server {
    Setup::new(Kind::Postgres).start()
}

/// `server::mariadb()`: on a socket, without TLS.
pub fn mariadb() -> Server {
    Setup::new(Kind::Mariadb).start()
}

/// What a server shall be beyond the usual.
pub struct Setup {
    kind: Kind,
    tcp: bool,
    tls: Vec<String>,
    durable: bool,
    settings: Vec<(String, String)>,
}

impl Setup {
    pub fn new(kind: Kind) -> Self {
        Self { kind, tcp: false, tls: Vec::new(), durable: false, settings: Vec::new() }
    }

    /// Listens on a free port of 127.0.0.1 as well.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Listens with a certificate for these names, by an authority of its own: [`Server::ca`].
    #[must_use]
    pub fn tls(mut self, names: &[&str]) -> Self {
        self.tls = names.iter().map(|name| (*name).to_owned()).collect();
        self.tcp()
    }

    /// Writes through to the disk, as a server in earnest does.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// A setting of the server, under the server's own name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn start(self) -> Server {
        let owner = Owner::find();
        let folder = tempfile::Builder::new()
            .prefix("steadyhand-server-")
            .tempdir_in(if self.durable { std::env::temp_dir() } else { in_memory() })
            .expect("a temporary folder can be made");
        install::data_folder(self.kind, &owner, &folder.path().join("data"));
        let ca = (!self.tls.is_empty()).then(|| tls::certify(&self.tls, folder.path()));
        owner.give(folder.path());
        let port = self.tcp.then(free_port);
        let mut server =
            Server { setup: self, owner, folder: Some(folder), ca, port, running: None };
        server.start();
        server
    }
}

pub struct Server {
    setup: Setup,
    owner: Owner,
    folder: Option<TempDir>,
    ca: Option<PathBuf>,
    port: Option<u16>,
    running: Option<(Child, ChildStdin)>,
}

impl Server {
    pub fn kind(&self) -> Kind {
        self.setup.kind
    }

    /// Makes a database and gives its url for [`ADMIN`].
    pub fn database(&self, name: &str) -> String {
        self.run(self.home_database(), &format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    /// The url of a database for [`ADMIN`], by the socket.
    pub fn url(&self, database: &str) -> String {
        self.url_as(ADMIN, database)
    }

    pub fn url_as(&self, role: &str, database: &str) -> String {
        match self.setup.kind {
            Kind::Postgres => {
                let folder = self.folder().display();
                match self.port {
                    // PostgreSQL names its socket after its port.
                    Some(port) => {
                        format!("postgres://{role}@/{database}?host={folder}&port={port}")
                    }
                    None => format!("postgres://{role}@/{database}?host={folder}"),
                }
            }
            Kind::Mariadb => {
                format!("mariadb://{role}@localhost/{database}?socket={}", self.socket().display())
            }
        }
    }

    /// The url of a database by TCP, also through a proxy in front of it.
    pub fn tcp_url(&self, role: &str, host: &str, port: u16, database: &str) -> String {
        let scheme = match self.setup.kind {
            Kind::Postgres => "postgres",
            Kind::Mariadb => "mariadb",
        };
        format!("{scheme}://{role}@{host}:{port}/{database}")
    }

    pub fn port(&self) -> u16 {
        self.port.expect("the server was set up with tcp() or tls()")
    }

    /// The certificate of the authority that vouches for this server.
    pub fn ca(&self) -> &Path {
        self.ca.as_deref().expect("the server was set up with tls()")
    }

    pub fn socket(&self) -> PathBuf {
        match self.setup.kind {
            Kind::Postgres => self.folder().join(format!(".s.PGSQL.{}", self.port.unwrap_or(5432))),
            Kind::Mariadb => self.folder().join("socket"),
        }
    }

    /// A role that may log in and nothing else; without a password it needs none.
    pub fn role(&self, name: &str, password: Option<&str>) {
        let sql = match (self.setup.kind, password) {
            (Kind::Postgres, Some(password)) => {
                format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'")
            }
            (Kind::Postgres, None) => format!("CREATE ROLE {name} LOGIN IN ROLE passwordless"),
            (Kind::Mariadb, Some(password)) => {
                format!("CREATE USER {name}@'%' IDENTIFIED BY '{password}'")
            }
            (Kind::Mariadb, None) => format!("CREATE USER {name}@'%'"),
        };
        self.run(self.home_database(), &sql);
    }

    /// A connection of [`ADMIN`] that stays.
    pub fn client(&self, database: &str) -> Client {
        self.try_client(ADMIN, None, database).expect("the server lets its administrator in")
    }

    /// A connection of anybody.
    pub fn try_client(
        &self,
        role: &str,
        password: Option<&str>,
        database: &str,
    ) -> Result<Client, sqlx::Error> {
        let place = self.socket();
        Client::open(self.setup.kind, &place, role, password, database)
    }

    /// Runs a script as [`ADMIN`] on a connection of its own; gives the number of changed rows.
    pub fn run(&self, database: &str, sql: &str) -> u64 {
        self.client(database).run(sql)
    }

    /// What the engine's own client said to a script: whether it went through, and everything on both of its
    /// outputs.
    pub fn client_says(&self, database: &str, sql: &str) -> (bool, String) {
        let socket = self.socket();
        let mut command = match self.kind() {
            Kind::Postgres => {
                let mut psql = Command::new("psql");
                psql.args(["-X", "-v", "ON_ERROR_STOP=1", "-U", ADMIN, "-d", database, "-h"]);
                psql.arg(socket.parent().expect("a socket lies in a folder"));
                psql
            }
            Kind::Mariadb => {
                let mut mariadb = Command::new("mariadb");
                mariadb
                    .args(["--no-defaults", "--table", "-u", ADMIN, "-D", database, "-S"])
                    .arg(socket);
                mariadb
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the engine's client comes with its server");
        let mut input = child.stdin.take().expect("it was asked for");
        let sql = sql.to_owned();
        let writer = thread::spawn(move || {
            // A client that stops at an error reads no further.
            let _ = input.write_all(sql.as_bytes());
        });
        let output = child.wait_with_output().expect("it ends");
        writer.join().expect("it only writes");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The database that is always there.
    pub fn home_database(&self) -> &'static str {
        match self.setup.kind {
            Kind::Postgres => "postgres",
            Kind::Mariadb => "mysql",
        }
    }

    /// Ends the server as a power cut does, and keeps its data for [`Server::start`].
    pub fn stop(&mut self) {
        fs::write(self.folder().join("keep"), "").expect("the server's folder is writable");
        self.end();
    }

    /// Starts the server again; at the same port, if it has one.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "the server runs already");
        let _ = fs::remove_file(self.folder().join("keep"));
        // What a killed server leaves.
        let _ = fs::remove_file(self.folder().join("data/postmaster.pid"));
        let log = fs::File::create(self.folder().join("log")).expect("the folder is writable");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SUPERVISOR, "sh"]).arg(install::program(self.setup.kind));
        command.args(self.arguments());
        command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
        command.env("FOLDER", self.folder()).env("TZ", "UTC").env("LC_ALL", "C");
        command.env("SIGNAL", self.signal()).current_dir(self.folder());
        command.stdin(Stdio::piped()).stdout(log.try_clone().expect("a file")).stderr(log);
        // Out of reach of a signal to the whole group, as a test runner sends it.
        command.process_group(0);
        self.owner.run_as(&mut command);
        let mut child = command.spawn().expect("a shell can be started");
        let pipe = child.stdin.take().expect("standard input is a pipe");
        self.running = Some((child, pipe));
        self.wait_until_it_answers();
    }

    /// Becomes what a physical copy of a `PostgreSQL` is that was promoted: the same identifier, and a
    /// timeline of its own.
    pub fn take_over(&mut self) {
        // A server that does not write through would lose what it was just given.
        self.run(self.home_database(), "CHECKPOINT");
        self.stop();
        let signal = self.folder().join("data/standby.signal");
        fs::write(&signal, "").expect("the data folder is writable");
        self.owner.give(&self.folder().join("data"));
        self.start();
        let promoted = self.client(self.home_database()).rows("SELECT pg_promote()");
        assert_eq!(promoted, [["t"]]);
    }

    /// A second `PostgreSQL` that follows this one.
    pub fn standby(&self) -> Self {
        let hba = self.folder().join("data/pg_hba.conf");
        let rules = fs::read_to_string(&hba).expect("the rules can be read");
        fs::write(&hba, format!("local replication admin trust\n{rules}"))
            .expect("the data folder is writable");
        self.run("postgres", "SELECT pg_reload_conf()");
        let mut setup = Setup::new(Kind::Postgres);
        setup.settings.clone_from(&self.setup.settings);
        let mut standby = setup.start();
        standby.stop();
        let script = "owner=$(stat -c %u:%g data); rm -rf data; \
             pg_basebackup -h \"$PRIMARY\" -U admin -D data -R -X stream -c fast; chown -R $owner data";
        let ran = Command::new("sh")
            .args(["-ec", script])
            .current_dir(standby.folder())
            .env("PRIMARY", self.folder())
            .output()
            .expect("sh runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        standby.start();
        standby
    }

    fn wait_until_it_answers(&mut self) {
        let start = Instant::now();
        loop {
            let Err(error) = self.try_client(ADMIN, None, self.home_database()) else { return };
            let (child, _) = self.running.as_mut().expect("it was started");
            let ended = child.try_wait().expect("a child can be asked").is_some();
            if ended || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder().join("log")).unwrap_or_default();
                let log: Vec<&str> = log.lines().take(60).collect();
                let log = log.join("\n");
                panic!("the server does not answer: {error}\n{log}");
            }
            thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The process id of the server itself.
    pub fn pid(&self) -> i32 {
        let file = match self.setup.kind {
            Kind::Postgres => "data/postmaster.pid",
            Kind::Mariadb => "pid",
        };
        let text = fs::read_to_string(self.folder().join(file)).expect("a server writes its id");
        let first = text.lines().next().expect("the id is the first line");
        first.trim().parse().expect("an id is a number")
    }

    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("the folder is there until the drop").path()
    }

    fn signal(&self) -> &'static str {
        match self.setup.kind {
            // PostgreSQL's own way to end at once: it takes its shared memory away with it.
            Kind::Postgres => "QUIT",
            Kind::Mariadb => "KILL",
        }
    }

    fn arguments(&self) -> Vec<String> {
        let at = |inside: &str| self.folder().join(inside).display().to_string();
        let setup = &self.setup;
        let mut settings: Vec<(String, String)> = Vec::new();
        let mut set = |name: &str, value: &str| settings.push((name.into(), value.into()));
        let mut arguments = Vec::new();
        match setup.kind {
            Kind::Postgres => {
                arguments.extend(["-D".to_owned(), at("data")]);
                set("unix_socket_directories", &at(""));
                set("listen_addresses", if self.port.is_some() { "127.0.0.1" } else { "" });
                set("hba_file", &at("data/pg_hba.conf"));
                set("shared_buffers", "32MB");
                set("autovacuum", "off");
                set("TimeZone", "UTC");
                if !setup.durable {
                    set("fsync", "off");
                    set("synchronous_commit", "off");
                    set("full_page_writes", "off");
                }
                if self.ca.is_some() {
                    set("ssl", "on");
                    set("ssl_cert_file", &at(tls::CERTIFICATE));
                    set("ssl_key_file", &at(tls::KEY));
                }
            }
            Kind::Mariadb => {
                arguments.extend(install::MARIADB.map(str::to_owned));
                set("datadir", &at("data"));
                set("socket", &at("socket"));
                set("pid-file", &at("pid"));
                set("tmpdir", &at(""));
                set("init-file", &at("data/init.sql"));
                set("default-time-zone", "+00:00");
                match self.port {
                    Some(port) => {
                        set("bind-address", "127.0.0.1");
                        set("port", &port.to_string());
                    }
                    None => set("skip-networking", "1"),
                }
                if !setup.durable {
                    set("innodb-flush-log-at-trx-commit", "0");
                    set("innodb-doublewrite", "0");
                }
                if self.ca.is_some() {
                    set("ssl-cert", &at(tls::CERTIFICATE));
                    set("ssl-key", &at(tls::KEY));
                }
            }
        }
        settings.extend(setup.settings.iter().cloned());
        let setting = |(name, value): (String, String)| match setup.kind {
            Kind::Postgres => vec!["-c".to_owned(), format!("{name}={value}")],
            Kind::Mariadb => vec![format!("--{name}={value}")],
        };
        arguments.extend(settings.into_iter().flat_map(setting));
        if let (Kind::Postgres, Some(port)) = (setup.kind, self.port) {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        arguments
    }

    fn end(&mut self) {
        if let Some((mut child, mut pipe)) = self.running.take() {
            let _ = pipe.write_all(b"end\n");
            drop(pipe);
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        // The shell has removed it, unless the server was stopped before.
        if let Some(folder) = self.folder.take() {
            let _ = folder.close();
        }
    }
}

/// Where a server that need not outlive a power cut lies: copying a thousand files into memory takes a
/// tenth of the time. On the disk where there is no such place, or no room in it.
fn in_memory() -> PathBuf {
    const ROOM: u64 = 4 << 30;
    let memory = Path::new("/dev/shm");
    match rustix::fs::statvfs(memory) {
        Ok(found) if found.f_bavail * found.f_frsize > ROOM => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("127.0.0.1 has a free port");
    listener.local_addr().expect("a listener has an address").port()
}
