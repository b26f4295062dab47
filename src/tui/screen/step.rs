//! The step in work: what it asks, the answer, and the one key that goes on.
//!
//! Enter always does the next useful thing for the kind of step; everything else has a key of its
//! own. What a step needs before it may be left is decided here, from the runbook.

use jiff::Timestamp;

use crate::check::{Level, Verdict};
use crate::consent::{Act, Consent, Question};
use crate::incident::entry::{Entry, Milestone, Origin, verdict_words};
use crate::runbook::progress::StepState;
use crate::runbook::{Action, CommandStep, EvidenceKind, Expect, Required, Stage, Step, WaitFor};
use crate::tui::app::{App, Screen};
use crate::tui::case::Case;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::overlay::{Ask, Overlay, Purpose, comms, escalation};
use crate::tui::page::{Page, ago, to_go};
use crate::tui::theme::Role;
use crate::tui::widget::spark::spark;
use crate::value::thousands;

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
        Command::Undo => match case.step().action {
            Action::Change(_) => {
                app.screen = Screen::Recovery;
                super::recovery::on_command(app, Command::Undo)
            }
            _ => no(app, "this step has nothing to take back"),
        },
        Command::Withdraw => match case.step().action {
            Action::Guard(_) => {
                app.screen = Screen::Guardrail;
                super::guardrail::on_command(app, Command::Withdraw)
            }
            _ => no(app, "this step has no guardrail"),
        },
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
            let open = |step: &Step| {
                let settled = case.incident.progress.state(&step.id).is_settled();
                matches!(step.action, Action::Comms(_)) && !settled
            };
            // The words that the runbook has for the first update are better than those for any.
            let first = case.runbook.steps.iter().position(open);
            match first.filter(|_| case.incident.said.is_empty()) {
                Some(at) => {
                    let mut effects = look_at(app, at);
                    effects.extend(go_on(app));
                    effects
                }
                None => comms::update(app),
            }
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
    case.at = at.min(case.runbook.steps.len() - 1);
    app.step_scroll = crate::tui::widget::scroll::Scroll::default();
    app.recovery_scroll = crate::tui::widget::scroll::Scroll::default();
    app.guard_scroll = crate::tui::widget::scroll::Scroll::default();
    let step = case.step().id.clone();
    let mut effects = Vec::new();
    if case.incident.is_open() && case.incident.progress.current.as_deref() != Some(step.as_str()) {
        effects.push(Effect::Append(Entry::StepEntered { step: step.clone() }));
    }
    if case.incident.is_open()
        && let Some(check) = case.check_of_step().map(str::to_owned)
        && (case.interval().is_some() || !case.live.contains_key(&check))
    {
        effects.extend(case.detect(&check, run, now));
    }
    if matches!(case.step().action, Action::Wait(_)) {
        case.waiting.entry(step).or_insert(now);
    }
    if !matches!(app.screen, Screen::Journal | Screen::Postmortem) {
        app.screen = Screen::Step;
    }
    effects
}

fn run_now(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let now = app.now;
    let Some(case) = &mut app.case else { return Vec::new() };
    let Some(check) = case.check_of_step().or(case.main_check()).map(str::to_owned) else {
        return Vec::new();
    };
    let effects = case.detect(&check, run, now);
    if effects.is_empty() {
        return no(app, "it is already running; x stops it");
    }
    effects
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
            app.overlay = Some(Overlay::question(case));
            Vec::new()
        }
        Action::Check(check) => leave_check(app, &check.check, check.expect),
        Action::Decide(_) => {
            app.overlay = Some(Overlay::decide(case));
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
                    let text = format!("{} to go; s skips the rest with a reason", to_go(left));
                    return no(app, &text);
                }
                pass(app, "waited")
            }
        },
        Action::Comms(_) => comms::open(app),
        Action::Command(_) if settled => onward(app),
        Action::Command(command) if command.readonly => run_command(app, None),
        Action::Command(command) => confirm_command(app, command),
    }
}

/// What is not read-only runs after words that were typed for it.
fn confirm_command(app: &mut App, command: &CommandStep) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let Some(argv) = command.argv.get(case.target.url.dialect) else {
        return run_command(app, None);
    };
    let what = argv.join(" ");
    let environment = super::super::view::environment_word(case);
    let target = case.target.name.clone();
    let text = format!(
        "Run on {environment} {target}\n{what}\nIt is not read-only, and nothing takes it back."
    );
    let act = Act::RunCommand { step: case.step().id.clone() };
    app.overlay = Some(Overlay::ask(Ask::consent(Question { act, target }, &what, &text)));
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
    output.running = Some((run, now));
    vec![Effect::Command { run, step, consent }]
}

fn ask(app: &mut App, purpose: Purpose, question: &str) -> Vec<Effect> {
    app.overlay = Some(Overlay::ask(Ask::new(purpose, question)));
    Vec::new()
}

fn leave_check(app: &mut App, check: &str, expect: Expect) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let Some(verdict) = case.verdict(check).cloned() else {
        return no(app, "the check has not answered yet");
    };
    let words = verdict_words(&verdict);
    match (expect, &verdict) {
        (_, Verdict::Inconclusive { .. }) => {
            let text = format!("{words}: r runs it again, s skips the step with a reason");
            no(app, &text)
        }
        (Expect::Clear, verdict) if verdict.is_violated() => {
            let text = format!("this step ends when the check is clear; now {words}");
            no(app, &text)
        }
        (Expect::Violated, verdict) if verdict.is_clear() => {
            let text = format!("{words}: nothing to recover. s skips the step with a reason");
            no(app, &text)
        }
        (Expect::Any | Expect::Clear | Expect::Violated, _) => pass(app, &words),
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
    let answers = vec!["Close it".to_owned(), "Not yet".to_owned()];
    app.overlay = Some(Overlay::choice("Close the incident?", answers, Purpose::Close));
    Vec::new()
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
    ask(app, Purpose::SkipReason, "Why is this step skipped?")
}

fn wait_left(case: &Case, now: Timestamp) -> i64 {
    let Action::Wait(wait) = &case.step().action else { return 0 };
    let since = case.waiting.get(&case.step().id).copied().unwrap_or(now);
    let length = match wait.until {
        WaitFor::Time(length) => length,
        WaitFor::Check(_) => wait.at_most,
    };
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX) - now.duration_since(since).as_secs()
}

/// As coarse as it matters: a check that takes as long as before says the same as before.
fn took(seconds: f64) -> String {
    if seconds < 0.1 { "under 0.1 s".into() } else { format!("{seconds:.1} s") }
}

/// The last counts as a line of blocks; one alone says nothing.
fn history(counts: &[f64], look: &crate::tui::look::Look) -> String {
    if counts.len() < 2 { String::new() } else { spark(counts, 24, &look.glyphs) }
}

/// What the key beside Enter says for this step.
pub fn enter_word(case: &Case) -> &'static str {
    if !case.incident.is_open() {
        return "closed";
    }
    let state = case.incident.progress.state(&case.step().id);
    let last = case.at + 1 == case.runbook.steps.len();
    match (&case.step().action, state.is_settled()) {
        (Action::Comms(_), _) => "write the update",
        (_, true) if last => "close the incident",
        (_, true) => "next step",
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

/// What a step says that was written for other engines.
fn nothing_here(case: &Case) -> String {
    format!("nothing to do on {}", case.target.url.dialect)
}

/// The text of the step, above its table.
pub fn page<'l>(app: &'l App, case: &Case) -> Page<'l> {
    let step = case.step();
    let mut page = Page::new(&app.look);
    if !step.why.is_empty() {
        page.lines(&step.why, Role::Muted);
    }
    if !step.text.trim().is_empty() {
        page.blank().lines(step.text.trim_end(), Role::Text);
    }
    if let Some(words) = case.watch.words() {
        page.blank().line(&[("pressure  ", Role::Warning), (&words, Role::Text)]);
    }
    let due = escalation::due(app, case);
    if !due.is_empty() {
        page.blank();
        for call in due {
            let reach = call.reach.map_or_else(String::new, |reach| format!(", {reach}"));
            let since = ago(app.now.duration_since(call.due).as_secs());
            let words = format!("{}{reach}; due {since}, E records it", call.who);
            page.line(&[("call  ", Role::Warning), (&words, Role::Text)]);
        }
    }
    page.blank();
    match &step.action {
        Action::Note => {}
        Action::Manual(manual) => {
            if let Some(sql) = manual.by_hand.get(case.target.url.dialect) {
                page.line(&[("by hand, in the database's own client:", Role::Muted)]);
                page.lines(sql.trim(), Role::SqlText).blank();
            }
            for check in &manual.ddl_of {
                page.line(&[
                    ("by hand  ", Role::Muted),
                    ("the DDL in the rows of ", Role::Text),
                    (check, Role::Text),
                ]);
            }
            if !manual.done_when.is_empty() {
                page.line(&[("done when  ", Role::Muted), (&manual.done_when, Role::Text)]);
            }
        }
        Action::Ask(question) => {
            page.title(&question.question);
            if let Some(answer) = case.incident.answers.get(&question.var) {
                page.line(&[
                    (&question.var, Role::Muted),
                    (" = ", Role::Muted),
                    (answer, Role::Text),
                ]);
            }
        }
        Action::Check(check) => {
            check_lines(app, case, &check.check, &mut page);
            expectation(check.expect, &mut page);
        }
        Action::Decide(decide) => {
            page.title(&decide.question);
            for option in &decide.options {
                page.text(&format!("  {}", option.label));
            }
        }
        Action::Change(change) => {
            for (number, statement) in change.statements.iter().enumerate() {
                page.line(&[
                    (&format!("{}  ", number + 1), Role::Muted),
                    (&statement.note, Role::Text),
                ]);
            }
            page.blank();
            if let Some(check) = case.check_of_step() {
                check_lines(app, case, check, &mut page);
            }
            committed_lines(app, case, &mut page);
        }
        Action::Wait(wait) => {
            if let WaitFor::Check(check) = &wait.until {
                check_lines(app, case, check, &mut page);
            }
            page.line(&[
                ("time left  ", Role::Muted),
                (&to_go(wait_left(case, app.now)), Role::Text),
            ]);
        }
        Action::Comms(comms) => {
            if let Some(every) = comms.next_update {
                let minutes = (every.as_secs() / 60).to_string();
                page.line(&[
                    ("next update due after ", Role::Muted),
                    (&minutes, Role::Text),
                    (" min", Role::Muted),
                ]);
            }
            for (at, _, audience) in case.incident.said.iter().filter(|(_, of, _)| *of == step.id) {
                let when = at.strftime("%H:%M:%S").to_string();
                page.line(&[
                    (&when, Role::Muted),
                    (" UTC  ", Role::Muted),
                    (audience, Role::Text),
                    (" update given", Role::Text),
                ]);
            }
        }
        Action::Command(command) => {
            match command.argv.get(case.target.url.dialect) {
                Some(argv) => page.line(&[("$ ", Role::Muted), (&argv.join(" "), Role::Text)]),
                None => page.text(&nothing_here(case)),
            };
            output_lines(app, case, &mut page);
        }
        Action::Guard(guard) => {
            if let Some(sql) = guard.apply.get(case.target.url.dialect) {
                page.lines(sql.trim(), Role::SqlText);
            }
            guard_state(app, case, &mut page);
        }
    }
    state_line(app, case, &mut page);
    page
}

fn guard_state(app: &App, case: &Case, page: &mut Page<'_>) {
    use crate::guardrail::Standing;
    match case.incident.guardrails.get(&case.step().id) {
        Some(Standing::Applied) => {
            page.blank().signed(app.look.ok(), "the guardrail stands", Role::Ok);
        }
        Some(Standing::Withdrawn) => {
            page.blank().muted("the guardrail was withdrawn");
        }
        Some(Standing::Absent) | None => {}
    }
}

fn committed_lines(app: &App, case: &Case, page: &mut Page<'_>) {
    if let Some(change) = case.incident.standing_change(&case.step().id) {
        page.blank();
        if let Some(chunks) = change.chunks.as_ref().filter(|_| !change.is_committed()) {
            let (done, of) = (thousands(chunks.done()), thousands(chunks.keys));
            let text = format!(
                "HALTED at {done} of {of} keys; the recovery screen goes on or takes it back"
            );
            page.signed(app.look.bad(), &text, Role::Warning);
            return;
        }
        let text = format!("COMMITTED: {} rows; undo is ready on the recovery screen", change.rows);
        page.signed(app.look.ok(), &text, Role::Ok);
    }
}

fn output_lines(app: &App, case: &Case, page: &mut Page<'_>) {
    let Some(output) = case.outputs.get(&case.step().id) else { return };
    if let Some((_, since)) = output.running {
        let seconds = app.now.duration_since(since).as_secs();
        page.muted(&format!("running for {seconds} s; x stops it"));
    }
    let Some(ran) = &output.ran else { return };
    page.blank();
    for line in String::from_utf8_lossy(&ran.output).lines().take(200) {
        page.text(line);
    }
    let end = match (&ran.trouble, ran.exit) {
        (Some(why), _) => why.clone(),
        (None, Some(code)) => format!("ended with {code} after {:.1} s", ran.seconds),
        (None, None) => "stopped".into(),
    };
    page.blank().muted(&end);
}

fn expectation(expect: Expect, page: &mut Page<'_>) {
    match expect {
        Expect::Any => {}
        Expect::Clear => {
            page.muted("this step ends when the check is clear");
        }
        Expect::Violated => {
            page.muted("this step ends when the violations are seen");
        }
    }
}

fn state_line(app: &App, case: &Case, page: &mut Page<'_>) {
    match case.incident.progress.state(&case.step().id) {
        StepState::Passed(how) => {
            page.blank().signed(app.look.ok(), &format!("done: {how}"), Role::Ok);
        }
        StepState::Skipped(reason) => {
            page.blank().muted(&format!("{} skipped: {reason}", app.look.glyphs.skipped));
        }
        StepState::Failed(why) => {
            page.blank().signed(app.look.bad(), &format!("failed: {why}"), Role::Danger);
        }
        StepState::Pending | StepState::Open => {}
    }
}

/// The verdict, its history and what changed: the biggest thing on the screen.
pub fn check_lines(app: &App, case: &Case, check: &str, page: &mut Page<'_>) {
    let look = &app.look;
    if let Some(check) = app.facts.catalogue.check(check) {
        page.text(&check.rule);
    }
    let Some(live) = case.live.get(check) else {
        page.muted("not run yet");
        return;
    };
    let running = live.running.map(|(_, since)| app.now.duration_since(since).as_secs());
    let Some(finding) = &live.finding else {
        let seconds = running.unwrap_or(0);
        page.muted(&match &live.reading {
            Some(rows) => {
                let rows = crate::value::thousands(rows.len());
                format!("{rows} so far, reading for {seconds} s; x stops it")
            }
            None => format!("running for {seconds} s; x stops it"),
        });
        return;
    };
    let (sign, role) = match &finding.verdict {
        Verdict::Clear => (look.ok(), Role::Ok),
        Verdict::Violated { .. } => (look.bad(), Role::Danger),
        Verdict::Measured { reading } => match reading.level {
            Level::Fine => (look.ok(), Role::Ok),
            Level::Warning => (look.bad(), Role::Warning),
            Level::Critical => (look.bad(), Role::Danger),
        },
        Verdict::Inconclusive { .. } => (look.unknown(), Role::Unknown),
    };
    page.signed(
        sign,
        &format!("{}   {}", verdict_words(&finding.verdict), history(&live.history, look)),
        role,
    );
    let age = live.at.map_or(0, |at| app.now.duration_since(at).as_secs());
    let mut facts = format!("{}, {}", took(finding.seconds), ago(age));
    if let Some(every) = case.interval().filter(|_| app.replay.is_none()) {
        facts.push_str(&format!(", every {} s", every.as_secs()));
    }
    if let Some(seconds) = running.filter(|seconds| *seconds > 0) {
        facts.push_str(&format!(", running again for {seconds} s"));
    }
    page.muted(&facts);
    if let Some(delta) = live.delta.as_ref().filter(|delta| delta.new + delta.gone > 0) {
        let names = |keys: &[String]| {
            if keys.is_empty() { String::new() } else { format!(": {}", keys.join(", ")) }
        };
        let more = |n: usize, keys: &[String]| {
            if n > keys.len() { format!(" and {} more", n - keys.len()) } else { String::new() }
        };
        let text = format!(
            "{} new{}{}; {} gone{}{}; {} still there",
            delta.new,
            names(&delta.new_keys),
            more(delta.new, &delta.new_keys),
            delta.gone,
            names(&delta.gone_keys),
            more(delta.gone, &delta.gone_keys),
            delta.still
        );
        page.line(&[(&text, Role::Changed)]);
    }
}
