//! What the page of a step shows: what is asked, its answer, and what holds it up.

use crate::check::{Level, Verdict};
use crate::incident::entry::{Deed, verdict_words};
use crate::runbook::progress::StepState;
use crate::runbook::{Action, Expect, WaitFor};
use crate::tui::app::App;
use crate::tui::case::Case;
use crate::tui::overlay::escalation;
use crate::tui::page::{Page, ago, to_go};
use crate::tui::theme::Role;
use crate::tui::widget::spark::spark;
use crate::value::counted;
use crate::value::thousands;

use super::{wait_left, way_on};

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
            let asked = case.checks_of_decision();
            if !asked.is_empty() {
                page.blank().muted("What proposes one of them:");
            }
            for check in &asked {
                page.text(check);
                check_lines(app, case, check, &mut page);
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
            match case.words(&command.argv) {
                Some(argv) => page.line(&[("$ ", Role::Muted), (&argv.join(" "), Role::Text)]),
                None => page.text(&nothing_here(case)),
            };
            if let Some(why) = case.target.no_command().filter(|_| !command.readonly) {
                page.signed(app.look.bad(), &why, Role::Warning);
            }
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
        _ if live.is_old() => (look.unknown(), Role::Muted),
        Verdict::Clear => (look.ok(), Role::Ok),
        Verdict::Violated { .. } => (look.bad(), Role::Danger),
        Verdict::Measured { reading } => match reading.level {
            Level::Fine => (look.ok(), Role::Ok),
            Level::Warning => (look.bad(), Role::Warning),
            Level::Critical => (look.bad(), Role::Danger),
        },
        Verdict::Inconclusive { .. } => (look.unknown(), Role::Unknown),
    };
    let before = match live.running {
        _ if !live.is_old() => "",
        Some(_) => "asking again; before it was: ",
        None => "r asks again; before it was: ",
    };
    let verdict = verdict_words(&finding.verdict);
    page.signed(sign, &format!("{before}{verdict}   {}", history(&live.history, look)), role);
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
            if let Some(words) = way_on(case) {
                page.text(&words);
            }
        }
        StepState::Pending | StepState::Open => {}
    }
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
        let halted = case.incident.halted(&case.step().id);
        if let Some(undo) = halted.filter(|halted| matches!(halted.deed, Deed::Undo { .. })) {
            let (done, of) = undo.chunks.as_ref().map_or((0, 0), |undo| (undo.done(), undo.keys));
            let (done, of) = (thousands(done), thousands(of));
            let text = format!("UNDO HALTED at {done} of {of} rows; u goes on with it");
            page.signed(app.look.bad(), &text, Role::Warning);
            return;
        }
        if let Some(chunks) = change.chunks.as_ref().filter(|_| !change.is_committed()) {
            let (done, of) = (thousands(chunks.done()), thousands(chunks.keys));
            let text = format!(
                "HALTED at {done} of {of} keys; the recovery screen goes on or takes it back"
            );
            page.signed(app.look.bad(), &text, Role::Warning);
            return;
        }
        let undo = match change.lacks() {
            None => "undo is ready on the recovery screen",
            Some(_) => "there is no undo of all of it",
        };
        let text = format!("COMMITTED: {}; {undo}", counted(change.rows, "row"));
        page.signed(app.look.ok(), &text, Role::Ok);
    } else if let Some((_, left)) = case.incident.partly_back(&case.step().id) {
        page.blank();
        super::super::recovery::partly_back(app, left, page);
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
        (None, None) => "it did not come to its end".into(),
    };
    page.blank().muted(&end);
}

/// What a step says that was written for other engines.
pub(super) fn nothing_here(case: &Case) -> String {
    format!("nothing to do on {}", case.target.url.dialect)
}

/// As coarse as it matters: a check that takes as long as before says the same as before.
fn took(seconds: f64) -> String {
    if seconds < 0.1 { "under 0.1 s".into() } else { format!("{seconds:.1} s") }
}

/// The last counts as a line of blocks; one alone says nothing.
fn history(counts: &[f64], look: &crate::tui::look::Look) -> String {
    if counts.len() < 2 { String::new() } else { spark(counts, 24, &look.glyphs) }
}
