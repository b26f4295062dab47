//! Where answers go: one arm a purpose. An answer that is not taken stays in its box, with the
//! reason.

use super::{Ask, Kind, Overlay, Purpose, comms, escalation, typed};
use crate::check::Severity;
use crate::consent::{Act, Consent};
use crate::incident::entry::{Deed, Entry, Milestone, Origin};
use crate::recovery::protocol::Said;
use crate::runbook::Action;
use crate::tui::app::{App, Screen};
use crate::tui::command::Command;
use crate::tui::draft;
use crate::tui::effect::Effect;
use crate::tui::screen::{guardrail, home, recovery, step, violations};
use crate::tui::update::together;
use crate::tui::watch;

/// Of an enter that came within the time in which nobody types one.
pub const TOGETHER: &str = "that enter came together with the text, like a paste; press it again";

/// A line of text was confirmed.
pub fn text(app: &mut App) -> Vec<Effect> {
    let heard = app.heard;
    let Some(Overlay { kind: Kind::Ask(ask), .. }) = &mut app.overlay else { return Vec::new() };
    let Some(typed) = ask.prompt.submit(heard) else {
        ask.breaks += 1;
        return refuse(app, TOGETHER.into());
    };
    let (purpose, expected) = (ask.purpose.clone(), ask.expected.clone());
    if let Some(expected) = &expected
        && typed != *expected
    {
        if typed.is_empty() {
            return refuse(app, "nothing was typed; nothing was executed".into());
        }
        let mistyped = mistyped(app, expected, &typed);
        refuse(app, format!("'{typed}' is not it; nothing was executed"));
        return mistyped;
    }
    let typed = if expected.is_some() { typed } else { typed.trim().to_owned() };
    match take(app, &purpose, &typed) {
        Ok(effects) => effects,
        Err(why) => refuse(app, why),
    }
}

/// An answer that came in one piece, to a question that was shown before.
pub fn whole(app: &mut App, typed: &str) -> Vec<Effect> {
    let Some(overlay) = app.overlay.as_mut().filter(|overlay| overlay.drawn) else {
        return Vec::new();
    };
    match &mut overlay.kind {
        Kind::Ask(ask) => {
            ask.refused = None;
            ask.prompt.set_text(typed);
            text(app)
        }
        Kind::Writing(writing) => {
            writing.editor.set_text(typed);
            edited(app, Command::Save)
        }
        _ => Vec::new(),
    }
}

fn refuse(app: &mut App, why: String) -> Vec<Effect> {
    if let Some(Overlay { kind: Kind::Ask(ask), .. }) = &mut app.overlay {
        // A wrong confirmation is typed anew; other answers are mended.
        if ask.expected.is_some() && why != TOGETHER {
            ask.prompt.set_text("");
        }
        ask.refused = Some(why);
    }
    Vec::new()
}

/// What was typed may be anything, a password too, so that only the kind of the slip is kept.
fn mistyped(app: &App, expected: &str, typed: &str) -> Vec<Effect> {
    let Some(case) = app.case.as_ref().filter(|case| case.incident.is_open()) else {
        return Vec::new();
    };
    let first = |text: &str| text.split_whitespace().next().map(str::to_owned);
    let others = app.facts.targets.iter().map(|target| target.name.as_str());
    let named = first(typed).unwrap_or_default();
    let names_another_target =
        first(expected).as_deref() != Some(&named) && others.into_iter().any(|name| name == named);
    let step = case.step().id.clone();
    vec![Effect::Append(Entry::Mistyped { step, names_another_target })]
}

fn take(app: &mut App, purpose: &Purpose, typed: &str) -> Result<Vec<Effect>, String> {
    let now = app.now;
    let done = |app: &mut App| _ = app.uncover();
    match purpose {
        Purpose::Note => {
            typed::needed(typed)?;
            let entry = noted(app, typed)?;
            let mut effects = draft::keep(app);
            done(app);
            effects.extend(kept(app, entry, draft::NOTE));
            Ok(effects)
        }
        Purpose::SkipReason => {
            typed::needed(typed)?;
            done(app);
            let Some(case) = &app.case else { return Ok(Vec::new()) };
            let (step, reason) = (case.step().id.clone(), typed.to_owned());
            let mut effects = vec![Effect::Append(Entry::StepSkipped { step, reason })];
            effects.extend(step::onward(app));
            Ok(effects)
        }
        Purpose::Evidence => {
            let Some(case) = &app.case else { return Ok(Vec::new()) };
            if let Action::Manual(manual) = &case.step().action {
                typed::evidence(manual.evidence, typed)?;
            }
            done(app);
            Ok(step::pass(app, typed))
        }
        Purpose::Answer => {
            let Some(case) = &app.case else { return Ok(Vec::new()) };
            let Action::Ask(ask) = &case.step().action else { return Ok(Vec::new()) };
            typed::answer(&ask.answer, typed)?;
            let var = ask.var.clone();
            done(app);
            Ok(answered(app, &var, typed))
        }
        Purpose::Filter | Purpose::Search | Purpose::GoTo => {
            violations::answered(app, purpose, typed)
        }
        Purpose::FindHome => {
            done(app);
            typed.clone_into(&mut app.home.find);
            app.home.at = None;
            Ok(Vec::new())
        }
        Purpose::FindJournal => {
            done(app);
            typed.clone_into(&mut app.journal.find);
            app.journal.at = None;
            Ok(Vec::new())
        }
        Purpose::Execute => {
            done(app);
            let run = app.new_run();
            Ok(recovery::say(app, Said::Typed { text: typed.to_owned(), run }))
        }
        Purpose::BreakGlass => {
            typed::needed(typed)?;
            done(app);
            Ok(recovery::break_glass(app, typed))
        }
        Purpose::Consent { question, what } => {
            let consent = question.answer(typed, now)?;
            done(app);
            Ok(agreed(app, consent, what))
        }
        Purpose::SeverityReason(to) => {
            typed::needed(typed)?;
            done(app);
            let Some(case) = &app.case else { return Ok(Vec::new()) };
            let from = case.incident.severity.unwrap_or(*to);
            let reason = typed.to_owned();
            Ok(vec![Effect::Append(Entry::SeveritySet { from, to: *to, reason })])
        }
        Purpose::MilestoneAt(which) => {
            let at = if typed.is_empty() { now } else { typed::moment(typed, now)? };
            done(app);
            let origin = Origin::Human;
            Ok(vec![Effect::Append(Entry::Milestone { which: *which, at, origin })])
        }
        Purpose::DecideReason(option) => {
            typed::needed(typed)?;
            done(app);
            Ok(decided(app, *option, typed))
        }
        Purpose::TakeOver => {
            let effects = watch::forced(app, typed)?;
            done(app);
            Ok(effects)
        }
        Purpose::Target(_)
        | Purpose::Unanswered { .. }
        | Purpose::HandOver
        | Purpose::Copy
        | Purpose::Related
        | Purpose::Close
        | Purpose::Leave
        | Purpose::Export
        | Purpose::Escalate
        | Purpose::Severity
        | Purpose::Milestone
        | Purpose::Decide
        | Purpose::Part(_)
        | Purpose::Annotate(_)
        | Purpose::CommsText
        | Purpose::Signature
        | Purpose::AnswerChoice => Ok(Vec::new()),
    }
}

/// The right words were typed for an act outside of a change.
fn agreed(app: &mut App, consent: Consent, what: &str) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let confirmed = Entry::Confirmed {
        step: case.step().id.clone(),
        what: what.to_owned(),
        typed: consent.typed(),
        command: matches!(consent.act(), Act::RunCommand { .. }),
    };
    let follows = match consent.act().clone() {
        Act::ApplyGuardrail { .. } => {
            return guardrail::approved(app, Deed::ApplyGuardrail, consent);
        }
        Act::WithdrawGuardrail { .. } => {
            return guardrail::approved(app, Deed::WithdrawGuardrail, consent);
        }
        Act::RunCommand { .. } => step::run_command(app, Some(consent)),
        Act::EndSession { mark } => vec![Effect::EndSession { mark, consent }],
    };
    std::iter::once(Effect::Append(confirmed)).chain(follows).collect()
}

/// One item of a list was chosen.
pub fn choice(app: &mut App) -> Vec<Effect> {
    let Some(Overlay { kind: Kind::Choice(_), .. }) = &app.overlay else { return Vec::new() };
    let Some(Overlay { kind: Kind::Choice(choice), .. }) = app.uncover() else {
        return Vec::new();
    };
    let Some(item) = choice.items.get(choice.at).cloned() else { return Vec::new() };
    match choice.purpose {
        Purpose::Target(runbook) => match app.facts.targets.get(choice.at) {
            Some(target) => {
                let target = target.name.clone();
                home::open_on(app, runbook, target)
            }
            None => Vec::new(),
        },
        Purpose::Unanswered { runbook, target, why } if choice.at == 0 => {
            let unanswered = Some(why);
            home::go_to(app, Effect::Open { runbook, target, unanswered })
        }
        Purpose::Close if choice.at == 0 => close(app).unwrap_or_else(|why| {
            app.complain(why);
            Vec::new()
        }),
        Purpose::Leave if choice.at == 0 => {
            app.quit = Some(crate::exit::Exit::Clear);
            Vec::new()
        }
        Purpose::Export => {
            let run = app.new_run();
            let (Some(case), Some(check)) = (&mut app.case, app.violations.check.clone()) else {
                return Vec::new();
            };
            case.exports.push(run);
            vec![Effect::Export { run, check, format: item }]
        }
        Purpose::HandOver => together::answered(app, choice.at),
        Purpose::Copy => violations::copy(app, choice.at),
        Purpose::Related => violations::go(app, choice.at),
        Purpose::Escalate => escalation::called(app, choice.at),
        Purpose::Severity => {
            let to = Severity::ALL[choice.at.min(3)];
            let question = format!("{to}: why?");
            app.cover(Overlay::ask(Ask::new(Purpose::SeverityReason(to), &question)));
            Vec::new()
        }
        Purpose::Milestone => {
            let which = Milestone::ALL[choice.at.min(6)];
            let question = format!("{}: when? Enter for now, or -5m, or 14:05 (UTC)", which.word());
            app.cover(Overlay::ask(Ask::new(Purpose::MilestoneAt(which), &question)));
            Vec::new()
        }
        Purpose::Decide => {
            let ask = Ask::new(Purpose::DecideReason(choice.at), &format!("{item}: why?"));
            app.cover(Overlay::ask(ask));
            Vec::new()
        }
        Purpose::AnswerChoice => {
            let Some(case) = &app.case else { return Vec::new() };
            let Action::Ask(ask) = &case.step().action else { return Vec::new() };
            let var = ask.var.clone();
            answered(app, &var, &item)
        }
        _ => Vec::new(),
    }
}

/// First the journal; what was typed is only then not needed any more.
fn kept(app: &mut App, entry: Entry, draft: &str) -> Vec<Effect> {
    let mut effects = vec![Effect::Append(entry)];
    effects.extend(app.case.as_mut().and_then(|case| draft::settled(case, draft)));
    effects
}

/// A text of several lines is to be kept, or left as a draft. A part of the postmortem is one by
/// nature, so that it is kept either way.
pub fn edited(app: &mut App, command: Command) -> Vec<Effect> {
    let mut effects = draft::keep(app);
    let Some(Overlay { kind: Kind::Writing(writing), .. }) = &app.overlay else { return effects };
    let (text, changed) = (writing.editor.text(), writing.editor.is_changed());
    let (purpose, name) = (writing.purpose.clone(), writing.draft.clone().unwrap_or_default());
    let entry = match &purpose {
        Purpose::Signature => {
            app.uncover();
            return match command {
                Command::Back => effects,
                _ => recovery::signature(app, &text),
            };
        }
        Purpose::Part(_) | Purpose::CommsText => None,
        _ if command == Command::Back => {
            app.uncover();
            if changed && !text.trim().is_empty() {
                app.say("not written; what you typed is there when you open the box again");
            }
            return effects;
        }
        Purpose::Note => Some(noted(app, text.trim())),
        Purpose::Annotate(record) => {
            let text = text.trim().to_owned();
            Some(typed::needed(&text).map(|()| Entry::Annotated { record: *record, text }))
        }
        _ => return effects,
    };
    match entry {
        Some(Err(why)) => {
            app.complain(why);
            return effects;
        }
        Some(Ok(entry)) => {
            app.uncover();
            effects.extend(kept(app, entry, &name));
        }
        None => {
            app.uncover();
            match purpose {
                Purpose::Part(part) if changed => {
                    effects.extend(crate::tui::screen::postmortem::written(app, &part, &text));
                    effects.extend(app.case.as_mut().and_then(|case| draft::settled(case, &name)));
                }
                Purpose::CommsText => comms::edited(app, &text),
                _ => {}
            }
        }
    }
    effects
}

/// A note of several lines, or an action item.
fn noted(app: &App, text: &str) -> Result<Entry, String> {
    typed::needed(text)?;
    let (back, said) = typed::backdated(text, app.now)?;
    if let Some(item) = typed::action_item(app, said)? {
        return match back {
            None => Ok(item),
            Some(_) => Err("an action item has a day when it is due and no time before".into()),
        };
    }
    let (at, note, text) = typed::note(text, app.now)?;
    Ok(Entry::Note { at, note, text })
}

fn answered(app: &mut App, var: &str, answer: &str) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let (step, var, answer) = (case.step().id.clone(), var.to_owned(), answer.to_owned());
    let how = format!("{var} = {answer}");
    let mut effects = vec![Effect::Append(Entry::Answered { step, var, answer })];
    effects.extend(step::pass(app, &how));
    effects
}

fn decided(app: &mut App, option: usize, reason: &str) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let Action::Decide(decide) = &case.step().action else { return Vec::new() };
    let Some(option) = decide.options.get(option) else { return Vec::new() };
    let (label, goto) = (option.label.clone(), option.goto.clone());
    let at = case.runbook.position(&goto).unwrap_or(case.at + 1);
    let step = case.step().id.clone();
    let entry = Entry::Decided {
        step: step.clone(),
        question: decide.question.clone(),
        choice: label.clone(),
        reason: reason.to_owned(),
        goto,
    };
    let mut effects = vec![Effect::Append(entry)];
    effects.extend(step::settle(app, &label, at));
    effects.extend(step::look_at(app, at));
    effects
}

fn close(app: &mut App) -> Result<Vec<Effect>, String> {
    let Some(case) = &app.case else { return Ok(Vec::new()) };
    step::may_close(case)?;
    let check = case.main_check();
    let violations = check.and_then(|check| case.incident.standing_count(check));
    app.overlay = None;
    app.screen = Screen::Postmortem;
    app.postmortem.line = 0;
    app.say("closed; the postmortem is written, the marked parts are yours");
    let mut effects = vec![Effect::Append(Entry::Closed { violations })];
    if app.is_drill() {
        effects.push(Effect::Score);
    }
    effects.push(Effect::Postmortem);
    Ok(effects)
}
