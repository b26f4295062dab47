//! The first line, which says where one is, and the last, which says what the keys do.

use jiff::Timestamp;

use crate::config;
use crate::incident::fleet;
use crate::tui::app::{App, Screen};
use crate::tui::case::Case;
use crate::tui::command::Command;
use crate::tui::keymap::Context;
use crate::tui::overlay::{Kind, Purpose, comms, tour};
use crate::tui::page::{clock, going_on, to_go};
use crate::tui::reach;
use crate::tui::screen::{guardrail, home, step};
use crate::tui::widget::status::{self, Environment, Footer};

pub fn top_line(app: &App) -> status::Context {
    let mut top = status::Context { title: "steadyhand".into(), ..status::Context::default() };
    top.running = running(app);
    let Some(case) = &app.case else {
        if app.is_drill() {
            top.target = Some((Environment::Drill, "steadyhand".into()));
        }
        let open = app.home.incidents.iter().filter(|incident| incident.is_open()).count();
        let targets = app.facts.targets.len();
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        top.summary =
            format!("{targets} target{}, {open} open incident{}", plural(targets), plural(open));
        return top;
    };
    let incident = &case.incident;
    top.target = Some((environment(case), case.target.name.clone()));
    if let Some(replay) = &app.replay {
        // Where it happened is said in words: its colour would be that of the thing itself.
        let place = format!("{} ({})", case.target.name, environment_word(case));
        let watching = replay.watching.is_some();
        let what = if watching { Environment::Watching } else { Environment::Replay };
        top.target = Some((what, place));
    }
    let seen = incident.target.as_ref().filter(|seen| app.replay.is_some() || !seen.is_met());
    if let Some(seen) = seen {
        top.engine = seen.engine();
    }
    if let Ok(identity) = &case.identity {
        top.engine = format!("{} {}", case.target.url.dialect, identity.version);
        top.role.clone_from(&identity.role);
    }
    top.incident.clone_from(&incident.id);
    top.severity = incident.severity.map(|severity| severity.to_string()).unwrap_or_default();
    match (incident.opened, incident.closed) {
        (Some(opened), Some(closed)) => {
            top.open = format!("closed after {}", clock(closed.duration_since(opened).as_secs()));
        }
        (Some(opened), None) => {
            top.open = format!("open {}", going_on(app.now.duration_since(opened).as_secs()));
        }
        _ => {}
    }
    if let Some(due) = update_due(app, case) {
        let which = if incident.next_update.is_some() { "next" } else { "first" };
        let left = due.duration_since(app.now).as_secs();
        let text = if left >= 0 {
            format!("{which} update in {}", to_go(left))
        } else {
            format!("update overdue {}", going_on(-left))
        };
        top.update = Some((text, left < 0));
    }
    top
}

/// When people are to be told something, for the first time or again.
pub fn update_due(app: &App, case: &Case) -> Option<Timestamp> {
    let incident = &case.incident;
    let first = || {
        let nothing_said = incident.is_open() && incident.said.is_empty();
        nothing_said.then(|| fleet::first_update_due(incident, &app.facts.practice)).flatten()
    };
    incident.next_update.or_else(first)
}

/// What is under way for longer than a moment, the gravest first.
fn running(app: &App) -> String {
    use crate::recovery::protocol::State;
    const MOMENT: i64 = 1;
    if let Some(request) = &app.asked {
        let key = app.keymap.label(Context::Global, Command::HandOver);
        let key = key.map_or_else(String::new, |key| format!(", {key} answers"));
        return format!("{} ASKS TO TAKE OVER{key}", request.by.login);
    }
    let told = |what: &str, since: Timestamp| {
        let seconds = app.now.duration_since(since).as_secs();
        (seconds >= MOMENT).then(|| format!("{what} {seconds} s"))
    };
    let surveys = app.home.health.iter().filter_map(|health| health.running);
    let survey = surveys.map(|(_, since)| since).min();
    let Some(case) = &app.case else {
        return survey.and_then(|since| told("checking", since)).unwrap_or_default();
    };
    let changes = case.recoveries.values().filter_map(|recovery| {
        let since = recovery.since?;
        match recovery.state {
            State::Executing { .. } => told("EXECUTING", since),
            State::Previewing { .. } => told("previewing", since),
            _ => None,
        }
    });
    let guards = case.guards.values().filter_map(|guard| {
        let (_, what, since) = guard.running?;
        told(what, since)
    });
    let commands = case.outputs.values().filter_map(|output| {
        let (_, since) = output.running?;
        told("running a command", since)
    });
    let plan = app.explaining.and_then(|(_, since)| told("planning", since));
    let checks = case.live.values().filter_map(|live| {
        let (_, since) = live.running?;
        told("checking", since)
    });
    changes.chain(guards).chain(commands).chain(plan).chain(checks).next().unwrap_or_default()
}

pub fn environment(case: &Case) -> Environment {
    if case.incident.drill {
        return Environment::Drill;
    }
    if case.incident.demo {
        return Environment::Demo;
    }
    match case.target.environment {
        config::Environment::Production => Environment::Production,
        config::Environment::Staging => Environment::Staging,
        config::Environment::Development => Environment::Development,
    }
}

/// The environment as sentences name it.
pub fn environment_word(case: &Case) -> String {
    environment(case).word().to_owned()
}

/// The keys that work now, the recommended one first.
pub fn footer(app: &App) -> Footer {
    let context = app.context();
    let key = |command: Command| app.keymap.label(context, command);
    let fixed = |name: &str| Some(name.to_owned());
    if let Some(overlay) = &app.overlay {
        let keys: Vec<(Option<String>, &str)> = match &overlay.kind {
            Kind::Ask(ask) if ask.expected.is_some() => {
                let mut keys = vec![
                    (key(Command::Confirm), "execute what was typed"),
                    (key(Command::Back), "leave it alone"),
                ];
                if !ask.scroll.fits() {
                    keys.push((key(Command::PageDown), "more of the question"));
                }
                keys
            }
            Kind::Ask(ask) if ask.purpose == Purpose::Note => vec![
                (key(Command::Confirm), "write it down"),
                (key(Command::SeveralLines), "several lines"),
                (key(Command::ExternalEditor), "$EDITOR"),
                (key(Command::Back), "back"),
            ],
            Kind::Ask(_) => vec![(key(Command::Confirm), "take it"), (key(Command::Back), "back")],
            Kind::Columns { .. } => vec![
                (fixed("space"), "show or hide"),
                (key(Command::Up), "up"),
                (key(Command::Down), "down"),
                (key(Command::Back), "close"),
            ],
            Kind::Choice(_) | Kind::Palette(_) => vec![
                (key(Command::Confirm), "choose"),
                (key(Command::Up), "before"),
                (key(Command::Down), "next"),
                (key(Command::Back), "back"),
            ],
            Kind::Writing(writing) if writing.find.is_some() => {
                vec![(fixed("enter"), "find"), (key(Command::Back), "back to the text")]
            }
            Kind::Writing(writing) => vec![
                (key(Command::Save), writing.save_word()),
                (key(Command::Back), writing.back_word()),
                (key(Command::UndoTyping), "undo"),
                (key(Command::Search), "find"),
                (key(Command::Read), "as it reads"),
                (key(Command::ExternalEditor), "$EDITOR"),
            ],
            Kind::Comms(comms) if comms.given[comms.at] => vec![
                (key(Command::Confirm), "next audience"),
                (key(Command::Copy), "copy"),
                (key(Command::Back), "back"),
            ],
            Kind::Comms(comms) => vec![
                (
                    key(Command::Confirm),
                    if comms.seen[comms.at] { "it was given: record it" } else { "read on" },
                ),
                (key(Command::Complete), "next text"),
                (key(Command::Copy), "copy"),
                (key(Command::SeveralLines), "edit"),
                (key(Command::Back), "back"),
            ],
            Kind::Tour(card) => vec![
                (key(Command::Confirm), if card + 1 < tour::CARDS { "next card" } else { "begin" }),
                (key(Command::Back), "leave the tour"),
            ],
            Kind::Changes { .. } => vec![
                (key(Command::Back), "close"),
                (
                    key(Command::Complete),
                    if app.unfolded { "only what changes" } else { "every column" },
                ),
                (key(Command::Down), "more"),
                (key(Command::PageDown), "a page"),
            ],
            Kind::Text { copy: Some(_), .. } => vec![
                (key(Command::Back), "close"),
                (key(Command::Complete), "copy"),
                (key(Command::Down), "more"),
                (key(Command::PageDown), "a page"),
            ],
            Kind::Text { .. } | Kind::Help { .. } => vec![
                (key(Command::Back), "close"),
                (key(Command::Down), "more"),
                (key(Command::PageDown), "a page"),
            ],
            Kind::Problem { scroll, .. } if scroll.fits() => {
                vec![(key(Command::Confirm), "go on")]
            }
            Kind::Problem { .. } => vec![
                (key(Command::Confirm), "go on"),
                (key(Command::Down), "more"),
                (key(Command::PageDown), "a page"),
            ],
        };
        return Footer::new(keys);
    }
    if app.replay.is_some() {
        if app.replay.as_ref().is_some_and(|replay| replay.watching.is_some()) {
            return Footer::new([
                (key(Command::TakeOver), "take over"),
                (key(Command::Left), "back"),
                (key(Command::Right), "next"),
                (key(Command::Last), "to the end"),
                (key(Command::Journal), "journal"),
                (key(Command::Postmortem), "postmortem"),
                (key(Command::Quit), "quit"),
                (key(Command::Help), "help"),
            ]);
        }
        let playing = app.replay.as_ref().is_some_and(|replay| replay.speed().is_some());
        return Footer::new([
            (key(Command::Right), "next"),
            (key(Command::Left), "back"),
            (key(Command::NextStep), "step"),
            (key(Command::NextMilestone), "milestone"),
            (key(Command::Play), if playing { "stop" } else { "play" }),
            (key(Command::Journal), "journal"),
            (key(Command::Postmortem), "postmortem"),
            (key(Command::Open), "record"),
            (key(Command::Quit), "quit"),
            (key(Command::Help), "help"),
        ]);
    }
    // Of an incident that may not be written only what looks is left.
    if app.read_only.is_some() {
        return Footer::new([
            (key(Command::Quit), "quit"),
            (key(Command::Journal), "journal"),
            (key(Command::Postmortem), "postmortem"),
            (key(Command::Back), "back"),
            (key(Command::Help), "help"),
        ]);
    }
    let key = |command: Command| live_key(app, context, command);
    let enter = (app.screen == Screen::Home).then(|| home::enter_word(app)).flatten();
    let mut keys: Vec<(Option<String>, &str)> = match app.screen {
        Screen::Home => vec![
            (enter.and_then(|_| key(Command::Open)), enter.unwrap_or_default()),
            (key(Command::NewIncident), "new incident"),
            (key(Command::Refresh), "check again"),
            (key(Command::Find), "find"),
            (enter.and_then(|_| key(Command::OpenRow)), "more"),
        ],
        Screen::Step => step_keys(app),
        Screen::Violations => vec![
            (key(Command::Back), "back"),
            (key(Command::OpenCell), "cell"),
            (key(Command::OpenRow), "row"),
            (key(Command::Sort), "sort"),
            (key(Command::Filter), "filter"),
            (key(Command::Search), "search"),
            (key(Command::Related), "related"),
            (key(Command::Changed), "changed"),
            (key(Command::Copy), "copy"),
            (key(Command::Columns), "columns"),
            (key(Command::Refresh), "run now"),
            (key(Command::Export), "export"),
        ],
        Screen::Recovery => recovery_keys(app),
        Screen::Guardrail => vec![
            (key(Command::Confirm), guardrail::enter_word(app)),
            (key(Command::Rehearse), "rehearse"),
            (key(Command::Apply), "apply"),
            (key(Command::Withdraw), "withdraw"),
            (key(Command::Statements), "statements"),
            (key(Command::Back), "back"),
        ],
        Screen::Server => vec![
            (key(Command::Back), "back"),
            (key(Command::Refresh), "ask again"),
            (key(Command::Down), "more"),
        ],
        Screen::Journal => vec![
            (key(Command::Back), "back"),
            (key(Command::Open), "record"),
            (key(Command::Filter), app.journal.shown.next().word()),
            (key(Command::ZoomIn), "nearer"),
            (key(Command::Pin), "pin"),
            (key(Command::Annotate), "annotate"),
            (key(Command::Search), "find"),
            (key(Command::Note), "note"),
        ],
        Screen::Postmortem => vec![
            (key(Command::Edit), "edit the part"),
            (key(Command::NextStep), "next part"),
            (key(Command::ExternalEditor), "$EDITOR"),
            (key(Command::Back), "back"),
        ],
    };
    // The help is last: it is what a narrow terminal keeps.
    keys.extend([(key(Command::Quit), "quit"), (key(Command::Help), "help")]);
    Footer::new(keys)
}

/// The key of a command that can come to something here and now.
fn live_key(app: &App, context: Context, command: Command) -> Option<String> {
    reach::is_in(app, command).then(|| app.keymap.label(context, command)).flatten()
}

fn step_keys(app: &App) -> Vec<(Option<String>, &'static str)> {
    let key = |command: Command| live_key(app, Context::Step, command);
    let Some(case) = &app.case else { return Vec::new() };
    if !case.incident.is_open() {
        return vec![
            (key(Command::Postmortem), "postmortem"),
            (key(Command::Journal), "journal"),
            (key(Command::Back), "home"),
        ];
    }
    let mut keys = vec![(key(Command::Confirm), step::enter_word(case, app.now))];
    if !comms::told(case).is_empty() {
        keys.push((key(Command::Comms), "tell the others"));
    }
    if case.check_of_step().is_some() {
        keys.push((key(Command::Rows), "rows"));
        keys.push((key(Command::Refresh), "run now"));
    }
    if case.live.values().any(|live| live.running.is_some()) {
        keys.push((key(Command::Cancel), "stop"));
    }
    keys.extend([
        (key(Command::Undo), "undo"),
        (key(Command::Withdraw), "withdraw"),
        (key(Command::Note), "note"),
        (key(Command::PrevStep), "step back"),
        (key(Command::Skip), "skip"),
        (key(Command::Journal), "journal"),
        (key(Command::Postmortem), "postmortem"),
    ]);
    keys
}

fn recovery_keys(app: &App) -> Vec<(Option<String>, &'static str)> {
    use crate::recovery::Execution;
    use crate::recovery::protocol::State;
    use crate::recovery::second::Demand;
    let key = |command: Command| live_key(app, Context::Recovery, command);
    let Some(case) = &app.case else { return Vec::new() };
    let recovery = case.recoveries.get(&case.step().id);
    let enter = (key(Command::Approve), "");
    let seconding_keys = || {
        vec![
            (key(Command::AskSecond), "ask a second person"),
            (key(Command::Signature), "paste their signature"),
        ]
    };
    let mut keys = match recovery.map(|recovery| &recovery.state) {
        Some(State::Previewed { preview, warrant }) if preview.refused.is_empty() => {
            let demand = recovery.and_then(|recovery| recovery.plan.as_ref());
            let demand = demand.map(|plan| plan.demand).unwrap_or_default();
            let undoing = recovery.is_some_and(|recovery| recovery.undoing);
            let confirm = if undoing { "confirm the undo" } else { "confirm" };
            let mut keys = match (demand, warrant) {
                (Demand::One, _) | (_, Some(_)) => vec![(enter.0, confirm)],
                (Demand::Pair, None) => seconding_keys(),
                (Demand::PairOrBreakGlass, None) => {
                    let alone = (key(Command::BreakGlass), "go alone");
                    seconding_keys().into_iter().chain([alone]).collect()
                }
            };
            keys.push((key(Command::Preview), "preview again"));
            keys
        }
        Some(State::Previewed { .. }) => vec![(key(Command::Preview), "preview again")],
        Some(State::Previewing { .. }) => vec![(key(Command::Cancel), "stop")],
        Some(State::Executing { .. }) if case.driving().is_some() => vec![
            (key(Command::Pause), "pause"),
            (key(Command::Continue), "continue"),
            (key(Command::Halt), "stop"),
        ],
        Some(State::Executing { .. } | State::Confirming { .. }) => Vec::new(),
        Some(State::Ended { execution: Execution::Committed { .. } }) => {
            let standing = case.incident.standing_change(&case.step().id).is_some();
            let mut keys = vec![(enter.0, if standing { "next step" } else { "back to the step" })];
            if case.incident.to_take_back(&case.step().id).is_some() {
                keys.push((key(Command::Undo), "undo"));
            }
            keys
        }
        Some(State::Ended { .. } | State::Failed { .. } | State::Idle) | None => {
            vec![
                (key(Command::Preview), "preview"),
                (key(Command::FirstLook), "first look"),
                (key(Command::Undo), "undo"),
            ]
        }
    };
    keys.extend([
        (key(Command::Changes), "rows"),
        (key(Command::Fold), if app.unfolded { "fold" } else { "unfold" }),
        (key(Command::Statements), "statements"),
        (key(Command::Plan), "plan"),
        (key(Command::Back), "back"),
    ]);
    keys
}
