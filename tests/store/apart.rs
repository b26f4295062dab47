//! What one host did that another could not know of, because it had gone on with the incident.

use std::fs;

use crate::common::walk::{
    CONFIRMATION, Facts, UNDO_CONFIRMATION, confirm, leave, note, preview, to_change,
};
use crate::common::{Cockpit, Home, WIDE};
use crate::ground::{INCIDENT, Store, first, journal, kinds, other, refuse};

const APART: &str = "INC-0002-apart";

fn told(home: &Home, args: &[&str], code: i32) -> (String, String) {
    let ran = home.steadyhand(args).assert().code(code);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&ran.get_output().stdout), text(&ran.get_output().stderr))
}

/// Casey commits while the way to the store is cut, and robin goes on meanwhile.
#[test]
fn a_change_that_was_committed_apart_is_told_and_can_be_taken_back() {
    let (store, mut first) = first(Store::new());
    let before = Facts::of(first.home());
    to_change(&mut first);
    preview(&mut first);
    store.proxy.refuse(true);
    store.proxy.cut();
    first.wait_for("the work goes on here");
    confirm(&mut first, CONFIRMATION);
    first.wait_for("COMMITTED   26 rows");
    first.wait_until("it was proved", |_| kinds(first.home()).contains(&"verified".to_owned()));
    let changed = Facts::of(first.home());
    assert_eq!(changed, before.after_change());
    let mut second = Cockpit::start_in(other(&store, &first), &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    second.wait_for("the store does not know that they left");
    note(&mut second, "robin goes on");
    store.proxy.refuse(false);
    first.wait_for("went on with this incident elsewhere");
    first.keys("enter");
    first.wait_gone("Nothing more is done from here");
    assert!(!first.screen().contains("u undo"), "{}", first.screen());
    leave(&mut first);
    // Whoever has the incident hears of it, and so does whoever looks at it later.
    second.wait_for("went on apart until");
    second.wait_for("COMMITTED: 26 rows");
    second.keys("enter");
    second.wait_gone("Speak with them before anything is changed");
    leave(&mut second);
    assert!(kinds(second.home()).contains(&"wrote-apart".to_owned()));
    let second = second.into_home();
    let (verified, _) = told(&second, &["verify", INCIDENT], 3);
    assert!(verified.contains("COMMITTED: 26 rows"), "{verified}");
    for command in ["handover", "postmortem"] {
        let (page, _) = told(&second, &[command, INCIDENT], 0);
        assert!(page.contains("COMMITTED: 26 rows"), "{page}");
    }
    // The host that lost it sees what everybody sees, and keeps what is its own.
    let (_, said) = told(first.home(), &["verify", INCIDENT], 3);
    assert!(said.contains(APART) && said.contains("different records"), "{said}");
    assert_eq!(kinds(first.home()), kinds(&second));
    let (listed, _) = told(first.home(), &["incidents"], 0);
    assert!(listed.contains(APART), "{listed}");
    told(first.home(), &["verify", APART], 0);
    // It alone can take back what it did, and the others hear of that too.
    let mut second = Cockpit::start_in(second, &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    let mut first = Cockpit::start_in(first.into_home(), &["resume", APART], WIDE);
    first.wait_for("this is what only this host wrote");
    first.wait_for("u undo");
    first.keys("p");
    first.wait_for("u takes it back");
    first.keys("u");
    first.wait_for("enter confirm");
    confirm(&mut first, UNDO_CONFIRMATION);
    second.wait_for("undo COMMITTED");
    assert_eq!(Facts::of(first.home()), changed.after_undo(&before));
    second.keys("enter");
    second.wait_gone("Speak with them before anything is changed");
    leave(&mut first);
    leave(&mut second);
}

/// Nobody opened its own records again since, so that nobody brought them anywhere.
#[test]
fn records_of_a_host_that_went_away_are_set_apart_by_whatever_brings_the_others() {
    let (store, mut first) = first(Store::new());
    store.proxy.refuse(true);
    store.proxy.cut();
    first.wait_for("the work goes on here");
    note(&mut first, "casey does not know");
    leave(&mut first);
    let mut second = Cockpit::start_in(other(&store, &first), &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    second.breathe();
    leave(&mut second);
    assert_eq!(store.server.client("store").rows("SELECT holder FROM steadyhand.incident"), [[""]]);
    store.proxy.refuse(false);
    let mut first = Cockpit::start_in(first.into_home(), &["resume", INCIDENT], WIDE);
    first.wait_for("taken up again");
    first.wait_for("nothing was executed there");
    leave(&mut first);
    let apart = journal(first.home()).with_file_name("").with_file_name(APART);
    let apart = fs::read_to_string(apart.join("journal.jsonl")).expect("it was put there");
    assert!(apart.contains("casey does not know"));
    let kept = store.server.client("store").rows("SELECT line FROM steadyhand.apart");
    assert!(kept.iter().flatten().any(|line| line.contains("casey does not know")), "{kept:?}");
    told(first.home(), &["verify", INCIDENT], 0);
}

/// The store never got the file, so that this host alone has it.
#[test]
fn what_people_wrote_and_files_stay_with_an_incident_whose_records_are_set_apart() {
    let (store, mut first) = first(Store::new());
    refuse(&mut store.server.client("store"), "file", "the disk is full");
    first.keys("]");
    first.wait_for("12 violations");
    first.wait_for("could not be brought and stays where it is");
    let all = kinds(first.home()).len();
    first.wait_until("the store has the record about it", |_| {
        store.count("record") >= i64::try_from(all).expect("few")
    });
    let folder = journal(first.home()).with_file_name("");
    store.proxy.refuse(true);
    store.proxy.cut();
    first.wait_for("the work goes on here");
    note(&mut first, "casey does not know");
    leave(&mut first);
    let part = "<!-- yours: luck -->\nCasey was still awake.\n<!-- end: luck -->\n";
    fs::write(folder.join("postmortem.md"), part).expect("the home is ours");
    fs::create_dir_all(folder.join("drafts")).expect("the home is ours");
    fs::write(folder.join("drafts/note.md"), "half a thought").expect("the home is ours");
    store.server.client("store").run("DROP TRIGGER refuse ON steadyhand.file");
    let mut second = Cockpit::start_in(other(&store, &first), &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    second.breathe();
    leave(&mut second);
    store.proxy.refuse(false);
    let home = first.into_home();
    let (verified, said) = told(&home, &["verify", INCIDENT], 0);
    assert!(said.contains(APART) && said.contains("different records"), "{said}{verified}");
    let (page, _) = told(&home, &["postmortem", INCIDENT], 0);
    assert!(page.contains("Casey was still awake."), "{page}");
    for name in ["drafts/note.md", "postmortem.md"] {
        assert!(folder.join(name).exists(), "{name}");
        assert!(folder.with_file_name(APART).join(name).exists(), "{name}");
    }
}

/// The first time it only wrote; the second time it commits, and nobody else would know.
#[test]
fn a_host_that_goes_on_apart_once_more_is_told_once_more() {
    let (store, mut first) = first(Store::new());
    let cut = |first: &Cockpit| {
        store.proxy.refuse(true);
        store.proxy.cut();
        first.wait_for("the work goes on here");
    };
    cut(&first);
    note(&mut first, "casey does not know");
    let mut second = Cockpit::start_in(other(&store, &first), &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    note(&mut second, "robin goes on");
    store.proxy.refuse(false);
    first.wait_for("went on with this incident elsewhere");
    first.keys("enter");
    first.wait_gone("Nothing more is done from here");
    leave(&mut first);
    second.wait_for("nothing was executed there");
    leave(&mut second);
    let mut first = Cockpit::start_in(first.into_home(), &["resume", INCIDENT], WIDE);
    first.wait_for("taken up again");
    to_change(&mut first);
    preview(&mut first);
    cut(&first);
    confirm(&mut first, CONFIRMATION);
    first.wait_for("COMMITTED   26 rows");
    first.wait_until("it was proved", |_| kinds(first.home()).contains(&"verified".to_owned()));
    let mut second = Cockpit::start_in(second.into_home(), &["resume", INCIDENT], WIDE);
    second.wait_for("taken up again");
    second.wait_for("the store does not know that they left");
    note(&mut second, "robin goes on again");
    store.proxy.refuse(false);
    first.wait_for("went on with this incident elsewhere");
    second.wait_for("COMMITTED: 26 rows");
    second.keys("enter");
    second.wait_gone("Speak with them before anything is changed");
    leave(&mut second);
    first.keys("enter");
    first.wait_gone("Nothing more is done from here");
    leave(&mut first);
    for home in [second.home(), first.home()] {
        let (verified, _) = told(home, &["verify", INCIDENT], 3);
        assert!(verified.contains("COMMITTED: 26 rows"), "{verified}");
        assert!(verified.contains("nothing was executed there"), "{verified}");
        let (card, _) = told(home, &["handover", INCIDENT], 0);
        assert!(card.contains("COMMITTED: 26 rows"), "{card}");
    }
}

#[test]
fn a_store_that_is_heard_again_is_said_while_watching() {
    let (store, mut first) = first(Store::new());
    let (second, wire) = crate::ground::other_with_a_wire(&store, &first);
    let mut second = Cockpit::start_in(second, &["watch", INCIDENT], WIDE);
    second.wait_for("held by casey on ");
    wire.refuse(true);
    wire.cut();
    second.wait_for("whoever worked there may still do");
    wire.refuse(false);
    second.wait_for("the incident store is heard again");
    assert!(!second.screen().contains("may still do"), "{}", second.screen());
    second.keys("q");
    assert_eq!(second.wait_code(), 0);
    leave(&mut first);
}

#[test]
fn a_review_is_told_in_one_way() {
    Home::new().steadyhand(&["approve", "--review", "1", "--format", "json"]).assert().code(4);
}
