//! Every screen as it is drawn, in every theme: what stands where, in which role, and what each theme
//! makes of a role. And what keys do there: none of them writes, and a mistaken one is taken back.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../common/mod.rs"]
mod common;
mod night;

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use common::{Cockpit, Ground, Home};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use night::{Night, RUNBOOK};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Style};
use steadyhand::check::{Cause, Count, Finding, Survey, Verdict};
use steadyhand::dialect::Dialect;
use steadyhand::incident::entry::{Deed, Entry, Outcome, verdict_words};
use steadyhand::incident::journal::News;
use steadyhand::incident::lease::{Party, Request};
use steadyhand::ops::Identity;
use steadyhand::problem::Problem;
use steadyhand::recovery::mass::{Before, Chunks, Idle, Mass, Progress, Source};
use steadyhand::recovery::protocol::State;
use steadyhand::recovery::{Drift, Execution};
use steadyhand::runbook::progress::StepState;
use steadyhand::runbook::{Action, AnswerType, Ask, Required, Wait, WaitFor};
use steadyhand::tui::app::Screen;
use steadyhand::tui::command::Command;
use steadyhand::tui::glyphs::{self, Glyphs};
use steadyhand::tui::keymap::{Context, Key, Keymap};
use steadyhand::tui::message::{Message, Met};
use steadyhand::tui::overlay::{Kind, Overlay, Purpose};
use steadyhand::tui::reach;
use steadyhand::tui::screen::home::Item;
use steadyhand::tui::theme::depth::Depth;
use steadyhand::tui::theme::{Role, Theme};
use steadyhand::value::Rows;
use steadyhand::value::pile::Pile;

const SMALL: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (120, 40);
const ULTRA: (u16, u16) = (220, 50);

/// A screen by its name, and the way to it.
type Scene = (&'static str, fn(Theme, &'static Glyphs) -> Night);

const SCENES: &[Scene] = &[
    ("home", Night::new),
    ("home-found", |theme, glyphs| {
        let mut night = Night::new(theme, glyphs);
        night.keys("/").type_text("asset").keys("enter");
        night
    }),
    ("home-runbook", |theme, glyphs| with(Night::new(theme, glyphs), "n")),
    ("tour", |theme, glyphs| {
        let mut night = Night::new(theme, glyphs);
        night.app.overlay = Some(Overlay::tour());
        night
    }),
    ("step-manual", Night::opened),
    ("step-check", |theme, glyphs| with(Night::opened(theme, glyphs), "]")),
    ("step-check-plan", |theme, glyphs| with(Night::opened(theme, glyphs), "] H")),
    ("violations", |theme, glyphs| with(Night::opened(theme, glyphs), "] v down right")),
    ("step-decide", |theme, glyphs| with(Night::opened(theme, glyphs), "] enter enter")),
    ("step-change", change),
    ("recovery", |theme, glyphs| with(change(theme, glyphs), "enter")),
    ("recovery-rows", |theme, glyphs| with(change(theme, glyphs), "enter d")),
    ("recovery-rows-unfolded", |theme, glyphs| with(change(theme, glyphs), "enter d tab")),
    ("recovery-statements", |theme, glyphs| with(change(theme, glyphs), "enter s")),
    ("recovery-confirm", |theme, glyphs| with(change(theme, glyphs), "enter enter e r p")),
    ("recovery-committed", |theme, glyphs| {
        let verdict = Verdict::Clear;
        assert_eq!(verdict_words(&verdict), "clear");
        let committed = Execution::Committed {
            op: "op".into(),
            rows: 26,
            writes: Vec::new(),
            checks: vec![(RUNBOOK.into(), verdict)],
            sound: true,
            said: String::new(),
        };
        ended(theme, glyphs, committed)
    }),
    ("recovery-drifted", |theme, glyphs| {
        let drift =
            Drift { differences: vec!["asset_assignments: 12 rows updated, 13 seen".into()] };
        let why = "the data changed since the preview".to_owned();
        ended(theme, glyphs, Execution::RolledBack { why, drift: Some(drift) })
    }),
    ("recovery-unknown", |theme, glyphs| {
        let (op, why) = ("op".to_owned(), "the link broke at COMMIT".to_owned());
        ended(theme, glyphs, Execution::Unknown { op, why })
    }),
    ("recovery-chunks", |theme, glyphs| driven(theme, glyphs, None)),
    ("recovery-chunks-paused", |theme, glyphs| {
        driven(theme, glyphs, Some("7 sessions wait for our locks; 5 are allowed"))
    }),
    ("guardrail", |theme, glyphs| {
        let mut night = Night::opened(theme, glyphs);
        night.keys("] ] ] ] ] ] ]");
        night.app.screen = Screen::Guardrail;
        night.keys("r");
        night
    }),
    ("server", |theme, glyphs| with(Night::opened(theme, glyphs), "L")),
    ("journal", |theme, glyphs| with(Night::opened(theme, glyphs), "enter J")),
    ("journal-everything", |theme, glyphs| with(Night::opened(theme, glyphs), "enter J f + k p")),
    ("journal-annotate", |theme, glyphs| {
        let mut night = with(Night::opened(theme, glyphs), "enter J a");
        night.type_text("the pager was late");
        night
    }),
    ("postmortem", |theme, glyphs| with(Night::opened(theme, glyphs), "P")),
    ("help", |theme, glyphs| with(Night::opened(theme, glyphs), "?")),
    ("palette", |theme, glyphs| with(Night::opened(theme, glyphs), ": s e v")),
    ("severity", |theme, glyphs| with(Night::opened(theme, glyphs), "S")),
    ("note", |theme, glyphs| {
        let mut night = Night::opened(theme, glyphs);
        night.keys("e").type_text("finance paused the report");
        night
    }),
    ("problem", |theme, glyphs| {
        let mut night = Night::opened(theme, glyphs);
        let problem = steadyhand::problem::Problem::system("the disk is full")
            .hint("Nothing was changed. Make room, then r runs it again.");
        night.app.overlay = Some(Overlay::problem(problem));
        night
    }),
];

fn with(mut night: Night, keys: &str) -> Night {
    night.keys(keys);
    night
}

/// At the change, its count seen.
fn change(theme: Theme, glyphs: &'static Glyphs) -> Night {
    let mut night = Night::opened(theme, glyphs);
    night.keys("] enter ] ] ]");
    night
}

fn ended(theme: Theme, glyphs: &'static Glyphs, execution: Execution) -> Night {
    let mut night = with(change(theme, glyphs), "enter");
    let case = night.app.case.as_mut().expect("an incident is open");
    let step = case.step().id.clone();
    case.recovery_mut(&step).state = State::Ended { execution };
    night
}

/// A change in chunks in the middle of its way.
fn driven(theme: Theme, glyphs: &'static Glyphs, paused: Option<&str>) -> Night {
    let mut night = with(change(theme, glyphs), "enter");
    let case = night.app.case.as_mut().expect("an incident is open");
    let step = case.step().id.clone();
    let recovery = case.recovery_mut(&step);
    recovery.state = State::Executing { run: 7, op: "op".into() };
    let key = "id".to_owned();
    let source = Source::Query { key, sql: "SELECT id FROM asset_assignments".into() };
    let plan = std::sync::Arc::make_mut(recovery.plan.as_mut().expect("it was previewed"));
    plan.mass = Some(Mass { source, size: 5_000, most: 50_000, before: Before::default() });
    recovery.progress = Some(Progress {
        chunk: 41,
        done: 410_000,
        of: 1_000_000,
        here: 410_000,
        working: Duration::from_secs(82),
        rows: 409_988,
        left_alone: 12,
        size: 12_000,
        held: Duration::from_millis(190),
        checks: vec![(RUNBOOK.into(), Verdict::from_count(Count::Exact(590_012)))],
        paused: paused.map(str::to_owned),
    });
    night
}

/// A theme in which every role has a colour of its own: what is drawn in it tells the roles.
fn probe() -> Theme {
    static PROBE: LazyLock<Theme> = LazyLock::new(make_probe);
    PROBE.clone()
}

fn make_probe() -> Theme {
    let mut source = String::from("name = \"probe\"\n");
    for (at, (_, word)) in Role::ALL.iter().enumerate() {
        let _ = writeln!(source, "{word} = {{ fg = \"{}\" }}", 16 + at);
    }
    Theme::parse("probe.toml", &source).expect("it names every role").at(Depth::True)
}

/// The role in which a cell of the probe was drawn; none where the terminal's own colours stand.
fn role(cell: &Cell) -> Option<(Role, &'static str)> {
    match cell.fg {
        Color::Indexed(index) => Role::ALL.get(usize::from(index - 16)).copied(),
        _ => None,
    }
}

fn rows(buf: &Buffer) -> Vec<String> {
    let row = |y| (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect::<String>();
    (0..buf.area.height).map(|y| row(y).trim_end().to_owned()).collect()
}

/// The frame as text, and below it the roles of each row: word and columns.
fn told(buf: &Buffer) -> String {
    let mut out = rows(buf).join("\n");
    out.push_str("\n----\n");
    for y in 0..buf.area.height {
        let mut runs: Vec<(String, u16, u16)> = Vec::new();
        for x in 0..buf.area.width {
            let cell = &buf[(x, y)];
            let mut word = role(cell).map_or("", |(_, word)| word).to_owned();
            if !cell.modifier.is_empty() {
                let _ = write!(word, "+{:?}", cell.modifier);
            }
            if word.is_empty() || word == "text" {
                continue;
            }
            match runs.last_mut() {
                Some((of, _, end)) if *of == word && *end + 1 == x => *end = x,
                _ => runs.push((word, x, x)),
            }
        }
        if !runs.is_empty() {
            let runs: Vec<String> =
                runs.iter().map(|(word, from, to)| format!("{word} {from}-{to}")).collect();
            let _ = writeln!(out, "{y:02} {}", runs.join(", "));
        }
    }
    out
}

#[test]
fn every_screen_stands_as_it_was_looked_at() {
    for (name, scene) in SCENES {
        let mut night = scene(probe(), &glyphs::UTF8);
        for size in [SMALL, WIDE] {
            let drawn = told(&night.draw(size));
            insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), drawn);
        }
    }
    for name in ["home", "step-check", "recovery"] {
        let (_, scene) = SCENES.iter().find(|(scene, _)| *scene == name).expect("a scene");
        let drawn = told(&scene(probe(), &glyphs::UTF8).draw(ULTRA));
        insta::assert_snapshot!(format!("{name}-{}x{}", ULTRA.0, ULTRA.1), drawn);
    }
}

/// What the themes make of the roles: with the snapshots of the screens, every screen in every theme.
#[test]
fn every_theme_gives_the_roles_these_looks() {
    for name in Theme::names() {
        let mut out = String::new();
        for (at, (_, word)) in Role::ALL.iter().enumerate() {
            let looks: Vec<String> = [Depth::True, Depth::Indexed, Depth::Sixteen]
                .map(|depth| {
                    let theme = Theme::built_in(name, depth).expect("built in");
                    look(theme.style(Role::ALL[at].0))
                })
                .to_vec();
            let _ = writeln!(out, "{word:<12} {}", looks.join(" | "));
        }
        insta::assert_snapshot!(format!("theme-{name}"), out);
    }
}

fn look(style: Style) -> String {
    let mut parts = Vec::new();
    parts.extend(style.fg.map(|color| color.to_string()));
    parts.extend(style.bg.map(|color| format!("on {color}")));
    if !style.add_modifier.is_empty() {
        parts.push(format!("{:?}", style.add_modifier));
    }
    if parts.is_empty() { "as the terminal".into() } else { parts.join(" ") }
}

/// A theme changes nothing but the look of roles: same text, and each cell as its role says.
#[test]
fn every_screen_in_every_theme_is_the_same_screen() {
    for (scene_name, scene) in SCENES {
        let mut plain = scene(probe(), &glyphs::UTF8);
        for name in Theme::names() {
            for depth in [Depth::True, Depth::Indexed, Depth::Sixteen] {
                let theme = Theme::built_in(name, depth).expect("built in");
                let mut night = scene(theme.clone(), &glyphs::UTF8);
                for size in [SMALL, WIDE] {
                    let (plain, drawn) = (plain.draw(size), night.draw(size));
                    assert_eq!(rows(&plain), rows(&drawn), "{scene_name} in {name}");
                    assert_as_the_theme_says(&plain, &drawn, &theme, scene_name);
                }
            }
        }
    }
}

fn assert_as_the_theme_says(plain: &Buffer, drawn: &Buffer, theme: &Theme, scene: &str) {
    for (before, after) in plain.content().iter().zip(drawn.content()) {
        let Some((role, _)) = role(before) else { continue };
        let style = theme.style(role);
        let expected = (
            style.fg.unwrap_or(Color::Reset),
            style.bg.unwrap_or(Color::Reset),
            style.add_modifier | before.modifier,
        );
        let found = (after.fg, after.bg, after.modifier);
        assert_eq!(found, expected, "{scene} in {}: {before:?}", theme.name);
    }
}

/// Nothing is said by colour alone: what is drawn in the role of a state has letters or a sign in it.
#[test]
fn a_state_is_a_word_or_a_sign_before_it_is_a_colour() {
    const STATES: [Role; 6] =
        [Role::Ok, Role::Warning, Role::Danger, Role::Unknown, Role::Production, Role::Staging];
    const SIGNS: &str = "✓✗?!●▒█▁▂▃▄▅▆▇#+x*|-";
    for (name, scene) in SCENES {
        for glyphs in [&glyphs::UTF8, &glyphs::ASCII] {
            let buf = scene(probe(), glyphs).draw(SMALL);
            for y in 0..buf.area.height {
                let mut run = String::new();
                let mut of = None;
                for x in 0..=buf.area.width {
                    let next = (x < buf.area.width).then(|| &buf[(x, y)]);
                    let state = next.and_then(role).map(|(role, _)| role);
                    let state = state.filter(|role| STATES.contains(role));
                    if state != of {
                        let said = |c: char| c.is_alphanumeric() || SIGNS.contains(c);
                        let border = run.contains(['─', '│', '┌', '└']);
                        assert!(of.is_none() || border || run.contains(said), "{name}: '{run}'");
                        run.clear();
                        of = state;
                    }
                    if of.is_some() {
                        run.push_str(next.map_or("", Cell::symbol));
                    }
                }
            }
        }
    }
}

/// Without colour and with the letters of ASCII a verdict is still read at once.
#[test]
fn without_colour_and_without_utf8_everything_is_still_said() {
    let mono = || Theme::built_in("mono", Depth::Sixteen).expect("built in");
    for name in ["home", "step-check", "recovery", "server"] {
        let (_, scene) = SCENES.iter().find(|(scene, _)| *scene == name).expect("a scene");
        let buf = scene(mono(), &glyphs::ASCII).draw(SMALL);
        let data = |symbol: &str| symbol.chars().any(|c| "áéüöş".contains(c));
        for cell in buf.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{name}");
            assert!(cell.symbol().is_ascii() || data(cell.symbol()), "{name}: {}", cell.symbol());
        }
        insta::assert_snapshot!(format!("mono-ascii-{name}"), rows(&buf).join("\n"));
    }
}

/// Which database, is it production, how grave, since when, and what next: on every frame.
#[test]
fn every_frame_of_an_incident_says_where_one_is_and_what_comes_next() {
    for (name, scene) in
        SCENES.iter().filter(|(name, _)| !name.starts_with("home") && *name != "tour")
    {
        for size in [SMALL, WIDE, ULTRA] {
            let lines = rows(&scene(probe(), &glyphs::UTF8).draw(size));
            let (first, last) = (&lines[0], &lines[lines.len() - 1]);
            for word in ["PRODUCTION", "erp-prod", "SEV-2", "update"] {
                assert!(first.contains(word), "{name} at {size:?}: {first}");
            }
            let (key, _) = last.trim().split_once(' ').expect("a key and what it does");
            assert!(Key::parse(key).is_ok(), "{name} at {size:?}: {last}");
            let way_out = ["? help", "esc ", "enter go on"].iter().any(|way| last.contains(way));
            assert!(way_out, "{name} at {size:?}: {last}");
        }
    }
}

fn bound(context: Context) -> Vec<KeyEvent> {
    let keymap = Keymap::built_in();
    let entries = keymap.entries(context);
    let keys = entries.iter().flat_map(|entry| entry.keys);
    keys.map(|key| night::key(&key.to_string())).collect()
}

/// From every screen, every key once: a box opens, or something is read, and nothing is written.
#[test]
fn no_single_key_writes() {
    for (name, scene) in SCENES {
        let keys = bound(scene(probe(), &glyphs::UTF8).app.context());
        assert!(!keys.is_empty(), "{name}");
        for key in keys {
            let mut night = scene(probe(), &glyphs::UTF8);
            night.press(key);
            assert!(night.writes.is_empty(), "{name}, {key:?}: {:?}", night.writes);
        }
    }
}

/// However many keys a cat walks over: what writes needs words that say what is meant.
#[test]
fn no_number_of_keys_writes_without_the_words() {
    let every: Vec<KeyEvent> = Context::ALL.iter().flat_map(|context| bound(*context)).collect();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for (name, scene) in SCENES.iter().filter(|(name, _)| !name.starts_with("home")) {
        let mut night = scene(probe(), &glyphs::UTF8);
        for _ in 0..300 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let at = usize::try_from(seed % every.len() as u64).expect("it is small");
            night.press(every[at]);
            assert!(night.writes.is_empty(), "{name}: {:?}", night.writes);
            if night.app.quit.is_some() {
                break;
            }
        }
    }
}

#[test]
fn a_mistaken_key_is_taken_back() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    // A theme.
    night.keys("T");
    assert_ne!(night.app.look.theme.name, "probe");
    night.keys("z");
    assert_eq!(night.app.look.theme.name, "probe");
    // A box that was closed, with what was typed into it.
    night.keys("] S down esc");
    assert!(night.app.overlay.is_none());
    night.keys("z");
    let at = match &night.app.overlay {
        Some(Overlay { kind: Kind::Choice(choice), .. }) => choice.at,
        other => panic!("{other:?}"),
    };
    assert_eq!(at, 2, "the severity below the one that stands");
    night.keys("esc");
    // A filter.
    night.keys("v f").type_text("Mei").keys("z");
    night.keys("enter");
    let filter = |night: &Night| {
        night
            .app
            .violations
            .table
            .as_ref()
            .map_or_else(String::new, |table| table.filter().to_owned())
    };
    assert_eq!(filter(&night), "Meiz");
    night.keys("z");
    assert_eq!(filter(&night), "");
    // The way home.
    night.keys("esc esc");
    assert!(night.app.case.is_none());
    night.keys("z");
    assert!(night.app.case.is_some());
    // A confirmation never comes back half typed.
    let mut night = with(change(probe(), &glyphs::UTF8), "enter enter e r p esc");
    night.app.undone.clear();
    night.keys("z");
    assert!(night.app.overlay.is_none());
}

/// What became of a change may come while somebody writes: it is told, and the text comes back.
#[test]
fn an_outcome_that_arrives_takes_no_text_away() {
    let mut night = change(probe(), &glyphs::UTF8);
    night.keys("e").type_text("the pool was doubled at five");
    let case = night.app.case.as_mut().expect("an incident");
    case.resolving = Some(0);
    let step = case.step().id.clone();
    night.send(Message::Resolved {
        run: 0,
        step,
        outcome: Ok((Outcome::RolledBack, "its ledger row is not there".into())),
    });
    let told = told(&night.draw(SMALL));
    assert!(told.contains("What became of the change"), "{told}");
    night.keys("esc");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("the pool was doubled at five"), "{told}");
}

/// What a change came to that was left with its incident is no word about the one that is open.
#[test]
fn an_outcome_of_another_incident_is_not_told_here() {
    let mut night = with(change(probe(), &glyphs::UTF8), "enter");
    let case = night.app.case.as_ref().expect("an incident");
    let step = case.step().id.clone();
    night.send(Message::Resolved {
        run: 99,
        step: step.clone(),
        outcome: Ok((Outcome::Committed, "its ledger row is there".into())),
    });
    assert!(night.app.overlay.is_none(), "{:?}", night.app.overlay);
    let (op, writes, checks) = ("op".into(), Vec::new(), Vec::new());
    let execution =
        Execution::Committed { op, rows: 26, writes, checks, sound: true, said: String::new() };
    night.send(Message::Executed { run: 99, step: step.clone(), execution });
    let case = night.app.case.as_ref().expect("an incident");
    assert!(matches!(case.recoveries[&step].state, State::Previewed { .. }));
    assert!(!case.incident.progress.state(&step).is_settled());
    let (target, known) = (case.target.clone(), case.identity.clone().expect("it answers"));
    let identity = Identity { server: "another".into(), version: "99".into(), ..known.clone() };
    night.send(Message::Met(Box::new(Met { identity, target })));
    let case = night.app.case.as_ref().expect("an incident");
    assert_eq!(case.identity.as_ref().expect("it answers").version, known.version);
}

/// A key that is refused leaves what is under way what it is: the words that are asked for are those of
/// what will be done.
#[test]
fn an_undo_that_is_refused_makes_no_undo_of_the_preview_that_runs() {
    let mut night = change(probe(), &glyphs::UTF8);
    let step = night.app.case.as_ref().expect("an incident").step().id.clone();
    night.recorded(Entry::Ended {
        step: step.clone(),
        op: "op".into(),
        deed: Deed::Change,
        outcome: Outcome::Committed,
        rows: 12,
        why: String::new(),
        drift: None,
    });
    let case = night.app.case.as_mut().expect("an incident");
    case.recovery_mut(&step).state = State::Previewing { run: 9 };
    night.app.screen = Screen::Recovery;
    night.keys("u");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("it is already running"), "{told}");
    assert!(!night.app.case.as_ref().expect("an incident").recoveries[&step].undoing);
}

/// Also where only the first of many chunks was run.
#[test]
fn the_box_for_a_change_in_chunks_says_that_there_is_no_undo() {
    let mut night = with(change(probe(), &glyphs::UTF8), "enter");
    let case = night.app.case.as_mut().expect("an incident");
    let step = case.step().id.clone();
    let recovery = case.recovery_mut(&step);
    let mut preview = (**recovery.preview.as_ref().expect("it was previewed")).clone();
    preview.undo.impossible = Some("its trigger may not be read".into());
    preview.chunks = Some(Chunks {
        keys: None,
        left: 90_000,
        done: 0,
        number: 1,
        first: 13,
        about: 700,
        print: String::new(),
        idle: Idle::default(),
    });
    let preview = std::sync::Arc::new(preview);
    recovery.preview = Some(preview.clone());
    recovery.state = State::Previewed { preview, warrant: None };
    night.keys("enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("THERE IS NO UNDO: its trigger may not be read."), "{told}");
    assert!(told.contains("erp-prod 90000 no undo"), "{told}");
}

#[test]
fn a_box_that_was_left_answers_for_no_other_step() {
    // Taken away by a key, and the step left.
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "s");
    assert!(night.app.overlay.is_some(), "a reason is asked for");
    night.keys("esc ] z");
    assert!(night.app.overlay.is_none(), "{:?}", night.app.overlay);
    // Half typed below a question, and answered after it.
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "s");
    night.type_text("nobody is on call");
    let by = Party { login: "robin".into(), host: "bastion".into(), pid: 1 };
    let request = Request { by, at: night.app.now, refused: None };
    night.send(Message::Lease(News::Asked(request)));
    night.keys("enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("nobody is on call"), "what was typed is there again: {told}");
    night.keys("enter");
    assert!(night.app.overlay.is_none(), "{:?}", night.app.overlay);
    let case = night.app.case.as_ref().expect("an incident");
    assert_eq!(case.at, 1, "the step is done");
    // The way home, and the boxes of one incident are none of another's.
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "S esc esc z");
    assert!(night.app.case.is_some() && night.app.overlay.is_none(), "the incident, not its box");
    night.keys("z");
    assert!(night.app.overlay.is_none(), "{:?}", night.app.overlay);
}

/// As its message says: leave, and resume.
#[test]
fn an_incident_whose_journal_could_not_be_written_is_left_and_taken_up_again() {
    let mut night = change(probe(), &glyphs::UTF8);
    night.send(Message::JournalFailed("no space left on device".into()));
    let told = told(&night.draw(SMALL));
    assert!(told.contains("the journal cannot be written"), "{told}");
    // What is asked for meanwhile is answered, and stands in nobody's way.
    night.keys("esc enter");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("the journal cannot be written: no space left"), "{told}");
    let case = night.app.case.as_ref().expect("an incident");
    assert!(!case.is_busy() || case.recoveries.is_empty(), "{:?}", case.recoveries);
    let step = case.step().id.clone();
    assert!(matches!(case.recoveries[&step].state, State::Failed { .. }), "{:?}", case.recoveries);
    night.keys("esc esc");
    assert!(night.app.case.is_none());
    night.asked.clear();
    night.keys("z");
    assert!(night.asked.iter().any(|asked| asked.starts_with("Resume {")), "{:?}", night.asked);
    assert!(night.app.case.is_some());
}

/// Something may have broken again since an earlier visit: what was said there passes no step.
#[test]
fn a_check_step_is_passed_only_by_an_answer_to_what_was_asked_on_it() {
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "] [");
    night.slow = true;
    night.asked.clear();
    night.keys("] enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("the check is running again; its answer comes first"), "{told}");
    assert!(told.contains("12 violations"), "{told}");
    let runs = |night: &Night| {
        let asked = night.asked.iter().filter_map(|asked| asked.strip_prefix("Detect { run: "));
        asked.map(|asked| asked.split(',').next().unwrap().parse().unwrap()).collect::<Vec<u64>>()
    };
    let answer = |night: &mut Night, run: u64, verdict: Verdict, cause: Option<Cause>| {
        let rows = Rows::default();
        let finding = Arc::new(Finding { verdict, rows, keys: None, seconds: 14.0, cause });
        let rows = Pile::of(&finding.rows).unwrap();
        let check = RUNBOOK.to_owned();
        night.send(Message::Checked { run, check, finding, delta: None, rows, cut: None });
    };
    // A run that began before this visit saw something earlier too: another follows.
    night.keys("[ ] enter");
    assert_eq!(runs(&night).len(), 1, "{:?}", night.asked);
    let first = runs(&night)[0];
    answer(&mut night, first, Verdict::from_count(Count::Exact(11)), None);
    assert_eq!(runs(&night).len(), 2, "{:?}", night.asked);
    night.keys("enter");
    let state = |night: &Night| {
        let case = night.app.case.as_ref().unwrap();
        case.incident.progress.state(&case.step().id).is_settled()
    };
    assert!(!state(&night));
    // One that somebody stopped is not begun again.
    let second = runs(&night)[1];
    let reason = "stopped by the operator".to_owned();
    answer(&mut night, second, Verdict::Inconclusive { reason }, Some(Cause::Operator));
    assert_eq!(runs(&night).len(), 2, "{:?}", night.asked);
    night.keys("enter");
    assert!(!state(&night));
    // Nor one that answers after the clock was set back.
    night.keys("r [ ]");
    night.app.now -= jiff::SignedDuration::from_hours(2);
    let third = runs(&night)[2];
    answer(&mut night, third, Verdict::Clear, None);
    let fourth = runs(&night)[3];
    answer(&mut night, fourth, Verdict::Clear, None);
    assert_eq!(runs(&night).len(), 4, "{:?}", night.asked);
    night.keys("enter");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("clear: nothing to recover"), "{told}");
}

/// It may come to be committed after the journal said that it was not needed.
#[test]
fn a_step_that_is_being_executed_is_not_skipped() {
    let mut night = driven(probe(), &glyphs::UTF8, None);
    night.app.case.as_mut().unwrap().runbook.steps.iter_mut().for_each(|step| {
        step.required = Required::No;
    });
    night.keys("I s");
    let told = told(&night.draw(SMALL));
    assert!(night.app.overlay.is_none(), "{told}");
    assert!(told.contains("a change is being executed; its outcome comes first"), "{told}");
    // Another step has nothing to do with it.
    night.keys("]");
    let step = night.app.case.as_ref().unwrap().step().id.clone();
    night.keys("s").type_text("not needed").keys("enter");
    let progress = &night.app.case.as_ref().unwrap().incident.progress;
    assert!(matches!(progress.state(&step), StepState::Skipped(_)), "{progress:?}");
}

#[test]
fn a_wait_goes_on_where_it_was_when_the_incident_is_taken_up_again() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    let (every, at_most) = (Duration::from_secs(10), Duration::from_mins(30));
    let until = WaitFor::Time(Duration::from_mins(10));
    night.book.steps[0].action = Action::Wait(Wait { until, every, at_most, on_timeout: None });
    night.keys("esc");
    night.app.now += jiff::SignedDuration::from_mins(4);
    night.keys("z");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("time left  6 min"), "{told}");
    // What failed is waited for once more.
    let step = night.book.steps[0].id.clone();
    night.recorded(Entry::StepFailed { step, why: "not clear after 4m".into() });
    night.keys("] [");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("time left  10 min"), "{told}");
    night.keys("esc");
    night.app.now += jiff::SignedDuration::from_mins(10);
    night.keys("z enter");
    let progress = &night.app.case.as_ref().unwrap().incident.progress;
    assert_eq!(*progress.state(&night.book.steps[0].id), StepState::Passed("waited".into()));
}

#[test]
fn a_choice_begins_with_its_default_and_then_with_the_answer_that_was_given() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    let step = &mut night.app.case.as_mut().unwrap().runbook.steps[0];
    step.action = Action::Ask(Ask {
        question: "Which colour?".into(),
        var: "colour".into(),
        answer: AnswerType::Choice(["red", "green", "blue"].map(str::to_owned).to_vec()),
        default: Some("green".into()),
    });
    let step = step.id.clone();
    night.keys("enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("▸ green"), "{told}");
    night.keys("down enter");
    let answer =
        |night: &Night| night.app.case.as_ref().unwrap().incident.answers["colour"].clone();
    assert_eq!(answer(&night), "blue");
    night.recorded(Entry::StepFailed { step, why: "asked again".into() });
    night.keys("[ enter enter");
    assert_eq!(answer(&night), "blue");
}

/// A terminal without brackets sends a paste as keys: its line breaks are no enters, and what stands
/// behind them is none of the screen's.
#[test]
fn the_lines_of_a_paste_that_comes_as_keys_stay_in_the_box() {
    let paste = |night: &mut Night, text: &str| {
        night.draw(SMALL);
        night.app.heard += Duration::from_secs(1);
        for c in text.chars() {
            let enter = (c == '\r').then_some(KeyCode::Enter);
            let code = enter.unwrap_or(KeyCode::Char(c));
            night.at_once(KeyEvent::new(code, KeyModifiers::NONE));
        }
    };
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "e");
    let records = |night: &Night| night.app.case.as_ref().unwrap().incident.records.len();
    let before = records(&night);
    paste(&mut night, "Import paused\r\rFinance told\r");
    let told = told(&night.draw(SMALL));
    assert_eq!(records(&night), before, "{told}");
    assert!(told.contains("Import paused") && told.contains("Finance told"), "{told}");
    night.keys("ctrl-o");
    let notes = &night.app.case.as_ref().unwrap().incident.notes;
    assert_eq!(notes.last().unwrap().2, "Import paused\n\nFinance told");
    // One line stays one line, and an enter of its own takes it.
    night.keys("e");
    paste(&mut night, "the pager is quiet\r");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("that enter came together with the text"), "{told}");
    night.keys("enter");
    let notes = &night.app.case.as_ref().unwrap().incident.notes;
    assert_eq!(notes.last().unwrap().2, "the pager is quiet");
    // Where there is one line only, a line break is a space.
    night.keys("s");
    paste(&mut night, "nobody\ris on call\r");
    night.keys("enter");
    let skipped = &night.app.case.as_ref().unwrap().incident.skipped;
    assert_eq!(skipped.last().unwrap().2, "nobody is on call");
    // Nor does a paste choose a command.
    night.keys(":");
    paste(&mut night, "quit\r");
    assert!(matches!(night.app.overlay, Some(Overlay { kind: Kind::Palette(_), .. })));
}

/// Also of an update that is longer than the screen.
#[test]
fn an_update_is_recorded_only_when_all_of_it_was_on_the_screen() {
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "c");
    let lines: Vec<String> = (1..=40).map(|number| format!("line {number} of it")).collect();
    match &mut night.app.overlay {
        Some(Overlay { kind: Kind::Comms(comms), .. }) => comms.rewrite(&lines.join("\n")),
        other => panic!("{other:?}"),
    }
    let said = |night: &Night| night.app.case.as_ref().unwrap().incident.said.len();
    let mut shown = String::new();
    for _ in 0..5 {
        let told = told(&night.draw(SMALL));
        shown.push_str(&told);
        if told.contains("it was given: record it") {
            break;
        }
        assert!(told.contains("enter read on"), "{told}");
        night.keys("enter");
        assert_eq!(said(&night), 0, "{told}");
    }
    assert!(lines.iter().all(|line| shown.contains(line.as_str())), "{shown}");
    night.keys("enter");
    assert_eq!(said(&night), 1);
    // The next one may be longer than the screen too, and is not on it before it was drawn.
    night.at_once(night::key("enter"));
    night.at_once(night::key("enter"));
    assert_eq!(said(&night), 1);
}

#[test]
fn a_problem_that_is_longer_than_the_screen_can_be_read_to_its_end() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    let hint: Vec<String> = (1..=40).map(|number| format!("fault {number} of the file")).collect();
    let problem = Problem::usage("The file has faults.").hint(hint.join("\n"));
    night.app.overlay = Some(Overlay::problem(problem));
    let told = told(&night.draw(SMALL));
    assert!(!told.contains("fault 40") && told.contains("page-down a page"), "{told}");
    night.keys("page-down page-down");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("fault 40"), "{told}");
    night.keys("enter");
    assert!(night.app.overlay.is_none());
}

/// What moves on every screen moves in what lies on top of it.
#[test]
fn the_keys_that_move_do_so_in_every_box() {
    for (way, mut night) in [
        ("?", with(Night::opened(probe(), &glyphs::UTF8), "?")),
        ("d", with(change(probe(), &glyphs::UTF8), "enter d")),
    ] {
        let first = told(&night.draw(SMALL));
        for (on, back) in [("j", "k"), ("G", "g"), ("end", "home"), ("ctrl-d", "ctrl-u")] {
            night.keys(on);
            assert_ne!(told(&night.draw(SMALL)), first, "{way} {on}");
            night.keys(back);
            assert_eq!(told(&night.draw(SMALL)), first, "{way} {back}");
        }
    }
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    let items = (1..=60).map(|number| format!("target {number}")).collect();
    night.app.overlay = Some(Overlay::choice("Where?", items, Purpose::Copy));
    for (keys, at) in [("j", 1), ("page-down", 11), ("ctrl-u", 6), ("k", 5), ("G", 59), ("g", 0)] {
        night.keys(keys);
        let Some(Overlay { kind: Kind::Choice(choice), .. }) = &night.app.overlay else { panic!() };
        assert_eq!(choice.at, at, "{keys}");
    }
}

/// However long what is asked is, and however small the screen: the words can be read and typed.
#[test]
fn the_line_for_the_words_stands_on_every_screen() {
    for size in [SMALL, (40, 12), (40, 8), (40, 5)] {
        let mut night = with(change(probe(), &glyphs::UTF8), "enter enter");
        match &mut night.app.overlay {
            Some(Overlay { kind: Kind::Ask(ask), .. }) => {
                let tables: Vec<String> = (1..=200).map(|n| format!("1 in table_{n}")).collect();
                let _ = write!(ask.question, "\n{}.", tables.join(", "));
            }
            other => panic!("{other:?}"),
        }
        night.draw(size);
        night.type_text("erp");
        let told = told(&night.draw(size));
        assert!(told.contains("> erp"), "{size:?}: {told}");
        if size.1 < 8 {
            continue;
        }
        assert!(told.contains("Type   erp-prod 26") && !told.contains("table_200."), "{told}");
        let mut shown = String::new();
        for _ in 0..200 {
            night.keys("page-down");
            shown.push_str(&self::told(&night.draw(size)));
        }
        assert!(shown.contains("table_200."), "{shown}");
    }
}

/// What is written down is what was meant, or it is said why not.
#[test]
fn a_note_says_when_what_and_who() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    let item = |night: &Night| match &night.app.case.as_ref().unwrap().incident.actions[..] {
        [.., item] => (item.title.clone(), item.owner.clone()),
        [] => panic!("none was written"),
    };
    night.keys("e").type_text("action: mail ops@corp.com about the import").keys("enter");
    let owner = night.app.case.as_ref().unwrap().runbook.owner.clone();
    assert_eq!(item(&night), ("mail ops@corp.com about the import".into(), owner));
    night.keys("e").type_text("Action: ask ops@corp.com for the log @stock lead").keys("enter");
    assert_eq!(item(&night), ("ask ops@corp.com for the log".into(), "stock lead".into()));
    let records = night.app.case.as_ref().unwrap().incident.records.len();
    night.keys("e").type_text("-5m action: rotate the key").keys("enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("an action item has a day when it is due"), "{told}");
    assert_eq!(night.app.case.as_ref().unwrap().incident.records.len(), records);
}

/// The box covers the screen, so that what is said stands in it.
#[test]
fn what_is_not_taken_of_several_lines_is_told_in_their_box() {
    for (text, why) in [("", "a few words are needed"), ("-10min the pager", "'-10min' is no time")]
    {
        let mut night = with(Night::opened(probe(), &glyphs::UTF8), "e");
        night.type_text(text);
        night.keys("ctrl-n");
        night.draw(SMALL);
        night.keys("ctrl-o");
        let told = told(&night.draw(SMALL));
        assert!(
            matches!(&night.app.overlay, Some(Overlay { kind: Kind::Writing(_), .. })),
            "{told}"
        );
        assert!(told.contains(why), "{told}");
    }
}

/// A change that names no check it cures is proved by none.
#[test]
fn where_no_check_was_asked_after_the_commit_nothing_says_verified() {
    let (op, writes, checks) = ("op".to_owned(), Vec::new(), Vec::new());
    let committed =
        Execution::Committed { op, rows: 26, writes, checks, sound: true, said: String::new() };
    let told = told(&ended(probe(), &glyphs::UTF8, committed).draw(SMALL));
    assert!(told.contains("no check was asked after the commit"), "{told}");
    assert!(!told.contains("verified"), "{told}");
    let (step, op) = ("close-later".to_owned(), "op".to_owned());
    let entry = Entry::Verified { step, op, checks: Vec::new(), sound: true };
    assert!(entry.sentence().starts_with("no check was asked after the commit"));
}

/// What it offered by its place may be something else by the time that it comes back.
#[test]
fn a_question_of_the_moment_does_not_come_back() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    let by = Party { login: "robin".into(), host: "bastion".into(), pid: 1 };
    let request = Request { by, at: night.app.now, refused: None };
    night.send(Message::Lease(News::Asked(request)));
    night.keys("esc z");
    assert!(night.app.overlay.is_none(), "{:?}", night.app.overlay);
    night.keys("alt-h");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("Hand over to robin"), "{told}");
}

#[test]
fn what_cannot_be_done_says_what_can() {
    // A filter for a column that is not there.
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "] v f");
    night.type_text("holder:Mei").keys("enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("no column is called holder; it is looked for as text"), "{told}");
    night.keys("f ctrl-u").type_text("first_holder:Mei").keys("enter");
    let told = self::told(&night.draw(SMALL));
    assert!(!told.contains("no column is called"), "{told}");
    // A check that names no runbook.
    let mut night = Night::new(probe(), &glyphs::UTF8);
    let none = night.app.facts.catalogue.checks.iter().find(|check| check.runbook.is_none());
    let none = none.unwrap().id.clone();
    let twelve = Verdict::Violated { violations: Count::Exact(12) };
    let finding =
        Finding { verdict: twelve, rows: Rows::default(), keys: None, seconds: 0.1, cause: None };
    let (server, version) = ("1".to_owned(), "15.8".to_owned());
    let survey = Survey { server, version, findings: vec![(none.clone(), finding)] };
    let health = &mut night.app.home.health[0];
    health.seen = Some((night.app.now, Ok(Arc::new(survey))));
    let target = health.target.clone();
    night.app.home.at = Some(Item::Wrong { target, check: none.clone() });
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("enter say what to do"), "{told}");
    night.keys("enter");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains(&format!("{none} names no runbook; b goes to those")), "{told}");
    // An update before anything was counted, and an end with most of the way before it.
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    night.app.case.as_mut().unwrap().runbook.steps.iter_mut().for_each(|step| {
        step.required = Required::Run;
    });
    night.keys("c");
    let told = self::told(&night.draw(WIDE));
    assert!(told.contains("an unknown number of"), "{told}");
    night.keys("esc C");
    assert!(night.app.overlay.is_none(), "what is missing is said before anything is asked");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("and 7 more"), "{told}");
}

/// Also where the check was not asked again since, could not count, or counted before a commit.
#[test]
fn an_update_gives_no_old_count_as_one_of_now() {
    let update = |night: &mut Night| {
        night.keys("c");
        let text = match &night.app.overlay {
            Some(Overlay { kind: Kind::Comms(comms), .. }) => comms.texts[0].clone(),
            other => panic!("{other:?}"),
        };
        night.keys("esc");
        text
    };
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "]");
    // An update was given, so that the key brings the words for any.
    let (step, audience, text) = (String::new(), "technical".into(), String::new());
    let said = Entry::Said { step, audience, text, head: String::new(), next_update: None };
    night.recorded(said);
    let told = update(&mut night);
    assert!(told.contains("12 violations when first seen, 12 now"), "{told}");
    night.slow = true;
    night.keys("[");
    for _ in 0..61 {
        night.send(Message::Tick);
    }
    let told = update(&mut night);
    assert!(
        told.contains("12 violations when first seen, 12 (counted at 05:58 UTC) now"),
        "{told}"
    );
    let checked = |verdict: Verdict| Entry::Checked {
        step: None,
        check: RUNBOOK.into(),
        verdict,
        seconds: 0.1,
        delta: None,
        sample: None,
    };
    night.recorded(checked(Verdict::Inconclusive { reason: "no such table".into() }));
    let told = update(&mut night);
    assert!(told.contains("an unknown number (could not be counted at 05:59 UTC; 12 at"), "{told}");
    night.recorded(checked(Verdict::Violated { violations: Count::Exact(11) }));
    let told = update(&mut night);
    assert!(told.contains("when first seen, 11 now"), "{told}");
    night.recorded(Entry::CommitSent { op: "op".into(), mark: String::new() });
    let told = update(&mut night);
    assert!(told.contains("(not counted since something was executed; 11 at"), "{told}");
    let (step, op) = ("mend".to_owned(), "op".to_owned());
    let checks = vec![(RUNBOOK.to_owned(), Verdict::Clear)];
    night.recorded(Entry::Verified { step, op, checks, sound: true });
    let told = update(&mut night);
    assert!(told.contains("12 violations when first seen, 0 now"), "{told}");
    // The chart of the journal knows of no count between the commit and the check after it.
    let incident = &night.app.case.as_ref().expect("an incident").incident;
    let numbers: Vec<_> =
        incident.numbers_of(RUNBOOK).into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers, [Some(12.0), None, Some(11.0), None, Some(0.0)]);
}

/// The runbook's own words for the first update are given from any step behind them, and the incident stays where it is.
#[test]
fn an_update_moves_nobody_to_another_step() {
    let mut night = with(Night::opened(probe(), &glyphs::UTF8), "]");
    // Before, they would tell of what is not done.
    night.keys("c");
    match &night.app.overlay {
        Some(Overlay { kind: Kind::Comms(comms), .. }) => {
            assert!(comms.texts[0].contains("At step 2/"), "{}", comms.texts[0]);
        }
        other => panic!("{other:?}"),
    }
    night.keys("esc ] ] ] ]");
    let here = night.app.case.as_ref().expect("an incident").step().id.clone();
    night.keys("c");
    for _ in 0..6 {
        night.draw(SMALL);
        if night.app.overlay.is_some() {
            night.keys("enter");
        }
    }
    assert!(night.app.overlay.is_none(), "{:?}", night.app.overlay);
    let case = night.app.case.as_ref().expect("an incident");
    assert_eq!(case.step().id, here);
    assert_eq!(case.incident.progress.current.as_deref(), Some(here.as_str()));
    let tell: Vec<&str> = case.incident.said.iter().map(|(_, step, _)| step.as_str()).collect();
    let of_tell = |step: &&str| {
        case.runbook.step(step).is_some_and(|step| matches!(step.action, Action::Comms(_)))
    };
    assert!(tell.len() == 3 && tell.iter().all(of_tell), "{tell:?}");
    // Where they were told, that step needs no more than to be gone on from.
    let at = case.runbook.position(tell[0]).expect("a step");
    while night.app.case.as_ref().expect("an incident").at > at {
        night.keys("[");
    }
    let told = told(&night.draw(WIDE));
    assert!(told.contains("enter told, go on"), "{told}");
    // What the incident stands at is what it says, also in the words for any update.
    night.keys("[ c");
    match &night.app.overlay {
        Some(Overlay { kind: Kind::Comms(comms), .. }) => {
            assert!(comms.texts[0].contains(&format!("At step {at}/")), "{}", comms.texts[0]);
        }
        other => panic!("{other:?}"),
    }
}

/// Who is stopped holds what is open on the database until they come back.
#[test]
fn the_shell_gets_the_terminal_only_when_nothing_is_open_on_the_database() {
    let mut night = with(change(probe(), &glyphs::UTF8), "enter");
    let step = night.app.case.as_ref().expect("an incident").step().id.clone();
    let suspended = |night: &Night| night.asked.iter().any(|asked| asked == "Suspend");
    let state = |night: &mut Night, state: State| {
        night.app.case.as_mut().expect("an incident").recovery_mut(&step).state = state;
    };
    // What is sent to be committed has an outcome first, and nothing else stops it.
    state(&mut night, State::Executing { run: 7, op: "op".into() });
    night.keys("ctrl-z");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("its outcome comes first") && !suspended(&night), "{told}");
    // What can be taken back is, and then the terminal goes by itself.
    state(&mut night, State::Previewing { run: 7 });
    night.keys("ctrl-z");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("then the terminal is the shell's") && !suspended(&night), "{told}");
    assert!(night.asked.contains(&"Stop { run: 7 }".to_owned()), "{:?}", night.asked);
    night.send(Message::Tick);
    assert!(!suspended(&night));
    let preview = Err(Problem::refused("stopped by the operator"));
    night.send(Message::Previewed { run: 7, step: step.clone(), preview });
    assert!(suspended(&night), "{:?}", night.asked);
    // Once.
    night.asked.clear();
    night.send(Message::Tick);
    assert!(!suspended(&night));
    // Whoever goes on meanwhile stays.
    state(&mut night, State::Previewing { run: 8 });
    night.keys("ctrl-z ?");
    let preview = Err(Problem::refused("stopped by the operator"));
    night.send(Message::Previewed { run: 8, step, preview });
    assert!(!suspended(&night));
    // And where nothing runs it goes at once.
    night.keys("ctrl-z");
    assert!(suspended(&night));
}

#[test]
fn what_is_chosen_of_a_long_list_is_in_sight() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    let items = (1..=60).map(|number| format!("target {number}")).collect();
    night.app.overlay = Some(Overlay::choice("Where?", items, Purpose::Copy));
    for at in 1..=60 {
        let told = told(&night.draw(SMALL));
        assert!(told.contains(&format!("target {at} ")), "{at}: {told}");
        night.keys("down");
    }
}

#[test]
fn an_export_under_way_is_stopped_by_its_key_and_by_leaving() {
    for keys in ["x", "esc esc"] {
        let mut night = with(change(probe(), &glyphs::UTF8), "v E enter");
        let asked = |night: &Night, what: &str| {
            night.asked.iter().filter(|asked| asked.starts_with(what)).cloned().collect::<Vec<_>>()
        };
        let [export] = &asked(&night, "Export {")[..] else { panic!("{:?}", night.asked) };
        let run: String = export.chars().filter(char::is_ascii_digit).collect();
        night.keys(keys);
        let stop = format!("Stop {{ run: {run} }}");
        assert_eq!(asked(&night, &stop).len(), 1, "{keys}: {:?}", night.asked);
    }
}

#[test]
fn the_tour_is_three_keys_long_and_any_other_key_leaves_it() {
    let tour = || {
        let mut night = Night::new(probe(), &glyphs::UTF8);
        night.app.overlay = Some(Overlay::tour());
        night
    };
    let seen = |night: &Night| night.asked.iter().any(|asked| asked == "TourSeen");
    let mut night = tour();
    night.keys("enter enter");
    assert!(night.app.overlay.is_some() && !seen(&night));
    night.keys("enter");
    assert!(night.app.overlay.is_none() && seen(&night));
    for key in ["esc", "q", "x", "j", "ctrl-c"] {
        let mut night = tour();
        night.keys(key);
        assert!(night.app.overlay.is_none() && seen(&night) && night.app.quit.is_none(), "{key}");
    }
}

/// The palette knows every command of the place, and does what the key does.
#[test]
fn the_palette_finds_every_command_by_its_name() {
    for entry in Keymap::built_in().entries(Context::Step) {
        if matches!(entry.command, Command::Palette | Command::Suspend | Command::Quit) {
            continue;
        }
        let mut night = Night::opened(probe(), &glyphs::UTF8);
        let works = reach::is_in(&night.app, entry.command);
        night.keys(":").type_text(entry.command.name());
        let lines = rows(&night.draw(SMALL));
        if !works {
            let name = format!("▸ {:<17}", entry.command.name());
            assert!(!lines.iter().any(|line| line.contains(&name)), "{}", lines.join("\n"));
            continue;
        }
        let first = lines.iter().find(|line| line.contains('▸') && line.contains('│'));
        let first = first.unwrap_or_else(|| panic!("{}", lines.join("\n")));
        assert!(first.contains(entry.command.name()), "{}: {first}", entry.command.name());
    }
}

/// The help lists what works where it is opened; of what it leaves out, no key does anything.
#[test]
fn what_the_help_leaves_out_does_nothing_here() {
    let keymap = Keymap::built_in();
    for (name, scene) in SCENES {
        let context = scene(probe(), &glyphs::UTF8).app.screen_context();
        for entry in keymap.entries(context) {
            let Some(key) = entry.keys.first() else { continue };
            let mut night = scene(probe(), &glyphs::UTF8);
            if night.app.overlay.is_some() || reach::is_in(&night.app, entry.command) {
                continue;
            }
            let (screen, asked) = (night.app.screen, night.asked.len());
            night.press(night::key(&key.to_string()));
            let what = format!("{} on {name}", entry.command.name());
            assert!(night.app.overlay.is_none() && night.app.screen == screen, "{what}");
            assert_eq!(night.asked[asked..], [""; 0], "{what}");
        }
    }
}

#[test]
fn the_help_says_what_a_key_does_where_it_is_opened() {
    let help = |mut night: Night| {
        night.keys("?");
        rows(&night.draw((100, 70))).join("\n")
    };
    let home = help(Night::new(probe(), &glyphs::UTF8));
    assert!(home.contains("open an incident on a runbook"), "{home}");
    assert!(!home.contains("the postmortem as it stands"), "{home}");
    let step = help(Night::opened(probe(), &glyphs::UTF8));
    assert!(step.contains("write a note into the timeline"), "{step}");
    assert!(!step.contains("take the change back"), "{step}");
    let journal = help(with(Night::opened(probe(), &glyphs::UTF8), "J"));
    assert!(journal.contains("f                 the story, everything, changes or"), "{journal}");
    assert!(!journal.contains("only rows that contain this"), "{journal}");
}

#[test]
fn a_long_notice_is_told_to_its_end() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    night.keys("T");
    let told = told(&night.draw(SMALL));
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = night.app.look.theme.name.clone();
    let line =
        format!("until you leave; theme = \"{name}\" in steadyhand.toml keeps it z goes back");
    assert!(words.contains(&line), "{told}");
}

#[test]
fn a_backdated_note_is_marked_on_the_step_too() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    night.keys("e").type_text("-5m the pager went off").keys("enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("(backdated) note: the pager went off"), "{told}");
}

#[test]
fn home_finds_what_is_read_on_the_screen() {
    const TITLE: &str = "Assets with more than one active assignment";
    let mut night = Night::new(probe(), &glyphs::UTF8);
    for find in ["one active", "double-assig", "erp-prod"] {
        night.keys("/ ctrl-u").type_text(find).keys("enter");
        let told = told(&night.draw(SMALL));
        assert!(told.contains(TITLE), "{find}: {told}");
    }
    night.keys("/ ctrl-u").type_text("zzzz").keys("enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("nothing is called 'zzzz'; / changes it"), "{told}");
    assert!(!told.contains("enter open incident"), "{told}");
}

#[test]
fn a_target_is_chosen_with_its_environment_beside_it() {
    let mut night = Night::new(probe(), &glyphs::UTF8);
    night.keys("n enter");
    let told = told(&night.draw(SMALL));
    assert!(told.contains("On which target?"), "{told}");
    assert!(told.contains("erp-prod   PRODUCTION"), "{told}");
    assert!(told.contains("erp-stage   staging"), "{told}");
}

/// At 80x24 there is no room beside the list.
#[test]
fn what_is_known_of_a_line_at_home_is_behind_a_key() {
    let mut night = Night::new(probe(), &glyphs::UTF8);
    let of = |night: &Night| {
        let items = steadyhand::tui::screen::home::items(&night.app);
        let wrong = items.into_iter().filter(|item| matches!(item, Item::Wrong { .. }));
        wrong.collect::<Vec<_>>()
    };
    // What could not be checked comes behind what is wrong.
    night.app.home.at = of(&night).pop();
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("erp-prod: …"), "{told}");
    night.keys("o");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("What is known of it"), "{told}");
    assert!(told.contains("could not check"), "{told}");
}

#[test]
fn home_and_end_go_to_the_ends_of_the_line_that_is_typed() {
    let mut night = Night::opened(probe(), &glyphs::UTF8);
    night.keys("e").type_text("ool is ful").keys("home").type_text("p").keys("end").type_text("l");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("> pool is full"), "{told}");
    night.keys("ctrl-n home").type_text("the ").keys("end").type_text(" now");
    let told = self::told(&night.draw(SMALL));
    assert!(told.contains("the pool is full now"), "{told}");
}

#[test]
fn keys_of_this_file_are_those_of_terminals() {
    let key = |name| night::key(name);
    assert_eq!(key("ctrl-c"), KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(key("f1"), KeyEvent::new(KeyCode::F(1), KeyModifiers::NONE));
    assert_eq!(key("f"), KeyEvent::new(KeyCode::Char('f'), KeyModifiers::NONE));
}

// ------------------------------------------------------------------------ in a terminal of its own

fn demo_at(home: Home, more: &[&str]) -> Cockpit {
    let kept = home.path("demo").to_string_lossy().into_owned();
    Cockpit::start_in(home, &[&["demo", "--keep", &kept], more].concat(), SMALL)
}

#[test]
fn the_tour_comes_once_and_never_in_the_way_of_an_incident() {
    let home = Home::new().with("STEADYHAND_TOUR", "true");
    let mut cockpit = demo_at(home, &["--incident", RUNBOOK]);
    cockpit.wait_for("Take the incident");
    assert!(!cockpit.screen().contains("1 of 3"), "{}", cockpit.screen());
    cockpit.keys("q");
    cockpit.wait_for("Leave?");
    cockpit.keys("enter");
    assert_eq!(cockpit.wait_code(), 0);
    let mut cockpit = demo_at(cockpit.into_home(), &[]);
    for card in ["1 of 3", "2 of 3", "3 of 3"] {
        cockpit.wait_for(card);
        cockpit.keys("enter");
    }
    cockpit.wait_gone("3 of 3");
    cockpit.wait_for("What is wrong");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
    let mut cockpit = demo_at(cockpit.into_home(), &[]);
    cockpit.wait_for("What is wrong");
    assert!(!cockpit.screen().contains("1 of 3"), "{}", cockpit.screen());
    // It is there again when it is asked for.
    cockpit.keys(":");
    cockpit.wait_for("Commands");
    cockpit.type_text("tour");
    cockpit.wait_for("▸ tour");
    cockpit.keys("enter");
    cockpit.wait_for("1 of 3");
    cockpit.keys("esc");
    cockpit.wait_gone("1 of 3");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
}

/// The terminal is asked once, and its answer, in time or not, is never taken for keys.
#[test]
fn an_answer_about_the_background_is_no_key() {
    const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";
    let home = Home::new().with("STEADYHAND_THEME", "auto");
    let mut cockpit = demo_at(home, &[]);
    cockpit.wait_for_bytes(QUESTION);
    cockpit.wait_for("What is wrong");
    let before = cockpit.screen();
    // As keys: find, quit, the next theme, runbooks, the palette.
    cockpit.send(b"\x1b]11;rgb:fdfd/f6f6/e3e3\x1b\\");
    cockpit.keys("down");
    cockpit.wait_until("the cursor has moved", |screen| screen != before);
    let asked =
        cockpit.raw_output().windows(QUESTION.len()).filter(|part| *part == QUESTION).count();
    assert_eq!(asked, 1);
    assert!(!cockpit.screen().contains("Commands"), "{}", cockpit.screen());
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
    for (name, value) in [("NO_COLOR", "1"), ("COLORFGBG", "0;15"), ("STEADYHAND_THEME", "light")] {
        let home = Home::new().with("STEADYHAND_THEME", "auto").with(name, value);
        let mut cockpit = demo_at(home, &[]);
        cockpit.wait_for("What is wrong");
        let asked = cockpit.raw_output().windows(QUESTION.len()).any(|part| part == QUESTION);
        assert!(!asked, "{name}");
        cockpit.keys("q");
        assert_eq!(cockpit.wait_code(), 0);
    }
}

/// Selecting text with the mouse is the terminal's, unless somebody says otherwise.
#[test]
fn the_mouse_is_left_to_the_terminal_until_it_is_asked_for() {
    let has = |cockpit: &Cockpit, bytes: &[u8]| {
        cockpit.raw_output().windows(bytes.len()).any(|part| part == bytes)
    };
    let mut cockpit = demo_at(Home::new(), &[]);
    cockpit.wait_for("▸ ✗");
    assert!(!has(&cockpit, b"\x1b[?1000h"));
    cockpit.send(b"\x1bm");
    cockpit.wait_for("wheel and click are for the cockpit");
    cockpit.wait_for_bytes(b"\x1b[?1000h");
    // A click puts the cursor on a line and opens nothing.
    let line = |cockpit: &Cockpit, text: &str| {
        let screen = cockpit.screen();
        screen.lines().position(|line| line.contains(text)).expect("it is on the screen") + 1
    };
    let row = line(&cockpit, "Assets with more than one active assignment");
    cockpit.send(format!("\x1b[<0;20;{row}M\x1b[<0;20;{row}m").as_bytes());
    cockpit.wait_until("the cursor is there", |screen| {
        screen.lines().any(|line| line.contains('▸') && line.contains("Assets with more than one"))
    });
    // The wheel moves it on.
    cockpit.send(format!("\x1b[<65;20;{row}M").as_bytes());
    cockpit.wait_until("the cursor has moved on", |screen| {
        screen.lines().any(|line| line.contains('▸') && line.contains("Timesheets with impossible"))
    });
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
    assert!(has(&cockpit, b"\x1b[?1000l") && cockpit.is_restored());
}

/// A check and a change, on every engine: the plan comes, and nothing is written for it.
#[test]
fn the_plan_of_a_check_and_of_a_change_is_there_on_every_engine() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb] {
        let ground = Ground::new(dialect);
        let home = Home::new();
        let kept = home.path("demo").to_string_lossy().into_owned();
        let mut args = vec!["demo".to_owned(), "--keep".to_owned(), kept];
        args.extend(["--incident".to_owned(), RUNBOOK.to_owned()]);
        args.extend(ground.arguments());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut cockpit = Cockpit::start_in(home, &args, WIDE);
        cockpit.wait_for("milestone: detected");
        cockpit.keys("]");
        cockpit.wait_for("12 violations");
        for (keys, words) in [("H", "Assets with more than one"), ("] ] ] ] H", "Close all open")] {
            cockpit.keys(keys);
            cockpit.wait_for("How the database would run it");
            cockpit.wait_for("By the planner");
            cockpit.wait_for(words);
            cockpit.wait_for("planned in");
            assert!(!cockpit.screen().contains("no plan:"), "{dialect}: {}", cockpit.screen());
            cockpit.keys("esc");
            cockpit.wait_gone("By the planner");
        }
        let mut erp = ground.look(&cockpit.home().path("demo"));
        assert_eq!(erp.count(DOUBLE), 12, "{dialect}");
        cockpit.keys("q");
        cockpit.wait_for("Leave?");
        cockpit.keys("enter");
        assert_eq!(cockpit.wait_code(), 0);
    }
}

const DOUBLE: &str = "SELECT COUNT(*) FROM (SELECT asset_id FROM asset_assignments \
    WHERE return_date IS NULL GROUP BY asset_id HAVING COUNT(*) > 1) d";

/// Two keys that mean one thing each are told at the start, with a sentence; the terminal is not taken.
#[test]
fn a_key_map_with_a_conflict_is_refused_with_a_sentence() {
    let home = Home::new();
    home.write("keys.toml", "[step]\nskip = [\"r\"]\n");
    let told = home.steadyhand(&["--keymap", "keys.toml", "demo"]).assert().code(4);
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    assert!(told.contains("`r` cannot mean `skip` in [step]: it means `refresh`"), "{told}");
    home.write(
        "keys.toml",
        "[step]\nskip = [\"r\"]\nrefresh = []\n[global]\ntheme = [\"ctrl-t\"]\n",
    );
    let mut cockpit = Cockpit::start_in(home, &["--keymap", "keys.toml", "demo"], SMALL);
    cockpit.wait_for("What is wrong");
    cockpit.send(b"\x14");
    cockpit.wait_for("theme light");
    cockpit.keys("q");
    assert_eq!(cockpit.wait_code(), 0);
}
