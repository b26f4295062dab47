use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::config::{Environment, TargetUrl};

/// A machine of its own: a root, a home in it, and variables.
struct Machine {
    folder: tempfile::TempDir,
    variables: BTreeMap<&'static str, String>,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let uid = rustix::process::geteuid().as_raw();
        let machine = Self { folder, variables: BTreeMap::new() };
        machine.file("etc/passwd", 0o644, &format!("x:x:99999:1::/:/\nonduty:x:{uid}:1::/:/\n"));
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn file(&self, path: &str, mode: u32, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }

    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.insert(name, value.into());
    }

    fn target(&self, target: &Target) -> Result<Access, Problem> {
        let home = self.path("home");
        let env = |name: &str| self.variables.get(name).cloned();
        decide(target, &Place { env: &env, home: Some(&home), root: self.folder.path() }, Ask::Now)
    }

    fn open(&self, url: &str) -> Access {
        self.try_open(url).unwrap_or_else(|problem| panic!("{url}: {problem}"))
    }

    fn try_open(&self, url: &str) -> Result<Access, Problem> {
        let url = TargetUrl::parse(url, Path::new("")).expect("a url");
        self.target(&Target::new("erp", url, Environment::Staging))
    }

    /// What the operator reads, without the part of a path that changes from run to run.
    fn refusal(&self, url: &str) -> String {
        let problem = self.try_open(url).expect_err(url);
        problem.to_string().replace(&self.folder.path().display().to_string(), "")
    }

    fn from(&self, access: &Access, key: &str) -> String {
        let found = access.origins.iter().find(|(name, _)| *name == key);
        let (_, from) = found.unwrap_or_else(|| panic!("{key} in {:?}", access.origins));
        from.replace(&self.folder.path().display().to_string(), "")
    }
}

fn password(access: &Access) -> Option<&str> {
    access.password.as_ref().map(secrecy::ExposeSecret::expose_secret)
}

fn tcp(name: &str) -> Host {
    Host::Tcp(name.to_owned())
}

// -------------------------------------------------------------------------------------- PostgreSQL

#[test]
fn a_url_without_a_host_is_the_local_socket_and_the_user_of_the_system() {
    let machine = Machine::new();
    let access = machine.open("postgres:///erp");
    assert_eq!(access.host, Host::Socket(machine.path("run/postgresql")));
    assert_eq!((access.port, &*access.user, &*access.database), (5432, "onduty", "erp"));
    assert_eq!((access.tls.mode, password(&access)), (TlsMode::Disable, None));
    assert_eq!(machine.from(&access, "user"), "the user of this system");
    assert_eq!(machine.from(&access, "password"), "nowhere: there is no /home/.pgpass");
    machine.file("tmp/.s.PGSQL.5433", 0o600, "");
    let access = machine.open("postgres://:5433/erp");
    assert_eq!(access.host, Host::Socket(machine.path("tmp")), "the folder where the socket is");
    for url in ["postgres:///erp?host=/srv/pg", "postgres://%2Fsrv%2Fpg/erp"] {
        assert_eq!(machine.open(url).host, Host::Socket("/srv/pg".into()), "{url}");
    }
}

#[test]
fn the_url_wins_over_the_service_and_the_service_over_the_variables() {
    let mut machine = Machine::new();
    machine.file(
        "home/.pg_service.conf",
        0o600,
        "# ours\n[lab]\nhost=lab\n[erp]\nhost=db.internal\nport=5433\nuser=keeper\ndbname=erp\nsslmode=disable\napplication_name=x\npassword=from service\n[last]\n",
    );
    for (name, value) in [
        ("PGHOST", "elsewhere"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "from variable"),
        ("PGCONNECT_TIMEOUT", "3"),
    ] {
        machine.set(name, value);
    }
    let access = machine.open("postgres://ops@/?service=erp&port=5444");
    assert_eq!((&access.host, access.port), (&tcp("db.internal"), 5444));
    assert_eq!((&*access.user, &*access.database), ("ops", "erp"));
    assert_eq!(access.tls.mode, TlsMode::Disable);
    assert_eq!(password(&access), Some("from service"));
    assert_eq!(access.connect_timeout, Duration::from_secs(3));
    for (key, from) in [
        ("host", "/home/.pg_service.conf:5"),
        ("port", "the url"),
        ("user", "the url"),
        ("password", "/home/.pg_service.conf:11"),
        ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ] {
        assert_eq!(machine.from(&access, key), from, "{key}");
    }
    let access = machine.open("postgres:///erp");
    assert_eq!((&access.host, &*access.user), (&tcp("elsewhere"), "nobody"));
    assert_eq!(password(&access), Some("from variable"));
    machine.set("PGSERVICE", "lab");
    assert_eq!(machine.open("postgres:///erp").host, tcp("lab"));
}

#[test]
fn a_service_is_looked_for_at_home_and_then_in_the_system() {
    let mut machine = Machine::new();
    machine.file("etc/postgresql-common/pg_service.conf", 0o644, "[common]\nhost=common\n");
    machine.file("home/.pg_service.conf", 0o600, "[own]\nhost=own\n");
    assert_eq!(machine.open("postgres:///d?service=common").host, tcp("common"));
    assert_eq!(
        machine.refusal("postgres:///d?service=comon"),
        "There is no service \"comon\", which is named by the url.\n  did you mean \"common\"?"
    );
    machine.file("sys/pg_service.conf", 0o644, "[theirs]\nhost=theirs\n");
    machine.set("PGSYSCONFDIR", machine.path("sys").display().to_string());
    assert_eq!(machine.open("postgres:///d?service=theirs").host, tcp("theirs"));
    let file = machine.file("other.conf", 0o600, "[s]\nhosst=x\n[t]\nword\n[u]\nport=99999\n");
    machine.set("PGSERVICEFILE", file.display().to_string());
    assert_eq!(
        machine.refusal("postgres:///d?service=s"),
        "/other.conf:2: there is no option \"hosst\".\n  did you mean host, without spaces around the =?"
    );
    assert!(machine.refusal("postgres:///d?service=t").starts_with("/other.conf:4: "));
    assert_eq!(
        machine.refusal("postgres:///d?service=u"),
        "/other.conf:6: \"99999\" is no port.\n  a port is a number from 1 to 65535"
    );
}

#[test]
fn the_password_file_is_read_as_libpq_reads_it() {
    let mut machine = Machine::new();
    let file = "# host:port:database:user:password\n\
                db:5432:erp:other:no\n\
                db:*:erp:a\\:b\\\\c:colon\\:and\\\\slash\n\
                localhost:5432:*:onduty:socket\n\
                /srv/pg:*:*:*:own folder\n\
                \\*:*:*:*:no\n\
                *:*:*:*:last:ignored\n";
    let path = machine.file("home/.pgpass", 0o600, file);
    let access = machine.open("postgres://a%3Ab%5Cc@db/erp");
    assert_eq!(password(&access), Some("colon:and\\slash"));
    assert_eq!(machine.from(&access, "password"), "/home/.pgpass:3");
    assert_eq!(password(&machine.open("postgres:///any")), Some("socket"));
    assert_eq!(password(&machine.open("postgres:///any?host=/srv/pg")), Some("own folder"));
    assert_eq!(password(&machine.open("postgres://h/any")), Some("last"));
    // The variable names another file.
    machine.set("PGPASSFILE", machine.file("pw", 0o600, "h:1:x:y:z\n").display().to_string());
    let access = machine.open("postgres://h/any");
    assert_eq!(password(&access), None);
    assert_eq!(machine.from(&access, "password"), "nowhere: no line of /pw matches");
    // What has not its form is passed over, and named where nothing else matches.
    let pw = machine.file("pw", 0o600, "\n  \nh:1:secret\n");
    let access = machine.open("postgres://h/any");
    assert_eq!(
        machine.from(&access, "password"),
        "nowhere: no line of /pw matches, and /pw:3 is not host:port:database:user:password"
    );
    fs::write(&pw, b"half line\nh:*:*:*:caf\xe9\nh:*:*:*:good\r\n").expect("a file");
    assert_eq!(password(&machine.open("postgres://h/any")), Some("good"));
    machine.variables.clear();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
    assert_eq!(
        machine.refusal("postgres://h/any"),
        "The password file, /home/.pgpass, can be read by others (mode 0640), so it is not used.\n  chmod 600 /home/.pgpass"
    );
}

#[test]
fn encryption_is_never_less_than_what_was_asked() {
    let mut machine = Machine::new();
    let mode = |machine: &Machine, url: &str| machine.open(url).tls.mode;
    assert_eq!(mode(&machine, "postgres://h/d"), TlsMode::Prefer);
    assert_eq!(mode(&machine, "postgres://h/d?sslmode=require"), TlsMode::Require);
    assert_eq!(mode(&machine, "postgres://h/d?sslmode=verify-full"), TlsMode::VerifyFull);
    assert_eq!(mode(&machine, "postgres://h/d?sslrootcert=system"), TlsMode::VerifyFull);
    assert_eq!(
        machine.refusal("postgres://h/d?sslmode=verify"),
        "the url: sslmode cannot be \"verify\".\n  did you mean verify-ca?"
    );
    for url in [
        "postgres://h/d?sslmode=verify-ca",
        "postgres://h/d?sslmode=require&sslrootcert=system",
        "postgres://h/d?sslmode=verify-full&sslrootcert=/nowhere",
        "postgres://h/d?channel_binding=require",
        "postgres://h/d?gssencmode=require",
        "postgres://h/d?ssl_min_protocol_version=TLSv1.3",
    ] {
        assert!(machine.try_open(url).is_err(), "{url}");
    }
    // A file in its usual place counts as it does for libpq.
    let ca = machine.file("home/.postgresql/root.crt", 0o644, "");
    let access = machine.open("postgres://h/d?sslmode=require");
    assert_eq!((access.tls.mode, access.tls.ca), (TlsMode::VerifyCa, Some(ca)));
    machine.file("home/.postgresql/postgresql.crt", 0o644, "");
    assert!(machine.refusal("postgres://h/d").contains("one is missing"));
    let key = machine.file("home/.postgresql/postgresql.key", 0o604, "");
    assert!(
        machine.refusal("postgres://h/d").ends_with("chmod 600 /home/.postgresql/postgresql.key")
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    assert_eq!(machine.open("postgres://h/d").tls.key, Some(key));
    machine.set("PGREQUIREAUTH", "scram-sha-256");
    assert!(
        machine.refusal("postgres://h/d").starts_with("PGREQUIREAUTH says `require_auth`, but")
    );
}

#[test]
fn settings_of_the_session_are_passed_on_by_name() {
    let mut machine = Machine::new();
    machine.set("PGOPTIONS", "-c geqo=off -csearch_path=a,\\ b --work-mem=4MB");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        machine.open("postgres://h/d").options,
        [pair("geqo", "off"), pair("search_path", "a, b"), pair("work_mem", "4MB")]
    );
    let url = "postgres://h/d?options=-c%20geqo%3Don&search_path=erp";
    // The driver would send those of the variable as well, and these would hold besides.
    assert_eq!(
        machine.refusal(url),
        "PGOPTIONS says `options`, and so does the url, which counts more; nothing was connected.\n  \
         unset PGOPTIONS: the server would be told both"
    );
    machine.variables.clear();
    assert_eq!(machine.open(url).options, [pair("geqo", "on"), pair("search_path", "erp")]);
    for options in ["-d%205", "-c%20geqo", "-c%20session_replication_role%3Dreplica"] {
        assert!(
            machine.try_open(&format!("postgres://h/d?options={options}")).is_err(),
            "{options}"
        );
    }
}

#[test]
fn a_connection_that_is_to_write_nothing_is_known_by_its_options() {
    let machine = Machine::new();
    machine.file(
        "home/.pg_service.conf",
        0o600,
        "[erp]\nhost=h\noptions=-c default_transaction_read_only=true\n",
    );
    let fenced = |options: &str| {
        let access = machine.open(&format!("postgres://u@h/d?options={options}"));
        access.read_only().map(|(name, from)| format!("{name}: {from}"))
    };
    assert_eq!(
        fenced("-c%20default_transaction_read_only%3Don").as_deref(),
        Some("default_transaction_read_only: the url")
    );
    assert_eq!(
        fenced("--transaction-read-only%3D1").as_deref(),
        Some("transaction_read_only: the url")
    );
    for none in [
        "-c%20geqo%3Don",
        "-c%20default_transaction_read_only%3DOFF",
        "-cdefault_transaction_read_only%3Don%20-cdefault_transaction_read_only%3Doff",
    ] {
        assert_eq!(fenced(none), None, "{none}");
    }
    let access = machine.open("postgres:///d?service=erp");
    let from = access.read_only().expect("the service says it").1;
    assert!(from.ends_with("/home/.pg_service.conf:3"), "{from}");
}

#[test]
fn options_that_mean_nothing_or_something_else_are_refused() {
    let machine = Machine::new();
    assert_eq!(
        machine.refusal("postgres://h/d?sslmod=require"),
        "The url has an option \"sslmod\" that means nothing.\n  did you mean `sslmode`?"
    );
    assert_eq!(
        machine.refusal("postgres://h/d?application_name=x"),
        "The url says `application_name`, but sessions are always called steadyhand, so that they can be told apart and ended.\n  delete it from the url"
    );
    for url in [
        "postgres://a,b/d",
        "postgres://h/d?host=g",
        "postgres://h/d?port=1&port=2",
        "postgres://h/d?hostaddr=10.0.0.1",
        "postgres://h/d?target_session_attrs=read-write",
        "postgres://%ff/d",
        "postgres://h/d?connect_timeout=soon",
        "mysql://h/d?ssl-mod=REQUIRED",
        "mysql://h/d?sslmode=require",
        "mysql://h/d?init-command=x",
        "mysql://h/d?ssl-crl=x",
        "oracle://u@h/d?x=y",
        "oracle:///d",
    ] {
        assert!(machine.try_open(url).is_err(), "{url}");
    }
}

// ------------------------------------------------------------------------------ MySQL and MariaDB

#[test]
fn option_files_are_read_in_order_and_the_later_line_wins() {
    let mut machine = Machine::new();
    let root = machine.folder.path().display().to_string();
    machine.file("etc/my.cnf", 0o644, "[mysqld]\nport=1\n[client]\nport = 3310\nuser=etc\n");
    machine.file("etc/mysql/conf.d/b.cnf", 0o644, "[client]\nuser=b\n");
    machine.file("etc/mysql/conf.d/a.cnf", 0o644, "[client]\nuser=a\nhost=a\n");
    machine.file("etc/mysql/conf.d/not.txt", 0o644, "[client]\nuser=not\n");
    machine.file("more", 0o644, "[client-mariadb]\nhost = maria # of the cluster\n");
    machine.file(
        "etc/mysql/my.cnf",
        0o644,
        &format!("!includedir {root}/etc/mysql/conf.d\n!include {root}/more\n"),
    );
    machine.file(
        "home/.my.cnf",
        0o600,
        "; mine\n[client]\nloose_password=\"it's # \\\"so\\\"\"\nprompt=x\n[client_test]\nuser=tester\n",
    );
    let access = machine.open("mysql:///erp");
    assert_eq!((&access.host, access.port, &*access.user), (&tcp("a"), 3310, "b"));
    assert_eq!(password(&access), Some("it's # \"so\""));
    assert_eq!(machine.from(&access, "user"), "/etc/mysql/conf.d/b.cnf:2");
    assert_eq!(machine.from(&access, "password"), "/home/.my.cnf:3");
    // The groups of the other engine are not ours.
    assert_eq!(machine.open("mariadb:///erp").host, tcp("maria"));
    assert_eq!(machine.open("mysql:///erp?defaults-group-suffix=_test").user, "tester");
    machine.set("MYSQL_GROUP_SUFFIX", "_test");
    assert_eq!(machine.open("mysql:///erp").user, "tester");
    assert_eq!(machine.open("mysql://url@h/erp").user, "url");
    let only = machine.file("only.cnf", 0o600, "[client]\nuser=only\n");
    let access = machine.open(&format!("mysql://h/erp?defaults-file={}", only.display()));
    assert_eq!((&*access.user, access.port, password(&access)), ("only", 3306, None));
}

#[test]
fn variables_of_mysql_count_less_than_files() {
    let mut machine = Machine::new();
    for (name, value) in [
        ("MYSQL_HOST", "v"),
        ("MYSQL_TCP_PORT", "3333"),
        ("MYSQL_PWD", "from variable"),
        ("MYSQL_UNIX_PORT", "/v.sock"),
    ] {
        machine.set(name, value);
    }
    let access = machine.open("mysql:///erp");
    assert_eq!((&access.host, access.port), (&tcp("v"), 3333));
    assert_eq!(password(&access), Some("from variable"));
    assert_eq!(machine.open("mysql://localhost/erp").host, Host::Socket("/v.sock".into()));
    assert_eq!(machine.open("mysql://localhost:3307/erp").host, tcp("localhost"));
    machine.file("home/.my.cnf", 0o600, "[client]\nhost=f\npassword=from file\n");
    let access = machine.open("mysql:///erp");
    assert_eq!((&access.host, password(&access)), (&tcp("f"), Some("from file")));
}

#[test]
fn localhost_is_a_socket_unless_a_port_or_a_protocol_says_otherwise() {
    let machine = Machine::new();
    let host = |url: &str| machine.open(url).host;
    let usual = Host::Socket(machine.path("run/mysqld/mysqld.sock"));
    assert_eq!(host("mysql:///erp"), usual);
    assert_eq!(host("mysql://localhost/erp"), usual);
    assert_eq!(host("mysql:///erp?socket=/my.sock"), Host::Socket("/my.sock".into()));
    assert_eq!(host("mysql://localhost:3307/erp"), tcp("localhost"));
    assert_eq!(host("mysql://localhost/erp?protocol=TCP"), tcp("localhost"));
    assert_eq!(host("mysql://[::1]/erp"), tcp("::1"));
    machine.file("tmp/mysql.sock", 0o600, "");
    assert_eq!(host("mysql:///erp"), Host::Socket(machine.path("tmp/mysql.sock")));
    machine.file("home/.my.cnf", 0o600, "[client]\nsocket=/f.sock\n");
    assert_eq!(host("mysql:///erp"), Host::Socket("/f.sock".into()));
    assert_eq!(host("mysql://db/erp"), tcp("db"), "the socket is not that of the url's host");
    assert_eq!(host("mysql://localhost:3307/erp"), tcp("localhost"), "nor that of its port");
    assert_eq!(host("mysql://:3307/erp"), tcp("localhost"));
    assert_eq!(host("mysql://localhost:3307/erp?protocol=socket"), Host::Socket("/f.sock".into()));
    assert_eq!(host("mysql://:3307/erp?socket=/my.sock"), Host::Socket("/my.sock".into()));
    assert_eq!(
        machine.open("mysql://localhost:3307/erp?ssl-mode=VERIFY_IDENTITY").tls.mode,
        TlsMode::VerifyFull
    );
    machine.file("home/.my.cnf", 0o600, "[client]\nprotocol=socket\n");
    assert_eq!(host("mysql://localhost:3307/erp"), tcp("localhost"));
    assert!(machine.try_open("mysql://db/erp?socket=/x").is_err());
    assert!(machine.try_open("mysql://db/erp?protocol=pipe").is_err());
}

#[test]
fn encryption_of_mysql_follows_the_strictest_word() {
    let machine = Machine::new();
    let ca = machine.file("ca.pem", 0o644, "");
    let mode = |options: &str| machine.open(&format!("mysql://h/d?{options}")).tls.mode;
    assert_eq!(mode(""), TlsMode::Prefer);
    assert_eq!(mode("ssl-mode=required"), TlsMode::Require);
    assert_eq!(mode("ssl_mode=VERIFY_IDENTITY"), TlsMode::VerifyFull);
    assert_eq!(mode(&format!("ssl-ca={}", ca.display())), TlsMode::VerifyCa);
    assert!(machine.refusal("mysql://h/d?ssl-mode=VERIFY").contains("did you mean VERIFY_"));
    assert!(machine.try_open("mysql://h/d?ssl-mode=VERIFY_CA").is_err());
    assert!(machine.try_open("mysql:///d?ssl-mode=VERIFY_IDENTITY").is_err(), "no name to prove");
    assert_eq!(machine.open("mysql:///d").tls.mode, TlsMode::Disable, "a socket");
    assert_eq!(machine.open("mysql:///d?ssl-mode=REQUIRED").tls.mode, TlsMode::Require);
    machine.file("home/.my.cnf", 0o600, "[client]\nssl\nssl-verify-server-cert\n");
    assert_eq!(mode(""), TlsMode::VerifyFull);
    machine.file("home/.my.cnf", 0o600, "[client]\nskip-ssl\n");
    assert_eq!(mode(""), TlsMode::Disable);
    assert_eq!(mode("ssl-mode=REQUIRED"), TlsMode::Require);
    for off in ["skip-ssl", "ssl=0", "ssl-mode=DISABLED"] {
        machine.file("home/.my.cnf", 0o600, &format!("[client]\n{off}\n"));
        let of_ca = machine.open(&format!("mysql://h/d?ssl-ca={}", ca.display())).tls;
        assert_eq!((of_ca.mode, of_ca.ca), (TlsMode::VerifyCa, Some(ca.clone())), "{off}");
        assert_eq!(mode("ssl-verify-server-cert=1"), TlsMode::VerifyFull, "{off}");
        assert_eq!(mode("ssl-verify-server-cert=0"), TlsMode::Disable, "{off}");
    }
    machine.file("home/.my.cnf", 0o600, "[client]\n\nssl-crl=/x\n");
    assert!(machine.refusal("mysql://h/d").starts_with("/home/.my.cnf:3 says `ssl-crl`, but"));
}

#[test]
fn faults_of_option_files_name_file_and_line() {
    let machine = Machine::new();
    for (text, starts) in [
        ("[client\n", "/home/.my.cnf:1: the name of a group ends with ]."),
        ("\n!includes x\n", "/home/.my.cnf:2: this is no directive."),
        ("!includedir /no/such/folder\n", "/home/.my.cnf:1: /no/such/folder cannot be read"),
        ("!include ~/.my.cnf\n", "/home/.my.cnf:1: files include each other too deeply."),
        ("[client]\npassword\n", "/home/.my.cnf:2: `password` alone asks"),
        ("[client]\nport=x\n", "/home/.my.cnf:2: \"x\" is no port."),
    ] {
        machine.file("home/.my.cnf", 0o600, text);
        let refusal = machine.refusal("mysql://h/erp");
        assert!(refusal.starts_with(starts), "{refusal}");
    }
    machine.file("home/.my.cnf", 0o606, "");
    assert!(machine.refusal("mysql://h/erp").ends_with("chmod o-w /home/.my.cnf"));
    let missing = machine.refusal("mysql://h/erp?defaults-file=/no.cnf");
    assert!(missing.starts_with("The url names the option file /no.cnf, which is not there."));
}

// ------------------------------------------------------------------------------------- everywhere

fn commanded(argv: &[&str]) -> Target {
    let url = TargetUrl::parse("postgres://u@h/d", Path::new("")).expect("a url");
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    Target { password_command: Some(argv), ..Target::new("t", url, Environment::Staging) }
}

#[test]
fn a_password_command_wins_and_only_its_first_line_counts() {
    let mut machine = Machine::new();
    machine.set("PGPASSWORD", "from variable");
    let access = machine
        .target(&commanded(&["printf", "%s\\r\\nsecond\\n", "p w; $(id)"]))
        .expect("a password");
    assert_eq!(password(&access), Some("p w; $(id)"), "no shell looked at it");
    assert_eq!(machine.from(&access, "password"), "password_command of built in");
    assert!(!format!("{access:?}").contains("p w"), "{access:?}");
    assert!(!format!("{:?}", access.lines()).contains("p w"));
}

#[test]
fn a_password_command_that_fails_says_what_it_said() {
    let run = |argv: &[&str]| {
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        command::password("password_command", &argv, Duration::from_millis(200))
            .expect_err("no password")
            .to_string()
    };
    let failed = run(&["sh", "-c", "echo out-secret; echo gpg: no key >&2; exit 2"]);
    assert!(failed.contains("exit status: 2") && failed.contains("gpg: no key"), "{failed}");
    assert!(!failed.contains("out-secret"), "{failed}");
    assert!(run(&["true"]).contains("printed nothing"));
    assert!(run(&["/no/such/program"]).contains("cannot be run"));
    let late = run(&["sh", "-c", "sleep 1000"]);
    assert!(late.contains("was not finished after 200ms"), "{late}");
}

#[test]
fn checks_go_to_their_own_url_with_their_own_password() {
    let url = |text| TargetUrl::parse(text, Path::new("")).expect("a url");
    let mut target = commanded(&["work"]);
    assert_eq!(target.for_checks(), target);
    target.detect_url = Some(url("postgres://reader@replica/d"));
    let checks = target.for_checks();
    assert_eq!(checks.url, url("postgres://reader@replica/d"));
    assert_eq!(checks.password_command, Some(vec!["work".to_owned()]));
    target.detect_password_command = Some(vec!["reader".to_owned()]);
    assert_eq!(target.for_checks().password_command, Some(vec!["reader".to_owned()]));
}

#[test]
fn a_file_of_sqlite_needs_no_access() {
    assert!(Machine::new().try_open("sqlite://erp.db").is_err());
    let access = Machine::new().open("oracle://ops@ora/ERP");
    assert_eq!((access.host, access.port, access.password.is_none()), (tcp("ora"), 1521, true));
    assert_eq!((access.tls.mode, access.options), (TlsMode::Disable, vec![]));
}

#[test]
fn oracle_is_told_its_schema_and_how_to_encrypt() {
    let machine = Machine::new();
    let url = "oracle://ops@ora:2484/erp.example.com?schema=ERP&protocol=tcps&wallet_location=/w";
    let access = machine.open(url);
    assert_eq!((access.port, access.database.as_str()), (2484, "erp.example.com"));
    assert_eq!(access.tls.mode, TlsMode::VerifyFull);
    assert_eq!(access.tls.ca, Some("/w".into()));
    assert_eq!(access.options, [("schema".to_owned(), "ERP".to_owned())]);
    for refused in [
        "oracle://ops@ora/ERP?protocol=ipc",
        "oracle://ops@ora/ERP?wallet_location=/w",
        "oracle://ops@ora/ERP?protocol=tcps&ssl_server_dn_match=off",
        "oracle://ops@ora/ERP?shema=ERP",
        "oracle://ora/ERP",
    ] {
        assert!(machine.try_open(refused).is_err(), "{refused}");
    }
}
