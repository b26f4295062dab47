//! Files of evidence and requests go along, and so does a review.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::proxy::{Fault, Moment};
use crate::common::walk::{CONFIRMATION, leave, note, to_change};
use crate::common::{Cockpit, Home, WIDE};
use crate::ground::{
    INCIDENT, Store, first, journal, kept_files, kinds, other, other_with_a_wire, previewed,
    refuse, with_a_request,
};

#[test]
fn another_host_has_every_file_of_the_incident_it_goes_on_with() {
    let (store, first) = with_a_request();
    let files = kept_files(first.home());
    assert!(files.iter().any(|file| file.starts_with("requests")), "{files:?}");
    let second = other(&store, &first);
    second.steadyhand(&["verify", INCIDENT]).assert().code(0);
    assert_eq!(kept_files(&second), files);
    // The list of incidents needs no files; whoever goes on with one does, however they get there.
    let third = other(&store, &first);
    third.steadyhand(&["incidents"]).assert().code(0);
    assert_eq!(kept_files(&third), Vec::<PathBuf>::new());
    let mut third = Cockpit::start_in(third, &["resume"], WIDE);
    third.wait_for("taken up again");
    leave(&mut third);
    // It counts for itself as well.
    let there = kept_files(third.home());
    assert!(files.iter().all(|file| there.contains(file)), "{there:?}");
}

#[test]
fn a_file_that_cannot_be_laid_down_costs_nobody_the_lease() {
    let (store, first) = with_a_request();
    let second = other(&store, &first);
    second.steadyhand(&["incidents"]).assert().code(0);
    let folder = journal(&second).with_file_name("");
    let files = kept_files(first.home());
    let file = files.iter().find(|file| file.starts_with("requests")).expect("there is one");
    fs::create_dir_all(folder.join(file)).expect("the home is ours");
    let mut second = Cockpit::start_in(second, &["resume"], WIDE);
    second.wait_for("taken up again");
    note(&mut second, "robin goes on");
    leave(&mut second);
    let ours = fs::read_to_string(journal(second.home())).expect("a journal").lines().count();
    assert_eq!(store.count("record"), i64::try_from(ours).expect("few"));
}

#[test]
fn a_file_that_was_not_brought_is_told_from_one_that_went_missing() {
    let (store, first) = with_a_request();
    store.server.client("store").run("DELETE FROM steadyhand.file WHERE path LIKE 'requests/%'");
    let second = other(&store, &first);
    let told = |home: &Home, code: i32| {
        let ran = home.steadyhand(&["verify", INCIDENT]).assert().code(code);
        String::from_utf8_lossy(&ran.get_output().stdout).into_owned()
    };
    let said = told(&second, 3);
    assert!(said.contains("was not brought here") && !said.contains("missing"), "{said}");
    // Whoever gets a bundle of it is told what is not inside, and where it lies.
    let made = second.steadyhand(&["bundle", INCIDENT, "--output", "one.tar"]).assert().code(3);
    let made = String::from_utf8_lossy(&made.get_output().stdout).into_owned();
    assert!(made.contains("not in it: requests/"), "{made}");
    assert!(made.contains("it lies on the host where casey wrote record"), "{made}");
    let auditor = Home::new();
    fs::copy(second.work().join("one.tar"), auditor.work().join("one.tar")).expect("it was made");
    let read = auditor.steadyhand(&["verify", "one.tar"]).assert().code(3);
    let read = String::from_utf8_lossy(&read.get_output().stdout).into_owned();
    assert!(read.contains("was not brought here"), "{read}");
    assert!(read.contains("it lies on the host where casey wrote record"), "{read}");
    assert!(!read.contains("missing"), "{read}");
    let preview = kept_files(&second).remove(0);
    let folder = journal(&second).with_file_name("");
    fs::remove_file(folder.join(&preview)).expect("it was brought");
    let said = told(&second, 2);
    assert!(said.contains(&format!("{} is missing", preview.display())), "{said}");
}

/// The store takes records, and no files: neither the lease nor a record waits for that.
#[test]
fn a_file_that_the_store_does_not_take_costs_its_holder_nothing_but_the_file() {
    let (store, mut first) = first(Store::new());
    let mut server = store.server.client("store");
    to_change(&mut first);
    refuse(&mut server, "file", "no room for a file");
    let mut holder = || server.scalar("SELECT pid::text FROM pg_locks WHERE locktype = 'advisory'");
    let before = holder();
    // What is told stands there until the next key.
    first.keys("enter");
    first.wait_for("could not be brought and stays where it is");
    note(&mut first, "and goes on");
    let second = Cockpit::start_in(other(&store, &first), &["watch", INCIDENT], WIDE);
    second.wait_for("held by casey on ");
    second.wait_for("and goes on");
    assert_eq!(holder(), before);
    server.run("DROP TRIGGER refuse ON steadyhand.file");
    leave(&mut first);
    // The next shift brings it.
    let mut first = Cockpit::start_in(first.into_home(), &["resume"], WIDE);
    first.wait_for("taken up again");
    first.wait_until("the files are there", |_| {
        store.count("file") == i64::try_from(kept_files(first.home()).len()).expect("few")
    });
    leave(&mut first);
}

#[test]
fn whoever_goes_on_does_not_wait_for_files() {
    let (store, first) = with_a_request();
    let (second, wire) = other_with_a_wire(&store, &first);
    wire.arm(Fault::StallAt(b"SELECT bytes FROM steadyhand.file".to_vec(), Moment::Held));
    let mut second = Cockpit::start_in(second, &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    note(&mut second, "robin goes on");
    second.wait_until("the record is there", |_| {
        store.count("record") == i64::try_from(kinds(second.home()).len()).expect("few")
    });
    let files = kept_files(first.home());
    let there = kept_files(second.home());
    assert!(!files.iter().any(|file| there.contains(file)), "{there:?}");
    let said = second.home().steadyhand(&["verify", INCIDENT]).assert().code(3);
    let said = String::from_utf8_lossy(&said.get_output().stdout).into_owned();
    assert!(said.contains("was not brought here") && !said.contains("missing"), "{said}");
    wire.cut();
    second.wait_until("they come behind", |_| {
        let there = kept_files(second.home());
        files.iter().all(|file| there.contains(file))
    });
    leave(&mut second);
    second.home().steadyhand(&["verify", INCIDENT]).assert().code(0);
}

#[test]
fn a_file_that_cannot_be_laid_down_hides_nobody() {
    let (store, mut first) = previewed("four-eyes");
    first.keys("a");
    first.wait_for("waiting for a second person");
    let second = other(&store, &first);
    second.steadyhand(&["incidents"]).assert().code(0);
    let files = kept_files(first.home());
    let file = files.iter().find(|file| file.starts_with("requests")).expect("there is one");
    fs::create_dir_all(journal(&second).with_file_name("").join(file)).expect("ours");
    fs::remove_file(journal(&second).with_file_name("elsewhere.json")).expect("it is there");
    second.steadyhand(&["verify", INCIDENT]).assert().code(2);
    let said = fs::read_to_string(journal(&second).with_file_name("elsewhere.json"));
    assert!(said.expect("the store said it").contains("casey"));
    leave(&mut first);
}

/// Robin's host, with a key of robin's that may review.
fn reviewer(store: &Store, first: &Cockpit) -> Home {
    let home = other(store, first);
    may_review(&home);
    home
}

fn may_review(home: &Home) {
    let path = home.work().join("steadyhand.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    fs::write(path, text + "[approval]\nsigners = \"signers\"\nkey = \"key\"\n").expect("ours");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "robin", "-f", "key"])
        .current_dir(home.work())
        .status();
    assert!(made.expect("ssh-keygen can be run").success());
    let key = fs::read_to_string(home.work().join("key.pub")).expect("it was made");
    home.write("signers", &format!("robin@example.org {key}"));
}

/// Casey went alone, and somebody will review it.
fn alone() -> (Store, Cockpit) {
    let (store, mut first) = previewed("break-glass");
    first.keys("!");
    first.wait_for("It is recorded, and somebody will review it");
    first.type_text("nobody answers and stock is blocked");
    first.breathe();
    first.keys("enter");
    first.wait_for("esc leaves it alone");
    first.type_text(&format!("{CONFIRMATION} break glass"));
    first.breathe();
    first.keys("enter");
    first.wait_for("COMMITTED   26 rows");
    (store, first)
}

#[test]
fn a_signature_that_could_not_be_brought_is_told() {
    let (store, mut first) = alone();
    leave(&mut first);
    let (second, wire) = other_with_a_wire(&store, &first);
    may_review(&second);
    let asked = ["approve", "--review", INCIDENT];
    let mut second = Cockpit::start_in(second, &asked, (120, 90));
    second.wait_for("What did your review find?");
    wire.arm(Fault::HoldAt(b"INSERT INTO steadyhand.file".to_vec(), Moment::Held));
    second.type_text("right");
    second.keys("enter");
    wire.wait();
    wire.refuse(true);
    wire.cut();
    second.wait_for("review.sig could not be brought and stays where it is");
    assert_eq!(second.wait_code(), 0, "{}", second.screen());
}

#[test]
fn a_review_on_another_host_is_of_the_one_chain() {
    let (store, mut first) = alone();
    let asked = ["approve", "--review", INCIDENT];
    let answer = |second: &mut Cockpit| {
        second.wait_for("What did your review find?");
        second.type_text("right, and rightly alone");
        second.keys("enter");
    };
    // While casey works on it nobody is asked.
    let second = Cockpit::start_in(reviewer(&store, &first), &asked, (120, 90));
    second.wait_for("nothing was recorded");
    assert_ne!(second.wait_code(), 0);
    let theirs = fs::read(journal(second.home())).expect("it was brought");
    note(&mut first, "casey is not disturbed");
    leave(&mut first);
    // Casey comes back while the question stands there, and what this host knew of that is gone.
    let mut second = Cockpit::start_in(second.into_home(), &asked, (120, 90));
    second.wait_for("What did your review find?");
    let brought = fs::read(journal(second.home())).expect("it was brought");
    assert!(brought.len() > theirs.len());
    let mut first = Cockpit::start_in(first.into_home(), &["resume", INCIDENT], WIDE);
    first.wait_for("taken up again");
    let _ = fs::remove_file(journal(second.home()).with_file_name("elsewhere.json"));
    answer(&mut second);
    assert_ne!(second.wait_code(), 0);
    assert!(second.screen().contains("nothing was recorded"), "{}", second.screen());
    assert!(second.screen().contains("what you wrote: right, and"), "{}", second.screen());
    assert_eq!(fs::read(journal(second.home())).expect("a journal"), brought);
    leave(&mut first);
    let mut second = Cockpit::start_in(second.into_home(), &asked, (120, 90));
    answer(&mut second);
    second.wait_for("is recorded");
    assert_eq!(second.wait_code(), 0);
    // It is there for everybody, with its signature.
    first.home().steadyhand(&["verify", INCIDENT]).assert().code(0);
    let (here, there) = (fs::read(journal(first.home())), fs::read(journal(second.home())));
    assert_eq!(here.expect("a journal"), there.expect("a journal"));
    assert_eq!(kept_files(first.home()), kept_files(second.home()));
    // Of what was not brought nothing is known, which accuses nobody.
    for gone in ["%.review.sig", "requests/%"] {
        let delete = format!("DELETE FROM steadyhand.file WHERE path LIKE '{gone}'");
        store.server.client("store").run(&delete);
        let third = other(&store, &first);
        let told = third.steadyhand(&["verify", INCIDENT]).assert().code(3);
        let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
        assert!(told.contains("not checked: requests/"), "{told}");
    }
}

/// A member of the group can lay down who asks, and the record says it.
#[test]
fn no_text_of_a_record_brings_a_file_to_the_store() {
    let (store, mut first) = first(Store::new());
    first.home().write("private", "a private key");
    let folder = journal(first.home());
    let folder = folder.parent().expect("it lies in a folder");
    let asked = r#"{"by":{"login":"evidence/../../../../private","host":"x","pid":1},"at":"2026-01-01T00:00:00Z"}"#;
    fs::write(folder.join("take-over.json"), asked).expect("the folder is ours");
    first.wait_for("Answer later");
    first.breathe();
    first.keys("enter");
    first.wait_gone("Answer later");
    leave(&mut first);
    let told = fs::read_to_string(journal(first.home())).expect("a journal");
    assert!(told.contains("\"evidence/../../../../private\""), "{told}");
    let kept = store.server.client("store").rows("SELECT path FROM steadyhand.file");
    assert!(!kept.iter().flatten().any(|path| path.contains("private")), "{kept:?}");
}

/// Casey asks on one host; robin, on another, finds the request there. The signature goes back through a
/// chat.
#[test]
fn a_request_of_one_host_is_answered_on_another() {
    let (store, mut first) = previewed("four-eyes");
    let second = reviewer(&store, &first);
    fs::copy(second.work().join("signers"), first.home().work().join("signers")).expect("a list");
    first.keys("a");
    first.wait_for("waiting for a second person");
    let robin = Cockpit::start_in(second, &["watch", INCIDENT], WIDE);
    robin.wait_for("a second person was asked");
    // While it is laid down it has another name.
    let is_request = |file: &PathBuf| {
        file.starts_with("requests") && file.extension().is_some_and(|ending| ending == "json")
    };
    let brought = || kept_files(robin.home()).into_iter().find(is_request);
    robin.wait_until("the request is there", |_| brought().is_some());
    let file = journal(robin.home()).with_file_name(brought().expect("it is there"));
    let file = file.to_string_lossy().into_owned();
    let mut signing = robin.beside("robin", &["approve", &file, "--key", "key"], (120, 90));
    signing.wait_for("Type the four words to agree");
    let screen = first.screen();
    let (_, words) = screen.split_once("Words").expect("they are on the screen");
    let words: Vec<&str> = words.split_whitespace().take(4).collect();
    signing.type_text(&words.join(" "));
    signing.keys("enter");
    assert_eq!(signing.wait_code(), 0, "{}", signing.screen());
    let signature = fs::read_to_string(format!("{file}.sig")).expect("it was signed");
    first.keys("i");
    first.wait_for("The signature, from BEGIN to END");
    first.paste(&signature);
    first.wait_for("END SSH SIGNATURE");
    first.keys("ctrl-o");
    first.wait_for("agreed: robin@example.org");
    leave(&mut first);
}
