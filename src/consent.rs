//! Consent: the words that somebody typed for one act, and the only thing that lets it be done.
//!
//! A change has a protocol of its own, which binds an approval to a preview (`recovery`). Whatever else
//! writes asks here: a guardrail that is applied or withdrawn, a command that is not read-only, a
//! session that is ended. Pure: the time is an argument.

use jiff::{SignedDuration, Timestamp};

/// From the words to the act; nothing but a connection lies between them.
const VALID: SignedDuration = SignedDuration::from_mins(1);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    ApplyGuardrail { step: String },
    WithdrawGuardrail { step: String },
    RunCommand { step: String },
    EndSession { mark: String },
}

impl Act {
    fn verb(&self) -> &'static str {
        match self {
            Self::ApplyGuardrail { .. } => "apply",
            Self::WithdrawGuardrail { .. } => "withdraw",
            Self::RunCommand { .. } => "run",
            Self::EndSession { .. } => "end",
        }
    }
}

/// What the operator is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub act: Act,
    pub target: String,
}

impl Question {
    /// What must be typed.
    pub fn words(&self) -> String {
        format!("{} {}", self.target, self.act.verb())
    }

    /// Only the right words make a consent.
    pub fn answer(&self, typed: &str, now: Timestamp) -> Result<Consent, String> {
        let words = self.words();
        if typed == words {
            Ok(Consent { question: self.clone(), expires: now + VALID })
        } else {
            Err(format!("that is not '{words}'; nothing was executed"))
        }
    }
}

/// Permission to do one thing on one target, once, at once. It has no other maker.
#[derive(Debug, PartialEq, Eq)]
pub struct Consent {
    question: Question,
    expires: Timestamp,
}

impl Consent {
    pub fn act(&self) -> &Act {
        &self.question.act
    }

    pub fn typed(&self) -> String {
        self.question.words()
    }

    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Gives it up for this act on this target, unless it was given for another one or too long ago.
    pub fn spend(self, act: &Act, target: &str, now: Timestamp) -> Result<(), String> {
        if self.question.act != *act || self.question.target != target {
            return Err("something else was confirmed; nothing was executed".into());
        }
        if now > self.expires {
            return Err("the confirmation had expired; nothing was executed".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn question() -> Question {
        Question { act: Act::ApplyGuardrail { step: "never".into() }, target: "erp".into() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn only_the_exact_words_make_a_consent() {
        for typed in
            ["", "y", "erp", "apply", "erp  apply", "erp apply ", "erp withdraw", "ERP apply"]
        {
            assert!(question().answer(typed, at(0)).is_err(), "{typed}");
        }
        let consent = question().answer("erp apply", at(0)).unwrap();
        assert_eq!(consent.spend(&question().act, "erp", at(60)), Ok(()));
    }

    #[test]
    fn it_is_good_for_one_act_on_one_target_for_a_short_time() {
        let given = || question().answer("erp apply", at(0)).unwrap();
        let other = Act::WithdrawGuardrail { step: "never".into() };
        assert!(given().spend(&other, "erp", at(1)).is_err());
        assert!(given().spend(&Act::ApplyGuardrail { step: "x".into() }, "erp", at(1)).is_err());
        assert!(given().spend(&question().act, "erp-2", at(1)).is_err());
        assert!(given().spend(&question().act, "erp", at(61)).is_err());
    }
}
