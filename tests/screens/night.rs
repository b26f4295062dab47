//! A night in one process: the cockpit's own state and its own drawing, and in the place of databases
//! and disks answers that are the same every time. A second goes by with every key.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use steadyhand::catalogue::Catalogue;
use steadyhand::check::{Count, Finding, Survey, Verdict};
use steadyhand::config::{Environment, Target, TargetUrl};
use steadyhand::dialect::Dialect;
use steadyhand::engine::{LongTransaction, Wait, Waiter};
use steadyhand::guardrail::{Held, Rehearsal};
use steadyhand::incident::chain::Mark;
use steadyhand::incident::entry::{Entry, Evidence, Record, TargetSeen};
use steadyhand::incident::journal::Journal;
use steadyhand::incident::store::{Branch, Summary};
use steadyhand::ops::explain::Explained;
use steadyhand::ops::{Badge, Capability, Identity, Pressure, Setting};
use steadyhand::practice::Practice;
use steadyhand::problem::Problem;
use steadyhand::recovery::{
    CheckOutcome, Gather, Plan, Planned, Preview, Role as Part, RowImage, StatementOutcome,
    TableHead, TableImages, TableWrites, Tally, UndoRehearsal,
};
use steadyhand::runbook::{Action, Runbook};
use steadyhand::sql::Verb;
use steadyhand::tui::app::{App, Facts, Start};
use steadyhand::tui::effect::Effect;
use steadyhand::tui::glyphs::Glyphs;
use steadyhand::tui::keymap::Keymap;
use steadyhand::tui::look::Look;
use steadyhand::tui::message::{Message, Opened};
use steadyhand::tui::screen::home;
use steadyhand::tui::terminal::clipboard::Between;
use steadyhand::tui::theme::Theme;
use steadyhand::tui::theme::depth::Depth;
use steadyhand::tui::update::{begin, update};
use steadyhand::tui::view;
use steadyhand::value::pile::Pile;
use steadyhand::value::{Rows, Value};

pub const RUNBOOK: &str = "asset-double-assignment";
const TARGET: &str = "erp-prod";

static CATALOGUE: LazyLock<Arc<Catalogue>> =
    LazyLock::new(|| Arc::new(Catalogue::built_in().expect("what is built in has no fault")));

static KEYMAP: LazyLock<Keymap> = LazyLock::new(Keymap::built_in);
static PRACTICE: LazyLock<Arc<Practice>> = LazyLock::new(|| Arc::new(Practice::default()));

pub struct Night {
    pub app: App,
    /// Everything that was asked of the world.
    pub asked: Vec<String>,
    /// What was asked for that writes without typed words.
    pub writes: Vec<String>,
    /// Checks take their time: somebody else sends their answers.
    pub slow: bool,
    /// What the incident goes by once it is taken up again.
    pub book: Runbook,
    records: Vec<Record>,
    journal: Journal,
    folder: tempfile::TempDir,
}

impl Night {
    /// Home, everything surveyed.
    pub fn new(theme: Theme, glyphs: &'static Glyphs) -> Self {
        Self::started(theme, glyphs, Start::Home)
    }

    /// An incident on production, at its first step.
    pub fn opened(theme: Theme, glyphs: &'static Glyphs) -> Self {
        let start = Start::Open { runbook: RUNBOOK.into(), target: TARGET.into() };
        Self::started(theme, glyphs, start)
    }

    fn started(theme: Theme, glyphs: &'static Glyphs, start: Start) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (journal, _) = Journal::open(&folder.path().join("INC-0001"), "casey").expect("empty");
        let facts = Facts {
            seconding: steadyhand::config::Seconding::default(),
            catalogue: CATALOGUE.clone(),
            practice: PRACTICE.clone(),
            targets: targets(),
            depth: Depth::True,
            between: Between::see(|_| None),
            refresh: Duration::from_secs(10),
            demo: false,
            drill: None,
            thrown_away: false,
            start,
        };
        let began = "2026-11-21T05:58:00Z".parse().expect("a time");
        let app = App::new(facts, Look { theme, glyphs: *glyphs }, KEYMAP.clone(), began);
        let (asked, writes, records) = (Vec::new(), Vec::new(), Vec::new());
        let book = CATALOGUE.runbook(RUNBOOK).expect("built in").clone();
        let mut night = Self { app, asked, writes, slow: false, book, records, journal, folder };
        let mut effects = home::start(&mut night.app);
        effects.extend(begin(&mut night.app));
        night.carry_out(effects);
        night
    }

    fn now(&self) -> Timestamp {
        self.app.now
    }

    /// Keys by their names, each after a frame was drawn and a second went by.
    pub fn keys(&mut self, names: &str) -> &mut Self {
        for name in names.split_whitespace() {
            self.press(key(name));
        }
        self
    }

    pub fn press(&mut self, event: KeyEvent) {
        // A box takes no key before it was seen.
        if self.app.overlay.as_ref().is_some_and(|overlay| !overlay.drawn) {
            self.draw((80, 24));
        }
        self.send(Message::Key(event));
    }

    /// A key that comes together with the one before it.
    pub fn at_once(&mut self, event: KeyEvent) {
        let now = self.now();
        let effects = update(&mut self.app, Message::Key(event), now);
        self.carry_out(effects);
    }

    pub fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.press(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        self
    }

    pub fn send(&mut self, message: Message) {
        let now = self.now() + SignedDuration::from_secs(1);
        self.app.heard += Duration::from_secs(1);
        let effects = update(&mut self.app, message, now);
        self.carry_out(effects);
    }

    pub fn draw(&mut self, (width, height): (u16, u16)) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        view::draw(&mut self.app, area, &mut buf);
        buf
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.asked.push(format!("{effect:?}"));
            if let Some(message) = self.answer(effect) {
                let now = self.now();
                let more = update(&mut self.app, message, now);
                self.carry_out(more);
            }
        }
    }

    /// What the world says to it, at once.
    fn answer(&mut self, effect: Effect) -> Option<Message> {
        let (now, dialect) = (self.now(), Dialect::Postgres);
        Some(match effect {
            Effect::Execute { .. } | Effect::PutGuard { .. } | Effect::EndSession { .. } => {
                self.writes.push(format!("{effect:?}"));
                return None;
            }
            Effect::Append(entry) => Message::Recorded(Box::new(self.record(entry))),
            Effect::KeepFinding { step, check, finding, delta } => {
                let (verdict, seconds) = (finding.verdict.clone(), finding.seconds);
                let entry = Entry::Checked { step, check, verdict, seconds, delta, sample: None };
                Message::Recorded(Box::new(self.record(entry)))
            }
            Effect::ListIncidents => Message::Incidents(vec![summary(now)]),
            Effect::Survey { run, target } => {
                let survey = survey(&target);
                Message::Surveyed { run, target, survey }
            }
            Effect::Detect { .. } if self.slow => return None,
            Effect::Detect { run, check, .. } => {
                let finding = Arc::new(finding(&check));
                let rows = Pile::of(&finding.rows).expect("in memory");
                Message::Checked { run, check, finding, delta: None, rows, cut: None }
            }
            Effect::Work { run, job } => {
                let done = job.run(&mut |_, _| ControlFlow::Continue(()));
                Message::Worked { run, done: done.map_err(|error| error.to_string()) }
            }
            Effect::Open { .. } | Effect::Resume { .. } => {
                let resumed = matches!(effect, Effect::Resume { .. });
                let runbook = self.book.clone();
                let target = targets().remove(0);
                let opened = Entry::Opened {
                    incident: "INC-0001".into(),
                    runbook: runbook.id.clone(),
                    runbook_sha256: runbook.digest(),
                    title: runbook.title.clone(),
                    severity: runbook.severity,
                    target: TargetSeen {
                        name: target.name.clone(),
                        url: target.url.to_string(),
                        dialect,
                        environment: target.environment.word().to_owned(),
                        server: "7519320458813741".into(),
                        version: "15.8".into(),
                    },
                    program: "steadyhand".into(),
                    host: "bastion".into(),
                    demo: false,
                };
                if !resumed {
                    self.records.clear();
                    self.record(opened);
                }
                Message::Opened(Ok(Box::new(Opened {
                    records: self.records.clone(),
                    runbook,
                    target,
                    server: Some("7519320458813741".into()),
                    identity: Ok(identity()),
                    folder: self.folder.path().join("INC-0001"),
                    journal: self.journal.clone(),
                    shared: None,
                    resumed,
                    also_open: Vec::new(),
                    drafts: BTreeMap::new(),
                })))
            }
            Effect::Preview { run, op, step, .. } => {
                let evidence = evidence("preview.json");
                let both = Box::new((plan(&step), preview(op, now), evidence));
                Message::Previewed { run, step, preview: Ok(both) }
            }
            Effect::Rehearse { run, step, .. } => {
                let both = Box::new((rehearsal(now), evidence("rehearsal.json")));
                Message::Rehearsed { run, step, rehearsal: Ok(both) }
            }
            Effect::Explain { run, .. } => Message::Explained { run, plans: Ok(vec![explained()]) },
            Effect::Look { run } => Message::Looked { run, seen: Ok(Box::new(pressure())) },
            Effect::Postmortem => Message::Postmortem {
                text: Ok(POSTMORTEM.to_owned()),
                path: self.folder.path().join("postmortem.md"),
            },
            _ => return None,
        })
    }

    /// It is in the journal by now.
    pub fn recorded(&mut self, entry: Entry) {
        let record = self.record(entry);
        self.send(Message::Recorded(Box::new(record)));
    }

    fn record(&mut self, entry: Entry) -> Record {
        let seq = self.records.len() as u64 + 1;
        let hash = format!("{seq:064x}").replace('0', "e");
        let (at, actor, drill) = (self.now(), "casey".to_owned(), Mark::None);
        let record = Record { seq, at, actor, drill, entry, hash };
        self.records.push(record.clone());
        record
    }
}

const POSTMORTEM: &str = "# Asset assigned to two people\n\n## Summary\n\n\
    <!-- steadyhand:human summary -->\n\n<!-- steadyhand:end summary -->\n\n## Timeline\n\n\
    - 05:58 detected\n";

pub fn key(name: &str) -> KeyEvent {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    match name {
        "enter" => plain(KeyCode::Enter),
        "esc" => plain(KeyCode::Esc),
        "tab" => plain(KeyCode::Tab),
        "backtab" => KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT),
        "space" => plain(KeyCode::Char(' ')),
        "backspace" => plain(KeyCode::Backspace),
        "up" => plain(KeyCode::Up),
        "down" => plain(KeyCode::Down),
        "left" => plain(KeyCode::Left),
        "right" => plain(KeyCode::Right),
        "page-down" => plain(KeyCode::PageDown),
        "page-up" => plain(KeyCode::PageUp),
        "home" => plain(KeyCode::Home),
        "end" => plain(KeyCode::End),
        other => match (other.strip_prefix("ctrl-"), other.strip_prefix("alt-")) {
            (Some(c), _) => modified(c, KeyModifiers::CONTROL),
            (_, Some(c)) => modified(c, KeyModifiers::ALT),
            _ => modified(other, KeyModifiers::NONE),
        },
    }
}

fn modified(name: &str, modifiers: KeyModifiers) -> KeyEvent {
    let number = name.strip_prefix('f').and_then(|number| number.parse().ok());
    let code = match number {
        Some(number) => KeyCode::F(number),
        None => KeyCode::Char(name.chars().next().expect("a key has a name")),
    };
    KeyEvent::new(code, modifiers)
}

fn targets() -> Vec<Target> {
    let url = |text: &str| TargetUrl::parse(text, Path::new("")).expect("a url");
    vec![
        Target::new(TARGET, url("postgres://erp_oncall@db.internal/erp"), Environment::Production),
        Target::new("erp-stage", url("postgres://ci@stage.internal/erp"), Environment::Staging),
        Target::new("erp-archive", url("sqlite:///srv/archive.db"), Environment::Development),
    ]
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn rows(columns: &[&str], rows: &[Vec<Value>]) -> Rows {
    let mut all = Rows::new(columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for row in rows {
        all.push(row.iter().map(Value::as_ref));
    }
    all
}

fn finding(check: &str) -> Finding {
    let people = ["Mei Yamamoto", "Victor Vogel", "Tomás Cooper", "Priya Mensah", "Hugo Costa"];
    let found: Vec<Vec<Value>> = (0..12i64)
        .map(|n| {
            let person = |at: i64| text(people[usize::try_from(at).unwrap_or(0) % people.len()]);
            let since = format!("2026-11-{:02} 06:47:00", 16 + n % 4);
            let tag = if n == 3 { Value::Null } else { text(&format!("LT-{:04}", 1000 + n * 17)) };
            vec![
                Value::Integer(291 + n * 96),
                Value::Integer(2),
                person(n),
                person(n + 2),
                text(&since),
                tag,
            ]
        })
        .collect();
    let columns = ["asset_id", "active", "first_holder", "latest_holder", "since", "asset_tag"];
    match check {
        RUNBOOK => Finding {
            verdict: Verdict::Violated { violations: Count::Exact(12) },
            rows: rows(&columns, &found),
            keys: None,
            seconds: 0.08,
            cause: None,
        },
        "approved-without-approval" => Finding {
            verdict: Verdict::Violated { violations: Count::AtLeast(10_000) },
            rows: Rows::default(),
            keys: None,
            seconds: 4.2,
            cause: None,
        },
        "self-approval" => Finding {
            verdict: Verdict::Inconclusive { reason: "timed out after 5 s".into() },
            rows: Rows::default(),
            keys: None,
            seconds: 5.0,
            cause: None,
        },
        _ => Finding {
            verdict: Verdict::Clear,
            rows: Rows::default(),
            keys: None,
            seconds: 0.01,
            cause: None,
        },
    }
}

fn survey(target: &str) -> Result<Survey, Problem> {
    let all = [RUNBOOK, "approved-without-approval", "self-approval", "hours-out-of-range"];
    match target {
        TARGET => Ok(Survey {
            server: "7519320458813741".into(),
            version: "15.8".into(),
            findings: all.iter().map(|check| ((*check).to_owned(), finding(check))).collect(),
        }),
        "erp-stage" => Ok(Survey {
            server: "7519320458813742".into(),
            version: "15.8".into(),
            findings: vec![("hours-out-of-range".into(), finding("hours-out-of-range"))],
        }),
        _ => {
            Err(Problem::unreachable("erp-archive: the file is not there")
                .hint("is the disk mounted?"))
        }
    }
}

fn summary(now: Timestamp) -> Summary {
    Summary {
        id: "INC-0007".into(),
        folder: "INC-0007".into(),
        title: "Timesheets with impossible hours".into(),
        runbook: "hours-out-of-range".into(),
        target: "erp-stage".into(),
        environment: "staging".into(),
        severity: Some(steadyhand::check::Severity::ALL[2]),
        demo: false,
        drill: false,
        opened: Some(now - SignedDuration::from_mins(74)),
        closed: None,
        last: Some(now - SignedDuration::from_mins(9)),
        step: None,
        in_doubt: false,
        review_due: None,
        trouble: None,
        branch: Branch::Common,
    }
}

fn identity() -> Identity {
    let partial = Capability::Partial("sequences keep the numbers that were taken".into());
    Identity {
        server: "7519320458813741".into(),
        history: Some("timeline 1".into()),
        version: "15.8".into(),
        role: "erp_oncall".into(),
        replica: false,
        no_writes: None,
        settings: vec![
            Setting { name: "TimeZone".into(), ours: "UTC".into(), theirs: Some("UTC".into()) },
            Setting {
                name: "search_path".into(),
                ours: "public".into(),
                theirs: Some("erp, public".into()),
            },
        ],
        badge: Badge { undo: partial, ..Badge::full() },
    }
}

fn pressure() -> Pressure {
    let wait = |who: &str, waited, on: &str, sql: &str| Wait {
        waiter: Waiter { who: who.into(), waited: Duration::from_secs(waited), sql: sql.into() },
        blocker: on.into(),
        relation: "asset_assignments".into(),
    };
    let import = "812 import (nightly)";
    Pressure {
        connections: 41,
        most_connections: Some(100),
        waits: vec![
            wait(
                "901 erp (web)",
                41,
                import,
                "UPDATE asset_assignments SET note = $1 WHERE id = $2",
            ),
            wait(
                "907 erp (web)",
                12,
                "901 erp (web)",
                "DELETE FROM asset_assignments WHERE id = $1",
            ),
        ],
        transactions: vec![LongTransaction {
            who: import.into(),
            open: Duration::from_secs(312),
            idle: true,
            sql: "INSERT INTO asset_assignments SELECT * FROM staging".into(),
        }],
        ..Pressure::default()
    }
}

fn evidence(file: &str) -> Evidence {
    Evidence { file: format!("evidence/{file}"), sha256: "e".repeat(64) }
}

const STATEMENT: &str = "UPDATE asset_assignments SET return_date = assigned_at WHERE id IN \
    (SELECT r.id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY asset_id ORDER BY assigned_at, id) \
    AS place FROM asset_assignments WHERE return_date IS NULL) r WHERE r.place > 1)";

fn explained() -> Explained {
    Explained {
        title: "Close all open assignments but the earliest per asset".into(),
        sql: STATEMENT.into(),
        plan: Ok(vec![
            "Update on asset_assignments  (cost=412.10..977.34 rows=0 width=0)".into(),
            "  ->  Hash Semi Join  (cost=412.10..977.34 rows=13 width=42)".into(),
        ]),
        seconds: 0.003,
    }
}

fn plan(step: &str) -> Plan {
    let book = CATALOGUE.runbook(RUNBOOK).expect("built in");
    let Some(Action::Change(change)) = book.step(step).map(|step| &step.action) else {
        panic!("{step} is a change");
    };
    Plan {
        mass: None,
        step: step.into(),
        title: "Close the later assignments, keep the earliest".into(),
        target: TARGET.into(),
        actions: vec![Planned::Sql {
            note: explained().title,
            sql: STATEMENT.into(),
            verb: Verb::Update,
            table: "asset_assignments".into(),
        }],
        cures: Vec::new(),
        must_not_worsen: Vec::new(),
        limits: change.limits,
        valid: Duration::from_mins(10),
        demand: steadyhand::recovery::second::Demand::One,
        undoes: None,
        lacks: None,
    }
}

fn preview(op: String, at: Timestamp) -> Preview {
    let updated = Tally { updated: 13, ..Tally::default() };
    let inserted = Tally { inserted: 13, ..Tally::default() };
    let none = Tally::default();
    let check = |check: &str, role, before, after| CheckOutcome {
        check: check.into(),
        role,
        before,
        after,
    };
    let twelve = Verdict::Violated { violations: Count::Exact(12) };
    Preview {
        chunks: None,
        op,
        at,
        server: "7519320458813741".into(),
        statements: vec![StatementOutcome {
            note: explained().title,
            sql: STATEMENT.into(),
            rows: 13,
            seconds: 0.004,
        }],
        writes: vec![
            TableWrites { table: "asset_assignments".into(), direct: updated, hidden: none },
            TableWrites { table: "audit_log".into(), direct: none, hidden: inserted },
        ],
        images: images(),
        checks: vec![
            check(RUNBOOK, Part::Cure, twelve, Verdict::Clear),
            check("self-approval", Part::Neighbour, Verdict::Clear, Verdict::Clear),
        ],
        remaining: Vec::new(),
        conflicts: Vec::new(),
        left_alone: 0,
        besides: None,
        undo: UndoRehearsal {
            restored: 13,
            tried: 13,
            of: 13,
            stays: vec!["13 rows written by triggers stay in audit_log".into()],
            impossible: None,
        },
        locks: "13 rows of asset_assignments, held for 0.04 s; nobody waited".into(),
        seconds: 0.04,
        leaves_behind: vec!["13 numbers of the sequence audit_log_id_seq".into()],
        warnings: Vec::new(),
        proof: Ok("transaction 7841221 aborted, seen from a second connection".into()),
        fingerprint: "f".repeat(64),
        refused: Vec::new(),
    }
}

fn images() -> Vec<TableImages> {
    let head = |table: &str, columns: &[&str], hidden| TableHead {
        table: table.into(),
        key: vec!["id".into()],
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        hidden,
        ..TableHead::default()
    };
    let (mut assignments, mut audit) = (Gather::default(), Gather::default());
    for n in 0..13i64 {
        let began = format!("2026-11-{:02} 07:15:00", 16 + n % 4);
        let id = Value::Integer(6001 + n);
        let row = |ended| vec![id.clone(), Value::Integer(291 + n * 96), text(&began), ended];
        let (before, after) = (Some(row(Value::Null)), Some(row(text(&began))));
        let key = vec![id.clone()];
        assignments.push(RowImage { key, before, after }).expect("in memory");
        let id = Value::Integer(6319 + n);
        let logged = format!("{{\"id\":{},\"return_date\":null}}", 6001 + n);
        let after =
            Some(vec![id.clone(), text("asset_assignments"), text("update"), text(&logged)]);
        audit.push(RowImage { key: vec![id], before: None, after }).expect("in memory");
    }
    vec![
        TableImages {
            head: head(
                "asset_assignments",
                &["id", "asset_id", "assigned_at", "return_date"],
                false,
            ),
            rows: assignments.finish().expect("in memory"),
        },
        TableImages {
            head: head("audit_log", &["id", "table_name", "action", "old_value"], true),
            rows: audit.finish().expect("in memory"),
        },
    ]
}

fn rehearsal(at: Timestamp) -> Rehearsal {
    Rehearsal {
        at,
        stands: false,
        accepted: Ok(()),
        rejects: Ok("duplicate key value violates unique constraint \"ux_asset_active\"".into()),
        untried: None,
        lock: "SHARE on a copy of the table; in place it is brief".into(),
        seconds: 0.02,
        held: Held::AgainstAll,
        traceless: true,
        notes: vec!["tried on an empty copy of asset_assignments".into()],
    }
}
