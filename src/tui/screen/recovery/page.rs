//! What the recovery screen shows: the first look, the preview with its rows, how it ended.

use std::collections::BTreeMap;

use super::rows::How;
use super::{chunks, rows, second};
use crate::dialect::Dialect;
use crate::incident::Change;
use crate::recovery::protocol::{self, State};
use crate::recovery::words::{show, show_pair};
use crate::recovery::{CheckOutcome, Execution, Looked, Preview, Tally};
use crate::runbook::Action;
use crate::sql;
use crate::tui::app::App;
use crate::tui::case::Recovery;
use crate::tui::page::{Page, ago, to_go};
use crate::tui::theme::Role;
use crate::tui::widget::meter::{self, Writes};
use crate::tui::widget::wrap::Line;
use crate::value::{Rows, Value, counted, thousands};

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
        State::Executing { .. } if case.driving().is_some() => {
            page.title(&title).blank();
            chunks::progress_lines(app, recovery, &mut page);
        }
        State::Executing { .. } => {
            page.title(&title).blank();
            page.text(&format!("Executing: {since} s"));
            page.muted("It commits only if it does to the same rows what was previewed.");
        }
        State::Failed { why } => {
            page.title(&title).blank();
            page.signed(app.look.bad(), "The preview failed; nothing was changed.", Role::Danger);
            page.lines(why, Role::Text);
        }
        State::Previewed { preview, .. } | State::Confirming { preview, .. } => {
            let warrant = recovery.state.offered().and_then(|(_, warrant)| warrant);
            let age = app.now.duration_since(preview.at).as_secs();
            // In a replay there is no plan, and nothing that could be too old for it.
            let left = recovery.plan.as_ref().map_or(String::new(), |plan| {
                let left = protocol::expiry(plan, preview, warrant).duration_since(app.now);
                if left.is_positive() {
                    format!(", valid {}", to_go(left.as_secs().max(1)))
                } else {
                    ", too old: p previews again".into()
                }
            });
            let what = if recovery.undoing { "PREVIEW OF THE UNDO " } else { "PREVIEW " };
            page.line(&[
                (what, Role::Focus),
                (&format!("{}{left}   ", ago(age)), Role::Muted),
                (&title, Role::Title),
            ]);
            if let Some((_, left)) =
                case.incident.partly_back(&step.id).filter(|_| !recovery.undoing)
            {
                partly_back(app, left, &mut page);
            }
            second::lines(app, case, recovery, preview, &mut page);
            preview_lines(app, recovery, preview, &mut page);
        }
        State::Ended { execution } => {
            page.title(&title);
            ended_lines(app, case, execution, recovery, &mut page);
            if let Some(preview) = &recovery.preview {
                page.blank().muted("What was previewed:");
                preview_lines(app, recovery, preview, &mut page);
            }
        }
    }
    page
}

/// To do a change once more does some of these rows twice.
pub fn partly_back(app: &App, left: u64, page: &mut Page<'_>) {
    let left = counted(left, "row");
    let text = format!(
        "It was taken back but for {left} left alone: u tries again what was left. Some of it may \
         still hold what the change wrote."
    );
    page.signed(app.look.unknown(), &text, Role::Warning);
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
        let (count, sample) = match looked {
            Looked::Rows { rows, counted: sql::Counted::Exactly, sample } => {
                (format!("{}  ", counted(*rows, "row")), sample)
            }
            Looked::Rows { rows, counted: sql::Counted::AtMost, sample } => {
                (format!("at most {}  ", counted(*rows, "row")), sample)
            }
            Looked::Not(why) => {
                page.line(&[(&head, Role::Muted), (note, Role::Text)]);
                page.signed(app.look.unknown(), &format!("not looked at: {why}"), Role::Warning);
                continue;
            }
        };
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
    let values: Vec<Value> = sample.row(row).map(crate::value::ValueRef::to_owned).collect();
    let becomes = |name: &str| names.iter().position(|other| *other == sql::becomes(name));
    let (mut changed, mut same) = (Vec::new(), Vec::new());
    for (column, name) in names.iter().enumerate() {
        match becomes(name) {
            Some(after) => {
                let (before, after) = show_pair(&values[column], &values[after]);
                changed.push(format!("{name} {before} {arrow} {after}"));
            }
            None if sql::is_becoming(name) => {}
            None => same.push(format!("{name} {}", show(&values[column]))),
        }
    }
    let rest = same.split_off(same.len().min(1));
    [same, changed, rest].concat()
}

fn preview_lines(app: &App, recovery: &Recovery, preview: &Preview, page: &mut Page<'_>) {
    for why in &preview.refused {
        page.signed(app.look.bad(), &format!("refused: {why}"), Role::Danger);
    }
    if let Some(besides) = &preview.besides {
        page.signed(
            app.look.bad(),
            &format!("not only what is taken back: {besides}"),
            Role::Danger,
        );
    }
    if let Some(of_chunks) = &preview.chunks {
        chunks::preview_lines(of_chunks, recovery.undoing, page);
    }
    for (number, statement) in preview.statements.iter().enumerate() {
        let note =
            if statement.note.is_empty() { statement.sql.clone() } else { statement.note.clone() };
        page.line(&[
            (&format!("{}  ", number + 1), Role::Muted),
            (&format!("{}  ", counted(statement.rows, "row")), Role::Title),
            (&note, Role::Text),
        ]);
    }
    writes_lines(app, preview, page);
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
    rows::lines(How::new(&app.look, app.unfolded), preview, page);
}

/// Above the rows: what an undo does not bring back must not be below the edge of the screen.
fn conflict_lines(app: &App, preview: &Preview, page: &mut Page<'_>) {
    if !preview.conflicts.is_empty() {
        page.blank();
    }
    for conflict in &preview.conflicts {
        let why = match &conflict.refused {
            Some(_) => "the database refuses it",
            None => "changed since",
        };
        page.signed(
            app.look.bad(),
            &format!("left alone, {why}: {} {}", conflict.table, conflict.key),
            Role::Warning,
        );
        if let Some(said) = &conflict.refused {
            page.text(&format!("    {said}"));
        }
        for (column, before, ours, now) in &conflict.columns {
            page.text(&format!("    {column}: before {before}, we wrote {ours}, now {now}"));
        }
    }
    let more = preview.left_alone - preview.conflicts.len() as u64;
    if more > 0 {
        let text = format!("{} more rows are left alone", thousands(more));
        page.signed(app.look.bad(), &text, Role::Warning);
    }
}

fn writes_lines(app: &App, preview: &Preview, page: &mut Page<'_>) {
    page.blank();
    let words = |tally: Tally| (tally.words(), tally.total());
    let writes: Vec<Writes> = preview
        .writes
        .iter()
        .map(|writes| Writes {
            table: writes.table.clone(),
            direct: words(writes.direct),
            hidden: words(writes.hidden),
        })
        .collect();
    for line in meter::lines(&writes, &app.look) {
        page.push(line);
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
        let checks = if unchanged == 1 { "check" } else { "checks" };
        page.muted(&format!("  {unchanged} other {checks} unchanged"));
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

fn ended_lines(
    app: &App,
    case: &crate::tui::case::Case,
    execution: &Execution,
    recovery: &Recovery,
    page: &mut Page<'_>,
) {
    match execution {
        Execution::Committed { rows, checks, sound, said, .. } => {
            let text = match recovery.plan.as_ref().and_then(|plan| plan.mass.as_ref()) {
                Some(_) => format!("COMMITTED   {}, in chunks", counted(*rows, "row")),
                None if recovery.undoing && said.is_empty() => {
                    format!("COMMITTED   {}, as previewed: it is undone", counted(*rows, "row"))
                }
                None => format!("COMMITTED   {}, as previewed", counted(*rows, "row")),
            };
            page.signed(app.look.ok(), &text, Role::Ok);
            if !said.is_empty() {
                page.signed(app.look.unknown(), said, Role::Warning);
            }
            if recovery.plan.as_ref().is_none_or(|plan| plan.mass.is_none()) {
                page.muted(
                    "Compared: statements, counts, keys, old values. New ones may hold the time.",
                );
            }
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
            if checks.is_empty() && *sound {
                page.muted("no check was asked after the commit: none is named that it cures");
            } else {
                page.signed(sign, &format!("{told}{}", words.join(", ")), role);
            }
            match case.incident.standing_change(&case.step().id).map(Change::lacks) {
                None => {}
                Some(None) => {
                    page.text("The undo is ready: u previews it.");
                }
                Some(Some(why)) => {
                    let text = format!("There is no undo of all of it: {why}");
                    page.signed(app.look.unknown(), &text, Role::Warning);
                    page.text("u previews what can be taken back.");
                }
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
        Execution::Halted { progress, why, drift, .. } => {
            chunks::halted_lines(app, recovery, progress, why, drift.as_ref(), page);
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

pub fn statements(app: &App) -> Vec<Line> {
    let mut page = Page::new(&app.look);
    let Some(case) = &app.case else { return page.finish() };
    let recovery = case.recoveries.get(&case.step().id);
    // Of a chunk's statement nobody wants to read all the keys.
    let plan = recovery.and_then(|recovery| recovery.plan.as_ref());
    for action in plan.iter().flat_map(|plan| &plan.actions) {
        if let crate::recovery::Planned::Chunked { note, listed, .. } = action {
            page.muted(note);
            page.sql(listed.template().trim(), case.target.url.dialect);
            page.blank();
        }
    }
    if plan.is_some_and(|plan| plan.mass.is_some()) {
        page.muted(
            ":chunk stands for the keys of each chunk, quoted by the database; keys without a gap are sent as their range",
        );
        return page.finish();
    }
    match recovery.and_then(|recovery| recovery.preview.as_ref()) {
        Some(preview) => {
            for (number, statement) in preview.statements.iter().enumerate() {
                page.line(&[
                    (&format!("{}  {}", number + 1, statement.note), Role::Muted),
                    (
                        &format!(
                            "   {}, {:.3} s",
                            counted(statement.rows, "row"),
                            statement.seconds
                        ),
                        Role::Muted,
                    ),
                ]);
                page.sql(statement.sql.trim(), case.target.url.dialect);
                page.blank();
            }
        }
        None => {
            if let Action::Change(change) = &case.step().action {
                let values = &case.incident.answers;
                for statement in &change.statements {
                    page.muted(&statement.note);
                    let sql = statement.sql.get(case.target.url.dialect).unwrap_or_default();
                    page.sql(sql.trim(), case.target.url.dialect);
                    value_lines(sql, case.target.url.dialect, values, &mut page);
                    page.blank();
                }
            }
        }
    }
    page.finish()
}

/// What stands for each `:name` when it runs; the preview shows the text with the values in it.
fn value_lines(
    text: &str,
    dialect: Dialect,
    values: &BTreeMap<String, String>,
    page: &mut Page<'_>,
) {
    for name in sql::parameters(text, dialect).unwrap_or_default() {
        let label = format!("  :{name} = ");
        match values.get(&name) {
            Some(value) => page.line(&[(&label, Role::Key), (value, Role::SqlText)]),
            None => page.line(&[(&label, Role::Key), ("not answered yet", Role::Warning)]),
        };
    }
}
