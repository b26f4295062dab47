//! Whether those who are said to have agreed did: the signatures that lie with an incident, checked
//! on a machine that knows neither the incident nor a database.

use std::fs;
use std::path::Path;

use crate::incident::entry::{Entry, Evidence};
use crate::incident::verify::Report;
use crate::incident::{Change, Incident, Second, journal, second};
use crate::recovery::Request;
use crate::signature::{self, Purpose, Unproved};

/// Adds what is to be said to the report; false if a signature could not be checked.
pub fn judge(folder: &Path, signers: Option<&Path>, report: &mut Report) -> bool {
    let Ok((records, _, _)) = journal::read(folder) else { return true };
    let incident = Incident::replay(&records);
    let mut checked = true;
    for record in &incident.records {
        let (op, purpose, signature) = match &record.entry {
            Entry::Seconded { op, evidence, .. } => (op, Purpose::Approval, evidence),
            Entry::Reviewed { op, evidence, .. } => (op, Purpose::Review, evidence),
            _ => continue,
        };
        let found = match signed(folder, &incident, op, &record.entry) {
            Ok(bytes) => held(folder, purpose, &bytes, signature, signers),
            Err(why) => Err(Unproved::Unchecked(why)),
        };
        let sentence = record.entry.sentence();
        match found {
            Ok(said) => report.notes.push(format!("{op}: {sentence}; {said}")),
            Err(Unproved::Unchecked(why)) if why.starts_with("ssh-keygen") => {
                report.notes.push(format!("{op}: {sentence}; not checked: {why}"));
                checked = false;
            }
            Err(why) => report.faults.push(format!("{op}: {sentence}; {why}")),
        }
    }
    for (change, reason, due) in incident.unreviewed() {
        let (op, due) = (&change.op, due.strftime("%Y-%m-%d"));
        report.notes.push(format!(
            "{op} was done without a second person ({reason}) and waits for its review, due {due}"
        ));
    }
    let alone = incident.changes.iter().filter(|change| was_alone(&incident, change));
    report.faults.extend(alone.map(|change| {
        format!("{} was executed by one person, where the target asks for two", change.op)
    }));
    checked
}

/// Whether nobody agreed to what was executed, although every change there needs somebody.
fn was_alone(incident: &Incident, change: &Change) -> bool {
    let pair = matches!(&incident.policy, Some((approval, _)) if approval == "four-eyes" || approval == "break-glass");
    let agreed = matches!(change.second, Some(Second::Agreed { .. } | Second::BrokenGlass { .. }));
    pair && !agreed && change.stands()
}

/// What the signature of this record is over.
fn signed(folder: &Path, incident: &Incident, op: &str, entry: &Entry) -> Result<Vec<u8>, String> {
    let request = incident.records.iter().rev().find_map(|record| match &record.entry {
        Entry::Requested { op: of, evidence, .. } | Entry::GlassBroken { op: of, evidence, .. }
            if of == op =>
        {
            Some(evidence)
        }
        _ => None,
    });
    let request = request.ok_or("no record names its request")?;
    let bytes = read(folder, request)?;
    let request = Request::read(&bytes)?;
    let fingerprint = incident.records.iter().rev().find_map(|record| match &record.entry {
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
    Ok(bytes)
}

fn held(
    folder: &Path,
    purpose: Purpose,
    bytes: &[u8],
    signature: &Evidence,
    signers: Option<&Path>,
) -> Result<String, Unproved> {
    let text = read(folder, signature).map_err(Unproved::Unchecked)?;
    let text = String::from_utf8_lossy(&text);
    match signers {
        None => signature::fits(purpose, bytes, &text),
        Some(signers) => {
            let verified = signature::verify(purpose, bytes, &text, signers)?;
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
