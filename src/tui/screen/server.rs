//! The server screen: what presses on the database now, what our session is set to beside the
//! application's, what can be promised here; sessions of ours that a crash left behind are ended.

use jiff::SignedDuration;

use crate::clock;
use crate::consent::{Act, Question};
use crate::problem::Problem;
use crate::tui::app::{App, Screen};
use crate::tui::case::{Case, Watch};
use crate::tui::command::Command;
use crate::tui::effect::{Effect, Run};
use crate::tui::message::{Looked, Pressure};
use crate::tui::overlay::{Ask, Overlay};
use crate::tui::page::{Page, ago};
use crate::tui::theme::Role;
use crate::tui::widget::locks;

/// How often the server is asked while something depends on it, and otherwise.
const NEAR: i64 = 3;
const FAR: i64 = 15;

pub fn on_command(app: &mut App, command: Command) -> Vec<Effect> {
    match command {
        Command::Refresh => look(app),
        Command::Open | Command::Confirm => end_orphan(app),
        other => {
            app.server_scroll.on_command(other);
            Vec::new()
        }
    }
}

/// Asks the server, unless an answer is on its way.
pub fn look(app: &mut App) -> Vec<Effect> {
    let run = app.new_run();
    let Some(case) = app.case.as_mut().filter(|case| case.is_on_server()) else {
        return Vec::new();
    };
    if case.watch.running.is_some() {
        return Vec::new();
    }
    case.watch.running = Some(run);
    vec![Effect::Look { run }]
}

/// How often the server is asked, in seconds.
pub fn every(app: &App) -> i64 {
    let busy = app.case.as_ref().is_some_and(Case::is_busy);
    if busy || app.screen == Screen::Server { NEAR } else { FAR }
}

/// Some time went by.
pub fn tick(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let every = SignedDuration::from_secs(every(app));
    let last = case.watch.seen.as_ref().map(|(at, _)| *at);
    let due = last.is_none_or(|at| clock::is_past(at, every, app.now));
    if due && case.incident.is_open() { look(app) } else { Vec::new() }
}

pub fn looked(app: &mut App, run: Run, seen: Looked) {
    let now = app.now;
    let Some(case) = &mut app.case else { return };
    if case.watch.running == Some(run) {
        case.watch = Watch { seen: Some((now, seen)), running: None };
    }
}

/// Enter: the first session that an earlier run left behind, after a word typed for it.
fn end_orphan(app: &mut App) -> Vec<Effect> {
    let Some(case) = &app.case else { return Vec::new() };
    let pressure = case.watch.pressure();
    let Some(orphan) = pressure.and_then(|pressure| pressure.orphans.first()) else {
        app.say("no session of an earlier steadyhand is left here");
        return Vec::new();
    };
    let question = format!(
        "End the session {} on {}?\nIt is {}. What it has not committed is rolled back.",
        orphan.who, case.target.name, orphan.doing
    );
    let act = Act::EndSession { mark: orphan.mark.clone() };
    let asked = Question { act, target: case.target.name.clone() };
    let what = format!("end the session {}, left behind by an earlier run", orphan.who);
    app.cover(Overlay::ask(Ask::consent(asked, &what, &question)));
    Vec::new()
}

pub fn ended(app: &mut App, ended: Result<bool, Problem>) -> Vec<Effect> {
    match ended {
        Ok(true) => app.say("the session was ended"),
        Ok(false) => app.say("the session was gone already"),
        Err(problem) => app.complain(problem.sentence),
    }
    look(app)
}

pub fn page(app: &App) -> Page<'_> {
    let mut page = Page::new(&app.look);
    let Some(case) = &app.case else { return page };
    if let Err(problem) = &case.identity {
        page.signed(app.look.bad(), &problem.sentence, Role::Danger);
    }
    pressure_lines(app, case, &mut page);
    if let Ok(identity) = &case.identity {
        page.blank().title("What can be promised on this connection");
        for (name, capability) in identity.badge.parts() {
            let sign = match (capability.is_full(), capability.is_none()) {
                (true, _) => app.look.ok(),
                (false, true) => app.look.bad(),
                (false, false) => app.look.unknown(),
            };
            page.signed(sign, &format!("{name:<10} {}", capability.words()), Role::Text);
        }
        if let Some(why) = &identity.no_writes {
            page.signed(app.look.bad(), &format!("nothing is written here: {why}"), Role::Danger);
        }
        page.blank().title("Session, ours and the application's");
        for setting in &identity.settings {
            let theirs = match &setting.theirs {
                Some(theirs) if setting.differs() => format!("   the application has {theirs}"),
                Some(_) => "   the same".to_owned(),
                None => String::new(),
            };
            let role = if setting.differs() { Role::Warning } else { Role::Muted };
            let name = format!("  {:<32} ", setting.name);
            page.line(&[(&name, Role::Muted), (&setting.ours, Role::Text), (&theirs, role)]);
        }
        page.blank().title("Server");
        page.pair("  Identity", 10, &identity.server);
        page.pair("  Version", 10, &identity.version);
        page.pair("  Role", 10, &identity.role);
    }
    page
}

/// Who waits for whom, as a tree.
fn lock_lines(app: &App, pressure: &Pressure, page: &mut Page<'_>) {
    if pressure.waits.is_empty() {
        return;
    }
    let waits: Vec<locks::Wait> = pressure
        .waits
        .iter()
        .map(|wait| locks::Wait {
            who: wait.waiter.who.clone(),
            seconds: wait.waiter.waited.as_secs(),
            on: wait.blocker.clone(),
            table: wait.relation.clone(),
            sql: wait.waiter.sql.clone(),
        })
        .collect();
    let about = |who: &str| {
        let open = pressure.transactions.iter().find(|open| open.who == who);
        open.map_or_else(String::new, |open| {
            let state = if open.idle { "idle in transaction" } else { "in transaction" };
            format!("{state} for {} s", open.open.as_secs())
        })
    };
    page.blank().title("Locks: who waits for whom");
    for line in locks::lines(&waits, about, &app.look) {
        page.push(line);
    }
    page.blank();
}

fn pressure_lines(app: &App, case: &Case, page: &mut Page<'_>) {
    page.title("Pressure");
    if !case.is_on_server() {
        page.muted("  An SQLite file has no server: whoever writes holds the one lock on it.");
        return;
    }
    let Some((at, seen)) = &case.watch.seen else {
        page.muted("  asking the server ...");
        return;
    };
    let pressure = match seen {
        Ok(pressure) => pressure,
        Err(problem) => {
            page.signed(app.look.unknown(), &problem.to_string(), Role::Warning);
            return;
        }
    };
    let age = ago(app.now.duration_since(*at).as_secs());
    let most = pressure.most_connections.map_or_else(String::new, |most| format!(" of {most}"));
    page.line(&[
        (&format!("  {}{most} connections", pressure.connections), Role::Text),
        (&format!("   {age}"), Role::Muted),
    ]);
    let calm = pressure.waits.is_empty() && pressure.transactions.is_empty();
    if calm && pressure.blind.is_empty() {
        page.signed(app.look.ok(), "nobody waits, no transaction is long", Role::Text);
    } else if calm {
        page.muted("  nobody is seen waiting, and no long transaction");
    }
    lock_lines(app, pressure, page);
    // Whoever holds others up stands in the picture of the locks already.
    let in_picture = |who: &str| pressure.waits.iter().any(|wait| wait.blocker == who);
    for open in pressure.transactions.iter().filter(|open| !in_picture(&open.who)) {
        let state = if open.idle { "idle in transaction" } else { "in transaction" };
        page.text(&format!("  {} {state} for {} s", open.who, open.open.as_secs()));
        page.muted(&format!("    {}", open.sql));
    }
    for lag in &pressure.replicas {
        let behind = lag.behind.map_or_else(
            || "not known how far".to_owned(),
            |behind| format!("{:.1} s", behind.as_secs_f64()),
        );
        page.text(&format!("  replica {}: {behind} behind", lag.replica));
    }
    for orphan in &pressure.orphans {
        let text = format!(
            "left behind by an earlier steadyhand: {}, {}, for {} s",
            orphan.who,
            orphan.doing,
            orphan.since.as_secs()
        );
        page.signed(app.look.bad(), &text, Role::Warning);
    }
    if !pressure.orphans.is_empty() {
        page.muted("    enter ends the first of them, after a typed confirmation");
    }
    for blind in &pressure.blind {
        page.signed(app.look.unknown(), &format!("not seen: {blind}"), Role::Muted);
    }
}
