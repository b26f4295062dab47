//! What a server needs before it starts: its programs, somebody to run it, and a data folder.
//!
//! A data folder is made once for each version and kept below `target`; a test gets a copy. It is made
//! under another name and renamed when it is whole, behind a lock, because tests start together.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ADMIN, Kind};

/// Said to the server and to the program that makes its data folder.
pub const MARIADB: [&str; 7] = [
    "--no-defaults",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    // Asynchronous requests are a scarce thing that all containers of a machine share.
    "--innodb-use-native-aio=0",
    "--performance-schema=OFF",
];

const HBA: &str = "\
local all admin         trust
local replication admin trust
local all +passwordless trust
local all all           scram-sha-256
host  all admin         127.0.0.1/32 trust
host  all +passwordless 127.0.0.1/32 trust
host  all all           127.0.0.1/32 scram-sha-256
";

/// Whom the server runs as: nobody for root, because `PostgreSQL` refuses root; else oneself.
#[derive(Debug, Clone, Copy)]
pub struct Owner(Option<(u32, u32)>);

impl Owner {
    pub fn find() -> Self {
        let own = fs::metadata("/proc/self").or_else(|_| fs::metadata(env!("CARGO_TARGET_TMPDIR")));
        if own.expect("a file of one's own has an owner").uid() != 0 {
            return Self(None);
        }
        let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
        let nobody = users.lines().find_map(|line| line.strip_prefix("nobody:"));
        let ids = nobody.and_then(|line| {
            let mut fields = line.split(':').skip(1);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        });
        Self(Some(ids.expect("a server does not run as root, and there is no user nobody")))
    }

    pub fn run_as(self, command: &mut Command) {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
    }

    /// Gives a folder and the files directly in it to the server.
    pub fn give(self, folder: &Path) {
        let Some((user, group)) = self.0 else { return };
        let inside = fs::read_dir(folder).expect("the folder can be listed");
        let inside = inside.map(|entry| entry.expect("the folder can be listed").path());
        for path in inside.chain([folder.to_owned()]) {
            std::os::unix::fs::chown(&path, Some(user), Some(group)).expect("root may give away");
        }
    }
}

pub fn program(kind: Kind) -> PathBuf {
    match kind {
        Kind::Postgres => find("postgres"),
        Kind::Mariadb => find("mariadbd"),
    }
}

/// A program of a server: on the search path, or where packages put what users do not call.
fn find(name: &str) -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    folders.extend(versions.into_iter().map(|(_, folder)| folder));
    folders.extend(["/usr/sbin", "/usr/local/sbin", "/usr/libexec"].map(PathBuf::from));
    folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()).unwrap_or_else(
        || panic!("{name} is missing: install PostgreSQL and MariaDB servers, or run tests/run"),
    )
}

/// Copies the prepared data folder, and prepares it if nobody has yet.
pub fn data_folder(kind: Kind, owner: &Owner, to: &Path) {
    copy(&template(kind, *owner), to);
}

fn template(kind: Kind, owner: Owner) -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers");
    fs::create_dir_all(&base).expect("the target folder is writable");
    let version = output(Command::new(program(kind)).arg("--version"));
    // Another version, another owner or another way to make it: another folder.
    let mut key = DefaultHasher::new();
    (version, owner.0, MARIADB, HBA, include_str!("install.rs")).hash(&mut key);
    let ready = base.join(format!("{kind:?}-{:016x}", key.finish()).to_lowercase());
    let lock = fs::File::create(base.join(format!("{kind:?}.lock").to_lowercase()))
        .expect("the target folder is writable");
    lock.lock().expect("a file can be locked");
    if !ready.exists() {
        // In the temporary folder, because the server's user may not reach into this one.
        let scratch = tempfile::tempdir().expect("a temporary folder can be made");
        owner.give(scratch.path());
        let fresh = scratch.path().join("data");
        prepare(kind, owner, &fresh);
        let unfinished = ready.with_extension("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        copy(&fresh, &unfinished);
        fs::rename(&unfinished, &ready).expect("a folder can be renamed");
    }
    ready
}

fn prepare(kind: Kind, owner: Owner, folder: &Path) {
    let mut command = match kind {
        Kind::Postgres => {
            let mut command = Command::new(find("initdb"));
            command.arg("-D").arg(folder).args(["-U", ADMIN, "--auth=trust", "--no-sync"]);
            command.args(["--encoding=UTF8", "--locale=C", "--wal-segsize=1"]);
            command
        }
        Kind::Mariadb => {
            let mut command = Command::new(find("mariadb-install-db"));
            command.args(MARIADB).arg(format!("--datadir={}", folder.display()));
            command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
            command.arg("--innodb-flush-log-at-trx-commit=0");
            command
        }
    };
    // The system's own folder for temporary files need not be open to the server's user.
    let scratch = folder.parent().expect("a data folder lies in another");
    owner.run_as(command.current_dir("/").env("LC_ALL", "C").env("TMPDIR", scratch));
    output(&mut command);
    match kind {
        Kind::Postgres => {
            fs::write(folder.join("pg_hba.conf"), HBA).expect("the folder is ours");
            let mut command = Command::new(program(kind));
            command.args(["--single", "-D"]).arg(folder).arg("postgres").current_dir("/");
            let roles = folder.join("roles.sql");
            fs::write(&roles, "CREATE ROLE passwordless\n").expect("the folder is ours");
            command.stdin(fs::File::open(&roles).expect("it was just written"));
            owner.run_as(&mut command);
            output(&mut command);
            fs::remove_file(roles).expect("the folder is ours");
        }
        Kind::Mariadb => {
            let accounts = format!(
                "DELETE FROM mysql.global_priv WHERE User IN ('', 'root');\n\
                 FLUSH PRIVILEGES;\n\
                 CREATE USER IF NOT EXISTS {ADMIN}@'%';\n\
                 GRANT ALL PRIVILEGES ON *.* TO {ADMIN}@'%' WITH GRANT OPTION;\n"
            );
            fs::write(folder.join("init.sql"), accounts).expect("the folder is ours");
        }
    }
    for entry in fs::read_dir(folder).expect("the folder is ours").flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "sql" || ending == "conf") {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644)).expect("ours");
        }
    }
}

/// With owners and times, and without writing anything where the file system can share blocks.
fn copy(from: &Path, to: &Path) {
    output(Command::new("cp").arg("-a").args(share_blocks()).arg(from).arg(to));
}

fn share_blocks() -> Option<&'static str> {
    cfg!(target_os = "linux").then_some("--reflink=auto")
}

fn output(command: &mut Command) -> String {
    let run = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(
        run.status.success(),
        "{command:?}: {}\n{said}\n{}",
        run.status,
        String::from_utf8_lossy(&run.stderr)
    );
    said
}
