//! The protocol of recovery: which message is allowed in which state, and what follows.
//!
//! The screen cannot bypass it: an `Approval` has no other maker, is not `Clone`, expires, needs the
//! warrant of everybody who must agree, and is consumed by the execution. Every pair of state and
//! message is decided by name. Pure: the time is an argument, effects are returned as `Ask`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::second::{Seconded, Warrant};
use super::{Execution, Plan, Preview, Request};

/// Permission to commit one previewed plan, once, soon.
#[derive(Debug, PartialEq)]
pub struct Approval {
    preview: Arc<Preview>,
    warrant: Warrant,
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

    pub fn warrant(&self) -> &Warrant {
        &self.warrant
    }

    /// Gives up the approval for the preview it was made from, unless it is too late or this plan
    /// wants more people to agree.
    pub fn spend(self, plan: &Plan, now: Timestamp) -> Result<Arc<Preview>, String> {
        if now > self.expires {
            return Err("the approval had expired; nothing was run".into());
        }
        match self.warrant.objection(plan, &self.preview, now) {
            Some(why) => Err(format!("{why}; nothing was run")),
            None => Ok(self.preview),
        }
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
        /// A second person's, once it is there.
        warrant: Option<Warrant>,
    },
    /// The box with the typed confirmation is open.
    Confirming {
        preview: Arc<Preview>,
        warrant: Warrant,
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

impl State {
    /// What lies before the operator to be approved, and who agreed to it.
    pub fn offered(&self) -> Option<(&Arc<Preview>, Option<&Warrant>)> {
        match self {
            Self::Previewed { preview, warrant } => Some((preview, warrant.as_ref())),
            Self::Confirming { preview, warrant } => Some((preview, Some(warrant))),
            Self::Idle
            | Self::Previewing { .. }
            | Self::Executing { .. }
            | Self::Ended { .. }
            | Self::Failed { .. } => None,
        }
    }
}

/// What the operator or the world says.
#[derive(Debug)]
pub enum Said {
    /// Of the change, or of taking it back.
    Preview {
        run: u64,
        undo: bool,
    },
    PreviewArrived {
        run: u64,
        preview: Box<Preview>,
    },
    PreviewFailed {
        run: u64,
        why: String,
    },
    /// A second person is to be asked.
    AskSecond,
    Seconded(Seconded),
    /// Alone, for this reason.
    BreakGlass {
        reason: String,
    },
    Confirm,
    Typed {
        text: String,
        run: u64,
    },
    Back,
    Ended {
        run: u64,
        execution: Execution,
    },
}

/// What the protocol asks of the world.
#[derive(Debug, PartialEq)]
pub enum Ask {
    Nothing,
    Preview {
        run: u64,
        undo: bool,
    },
    Journal {
        preview: Arc<Preview>,
    },
    /// A request for the second person, of what was previewed.
    Request {
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

/// What must be typed for this preview: the target and the rows; whether it takes a change back,
/// because the hand knows the words of the change by then; and, where nothing can be taken back, that
/// this is known.
pub fn confirmation(plan: &Plan, preview: &Preview) -> String {
    let blind = if preview.undo.impossible.is_some() { " no undo" } else { "" };
    let undo = if plan.undoes.is_some() { "undo " } else { "" };
    format!("{} {undo}{}{blind}", plan.target, preview.asked())
}

/// The same for what is about to be done on this warrant: whoever goes alone says so.
fn words(plan: &Plan, preview: &Preview, warrant: &Warrant) -> String {
    let alone = if warrant.reason().is_some() { " break glass" } else { "" };
    format!("{}{alone}", confirmation(plan, preview))
}

/// Opens the box for the words, if the preview and the warrant allow it now.
fn confirming(
    plan: &Plan,
    preview: Arc<Preview>,
    warrant: Result<Warrant, String>,
    now: Timestamp,
) -> (State, Ask) {
    let agreed = warrant.and_then(|warrant| match objection(plan, &preview, &warrant, now) {
        Some(why) => Err(why),
        None => Ok(warrant),
    });
    let warrant = match agreed {
        Ok(warrant) => warrant,
        Err(why) => {
            // What nobody could agree to is said before who must.
            let why = blocked(plan, &preview, None, now).unwrap_or(why);
            return (State::Previewed { preview, warrant: None }, Ask::Refuse(why));
        }
    };
    let expected = words(plan, &preview, &warrant);
    (State::Confirming { preview, warrant }, Ask::OpenConfirmation { expected })
}

/// One step of the protocol.
#[must_use]
pub fn step(state: State, said: Said, plan: &Plan, now: Timestamp) -> (State, Ask) {
    use State::{Confirming, Ended, Executing, Failed, Idle, Previewed, Previewing};
    let refuse = |text: &str| Ask::Refuse(text.to_owned());
    match (state, said) {
        // A preview may be asked for whenever nothing runs and nothing is being confirmed.
        (Idle | Previewed { .. } | Failed { .. }, Said::Preview { run, undo }) => {
            (Previewing { run }, Ask::Preview { run, undo })
        }
        (
            Ended { execution: Execution::RolledBack { .. } | Execution::Halted { .. } },
            Said::Preview { run, undo },
        ) => (Previewing { run }, Ask::Preview { run, undo }),
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
            (Previewed { preview: preview.clone(), warrant: None }, Ask::Journal { preview })
        }
        (Previewing { run }, Said::PreviewFailed { run: of, why }) if run == of => {
            (Failed { why }, Ask::Nothing)
        }
        (state, Said::PreviewArrived { .. } | Said::PreviewFailed { .. }) => (state, Ask::Nothing),

        (Previewed { preview, warrant }, Said::AskSecond) => {
            let asked = match blocked(plan, &preview, None, now).or_else(|| unshown(&preview)) {
                Some(why) => Ask::Refuse(why),
                None => Ask::Request { preview: preview.clone() },
            };
            (Previewed { preview, warrant }, asked)
        }
        (Previewed { preview, .. }, Said::Seconded(seconded)) => {
            let (warrant, asked) = match Warrant::seconded(plan, &preview, seconded) {
                Ok(warrant) => (Some(warrant), Ask::Nothing),
                Err(why) => (None, Ask::Refuse(why)),
            };
            (Previewed { preview, warrant }, asked)
        }
        (Previewed { preview, .. }, Said::BreakGlass { reason }) => {
            let warrant = match unshown(&preview) {
                Some(why) => Err(why),
                None => Warrant::broken_glass(plan, &preview, &reason),
            };
            confirming(plan, preview, warrant, now)
        }
        (
            state @ (Idle
            | Previewing { .. }
            | Confirming { .. }
            | Executing { .. }
            | Ended { .. }
            | Failed { .. }),
            Said::AskSecond | Said::BreakGlass { .. },
        ) => (state, refuse("there is no preview that could be agreed to")),
        (
            state @ (Idle
            | Previewing { .. }
            | Confirming { .. }
            | Executing { .. }
            | Ended { .. }
            | Failed { .. }),
            Said::Seconded(_),
        ) => (state, Ask::Nothing),

        (Previewed { preview, warrant }, Said::Confirm) => {
            let warrant = warrant.map_or_else(|| Warrant::alone(plan, &preview), Ok);
            confirming(plan, preview, warrant, now)
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

        (Confirming { preview, warrant }, Said::Typed { text, run }) => {
            let expected = words(plan, &preview, &warrant);
            if text != expected {
                return (
                    Confirming { preview, warrant },
                    Ask::Refuse(format!("that is not '{expected}'; nothing was executed")),
                );
            }
            if let Some(why) = objection(plan, &preview, &warrant, now) {
                return (Previewed { preview, warrant: None }, Ask::Refuse(why));
            }
            let op = preview.op.clone();
            let expires = expiry(plan, &preview, Some(&warrant));
            (
                Executing { run, op },
                Ask::Execute { run, approval: Approval { preview, warrant, typed: text, expires } },
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

        (Confirming { preview, warrant }, Said::Back) => {
            // Only what a second person gave outlives the box.
            let warrant = Some(warrant).filter(|warrant| warrant.second().is_some());
            (Previewed { preview, warrant }, Ask::Nothing)
        }
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

/// Until when a preview may be approved: the second person's yes holds as long as it says.
pub fn expiry(plan: &Plan, preview: &Preview, warrant: Option<&Warrant>) -> Timestamp {
    let own = preview.at
        + jiff::SignedDuration::try_from(plan.valid).unwrap_or(jiff::SignedDuration::ZERO);
    warrant.and_then(Warrant::expires).map_or(own, |agreed| agreed.max(own))
}

/// Why a preview cannot be approved, whoever agrees.
fn blocked(
    plan: &Plan,
    preview: &Preview,
    warrant: Option<&Warrant>,
    now: Timestamp,
) -> Option<String> {
    if !preview.refused.is_empty() {
        return Some(format!("refused: {}", preview.refused.join("; ")));
    }
    if now >= expiry(plan, preview, warrant) {
        let minutes = plan.valid.max(Duration::from_mins(1)).as_secs() / 60;
        return Some(format!("this preview is older than {minutes} min: preview again"));
    }
    None
}

/// Why nobody else could be shown what is to be done, now or at a review.
fn unshown(preview: &Preview) -> Option<String> {
    (!Request::fits(preview)).then(|| {
        "the statements are too long to be shown to somebody else; cut the change into smaller ones"
            .into()
    })
}

/// Why a preview cannot be approved on this warrant, if it cannot.
fn objection(plan: &Plan, preview: &Preview, warrant: &Warrant, now: Timestamp) -> Option<String> {
    blocked(plan, preview, Some(warrant), now).or_else(|| warrant.objection(plan, preview, now))
}

#[cfg(test)]
pub(crate) mod tests;
