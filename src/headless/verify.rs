//! `steadyhand verify`: is an incident's folder as it was written?

use std::path::Path;

use super::{Out, incident_folder};
use crate::exit::Exit;
use crate::incident::verify::verify;
use crate::problem::Problem;
use crate::report::text;

/// `wanted` is a name, the path of a folder that was copied elsewhere, or that of a bundle.
pub fn run(
    state: &Path,
    wanted: &str,
    head: Option<&str>,
    signers: Option<&Path>,
    out: &mut Out,
) -> Result<Exit, Problem> {
    if Path::new(wanted).is_file() {
        return super::bundle::verified(Path::new(wanted), head, signers, out);
    }
    if signers.is_some() {
        return Err(Problem::usage("only a bundle can be signed, and this names an incident")
            .hint("`steadyhand bundle INCIDENT --sign KEY` makes one"));
    }
    let folder = incident_folder(state, wanted)?;
    let report = verify(&folder, head).map_err(|error| Problem::unreachable(error.to_string()))?;
    out.put(&text::verification(&report, out.paint))?;
    Ok(if report.is_sound() { Exit::Clear } else { Exit::Violated })
}
