//! `steadyhand incidents`: the incidents of the state folder, also those that cannot be read.

use std::path::Path;

use super::{Out, unfound};
use crate::exit::Exit;
use crate::format::TextOrJson;
use crate::incident::store::{self, Summary};
use crate::problem::Problem;
use crate::report::{json, text};

pub fn run(state: &Path, format: TextOrJson, out: &mut Out) -> Result<Exit, Problem> {
    let all = store::list(state).map_err(|error| unfound(&error))?;
    let page = match format {
        TextOrJson::Json => {
            let open = all.iter().filter(|one| one.is_open()).count();
            let damaged = all.iter().filter(|one| one.trouble.is_some()).count();
            let mut page: String = all.iter().map(json::incident).collect();
            page.push_str(&json::incidents_summary(all.len(), open, damaged));
            page
        }
        TextOrJson::Text => text::incidents(&all, state),
    };
    out.put(&page)?;
    let damaged: Vec<&Summary> = all.iter().filter(|one| one.trouble.is_some()).collect();
    if !damaged.is_empty() {
        out.say("`steadyhand verify INCIDENT` tells all that is wrong with a damaged one");
    }
    Ok(Exit::Clear)
}
