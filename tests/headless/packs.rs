//! Packs: what is asked of a database that is not a shop.

use super::suite::desk;
use super::{Desk, run};

fn summary(out: &str) -> &str {
    out.lines().last().unwrap()
}

#[test]
fn on_a_database_of_ones_own_the_output_says_how_to_choose_and_the_choice_is_kept() {
    let desk = Desk::new();
    let all = run(&desk.home, &["check", "--target", "erp.db"]);
    assert_eq!(all.code, 3, "{}", all.out);
    let advice = all.out.lines().rev().nth(1).unwrap();
    for said in ["ask for tables that are not there", "[bind.ROLE]", "packs = [\"integrity\"]"] {
        assert!(advice.contains(said), "{said} is missing in {advice}");
    }
    let chosen = run(&desk.home, &["check", "--target", "erp.db", "--pack", "reliability"]);
    let lines = chosen.out.lines().count();
    assert!(lines == 6 + 3 && summary(&chosen.out).starts_with("6 checks"), "{}", chosen.out);
    assert!(chosen.out.contains("or switch them off"), "it was chosen already: {}", chosen.out);
    // In a suite, and not a word of advice where everything was seen.
    let one = "SELECT id FROM asset WHERE id < 0";
    desk.check("fine", "sev3", one);
    let own = desk.run(&["--pack", "own", "--suite", "sev3"]);
    assert_eq!((own.code, own.out.lines().count()), (0, 3), "{}", own.out);
    // A check that is named is asked, whatever pack it is of.
    let named = desk.run(&["--pack", "own", "--check", "self-approval"]);
    assert!(summary(&named.out).starts_with("1 check on"), "{}", named.out);
}

#[test]
fn a_target_names_its_packs_for_every_command() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("fine", "sev3", "SELECT id FROM asset WHERE id < 0");
    let before = std::fs::read_to_string(desk.home.work().join("steadyhand.toml")).unwrap();
    desk.home.write("steadyhand.toml", &format!("{before}packs = [\"own\"]\n"));
    let ran = run(&desk.home, &["check"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("1 check on 1 target") && ran.out.contains("of other packs"));
    let json = run(&desk.home, &["check", "--format", "json"]);
    assert!(json.lines()[1]["summary"]["other_packs"].as_u64().unwrap() > 30, "{}", json.out);
    let gate = run(&desk.home, &["gate", "--baseline", "b.toml", "--update-baseline"]);
    assert_eq!(gate.code, 0, "{}{}", gate.out, gate.err);
    let lint = run(&desk.home, &["lint", "--target", "erp"]);
    assert!(
        lint.out.contains("1 check, 0 runbooks; 1 statement prepared on erp"),
        "{}{}",
        lint.out,
        lint.err
    );
    let history = run(&desk.home, &["history", "--pack", "own"]);
    assert!(history.out.starts_with("fine  SEV-3  erp: clear"), "{}", history.out);
    let other = run(&desk.home, &["history", "--pack", "commerce"]);
    assert_eq!(other.out, "no run of these checks is remembered\n");
    let rehearsed = run(&desk.home, &["rehearse", "--all", "--target", "erp"]);
    assert!(
        rehearsed.code == 4 && rehearsed.err.contains("there is no runbook for erp"),
        "{}{}",
        rehearsed.out,
        rehearsed.err
    );
    // An argument stands above the file.
    let ran = run(&desk.home, &["check", "--pack", "reliability"]);
    assert!(ran.code == 3 && summary(&ran.out).starts_with("6 checks"), "{}", ran.out);
    let config = run(&desk.home, &["config"]);
    assert!(config.out.contains("target.erp.packs"), "{}", config.out);
}

#[test]
fn a_pack_that_there_is_none_of_is_told_with_what_was_meant() {
    let desk = desk(&[("erp", "staging")], "");
    desk.check("fine", "sev3", "SELECT id FROM asset WHERE id < 0");
    for args in [
        &["check", "--pack", "integrty"][..],
        &["gate", "--baseline", "b.toml", "--update-baseline", "--pack", "integrty"],
        &["rehearse", "--target", "erp", "--pack", "integrty"],
        &["grants", "--engine", "postgres", "--pack", "integrty"],
    ] {
        let ran = run(&desk.home, args);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{args:?}");
        assert!(ran.err.contains("did you mean \"integrity\"?"), "{args:?}: {}", ran.err);
    }
    let bare = run(&Desk::new().home, &["lint", "--pack", "integrty"]);
    assert!(bare.code == 4 && bare.err.contains("did you mean \"integrity\"?"), "{}", bare.err);
    let nothing = run(&desk.home, &["check", "--pack", "own", "--suite", "nightly"]);
    assert!(nothing.code == 4 && nothing.err.contains("no check of own is in nightly"));
    let before = std::fs::read_to_string(desk.home.work().join("steadyhand.toml")).unwrap();
    desk.home.write("steadyhand.toml", &format!("{before}packs = [\"integrty\"]\n"));
    let ran = run(&desk.home, &["check"]);
    assert!(ran.code == 4 && ran.err.contains("Did you mean \"integrity\"?"), "{}", ran.err);
    assert!(ran.err.contains("steadyhand.toml:"), "with its place: {}", ran.err);
}

/// A target whose packs have nothing in the suite: nothing was looked at, and so nothing is clear.
#[test]
fn a_run_that_asks_nothing_is_not_clear() {
    let desk = desk(&[("erp", "staging"), ("zoo", "staging")], "");
    let before = std::fs::read_to_string(desk.home.work().join("steadyhand.toml")).unwrap();
    desk.home.write("steadyhand.toml", &format!("{before}packs = [\"own\"]\n"));
    desk.check("fine", "sev3", "SELECT id FROM asset WHERE id < 0");
    let ran = run(&desk.home, &["check", "--target", "zoo", "--suite", "resilience"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("nothing was asked of it"), "{}", ran.out);
    assert!(summary(&ran.out).contains("of other packs"), "{}", ran.out);
    // Where others were asked, each that was not is told.
    let ran = run(&desk.home, &["check", "--suite", "resilience"]);
    assert_eq!(ran.out.matches("nothing was asked of it").count(), 1, "{}", ran.out);
    let known = desk.home.write("known.toml", "");
    let gate = ["gate", "--target", "zoo", "--suite", "resilience", "--baseline", "known.toml"];
    let ran = run(&desk.home, &gate);
    assert_eq!(ran.code, 3, "{}", ran.out);
    let ran = run(&desk.home, &[&gate[..], &["--update-baseline"]].concat());
    assert_eq!(
        (ran.code, std::fs::read_to_string(known).unwrap().as_str()),
        (3, ""),
        "{}",
        ran.out
    );
    let ran = run(&desk.home, &["resilience", "--target", "zoo", "--evidence", "proof"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    for said in ["no check of the suite resilience was asked", "of other packs; evidence in"] {
        assert!(ran.out.contains(said), "{said} is missing in {}", ran.out);
    }
}
