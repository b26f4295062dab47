//! `steadyhand verify`: is an incident's folder as it was written?

use std::path::Path;

use super::{Out, incident_folder};
use crate::digest::Beginning;
use crate::exit::Exit;
use crate::incident::verify::verify;
use crate::problem::Problem;
use crate::report::text;

/// `wanted` is a name, the path of a folder that was copied elsewhere, or that of a bundle.
pub fn run(
    state: &Path,
    wanted: &str,
    head: Option<&Beginning>,
    signers: Option<&Path>,
    out: &mut Out,
) -> Result<Exit, Problem> {
    if let Some(signers) = signers {
        // Also where nothing is signed, or a slip of the hand would look like a list that was used.
        std::fs::read(signers).map_err(|error| {
            Problem::usage(format!("--signers {}: {error}", signers.display()))
                .hint("it takes a file of allowed signers, as `man ssh-keygen` describes it")
        })?;
    }
    if Path::new(wanted).is_file() {
        return super::bundle::verified(Path::new(wanted), head, signers, out);
    }
    let folder = incident_folder(state, wanted)?;
    let mut report =
        verify(&folder, head).map_err(|error| Problem::unreachable(error.to_string()))?;
    let checked = super::seconds::judge(&folder, signers, &mut report);
    let looked = report.is_whole();
    out.put(&text::verification(&report, out.paint))?;
    Ok(match (report.is_sound(), checked && looked) {
        (false, _) => Exit::Violated,
        (true, false) => Exit::Inconclusive,
        (true, true) => Exit::Clear,
    })
}
