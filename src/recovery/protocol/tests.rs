#![allow(clippy::unwrap_used, clippy::panic)]
use super::super::second::Demand;
use super::super::{Limits, TableWrites, Tally, UndoRehearsal};
use super::*;

pub fn plan() -> Plan {
    Plan {
        step: "s".into(),
        title: "t".into(),
        target: "erp".into(),
        actions: Vec::new(),
        cures: Vec::new(),
        must_not_worsen: Vec::new(),
        limits: Limits {
            max_rows: 10,
            time_cap: Duration::from_secs(1),
            lock_wait: Duration::from_secs(1),
            max_blocked: 3,
        },
        valid: Duration::from_mins(10),
        demand: Demand::One,
        undoes: None,
        lacks: None,
        mass: None,
    }
}

pub fn preview() -> Preview {
    Preview {
        op: "op-1".into(),
        at: at(0),
        server: "x".into(),
        statements: Vec::new(),
        writes: vec![TableWrites {
            table: "t".into(),
            direct: Tally { updated: 12, ..Tally::default() },
            hidden: Tally::default(),
        }],
        images: Vec::new(),
        checks: Vec::new(),
        remaining: Vec::new(),
        conflicts: Vec::new(),
        left_alone: 0,
        besides: None,
        undo: UndoRehearsal::default(),
        locks: String::new(),
        seconds: 0.0,
        leaves_behind: Vec::new(),
        warnings: Vec::new(),
        proof: Ok("proved".into()),
        fingerprint: "f".into(),
        refused: Vec::new(),
        chunks: None,
    }
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn previewed(preview: Preview) -> State {
    State::Previewed { preview: Arc::new(preview), warrant: None }
}

#[test]
fn the_right_words_make_an_approval_that_can_be_spent_before_it_expires() {
    let (state, ask) = step(previewed(preview()), Said::Confirm, &plan(), at(1));
    assert_eq!(ask, Ask::OpenConfirmation { expected: "erp 12".into() });
    let typed = Said::Typed { text: "erp 12".into(), run: 7 };
    let (state, ask) = step(state, typed, &plan(), at(2));
    assert!(matches!(state, State::Executing { run: 7, .. }));
    let Ask::Execute { approval, .. } = ask else { panic!("{ask:?}") };
    assert!(approval.spend(&plan(), at(601)).is_err());
}

#[test]
fn wrong_words_execute_nothing() {
    for text in ["y", "erp", "erp 11", "erp  12", ""] {
        let (state, _) = step(previewed(preview()), Said::Confirm, &plan(), at(1));
        let (_, ask) = step(state, Said::Typed { text: text.into(), run: 1 }, &plan(), at(2));
        assert!(matches!(ask, Ask::Refuse(_)), "{text}");
    }
}

#[test]
fn a_stale_preview_cannot_be_confirmed() {
    let (_, ask) = step(previewed(preview()), Said::Confirm, &plan(), at(601));
    assert!(matches!(ask, Ask::Refuse(why) if why.contains("preview again")));
}

#[test]
fn a_preview_that_went_stale_while_typing_executes_nothing() {
    let (state, _) = step(previewed(preview()), Said::Confirm, &plan(), at(599));
    let (_, ask) = step(state, Said::Typed { text: "erp 12".into(), run: 1 }, &plan(), at(601));
    assert!(matches!(ask, Ask::Refuse(_)));
}

#[test]
fn a_refused_preview_cannot_be_confirmed() {
    let refused = Preview { refused: vec!["too many rows".into()], ..preview() };
    let (_, ask) = step(previewed(refused), Said::Confirm, &plan(), at(1));
    assert!(matches!(ask, Ask::Refuse(why) if why.contains("too many rows")));
}

#[test]
fn a_late_answer_of_another_run_changes_nothing() {
    let said = Said::PreviewArrived { run: 1, preview: Box::new(preview()) };
    let (state, ask) = step(State::Previewing { run: 2 }, said, &plan(), at(1));
    assert!(matches!((state, ask), (State::Previewing { run: 2 }, Ask::Nothing)));
}

#[test]
fn typing_outside_the_confirmation_executes_nothing() {
    let said = Said::Typed { text: "erp 12".into(), run: 1 };
    let (_, ask) = step(previewed(preview()), said, &plan(), at(1));
    assert_eq!(ask, Ask::Nothing);
}

#[test]
fn a_committed_change_is_not_previewed_again() {
    let execution = Execution::Committed {
        op: "o".into(),
        rows: 1,
        writes: Vec::new(),
        checks: Vec::new(),
        sound: true,
        said: String::new(),
    };
    let (_, ask) =
        step(State::Ended { execution }, Said::Preview { run: 1, undo: false }, &plan(), at(1));
    assert!(matches!(ask, Ask::Refuse(_)));
}

fn pair(demand: Demand) -> Plan {
    Plan { demand, ..plan() }
}

#[test]
fn where_two_must_agree_nobody_confirms_alone() {
    for demand in [Demand::Pair, Demand::PairOrBreakGlass] {
        let (state, ask) = step(previewed(preview()), Said::Confirm, &pair(demand), at(1));
        assert!(matches!(state, State::Previewed { warrant: None, .. }), "{state:?}");
        assert!(matches!(ask, Ask::Refuse(why) if why.contains("second person")));
    }
}

#[test]
fn an_approval_of_one_is_worth_nothing_where_two_must_agree() {
    let (state, _) = step(previewed(preview()), Said::Confirm, &plan(), at(1));
    let typed = Said::Typed { text: "erp 12".into(), run: 7 };
    let (_, ask) = step(state, typed, &plan(), at(2));
    let Ask::Execute { approval, .. } = ask else { panic!("{ask:?}") };
    assert!(approval.spend(&pair(Demand::PairOrBreakGlass), at(3)).is_err());
}

#[test]
fn glass_is_broken_only_where_the_policy_lets_it_be_with_a_reason_and_other_words() {
    let reason = || "nobody answers the telephone".to_owned();
    let broken = |demand, reason| {
        step(previewed(preview()), Said::BreakGlass { reason }, &pair(demand), at(1))
    };
    assert!(matches!(broken(Demand::Pair, reason()).1, Ask::Refuse(_)));
    assert!(matches!(broken(Demand::PairOrBreakGlass, "because".into()).1, Ask::Refuse(_)));
    let (state, ask) = broken(Demand::PairOrBreakGlass, reason());
    assert_eq!(ask, Ask::OpenConfirmation { expected: "erp 12 break glass".into() });
    let plan = pair(Demand::PairOrBreakGlass);
    let typed = Said::Typed { text: "erp 12 break glass".into(), run: 7 };
    let (_, ask) = step(state, typed, &plan, at(2));
    let Ask::Execute { approval, .. } = ask else { panic!("{ask:?}") };
    assert_eq!(approval.warrant().reason(), Some(reason().as_str()));
    assert!(approval.spend(&pair(Demand::Pair), at(3)).is_err());
    // What was left alone is not lying about.
    let (state, _) = broken(Demand::PairOrBreakGlass, reason());
    let (state, _) = step(state, Said::Back, &plan, at(2));
    assert!(matches!(state, State::Previewed { warrant: None, .. }), "{state:?}");
}
