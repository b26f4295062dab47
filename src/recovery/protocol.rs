//! The protocol of recovery: which message is allowed in which state, and what follows.
//!
//! The screen cannot bypass it: an `Approval` has no other maker, is not `Clone`, expires, and is
//! consumed by the execution. Every pair of state and message is decided by name. Pure: the time is
//! an argument, effects are returned as `Ask`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Execution, Plan, Preview};

/// Permission to commit one previewed plan, once, soon.
#[derive(Debug, PartialEq)]
pub struct Approval {
    preview: Arc<Preview>,
    typed: String,
    expires: Timestamp,
}

impl Approval {
    pub fn preview(&self) -> &Preview {
        &self.preview
    }

    pub fn typed(&self) -> &str {
        &self.typed
    }

    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Gives up the approval for the preview it was made from, unless it is too late.
    pub fn spend(self, now: Timestamp) -> Option<Arc<Preview>> {
        (now <= self.expires).then_some(self.preview)
    }
}

/// Where a recovery stands.
#[derive(Debug, Default)]
pub enum State {
    #[default]
    Idle,
    Previewing {
        run: u64,
    },
    Previewed {
        preview: Arc<Preview>,
    },
    /// The box with the typed confirmation is open.
    Confirming {
        preview: Arc<Preview>,
    },
    Executing {
        run: u64,
        op: String,
    },
    Ended {
        execution: Execution,
    },
    Failed {
        why: String,
    },
}

/// What the operator or the world says.
#[derive(Debug)]
pub enum Said {
    Preview { run: u64 },
    PreviewArrived { run: u64, preview: Box<Preview> },
    PreviewFailed { run: u64, why: String },
    Confirm,
    Typed { text: String, run: u64 },
    Back,
    Ended { run: u64, execution: Execution },
}

/// What the protocol asks of the world.
#[derive(Debug, PartialEq)]
pub enum Ask {
    Nothing,
    Preview {
        run: u64,
    },
    Journal {
        preview: Arc<Preview>,
    },
    OpenConfirmation {
        expected: String,
    },
    Execute {
        run: u64,
        approval: Approval,
    },
    /// Tell the operator why this is not possible now.
    Refuse(String),
}

/// What must be typed for this preview: the target and the rows; and, where nothing can be taken
/// back, that this is known.
pub fn confirmation(plan: &Plan, preview: &Preview) -> String {
    let blind = if preview.undo.impossible.is_some() { " no undo" } else { "" };
    format!("{} {}{blind}", plan.target, preview.asked())
}

/// One step of the protocol.
#[must_use]
pub fn step(state: State, said: Said, plan: &Plan, now: Timestamp) -> (State, Ask) {
    use State::{Confirming, Ended, Executing, Failed, Idle, Previewed, Previewing};
    let refuse = |text: &str| Ask::Refuse(text.to_owned());
    match (state, said) {
        // A preview may be asked for whenever nothing runs and nothing is being confirmed.
        (Idle | Previewed { .. } | Failed { .. }, Said::Preview { run }) => {
            (Previewing { run }, Ask::Preview { run })
        }
        (
            Ended { execution: Execution::RolledBack { .. } | Execution::Halted { .. } },
            Said::Preview { run },
        ) => (Previewing { run }, Ask::Preview { run }),
        (state @ Ended { execution: Execution::Committed { .. } }, Said::Preview { .. }) => {
            (state, refuse("this change is already committed; u takes it back"))
        }
        (state @ Ended { execution: Execution::Unknown { .. } }, Said::Preview { .. }) => {
            (state, refuse("the outcome of the last execution must be found out first"))
        }
        (state @ (Previewing { .. } | Executing { .. }), Said::Preview { .. }) => {
            (state, refuse("it is already running"))
        }
        (state @ Confirming { .. }, Said::Preview { .. }) => (state, Ask::Nothing),

        // An answer counts only if it is the one that is waited for.
        (Previewing { run }, Said::PreviewArrived { run: of, preview }) if run == of => {
            let preview = Arc::new(*preview);
            (Previewed { preview: preview.clone() }, Ask::Journal { preview })
        }
        (Previewing { run }, Said::PreviewFailed { run: of, why }) if run == of => {
            (Failed { why }, Ask::Nothing)
        }
        (state, Said::PreviewArrived { .. } | Said::PreviewFailed { .. }) => (state, Ask::Nothing),

        (Previewed { preview }, Said::Confirm) => {
            if let Some(why) = objection(plan, &preview, now) {
                return (Previewed { preview }, Ask::Refuse(why));
            }
            let expected = confirmation(plan, &preview);
            (Confirming { preview }, Ask::OpenConfirmation { expected })
        }
        (state @ (Idle | Failed { .. }), Said::Confirm) => {
            (state, refuse("nothing to confirm yet: preview first"))
        }
        (state @ Previewing { .. }, Said::Confirm) => {
            (state, refuse("the preview is still running"))
        }
        (state @ (Confirming { .. } | Executing { .. } | Ended { .. }), Said::Confirm) => {
            (state, Ask::Nothing)
        }

        (Confirming { preview }, Said::Typed { text, run }) => {
            let expected = confirmation(plan, &preview);
            if text != expected {
                return (
                    Confirming { preview },
                    Ask::Refuse(format!("that is not '{expected}'; nothing was executed")),
                );
            }
            if let Some(why) = objection(plan, &preview, now) {
                return (Previewed { preview }, Ask::Refuse(why));
            }
            let op = preview.op.clone();
            let expires = expiry(plan, &preview);
            (
                Executing { run, op },
                Ask::Execute { run, approval: Approval { preview, typed: text, expires } },
            )
        }
        (
            state @ (Idle
            | Previewing { .. }
            | Previewed { .. }
            | Executing { .. }
            | Ended { .. }
            | Failed { .. }),
            Said::Typed { .. },
        ) => (state, Ask::Nothing),

        (Confirming { preview }, Said::Back) => (Previewed { preview }, Ask::Nothing),
        (
            state @ (Idle
            | Previewing { .. }
            | Previewed { .. }
            | Executing { .. }
            | Ended { .. }
            | Failed { .. }),
            Said::Back,
        ) => (state, Ask::Nothing),

        (Executing { run, .. }, Said::Ended { run: of, execution }) if run == of => {
            (Ended { execution }, Ask::Nothing)
        }
        (state, Said::Ended { .. }) => (state, Ask::Nothing),
    }
}

/// Until when a preview may be approved.
pub fn expiry(plan: &Plan, preview: &Preview) -> Timestamp {
    preview.at + jiff::SignedDuration::try_from(plan.valid).unwrap_or(jiff::SignedDuration::ZERO)
}

/// Why a preview cannot be approved, if it cannot.
pub fn objection(plan: &Plan, preview: &Preview, now: Timestamp) -> Option<String> {
    if !preview.refused.is_empty() {
        return Some(format!("refused: {}", preview.refused.join("; ")));
    }
    if now > expiry(plan, preview) {
        let minutes = plan.valid.max(Duration::from_mins(1)).as_secs() / 60;
        return Some(format!("this preview is older than {minutes} min: preview again"));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::{TableWrites, Tally, UndoRehearsal};
    use super::*;
    use crate::runbook::Limits;

    fn plan() -> Plan {
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
            undoes: None,
            mass: None,
        }
    }

    fn preview() -> Preview {
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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn previewed(preview: Preview) -> State {
        State::Previewed { preview: Arc::new(preview) }
    }

    #[test]
    fn the_right_words_make_an_approval_that_can_be_spent_before_it_expires() {
        let (state, ask) = step(previewed(preview()), Said::Confirm, &plan(), at(1));
        assert_eq!(ask, Ask::OpenConfirmation { expected: "erp 12".into() });
        let typed = Said::Typed { text: "erp 12".into(), run: 7 };
        let (state, ask) = step(state, typed, &plan(), at(2));
        assert!(matches!(state, State::Executing { run: 7, .. }));
        let Ask::Execute { approval, .. } = ask else { panic!("{ask:?}") };
        assert!(approval.spend(at(601)).is_none());
    }

    #[test]
    fn wrong_words_execute_nothing() {
        let (state, _) = step(previewed(preview()), Said::Confirm, &plan(), at(1));
        for text in ["y", "erp", "erp 11", "erp  12", ""] {
            let confirming = match &state {
                State::Confirming { preview } => State::Confirming { preview: preview.clone() },
                other => panic!("{other:?}"),
            };
            let (_, ask) =
                step(confirming, Said::Typed { text: text.into(), run: 1 }, &plan(), at(2));
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
        };
        let (_, ask) = step(State::Ended { execution }, Said::Preview { run: 1 }, &plan(), at(1));
        assert!(matches!(ask, Ask::Refuse(_)));
    }
}
