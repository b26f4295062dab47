//! The guardrail screen: rehearse it without a trace, apply it, withdraw it.

use crate::consent::{Act, Consent, Question};
use crate::guardrail::{Held, Rehearsal, Standing, UNSEEN};
use crate::incident::entry::{Deed, Entry, Evidence, Outcome};
use crate::problem::Problem;
use crate::runbook::Action;
use crate::tui::app::App;
use crate::tui::command::Command;
use crate::tui::effect::{Effect, Run};
use crate::tui::overlay::{Ask, Overlay};
use crate::tui::page::{Page, ago};
use crate::tui::theme::Role;
use crate::tui::widget::wrap::Line;

pub const REHEARSING: &str = "rehearsing";
pub const WRITING: &str = "writing";

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    match command {
        Command::Confirm => enter(app),
        Command::Rehearse | Command::Refresh => rehearse(app),
        Command::Apply => confirm(app, Deed::ApplyGuardrail),
        Command::Withdraw => confirm(app, Deed::WithdrawGuardrail),
        Command::NextStep => super::step::look_at(app, case.at + 1),
        Command::PrevStep => super::step::look_at(app, case.at.saturating_sub(1)),
        Command::Statements => {
            let lines = texts(app);
            app.cover(Overlay::text("The guardrail's statements", lines));
            Vec::new()
        }
        other => {
            app.guard_scroll.on_command(other);
            Vec::new()
        }
    }
}

fn standing(app: &App) -> Standing {
    let Some(case) = &app.case else { return Standing::Absent };
    case.incident.guardrails.get(&case.step().id).copied().unwrap_or_default()
}

fn is_sound(app: &App) -> bool {
    app.case
        .as_ref()
        .and_then(|case| case.guards.get(&case.step().id))
        .and_then(|guard| guard.rehearsal.as_ref())
        .is_some_and(Rehearsal::is_sound)
}

/// Enter: rehearse, then apply, then go on.
fn enter(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    if case.incident.progress.state(&case.step().id).is_settled() {
        return super::step::onward(app);
    }
    if standing(app) == Standing::Applied {
        return super::step::pass(app, "the guardrail stands");
    }
    if is_sound(app) { confirm(app, Deed::ApplyGuardrail) } else { rehearse(app) }
}

fn rehearse(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    if !case.incident.is_open() || !matches!(case.step().action, Action::Guard(_)) {
        return Vec::new();
    }
    let (step, op) = (case.step().id.clone(), case.new_op(run));
    let guard = case.guards.entry(step.clone()).or_default();
    if guard.running.is_some() {
        app.complain("it is already running");
        return Vec::new();
    }
    guard.running = Some((run, REHEARSING, now));
    guard.said = None;
    vec![Effect::Rehearse { run, step, op }]
}

fn confirm(app: &mut App, deed: Deed) -> Vec<Effect> {
    let standing = standing(app);
    let sound = is_sound(app);
    let Some(case) = &app.case else { return Vec::new() };
    if !case.incident.is_open() {
        app.complain("the incident is closed; nothing is changed any more");
        return Vec::new();
    }
    let applying = deed == Deed::ApplyGuardrail;
    if applying && standing == Standing::Applied {
        app.complain("it stands already; w withdraws it");
        return Vec::new();
    }
    if applying && !sound {
        app.complain("rehearse it first (r); it is applied only after a rehearsal that held");
        return Vec::new();
    }
    if !applying && standing != Standing::Applied {
        app.complain("this incident has not applied it, so there is nothing to withdraw");
        return Vec::new();
    }
    if let Some(why) = case.target.no_guardrail() {
        app.complain(why);
        return Vec::new();
    }
    let step = case.step().id.clone();
    let act = if applying { Act::ApplyGuardrail { step } } else { Act::WithdrawGuardrail { step } };
    let environment = super::super::view::environment_word(case);
    let target = &case.target.name;
    let question = format!(
        "{} the guardrail on {environment} {target}\nIt changes the schema and 0 rows.",
        if applying { "Apply" } else { "Withdraw" }
    );
    let asked = Question { act, target: target.clone() };
    app.cover(Overlay::ask(Ask::consent(asked, "", &question)));
    Vec::new()
}

/// The right words were typed.
pub fn approved(app: &mut App, deed: Deed, consent: Consent) -> Vec<Effect> {
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let (step, op) = (case.step().id.clone(), case.new_op(run));
    let guard = case.guards.entry(step.clone()).or_default();
    if guard.running.is_some() {
        return Vec::new();
    }
    guard.running = Some((run, WRITING, now));
    let fingerprint = case.runbook.digest();
    vec![
        Effect::Append(Entry::Approved {
            step: step.clone(),
            op: op.clone(),
            deed: deed.clone(),
            fingerprint: fingerprint.clone(),
            typed: consent.typed(),
            expires: consent.expires(),
        }),
        Effect::Append(Entry::ExecutionStarted {
            step: step.clone(),
            op: op.clone(),
            deed: deed.clone(),
            fingerprint,
        }),
        Effect::PutGuard { run, step, op, deed, consent },
    ]
}

pub fn rehearsed(
    app: &mut App,
    run: Run,
    step: &str,
    rehearsal: Result<Box<(Rehearsal, Evidence)>, Problem>,
) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let guard = case.guards.entry(step.to_owned()).or_default();
    if guard.running.is_none_or(|(of, _, _)| of != run) {
        return Vec::new();
    }
    guard.running = None;
    match rehearsal {
        Ok(answer) => {
            let (rehearsal, evidence) = *answer;
            let (step, sentence) = (step.to_owned(), rehearsal.sentence());
            let accepted = rehearsal.is_sound();
            guard.rehearsal = Some(rehearsal);
            vec![Effect::Append(Entry::GuardRehearsed { step, accepted, sentence, evidence })]
        }
        Err(problem) => {
            guard.said = Some(problem.to_string());
            Vec::new()
        }
    }
}

pub fn put(app: &mut App, run: Run, step: &str, outcome: Outcome, why: &str) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let guard = case.guards.entry(step.to_owned()).or_default();
    if guard.running.is_none_or(|(of, _, _)| of != run) {
        return Vec::new();
    }
    guard.running = None;
    guard.rehearsal = None;
    guard.said = Some(match outcome {
        Outcome::Committed => "COMMITTED: the schema was changed".to_owned(),
        Outcome::RolledBack => format!("ROLLED BACK, nothing was changed: {why}"),
        Outcome::Unknown => format!("OUTCOME UNKNOWN: {why}"),
    });
    let applied = case.incident.guard_stands(step);
    if outcome == Outcome::Committed && applied {
        let (step, how) = (step.to_owned(), "the guardrail stands".to_owned());
        return vec![Effect::Append(Entry::StepPassed { step, how })];
    }
    if outcome == Outcome::Unknown {
        return super::recovery::resolve(app);
    }
    Vec::new()
}

fn texts(app: &App) -> Vec<Line> {
    let mut page = Page::new(&app.look);
    let Some(case) = &app.case else { return page.finish() };
    let Action::Guard(guard) = &case.step().action else { return page.finish() };
    let dialect = case.target.url.dialect;
    let texts = [
        ("apply", &guard.apply),
        ("probe: must be rejected", &guard.probe),
        ("the rejection must say", &guard.rejects),
        ("withdraw", &guard.withdraw),
    ];
    for (name, text) in texts {
        page.muted(name);
        page.sql(text.get(dialect).unwrap_or("-").trim(), dialect);
        page.blank();
    }
    page.finish()
}

pub fn page(app: &App) -> Page<'_> {
    let mut page = Page::new(&app.look);
    let Some(case) = &app.case else { return page };
    let step = case.step();
    page.title(&step.title);
    if !step.why.is_empty() {
        page.lines(&step.why, Role::Muted);
    }
    page.blank();
    if let Action::Guard(guard) = &step.action {
        let dialect = case.target.url.dialect;
        page.sql(guard.apply.get(dialect).unwrap_or_default().trim(), dialect);
        page.blank();
    }
    let Some(guard) = case.guards.get(&step.id) else {
        page.text("Not rehearsed yet: r tries it and takes it back at once.");
        standing_line(app, &mut page);
        return page;
    };
    if let Some((_, what, since)) = guard.running {
        let seconds = app.now.duration_since(since).as_secs();
        page.text(&format!("{what} for {seconds} s"));
    }
    if let Some(rehearsal) = &guard.rehearsal {
        let age = app.now.duration_since(rehearsal.at).as_secs();
        page.line(&[("REHEARSED ", Role::Focus), (&ago(age), Role::Muted)]);
        if let Some(why) = &rehearsal.untried {
            page.signed(app.look.unknown(), &format!("not tried out: {why}"), Role::Warning);
        } else {
            findings(app, rehearsal, &mut page);
        }
        let trace = if rehearsal.traceless { Ok(()) } else { Err("the schema changed".to_owned()) };
        verdict(
            app,
            &trace,
            "no trace left: a second connection saw the schema unchanged",
            "a trace was left",
            &mut page,
        );
        page.pair("Lock", 6, &rehearsal.lock);
        for note in &rehearsal.notes {
            page.pair("Note", 6, note);
        }
        if rehearsal.stands {
            page.signed(app.look.ok(), "it stands already", Role::Ok);
        }
    }
    if let Some(said) = &guard.said {
        page.blank().lines(said, Role::Text);
    }
    standing_line(app, &mut page);
    page
}

fn verdict(app: &App, outcome: &Result<(), String>, good: &str, bad: &str, page: &mut Page<'_>) {
    match outcome {
        Ok(()) => page.signed(app.look.ok(), good, Role::Ok),
        Err(why) => page.signed(app.look.bad(), &format!("{bad}: {why}"), Role::Danger),
    };
}

fn standing_line(app: &App, page: &mut Page<'_>) {
    match standing(app) {
        Standing::Applied => {
            page.blank().signed(app.look.ok(), "the guardrail stands; w withdraws it", Role::Ok);
        }
        Standing::Withdrawn => {
            page.blank().muted("it was withdrawn");
        }
        Standing::Absent => {}
    }
}

/// What Enter does here now.
pub fn enter_word(app: &App) -> &'static str {
    if standing(app) == Standing::Applied {
        "next step"
    } else if is_sound(app) {
        "apply"
    } else {
        "rehearse"
    }
}

/// What trying it out has shown.
fn findings(app: &App, rehearsal: &Rehearsal, page: &mut Page<'_>) {
    if rehearsal.held == Held::AgainstLater && rehearsal.accepted.is_ok() {
        page.signed(app.look.unknown(), UNSEEN, Role::Warning);
    } else {
        verdict(app, &rehearsal.accepted, "the data as it is fits", "the data does not fit", page);
    }
    match &rehearsal.rejects {
        Ok(words) => {
            page.signed(app.look.ok(), "the bad state is rejected by name:", Role::Ok);
            page.muted(&format!("    {words}"));
        }
        Err(why) => {
            page.signed(app.look.bad(), &format!("it does not hold: {why}"), Role::Danger);
        }
    }
}
