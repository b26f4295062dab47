//! Two people, one change: one asks in the cockpit, the other looks, runs it with their own rights
//! and signs with a real key in a terminal of their own. What is not exactly that executes nothing.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::walk::{
    self, CONFIRMATION, Facts, INCIDENT, RUNBOOK, assert_sound, confirm, journal, leave,
    runbook_in_chunks, to_change,
};
use common::{Cockpit, Ground, Home, Terminal, WIDE};
use steadyhand::dialect::Dialect;

const BIN: &str = env!("CARGO_BIN_EXE_steadyhand");

/// The demo of a first run, whose target wants this approval from now on. Keys lie in `keys`: casey
/// and robin are in the list of signers, stranger is not.
fn scene(approval: &str, more: &str) -> Home {
    scene_on(&Ground::Folder, approval, more)
}

fn scene_on(ground: &Ground, approval: &str, more: &str) -> Home {
    let arguments = ground.arguments();
    let more_of_demo: Vec<&str> = arguments.iter().map(String::as_str).collect();
    wanting(walk::demo_with(Home::new(), &more_of_demo), approval, more)
}

/// The same for a runbook that takes the place of the demo's.
fn scene_with(runbook: &str, approval: &str) -> Home {
    let home = Home::new();
    home.write("books/asset-double-assignment.toml", runbook);
    let args = ["demo", "--keep", ".", "--incident", RUNBOOK, "--runbooks", "books"];
    let cockpit = Cockpit::start_in(home, &args, WIDE);
    cockpit.wait_for("milestone: detected");
    wanting(cockpit, approval, "")
}

fn wanting(mut cockpit: Cockpit, approval: &str, more: &str) -> Home {
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

fn shell(folder: &Path, script: &str) -> String {
    let ran = Command::new("sh").args(["-ec", script]).current_dir(folder).output();
    let ran = ran.expect("a shell can be run");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{script}: {said}{}", String::from_utf8_lossy(&ran.stderr));
    said
}

/// At the change, previewed, and robin asked.
fn asked(home: Home) -> Cockpit {
    let mut cockpit = previewed(home);
    ask(&mut cockpit);
    cockpit
}

fn previewed(home: Home) -> Cockpit {
    let mut cockpit = walk::resume(home);
    cockpit.wait_for("taken up again");
    to_change(&mut cockpit);
    cockpit.keys("enter");
    cockpit.wait_for("a second person must agree");
    cockpit
}

fn ask(cockpit: &mut Cockpit) {
    cockpit.keys("a");
    cockpit.wait_for("waiting for a second person");
}

/// The words of the request, as the requester's screen shows them.
fn words(screen: &str) -> String {
    let (_, rest) = screen.split_once("Words").expect("the words are on the screen");
    rest.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

fn request(home: &Home) -> PathBuf {
    let folder = home.work().join("state/incidents").join(INCIDENT).join("requests");
    let found = fs::read_dir(folder).expect("a request was written").flatten();
    let mut files: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.sort_by_key(|path| fs::metadata(path).and_then(|found| found.modified()).ok());
    files.pop().expect("a request was written")
}

/// Robin's login: another home, and the same database configured there.
fn robin(of: &Home) -> Home {
    let home = Home::new().with("USER", "robin").with("LOGNAME", "robin");
    let url = format!("sqlite://{}", walk::database(of).display());
    home.write(
        "steadyhand.toml",
        &format!("[target.erp-demo]\nurl = \"{url}\"\nenvironment = \"development\"\n"),
    );
    home
}

/// Robin's terminal on a request, at the question.
fn looking(home: Home, file: &Path, key: &Path) -> Cockpit {
    let (file, key) = (file.to_string_lossy(), key.to_string_lossy());
    let terminal = Cockpit::start_in(home, &["approve", &file, "--key", &key], (120, 90));
    terminal.wait_for("Type the four words to agree");
    terminal
}

/// Types words at the question.
fn answer(terminal: &mut Terminal, text: &str) {
    terminal.type_text(text);
    terminal.keys("enter");
}

/// A signature of this key under these bytes, beside the request.
fn sign(home: &Home, key: &str, namespace: &str, bytes: &[u8]) {
    let file = request(home);
    fs::write(home.work().join("to-sign"), bytes).expect("the folder is ours");
    let script = format!(
        "rm -f to-sign.sig; ssh-keygen -q -Y sign -n {namespace} -f keys/{key} to-sign; \
         mv to-sign.sig {}.sig",
        file.display()
    );
    shell(&home.work(), &script);
}

fn assert_nothing_done(home: &Home, before: &Facts) {
    assert_eq!(Facts::of(home), *before);
    let kinds = journal(home);
    for kind in ["approved", "execution-started", "seconded"] {
        assert!(!kinds.iter().any(|one| one == kind), "{kind} in {kinds:?}");
    }
}

#[test]
fn one_asks_the_other_looks_and_signs_and_then_it_is_done() {
    let mut casey = asked(scene("four-eyes", ""));
    let before = Facts::of(casey.home());
    let words = words(&casey.screen());
    let key = casey.home().work().join("keys/robin");
    let mut robin = looking(robin(casey.home()), &request(casey.home()), &key);
    let page = robin.screen();
    for seen in [
        "casey@",
        "asks you to agree to a change",
        "erp-demo (development, sqlite)",
        "26 rows",
        "UPDATE asset_assignments",
        "audit_log",
        "return_date NULL -> ",
        "asset-double-assignment",
        "the same rows as asked for",
        &words,
    ] {
        assert!(page.contains(seen), "{seen}: {page}");
    }
    answer(&mut robin, &words);
    assert_eq!(robin.wait_code(), 0, "{}", robin.screen());
    casey.wait_for("robin@example.org");
    confirm(&mut casey, CONFIRMATION);
    casey.wait_for("COMMITTED   26 rows");
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(Facts::of(&home), before.after_change());
    let kinds = journal(&home);
    let at = |kind: &str| kinds.iter().position(|one| one == kind).expect(kind);
    let order = ["previewed", "requested", "seconded", "approved", "execution-started"];
    assert!(order.windows(2).all(|two| at(two[0]) < at(two[1])), "{kinds:?}");
    assert_sound(&home);
    told_afterwards(&home);
}

/// What an auditor finds later, and what they find when somebody meddled with it.
fn told_afterwards(home: &Home) {
    let page = home.steadyhand(&["postmortem", "1"]).output().expect("it runs");
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("robin@example.org"), "{page}");
    home.steadyhand(&["bundle", "1", "--output", "one.tar"]).assert().code(0);
    let verify = |more: &[&str]| {
        let args = [&["verify", "one.tar"][..], more].concat();
        let ran = home.steadyhand(&args).output().expect("it runs");
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let (code, said) = verify(&[]);
    assert!(code == Some(0) && said.contains("seconded by robin@example.org"), "{said}");
    let (code, said) = verify(&["--signers", "signers"]);
    assert!(said.contains("Good \"steadyhand-approval\" signature for robin"), "{code:?} {said}");
    shell(
        &home.work(),
        "tar xf one.tar; cd INC-0001; sed -i 's/\"rows\": 26/\"rows\": 27/' requests/*.json
         sha256sum $(grep -o '[^ ]*$' SHA256SUMS) > x; mv x SHA256SUMS; cd ..
         tar cf one.tar INC-0001",
    );
    let (code, said) = verify(&[]);
    assert!(code == Some(2) && said.contains(".json was altered"), "{said}");
}

/// Another account where the tests may change theirs; the request and the signature go through a
/// chat, which is to say through the clipboard.
#[test]
fn a_request_and_its_signature_can_be_pasted() {
    let mut casey = asked(scene("four-eyes", ""));
    let before = Facts::of(casey.home());
    let words = words(&casey.screen());
    let sent = casey.raw_output();
    let sent = String::from_utf8_lossy(&sent);
    let (_, code) = sent.rsplit_once("\x1b]52;c;").expect("it was sent to the clipboard");
    let code = code.split('\x07').next().unwrap_or_default();
    let text = String::from_utf8(STANDARD.decode(code).expect("base64")).expect("a text");
    assert!(text.starts_with("-----BEGIN STEADYHAND REQUEST-----\n"), "{text}");

    let home = Home::new().with("USER", "robin");
    let key = home.work().join("robin");
    fs::copy(casey.home().work().join("keys/robin"), &key).expect("robin has a key");
    shell(&home.work(), "chmod 600 robin");
    let key = key.to_string_lossy().into_owned();
    let mut other = as_somebody_else(&home, &["approve", "-", "--key", &key]);
    other.wait_for("paste the request");
    for line in text.lines() {
        other.send(format!("{line}\r").as_bytes());
    }
    other.wait_for("Type the four words to agree");
    assert!(other.screen().contains("NOT RUN HERE: erp-demo is not configured here"));
    answer(&mut other, &words);
    assert_eq!(other.wait_code(), 0, "{}", other.screen());
    let said = other.raw_output();
    let said = String::from_utf8_lossy(&said);
    let (_, signature) = said.rsplit_once("-----BEGIN SSH").expect("it was printed");
    let signature = format!("-----BEGIN SSH{signature}");

    casey.keys("i");
    casey.wait_for("The signature, from BEGIN to END");
    casey.paste(&signature.replace("\r\n", "\n"));
    casey.wait_for("END SSH SIGNATURE");
    casey.keys("ctrl-o");
    casey.wait_for("agreed: robin@example.org");
    confirm(&mut casey, CONFIRMATION);
    casey.wait_for("COMMITTED   26 rows");
    assert_eq!(Facts::of(casey.home()), before.after_change());
}

/// A terminal of another account if the tests are root's, else of the same.
fn as_somebody_else(home: &Home, args: &[&str]) -> Terminal {
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

#[test]
fn whatever_is_not_the_second_persons_yes_to_this_very_request_executes_nothing() {
    let mut casey = asked(scene("four-eyes", ""));
    let before = Facts::of(casey.home());
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    let text = String::from_utf8(bytes.clone()).expect("it is text");
    let other = text.replace(RUNBOOK, "something-else");
    let edited = text.replace("\"rows\": 26", "\"rows\": 2");
    assert!(edited != text && other != text);
    let approval = "steadyhand-approval";
    for (key, namespace, signed, said) in [
        ("stranger", approval, &bytes[..], "is not among those of"),
        ("casey", approval, &bytes, "whoever asks cannot be the second person"),
        ("robin", "steadyhand", &bytes, "the signature of robin@example.org does not fit"),
        ("robin", "file", &bytes, "the signature of robin@example.org does not fit"),
        ("robin", approval, other.as_bytes(), "the signature of robin@example.org does not fit"),
        ("robin", approval, edited.as_bytes(), "the signature of robin@example.org does not fit"),
    ] {
        let refused = journal(casey.home()).iter().filter(|kind| *kind == "second-refused").count();
        sign(casey.home(), key, namespace, signed);
        casey.wait_until(&format!("{said} for {key} {namespace}"), |screen| {
            let all = journal(casey.home());
            all.iter().filter(|kind| *kind == "second-refused").count() > refused
                && screen.replace(['\n', '│'], " ").contains("the signature was refused")
        });
        let told = told(casey.home());
        let last = told.lines().rfind(|line| line.contains("second-refused")).unwrap_or_default();
        assert!(last.contains(said), "{last}");
        casey.keys("enter");
        casey.wait_for("a second person must agree first");
    }
    sign(casey.home(), "robin", approval, &bytes);
    casey.wait_for("agreed: robin@example.org");
    // It was good all along; what it is good for goes with the preview.
    casey.keys("p");
    casey.wait_for("a second person must agree: a asks one");
    casey.keys("enter");
    casey.wait_for("a second person must agree first");
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(Facts::of(&home), before);
    assert!(!journal(&home).iter().any(|kind| kind == "approved"));
    assert_sound(&home);
}

/// Each of these holds a good signature, or would hold up whoever reads it.
#[test]
fn what_lies_beside_the_request_and_is_no_plain_file_of_that_length_is_not_read() {
    // In its last minute the time that is left is told by the second, in which it is looked for.
    let mut casey = asked(scene("four-eyes", "valid = \"59s\""));
    let left = |screen: &str| {
        let (_, rest) = screen.split_once("waiting for a second person, ")?;
        Some(rest.split("left").next()?.to_owned())
    };
    let file = request(casey.home());
    let lay = |script: &str| {
        let (sig, to) = (format!("{}.sig", file.display()), "to-sign.sig");
        let script = format!("sig='{sig}'; good=\"$PWD/{to}\"; rm -f \"$sig\"; {script}");
        shell(&casey.home().work(), &script);
    };
    lay(&format!(
        "cp '{}' to-sign; ssh-keygen -q -Y sign -n steadyhand-approval -f keys/robin to-sign",
        file.display()
    ));
    for script in [
        "ln -s \"$good\" \"$sig\"",
        "mkfifo \"$sig\"",
        "cp \"$good\" long; head -c 70000 /dev/zero | tr '\\0' '\\n' >> long; mv long \"$sig\"",
    ] {
        lay(script);
        for _ in 0..3 {
            let before = left(&casey.screen());
            assert!(before.is_some(), "{script}: {}", casey.screen());
            casey.wait_until("a second goes by", |screen| left(screen) != before);
        }
        let kinds = journal(casey.home());
        let told = kinds.iter().any(|kind| kind.starts_with("second"));
        assert!(!told, "{script}: {kinds:?}");
    }
    lay("cp \"$good\" plain; mv plain \"$sig\"");
    casey.wait_for("agreed: robin@example.org");
    leave(&mut casey);
}

#[test]
fn a_key_that_left_the_list_after_it_agreed_executes_nothing() {
    for (list, said) in [
        ("grep -v robin signers", "is not among those of"),
        ("sed 's/robin@/casey@/' signers", "whoever asks cannot be the second person"),
        ("sed 's/robin@[^ ]*/*/' signers", "which is nobody in particular"),
    ] {
        let mut casey = asked(scene("four-eyes", ""));
        let before = Facts::of(casey.home());
        let bytes = fs::read(request(casey.home())).expect("it can be read");
        sign(casey.home(), "robin", "steadyhand-approval", &bytes);
        casey.wait_for("agreed: robin@example.org");
        shell(&casey.home().work(), &format!("{list} > other; mv other signers"));
        confirm(&mut casey, CONFIRMATION);
        casey.wait_for("ROLLED BACK");
        leave(&mut casey);
        let home = casey.into_home();
        assert_eq!(Facts::of(&home), before);
        let told = told(&home);
        assert!(told.contains(said) && told.contains("nothing was run"), "{said}: {told}");
        assert_sound(&home);
    }
}

#[test]
fn a_request_that_expired_is_neither_signed_nor_taken() {
    let mut casey = asked(scene("four-eyes", "valid = \"2s\""));
    let before = Facts::of(casey.home());
    casey.wait_for("nobody agreed in time");
    let file = request(casey.home());
    let (file_text, key) = (file.to_string_lossy().into_owned(), "keys/robin");
    let ran = casey.home().steadyhand(&["approve", &file_text, "--key", key]).output();
    let ran = ran.expect("it runs");
    assert_eq!(ran.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("it expired at"));
    let bytes = fs::read(&file).expect("it can be read");
    sign(casey.home(), "robin", "steadyhand-approval", &bytes);
    casey.wait_for("the request expired");
    casey.keys("enter");
    casey.wait_for("a second person must agree first");
    leave(&mut casey);
    assert_nothing_done(casey.home(), &before);
}

#[test]
fn whoever_declines_signs_nothing() {
    let casey = asked(scene("four-eyes", ""));
    let (file, key) = (request(casey.home()), casey.home().work().join("keys/robin"));
    for said in ["no", "yes", "abacus academy acid acorn"] {
        let mut robin = looking(robin(casey.home()), &file, &key);
        answer(&mut robin, said);
        assert_eq!(robin.wait_code(), 5);
        assert!(robin.screen().contains("declined"), "{}", robin.screen());
    }
    // Words that come with the request are no answer.
    let mut robin = Cockpit::start_in(
        robin(casey.home()),
        &["approve", &file.to_string_lossy(), "--key", &key.to_string_lossy()],
        (120, 90),
    );
    robin.send(format!("{}\r", words(&casey.screen())).as_bytes());
    robin.wait_for("Type the four words to agree");
    answer(&mut robin, "no");
    assert_eq!(robin.wait_code(), 5);
    assert!(!PathBuf::from(format!("{}.sig", file.display())).exists());
}

#[test]
fn what_would_do_something_else_by_now_is_not_signed() {
    let casey = asked(scene("four-eyes", ""));
    let file = request(casey.home());
    let mut erp = common::Sqlite::open(&walk::database(casey.home()));
    erp.run("UPDATE asset_assignments SET note = 'moved' WHERE return_date IS NULL");
    let args = ["approve", &file.to_string_lossy(), "--key", "nokey"];
    let ran = robin(casey.home()).steadyhand(&args).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(5), "{said}");
    assert!(said.contains("DIFFERS") && said.contains("nothing was signed"), "{said}");
    // An edited file is found out before anything is run.
    let text = fs::read_to_string(&file).expect("it can be read");
    let home = robin(casey.home());
    for (edited, why) in [
        (text.replace("\"rows\": 26", "\"rows\": 2"), "its tables add up to 26"),
        (text.replace("SET return_date", "SET  return_date"), "not those of its digest"),
        (text.replace('{', "{ "), "it is not as this program writes it"),
        (text.replace("\"form\": 1", "\"form\": 2"), "this version reads 1"),
        ("{}".into(), "it is no approval request"),
        ("x".repeat(3 << 20), "no request is that long"),
    ] {
        home.write("edited.json", &edited);
        let ran = home.steadyhand(&["approve", "edited.json"]).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.code() == Some(5) && said.contains(why), "{why}: {said}");
    }
    shell(&home.work(), "ln -s edited.json link.json");
    let ran = home.steadyhand(&["approve", "link.json"]).output().expect("it runs");
    assert_eq!(ran.status.code(), Some(4));
}

#[test]
fn glass_can_be_broken_where_the_policy_says_so_and_is_looked_at_afterwards() {
    let mut casey = previewed(scene("break-glass", ""));
    let before = Facts::of(casey.home());
    casey.keys("!");
    casey.wait_for("It is recorded, and somebody will review it");
    casey.type_text("no");
    casey.breathe();
    casey.keys("enter");
    casey.wait_for("say why in at least 3 words");
    go_alone(&mut casey, &format!("{CONFIRMATION} break glass"));
    casey.wait_for("COMMITTED   26 rows");
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(Facts::of(&home), before.after_change());
    let kinds = journal(&home);
    let at = |kind: &str| kinds.iter().position(|one| one == kind).expect(kind);
    assert!(at("glass-broken") < at("approved"), "{kinds:?}");
    let said = |args: &[&str]| {
        let ran = home.steadyhand(args).output().expect("it runs");
        let (out, err) = (ran.stdout, ran.stderr);
        (ran.status.code(), String::from_utf8_lossy(&[out, err].concat()).into_owned())
    };
    let open = "Review what was done without a second person";
    assert!(said(&["postmortem", "1"]).1.contains(open));
    assert!(said(&["incidents"]).1.contains("review due"), "{}", said(&["incidents"]).1);
    assert!(said(&["verify", "1"]).1.contains("waits for its review"));

    let (code, screen) = review(&home, "casey");
    assert!(code == 5 && screen.contains("somebody else must review it"), "{screen}");
    let (code, screen) = review(&home, "stranger");
    assert!(code == 5 && screen.contains("is not among those of"), "{screen}");
    let (code, screen) = review(&home, "robin");
    assert!(code == 0 && screen.contains("is recorded"), "{screen}");
    assert!(!said(&["postmortem", "1"]).1.contains(open));
    assert!(said(&["postmortem", "1"]).1.contains("right, and rightly alone"));
    assert!(!said(&["incidents"]).1.contains("review due"));
    assert_sound(&home);
}

/// Breaks the glass and types the words.
fn go_alone(casey: &mut Cockpit, phrase: &str) {
    casey.keys("!");
    casey.wait_for("It is recorded, and somebody will review it");
    casey.type_text("nobody answers and stock is blocked");
    casey.breathe();
    casey.keys("enter");
    casey.wait_for("esc leaves it alone");
    assert!(casey.screen().contains(phrase), "{}", casey.screen());
    casey.type_text(phrase);
    casey.breathe();
    casey.keys("enter");
}

/// What comes of a review with this key.
fn review(home: &Home, key: &str) -> (u32, String) {
    let key = home.work().join("keys").join(key).to_string_lossy().into_owned();
    let args = ["approve", "--review", "1", "--key", &key];
    let mut terminal = Terminal::start(BIN, &args, &home.environment(), &home.work(), (120, 90));
    terminal.wait_for("What did your review find?");
    answer(&mut terminal, "right, and rightly alone");
    (terminal.wait_code(), terminal.screen())
}

#[test]
fn the_policy_holds_however_somebody_comes_there() {
    let home = scene("four-eyes", "");
    let mut casey = previewed(home);
    let before = Facts::of(casey.home());
    casey.keys("!");
    casey.wait_for("the policy of this target lets nobody go alone");
    leave(&mut casey);
    // By its path, under another name.
    let home = casey.into_home();
    let mut casey = Cockpit::start_in(home, &["open", RUNBOOK, "--target", "erp.db"], WIDE);
    casey.wait_for("milestone: detected");
    to_change(&mut casey);
    casey.keys("enter");
    casey.wait_for("a second person must agree");
    casey.keys("enter");
    casey.wait_for("a second person must agree first");
    leave(&mut casey);
    // Line by line, and after the configuration forgot what it asked for.
    let home = casey.into_home();
    let path = home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).expect("it is there");
    fs::write(path, text.replace("approval = \"four-eyes\"\n", "")).expect("it is ours");
    let mut casey = Cockpit::start_in(home, &["resume", "2", "--plain"], WIDE);
    let mut from = 0;
    for (line, answer) in [
        ("", "Recover > "),
        ("", "a second person must agree"),
        ("", "a second person must agree first"),
        ("erp 26", "is no key and no command"),
        ("break-glass", "lets nobody go alone"),
        ("confirm", "a second person must agree first"),
    ] {
        if from > 0 {
            from = casey.bytes();
            casey.send(format!("{line}\r").as_bytes());
        }
        casey.wait_output(from, answer, |said| said.contains(answer) && said.ends_with(" > "));
        from = from.max(1);
    }
    casey.send(b"\x04");
    casey.wait_code();
    assert_eq!(Facts::of(casey.home()), before);
}

/// Casey has a list of signers with casey's own second key in it, and says nothing of approvals or
/// the least.
#[test]
fn no_later_layer_takes_back_what_the_system_asks() {
    let home = scene("confirm", "valid = \"23h\"");
    shell(
        &home.work(),
        "printf 'robin@example.org ' > mine; cat keys/stranger.pub >> mine
         cp signers ../etc/signers; mv mine signers",
    );
    let database = walk::database(&home).display().to_string();
    let etc = format!(
        "[approval]\nsigners = \"signers\"\nvalid = \"20m\"\n[target.books]\n\
         url = \"sqlite://{database}\"\nenvironment = \"production\"\napproval = \"four-eyes\"\n"
    );
    fs::write(home.path("etc/steadyhand.toml"), etc).expect("the folder is ours");
    let path = home.work().join("steadyhand.toml");
    let own = fs::read_to_string(&path).expect("it is there");
    home.write("mine.toml", &own);
    let silent = own.replace("approval = \"confirm\"\n", "");
    let second = format!(
        "{own}\n[target.other]\nurl = \"sqlite://{database}\"\nenvironment = \"staging\"\n\
         approval = \"none\"\n"
    );
    let same = format!("{}\n", own.replace("[target.erp-demo]", "[target.books]"));
    let nobody = "state = \"state\"\n".to_owned();
    for (name, text, args) in [
        ("erp-demo", &own, &["config"][..]),
        ("erp-demo", &silent, &["config"]),
        ("other", &second, &["config"]),
        ("books", &same, &["config"]),
        ("erp-demo", &nobody, &["config", "--config", "mine.toml"]),
    ] {
        fs::write(&path, text).expect("it is ours");
        let ran = home.steadyhand(args).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let warned = String::from_utf8_lossy(&ran.stderr).into_owned();
        let line = |key: &str| {
            let of = |line: &&str| line.split_whitespace().next() == Some(key);
            said.lines().find(of).unwrap_or_else(|| panic!("{key} in {said}{warned}")).to_owned()
        };
        let approval = line(&format!("target.{name}.approval"));
        assert!(approval.contains("four-eyes") && approval.contains("/etc/"), "{approval}");
        for key in ["approval.signers", "approval.valid"] {
            assert!(line(key).contains("/etc/steadyhand.toml"), "{}", line(key));
        }
        assert!(warned.contains("the stricter holds"), "{name}: {warned}");
        assert!(warned.contains("`signers` of [approval]"), "{name}: {warned}");
    }
    // The walk itself, on a file of casey's own.
    let mut casey = Cockpit::start_in(home, &["resume", "--config", "mine.toml"], WIDE);
    let before = Facts::of(casey.home());
    casey.wait_for("taken up again");
    to_change(&mut casey);
    casey.keys("enter");
    casey.wait_for("a second person must agree");
    casey.keys("enter");
    casey.wait_for("a second person must agree first");
    ask(&mut casey);
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    sign(casey.home(), "stranger", "steadyhand-approval", &bytes);
    casey.wait_for("the signature was refused");
    leave(&mut casey);
    assert_nothing_done(casey.home(), &before);
    let text = told(casey.home());
    assert!(text.contains(r#""kind":"policy","approval":"four-eyes""#), "{text}");
    assert!(text.contains("is not among those of"), "{text}");
}

#[test]
fn the_policy_that_was_in_force_is_in_the_journal_also_where_one_is_enough() {
    let home = scene("confirm", "");
    let text = told(&home);
    assert!(text.contains(r#""kind":"policy","approval":"confirm""#), "{text}");
}

/// What has no preview: a command that writes, and a guardrail that would stand.
const UNSEEN: &str = r#"
id       = "asset-double-assignment"
title    = "A command and a guardrail"
summary  = "Neither can be shown to anybody before it is done."
owner    = "it"
severity = "sev3"

[[step]]
id       = "make"
kind     = "command"
stage    = "contain"
title    = "Make a file"
argv     = ["touch", "made"]
timeout  = "10s"
readonly = false

[[step]]
id       = "count"
kind     = "check"
stage    = "validate"
title    = "How many"
check    = "asset-double-assignment"
expect   = "any"

[[step]]
id       = "stand"
kind     = "guard"
stage    = "close"
title    = "One of each"
apply    = { any = "CREATE UNIQUE INDEX ux_one ON asset_assignments (note) WHERE note = 'one'" }
probe    = { any = "UPDATE asset_assignments SET note = 'one'" }
rejects  = { any = "asset_assignments.note" }
withdraw = { any = "DROP INDEX ux_one" }
"#;

#[test]
fn what_nobody_can_be_shown_is_refused_before_any_words_are_typed() {
    let mut casey = walk::resume(scene_with(UNSEEN, "four-eyes"));
    let before = Facts::of(casey.home());
    casey.wait_for("a command that writes has no preview");
    casey.keys("enter");
    casey.wait_until("it is refused, and said", |screen| {
        screen.matches("erp-demo asks for a second person").count() == 2
    });
    assert!(!casey.screen().contains("erp-demo run"), "{}", casey.screen());
    casey.keys("]");
    casey.wait_for("12 violations");
    casey.keys("]");
    casey.wait_for("One of each");
    casey.keys("enter");
    casey.wait_for("enter apply");
    casey.keys("enter");
    casey.wait_for("erp-demo asks for a second person");
    assert!(!casey.screen().contains("erp-demo apply"), "{}", casey.screen());
    leave(&mut casey);
    assert_nothing_done(casey.home(), &before);
    assert!(!journal(casey.home()).iter().any(|kind| kind == "confirmed"));
    assert!(!casey.home().work().join("made").exists());
}

/// Agreed to, cut off after four of ten chunks, agreed to once more for the rest.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault points are not in release builds")]
fn each_half_of_a_change_in_chunks_has_its_own_request_and_its_own_signature() {
    let home = scene_with(&in_chunks(), "four-eyes").with("STEADYHAND_KILL", "after:chunk-ended:4");
    let mut erp = parcels(&home);
    let robin_agrees = |casey: &mut Cockpit| {
        ask(casey);
        let bytes = fs::read(request(casey.home())).expect("it can be read");
        sign(casey.home(), "robin", "steadyhand-approval", &bytes);
        casey.wait_for("agreed: robin@example.org");
    };
    let mut casey = previewed(home);
    casey.wait_for("1,000 keys exactly");
    robin_agrees(&mut casey);
    confirm(&mut casey, "erp-demo 1000");
    casey.wait_exit();
    let mut casey = at_the_rest(casey.into_home());
    assert_sound(casey.home());
    robin_agrees(&mut casey);
    assert_sound(casey.home());
    confirm(&mut casey, "erp-demo 600");
    casey.wait_for("COMMITTED   1,000 rows");
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(erp.count("SELECT SUM(weight) FROM parcels"), 1000);
    let of = |ending: &str| {
        let all = home.files(&format!("work/state/incidents/{INCIDENT}/requests"));
        all.iter().filter(|path| path.to_string_lossy().ends_with(ending)).count()
    };
    assert_eq!((of(".json"), of(".json.sig")), (2, 2));
    let ran = home.steadyhand(&["verify", "1", "--signers", "signers"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert_eq!(
        said.matches("Good \"steadyhand-approval\" signature for robin").count(),
        2,
        "{said}"
    );
}

/// Alone, cut off after four of ten chunks, asked in vain for the rest, and alone again.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault points are not in release builds")]
fn whoever_goes_alone_twice_is_looked_at_twice() {
    let home =
        scene_with(&in_chunks(), "break-glass").with("STEADYHAND_KILL", "after:chunk-ended:4");
    let mut erp = parcels(&home);
    let mut casey = previewed(home);
    casey.wait_for("1,000 keys exactly");
    go_alone(&mut casey, "erp-demo 1000 break glass");
    casey.wait_exit();
    let mut casey = at_the_rest(casey.into_home());
    ask(&mut casey);
    assert!(casey.screen().contains("They run"), "{}", casey.screen());
    go_alone(&mut casey, "erp-demo 600 break glass");
    casey.wait_for("COMMITTED   1,000 rows");
    leave(&mut casey);
    let home = casey.into_home();
    assert_eq!(erp.count("SELECT SUM(weight) FROM parcels"), 1000);
    let verify = || {
        let args = ["verify", "1", "--signers", "signers"];
        let ran = home.steadyhand(&args).assert().code(0);
        String::from_utf8_lossy(&ran.get_output().stdout).into_owned()
    };
    for open in [2, 1] {
        let said = verify();
        assert_eq!(said.matches("waits for its review").count(), open, "{said}");
        let (code, screen) = review(&home, "robin");
        assert!(code == 0 && screen.contains(&format!("{} more wait here", open - 1)), "{screen}");
    }
    let said = verify();
    assert!(!said.contains("waits for its review"), "{said}");
    let good = "Good \"steadyhand-review\" signature for robin";
    assert_eq!(said.matches(good).count(), 2, "{said}");
}

/// Where a change in chunks was cut off, previewed again: what was agreed to is done, and the rest is
/// another question.
fn at_the_rest(home: Home) -> Cockpit {
    let mut casey = walk::resume(home.with("STEADYHAND_KILL", ""));
    casey.wait_for("did not commit");
    casey.keys("enter");
    casey.wait_gone("did not commit");
    casey.wait_for("enter preview");
    casey.keys("enter");
    casey.wait_for("a second person must agree");
    casey
}

fn parcels(home: &Home) -> common::Sqlite {
    let mut erp = common::Sqlite::open(&walk::database(home));
    erp.run(
        "CREATE TABLE parcels (id INTEGER PRIMARY KEY, weight INTEGER NOT NULL); \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
         INSERT INTO parcels SELECT i, 0 FROM n",
    );
    erp
}

/// The demo's runbook with a change of all parcels in tens of a hundred.
fn in_chunks() -> String {
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

/// The journal as it is on disk.
fn told(home: &Home) -> String {
    let path = home.work().join(format!("state/incidents/{INCIDENT}/journal.jsonl"));
    fs::read_to_string(path).expect("the journal is there")
}

#[test]
fn two_agree_line_by_line() {
    let home = scene("four-eyes", "");
    let mut casey = Cockpit::start_in(home, &["resume", "--plain"], WIDE);
    let before = Facts::of(casey.home());
    casey.wait_output(0, "the first step", |said| said.ends_with("1/10 Stabilise > "));
    let say = |casey: &mut Cockpit, line: &str, answer: &str| {
        let from = casey.bytes();
        casey.send(format!("{line}\r").as_bytes());
        let whole = |said: &str| said.contains(answer) && said.ends_with(" > ");
        casey.wait_output(from, answer, whole)
    };
    say(&mut casey, "]", "12 violations");
    say(&mut casey, "", "step 3");
    say(&mut casey, "]", "step 4");
    say(&mut casey, "]", "step 5");
    say(&mut casey, "]", "enter preview");
    say(&mut casey, "", "a second person must agree");
    say(&mut casey, "ask-second", "waiting for a second person");
    let bytes = fs::read(request(casey.home())).expect("it can be read");
    sign(casey.home(), "robin", "steadyhand-approval", &bytes);
    say(&mut casey, "where", "agreed: robin@example.org");
    say(&mut casey, "", "type the words > ");
    say(&mut casey, CONFIRMATION, "enter alone executes > ");
    say(&mut casey, "", "COMMITTED   26 rows");
    assert_eq!(Facts::of(casey.home()), before.after_change());
}

#[test]
fn two_agree_on_postgresql() {
    let ground = Ground::new(Dialect::Postgres);
    let mut casey = asked(scene_on(&ground, "four-eyes", ""));
    let mut erp = ground.look(&casey.home().work());
    let open = "SELECT COUNT(*) FROM asset_assignments WHERE return_date IS NULL";
    let before = erp.count(open);
    let words = words(&casey.screen());
    // Robin has the same target configured, and looks with a login that may write.
    let text =
        fs::read_to_string(casey.home().work().join("steadyhand.toml")).expect("it is there");
    let home = Home::new().with("USER", "robin");
    let state = text.lines().filter(|line| !line.starts_with("state"));
    home.write("steadyhand.toml", &state.collect::<Vec<_>>().join("\n"));
    let key = casey.home().work().join("keys/robin");
    let mut robin = looking(home, &request(casey.home()), &key);
    assert!(robin.screen().contains("the same rows as asked for"), "{}", robin.screen());
    assert_eq!(erp.count(open), before);
    answer(&mut robin, &words);
    assert_eq!(robin.wait_code(), 0);
    casey.wait_for("agreed: robin@example.org");
    confirm(&mut casey, CONFIRMATION);
    casey.wait_for("COMMITTED   26 rows");
    assert_eq!(erp.count(open), before - 13);
}

#[test]
fn a_request_steers_no_terminal() {
    let casey = asked(scene("four-eyes", ""));
    let text = fs::read_to_string(request(casey.home())).expect("it can be read");
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\r\n\u{8}";
    let mut request: steadyhand::recovery::Request = serde_json::from_str(&text).expect("ours");
    for field in [
        &mut request.incident,
        &mut request.step,
        &mut request.title,
        &mut request.operation,
        &mut request.target.name,
        &mut request.target.environment,
        &mut request.target.server,
        &mut request.undo,
        &mut request.requester.name,
        &mut request.requester.account,
        &mut request.requester.host,
    ] {
        field.push_str(hostile);
    }
    for statement in &mut request.statements {
        statement.note.push_str(hostile);
    }
    for row in &mut request.sample {
        row.changes.push(hostile.into());
        row.key.push_str(hostile);
    }
    request.warnings.push(hostile.into());
    let home = robin(casey.home());
    fs::write(home.work().join("hostile.json"), request.bytes()).expect("the folder is ours");
    for format in ["text", "json"] {
        let args = ["approve", "hostile.json", "--show", "--format", format];
        let ran = home.steadyhand(&args).output().expect("it runs");
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{said}");
        let odd = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!said.contains(odd), "{said:?}");
    }
}
