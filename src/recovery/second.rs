//! Second: how many people must agree to a change, and the proof that they did.
//!
//! ```text
//!   Demand::One    ──────────────────────────────────▶ Warrant ─▶ (typed words) ─▶ Approval
//!   Demand::Pair   ── Request ─ signature ─▶ Seconded ──▲ ▲
//!   Demand::PairOrBreakGlass  ── reason ──────────────────┘
//! ```
//!
//! No approval is made without a warrant, and nothing makes one but the three functions here. Each is
//! for one operation with one fingerprint, and says so again when it is spent. Pure.

use jiff::Timestamp;

use super::request::Request;
use super::{Plan, Preview};
use crate::signature::{Purpose, Verified};

/// Who must agree, from the least to the most that can be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    #[default]
    One,
    /// A second person; or one who says why, and is looked at afterwards.
    PairOrBreakGlass,
    Pair,
}

/// That a second person signed this very request, in time.
#[derive(Debug, PartialEq, Eq)]
pub struct Seconded {
    signer: String,
    request: Box<Request>,
    verified: Verified,
}

impl Seconded {
    /// Holds a good signature against the request that was made, and against who made it.
    pub fn of(request: &Request, verified: &Verified, now: Timestamp) -> Result<Self, String> {
        if verified.purpose() != Purpose::Approval {
            return Err("the signature was given for something else".into());
        }
        if verified.sha256() != request.sha256() {
            return Err("the signature is for another request".into());
        }
        if now > request.expires {
            let at = request.expires.strftime("%H:%M:%S");
            return Err(format!("the request expired at {at} UTC"));
        }
        if let Some(own) = own_key(request, verified) {
            return Err(format!(
                "{own} asked for it, and whoever asks cannot be the second person"
            ));
        }
        Ok(Self {
            signer: verified.signers().join(", "),
            request: Box::new(request.clone()),
            verified: verified.clone(),
        })
    }

    pub fn signer(&self) -> &str {
        &self.signer
    }

    pub fn key(&self) -> &str {
        self.verified.key()
    }

    pub fn operation(&self) -> &str {
        &self.request.operation
    }

    /// What was asked and what proves the answer, to be asked again.
    pub fn proof(&self) -> (Request, Verified) {
        ((*self.request).clone(), self.verified.clone())
    }
}

/// The requester, if the key that signed is theirs.
pub fn own_key<'a>(request: &Request, verified: &'a Verified) -> Option<&'a str> {
    let all = verified.signers().iter().map(String::as_str);
    all.into_iter().find(|signer| request.requester.is(signer))
}

/// That enough people agreed to one operation.
#[derive(Debug, PartialEq, Eq)]
pub struct Warrant {
    by: By,
    operation: String,
    fingerprint: String,
}

#[derive(Debug, PartialEq, Eq)]
enum By {
    One,
    Second(Box<Seconded>),
    BrokenGlass { reason: String },
}

impl Warrant {
    /// Where one person is enough.
    pub fn alone(plan: &Plan, preview: &Preview) -> Result<Self, String> {
        Self::new(By::One, preview).fitting(plan, preview)
    }

    /// For exactly what the second person saw.
    pub fn seconded(plan: &Plan, preview: &Preview, seconded: Seconded) -> Result<Self, String> {
        let Request { operation, fingerprint, .. } = (*seconded.request).clone();
        Self { by: By::Second(Box::new(seconded)), operation, fingerprint }.fitting(plan, preview)
    }

    /// Alone, where the policy lets somebody who says why.
    pub fn broken_glass(plan: &Plan, preview: &Preview, reason: &str) -> Result<Self, String> {
        const WORDS: usize = 3;
        if reason.split_whitespace().count() < WORDS {
            return Err(format!("say why in at least {WORDS} words; it will be reviewed"));
        }
        let by = By::BrokenGlass { reason: reason.to_owned() };
        Self::new(by, preview).fitting(plan, preview)
    }

    fn new(by: By, preview: &Preview) -> Self {
        Self { by, operation: preview.op.clone(), fingerprint: preview.fingerprint.clone() }
    }

    fn fitting(self, plan: &Plan, preview: &Preview) -> Result<Self, String> {
        self.fits(plan, preview).map(|()| self)
    }

    fn fits(&self, plan: &Plan, preview: &Preview) -> Result<(), String> {
        let lacking = match (&self.by, plan.demand) {
            (By::Second(_), _)
            | (By::One, Demand::One)
            | (By::BrokenGlass { .. }, Demand::One | Demand::PairOrBreakGlass) => None,
            (By::One, Demand::Pair) => Some("a second person must agree first: a asks one"),
            (By::One, Demand::PairOrBreakGlass) => {
                Some("a second person must agree first: a asks one, ! goes alone")
            }
            (By::BrokenGlass { .. }, Demand::Pair) => {
                Some("the policy of this target lets nobody go alone: a asks a second person")
            }
        };
        if let Some(why) = lacking {
            return Err(why.into());
        }
        if self.operation != preview.op || self.fingerprint != preview.fingerprint {
            return Err("what was agreed to is not what was previewed".into());
        }
        Ok(())
    }

    /// Why it does not allow this now, if it does not.
    pub fn objection(&self, plan: &Plan, preview: &Preview, now: Timestamp) -> Option<String> {
        if let Err(why) = self.fits(plan, preview) {
            return Some(why);
        }
        let late = self.expires().is_some_and(|expires| now > expires);
        late.then(|| "the request expired: preview and ask again".into())
    }

    /// Until when a second person agreed.
    pub fn expires(&self) -> Option<Timestamp> {
        self.seconded_by().map(|seconded| seconded.request.expires)
    }

    /// The second person.
    pub fn second(&self) -> Option<&str> {
        self.seconded_by().map(Seconded::signer)
    }

    pub fn seconded_by(&self) -> Option<&Seconded> {
        match &self.by {
            By::Second(seconded) => Some(seconded),
            By::One | By::BrokenGlass { .. } => None,
        }
    }

    /// Why somebody goes alone.
    pub fn reason(&self) -> Option<&str> {
        match &self.by {
            By::BrokenGlass { reason } => Some(reason),
            By::One | By::Second(_) => None,
        }
    }
}
