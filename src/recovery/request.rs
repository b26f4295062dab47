//! Request: what a second person is asked to agree to, whole, in one file.
//!
//! Its bytes are canonical: whoever reads it writes it again and must get the same, so that nothing
//! can stand in it that nobody shows. A signature is over these bytes, and their digest has four
//! words for the telephone. Pure.

mod sample;
mod words;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CheckOutcome, Limits, Plan, Preview, Role, TableWrites, Tally};
use crate::check::Verdict;
use crate::digest::{Running, sha256};
use crate::value::counted;

/// The form of the file.
const FORM: u32 = 1;
/// More bytes than this are no request.
pub const LONGEST: usize = 1 << 20;
/// Nobody agrees to something for longer.
const LONGEST_VALID: SignedDuration = SignedDuration::from_hours(24);
/// What a request may keep an approver's database busy with.
const LONGEST_RUN: Duration = Duration::from_mins(10);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

const BEGIN: &str = "-----BEGIN STEADYHAND REQUEST-----";
const END: &str = "-----END STEADYHAND REQUEST-----";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub form: u32,
    pub incident: String,
    pub step: String,
    pub title: String,
    pub operation: String,
    /// For an undo, the operation it takes back.
    pub undoes: Option<String>,
    pub target: Place,
    pub statements: Vec<Statement>,
    pub sql_sha256: String,
    /// All rows, or all keys of a change in chunks.
    pub rows: u64,
    /// Of a change in chunks: the rest here is its first chunk.
    pub chunks: Option<FirstChunk>,
    pub writes: Vec<TableWrites>,
    pub sample: Vec<Sample>,
    pub checks: Vec<Asked>,
    pub undo: String,
    pub warnings: Vec<String>,
    pub limits: Bounds,
    pub fingerprint: String,
    pub requester: Person,
    pub created: Timestamp,
    pub expires: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub name: String,
    pub engine: String,
    pub environment: String,
    /// The server's own proof of who it is.
    pub server: String,
}

/// With every bound value in it, quoted by the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub note: String,
    pub sql: String,
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstChunk {
    /// How many keys in how many chunks.
    pub told: String,
    /// The fingerprint of the first chunk alone.
    pub fingerprint: String,
}

/// One row, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub table: String,
    pub key: String,
    pub changes: Vec<String>,
}

/// A check that is asked inside the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub check: String,
    pub role: Role,
    pub before: String,
    pub after: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub max_rows: u64,
    pub time_cap_ms: u64,
    pub lock_wait_ms: u64,
    pub max_blocked: u64,
}

/// Whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// As the journal calls them.
    pub name: String,
    /// The account of the process, whatever it calls itself.
    pub account: String,
    pub host: String,
}

impl Person {
    /// Whether a principal of the list of signers is this person: by what stands before the `@`.
    pub fn is(&self, principal: &str) -> bool {
        let local = principal.split('@').next().unwrap_or(principal);
        [&self.name, &self.account].into_iter().any(|name| name.eq_ignore_ascii_case(local))
    }

    pub fn words(&self) -> String {
        if self.name == self.account {
            return format!("{}@{}", self.name, self.host);
        }
        format!("{}@{} (account {})", self.name, self.host, self.account)
    }
}

/// What a plan and its preview do not know.
#[derive(Debug, Clone)]
pub struct About {
    pub incident: String,
    pub engine: String,
    pub environment: String,
    pub requester: Person,
    pub now: Timestamp,
    pub valid: Duration,
}

impl Request {
    pub fn of(plan: &Plan, preview: &Preview, about: About) -> Self {
        let valid = SignedDuration::try_from(about.valid).unwrap_or(LONGEST_VALID);
        let statements: Vec<Statement> = preview
            .statements
            .iter()
            .map(|one| Statement { note: one.note.clone(), sql: one.sql.clone(), rows: one.rows })
            .collect();
        Self {
            form: FORM,
            incident: about.incident,
            step: plan.step.clone(),
            title: plan.title.clone(),
            operation: preview.op.clone(),
            undoes: plan.undoes.clone(),
            target: Place {
                name: plan.target.clone(),
                engine: about.engine,
                environment: about.environment,
                server: preview.server.clone(),
            },
            sql_sha256: sql_sha256(&statements),
            statements,
            rows: preview.asked(),
            chunks: preview.chunks.as_ref().map(|chunks| FirstChunk {
                told: chunks.words(plan.undoes.is_some()),
                fingerprint: chunks.print.clone(),
            }),
            writes: preview.writes.clone(),
            sample: sample::of(preview),
            checks: preview.checks.iter().map(asked).collect(),
            undo: preview.undo.sentence(),
            warnings: [
                &preview.leaves_behind[..],
                preview.besides.as_slice(),
                &preview.warnings[..],
            ]
            .concat(),
            limits: Bounds::of(plan.limits),
            fingerprint: preview.fingerprint.clone(),
            requester: about.requester,
            created: about.now,
            expires: about.now + valid.min(LONGEST_VALID),
        }
    }

    /// Whether it can be shown at all: everything but the statements has an end by itself.
    pub fn fits(preview: &Preview) -> bool {
        let written =
            |text: &String| serde_json::to_string(text).map_or(LONGEST, |text| text.len());
        let long: usize =
            preview.statements.iter().map(|one| written(&one.sql) + written(&one.note)).sum();
        long <= LONGEST / 2
    }

    /// The bytes that are written, digested and signed.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain data");
        bytes.push(b'\n');
        bytes
    }

    pub fn sha256(&self) -> String {
        sha256(&self.bytes())
    }

    /// The name of its file: another request for the same operation is another file.
    pub fn file(&self) -> String {
        const ENOUGH: usize = 12;
        format!("{}-{}.json", self.operation, &self.sha256()[..ENOUGH])
    }

    /// The words that both read to each other.
    pub fn words(&self) -> String {
        words::words(&self.bytes())
    }

    /// For a chat or a terminal, which may break lines and hide what they like.
    pub fn armored(&self) -> String {
        const WIDTH: usize = 76;
        let code = STANDARD.encode(self.bytes());
        let lines: Vec<&str> = (0..code.len())
            .step_by(WIDTH)
            .map(|at| &code[at..(at + WIDTH).min(code.len())])
            .collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }

    /// Reads a file, or a text that went through a chat.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        // A third more as a text, and whatever a chat put around it.
        if bytes.len() > 2 * LONGEST {
            return Err(format!("it has {} bytes, and no request is that long", bytes.len()));
        }
        let begin = bytes.windows(BEGIN.len()).position(|piece| piece == BEGIN.as_bytes());
        let Some(begin) = begin else { return Self::canonical(bytes) };
        let text = std::str::from_utf8(&bytes[begin + BEGIN.len()..])
            .map_err(|_| "it is no text".to_owned())?;
        let (code, _) = text.split_once(END).ok_or("its last line is missing")?;
        let code: String = code.split_whitespace().collect();
        let bytes = STANDARD.decode(code).map_err(|error| format!("it was damaged: {error}"))?;
        Self::canonical(&bytes)
    }

    fn canonical(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LONGEST {
            return Err(format!("it has {} bytes, and no request is that long", bytes.len()));
        }
        let request: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is no approval request: {error}"))?;
        if request.form != FORM {
            return Err(format!("it has form {}, and this version reads {FORM}", request.form));
        }
        if request.bytes() != bytes {
            return Err("it was altered: it is not as this program writes it".into());
        }
        match request.contradiction() {
            Some(why) => Err(format!("it was altered: {why}")),
            None => Ok(request),
        }
    }

    /// What in it does not fit together.
    fn contradiction(&self) -> Option<String> {
        // Numbers of somebody else's file, so that no sum may overflow.
        let all = |tally: Tally| {
            [tally.inserted, tally.updated, tally.deleted].map(u128::from).into_iter().sum::<u128>()
        };
        let written: u128 = self.writes.iter().map(|one| all(one.direct) + all(one.hidden)).sum();
        if sql_sha256(&self.statements) != self.sql_sha256 {
            return Some("its statements are not those of its digest".into());
        }
        if self.chunks.is_none() && written != u128::from(self.rows) {
            return Some(format!(
                "it says {}, and its tables add up to {written}",
                counted(self.rows, "row")
            ));
        }
        let valid = self.expires.duration_since(self.created);
        if valid <= SignedDuration::ZERO || valid > LONGEST_VALID {
            return Some("its times do not fit".into());
        }
        None
    }

    /// What a run of its statements must have as fingerprint.
    pub fn expected(&self) -> &str {
        self.chunks.as_ref().map_or(&self.fingerprint, |first| &first.fingerprint)
    }
}

impl Bounds {
    fn of(limits: Limits) -> Self {
        let ms = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self {
            max_rows: limits.max_rows,
            time_cap_ms: ms(limits.time_cap),
            lock_wait_ms: ms(limits.lock_wait),
            max_blocked: limits.max_blocked,
        }
    }

    pub fn limits(self) -> Limits {
        Limits {
            max_rows: self.max_rows,
            time_cap: Duration::from_millis(self.time_cap_ms).min(LONGEST_RUN),
            lock_wait: Duration::from_millis(self.lock_wait_ms).min(LONGEST_WAIT),
            max_blocked: self.max_blocked,
        }
    }
}

fn sql_sha256(statements: &[Statement]) -> String {
    let mut digest = Running::default();
    for statement in statements {
        digest.eat(statement.sql.as_bytes());
        digest.eat(b"\n");
    }
    digest.finish()
}

fn asked(outcome: &CheckOutcome) -> Asked {
    let words = |verdict: &Verdict| match (verdict.reading(), verdict.violations()) {
        (Some(reading), _) => reading.to_string(),
        (None, Some(violations)) => violations.to_string(),
        (None, None) => "could not be checked".into(),
    };
    let CheckOutcome { check, role, before, after } = outcome;
    Asked { check: check.clone(), role: *role, before: words(before), after: words(after) }
}
