//! What a target comes to on a machine with these files and variables; each engine has a file of its own.

mod mysql;
mod postgres;

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
