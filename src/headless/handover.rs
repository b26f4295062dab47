//! `steadyhand handover`: the card for whoever goes on, from the journal as it stands.

use super::{Out, incident_folder, unfound};
use crate::config::Config;
use crate::exit::Exit;
use crate::format::TextMarkdownOrJson;
use crate::incident::handover::Card;
use crate::incident::{Incident, journal, lease, store};
use crate::problem::Problem;
use crate::report::handover;

pub fn run(
    config: &Config,
    incident: Option<&str>,
    format: TextMarkdownOrJson,
    out: &mut Out,
) -> Result<Exit, Problem> {
    let state = &config.state.value;
    let folder = match incident {
        Some(incident) => incident_folder(state, incident)?,
        None => store::only_open(state).map_err(|error| unfound(&error))?.folder,
    };
    let (records, _, fault) =
        journal::read(&folder).map_err(|error| Problem::unreachable(error.to_string()))?;
    let damage = fault.map(|fault| {
        format!(
            "the journal is damaged, and only what stands before the damage is told here: {fault}"
        )
    });
    if let Some(damage) = &damage {
        out.say(&format!("steadyhand: {damage}"));
    }
    if records.is_empty() {
        let folder = folder.display();
        return Err(Problem::unreachable(format!("there is nothing to hand over in {folder}"))
            .hint("`steadyhand verify INCIDENT` tells all that is wrong with a damaged one"));
    }
    let incident = Incident::replay(&store::name(&folder), &records);
    let runbook = store::frozen(&folder, &incident);
    let holder = lease::holder(&folder);
    let card = Card::of(&incident, runbook.as_ref(), &config.practice, holder.as_ref());
    out.put(&match format {
        TextMarkdownOrJson::Text => handover::text(&card, damage.as_deref()),
        TextMarkdownOrJson::Markdown => handover::markdown(&card, damage.as_deref()),
        TextMarkdownOrJson::Json => handover::json(&card, damage.as_deref()),
    })?;
    Ok(if damage.is_none() { Exit::Clear } else { Exit::Violated })
}
