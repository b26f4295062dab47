//! A text that goes to the operator's own editor and comes back. Meanwhile it lies in the incident's
//! folder as the draft that it is, so that a crash of either program loses nothing that was saved.

use super::comms::AUDIENCES;
use super::{Kind, Overlay, Purpose};
use crate::problem::Problem;
use crate::tui::app::App;
use crate::tui::draft;
use crate::tui::effect::{EditFor, Effect};
use crate::tui::screen::postmortem;

/// The text of the open box, to `$VISUAL` or `$EDITOR`.
pub fn edit(app: &mut App) -> Vec<Effect> {
    let mut effects = draft::keep(app);
    let Some(overlay) = &app.overlay else { return effects };
    let (name, text) = match &overlay.kind {
        Kind::Ask(ask) if ask.purpose == Purpose::Note => {
            (draft::NOTE.to_owned(), ask.prompt.text().to_owned())
        }
        Kind::Writing(writing) => match &writing.draft {
            Some(name) => (name.clone(), writing.editor.text()),
            None => return effects,
        },
        Kind::Comms(comms) => {
            let name = draft::name_of_comms(&comms.step, AUDIENCES[comms.at]);
            (name, comms.texts[comms.at].clone())
        }
        _ => return effects,
    };
    effects.push(Effect::EditOutside { text, purpose: EditFor::Box, draft: name });
    effects
}

/// The whole postmortem; what an editor saved of it before the link was cut comes first, and what that was
/// made of is not known any more: nothing on disk counts as seen by whoever wrote it.
pub fn postmortem(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let (base, text) = match case.drafts.get(draft::POSTMORTEM) {
        Some(draft) => (String::new(), draft.text.clone()),
        None => (case.postmortem.clone(), case.postmortem.clone()),
    };
    app.postmortem.base = base;
    let draft = draft::POSTMORTEM.to_owned();
    vec![Effect::EditOutside { text, purpose: EditFor::Postmortem, draft }]
}

/// The editor has ended; on a problem the file is left as it is.
pub fn came_back(app: &mut App, purpose: &EditFor, text: Result<String, Problem>) -> Vec<Effect> {
    let text = match text {
        Ok(text) => text,
        Err(problem) => {
            app.cover(Overlay::problem(problem));
            return Vec::new();
        }
    };
    match purpose {
        EditFor::Postmortem => {
            if let Some(case) = &mut app.case {
                case.drafts.remove(draft::POSTMORTEM);
            }
            let mut effects = postmortem::edited(app, "the whole file", &text, text.clone());
            effects.push(Effect::ForgetDraft { name: draft::POSTMORTEM.into() });
            effects.push(Effect::Repaint);
            effects
        }
        EditFor::Box => {
            into_box(app, &text);
            // The file may hold what nobody wrote anything into.
            let mut effects = draft::keep(app);
            effects.push(Effect::Repaint);
            effects
        }
    }
}

/// Editors end a file with a line break that nobody typed.
fn into_box(app: &mut App, text: &str) {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let Some(overlay) = &mut app.overlay else { return };
    match &mut overlay.kind {
        Kind::Ask(ask) if text.contains('\n') && ask.purpose == Purpose::Note => {
            app.overlay = Some(Overlay::writing(draft::note_on_lines(text)));
        }
        Kind::Ask(ask) => ask.prompt.set_text(text),
        Kind::Writing(writing) if writing.editor.text() != text => writing.editor.set_text(text),
        Kind::Comms(comms) => comms.rewrite(text),
        _ => {}
    }
}
