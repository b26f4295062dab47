//! A change in chunks on the recovery screen: how far it came, the keys that hold it, and how it
//! ended between two chunks.

use crate::incident::entry::verdict_words;
use crate::recovery::Drift;
use crate::recovery::mass::{Chunks, Progress, Rein};
use crate::recovery::protocol::State;
use crate::tui::app::App;
use crate::tui::case::{Case, Recovery};
use crate::tui::command::Command;
use crate::tui::effect::{Effect, Run};
use crate::tui::keymap::Context;
use crate::tui::page::{Page, clock};
use crate::tui::theme::Role;
use crate::value;
use crate::value::thousands;

/// Pause, go on, stop: they act between two chunks.
pub fn rein(app: &mut App, command: Command) -> Vec<Effect> {
    let Some(run) = app.case.as_ref().and_then(Case::driving) else {
        // The key of an update is another one here.
        let update = app
            .keymap
            .label(Context::Step, Command::Comms)
            .filter(|_| command == Command::Continue);
        let update = update.map_or_else(String::new, |key| {
            format!("; {key} on the screen of the step gives an update")
        });
        app.complain(format!("no change in chunks is under way{update}"));
        return Vec::new();
    };
    let (rein, said) = match command {
        Command::Pause => (Rein::Pause, "it pauses after this chunk"),
        Command::Continue => (Rein::Go, "it goes on"),
        _ => (Rein::Stop("stopped by the operator"), "it stops after this chunk"),
    };
    app.say(said);
    vec![Effect::Rein { run, rein }]
}

pub fn moved(app: &mut App, run: Run, step: &str, progress: Progress) {
    let Some(case) = &mut app.case else { return };
    let recovery = case.recovery_mut(step);
    if matches!(recovery.state, State::Executing { run: of, .. } if of == run) {
        recovery.progress = Some(progress);
    }
}

/// Why a change that was begun is not begun anew, if so.
pub fn objection(case: &Case, undoing: bool) -> Option<&'static str> {
    let halted = case.incident.halted(&case.step().id)?;
    let is_undo = halted.deed.word() == "undo";
    (is_undo && !undoing)
        .then_some("taking it back has begun and was halted; u goes on with the undo")
}

/// The operation that is gone on with, if one is.
pub fn going_on(case: &Case, step: &str, undoing: bool) -> Option<String> {
    let halted = case.incident.halted(step)?;
    let is_undo = halted.deed.word() == "undo";
    (is_undo == undoing).then(|| halted.op.clone())
}

/// How much the preview is of the whole.
pub fn preview_lines(chunks: &Chunks, undo: bool, page: &mut Page<'_>) {
    page.line(&[("In chunks ", Role::Focus), (&chunks.words(undo), Role::Title)]);
    if chunks.done > 0 {
        let done = thousands(chunks.done);
        page.muted(&format!("{done} were done before; this is exactly the rest of the list."));
    }
    if chunks.not_run() > 0 {
        let more = thousands(chunks.not_run());
        page.muted(&format!(
            "Not run: the other {more}. Each chunk tests its rows again and keeps to {}.",
            if undo { "what the change wrote" } else { "its keys" }
        ));
    }
    let which =
        if chunks.idle.chunks > 0 { "The first chunk that does" } else { "The first chunk" };
    page.blank().muted(&format!("{which}, run for real and rolled back:"));
}

fn counted(recovery: &Recovery) -> &'static str {
    if recovery.undoing { "rows" } else { "keys" }
}

pub fn progress_lines(app: &App, recovery: &Recovery, page: &mut Page<'_>) {
    let Some(progress) = &recovery.progress else {
        page.text("The first chunk is under way.");
        page.muted("It must do exactly what was previewed.");
        return;
    };
    let Progress { chunk, done, of, rows, left_alone, size, held, .. } = progress;
    let share = (done * 100).checked_div(*of).unwrap_or(0);
    let what = counted(recovery);
    page.line(&[
        (&format!("{} of {} {what}", thousands(*done), thousands(*of)), Role::Title),
        (&format!("   {share} %   chunk {chunk} committed"), Role::Text),
    ]);
    page.push(bar(app, share)).blank();
    page.pair("Written", 10, &value::counted(*rows, "row"));
    if *left_alone > 0 {
        let left = thousands(*left_alone);
        let undoes = recovery.plan.as_ref().is_some_and(|plan| plan.undoes.is_some());
        let why = if undoes {
            "rows that were changed since, or that the database refuses"
        } else {
            "keys whose row had changed meanwhile"
        };
        page.pair("Left alone", 10, &format!("{left} {why}"));
    }
    let held = held.as_secs_f64();
    let locks = format!("the last held its locks {held:.2} s");
    // An undo takes back chunk by chunk what was done, however large each was.
    let pace = if recovery.undoing { locks } else { format!("{} keys; {locks}", thousands(*size)) };
    page.pair("Next chunk", 10, &pace);
    if let Some(rate) = progress.a_second() {
        page.pair("Rate", 10, &format!("{} {what} a second", thousands(rate)));
    }
    if let Some(seconds) = progress.seconds_left() {
        let left = clock(i64::try_from(seconds).unwrap_or(i64::MAX));
        page.pair("Time left", 10, &format!("about {left}, if it goes on like this"));
    }
    for (check, verdict) in &progress.checks {
        page.pair("Check", 10, &format!("{check}: {}", verdict_words(verdict)));
    }
    page.blank();
    match &progress.paused {
        Some(why) => {
            page.signed(app.look.unknown(), &format!("PAUSED: {why}"), Role::Warning);
            page.muted("No transaction is open.");
        }
        None => {
            page.muted("Each chunk is a transaction of its own; what is committed stays.");
        }
    }
}

fn bar(app: &App, share: u64) -> crate::tui::widget::wrap::Line {
    const WIDTH: usize = 50;
    let full = usize::try_from(share).unwrap_or(100).min(100) * WIDTH / 100;
    let (done, left) = ("#".repeat(full), ".".repeat(WIDTH - full));
    let style = |role| app.look.style(role);
    vec![
        crate::tui::widget::wrap::Piece::new(format!("[{done}"), style(Role::Ok)),
        crate::tui::widget::wrap::Piece::new(format!("{left}]"), style(Role::Muted)),
    ]
}

pub fn halted_lines(
    app: &App,
    recovery: &Recovery,
    progress: &Progress,
    why: &str,
    drift: Option<&Drift>,
    page: &mut Page<'_>,
) {
    let (done, of) = (thousands(progress.done), thousands(progress.of));
    let text = format!(
        "HALTED at {done} of {of} {}: {} committed",
        counted(recovery),
        value::counted(progress.rows, "row")
    );
    page.signed(app.look.bad(), &text, Role::Warning);
    page.text(why);
    for difference in drift.iter().flat_map(|drift| &drift.differences) {
        page.line(&[("  ", Role::Text), (difference, Role::Changed)]);
    }
    page.muted("What is committed stays; nothing of the other chunks is in the database.");
    page.muted(if recovery.undoing {
        "u previews the rest of the undo"
    } else {
        "p previews exactly the rest; u takes back what was done"
    });
}
