//! Who goes alone, where a policy lets them: they say why, and somebody looks at it afterwards.

use crate::common::walk::{CONFIRMATION, Facts, assert_sound, leave};
use crate::common::{Cockpit, Home, Terminal, WIDE};
use crate::ground::{
    BIN, answer, ask, at_the_rest, done, in_chunks, parcels, previewed, scene, scene_with, shell,
};

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
    let home = done(casey, &before, &["glass-broken", "approved"]);
    let said = |args: &[&str]| {
        let ran = home.steadyhand(args).output().expect("it runs");
        let (out, err) = (ran.stdout, ran.stderr);
        (ran.status.code(), String::from_utf8_lossy(&[out, err].concat()).into_owned())
    };
    let open = "Review what was done without a second person";
    assert!(said(&["postmortem", "1"]).1.contains(open));
    assert!(said(&["incidents"]).1.contains("review due"), "{}", said(&["incidents"]).1);
    assert!(said(&["verify", "1"]).1.contains("waits for its review"));

    // What was unpacked where somebody stands is not what is reviewed.
    shell(&home.work(), "cp -r state/incidents/INC-0001 .");
    let (code, screen) = review(&home, "casey");
    assert!(code == 5 && screen.contains("somebody else must review it"), "{screen}");
    let (code, screen) = review(&home, "stranger");
    assert!(code == 5 && screen.contains("is not among those of"), "{screen}");
    let (code, screen) = review(&home, "robin");
    assert!(code == 0 && screen.contains("is recorded"), "{screen}");
    shell(&home.work(), "rm -r INC-0001");
    assert!(!said(&["postmortem", "1"]).1.contains(open));
    assert!(said(&["postmortem", "1"]).1.contains("right, and rightly alone"));
    assert!(!said(&["incidents"]).1.contains("review due"));
    assert_sound(&home);
    // An auditor's own list may know the reviewer as the one who did it.
    shell(&home.work(), "sed 's/robin@/casey@/' signers > of-an-auditor");
    let (code, page) = said(&["verify", "1", "--signers", "of-an-auditor"]);
    assert!(code == Some(2) && page.contains("whose key signed it by this list"), "{page}");
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

/// The question stood on two screens.
#[test]
fn what_somebody_reviewed_meanwhile_is_not_reviewed_again() {
    let mut casey = previewed(scene("break-glass", ""));
    go_alone(&mut casey, &format!("{CONFIRMATION} break glass"));
    casey.wait_for("COMMITTED");
    leave(&mut casey);
    let home = casey.into_home();
    let late = reviewing(&home, "robin");
    let (code, screen) = review(&home, "robin");
    assert!(code == 0 && screen.contains("is recorded"), "{screen}");
    let (code, screen) = say(late, "I looked as well");
    assert!(code == 5 && screen.contains("was reviewed meanwhile"), "{screen}");
    assert!(screen.contains("nothing was recorded"), "{screen}");
    assert_sound(&home);
    home.steadyhand(&["verify", "1", "--signers", "signers"]).assert().code(0);
}

/// Whoever went alone has the incident still open, as a rule: nobody writes and signs for nothing.
#[test]
fn what_somebody_works_on_is_reviewed_when_they_have_left_it() {
    let mut casey = previewed(scene("break-glass", ""));
    go_alone(&mut casey, &format!("{CONFIRMATION} break glass"));
    casey.wait_for("COMMITTED");
    let home = casey.home();
    let key = home.work().join("keys/robin").to_string_lossy().into_owned();
    let args = ["approve", "--review", "1", "--key", &key];
    let ran = Terminal::start(BIN, &args, &home.environment(), &home.work(), (120, 90));
    assert_eq!(ran.wait_code(), 5, "{}", ran.screen());
    let screen = ran.screen();
    assert!(screen.contains("has this incident open: casey on "), "{screen}");
    assert!(screen.contains("review it when they have left the incident"), "{screen}");
    assert!(!screen.contains("What did your review find?"), "{screen}");
    leave(&mut casey);
    // Somebody goes on with it while the reviewer writes.
    let home = casey.into_home();
    let late = reviewing(&home, "robin");
    let mut casey = Cockpit::start_in(home, &["resume"], WIDE);
    casey.wait_for("taken up again");
    let (code, screen) = say(late, "right, and rightly alone");
    assert!(code == 5 && screen.contains("has this incident open: casey on "), "{screen}");
    assert!(screen.contains("what you wrote: right, and rightly alone"), "{screen}");
    leave(&mut casey);
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
    say(reviewing(home, key), "right, and rightly alone")
}

/// At the question what the review found.
fn reviewing(home: &Home, key: &str) -> Terminal {
    let key = home.work().join("keys").join(key).to_string_lossy().into_owned();
    let args = ["approve", "--review", "INC-0001", "--key", &key];
    let terminal = Terminal::start(BIN, &args, &home.environment(), &home.work(), (120, 90));
    terminal.wait_for("\nWhat did your review find?");
    terminal
}

fn say(mut terminal: Terminal, remark: &str) -> (u32, String) {
    answer(&mut terminal, remark);
    (terminal.wait_code(), terminal.screen())
}
