//! `steadyhand verify`: is an incident's folder as it was written?

use std::path::Path;

use super::{Out, incident_folder};
use crate::exit::Exit;
use crate::incident::verify::verify;
use crate::problem::Problem;
use crate::report::text;

/// `wanted` is a name, or the path of a folder that was copied elsewhere.
pub fn run(state: &Path, wanted: &str, head: Option<&str>, out: &mut Out) -> Result<Exit, Problem> {
    let folder = incident_folder(state, wanted)?;
    let report = verify(&folder, head).map_err(|error| Problem::unreachable(error.to_string()))?;
    out.put(&text::verification(&report, out.paint))?;
    Ok(if report.is_sound() { Exit::Clear } else { Exit::Violated })
}
