//! The second person on the recovery screen: asked, waited for, or done without. What is enough is
//! the protocol's to say.

use std::sync::Arc;

use super::answer::{deed, say, say_of};
use crate::incident::Second;
use crate::incident::entry::Entry;
use crate::recovery::protocol::Said;
use crate::recovery::second::Demand;
use crate::recovery::{Preview, Request};
use crate::tui::app::App;
use crate::tui::case::{Case, Recovery};
use crate::tui::effect::Effect;
use crate::tui::message::{Signed, Unsigned};
use crate::tui::overlay::writing::Writing;
use crate::tui::overlay::{Ask, Overlay, Purpose};
use crate::tui::page::{Page, to_go};
use crate::tui::theme::Role;

const BY_FILE: &str = "the file that is named here holds the same";

/// Asks a second person, or sends what was asked to the clipboard once more.
pub(super) fn ask(app: &mut App) -> Vec<Effect> {
    let Some(recovery) = recovery(app) else { return Vec::new() };
    let demand = recovery.plan.as_ref().map(|plan| plan.demand).unwrap_or_default();
    if demand == Demand::One {
        app.complain("this target asks for nobody else: enter confirms");
        return Vec::new();
    }
    if let Some(request) = recovery.waiting().filter(|request| app.now <= request.expires) {
        let text = request.armored();
        app.say(app.facts.between.asked("the request once more", BY_FILE));
        return vec![Effect::Clipboard(text)];
    }
    if app.facts.seconding.signers.is_none() {
        app.complain("nobody can agree: `signers` of [approval] names no list of them");
        return Vec::new();
    }
    say(app, Said::AskSecond)
}

/// It is written down.
pub fn requested(app: &mut App, request: Arc<Request>) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let recovery = case.recovery_mut(&request.step);
    let text = request.armored();
    recovery.request = Some(request);
    recovery.refused = None;
    if text.len() > crate::tui::terminal::clipboard::MOST {
        app.say("asked; the request is too long for the clipboard, hand the file over");
        return Vec::new();
    }
    app.say(app.facts.between.asked("the request", BY_FILE));
    vec![Effect::Clipboard(text)]
}

/// The box for a signature that somebody sent.
pub(super) fn paste(app: &mut App) -> Vec<Effect> {
    if recovery(app).and_then(Recovery::waiting).is_none() {
        app.complain("nothing waits for a signature: a asks a second person");
        return Vec::new();
    }
    let title = "The signature, from BEGIN to END";
    app.overlay = Some(Overlay::writing(Writing::new(title, "", Purpose::Signature)));
    Vec::new()
}

/// It was pasted.
pub fn signature(app: &App, text: &str) -> Vec<Effect> {
    let Some(request) = recovery(app).and_then(Recovery::waiting) else { return Vec::new() };
    if text.trim().is_empty() {
        return Vec::new();
    }
    vec![Effect::CheckSignature { request: request.clone(), text: text.to_owned() }]
}

/// A second went by: is it there?
pub fn tick(app: &App) -> Vec<Effect> {
    let Some(recovery) = recovery(app) else { return Vec::new() };
    let Some(request) = recovery.waiting() else { return Vec::new() };
    let (request, known) = (request.clone(), recovery.refused.clone());
    vec![Effect::LookForSignature { request, known }]
}

/// A signature was held against its request.
pub fn signed(app: &mut App, step: &str, signed: Result<Box<Signed>, Unsigned>) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let recovery = case.recovery_mut(step);
    let waiting = recovery.waiting().cloned();
    match signed {
        Ok(signed) => {
            let Signed { seconded, evidence, signers_sha256 } = *signed;
            // It may have been previewed anew meanwhile.
            if waiting.is_none_or(|request| *request != seconded.proof().0) {
                return Vec::new();
            }
            let deed = deed(recovery);
            let (signer, signer_key) = (seconded.signer().to_owned(), seconded.key().to_owned());
            let op = seconded.operation().to_owned();
            app.say(format!("{signer} agrees; enter goes on to the typed confirmation"));
            let mut effects = vec![Effect::Append(Entry::Seconded {
                step: step.to_owned(),
                op,
                deed,
                signer,
                signer_key,
                signers_sha256,
                evidence,
            })];
            effects.extend(say_of(app, step, Said::Seconded(seconded)));
            effects
        }
        Err(Unsigned { op, sha256, why }) => {
            if waiting.is_none_or(|request| request.operation != op)
                || recovery.refused.as_ref() == Some(&sha256)
            {
                return Vec::new();
            }
            recovery.refused = Some(sha256);
            app.complain(format!("the signature was refused: {why}"));
            vec![Effect::Append(Entry::SecondRefused { step: step.to_owned(), op, why })]
        }
    }
}

/// The box for the reason of somebody who goes alone.
pub(super) fn why(app: &mut App) -> Vec<Effect> {
    let plan = recovery(app).and_then(|recovery| recovery.plan.as_ref());
    match plan.map(|plan| plan.demand) {
        Some(Demand::PairOrBreakGlass) => {
            let question =
                "Without a second person: why?\nIt is recorded, and somebody will review it";
            app.overlay = Some(Overlay::ask(Ask::new(Purpose::BreakGlass, question)));
        }
        Some(Demand::Pair) => {
            app.complain("the policy of this target lets nobody go alone: a asks a second person");
        }
        Some(Demand::One) | None => {
            app.complain("there is no glass to break: nothing here asks for a second person");
        }
    }
    Vec::new()
}

/// The reason was given.
pub fn break_glass(app: &mut App, reason: &str) -> Vec<Effect> {
    say(app, Said::BreakGlass { reason: reason.to_owned() })
}

fn recovery(app: &App) -> Option<&Recovery> {
    let case = app.case.as_ref()?;
    case.recoveries.get(&case.step().id)
}

/// Who must agree, and where that stands.
pub(super) fn lines(
    app: &App,
    case: &Case,
    recovery: &Recovery,
    preview: &Preview,
    page: &mut Page<'_>,
) {
    let agreed = recovery.state.offered().and_then(|(_, warrant)| warrant?.second());
    let known = case.incident.second_of(&preview.op);
    let agreed = agreed.or(match known {
        Some(Second::Agreed { signer, .. }) => Some(signer),
        _ => None,
    });
    match (agreed, known, recovery.waiting()) {
        (Some(signer), ..) => {
            page.signed(app.look.ok(), &format!("agreed: {signer}"), Role::Ok);
        }
        (None, Some(Second::BrokenGlass { reason, .. }), _) => {
            page.signed(
                app.look.bad(),
                &format!("without a second person: {reason}"),
                Role::Danger,
            );
        }
        (None, _, Some(request)) => waiting(app, case, request, page),
        (None, Some(Second::Asked { words, .. }), None) => {
            let text = format!("a second person was asked: {words}");
            page.signed(app.look.unknown(), &text, Role::Warning);
        }
        (None, _, None) => {
            let demand = recovery.plan.as_ref().map(|plan| plan.demand).unwrap_or_default();
            let text = match demand {
                Demand::One => return,
                Demand::Pair => "a second person must agree: a asks one",
                Demand::PairOrBreakGlass => {
                    "a second person must agree: a asks one; ! goes alone, with a reason"
                }
            };
            page.signed(app.look.unknown(), text, Role::Warning);
        }
    }
}

fn waiting(app: &App, case: &Case, request: &Request, page: &mut Page<'_>) {
    let left = request.expires.duration_since(app.now).as_secs();
    if left < 0 {
        let text = "nobody agreed in time: p previews again, then a asks again";
        page.signed(app.look.bad(), text, Role::Danger);
        return;
    }
    let text = format!("waiting for a second person, {} left", to_go(left));
    page.signed(app.look.unknown(), &text, Role::Warning);
    page.line(&[("  Words    ", Role::Muted), (&request.words(), Role::Title)]);
    let file = case.folder.join(crate::incident::journal::REQUESTS);
    let file = file.join(request.file());
    page.line(&[
        ("  They run ", Role::Muted),
        (&format!("steadyhand approve {}", file.display()), Role::Text),
    ]);
    page.muted("  or, with the request from the clipboard:  steadyhand approve -");
    page.muted("  A signature beside the file is seen by itself; i takes one that was sent.");
}
