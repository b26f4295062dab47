//! The step in work: what it asks, the answer, and the one key that goes on.
//!
//! Enter always does the next useful thing for the kind of step; everything else has a key of its
//! own. What a step needs before it may be left is decided here, from the runbook.

mod page;

pub use page::{check_lines, page};

use jiff::Timestamp;

use crate::check::Verdict;
use crate::consent::{Act, Consent, Question};
use crate::incident::entry::{Entry, Milestone, Origin, verdict_words};
use crate::runbook::progress::StepState;
use crate::runbook::{
    Action, CommandStep, EvidenceKind, Expect, Required, Stage, Step, Wait, WaitFor,
};
use crate::source::duration_text;
use crate::tui::app::{App, Screen};
use crate::tui::case::Case;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::overlay::{Ask, Overlay, Purpose, comms};
use crate::tui::page::to_go;
use crate::tui::widget::scroll::Scroll;
use page::nothing_here;

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    match command {
        Command::Confirm => go_on(app),
        Command::NextStep => look_at(app, case.at + 1),
        Command::PrevStep => look_at(app, case.at.saturating_sub(1)),
        Command::Rows => {
            let check = case.check_of_step().or(case.main_check()).map(str::to_owned);
            super::violations::open(app, check)
        }
        Command::Refresh => run_now(app),
        Command::FirstLook => super::recovery::on_command(app, command),
        Command::Preview if !unmet(case).is_empty() => {
            let text = format!("first {}", unmet(case).join(", "));
            no(app, &text)
        }
        Command::Preview => match case.step().action {
            Action::Change(_) => {
                app.screen = Screen::Recovery;
                super::recovery::on_command(app, Command::Preview)
            }
            Action::Guard(_) => {
                app.screen = Screen::Guardrail;
                super::guardrail::on_command(app, Command::Rehearse)
            }
            _ => no(app, "this step has nothing to preview"),
        },
        Command::Undo if case.incident.to_take_back(&case.step().id).is_some() => {
            app.screen = Screen::Recovery;
            super::recovery::on_command(app, Command::Undo)
        }
        Command::Undo => no(app, "there is no committed change of this step to take back"),
        Command::Withdraw if case.incident.guard_stands(&case.step().id) => {
            app.screen = Screen::Guardrail;
            super::guardrail::on_command(app, Command::Withdraw)
        }
        Command::Withdraw => no(app, "no guardrail of this step stands"),
        Command::Plan => match (case.check_of_step(), &case.step().action) {
            (_, Action::Change(_)) => super::plan::ask(app, None),
            (Some(check), _) => {
                let check = check.to_owned();
                super::plan::ask(app, Some(check))
            }
            (None, _) => no(app, "this step asks nothing of the database"),
        },
        Command::Skip => skip(app),
        Command::Comms => {
            if !case.incident.is_open() {
                return no(app, "the incident is closed");
            }
            comms::update(app)
        }
        other => {
            app.step_scroll.on_command(other);
            Vec::new()
        }
    }
}

/// The steps that must be done before the present one, and are not: number and title.
fn unmet(case: &Case) -> Vec<String> {
    let unmet = case.incident.progress.unmet(&case.runbook, &case.step().id);
    unmet
        .iter()
        .filter_map(|id| case.runbook.position(id))
        .map(|at| format!("step {} ({})", at + 1, case.runbook.steps[at].title))
        .collect()
}

fn no(app: &mut App, why: &str) -> Vec<Effect> {
    app.complain(why);
    Vec::new()
}

/// Moves to a step and starts what is live on it.
pub fn look_at(app: &mut App, at: usize) -> Vec<Effect> {
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let at = at.min(case.runbook.steps.len() - 1);
    if std::mem::replace(&mut case.at, at) != at {
        app.forget_step();
    }
    let Some(case) = &mut app.case else { return Vec::new() };
    app.step_scroll = Scroll::default();
    app.recovery_scroll = Scroll::default();
    app.guard_scroll = Scroll::default();
    let step = case.step().id.clone();
    let mut effects = Vec::new();
    let asked = if case.incident.is_open() { case.checks_of_decision() } else { Vec::new() };
    if case.incident.is_open() && case.incident.progress.current.as_deref() != Some(step.as_str()) {
        effects.push(Effect::Append(Entry::StepEntered { step }));
    }
    if case.incident.is_open()
        && let Some(check) = case.check_of_step().map(str::to_owned)
        && (case.interval().is_some() || !case.live.contains_key(&check))
    {
        effects.extend(case.want(&check, run, now));
    }
    effects.extend(want_all(app, asked));
    if !matches!(app.screen, Screen::Journal | Screen::Postmortem) {
        app.screen = Screen::Step;
    }
    effects
}

/// Asks how each of these is from now on.
fn want_all(app: &mut App, checks: Vec<String>) -> Vec<Effect> {
    let now = app.now;
    let mut effects = Vec::new();
    for check in checks {
        let run = app.new_run();
        let Some(case) = &mut app.case else { break };
        effects.extend(case.want(&check, run, now));
    }
    effects
}

fn run_now(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let asked = case.checks_of_decision();
    if !asked.is_empty() {
        return want_all(app, asked);
    }
    let Some(check) = case.check_of_step().or(case.main_check()).map(str::to_owned) else {
        return Vec::new();
    };
    if case.live_mut(&check).running.is_some() {
        return no(app, "it is already running; x stops it");
    }
    case.want(&check, run, now)
}

/// Enter: the next useful thing.
fn go_on(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    if !case.incident.is_open() {
        return no(app, "this incident is closed; P shows its postmortem");
    }
    let step = case.step().clone();
    let settled = case.incident.progress.state(&step.id).is_settled();
    if settled && !matches!(step.action, Action::Comms(_) | Action::Command(_)) {
        return onward(app);
    }
    let unmet = unmet(case);
    if !unmet.is_empty() {
        let text = format!("first {}", unmet.join(", "));
        return no(app, &text);
    }
    if !step.action.is_for(case.target.url.dialect) {
        let nothing = nothing_here(case);
        return pass(app, &nothing);
    }
    match &step.action {
        Action::Note => pass(app, "read"),
        Action::Manual(manual) => match manual.evidence {
            EvidenceKind::None => pass(app, "done"),
            EvidenceKind::Text => ask(app, Purpose::Evidence, "What shows that it is done?"),
            EvidenceKind::Url => ask(app, Purpose::Evidence, "Link that shows it"),
            EvidenceKind::Number => ask(app, Purpose::Evidence, "Number that shows it"),
        },
        Action::Ask(_) => {
            app.cover(Overlay::question(case));
            Vec::new()
        }
        Action::Check(check) => leave_check(app, &check.check, check.expect),
        Action::Decide(_) => {
            app.cover(Overlay::decide(case));
            Vec::new()
        }
        Action::Change(_) => {
            app.screen = Screen::Recovery;
            super::recovery::on_command(app, Command::Preview)
        }
        Action::Guard(_) => {
            app.screen = Screen::Guardrail;
            super::guardrail::on_command(app, Command::Rehearse)
        }
        Action::Wait(wait) => match &wait.until {
            WaitFor::Check(check) => leave_check(app, &check.clone(), Expect::Clear),
            WaitFor::Time(_) => {
                let left = wait_left(case, app.now);
                if left > 0 {
                    let text = format!("{} to go; {}", to_go(left), way_round(&step, "the rest"));
                    return no(app, &text);
                }
                pass(app, "waited")
            }
        },
        Action::Comms(_) => match comms::told(case).as_slice() {
            [] => comms::open(app),
            told => comms::done(app, told),
        },
        Action::Command(_) if settled => onward(app),
        Action::Command(command) if command.readonly => run_command(app, None),
        Action::Command(command) => confirm_command(app, command),
    }
}

/// What is not read-only runs after words that were typed for it.
fn confirm_command(app: &mut App, command: &CommandStep) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let Some(argv) = case.words(&command.argv) else { return run_command(app, None) };
    if let Some(why) = case.target.no_command() {
        return no(app, &why);
    }
    let what = argv.join(" ");
    let environment = super::super::view::environment_word(case);
    let target = case.target.name.clone();
    let text = format!(
        "Run on {environment} {target}\n{what}\nIt is not read-only, and nothing takes it back."
    );
    let act = Act::RunCommand { step: case.step().id.clone() };
    app.cover(Overlay::ask(Ask::consent(Question { act, target }, &what, &text)));
    Vec::new()
}

pub fn run_command(app: &mut App, consent: Option<Consent>) -> Vec<Effect> {
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let step = case.step().id.clone();
    let output = case.outputs.entry(step.clone()).or_default();
    if output.running.is_some() {
        return no(app, "it is already running; x stops it");
    }
    (output.running, output.run) = (Some((run, now)), run);
    vec![Effect::Command { run, step, consent }]
}

fn ask(app: &mut App, purpose: Purpose, question: &str) -> Vec<Effect> {
    app.cover(Overlay::ask(Ask::new(purpose, question)));
    Vec::new()
}

fn leave_check(app: &mut App, check: &str, expect: Expect) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let Some(verdict) = case.verdict(check).cloned() else {
        return no(app, "the check has not answered yet");
    };
    // What it said on an earlier visit may not be so any more.
    if let Some(live) = case.live.get(check).filter(|live| live.is_old()) {
        return no(
            app,
            match live.running {
                Some(_) => "the check is running again; its answer comes first",
                None => "the check was stopped before it answered; r runs it again",
            },
        );
    }
    let words = verdict_words(&verdict);
    let around = way_round(case.step(), "the step");
    match (expect, &verdict) {
        (_, Verdict::Inconclusive { .. }) => {
            let text = format!("{words}: r runs it again, {around}");
            no(app, &text)
        }
        (Expect::Clear, verdict) if verdict.is_violated() => {
            let text = format!("this step ends when the check is clear; now {words}");
            no(app, &text)
        }
        (Expect::Violated, verdict) if verdict.is_clear() => {
            let text = format!("{words}: nothing to recover; {around}");
            no(app, &text)
        }
        (Expect::Any | Expect::Clear | Expect::Violated, _) => pass(app, &words),
    }
}

/// What the operator can do about a step that does not end by itself.
fn way_round(step: &Step, what: &str) -> String {
    match step.required {
        Required::Pass => "this step must be done and cannot be skipped".to_owned(),
        _ => format!("s skips {what} with a reason"),
    }
}

/// Marks the present step done and goes on.
pub fn pass(app: &mut App, how: &str) -> Vec<Effect> {
    let next = app.case.as_ref().map_or(0, |case| case.at + 1);
    let mut effects = settle(app, how, next);
    effects.extend(onward(app));
    effects
}

/// Marks the present step done, with the milestones that follow when the step `next` comes after it.
pub fn settle(app: &App, how: &str, next: usize) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let step = case.step();
    let mut effects =
        vec![Effect::Append(Entry::StepPassed { step: step.id.clone(), how: how.to_owned() })];
    effects.extend(milestones(case, step, next, app.now));
    effects
}

/// Milestones that follow from a step being done.
fn milestones(case: &Case, step: &Step, next: usize, now: Timestamp) -> Vec<Effect> {
    let reached = match (step.stage, &step.action) {
        (Some(Stage::Stabilise), _) => Milestone::Acknowledged,
        (Some(Stage::Contain), _) if leaves(case, Stage::Contain, next) => Milestone::Contained,
        (Some(Stage::Revalidate), Action::Check(_)) => Milestone::Verified,
        _ => return Vec::new(),
    };
    if case.incident.milestones.contains_key(&reached) {
        return Vec::new();
    }
    vec![Effect::Append(Entry::Milestone { which: reached, at: now, origin: Origin::Auto })]
}

/// Whether the step `next` belongs to another stage.
fn leaves(case: &Case, stage: Stage, next: usize) -> bool {
    case.runbook.steps.get(next).is_none_or(|step| step.stage != Some(stage))
}

/// The next step; at the end, the question whether to close.
pub fn onward(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let last = case.runbook.steps.len() - 1;
    if case.at == last {
        return close(app);
    }
    let at = case.at + 1;
    look_at(app, at)
}

/// Asks whether to close, or says what is missing.
pub fn close(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    if !case.incident.is_open() {
        return no(app, "it is closed already");
    }
    if let Err(why) = may_close(case) {
        return no(app, &why);
    }
    let answers = vec!["Close it".to_owned(), "Not yet".to_owned()];
    app.cover(Overlay::choice("Close the incident?", answers, Purpose::Close));
    Vec::new()
}

/// Whether the incident can end here, or what comes first.
pub fn may_close(case: &Case) -> Result<(), String> {
    let missing = case.incident.progress.missing(&case.runbook);
    if !missing.is_empty() {
        // The first ones are gone to first, and a notice covers what is below it.
        const TOLD: usize = 3;
        let mut told: Vec<String> = missing
            .iter()
            .take(TOLD)
            .filter_map(|id| case.runbook.position(id))
            .map(|at| format!("{} {}", at + 1, case.runbook.steps[at].title))
            .collect();
        let more = missing.len().saturating_sub(TOLD);
        told.extend((more > 0).then(|| format!("and {more} more")));
        return Err(format!("not yet; these steps are required: {}", told.join("; ")));
    }
    if case.is_writing() || case.incident.in_doubt().is_some() {
        return Err("not yet: the outcome of a change is not known".into());
    }
    Ok(())
}

fn skip(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    if !case.incident.is_open() {
        return no(app, "the incident is closed");
    }
    if case.step().required == Required::Pass {
        return no(app, "this step must be done; it cannot be skipped");
    }
    if case.incident.progress.state(&case.step().id).is_settled() {
        return no(app, "this step is done");
    }
    // What it does just now is not known yet, and no reason makes it undone.
    let case = app.case.as_ref().filter(|case| case.is_doing(&case.step().id));
    if let Some(why) = case.and_then(Case::must_end) {
        return no(app, why);
    }
    ask(app, Purpose::SkipReason, "Why is this step skipped?")
}

fn wait_left(case: &Case, now: Timestamp) -> i64 {
    let Action::Wait(wait) = &case.step().action else { return 0 };
    // As the journal says: leaving the incident and coming back begins no wait anew.
    let since = case.incident.progress.entered(&case.step().id).unwrap_or(now);
    let length = match wait.until {
        WaitFor::Time(length) => length,
        WaitFor::Check(_) => wait.at_most,
    };
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX) - now.duration_since(since).as_secs()
}

/// A wait fails when its check still says no after the time that the runbook gives it. Only a verdict
/// ends it, since nobody knows how a check would answer by now.
pub fn overdue(app: &App) -> Option<Effect> {
    let case = app.case.as_ref()?;
    let step = case.step();
    let Action::Wait(Wait { until: WaitFor::Check(check), at_most, .. }) = &step.action else {
        return None;
    };
    let state = case.incident.progress.state(&step.id);
    let over = state.is_settled() || matches!(state, StepState::Failed(_));
    let verdict = case.verdict(check).filter(|verdict| !verdict.is_clear())?;
    if over || wait_left(case, app.now) > 0 {
        return None;
    }
    let why = format!("not clear after {}: {}", duration_text(*at_most), verdict_words(verdict));
    Some(Effect::Append(Entry::StepFailed { step: step.id.clone(), why }))
}

/// Where the runbook turns to from this step, if it failed.
fn way_on(case: &Case) -> Option<String> {
    let step = case.step();
    let of_wait = match &step.action {
        Action::Wait(wait) => wait.on_timeout.as_deref(),
        _ => None,
    };
    let at = case.runbook.position(of_wait.or(step.on_fail.as_deref())?)?;
    Some(format!("turn to step {}, {}", at + 1, case.runbook.steps[at].title))
}

/// What the key beside Enter says for this step.
pub fn enter_word(case: &Case, now: Timestamp) -> &'static str {
    if !case.incident.is_open() {
        return "closed";
    }
    let step = case.step();
    let state = case.incident.progress.state(&step.id);
    let last = case.at + 1 == case.runbook.steps.len();
    let is_timed = |wait: &Wait| matches!(wait.until, WaitFor::Time(_));
    match (&step.action, state.is_settled()) {
        (_, false) if !unmet(case).is_empty() => "say what comes first",
        (Action::Comms(_), _) if !comms::told(case).is_empty() => "told, go on",
        (Action::Comms(_), _) => "write the update",
        (_, true) if last => "close the incident",
        (_, true) => "next step",
        (action, _) if !action.is_for(case.target.url.dialect) => "go on",
        (Action::Wait(wait), _) if is_timed(wait) && wait_left(case, now) > 0 => "say how long",
        (Action::Note, _) => "read, go on",
        (Action::Manual(_), _) => "done, go on",
        (Action::Ask(_), _) => "answer",
        (Action::Check(_), _) => "go on",
        (Action::Decide(_), _) => "decide",
        (Action::Change(_), _) => "preview",
        (Action::Wait(_), _) => "go on",
        (Action::Command(_), _) => "run",
        (Action::Guard(_), _) => "rehearse",
    }
}
