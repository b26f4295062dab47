//! Whether those who are said to have agreed did: the signatures that lie with an incident, checked
//! on a machine that knows neither the incident nor a database.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jiff::Timestamp;

use crate::incident::entry::{Entry, Evidence, Record};
use crate::incident::verify::Report;
use crate::incident::{Incident, Unreviewed, journal, second, store};
use crate::recovery::Request;
use crate::recovery::second::own_key;
use crate::signature::{self, Purpose, Unproved};

/// Adds what is to be said to the report; false if a signature could not be checked.
pub fn judge(folder: &Path, signers: Option<&Path>, report: &mut Report) -> bool {
    let Ok((records, _, _)) = journal::read(folder) else { return true };
    let incident = Incident::replay(&store::name(folder), &records);
    // Where the list cannot be read the report says so already.
    let awaited = journal::awaited(folder, &incident.records).unwrap_or_default();
    let not_here = |file: &Evidence| {
        awaited.contains(file) && !folder.join(&file.file).try_exists().is_ok_and(|it| it)
    };
    let mut checked = true;
    for (at, record) in incident.records.iter().enumerate() {
        let (op, purpose, signature) = match &record.entry {
            Entry::Seconded { op, evidence, .. } => (op, Purpose::Approval, evidence),
            Entry::Reviewed { op, evidence, .. } => (op, Purpose::Review, evidence),
            _ => continue,
        };
        let sentence = record.entry.sentence();
        let before = &incident.records[..at];
        let request = request(before, &record.entry);
        // Another host wrote it, and it comes after the lines.
        let late = [request.map(|(_, file)| file), Some(signature)].into_iter().flatten();
        if let Some(Evidence { file, .. }) = late.into_iter().find(|file| not_here(file)) {
            report
                .notes
                .push(format!("{op}: {sentence}; not checked: {file} was not brought here"));
            checked = false;
            continue;
        }
        let found = signed(folder, before, request, op, &record.entry)
            .map_err(Unproved::Unchecked)
            .and_then(|signed| held(folder, purpose, &signed, signature, (signers, record.at)));
        match found {
            Ok(said) => report.notes.push(format!("{op}: {sentence}; {said}")),
            Err(Unproved::Unchecked(why)) if why.starts_with("ssh-keygen") => {
                report.notes.push(format!("{op}: {sentence}; not checked: {why}"));
                checked = false;
            }
            Err(why) => report.faults.push(format!("{op}: {sentence}; {why}")),
        }
    }
    for Unreviewed { op, reason, due, .. } in incident.unreviewed() {
        let due = due.strftime("%Y-%m-%d");
        report.notes.push(format!(
            "{op} was done without a second person ({reason}) and waits for its review, due {due}"
        ));
    }
    let alone = alone(&incident.records);
    let stands =
        |op: &str| incident.changes.iter().any(|change| change.op == op && change.stands());
    report.faults.extend(
        alone
            .into_iter()
            .filter(|op| stands(op))
            .map(|op| format!("{op} was executed by one person, where the target asks for two")),
    );
    checked
}

/// The operations that were executed while every change there needed somebody, and nobody had agreed to
/// what was previewed last.
fn alone(records: &[Record]) -> BTreeSet<&str> {
    let (mut pair, mut agreed, mut alone) = (false, BTreeSet::new(), BTreeSet::new());
    for record in records {
        match &record.entry {
            Entry::Policy { approval, .. } => {
                pair |= approval == "four-eyes" || approval == "break-glass";
            }
            Entry::Previewed { op, .. } => drop(agreed.remove(op.as_str())),
            Entry::Seconded { op, .. } | Entry::GlassBroken { op, .. } => {
                agreed.insert(op.as_str());
            }
            Entry::ExecutionStarted { op, .. } if pair && !agreed.contains(op.as_str()) => {
                alone.insert(op.as_str());
            }
            _ => {}
        }
    }
    alone
}

/// The record that names the request of this entry, and the file: an operation that was halted is
/// previewed and asked for again for the rest of it.
fn request<'r>(before: &'r [Record], entry: &Entry) -> Option<(usize, &'r Evidence)> {
    before.iter().enumerate().rev().find_map(|(at, record)| match (&record.entry, entry) {
        (Entry::GlassBroken { op: of, evidence, .. }, Entry::Reviewed { op, request, .. })
            if of == op && request.as_ref().is_none_or(|one| *one == evidence.sha256) =>
        {
            Some((at, evidence))
        }
        (Entry::Requested { op: of, evidence, .. }, Entry::Seconded { op, .. }) if of == op => {
            Some((at, evidence))
        }
        _ => None,
    })
}

/// What a signature is over, and whose it is said to be.
struct Signed<'r> {
    bytes: Vec<u8>,
    request: Request,
    /// As the record has them: one, or several with commas between.
    signer: &'r str,
}

/// What the signature of this entry is over, by the records before it.
fn signed<'r>(
    folder: &Path,
    before: &[Record],
    request: Option<(usize, &Evidence)>,
    op: &str,
    entry: &'r Entry,
) -> Result<Signed<'r>, String> {
    let (asked, request) = request.ok_or("no record names its request")?;
    let bytes = read(folder, request)?;
    let request = Request::read(&bytes)?;
    let fingerprint = before[..asked].iter().rev().find_map(|record| match &record.entry {
        Entry::Previewed { op: of, fingerprint, .. } if of == op => Some(fingerprint),
        _ => None,
    });
    if request.operation != op || fingerprint != Some(&request.fingerprint) {
        return Err("its request is for something else".into());
    }
    let (signer, bytes) = match entry {
        Entry::Reviewed { signer, remark, .. } => {
            (signer, second::reviewed(&request.sha256(), remark))
        }
        Entry::Seconded { signer, .. } => (signer, bytes),
        _ => return Err("it carries no signature".into()),
    };
    if signer.split(", ").any(|one| request.requester.is(one)) {
        return Err("whoever asked for it signed it".into());
    }
    Ok(Signed { bytes, request, signer })
}

fn held(
    folder: &Path,
    purpose: Purpose,
    Signed { bytes, request, signer }: &Signed<'_>,
    signature: &Evidence,
    (signers, at): (Option<&Path>, Timestamp),
) -> Result<String, Unproved> {
    let text = read(folder, signature).map_err(Unproved::Unchecked)?;
    let text = String::from_utf8_lossy(&text);
    match signers {
        None => signature::fits(purpose, bytes, &text),
        Some(signers) => {
            // Keys and certificates run out, and what they signed before stays good.
            let verified = signature::verify(purpose, bytes, &text, signers, Some(at))?;
            if let Some(own) = own_key(request, &verified) {
                let why = format!("{own} asked for it, whose key signed it by this list");
                return Err(Unproved::Unchecked(why));
            }
            let by_list = verified.signers();
            if !signer.split(", ").any(|one| by_list.iter().any(|named| named == one)) {
                let why = format!("by this list the key is that of {}", by_list.join(", "));
                return Err(Unproved::Unchecked(why));
            }
            Ok(verified.said().to_owned())
        }
    }
}

/// Its digest and that it is no link were checked with all other evidence.
fn read(folder: &Path, Evidence { file, .. }: &Evidence) -> Result<Vec<u8>, String> {
    if !file.starts_with(journal::REQUESTS) || file.contains("..") {
        return Err(format!("{file} is no request"));
    }
    fs::read(folder.join(file)).map_err(|error| format!("{file}: {error}"))
}
