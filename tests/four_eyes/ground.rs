//! Casey, who asks, and robin, who is asked: their homes, keys and terminals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::walk::{
    self, Facts, INCIDENT, RUNBOOK, journal, leave, runbook_in_chunks, to_change,
};
use crate::common::{Cockpit, Ground, Home, Sqlite, Terminal, WIDE};

pub const BIN: &str = env!("CARGO_BIN_EXE_steadyhand");

/// The demo of a first run, whose target wants this approval from now on. Keys lie in `keys`: casey
/// and robin are in the list of signers, stranger is not.
pub fn scene(approval: &str, more: &str) -> Home {
    scene_on(&Ground::Folder, approval, more)
}

pub fn scene_on(ground: &Ground, approval: &str, more: &str) -> Home {
    let arguments = ground.arguments();
    let more_of_demo: Vec<&str> = arguments.iter().map(String::as_str).collect();
    wanting(walk::demo_with(Home::new(), &more_of_demo), approval, more)
}

/// The same for a runbook that takes the place of the demo's.
pub fn scene_with(runbook: &str, approval: &str) -> Home {
    let home = Home::new();
    home.write("books/asset-double-assignment.toml", runbook);
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    let cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("milestone: detected");
    wanting(cockpit, approval, "")
}

pub fn wanting(mut cockpit: Cockpit, approval: &str, more: &str) -> Home {
    leave(&mut cockpit);
    let home = cockpit.into_home();
    let path = home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).expect("the demo was kept");
    let wants = format!("[target.erp-demo]\napproval = \"{approval}\"\n");
    let text = text.replace("[target.erp-demo]\n", &wants);
    assert!(text.contains(&wants), "{text}");
    let signers = home.work().join("signers");
    let ours = format!("\n[approval]\nsigners = \"{}\"\n{more}\n", signers.display());
    fs::write(&path, text + &ours).expect("the configuration is ours");
    shell(
        &home.work(),
        "mkdir keys; for name in casey robin stranger; do
           ssh-keygen -q -t ed25519 -N '' -C $name -f keys/$name; done
         for name in casey robin; do
           printf \"$name@example.org \"; cat keys/$name.pub; done > signers",
    );
    home
}

pub fn shell(folder: &Path, script: &str) -> String {
    let ran = Command::new("sh").args(["-ec", script]).current_dir(folder).output();
    let ran = ran.expect("a shell can be run");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{script}: {said}{}", String::from_utf8_lossy(&ran.stderr));
    said
}

/// At the change, previewed, and robin asked.
pub fn asked(home: Home) -> Cockpit {
    let mut cockpit = previewed(home);
    ask(&mut cockpit);
    cockpit
}

pub fn previewed(home: Home) -> Cockpit {
    let mut cockpit = walk::resume(home);
    cockpit.wait_for("taken up again");
    to_change(&mut cockpit);
    cockpit.keys("enter");
    cockpit.wait_for("a second person must agree");
    cockpit
}

pub fn ask(cockpit: &mut Cockpit) {
    cockpit.keys("a");
    cockpit.wait_for("waiting for a second person");
}

/// The words of the request, as the requester's screen shows them.
pub fn words(screen: &str) -> String {
    let (_, rest) = screen.split_once("Words").expect("the words are on the screen");
    rest.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

pub fn request(home: &Home) -> PathBuf {
    let folder = home.work().join("state/incidents").join(INCIDENT).join("requests");
    let found = fs::read_dir(folder).expect("a request was written").flatten();
    let mut files: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.sort_by_key(|path| fs::metadata(path).and_then(|found| found.modified()).ok());
    files.pop().expect("a request was written")
}

/// Robin's login: another home, and the same database configured there.
pub fn robin(of: &Home) -> Home {
    let home = Home::new().with("USER", "robin").with("LOGNAME", "robin");
    let url = format!("sqlite://{}", walk::database(of).display());
    home.write(
        "steadyhand.toml",
        &format!("[target.erp-demo]\nurl = \"{url}\"\nenvironment = \"development\"\n"),
    );
    home
}

/// Robin's terminal on a request, at the question.
pub fn looking(home: Home, file: &Path, key: &Path) -> Cockpit {
    let (file, key) = (file.to_string_lossy(), key.to_string_lossy());
    let terminal = Cockpit::start_in(home, &["approve", &file, "--key", &key], (120, 90));
    terminal.wait_for("\nType the four words to agree");
    terminal
}

/// Types words at the question.
pub fn answer(terminal: &mut Terminal, text: &str) {
    terminal.type_text(text);
    terminal.keys("enter");
}

/// A signature of this key under these bytes, beside the request.
pub fn sign(home: &Home, key: &str, namespace: &str, bytes: &[u8]) {
    let file = request(home);
    fs::write(home.work().join("to-sign"), bytes).expect("the folder is ours");
    let script = format!(
        "rm -f to-sign.sig; ssh-keygen -q -Y sign -n {namespace} -f keys/{key} to-sign; \
         mv to-sign.sig {}.sig",
        file.display()
    );
    shell(&home.work(), &script);
}

/// Waits until the change is done; the journal has these records, in this order.
pub fn done(mut casey: Cockpit, before: &Facts, order: &[&str]) -> Home {
    casey.wait_for("COMMITTED   26 rows");
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(Facts::of(&home), before.after_change());
    let kinds = journal(&home);
    let at = |kind: &str| kinds.iter().position(|one| one == kind).expect(kind);
    assert!(order.windows(2).all(|two| at(two[0]) < at(two[1])), "{kinds:?}");
    home
}

pub fn assert_nothing_done(home: &Home, before: &Facts) {
    assert_eq!(Facts::of(home), *before);
    let kinds = journal(home);
    for kind in ["approved", "execution-started", "seconded"] {
        assert!(!kinds.iter().any(|one| one == kind), "{kind} in {kinds:?}");
    }
}

/// A terminal of another account if the tests are root's, else of the same.
pub fn as_somebody_else(home: &Home, args: &[&str]) -> Terminal {
    let environment = home.environment();
    if !rustix::process::geteuid().is_root() {
        return Terminal::start(BIN, args, &environment, &home.work(), (120, 90));
    }
    let root = home.path("");
    shell(&root, "chown -R 65534:65534 .");
    // The program may lie where only its owner goes.
    let program = home.path("steadyhand");
    fs::copy(BIN, &program).expect("the program can be copied");
    let program = program.to_string_lossy().into_owned();
    let account = ["--reuid=65534", "--regid=65534", "--clear-groups", &program];
    let all = [&account[..], args].concat();
    Terminal::start("setpriv", &all, &environment, &home.work(), (120, 90))
}

/// The journal as it is on disk.
pub fn told(home: &Home) -> String {
    let path = home.work().join(format!("state/incidents/{INCIDENT}/journal.jsonl"));
    fs::read_to_string(path).expect("the journal is there")
}

/// Where a change in chunks was cut off, previewed again: what was agreed to is done, and the rest is
/// another question.
pub fn at_the_rest(home: Home) -> Cockpit {
    let mut casey = walk::resume(home.with("STEADYHAND_KILL", ""));
    casey.wait_for("did not commit");
    casey.keys("enter");
    casey.wait_gone("did not commit");
    casey.wait_for("enter preview");
    casey.keys("enter");
    casey.wait_for("a second person must agree");
    casey
}

pub fn parcels(home: &Home) -> Sqlite {
    let mut erp = Sqlite::open(&walk::database(home));
    erp.run(
        "CREATE TABLE parcels (id INTEGER PRIMARY KEY, weight INTEGER NOT NULL); \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
         INSERT INTO parcels SELECT i, 0 FROM n",
    );
    erp
}

/// The demo's runbook with a change of all parcels in tens of a hundred.
pub fn in_chunks() -> String {
    const CHANGE: &str = r#"[[step.statement]]
note = "Weigh the parcels anew"
any  = "UPDATE parcels SET weight = weight + 1 WHERE id IN (:chunk)"
[step.chunks]
key  = "id"
size = 100
most = 100
[step.chunks.keys]
any = "SELECT id FROM parcels ORDER BY id"
"#;
    runbook_in_chunks(CHANGE)
}
