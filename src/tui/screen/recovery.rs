//! The recovery screen: what a change would do, all of it; then the typed confirmation; then how it
//! ended. Every decision is the protocol's; this asks it and shows what it says.

use crate::incident::entry::{Deed, Entry, Evidence};
use crate::problem::Problem;
use crate::recovery::fingerprint::{key_words, show};
use crate::recovery::protocol::{self, Ask as Asked, Said, State};
use crate::recovery::{
    CheckOutcome, Execution, FirstLook, Looked, Plan, Preview, RowImage, TableHead,
};
use crate::runbook::Action;
use crate::sql;
use crate::tui::app::App;
use crate::tui::case::Recovery;
use crate::tui::command::Command;
use crate::tui::effect::{Effect, Run};
use crate::tui::overlay::{Ask, Overlay, Purpose};
use crate::tui::page::{Page, ago, clock};
use crate::tui::theme::Role;
use crate::tui::widget::wrap::Line;
use crate::value::{Rows, thousands};

/// Rows of each table that the page itself shows; `d` shows all.
const SHOWN: usize = 6;

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let recovery = case.recoveries.get(&case.step().id);
    if recovery.is_some_and(|recovery| matches!(recovery.state, State::Confirming { .. })) {
        // A command comes here only when no box is open, so the confirmation was left alone.
        say(app, Said::Back);
    }
    let Some(case) = &app.case else { return Vec::new() };
    match command {
        Command::Approve | Command::Confirm => enter(app),
        Command::FirstLook => first_look(app),
        Command::Preview | Command::Refresh => {
            let standing = case.incident.standing_change(&case.step().id).is_some();
            let undoing =
                standing && case.recoveries.get(&case.step().id).is_some_and(|r| r.undoing);
            if undoing { preview_undo(app) } else { preview(app, None) }
        }
        Command::Undo => preview_undo(app),
        Command::Changes | Command::Rows => {
            if let Some(preview) =
                case.recoveries.get(&case.step().id).and_then(|r| r.preview.clone())
            {
                let lines = all_rows(app, &preview);
                app.overlay = Some(Overlay::text("Rows, before and after", lines));
            }
            Vec::new()
        }
        Command::Statements => {
            let lines = statements(app);
            app.overlay = Some(Overlay::text("Statements as they run", lines));
            Vec::new()
        }
        Command::NextStep => super::step::look_at(app, case.at + 1),
        Command::PrevStep => super::step::look_at(app, case.at.saturating_sub(1)),
        other => {
            app.recovery_scroll.on_command(other);
            Vec::new()
        }
    }
}

/// Enter: confirm what was previewed, or go on after it was done.
fn enter(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let recovery = case.recoveries.get(&case.step().id);
    let standing = case.incident.standing_change(&case.step().id).is_some();
    match recovery.map(|recovery| &recovery.state) {
        // It was committed before the program was taken up again.
        None | Some(State::Idle | State::Failed { .. }) if standing => super::step::onward(app),
        None | Some(State::Idle | State::Failed { .. }) => preview(app, None),
        Some(State::Ended { execution: Execution::RolledBack { .. } }) => {
            on_command(app, Command::Preview)
        }
        Some(State::Ended { execution: Execution::Committed { .. } }) => {
            let undone = recovery.is_some_and(|recovery| recovery.undoing);
            if undone { super::step::look_at(app, case.at) } else { super::step::onward(app) }
        }
        Some(_) => say(app, Said::Confirm),
    }
}

fn preview(app: &mut App, undoes: Option<String>) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    if !case.incident.is_open() {
        app.complain("the incident is closed; nothing is changed any more");
        return Vec::new();
    }
    if !matches!(case.step().action, Action::Change(_)) {
        return Vec::new();
    }
    let step = case.step().id.clone();
    if undoes.is_none()
        && let Some(change) = case.incident.standing_change(&step)
    {
        let text = format!("this change is committed ({} rows); u takes it back", change.rows);
        app.complain(text);
        return Vec::new();
    }
    if case.incident.in_doubt().is_some() {
        app.complain("the outcome of the last execution must be found out first: r asks again");
        return Vec::new();
    }
    let standing = case.incident.standing_change(&step).is_some();
    let recovery = case.recovery_mut(&step);
    recovery.undoing = undoes.is_some();
    // What was taken back may be done again, from a new preview.
    if !standing && matches!(recovery.state, State::Ended { .. }) {
        recovery.state = State::Idle;
    }
    let run = app.new_run();
    say(app, Said::Preview { run })
}

/// Counts and samples by reads, before anything is tried.
fn first_look(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let Some(case) = &mut app.case else { return Vec::new() };
    if !matches!(case.step().action, Action::Change(_)) {
        return Vec::new();
    }
    let (step, answers) = (case.step().id.clone(), case.incident.answers.clone());
    let recovery = case.recovery_mut(&step);
    if recovery.looking.is_some() || !matches!(recovery.state, State::Idle | State::Failed { .. }) {
        return Vec::new();
    }
    recovery.state = State::Idle;
    recovery.looking = Some(run);
    app.screen = crate::tui::app::Screen::Recovery;
    vec![Effect::FirstLook { run, step, answers }]
}

pub fn looked(
    app: &mut App,
    run: Run,
    step: &str,
    look: Result<Box<FirstLook>, Problem>,
) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let recovery = case.recovery_mut(step);
    if recovery.looking != Some(run) {
        return Vec::new();
    }
    recovery.looking = None;
    match look {
        Ok(look) => recovery.look = Some(*look),
        Err(problem) => app.complain(problem.sentence),
    }
    Vec::new()
}

fn look_lines(app: &App, recovery: &Recovery, page: &mut Page<'_>) {
    if recovery.looking.is_some() {
        page.text("Counting by reads ...");
        page.muted("x stops it on the server");
        return;
    }
    let Some(look) = &recovery.look else {
        page.text("Nothing was previewed yet.");
        page.muted("f looks first: counts and samples by reads, nothing is written or locked");
        return;
    };
    let age = ago(app.now.duration_since(look.at).as_secs());
    page.line(&[
        ("FIRST LOOK ", Role::Focus),
        (&format!("{age}, by reads alone, {:.2} s", look.seconds), Role::Muted),
    ]);
    page.muted("Triggers, cascades and constraints are not in it; the preview shows them.");
    for (number, (note, looked)) in look.statements.iter().enumerate() {
        page.blank();
        let head = format!("{}  ", number + 1);
        let (rows, sample) = match looked {
            Looked::Rows { rows, sample } => (rows, sample),
            Looked::Not(why) => {
                page.line(&[(&head, Role::Muted), (note, Role::Text)]);
                page.signed(app.look.unknown(), &format!("not looked at: {why}"), Role::Warning);
                continue;
            }
        };
        let count = format!("{rows} rows  ");
        page.line(&[(&head, Role::Muted), (&count, Role::Title), (note, Role::Text)]);
        for row in 0..sample.len() {
            let cells = looked_at(sample, row, app.look.glyphs.arrow);
            page.text(&format!("    {}", cells.join("  ")));
        }
    }
}

/// A row with what changes right behind its first column, which is its key in nearly every table.
fn looked_at(sample: &Rows, row: usize, arrow: &str) -> Vec<String> {
    let names = sample.columns();
    let values: Vec<String> = sample.row(row).map(|value| show(&value.to_owned())).collect();
    let becomes = |name: &str| names.iter().position(|other| *other == sql::becomes(name));
    let (mut changed, mut same) = (Vec::new(), Vec::new());
    for (column, name) in names.iter().enumerate() {
        match becomes(name) {
            Some(after) => {
                changed.push(format!("{name} {} {arrow} {}", values[column], values[after]));
            }
            None if sql::is_becoming(name) => {}
            None => same.push(format!("{name} {}", values[column])),
        }
    }
    let rest = same.split_off(same.len().min(1));
    [same, changed, rest].concat()
}

fn preview_undo(app: &mut App) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    let step = case.step().id.clone();
    let Some(change) = case.incident.standing_change(&step) else {
        app.complain("there is no committed change of this step to take back");
        return Vec::new();
    };
    let op = change.op.clone();
    let recovery = case.recovery_mut(&step);
    if matches!(recovery.state, State::Ended { .. }) {
        recovery.state = State::Idle;
        recovery.preview = None;
    }
    preview(app, Some(op))
}

/// One step of the protocol for the present step, and what it asks for.
pub fn say(app: &mut App, said: Said) -> Vec<Effect> {
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let step = case.step().id.clone();
    step_protocol(case, &step, said, now).apply(app, &step)
}

/// What the protocol asked, to be carried out with the whole app at hand.
struct Answer {
    asked: Asked,
    evidence: Option<Evidence>,
}

fn step_protocol(
    case: &mut crate::tui::case::Case,
    step: &str,
    said: Said,
    now: jiff::Timestamp,
) -> Answer {
    let recovery = case.recovery_mut(step);
    let state = std::mem::take(&mut recovery.state);
    // Before the first preview there is no plan; nothing that needs one is allowed then.
    let plan = recovery.plan.clone().unwrap_or_else(|| std::sync::Arc::new(empty_plan(step)));
    let (state, asked) = protocol::step(state, said, &plan, now);
    if let State::Previewing { .. } | State::Executing { .. } = state {
        recovery.since = Some(now);
    }
    recovery.state = state;
    Answer { asked, evidence: None }
}

fn empty_plan(step: &str) -> Plan {
    Plan {
        step: step.to_owned(),
        title: String::new(),
        target: String::new(),
        actions: Vec::new(),
        cures: Vec::new(),
        must_not_worsen: Vec::new(),
        limits: crate::runbook::Limits {
            max_rows: 0,
            time_cap: std::time::Duration::ZERO,
            lock_wait: std::time::Duration::ZERO,
            max_blocked: 3,
        },
        valid: std::time::Duration::ZERO,
        undoes: None,
    }
}

impl Answer {
    fn apply(self, app: &mut App, step: &str) -> Vec<Effect> {
        let Some(case) = &mut app.case else { return Vec::new() };
        let environment = super::super::view::environment_word(case);
        let recovery = case.recoveries.entry(step.to_owned()).or_default();
        match self.asked {
            Asked::Nothing => Vec::new(),
            Asked::Refuse(why) => {
                app.complain(why);
                Vec::new()
            }
            Asked::Preview { run } => {
                recovery.preview = None;
                let undoing = recovery.undoing;
                let undoes = undoing
                    .then(|| case.incident.standing_change(step).map(|change| change.op.clone()))
                    .flatten();
                let op = case.new_op(run);
                let answers = case.incident.answers.clone();
                vec![Effect::Preview { run, op, step: step.to_owned(), answers, undoes }]
            }
            Asked::Journal { preview } => {
                recovery.preview = Some(preview.clone());
                let deed = deed(recovery);
                let Some(evidence) = self.evidence else { return Vec::new() };
                vec![Effect::Append(Entry::Previewed {
                    step: step.to_owned(),
                    op: preview.op.clone(),
                    deed,
                    rows: preview.rows(),
                    writes: preview.tallies(),
                    hidden: preview.hidden(),
                    fingerprint: preview.fingerprint.clone(),
                    refused: preview.refused.clone(),
                    undo: preview.undo.sentence(),
                    evidence,
                })]
            }
            Asked::OpenConfirmation { expected } => {
                let question = confirmation_text(recovery, &environment);
                app.overlay =
                    Some(Overlay::ask(Ask::new(Purpose::Execute, &question).expecting(&expected)));
                Vec::new()
            }
            Asked::Execute { run, approval } => {
                let (Some(plan), Some(preview)) = (recovery.plan.clone(), recovery.preview.clone())
                else {
                    return Vec::new();
                };
                let deed = deed(recovery);
                let (step, op) = (step.to_owned(), preview.op.clone());
                vec![
                    Effect::Append(Entry::Approved {
                        step: step.clone(),
                        op: op.clone(),
                        deed: deed.clone(),
                        fingerprint: preview.fingerprint.clone(),
                        typed: approval.typed().to_owned(),
                        expires: approval.expires(),
                    }),
                    Effect::Append(Entry::ExecutionStarted {
                        step,
                        op: op.clone(),
                        deed,
                        fingerprint: preview.fingerprint.clone(),
                    }),
                    Effect::Execute { run, plan: Box::new((*plan).clone()), op, approval },
                ]
            }
        }
    }
}

fn deed(recovery: &Recovery) -> Deed {
    match recovery.plan.as_ref().and_then(|plan| plan.undoes.clone()) {
        Some(of) => Deed::Undo { of },
        None => Deed::Change,
    }
}

fn confirmation_text(recovery: &Recovery, environment: &str) -> String {
    let (Some(plan), Some(preview)) = (&recovery.plan, &recovery.preview) else {
        return String::new();
    };
    let tables: Vec<String> = preview
        .tallies()
        .iter()
        .map(|(table, tally)| format!("{} in {table}", tally.total()))
        .collect();
    let what = if plan.undoes.is_some() { "Undo" } else { "Execute" };
    let undo = match &preview.undo.impossible {
        Some(why) => format!("\nTHERE IS NO UNDO: {why}."),
        None => String::new(),
    };
    format!(
        "{what} on {environment} {}\n{} rows: {}.\nIf one of them changed since the preview, nothing is written.{undo}",
        plan.target,
        preview.rows(),
        tables.join(", ")
    )
}

/// An answer of a preview came back.
pub fn previewed(
    app: &mut App,
    run: Run,
    step: &str,
    preview: Result<Box<(Plan, Preview, Evidence)>, Problem>,
) -> Vec<Effect> {
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let recovery = case.recovery_mut(step);
    if !matches!(recovery.state, State::Previewing { run: of } if of == run) {
        return Vec::new();
    }
    match preview {
        Ok(answer) => {
            let (plan, preview, evidence) = *answer;
            recovery.plan = Some(std::sync::Arc::new(plan));
            app.recovery_scroll = crate::tui::widget::scroll::Scroll::default();
            let said = Said::PreviewArrived { run, preview: Box::new(preview) };
            let answer = step_protocol(case, step, said, now);
            Answer { evidence: Some(evidence), ..answer }.apply(app, step)
        }
        Err(problem) => {
            let deed = if recovery.undoing {
                case.incident
                    .standing_change(step)
                    .map_or(Deed::Change, |change| Deed::Undo { of: change.op.clone() })
            } else {
                Deed::Change
            };
            let why = problem.to_string();
            let said = Said::PreviewFailed { run, why: why.clone() };
            let mut effects = step_protocol(case, step, said, now).apply(app, step);
            effects.push(Effect::Append(Entry::PreviewFailed {
                step: step.to_owned(),
                deed,
                why: problem.sentence,
            }));
            effects
        }
    }
}

/// An execution ended.
pub fn executed(app: &mut App, run: Run, step: &str, execution: Execution) -> Vec<Effect> {
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let undoing = case.recoveries.get(step).is_some_and(|recovery| recovery.undoing);
    let committed = matches!(&execution, Execution::Committed { .. });
    let sound = matches!(&execution, Execution::Committed { sound: true, .. });
    let rows = match &execution {
        Execution::Committed { rows, .. } => *rows,
        Execution::RolledBack { .. } | Execution::Unknown { .. } => 0,
    };
    let unknown = matches!(&execution, Execution::Unknown { .. });
    let mut effects =
        step_protocol(case, step, Said::Ended { run, execution }, now).apply(app, step);
    if committed && !undoing {
        let (step, how) = (step.to_owned(), format!("{rows} rows committed"));
        effects.push(Effect::Append(if sound {
            Entry::StepPassed { step, how }
        } else {
            Entry::StepFailed { step, why: "committed, but the verification failed".into() }
        }));
    }
    if unknown {
        effects.extend(resolve(app));
    }
    if committed {
        effects.extend(look_again(app, step, undoing));
    }
    app.recovery_scroll = crate::tui::widget::scroll::Scroll::default();
    effects
}

/// After a commit what was seen before is old: the checks run again, and after an undo the steps
/// that had looked at the change are open once more.
fn look_again(app: &mut App, step: &str, undone: bool) -> Vec<Effect> {
    let runs: Vec<Run> = (0..8).map(|_| app.new_run()).collect();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let mut effects = Vec::new();
    let at = case.runbook.position(step).unwrap_or(0);
    if undone {
        let later = case.runbook.steps.iter().skip(at + 1);
        let looked = later.filter(|later| matches!(later.action, Action::Check(_)));
        for later in looked.filter(|later| case.incident.progress.state(&later.id).is_settled()) {
            let why = "the change it had looked at was taken back".to_owned();
            effects.push(Effect::Append(Entry::StepFailed { step: later.id.clone(), why }));
        }
    }
    let Some(Action::Change(change)) = case.runbook.step(step).map(|step| step.action.clone())
    else {
        return effects;
    };
    for (check, run) in change.cures.iter().zip(runs) {
        effects.extend(case.detect(check, run, now));
    }
    effects
}

/// Asks the database how an execution ended that was cut off.
pub fn resolve(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let Some(case) = &app.case else { return Vec::new() };
    match case.doubt() {
        Some(doubt) => vec![Effect::Resolve { run, doubt }],
        None => Vec::new(),
    }
}

fn statements(app: &App) -> Vec<Line> {
    let mut page = Page::new(&app.look);
    let Some(case) = &app.case else { return page.finish() };
    match case.recoveries.get(&case.step().id).and_then(|recovery| recovery.preview.as_ref()) {
        Some(preview) => {
            for (number, statement) in preview.statements.iter().enumerate() {
                page.line(&[
                    (&format!("{}  {}", number + 1, statement.note), Role::Muted),
                    (
                        &format!("   {} rows, {:.3} s", statement.rows, statement.seconds),
                        Role::Muted,
                    ),
                ]);
                page.sql(statement.sql.trim(), case.target.url.dialect);
                page.blank();
            }
        }
        None => {
            if let Action::Change(change) = &case.step().action {
                for statement in &change.statements {
                    page.muted(&statement.note);
                    let sql = statement.sql.get(case.target.url.dialect).unwrap_or_default();
                    page.sql(sql.trim(), case.target.url.dialect);
                    page.blank();
                }
            }
        }
    }
    page.finish()
}

/// The whole page: state first, then what was seen.
pub fn page(app: &App) -> Page<'_> {
    let mut page = Page::new(&app.look);
    let Some(case) = &app.case else { return page };
    let step = case.step();
    let recovery = case.recoveries.get(&step.id);
    let title = recovery
        .and_then(|recovery| recovery.plan.as_ref())
        .map_or(step.title.clone(), |plan| plan.title.clone());
    let Some(recovery) = recovery else {
        page.title(&title).blank().text("Nothing was previewed yet.");
        return page;
    };
    if let Some(words) = case.watch.words() {
        page.line(&[("Pressure ", Role::Warning), (&words, Role::Text)]).blank();
    }
    let since = recovery.since.map_or(0, |since| app.now.duration_since(since).as_secs());
    match &recovery.state {
        State::Idle => {
            page.title(&title).blank();
            look_lines(app, recovery, &mut page);
        }
        State::Previewing { .. } => {
            page.title(&title).blank();
            page.text(&format!("Running it for real, to roll it back at once: {since} s"));
            page.muted("x stops it on the server");
        }
        State::Executing { .. } => {
            page.title(&title).blank();
            page.text(&format!("Executing: {since} s"));
            page.muted("It commits only if it does exactly what was previewed.");
        }
        State::Failed { why } => {
            page.title(&title).blank();
            page.signed(app.look.bad(), "The preview failed; nothing was changed.", Role::Danger);
            page.lines(why, Role::Text);
        }
        State::Previewed { preview } | State::Confirming { preview } => {
            let age = app.now.duration_since(preview.at).as_secs();
            let valid = recovery.plan.as_ref().map_or(0, |plan| {
                protocol::expiry(plan, preview).duration_since(app.now).as_secs()
            });
            let left = if valid > 0 {
                format!("valid {}", clock(valid))
            } else {
                "too old: p previews again".into()
            };
            page.line(&[
                ("PREVIEW ", Role::Focus),
                (&format!("{}, {left}   ", ago(age)), Role::Muted),
                (&title, Role::Title),
            ]);
            preview_lines(app, preview, &mut page);
        }
        State::Ended { execution } => {
            page.title(&title);
            ended_lines(app, case, execution, recovery, &mut page);
            if let Some(preview) = &recovery.preview {
                page.blank().muted("What was previewed:");
                preview_lines(app, preview, &mut page);
            }
        }
    }
    page
}

fn ended_lines(
    app: &App,
    case: &crate::tui::case::Case,
    execution: &Execution,
    recovery: &Recovery,
    page: &mut Page<'_>,
) {
    match execution {
        Execution::Committed { rows, checks, sound, .. } => {
            page.signed(app.look.ok(), &format!("COMMITTED   {rows} rows, as previewed"), Role::Ok);
            let words: Vec<String> = checks
                .iter()
                .map(|(check, verdict)| {
                    format!("{check}: {}", crate::incident::entry::verdict_words(verdict))
                })
                .collect();
            let sign = if *sound { app.look.ok() } else { app.look.bad() };
            let role = if *sound { Role::Ok } else { Role::Danger };
            let told = if recovery.undoing {
                "after the undo, on a new connection: "
            } else {
                "verified on a new connection: "
            };
            page.signed(sign, &format!("{told}{}", words.join(", ")), role);
            if case.incident.standing_change(&case.step().id).is_some() {
                page.text("The undo is ready: u previews it.");
            }
        }
        Execution::RolledBack { why, drift } => {
            page.signed(app.look.bad(), "ROLLED BACK: nothing was changed", Role::Danger);
            page.text(why);
            for difference in drift.iter().flat_map(|drift| &drift.differences) {
                page.line(&[("  ", Role::Text), (difference, Role::Changed)]);
            }
            page.muted("p previews again with the data as it is now");
        }
        Execution::Unknown { why, .. } => {
            page.signed(
                app.look.unknown(),
                "OUTCOME UNKNOWN: the database is being asked",
                Role::Unknown,
            );
            page.text(why);
        }
    }
}

fn preview_lines(app: &App, preview: &Preview, page: &mut Page<'_>) {
    for why in &preview.refused {
        page.signed(app.look.bad(), &format!("refused: {why}"), Role::Danger);
    }
    for (number, statement) in preview.statements.iter().enumerate() {
        let note =
            if statement.note.is_empty() { statement.sql.clone() } else { statement.note.clone() };
        page.line(&[
            (&format!("{}  ", number + 1), Role::Muted),
            (&format!("{} rows  ", statement.rows), Role::Title),
            (&note, Role::Text),
        ]);
    }
    writes_lines(preview, page);
    conflict_lines(app, preview, page);
    check_lines(app, preview, page);
    page.blank();
    page.pair("Undo", 8, &preview.undo.sentence());
    page.pair("Locks", 8, &preview.locks);
    if let Some(Ok(identity)) = app.case.as_ref().map(|case| &case.identity) {
        page.pair("Session", 8, &identity.settings_told());
    }
    let behind = if preview.leaves_behind.is_empty() {
        "nothing".to_owned()
    } else {
        preview.leaves_behind.join(", ")
    };
    page.pair("Rollback", 8, &format!("leaves behind: {behind}"));
    match &preview.proof {
        Ok(proof) => page.pair("Proof", 8, &format!("rolled back: {proof}")),
        Err(why) => page.pair("Proof", 8, &format!("MISSING: {why}")),
    };
    for warning in &preview.warnings {
        page.line(&[("Warning  ", Role::Warning), (warning, Role::Text)]);
    }
    rows_lines(app, preview, page);
}

fn writes_lines(preview: &Preview, page: &mut Page<'_>) {
    page.blank();
    page.line(&[
        (&format!("{:<28}", "Writes"), Role::Title),
        (&format!("{:<16}", "direct"), Role::Muted),
        ("by triggers and cascades", Role::Muted),
    ]);
    for writes in &preview.writes {
        page.line(&[
            (&format!("  {:<26}", writes.table), Role::Text),
            (&format!("{:<16}", writes.direct.words()), Role::Text),
            (
                &writes.hidden.words(),
                if writes.hidden.total() > 0 { Role::Warning } else { Role::Muted },
            ),
        ]);
    }
}

fn check_lines(app: &App, preview: &Preview, page: &mut Page<'_>) {
    if preview.checks.is_empty() {
        return;
    }
    page.blank().title("Afterwards, inside the transaction");
    let number = |verdict: &crate::check::Verdict| match verdict.reading() {
        Some(reading) => reading.amount(),
        None => verdict.violations().map_or_else(|| "?".to_owned(), |count| count.to_string()),
    };
    let mut unchanged = 0;
    for outcome in &preview.checks {
        let CheckOutcome { check, before, after, .. } = outcome;
        if before == after && outcome.objection().is_none() {
            unchanged += 1;
            continue;
        }
        let arrow = app.look.glyphs.arrow;
        let text = format!("{check:<34} {} {arrow} {}", number(before), number(after));
        let worse = matches!((before.violations(), after.violations()),
            (Some(before), Some(after)) if after.number() > before.number());
        let objects = outcome.objection().is_some();
        let sign = if objects || worse { app.look.bad() } else { app.look.ok() };
        page.signed(sign, &text, Role::Text);
    }
    if unchanged > 0 {
        page.muted(&format!("  {unchanged} other checks unchanged"));
    }
    for (check, rows) in &preview.remaining {
        page.line(&[("  remaining violations of ", Role::Muted), (check, Role::Text)]);
        for row in 0..rows.len().min(5) {
            let cells: Vec<String> = rows
                .columns()
                .iter()
                .zip(rows.row(row))
                .take(4)
                .map(|(name, value)| format!("{name} {}", show(&value.to_owned())))
                .collect();
            page.text(&format!("    {}", cells.join("  ")));
        }
    }
}

fn rows_lines(app: &App, preview: &Preview, page: &mut Page<'_>) {
    let all = thousands(preview.images.iter().map(|images| images.rows.len()).sum());
    page.blank();
    let arrow = app.look.glyphs.arrow;
    page.line(&[
        (&format!("Rows, before {arrow} after"), Role::Title),
        (&format!("   {all} in all; d shows every one"), Role::Muted),
    ]);
    for images in &preview.images {
        page.muted(&format!("  {}", images.head.table));
        let shown = &images.rows.head()[..images.rows.head().len().min(SHOWN)];
        for row in shown {
            image_line(app, &images.head, row, page);
        }
        let more = images.rows.len() - shown.len() as u64;
        if more > 0 {
            page.muted(&format!("    and {} more", thousands(more)));
        }
    }
}

/// Above the rows: what an undo does not bring back must not be below the edge of the screen.
fn conflict_lines(app: &App, preview: &Preview, page: &mut Page<'_>) {
    if !preview.conflicts.is_empty() {
        page.blank();
    }
    for conflict in &preview.conflicts {
        page.signed(
            app.look.bad(),
            &format!("left alone, changed since: {} {}", conflict.table, conflict.key),
            Role::Warning,
        );
        for (column, before, ours, now) in &conflict.columns {
            page.text(&format!("    {column}: before {before}, we wrote {ours}, now {now}"));
        }
    }
    let more = preview.left_alone - preview.conflicts.len() as u64;
    if more > 0 {
        let text = format!("{} more rows are left alone, changed since", thousands(more));
        page.signed(app.look.bad(), &text, Role::Warning);
    }
}

fn image_line(app: &App, head: &TableHead, row: &RowImage, page: &mut Page<'_>) {
    let TableHead { key, columns, .. } = head;
    let name = key_words(key, &row.key);
    let arrow = app.look.glyphs.arrow;
    let listed = |values: &[crate::value::Value]| {
        columns
            .iter()
            .zip(values)
            .map(|(column, value)| format!("{column} {}", show(value)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (&row.before, &row.after) {
        (Some(before), Some(after)) => {
            let changes: Vec<String> = row
                .changed()
                .into_iter()
                .map(|i| format!("{} {} {arrow} {}", columns[i], show(&before[i]), show(&after[i])))
                .collect();
            page.line(&[
                (&format!("    {name}   "), Role::Muted),
                (&changes.join("; "), Role::Changed),
            ]);
        }
        (None, Some(after)) => {
            page.line(&[(&format!("  + {name}   "), Role::Changed), (&listed(after), Role::Text)]);
        }
        (Some(before), None) => {
            page.line(&[(&format!("  - {name}   "), Role::Removed), (&listed(before), Role::Text)]);
        }
        (None, None) => {}
    }
}

fn all_rows(app: &App, preview: &Preview) -> Vec<Line> {
    const MOST: usize = 5_000;
    let mut page = Page::new(&app.look);
    for images in &preview.images {
        page.title(&images.head.table);
        // Above the rows, because few will go to the end of so many.
        let more = images.rows.len().saturating_sub(MOST as u64);
        if more > 0 {
            let (shown, more) = (thousands(MOST as u64), thousands(more));
            page.text(&format!("  the first {shown} rows, and {more} more that are not shown:"));
            page.text("  the undo, which is written before COMMIT, holds every one");
        }
        for row in images.rows.iter().take(MOST) {
            match row {
                Ok(row) => image_line(app, &images.head, &row, &mut page),
                Err(error) => {
                    let text = format!("the rows from here on cannot be read: {error}");
                    page.signed(app.look.bad(), &text, Role::Danger);
                    break;
                }
            }
        }
        page.blank();
    }
    page.finish()
}
