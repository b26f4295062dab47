//! One night: a work, a fault in the middle of it, what must hold afterwards, and the work brought to
//! its end by whoever takes it up.

use std::fs;
use std::time::{Duration, Instant};

use super::disk;
use super::ground::{CHUNK, Facts, Ground, WRONG};
use super::plan::{Fault, Moment, Plan, Reach, Work};
use crate::common::proxy::{Fault as Wire, Moment as Instants, Proxy, Upstream};
use crate::common::{COMPACT, Home, Signal, Terminal};

/// How long the program may take to come to rest after a fault.
const REST: Duration = Duration::from_secs(30);
const STOPPED: Duration = Duration::from_secs(3);
/// The same where the wire says nothing any more, which only time can tell.
const SILENCE: Duration = Duration::from_secs(150);

const INCIDENT: &str = "INC-0001";

type Held<T> = Result<T, String>;

/// The states that the database may be in, from before the work to after it.
pub struct States(Vec<Facts>);

impl States {
    /// From the first to the last: in chunks, with every step between.
    fn between(work: Work, before: Facts, after: Facts) -> Self {
        let steps = if work.is_in_chunks() { WRONG / CHUNK } else { 1 };
        let at = |step: i64| {
            let part = |from: i64, to: i64| from + (to - from) * step / steps;
            Facts {
                wrong: part(before.wrong, after.wrong),
                sum: part(before.sum, after.sum),
                moved: part(before.moved, after.moved),
                ledger: part(before.ledger, after.ledger),
            }
        };
        Self((0..=steps).map(at).collect())
    }

    fn last(&self) -> Facts {
        *self.0.last().expect("there are two at least")
    }

    /// How many steps were taken.
    fn step(&self, found: Facts) -> Held<usize> {
        let step = self.0.iter().position(|state| *state == found);
        step.ok_or_else(|| format!("neither before nor after: {found:?} is none of {:?}", self.0))
    }
}

/// The program in a terminal, on a disk that may fail.
struct Cockpit {
    screen: Terminal,
}

impl Cockpit {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        // The disk is laid under the program alone.
        let [library, flag] = disk::variables(home);
        let mut all = vec![library.as_str(), flag.as_str(), env!("CARGO_BIN_EXE_steadyhand")];
        all.extend(arguments);
        let (environment, folder) = (home.environment(), home.work());
        Self { screen: Terminal::start("/usr/bin/env", &all, &environment, &folder, COMPACT) }
    }

    fn is_gone(&self) -> bool {
        self.screen.ended().is_some()
    }

    fn is_halted(&self) -> bool {
        let path = format!("/proc/{}/stat", self.screen.pid());
        let stat = fs::read_to_string(path).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }

    fn shows(&self, text: &str) -> bool {
        self.screen.screen().contains(text)
    }

    fn until(&self, what: &str, at_most: Duration, is_so: impl Fn() -> bool) -> Held<()> {
        let start = Instant::now();
        while !is_so() {
            if start.elapsed() > at_most {
                let seconds = at_most.as_secs();
                let screen = self.screen.screen();
                return Err(format!("waited {seconds} s in vain for {what}\n{screen}"));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }

    fn see(&self, text: &str) -> Held<()> {
        self.until(&format!("{text:?}"), REST, || self.shows(text))
    }

    /// The same where the program stops at its records on the way, as it was told to. A picture may
    /// stand before the record that it speaks of does, so a stop can follow what was waited for.
    fn see_through(&self, text: &str) -> Held<()> {
        self.until(&format!("{text:?}"), REST, || {
            if self.is_halted() {
                self.screen.signal(Signal::CONT);
            }
            self.shows(text)
        })
    }

    fn leave(&self) -> Held<()> {
        self.screen.signal(Signal::TERM);
        self.until("the end of the program", REST, || self.is_gone())
    }

    /// The box with the words that write, filled in; one more enter writes.
    fn type_words(&mut self) -> Held<()> {
        self.screen.keys("enter");
        self.see_through("Type   erp ")?;
        let screen = self.screen.screen();
        let (_, words) = screen.split_once("Type   ").expect("it was seen");
        let words = words.lines().next().unwrap_or_default().trim_end_matches(['│', ' ']);
        self.screen.type_text(words);
        self.see_through(&format!("> {words}"))?;
        self.screen.breathe();
        Ok(())
    }

    /// The screen says how the work ended, or that nothing can be done any more.
    fn has_ended(&self) -> bool {
        let screen = self.screen.screen();
        [
            "✓ COMMITTED",
            "ROLLED BACK",
            "OUTCOME UNKNOWN",
            "HALTED",
            "cannot be written",
            "What became",
        ]
        .iter()
        .any(|word| screen.contains(word))
    }
}

/// What the journal says of the last execution.
#[derive(Debug, Default)]
struct Told {
    /// `open` from its start on.
    outcome: Option<String>,
    chunks: usize,
}

impl Told {
    fn by(home: &Home, work: Work) -> Self {
        let folder = home.path("state/steadyhand/incidents").join(INCIDENT);
        let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap_or_default();
        let mut told = Self::default();
        let (mut op, mut ops) = (String::new(), 0);
        for line in journal.lines() {
            let Ok(record) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let entry = &record["entry"];
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            match text("kind").as_str() {
                "execution-started" if text("op") == op => told.outcome = Some("open".into()),
                "execution-started" => {
                    (op, ops) = (text("op"), ops + 1);
                    told = Self { outcome: Some("open".into()), chunks: 0 };
                }
                "chunk-ended" if text("outcome") == "committed" => told.chunks += 1,
                "ended" | "resolved" => told.outcome = Some(text("outcome")),
                "halted" => told.outcome = Some("halted".into()),
                _ => {}
            }
        }
        // What is to be undone says nothing of the undo.
        if work.is_undo() && ops < 2 { Self::default() } else { told }
    }

    fn is_true(&self, work: Work, step: usize) -> bool {
        if work.is_in_chunks() {
            return self.chunks == step;
        }
        match self.outcome.as_deref() {
            Some("committed") => step == 1,
            None | Some("rolled_back") => step == 0,
            _ => false,
        }
    }
}

pub struct Night<'a> {
    pub ground: &'a mut Ground,
    pub plan: &'a Plan,
    pub states: &'a States,
}

/// A work without any fault: what it leads to, and how many messages it takes.
pub fn reference(ground: &Ground, work: Work) -> Held<(States, usize)> {
    let home = ground.home(work);
    let mut before = ground.facts(&home);
    let mut cockpit = Cockpit::start(&home, &["open", "refill", "--target", "erp"]);
    to_the_edge(&mut cockpit, work)?;
    if work.is_undo() {
        before = ground.facts(&home);
    }
    cockpit.see("enter confirm")?;
    cockpit.type_words()?;
    if let Some(proxy) = &ground.proxy {
        proxy.arm(Wire::HoldNth(usize::MAX, Instants::Held));
    }
    cockpit.screen.keys("enter");
    cockpit.see("✓ COMMITTED")?;
    cockpit.leave()?;
    let messages = ground.proxy.as_ref().map_or(0, Proxy::sent);
    let after = ground.facts(&home);
    Ok((States::between(work, before, after), messages))
}

/// To where the preview of the work is asked for, and the key that asks.
fn to_the_edge(cockpit: &mut Cockpit, work: Work) -> Held<()> {
    cockpit.see("12 violations")?;
    cockpit.screen.keys("enter");
    cockpit.see("enter preview")?;
    cockpit.screen.keys("enter");
    if !work.is_undo() {
        return Ok(());
    }
    cockpit.see_through("enter confirm")?;
    cockpit.type_words()?;
    cockpit.screen.keys("enter");
    cockpit.see_through("u undo")?;
    cockpit.screen.keys("u");
    Ok(())
}

impl Night<'_> {
    pub fn run(&mut self) -> Held<()> {
        let Plan { work, fault, moment, .. } = self.plan;
        let home = self.ground.home(*work);
        let home = match moment {
            Moment::Record(at) if *fault == Fault::ClockBack => home.with("STEADYHAND_JUMP", at),
            Moment::Record(at) => home.with("STEADYHAND_HALT", at),
            Moment::Message(..) => home,
        };
        let mut cockpit = Cockpit::start(&home, &["open", "refill", "--target", "erp"]);
        to_the_edge(&mut cockpit, *work)?;
        if !moment.is_of_preview() || *fault == Fault::ClockBack {
            self.confirm(&mut cockpit)?;
        }
        self.strike(&cockpit, &home)?;
        let struck = Instant::now();
        self.rest(&cockpit)?;
        drop(cockpit);
        self.ground.is_free(&home, struck)?;
        disk::is_mended(&home);
        self.ground.heal();
        self.ground.is_rid_of_us()?;
        let home = home.with("STEADYHAND_HALT", "").with("STEADYHAND_JUMP", "");
        let found = self.ground.facts(&home);
        let step = self.states.step(found)?;
        if let Some(beside) =
            self.ground.facts_beside().filter(|beside| beside.moved + beside.ledger > 0)
        {
            return Err(format!("another server was written to: {beside:?}"));
        }
        self.take_up(&home, found, step)
    }

    fn confirm(&self, cockpit: &mut Cockpit) -> Held<()> {
        cockpit.see("enter confirm")?;
        cockpit.type_words()?;
        if let Moment::Message(number, reach) = self.plan.moment {
            let reach = match reach {
                Reach::Held => Instants::Held,
                Reach::Part => Instants::Part(2),
                Reach::Answered => Instants::Answered,
            };
            let proxy = self.ground.proxy.as_ref().expect("messages go to a server");
            proxy.arm(Wire::HoldNth(number, reach));
        }
        cockpit.screen.keys("enter");
        Ok(())
    }

    /// Waits for the moment and lets the fault happen.
    fn strike(&mut self, cockpit: &Cockpit, home: &Home) -> Held<()> {
        match &self.plan.moment {
            Moment::Record(_) if self.plan.fault == Fault::ClockBack => return Ok(()),
            // Some ends have no verification.
            Moment::Record(at) => cockpit.until(at, REST, || cockpit.is_halted())?,
            Moment::Message(..) => {
                let proxy = self.ground.proxy.as_ref().expect("messages go to a server");
                // There may be fewer messages than that.
                let over = || proxy.has_happened() || cockpit.has_ended();
                cockpit.until("the message", REST, over)?;
            }
        }
        match self.plan.fault {
            Fault::Kill => cockpit.screen.signal(Signal::KILL),
            Fault::HangUp => cockpit.screen.signal(Signal::HUP),
            Fault::Terminate => cockpit.screen.signal(Signal::TERM),
            Fault::StopAndGoOn => {
                // For longer than a wait for a lock, which is what a server notices of it.
                cockpit.screen.signal(Signal::STOP);
                cockpit.until("the stop", REST, || cockpit.is_halted())?;
                std::thread::park_timeout(STOPPED);
            }
            Fault::DiskFull => disk::fails_with(home, disk::FULL),
            Fault::ReadOnly => disk::fails_with(home, disk::READ_ONLY),
            Fault::ClockBack => {}
            fault => self.strike_server(fault),
        }
        if let Some(proxy) = &self.ground.proxy {
            proxy.release();
        }
        cockpit.screen.signal(Signal::CONT);
        Ok(())
    }

    fn strike_server(&mut self, fault: Fault) {
        let Ground { server, spare, proxy, .. } = &mut *self.ground;
        let (Some(server), Some(spare), Some(proxy)) = (server, spare, proxy) else { return };
        match fault {
            Fault::ServerKilled => {
                server.stop();
                proxy.cut();
            }
            Fault::ServerRestarted => {
                server.stop();
                server.start();
                proxy.cut();
            }
            Fault::FailedOver => proxy.redirect(Upstream::Tcp(spare.port())),
            Fault::Cut => proxy.cut(),
            Fault::Stalled => proxy.stall(),
            _ => proxy.delay(Duration::from_millis(40)),
        }
    }

    /// The program ends, or says how the work ended; then it is made to leave.
    fn rest(&mut self, cockpit: &Cockpit) -> Held<()> {
        let fault = self.plan.fault;
        let rest = if fault == Fault::Stalled { SILENCE } else { REST };
        if fault.ends() {
            cockpit.until("the end of the program", rest, || cockpit.is_gone())?;
        } else {
            // Nothing was under way that could end.
            let harmless = || self.plan.moment.is_of_preview() && cockpit.shows("enter confirm");
            let calm = || cockpit.is_gone() || cockpit.has_ended() || harmless();
            cockpit.until("an outcome", rest, calm)?;
            cockpit.leave()?;
        }
        if fault != Fault::Kill && !cockpit.screen.is_restored() {
            let screen = cockpit.screen.screen();
            return Err(format!("the terminal was not given back\n{screen}"));
        }
        if fault == Fault::ServerKilled {
            self.ground.server.as_mut().expect("it was killed").start();
        }
        Ok(())
    }

    /// Whoever resumes is told the truth, nothing is written by that, and the work can be brought to
    /// its end, with nothing applied twice.
    fn take_up(&mut self, home: &Home, found: Facts, step: usize) -> Held<()> {
        let work = self.plan.work;
        let is_open = matches!(Told::by(home, work).outcome.as_deref(), Some("open" | "unknown"));
        let mut cockpit = Cockpit::start(home, &["resume"]);
        if is_open {
            cockpit.until("what became of it", REST, || {
                cockpit.shows("did commit") || cockpit.shows("did not commit")
            })?;
            cockpit.screen.breathe();
            cockpit.screen.keys("enter");
            cockpit.until("the page of the step", REST, || !cockpit.shows("What became of"))?;
        }
        let page = ["enter preview", "u undo", "enter close"];
        let said = || page.iter().any(|text| cockpit.shows(text));
        cockpit.until("the page of the step", REST, said)?;
        let told = Told::by(home, work);
        if !told.is_true(work, step) {
            let screen = cockpit.screen.screen();
            return Err(format!("it is told as {told:?}, and there is {found:?}\n{screen}"));
        }
        if self.ground.facts(home) != found {
            return Err("taking it up wrote something".into());
        }
        if found != self.states.last() {
            let rest = if work.is_undo() { "u" } else { "enter" };
            cockpit.screen.breathe();
            cockpit.screen.keys(rest);
            cockpit.see("enter confirm")?;
            cockpit.type_words()?;
            cockpit.screen.keys("enter");
            cockpit.see("✓ COMMITTED")?;
            let is_done = || self.ground.facts(home) == self.states.last();
            if let Err(error) = cockpit.until("its end", REST, is_done) {
                return Err(format!("{error}\n{:?}", self.ground.facts(home)));
            }
        }
        cockpit.leave()?;
        drop(cockpit);
        let verified =
            home.steadyhand(&["verify", INCIDENT]).output().map_err(|e| e.to_string())?;
        if verified.status.code() != Some(0) {
            let said = String::from_utf8_lossy(&verified.stdout).into_owned();
            return Err(format!("the journal does not verify: {said}"));
        }
        self.ground.is_rid_of_us()
    }
}
