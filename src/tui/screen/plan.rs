//! How the database would run a statement, on demand: asked of its planner, shown in a box.

use crate::tui::app::App;
use crate::tui::effect::{Effect, Run};
use crate::tui::message::Plans;
use crate::tui::overlay::Overlay;
use crate::tui::page::Page;
use crate::tui::theme::Role;

/// Asks for the plan of a check, or of the change of the present step.
pub fn ask(app: &mut App, check: Option<String>) -> Vec<Effect> {
    if app.explaining.is_some() {
        app.say("the plan is being asked for; x stops it");
        return Vec::new();
    }
    let run = app.new_run();
    let Some(case) = &app.case else { return Vec::new() };
    let (step, answers) = (case.step().id.clone(), case.incident.answers.clone());
    app.explaining = Some((run, app.now));
    app.say("asking the planner; nothing is run");
    vec![Effect::Explain { run, check, step, answers }]
}

/// Late answers of a plan that nobody waits for any more say nothing.
pub fn explained(app: &mut App, run: Run, plans: Plans) {
    if app.explaining.is_none_or(|(of, _)| of != run) {
        return;
    }
    app.explaining = None;
    app.toast = None;
    // A box that somebody types in is not pushed away.
    if app.overlay.is_some() {
        app.say("the plan is there; ask again when the box is closed");
        return;
    }
    app.cover(match plans {
        Err(problem) => Overlay::problem(problem),
        Ok(plans) => {
            let Some(case) = &app.case else { return };
            let dialect = case.target.url.dialect;
            let mut page = Page::new(&app.look);
            page.muted("By the planner: estimates, not counts. Nothing was run.");
            for told in &plans {
                page.blank().line(&[
                    (&told.title, Role::Title),
                    (&format!("   planned in {:.0} ms", told.seconds * 1000.0), Role::Muted),
                ]);
                match &told.plan {
                    Ok(lines) => {
                        for line in lines {
                            page.text(&format!("  {line}"));
                        }
                    }
                    Err(why) => {
                        page.signed(app.look.unknown(), &format!("no plan: {why}"), Role::Unknown);
                    }
                }
                page.blank().sql(told.sql.trim(), dialect);
            }
            Overlay::text("How the database would run it", page.finish())
        }
    });
}
