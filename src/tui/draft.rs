//! Boxes in which somebody writes more than a word, and what is typed into them: once a second and
//! before anything could take it away it goes to disk, and it is there again when the box is opened.
//!
//! `incident::drafts` lays it down; here is decided what is to be laid down.

use jiff::Timestamp;

use super::app::App;
use super::case::Case;
use super::effect::Effect;
use super::overlay::typed::note as note_of;
use super::overlay::writing::Writing;
use super::overlay::{Ask, Kind, Overlay, Purpose};
use crate::incident::drafts::Draft;
use crate::incident::entry::{Entry, Record};
use crate::postmortem::Part;

pub const NOTE: &str = "note";
/// The whole postmortem in an editor outside.
pub const POSTMORTEM: &str = "postmortem";

/// The box of the note, with what was typed and not kept.
pub fn note(case: &Case) -> Overlay {
    const QUESTION: &str =
        "Note\n-5m backdates; decision: todo: well: badly: luck: or action: sort it";
    match case.drafts.get(NOTE) {
        Some(draft) if draft.text.contains('\n') => Overlay::writing(note_on_lines(&draft.text)),
        Some(Draft { at, text }) => {
            let told = format!("{QUESTION}\n{}; ctrl-u empties the box", again(*at));
            Overlay::ask(Ask::new(Purpose::Note, &told).filled(text))
        }
        None => Overlay::ask(Ask::new(Purpose::Note, QUESTION)),
    }
}

/// The same with room for several lines.
pub fn note_on_lines(text: &str) -> Writing {
    let mut writing = Writing::new("Note", "", Purpose::Note).drafted(NOTE);
    if !text.is_empty() {
        writing.editor.set_text(text);
    }
    writing
}

/// The box for what is said about a record.
pub fn annotation(app: &App, record: &Record) -> Overlay {
    let sentence = record.entry.sentence();
    let first = sentence.lines().next().unwrap_or_default();
    let title = format!("About record {}: {first}", record.seq);
    let writing = Writing::new(&title, "", Purpose::Annotate(record.seq));
    drafted(app, writing, &format!("annotation-{}", record.seq))
}

/// The box of a part of the postmortem.
pub fn part(app: &App, part: &Part) -> Overlay {
    let writing = Writing::new(part.title, &part.text, Purpose::Part(part.name.to_owned()));
    drafted(app, writing, &format!("part-{}", part.name))
}

pub fn name_of_comms(step: &str, audience: &str) -> String {
    format!("comms-{step}-{audience}")
}

/// A box with its draft in it, if there is one; undo brings back what is kept.
pub fn drafted(app: &App, writing: Writing, name: &str) -> Overlay {
    let mut writing = writing.drafted(name);
    let draft = app.case.as_ref().and_then(|case| case.drafts.get(name));
    if let Some(Draft { at, text }) = draft {
        writing.editor.set_text(text);
        writing.title = format!("{}   {}", writing.title, again(*at));
    }
    Overlay::writing(writing)
}

fn again(at: Timestamp) -> String {
    format!("typed {} UTC and not kept", at.strftime("%H:%M"))
}

/// What waits to be gone on with.
pub fn waiting(case: &Case) -> Option<String> {
    let names: Vec<&str> = case.drafts.keys().map(String::as_str).collect();
    (!names.is_empty())
        .then(|| format!("typed before and not kept, there again in its box: {}", names.join(", ")))
}

/// The name of a box, and what is in it that is not kept anywhere else.
fn typed(overlay: &Overlay) -> Option<(&str, Option<String>)> {
    match &overlay.kind {
        Kind::Ask(ask) if ask.purpose == Purpose::Note => {
            let text = ask.prompt.text();
            Some((NOTE, (!text.trim().is_empty()).then(|| text.to_owned())))
        }
        Kind::Writing(writing) => {
            let name = writing.draft.as_deref()?;
            let text = writing.editor.is_changed().then(|| writing.editor.text());
            let text = text.filter(|text| !text.trim().is_empty());
            Some((name, text))
        }
        _ => None,
    }
}

/// Writes down what is being typed, if it is not what is written down already.
pub fn keep(app: &mut App) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let mut effects = Vec::new();
    for (name, text) in app.under.iter().chain(&app.overlay).filter_map(typed) {
        let known = case.drafts.get(name).map(|draft| &draft.text);
        match text {
            Some(text) if known != Some(&text) => {
                let draft = Draft { at: app.now, text: text.clone() };
                case.drafts.insert(name.to_owned(), draft);
                effects.push(Effect::KeepDraft { name: name.to_owned(), text });
            }
            None if known.is_some() => {
                case.drafts.remove(name);
                effects.push(Effect::ForgetDraft { name: name.to_owned() });
            }
            _ => {}
        }
    }
    effects
}

/// What a crash left behind after it had been kept where it belongs.
pub fn forget_what_is_kept(case: &mut Case) -> Vec<Effect> {
    let records = &case.incident.records;
    let is_kept = |name: &str, draft: &Draft| {
        let text = draft.text.trim();
        records.iter().any(|record| match &record.entry {
            // In front of it stood when it happened and what it is.
            Entry::Note { text: kept, .. } => {
                let typed = (name == NOTE).then(|| note_of(text, record.at).ok()).flatten();
                typed.is_some_and(|(_, _, text)| text == *kept)
            }
            Entry::Annotated { record, text: kept } => {
                name == format!("annotation-{record}") && text == kept
            }
            Entry::PostmortemEdited { part, sha256 } => {
                name == format!("part-{part}")
                    && *sha256 == crate::digest::sha256(draft.text.as_bytes())
            }
            _ => false,
        })
    };
    let kept: Vec<String> = case
        .drafts
        .iter()
        .filter(|(name, draft)| is_kept(name, draft))
        .map(|(name, _)| name.clone())
        .collect();
    kept.iter().filter_map(|name| settled(case, name)).collect()
}

/// It was kept where it belongs, or nobody wants it.
pub fn settled(case: &mut Case, name: &str) -> Option<Effect> {
    case.drafts.remove(name).map(|_| Effect::ForgetDraft { name: name.to_owned() })
}
