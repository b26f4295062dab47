//! Telling people: the three texts of a communication step, rendered, edited if wanted, and written
//! down as given. The program sends nothing itself; the engineer does, and says so here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::writing::Writing;
use super::{Kind, Overlay, Purpose};
use crate::check::Verdict;
use crate::clock;
use crate::incident::entry::Entry;
use crate::practice::Level;
use crate::practice::messages::UPDATE;
use crate::runbook::message::{Facts, render};
use crate::runbook::{Action, Step, Words};
use crate::tui::app::App;
use crate::tui::case::Case;
use crate::tui::command::Command;
use crate::tui::draft;
use crate::tui::effect::Effect;
use crate::tui::widget::scroll::Scroll;

pub const AUDIENCES: [&str; 3] = ["technical", "business", "executive"];

#[derive(Debug)]
pub struct Comms {
    /// The step that it is recorded for, which need not be the one that is looked at.
    pub step: String,
    pub texts: [String; 3],
    /// The texts as the templates make them.
    rendered: [String; 3],
    pub given: [bool; 3],
    /// Those that stood on the screen to their end.
    pub seen: [bool; 3],
    pub at: usize,
    pub scroll: Scroll,
    next_update: Option<Timestamp>,
}

/// The texts of the present step.
pub fn open(app: &mut App) -> Vec<Effect> {
    let Some(step) = app.case.as_ref().map(|case| case.step().clone()) else { return Vec::new() };
    open_for(app, &step)
}

/// The texts of a step, wherever the incident stands: telling people moves nobody.
fn open_for(app: &mut App, of: &Step) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let Action::Comms(step) = &of.action else { return Vec::new() };
    let (words, next) = match &step.words {
        Words::Own(texts) => (texts.clone(), step.next_update),
        Words::Agreed(name) => {
            let Some(message) = app.facts.practice.message(name) else {
                app.complain(format!(
                    "no message is called {name}; `steadyhand lint` knows those that are"
                ));
                return Vec::new();
            };
            let promised = || (name == UPDATE).then(|| level(app, case).update_every);
            (message.texts.clone(), step.next_update.or_else(promised))
        }
    };
    let told = told_of(case, of);
    let given = AUDIENCES.map(|audience| told.contains(&audience));
    show(app, &of.id, &words, next, given)
}

/// Who was told already on the present step, if it is about that and not done.
pub fn told(case: &Case) -> Vec<&'static str> {
    told_of(case, case.step())
}

fn told_of(case: &Case, step: &Step) -> Vec<&'static str> {
    if !is_open(case, step) {
        return Vec::new();
    }
    let is_told = |audience: &&str| {
        case.incident.said.iter().any(|(_, of, told)| *of == step.id && told == audience)
    };
    AUDIENCES.into_iter().filter(is_told).collect()
}

/// It is about telling people, and not done.
fn is_open(case: &Case, step: &Step) -> bool {
    let settled = case.incident.progress.state(&step.id).is_settled();
    matches!(step.action, Action::Comms(_)) && !settled
}

/// An update at any time, whatever the step.
pub fn update(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    // The words that the runbook has for the first update are better than those for any. They tell of what comes
    // before them, so that they are true from where they stand on.
    let so_far = case.runbook.steps.iter().take(case.at + 1);
    let step = match told(case).as_slice() {
        [] => so_far.rev().find(|step| is_open(case, step) && case.incident.said.is_empty()),
        _ => Some(case.step()),
    };
    if let Some(step) = step.cloned() {
        return open_for(app, &step);
    }
    let Some(message) = app.facts.practice.message(UPDATE) else { return Vec::new() };
    let (words, next) = (message.texts.clone(), level(app, case).update_every);
    let step = case.step().id.clone();
    show(app, &step, &words, Some(next), [false; 3])
}

fn level<'a>(app: &'a App, case: &Case) -> &'a Level {
    app.facts.practice.level(case.incident.severity.unwrap_or(case.runbook.severity))
}

fn show(
    app: &mut App,
    step: &str,
    words: &[String; 3],
    next: Option<Duration>,
    given: [bool; 3],
) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let next_update = next
        .and_then(|after| jiff::SignedDuration::try_from(after).ok())
        .map(|after| app.now + after);
    let facts = Facts { risk: level(app, case).risk.clone(), ..facts(case, app.now, next_update) };
    match texts(words, &facts) {
        Ok(texts) => {
            // A message may be forwarded; what it is must go with it.
            let is_drill = case.incident.drill;
            let texts = texts.map(|text| if is_drill { format!("DRILL. {text}") } else { text });
            let rendered = texts.clone();
            let at = given.iter().position(|given| !given).unwrap_or(0);
            let (seen, scroll) = ([false; 3], Scroll::default());
            let step = step.to_owned();
            let mut comms = Comms { step, texts, rendered, given, seen, at, scroll, next_update };
            for (text, audience) in comms.texts.iter_mut().zip(AUDIENCES) {
                if let Some(draft) = case.drafts.get(&draft::name_of_comms(&comms.step, audience)) {
                    text.clone_from(&draft.text);
                }
            }
            app.overlay = Some(Overlay::new(Kind::Comms(Box::new(comms))));
        }
        Err(why) => app.complain(format!("a message template cannot be filled: {why}")),
    }
    Vec::new()
}

fn texts(words: &[String; 3], facts: &Facts) -> Result<[String; 3], String> {
    let [technical, business, executive] = words;
    Ok([
        render(technical.trim(), facts)?,
        render(business.trim(), facts)?,
        render(executive.trim(), facts)?,
    ])
}

fn facts(case: &Case, now: Timestamp, next_update: Option<Timestamp>) -> Facts {
    let incident = &case.incident;
    let utc = |at: Timestamp| at.strftime("%H:%M UTC").to_string();
    let check = case.main_check();
    let found = check.and_then(|check| incident.first_count(check));
    let minutes = incident.opened.map_or(0, |at| now.duration_since(at).as_secs() / 60);
    Facts {
        incident: incident.id.clone(),
        title: incident.title.clone(),
        severity: incident.severity.map(|severity| severity.to_string()).unwrap_or_default(),
        target: case.target.name.clone(),
        environment: crate::tui::view::environment_word(case),
        runbook: incident.runbook.clone(),
        owner: case.runbook.owner.clone(),
        risk: String::new(),
        opened: incident.opened.map(utc).unwrap_or_default(),
        open_for: format!("{minutes} min"),
        // As they stand in "{{ found }} violations when first seen, {{ now }} now".
        found: found.map_or_else(|| "an unknown number of".into(), |first| first.to_string()),
        now: check.map_or_else(|| "not counted".into(), |check| counted(case, check, now)),
        changed: match (incident.rows_changed(), incident.rows_taken_back()) {
            (all, 0) => all.to_string(),
            (all, back) => format!("{all} ({} by changes, {back} by taking one back)", all - back),
        },
        step: format!("{}/{} {}", case.at + 1, case.runbook.steps.len(), case.step().title),
        next_update: next_update.map_or_else(|| "when something changes".into(), utc),
        head: incident
            .records
            .last()
            .map(|record| record.hash[..12].to_owned())
            .unwrap_or_default(),
    }
}

/// The latest count that is true, as it stands before "now" and before "records are wrong". One that is
/// not of this minute has its time; what could not be counted, or was not since something was executed,
/// is no number.
fn counted(case: &Case, check: &str, now: Timestamp) -> String {
    const FRESH: SignedDuration = SignedDuration::from_mins(1);
    let utc = |at: Timestamp| {
        let days_ago = at.strftime("%F").to_string() != now.strftime("%F").to_string();
        at.strftime(if days_ago { "%F %H:%M UTC" } else { "%H:%M UTC" }).to_string()
    };
    let incident = &case.incident;
    let recorded = incident.counts_of(check).map(|seen| (seen.at, &seen.verdict));
    let mut said: Vec<(Timestamp, &Verdict)> = recorded.collect();
    // The journal has no run that came to the same as the one before.
    if let Some(live) = case.live.get(check)
        && let (Some(at), Some(finding)) = (live.at, &live.finding)
        && said.last().is_none_or(|(last, _)| *last < at)
    {
        said.push((at, &finding.verdict));
    }
    let number = |(at, verdict): &(Timestamp, &Verdict)| Some((*at, verdict.violations()?));
    let last = said.iter().rev().find_map(number);
    let known = last.map(|(at, count)| format!("; {count} at {}", utc(at))).unwrap_or_default();
    let written = incident.last_written();
    match (said.last(), last) {
        (None, _) => "not counted".into(),
        (Some((at, verdict)), _) if verdict.violations().is_none() => {
            format!("an unknown number (could not be counted at {}{known})", utc(*at))
        }
        (Some((at, _)), _) if written.is_some_and(|written| *at < written) => {
            format!("an unknown number (not counted since something was executed{known})")
        }
        (_, Some((at, count))) if clock::is_past(at, FRESH, now) => {
            format!("{count} (counted at {})", utc(at))
        }
        (_, last) => last.map_or_else(|| "not counted".into(), |(_, count)| count.to_string()),
    }
}

impl Comms {
    /// Whether the text that is shown is the operator's.
    pub fn is_edited(&self) -> bool {
        self.texts[self.at] != self.rendered[self.at]
    }

    /// Another text for the audience that is shown; none brings the template back.
    pub fn rewrite(&mut self, text: &str) {
        let text = if text.trim().is_empty() { &self.rendered[self.at] } else { text };
        self.texts[self.at] = text.to_string();
        self.seen[self.at] = false;
    }

    /// To the text of another audience.
    pub fn turn(&mut self, to: usize) {
        (self.at, self.scroll) = (to, Scroll::default());
    }
}

/// Opens the text that is shown for editing.
pub fn edit(app: &mut App) -> Vec<Effect> {
    let Some(Overlay { kind: Kind::Comms(comms), .. }) = &app.overlay else { return Vec::new() };
    let audience = AUDIENCES[comms.at];
    let title = format!("Update for {audience} readers");
    let name = draft::name_of_comms(&comms.step, audience);
    let mut writing = Writing::new(&title, &comms.rendered[comms.at], Purpose::CommsText);
    if comms.is_edited() {
        writing.editor.set_text(&comms.texts[comms.at]);
    }
    app.cover(Overlay::writing(writing.drafted(&name)));
    Vec::new()
}

/// The editor was closed, and the box below it shows what was written.
pub fn edited(app: &mut App, text: &str) {
    if let Some(Overlay { kind: Kind::Comms(comms), .. }) = &mut app.overlay {
        comms.rewrite(text);
    }
}

/// The shown text was given to its audience. One that was recorded gives way to the next, and of one
/// that is longer than the screen the rest comes first, so that nothing is recorded that was not on it.
pub fn give(app: &mut App) -> Vec<Effect> {
    let (Some(case), Some(Overlay { kind: Kind::Comms(comms), .. })) =
        (&app.case, &mut app.overlay)
    else {
        return Vec::new();
    };
    let at = comms.at;
    if comms.given[at] {
        let next = (1..3).map(|by| (at + by) % 3).find(|other| !comms.given[*other]);
        comms.turn(next.unwrap_or(at));
        return Vec::new();
    }
    if !comms.seen[at] {
        comms.scroll.on_command(Command::PageDown);
        return Vec::new();
    }
    comms.given[at] = true;
    let all = comms.given == [true; 3];
    let (step, is_here) = (comms.step.clone(), comms.step == case.step().id);
    let audience = AUDIENCES[at].to_owned();
    let entry = Entry::Said {
        step: comms.step.clone(),
        audience: audience.clone(),
        text: comms.texts[at].clone(),
        head: case.incident.records.last().map(|record| record.hash.clone()).unwrap_or_default(),
        next_update: comms.next_update,
    };
    app.say(format!("{audience} update recorded as given"));
    let mut effects = vec![Effect::Append(entry)];
    if let Some(case) = &mut app.case {
        let name = draft::name_of_comms(&step, &audience);
        effects.extend(draft::settled(case, &name));
    }
    if all {
        app.uncover();
        if is_here {
            effects.extend(done(app, &AUDIENCES));
        }
    }
    effects
}

/// The step is done with these told. An update that was given in between settles no step.
pub fn done(app: &mut App, told: &[&str]) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    if !is_open(case, case.step()) {
        return Vec::new();
    }
    crate::tui::screen::step::pass(app, &format!("told: {}", told.join(", ")))
}
