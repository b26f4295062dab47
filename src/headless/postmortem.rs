//! `steadyhand postmortem`: the draft of an incident as it stands now, with what people wrote.
//!
//! Reads the folder and changes nothing in it, so it may run beside a cockpit that has the incident
//! open.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::{Out, incident_folder};
use crate::config::Config;
use crate::exit::Exit;
use crate::format::MarkdownHtmlOrJson;
use crate::incident::entry::Entry;
use crate::incident::{Incident, journal, store};
use crate::postmortem::{self, Around, Draft, file, html};
use crate::problem::Problem;
use crate::recovery::Preview;
use crate::report::json;
use crate::value::visible;

#[derive(Debug)]
pub struct Asked {
    pub incident: String,
    pub format: MarkdownHtmlOrJson,
    /// Put the rows of the changes on the page.
    pub rows: bool,
    pub output: Option<PathBuf>,
}

pub fn run(config: &Config, asked: &Asked, out: &mut Out) -> Result<Exit, Problem> {
    let state = &config.state.value;
    let folder = incident_folder(state, &asked.incident)?;
    let (records, head, fault) =
        journal::read(&folder).map_err(|error| Problem::unreachable(error.to_string()))?;
    let incident = Incident::replay(&store::name(&folder), &records);
    let runbook = store::frozen(&folder, &incident);
    let all = remembered(state);
    let around = Around { runbook: runbook.as_ref(), practice: &config.practice, all: &all };
    let mut draft = Draft::of(&incident, around, &head);
    if let Some(fault) = &fault {
        draft.doubts.insert(0, format!("the journal is damaged, and only what stands before the damage is told here: {fault}"));
        out.say(&format!("steadyhand: the journal is damaged: {fault}"));
    }
    let old = file::read(&folder)
        .map_err(|error| Problem::system(format!("cannot read the postmortem: {error}")))?;
    let text = postmortem::write(&draft, old.as_deref(), &TimeZone::system());
    let parts = postmortem::parts(&text);
    let unwritten = postmortem::unwritten_parts(&text);
    let named = unwritten.iter().map(|part| {
        let needed = if part.required { " (needed)" } else { "" };
        format!("{}{needed}", part.title)
    });
    if !unwritten.is_empty() {
        let named: Vec<String> = named.collect();
        out.say(&format!("still to be written by a person: {}", named.join(", ")));
    }
    let page = match asked.format {
        MarkdownHtmlOrJson::Json => json::postmortem(&draft, &parts),
        MarkdownHtmlOrJson::Markdown => text,
        MarkdownHtmlOrJson::Html => {
            let images = if asked.rows { images(&folder, &incident, out) } else { Vec::new() };
            html::render(&draft, &text, &images, &TimeZone::system())
        }
    };
    match &asked.output {
        Some(path) => {
            out.put_into(path, &page)?;
            let id = visible::text(&incident.id);
            out.put(&format!("postmortem of {id} written to {}\n", path.display()))?;
        }
        None if out.is_watched => out.put(&shown(&page))?,
        None => out.put(&page)?,
    }
    Ok(if fault.is_none() { Exit::Clear } else { Exit::Violated })
}

/// The rows that committed changes wrote, from the evidence of their previews, as far as it is what
/// was written then.
fn images(folder: &Path, incident: &Incident, out: &mut Out) -> Vec<html::Images> {
    let mut found = Vec::new();
    for record in &incident.records {
        let Entry::Previewed { op, evidence, .. } = &record.entry else { continue };
        let done = incident.changes.iter().any(|change| change.op == *op && change.is_committed());
        if !done {
            continue;
        }
        let bytes = std::fs::read(folder.join(&evidence.file)).ok();
        let same = bytes.filter(|bytes| crate::digest::sha256(bytes) == evidence.sha256);
        let preview = same.and_then(|bytes| serde_json::from_slice::<Preview>(&bytes).ok());
        match preview {
            Some(preview) => found.push(html::Images { op: op.clone(), tables: preview.images }),
            None => out.say(&format!(
                "steadyhand: {} is not as it was written; its rows are not on the page",
                evidence.file
            )),
        }
    }
    found
}

/// Every incident that can be read; without them a postmortem is still one.
pub(super) fn remembered(state: &Path) -> Vec<Incident> {
    let all = store::all(state).unwrap_or_default();
    all.into_iter().filter(|(_, _, trouble)| trouble.is_none()).map(|(_, one, _)| one).collect()
}

/// What people pasted into their parts goes to a terminal too.
fn shown(page: &str) -> String {
    page.lines().map(|line| visible::text(line).into_owned() + "\n").collect()
}
