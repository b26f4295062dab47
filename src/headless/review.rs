//! `steadyhand approve --review`: somebody else looks at what was done alone, and says so under a
//! signature in the journal. A bundle and a postmortem carry it as open until then.

use std::fs;
use std::path::{Path, PathBuf};

use super::approve::{key, signed};
use super::tty::Tty;
use super::{Out, unfound};
use crate::clock;
use crate::config::Config;
use crate::digest::sha256;
use crate::exit::Exit;
use crate::incident::entry::{Entry, Evidence, Record};
use crate::incident::journal::{self, Journal, JournalError};
use crate::incident::lease::{Lease, LeaseError};
use crate::incident::{Incident, Unreviewed, second, store};
use crate::ops::share::{Claim, Courier};
use crate::problem::Problem;
use crate::recovery::Request;
use crate::recovery::second::own_key;
use crate::report;
use crate::signature::{self, Purpose};
use crate::value::visible;

#[derive(Debug)]
pub struct Asked {
    pub incident: String,
    pub key: Option<PathBuf>,
    pub actor: String,
}

pub async fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    // A copy of it that lies here by the same name is none that anybody waits for.
    let found = store::find(&config.state.value, Some(&asked.incident));
    let folder = found.map_err(|error| unfound(&error))?.folder;
    let (records, _, fault) =
        journal::read(&folder).map_err(|error| Problem::unreachable(error.to_string()))?;
    if let Some(fault) = fault {
        return Err(Problem::refused(format!("the journal is damaged: {fault}"))
            .hint("`steadyhand verify` says more; nothing is written to an altered journal"));
    }
    let incident = Incident::replay(&store::name(&folder), &records);
    let Some(due) = incident.unreviewed().next() else {
        out.put("nothing here waits for a review\n")?;
        return Ok(Exit::Clear);
    };
    let signers = config.seconding.signers.as_ref().ok_or_else(|| {
        Problem::usage("`signers` of [approval] names no list, so that nobody can review")
    })?;
    let request = alone(&folder, &records, due.request)?;
    // Before anybody writes and signs; it is let go again, since an answer takes its time.
    drop(Lease::take(&folder, &asked.actor).map_err(|error| unwritten(&error.into()))?);
    out.say_as_it_is(&report::request::text(&request, clock::now(), out.paint_errors));
    out.say(&format!("\nDone without a second person: {}", due.reason));
    let key = key(asked.key.as_deref(), config)?;
    let mut tty = Tty::open()?;
    let remark = tty.ask("What did your review find? One sentence, empty to leave: ")?;
    if remark.is_empty() {
        return Err(Problem::refused("left alone; nothing was recorded"));
    }
    let found = Found { due, request: &request, remark: &remark };
    let recorded = found.record(asked, &folder, config, &key, &signers.value, out).await;
    if recorded.is_err() {
        out.say(&format!("what you wrote: {remark}"));
    }
    recorded
}

/// What a review came to.
struct Found<'a> {
    due: Unreviewed<'a>,
    request: &'a Request,
    remark: &'a str,
}

impl Found<'_> {
    async fn record(
        &self,
        asked: &Asked,
        folder: &Path,
        config: &Config,
        key: &Path,
        signers: &Path,
        out: &mut Out,
    ) -> Result<Exit, Problem> {
        let Self { due, request, remark } = self;
        let Unreviewed { op, request: digest, .. } = *due;
        let bytes = second::reviewed(&request.sha256(), remark);
        let signature = signed(key, Purpose::Review, &bytes)?;
        let verified = signature::verify(Purpose::Review, &bytes, &signature, signers, None)
            .map_err(|why| Problem::refused(format!("{why}; nothing was recorded")))?;
        if let Some(own) = own_key(request, &verified) {
            return Err(Problem::refused(format!(
                "{own} did it, and somebody else must review it; nothing was recorded"
            )));
        }
        let failed = |error: JournalError| unwritten(&error);
        let (journal, records) = Journal::open(folder, &asked.actor).map_err(failed)?;
        let courier = claimed(config, &records, &journal).await?;
        // Somebody else may have answered while the question stood here: each file is written once.
        let incident = Incident::replay(&store::name(folder), &records);
        if !incident.unreviewed().any(|open| open == *due) {
            return Err(Problem::refused(format!(
                "{op} was reviewed meanwhile; nothing was recorded"
            ))
            .hint("`steadyhand verify` shows by whom, and what still waits"));
        }
        let name = format!("{}.review.sig", request.file());
        let evidence = journal.keep_request(&name, signature.as_bytes()).map_err(failed)?;
        let (signer, signer_key) = (verified.signers().join(", "), verified.key().to_owned());
        journal
            .append(Entry::Reviewed {
                op: op.to_owned(),
                request: Some(digest.to_owned()),
                signer,
                signer_key,
                remark: (*remark).to_owned(),
                evidence,
            })
            .map_err(failed)?;
        if let Some(courier) = courier {
            let left = courier.deliver().await.map_err(|problem| {
                Problem::new(
                    problem.kind,
                    format!("{}; the review is recorded here only", problem.sentence),
                )
                .hint("`steadyhand resume` of this incident brings it to the store")
            })?;
            for why in left {
                out.say(&why);
            }
        }
        let left = incident.unreviewed().count() - 1;
        let op = visible::text(op);
        out.put(&format!("the review of {op} is recorded; {left} more wait here\n"))?;
        Ok(Exit::Clear)
    }
}

/// Somebody else writes there, or it cannot be written at all.
fn unwritten(error: &JournalError) -> Problem {
    match error {
        JournalError::Lease(LeaseError::Held { .. }) => {
            Problem::refused(format!("{error}; nothing was recorded"))
                .hint("review it when they have left the incident")
        }
        _ => Problem::system(error.to_string()),
    }
}

/// Nobody on another host may write meanwhile, and what is written goes there too.
async fn claimed(
    config: &Config,
    records: &[Record],
    journal: &Journal,
) -> Result<Option<Courier>, Problem> {
    let courier = config.store.as_ref().and_then(|at| Courier::of(&at.value, records, journal));
    let Some(mut courier) = courier else { return Ok(None) };
    let nothing = "nothing was recorded; review it again";
    match courier.claim().await {
        Ok(Claim::Ours) => Ok(Some(courier)),
        Ok(Claim::Theirs) => Err(Problem::refused("somebody works on it on another host")
            .hint(format!("{nothing} when they have left it"))),
        Err(problem) | Ok(Claim::Refused(problem)) => {
            Err(Problem::new(problem.kind, problem.sentence)
                .hint(format!("{nothing} when the store takes it")))
        }
    }
}

/// What somebody did alone, as it was written down then.
fn alone(folder: &Path, records: &[Record], digest: &str) -> Result<Request, Problem> {
    let found = records.iter().find_map(|record| match &record.entry {
        Entry::GlassBroken { evidence: Evidence { file, sha256 }, .. } if sha256 == digest => {
            Some(file)
        }
        _ => None,
    });
    let file =
        found.ok_or_else(|| Problem::refused("the journal does not say what was done alone"))?;
    let altered = || {
        Problem::refused(format!("{file} is not as it was written"))
            .hint("`steadyhand verify` says what was altered")
    };
    let bytes = fs::read(folder.join(file)).map_err(|_| altered())?;
    if sha256(&bytes) != digest {
        return Err(altered());
    }
    Request::read(&bytes).map_err(|_| altered())
}
