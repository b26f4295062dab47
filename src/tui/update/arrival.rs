//! What comes back from the world and belongs to no screen: an incident, a finding, an outcome.

use std::sync::Arc;

use crate::check::{Cause, Delta, Finding};
use crate::incident::Change;
use crate::incident::entry::{Deed, Entry, Milestone, Origin, Outcome};
use crate::incident::store;
use crate::problem::Problem;
use crate::runbook::progress::StepState;
use crate::runbook::{Ran, Step};
use crate::tui::app::{App, Screen, Start};
use crate::tui::case::Case;
use crate::tui::draft;
use crate::tui::effect::{Effect, Run};
use crate::tui::message::{Exported, Met, Opened};
use crate::tui::overlay::{Overlay, Purpose};
use crate::tui::screen::{home, recovery, step, violations};
use crate::value::pile::Pile;
use crate::value::thousands;

use super::tell;

/// Where to go at the start, once there is something to go to.
pub fn begin(app: &mut App) -> Vec<Effect> {
    match app.facts.start.clone() {
        Start::Home => Vec::new(),
        Start::Open { runbook, target } => {
            home::go_to(app, Effect::Open { runbook, target, unanswered: None })
        }
        Start::Resume { incident } => home::go_to(app, Effect::Resume { incident }),
    }
}

pub(super) fn prepared(app: &mut App, outcome: Result<(), Problem>) -> Vec<Effect> {
    app.home.preparing = false;
    if let Err(problem) = outcome {
        return tell(app, problem);
    }
    let mut effects = vec![Effect::ListIncidents];
    if let Some(symptom) = app.facts.drill.clone() {
        // Looking is the first thing that is scored.
        app.cover(Overlay::plain("DRILL: you are called", called(&symptom)));
        return effects;
    }
    effects.extend(home::survey_all(app));
    effects.extend(begin(app));
    effects
}

pub(super) fn called(symptom: &str) -> Vec<String> {
    let told = [
        symptom,
        "",
        "Something is wrong in one of these databases. They were made for this drill; nothing you do reaches any other.",
        "",
        "Find out what it is, open the incident on it, contain, tell people, mend it and close the incident, as you would at night. The clock runs.",
        "",
        "Leaving ends the drill, and it is scored either way.",
    ];
    told.map(str::to_owned).to_vec()
}

/// The runbook is wanted most where nothing answers; nobody opens an incident by a slip of the hand.
pub(super) fn unanswered(
    app: &mut App,
    runbook: String,
    target: String,
    problem: &Problem,
) -> Vec<Effect> {
    app.home.opening = None;
    let Problem { sentence, hint, .. } = problem;
    let hint = hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
    let question = format!(
        "{sentence}{hint}\n\nThe incident can be opened without it, and the runbook walked. What asks the database waits until one answers; the incident is bound to the first that does."
    );
    let answers = vec!["Open it without the database".to_owned(), "Do not open it".to_owned()];
    let without = Purpose::Unanswered { runbook, target, why: sentence.clone() };
    app.cover(Overlay::choice(&question, answers, without));
    Vec::new()
}

/// The database of an incident that was opened without it.
pub(super) fn met(app: &mut App, Met { identity, target }: Met) -> Vec<Effect> {
    let Some(case) = &mut app.case else { return Vec::new() };
    // The record of it came before; without one it is another incident's.
    if case.incident.target.as_ref().is_none_or(|seen| seen.server != identity.server) {
        return Vec::new();
    }
    let said = format!(
        "{} answers: {} {}; the incident is bound to it",
        target.name, target.url.dialect, identity.version
    );
    case.identity = Ok(identity);
    case.target = target;
    app.say(said);
    Vec::new()
}

/// An incident was opened or taken up again: go to its step, and clear up what was cut off.
pub(super) fn enter_case(app: &mut App, opened: Opened) -> Vec<Effect> {
    let name = store::name(&opened.folder);
    let incident = crate::incident::Incident::replay(&name, &opened.records);
    let current = incident.progress.current.clone();
    let at = current.and_then(|step| opened.runbook.position(&step)).unwrap_or(0);
    let fresh = !opened.resumed;
    let unseen = opened.identity.as_ref().err().map(ToString::to_string);
    app.violations = violations::Violations::default();
    app.asked = None;
    app.forget_incident();
    app.case = Some(Case {
        incident,
        runbook: opened.runbook,
        target: opened.target,
        identity: opened.identity,
        folder: opened.folder,
        refresh: app.facts.refresh,
        at,
        live: std::collections::HashMap::new(),
        recoveries: std::collections::HashMap::new(),
        guards: std::collections::HashMap::new(),
        outputs: std::collections::HashMap::new(),
        exports: Vec::new(),
        watch: crate::tui::case::Watch::default(),
        postmortem: String::new(),
        resolving: None,
        postmortem_path: std::path::PathBuf::new(),
        drafts: opened.drafts,
    });
    app.screen = Screen::Step;
    // From here the database has other things to do, and a reader may be in a change's way.
    let mut effects = home::stop_surveys(app);
    if fresh {
        let (at, origin) = (app.now, Origin::Auto);
        effects.push(Effect::Append(Entry::Milestone { which: Milestone::Detected, at, origin }));
    }
    effects.extend(catch_up(app));
    effects.extend(recovery::resolve(app));
    effects.extend(step::look_at(app, at));
    effects.push(Effect::Postmortem);
    effects.extend(app.case.as_mut().map(draft::forget_what_is_kept).unwrap_or_default());
    if !opened.also_open.is_empty() {
        let others = opened.also_open.join(", ");
        app.say(format!("the one that was worked on last; open too: {others}, on the home screen"));
    }
    if let Some(waiting) = app.case.as_ref().and_then(draft::waiting) {
        app.say(waiting);
    }
    if let Some(why) = unseen {
        app.complain(why);
    }
    effects
}

pub(super) fn checked(
    app: &mut App,
    run: Run,
    check: &str,
    finding: Arc<Finding>,
    delta: Option<Delta>,
    rows: Pile,
    cut: Option<String>,
) -> Vec<Effect> {
    let stopped = finding.cause == Some(Cause::Operator);
    let (now, again) = (app.now, app.new_run());
    let Some(case) = &mut app.case else { return Vec::new() };
    let open = case.incident.is_open();
    let known = case.live_mut(check).running.is_some_and(|(of, _)| of == run);
    let mut effects = case.checked(run, check, finding, delta, rows, now);
    if !open {
        effects.clear();
    }
    if known && open && !stopped && case.live_mut(check).is_old() {
        effects.extend(case.detect(check, again, now));
    }
    if known {
        effects.extend(violations::checked(app, check, cut.as_deref()));
    }
    if known && open {
        effects.extend(step::overdue(app));
    }
    if stopped {
        app.say("the database stopped the query");
    }
    effects
}

/// Writes down what follows from a commit where the program was cut off before it could: without it
/// a step that is done could be neither done again nor left.
pub(super) fn catch_up(app: &App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    if !case.incident.is_open() {
        return Vec::new();
    }
    let open = |step: &&Step| {
        matches!(case.incident.progress.state(&step.id), StepState::Pending | StepState::Open)
    };
    let settled = |step: &Step| {
        let step = step.id.clone();
        let standing = case.incident.standing_change(&step);
        if let Some(change) = standing.filter(|change| change.is_committed()) {
            return Some(if change.verified == Some(false) {
                Entry::StepFailed { step, why: "committed, but the verification failed".into() }
            } else {
                let how = "committed before the program was cut off".into();
                Entry::StepPassed { step, how }
            });
        }
        let stands = case.incident.guard_stands(&step);
        stands.then(|| Entry::StepPassed { step, how: "the guardrail stands".into() })
    };
    case.runbook.steps.iter().filter(open).filter_map(settled).map(Effect::Append).collect()
}

pub(super) fn resolved(
    app: &mut App,
    run: Run,
    step: &str,
    outcome: Result<(Outcome, String), Problem>,
) -> Vec<Effect> {
    // Of an incident that was left it is in that journal, and no word about this one.
    let Some(case) = app.case.as_mut().filter(|case| case.resolving == Some(run)) else {
        return Vec::new();
    };
    case.resolving = None;
    match outcome {
        Ok((outcome, how)) => {
            if let Some(recovery) = case.recoveries.get_mut(step) {
                recovery.state = crate::recovery::protocol::State::Idle;
            }
            let last = case.incident.changes.iter().rev().find(|change| change.step == step);
            let sentences = became(outcome, &how, last);
            app.cover(Overlay::text(
                "What became of the change that was cut off",
                sentences.into_iter().map(crate::tui::widget::wrap::plain).collect(),
            ));
            catch_up(app)
        }
        Err(problem) => tell(
            app,
            problem.hint("The outcome stays UNKNOWN; r on the recovery screen asks again."),
        ),
    }
}

pub(super) fn became(outcome: Outcome, how: &str, change: Option<&Change>) -> Vec<String> {
    let chunks = change.and_then(|change| change.chunks.as_ref());
    let deed = change.map_or(&Deed::Change, |change| &change.deed);
    let (done, of) = chunks.map_or((0, 0), |chunks| (chunks.done(), chunks.keys));
    let what = if done > 0 && done < of { "The chunk that was cut off" } else { "It" };
    let left = (done > 0 && done < of).then(|| {
        let (done, of) = (thousands(done), thousands(of));
        match deed {
            Deed::Undo { .. } => format!(
                "Of the undo {done} of {of} rows are done: u goes on with it, and nothing else is begun before."
            ),
            _ => format!("{done} of {of} keys are done; the rest can be gone on with from here."),
        }
    });
    let sentence = match outcome {
        Outcome::Unknown => format!("Still unknown: {how}"),
        _ if done > 0 && done == of => {
            // Where all were done, what was looked for and not found is a chunk that there is not.
            let how = match outcome {
                Outcome::Committed => how,
                _ => "the journal has the end of every chunk",
            };
            let what = deed.counts();
            format!(
                "It did commit, to the last of its {of} {what}: {how}. Nothing is to be repeated."
            )
        }
        Outcome::Committed if left.is_some() => format!("{what} did commit: {how}."),
        Outcome::Committed => format!("{what} did commit: {how}. Nothing is to be repeated."),
        Outcome::RolledBack if left.is_some() => format!("{what} did not commit: {how}."),
        Outcome::RolledBack => format!("{what} did not commit: {how}. Nothing was changed."),
    };
    [Some(sentence), left].into_iter().flatten().collect()
}

/// What a command said is shown; how it ended was written down where it ran.
pub(super) fn command_ran(app: &mut App, run: Run, step: &str, ran: Ran) {
    let Some(case) = &mut app.case else { return };
    if let Some(output) = case.outputs.get_mut(step).filter(|output| output.run == run) {
        output.running = None;
        output.ran = Some(ran);
    }
}

/// All rows of a check are in a file.
pub(super) fn exported(app: &mut App, run: Run, file: Result<Exported, Problem>) {
    let Some(case) = app.case.as_mut().filter(|case| case.exports.contains(&run)) else { return };
    case.exports.retain(|of| *of != run);
    let file = match file {
        Ok(file) => file,
        Err(problem) => return app.cover(Overlay::problem(problem)),
    };
    let inside = file.path.strip_prefix(&case.folder).unwrap_or(&file.path);
    let lines = vec![
        format!("{} written to", file.rows.of("row")),
        format!("  {}", inside.display()),
        "of the incident's folder".into(),
        format!("  {}", case.folder.display()),
    ];
    app.cover(Overlay::plain("Exported", lines));
}
