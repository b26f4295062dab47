//! Together: somebody asks to take the incident over, or has taken it.

use crate::exit::Exit;
use crate::incident::entry::Entry;
use crate::incident::handover::Card;
use crate::incident::journal::News;
use crate::problem::Problem;
use crate::tui::app::App;
use crate::tui::case::Case;
use crate::tui::command::Command;
use crate::tui::draft;
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::message::{How, Loss, StoreNews};
use crate::tui::overlay::{Kind, Overlay, Purpose};

use super::leaving::stop_all;

pub(super) fn heard(app: &mut App, news: News) -> Vec<Effect> {
    match news {
        News::Asked(request) => {
            let by = request.by.clone();
            app.asked = Some(request);
            question(app);
            vec![Effect::Append(Entry::TakeOverAsked { by }), Effect::Bell]
        }
        News::Withdrawn => {
            let is_question = |overlay: &Overlay| matches!(&overlay.kind, Kind::Choice(choice) if choice.purpose == Purpose::HandOver);
            if app.overlay.as_ref().is_some_and(is_question) {
                app.uncover();
            }
            if let Some(request) = app.asked.take() {
                app.say(format!("{} does not ask any more", request.by));
            }
            Vec::new()
        }
        News::Lost(_) => {
            let mut effects = draft::keep(app);
            effects.extend(stop_all(app));
            watch(app);
            effects
        }
    }
}

/// From here on the incident is only looked at.
pub(super) fn watch(app: &mut App) {
    app.watch = app.case.as_ref().map(|case| case.folder.clone());
    app.quit = Some(Exit::Clear);
}

/// Asks, or asks again.
pub(super) fn question(app: &mut App) {
    let Some(request) = &app.asked else { return app.say("nobody asks to take over") };
    let title = format!("{} asks to take over", request.by);
    let key = app.keymap.label(Context::Global, Command::HandOver).unwrap_or_default();
    let answers = vec![
        format!("Answer later ({key})"),
        format!("Hand over to {}: from then on this cockpit only watches", request.by.login),
        "Refuse: I go on".to_owned(),
    ];
    app.cover(Overlay::choice(&title, answers, Purpose::HandOver));
}

pub fn answered(app: &mut App, answer: usize) -> Vec<Effect> {
    let Some(request) = app.asked.clone().filter(|_| answer > 0) else { return Vec::new() };
    if answer > 1 {
        app.asked = None;
        let by = request.by.clone();
        return vec![
            Effect::Append(Entry::TakeOverRefused { by }),
            Effect::RefuseTakeOver(request),
        ];
    }
    if let Some(why) = app.case.as_ref().and_then(Case::must_end) {
        app.complain(why);
        return Vec::new();
    }
    vec![Effect::HandOver(request.by)]
}

/// The card for whoever goes on, as the journal has it now.
pub fn card(app: &mut App) {
    let Some(case) = &app.case else { return app.say("no incident is open") };
    let watching = app.replay.as_ref().and_then(|replay| replay.watching.as_ref());
    // Whoever works has the lease: nobody need be told that it is they.
    let holder = watching.and_then(|watching| watching.holder.as_ref());
    let mut card = Card::of(&case.incident, Some(&case.runbook), &app.facts.practice, holder);
    if app.replay.is_none() {
        card.holder = case.incident.shifts.last().map(|(_, who)| format!("{who}, here"));
    }
    app.cover(Overlay::handover(&card));
}

/// The store that several hosts share is away, is back, or belongs to somebody else now.
pub(super) fn store(app: &mut App, news: StoreNews) -> Vec<Effect> {
    match news {
        StoreNews::Away(why) => {
            app.complain(format!("the work goes on here, and is brought there later: {why}"));
        }
        StoreNews::Refused(why) => app.complain(format!(
            "the work goes on here, and the incident store takes nothing of it: {why}"
        )),
        StoreNews::Back { caught_up } => {
            app.say(format!("the incident store is back, and has {caught_up} more records"));
        }
        StoreNews::SameServer => {
            app.complain("the incident store is on this very server: it goes away with it");
        }
        StoreNews::NotBrought(why) => app.complain(why),
        StoreNews::Alone => app.complain(
            "this is what only this host wrote, while another went on: take back what was changed here, and \
             go on there",
        ),
        StoreNews::CutOff(holder) => app.complain(format!(
            "{} had this last, and the store does not know that they left: cut off from it, they may still be \
             at work. What they do is told when the store hears of it",
            holder.party
        )),
        StoreNews::Apart(entry) => {
            let did = matches!(&entry, Entry::WroteApart { did, .. } if !did.is_empty());
            let sentence = entry.sentence();
            if did {
                let hint = "It is not among the records of this incident, and neither is its undo: that can \
                    be run on that host alone. Speak with them before anything is changed.";
                app.cover(Overlay::problem(Problem::refused(sentence).hint(hint)));
            } else {
                app.complain(sentence);
            }
            return vec![Effect::Append(entry), Effect::Bell];
        }
        StoreNews::Lost(Loss { holder, how, apart }) => {
            let who =
                holder.map_or_else(|| "somebody on another host".into(), |who| who.to_string());
            let sentence = match how {
                How::TakenOver => format!("{who} took this incident over"),
                How::WentOn => format!("{who} went on with this incident elsewhere"),
            };
            app.read_only = Some(sentence.clone());
            let kept = match apart {
                Ok(()) => "beside the others in the store (steadyhand.apart)".to_owned(),
                Err(why) => format!("could not be laid beside the others in the store: {why}"),
            };
            let hint = format!(
                "What was written here is kept, and {kept}. Nothing more is done from here; speak with them. Leave, and \
                 `steadyhand resume` of this incident brings what they wrote, and names what only this host has: \
                 what was changed here is taken back there."
            );
            app.cover(Overlay::problem(Problem::refused(sentence).hint(hint)));
            let mut effects = draft::keep(app);
            effects.extend(stop_all(app));
            return effects;
        }
    }
    Vec::new()
}
