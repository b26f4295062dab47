//! `steadyhand rehearse`: every change previewed and every guardrail tried out on a target where
//! nobody minds, so that a runbook that has rotted is known in daylight.
//!
//! Everything is rolled back, as in the cockpit: this command has no way to commit.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::Out;
use super::chosen::{in_packs, known};
use super::interrupts::Interrupts;
use crate::catalogue::Catalogue;
use crate::config::{Config, Environment, Target};
use crate::exit::Exit;
use crate::format::TextOrJson;
use crate::guardrail;
use crate::ops::connect::identify;
use crate::ops::{Stopper, guard, plan, recover};
use crate::problem::{Kind, Problem};
use crate::report::{json, text};
use crate::runbook::{Action, Change, Runbook, Step};
use crate::source::{did_you_mean, quoted};
use crate::value::counted;

#[derive(Debug)]
pub struct Asked {
    pub runbooks: Vec<String>,
    pub all: bool,
    /// All runbooks of these.
    pub packs: Vec<String>,
    pub target: String,
    /// Answers to the questions of the runbooks, by the names that SQL knows them under.
    pub answers: BTreeMap<String, String>,
    /// Also where the data is that of the business.
    pub production: bool,
    pub format: TextOrJson,
    pub output: Option<PathBuf>,
}

/// What became of one step.
#[derive(Debug, Serialize)]
struct Tried {
    runbook: String,
    step: String,
    kind: &'static str,
    verdict: &'static str,
    rows: Option<u64>,
    what: String,
    #[serde(skip)]
    exit: Exit,
}

pub async fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let Some(catalogue) = super::catalogue(config, out) else { return Ok(Exit::Usage) };
    let ids: Vec<&str> = catalogue.runbooks.iter().map(|runbook| runbook.id.as_str()).collect();
    asked.runbooks.iter().try_for_each(|id| known(id, &ids, "runbook"))?;
    in_packs(&asked.packs, &catalogue)?;
    let target = config.target(&asked.target)?;
    if target.environment == Environment::Production && !asked.production {
        return Err(Problem::refused(format!(
            "{} is production, and a rehearsal takes the locks of the real change; nothing was run",
            target.name
        ))
        .hint("rehearse on staging; --on-production says that you mean it"));
    }
    let chosen: Vec<&Runbook> = catalogue
        .runbooks
        .iter()
        .filter(|runbook| {
            let named = asked.runbooks.contains(&runbook.id) || asked.packs.contains(&runbook.pack);
            named || (asked.all && target.takes(&runbook.pack))
        })
        .collect();
    if chosen.is_empty() {
        return Err(Problem::usage(format!("there is no runbook for {}", target.name))
            .hint("its packs hold none; name a runbook or another --pack"));
    }
    asked.answers.keys().try_for_each(|var| is_asked_for(var, &chosen))?;
    let answers: Vec<BTreeMap<String, String>> =
        chosen.iter().map(|runbook| answers(runbook, &asked.answers)).collect::<Result<_, _>>()?;
    asked.output.as_deref().map_or(Ok(()), Out::can_put_into)?;
    let server = identify(&target).await?.server;
    let mut interrupts = Interrupts::listen()?;
    let stopper = Stopper::default();
    let desk =
        Desk { target: &target, server: &server, catalogue: &catalogue, stopper: stopper.clone() };
    let mut tried = Vec::new();
    let steps = chosen.iter().zip(&answers).flat_map(|(runbook, answers)| {
        runbook.steps.iter().map(move |step| (*runbook, step, answers))
    });
    for (runbook, step, answers) in steps {
        out.progress(&format!("{}: {}, {} ...", target.name, runbook.id, step.id));
        tried.extend(interrupts.over(desk.rehearse(runbook, step, answers), &stopper).await?);
        if stopper.is_stopped() {
            break;
        }
    }
    // Nothing that was tried is not the same as nothing that is broken.
    let worst = tried.iter().map(|one| one.exit).reduce(Exit::worst).unwrap_or(Exit::Inconclusive);
    let exit = if stopper.is_stopped() { Exit::Interrupted } else { worst };
    let last = summary(&tried, &target.name);
    let page = match asked.format {
        TextOrJson::Text => text(&tried) + &last + "\n",
        TextOrJson::Json => lines(&tried, exit),
    };
    match &asked.output {
        Some(path) => {
            out.put_into(path, &page)?;
            out.put(&(last + "\n"))?;
        }
        None => out.put(&page)?,
    }
    Ok(exit)
}

fn is_asked_for(var: &str, chosen: &[&Runbook]) -> Result<(), Problem> {
    let steps = chosen.iter().flat_map(|runbook| &runbook.steps);
    let mut asked = steps.filter_map(|step| match &step.action {
        Action::Ask(ask) => Some(ask.var.as_str()),
        _ => None,
    });
    if asked.clone().any(|other| other == var) {
        return Ok(());
    }
    let problem = Problem::usage(format!("nothing here asks for {}; nothing was run", quoted(var)));
    Err(match did_you_mean(var, &mut asked) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem,
    })
}

/// What was answered, and where nothing was, what the runbook proposes.
fn answers(
    runbook: &Runbook,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut answers = BTreeMap::new();
    for step in &runbook.steps {
        let Action::Ask(ask) = &step.action else { continue };
        if let Some(answer) = given.get(&ask.var) {
            ask.answer.takes(answer).map_err(|wrong| {
                Problem::usage(format!(
                    "the answer {}={answer} is {wrong}; nothing was run",
                    ask.var
                ))
            })?;
        }
        let answer = given.get(&ask.var).or(ask.default.as_ref());
        answers.extend(answer.map(|answer| (ask.var.clone(), answer.clone())));
    }
    Ok(answers)
}

struct Desk<'a> {
    target: &'a Target,
    server: &'a str,
    catalogue: &'a Catalogue,
    stopper: Stopper,
}

impl Desk<'_> {
    /// None for a step that has nothing to rehearse.
    async fn rehearse(
        &self,
        runbook: &Runbook,
        step: &Step,
        answers: &BTreeMap<String, String>,
    ) -> Option<Tried> {
        let (exit, rows, what) = match &step.action {
            Action::Change(change) => self.change(runbook, step, change, answers).await,
            Action::Guard(definition) => self.guard(step, definition).await,
            _ => return None,
        };
        let verdict = match exit {
            Exit::Clear => "sound",
            Exit::Warning => "warning",
            Exit::Inconclusive => "inconclusive",
            _ => "broken",
        };
        let (runbook, step, kind) = (runbook.id.clone(), step.id.clone(), step.action.kind());
        Some(Tried { runbook, step, kind, verdict, rows, what, exit })
    }

    async fn change(
        &self,
        runbook: &Runbook,
        step: &Step,
        change: &Change,
        answers: &BTreeMap<String, String>,
    ) -> (Exit, Option<u64>, String) {
        let dialect = self.target.url.dialect;
        let has_sql = |one: &crate::runbook::Statement| one.sql.get(dialect).is_some();
        if !change.statements.iter().any(has_sql) {
            return (Exit::Clear, None, format!("has nothing to do on {dialect}"));
        }
        let unanswered = self.unanswered(runbook, change, answers);
        if !unanswered.is_empty() {
            let options: Vec<_> =
                unanswered.iter().map(|var| format!("--answer {var}=...")).collect();
            let what = format!("asks for what has no proposal: {}", options.join(" "));
            return (Exit::Inconclusive, None, what);
        }
        let check = |id: &str| self.catalogue.check(id).cloned();
        let previewed = async {
            let plan = plan::change(runbook, step, change, self.target, answers, check).await?;
            let job = recover::Job {
                plan,
                target: self.target.clone(),
                server: self.server.to_owned(),
                actor: "rehearsal".into(),
                op: format!("rehearsal-{}-{}", runbook.id, step.id),
            };
            recover::preview(&job, &self.stopper).await
        };
        match previewed.await {
            Ok(preview) => {
                let rows = Some(preview.rows());
                match (&preview.proof, preview.refused.as_slice()) {
                    (Err(why), _) => (Exit::Violated, rows, why.clone()),
                    (Ok(_), []) => {
                        let rows = counted(preview.rows(), "row");
                        let rows = match &preview.chunks {
                            Some(chunks) => format!("{}, {rows}", chunks.words(false)),
                            None => rows,
                        };
                        let what = format!("{rows}, rolled back in {:.2} s", preview.seconds);
                        (Exit::Clear, Some(preview.rows()), what)
                    }
                    // Nothing is wrong where there is nothing to mend. Where there is, the rows may be
                    // those that an earlier step of the runbook makes.
                    (Ok(_), refused) if preview.rows() == 0 => {
                        let exit = match refused {
                            [_] => Exit::Clear,
                            _ => Exit::Inconclusive,
                        };
                        (exit, rows, format!("no row to change ({})", refused.join("; ")))
                    }
                    (Ok(_), refused) => (Exit::Violated, rows, refused.join("; ")),
                }
            }
            Err(problem) => (judged(&problem), None, problem.sentence),
        }
    }

    /// The answers that a statement needs and nobody gave.
    fn unanswered(
        &self,
        runbook: &Runbook,
        change: &Change,
        answers: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let dialect = self.target.url.dialect;
        let asked = runbook.steps.iter().filter_map(|step| match &step.action {
            Action::Ask(ask) => Some(ask.var.clone()),
            _ => None,
        });
        let statements = change.statements.iter().map(|one| &one.sql);
        let keys = change.chunks.iter().map(|chunks| &chunks.keys);
        let texts: Vec<&str> =
            statements.chain(keys).filter_map(|text| text.get(dialect)).collect();
        let named = |var: &str| {
            texts.iter().any(|text| {
                crate::sql::places(text, dialect)
                    .is_ok_and(|places| places.iter().any(|(name, _)| name == var))
            })
        };
        asked.filter(|var| !answers.contains_key(var) && named(var)).collect()
    }

    async fn guard(
        &self,
        step: &Step,
        definition: &guardrail::Guard,
    ) -> (Exit, Option<u64>, String) {
        let dialect = self.target.url.dialect;
        if definition.apply.get(dialect).is_none() {
            return (Exit::Clear, None, format!("has nothing to do on {dialect}"));
        }
        let plan = match guardrail::Plan::of(&step.title, definition, dialect) {
            Ok(plan) => plan,
            Err(why) => return (Exit::Violated, None, why),
        };
        let job = guard::Job {
            step: step.id.clone(),
            op: format!("rehearsal-{}", step.id),
            plan,
            target: self.target.clone(),
            server: self.server.to_owned(),
            actor: "rehearsal".into(),
        };
        match guard::rehearse(&job, &self.stopper).await {
            Ok(found) => {
                let exit = match (&found.accepted, &found.rejects) {
                    _ if found.stands => Exit::Clear,
                    _ if found.untried.is_some() => Exit::Inconclusive,
                    _ if !found.traceless => Exit::Violated,
                    // It is good DDL, and the recovery comes before it.
                    (Err(_), _) => Exit::Warning,
                    (Ok(()), Err(why)) if why.contains("found no row") => Exit::Inconclusive,
                    (Ok(()), Err(_)) => Exit::Violated,
                    (Ok(()), Ok(_)) => Exit::Clear,
                };
                (exit, None, found.sentence())
            }
            Err(problem) => (judged(&problem), None, problem.sentence),
        }
    }
}

/// What was not reached says nothing about the runbook; what the database refuses does.
fn judged(problem: &Problem) -> Exit {
    match problem.kind {
        Kind::Unreachable | Kind::System | Kind::Interrupted => Exit::Inconclusive,
        Kind::Usage | Kind::Refused | Kind::Database => Exit::Violated,
    }
}

fn summary(tried: &[Tried], target: &str) -> String {
    if tried.is_empty() {
        return format!("nothing rehearsed on {target}: there is no change and no guardrail");
    }
    let count = |exit: Exit| tried.iter().filter(|one| one.exit == exit).count();
    format!(
        "{} rehearsed on {target}: {} sound, {} warning, {} broken, {} inconclusive; nothing was committed",
        counted(tried.len(), "step"),
        count(Exit::Clear),
        count(Exit::Warning),
        count(Exit::Violated),
        count(Exit::Inconclusive),
    )
}

fn text(tried: &[Tried]) -> String {
    let rows = tried.iter().map(|one| {
        vec![
            one.verdict.to_owned(),
            one.runbook.clone(),
            one.step.clone(),
            one.kind.to_owned(),
            one.what.clone(),
        ]
    });
    if tried.is_empty() {
        return String::new();
    }
    text::columns(&["verdict", "runbook", "step", "kind", "what"], rows)
}

fn lines(tried: &[Tried], exit: Exit) -> String {
    let line = |one: &Tried| json::line(&serde_json::to_value(one).expect("plain data"));
    let mut out: String = tried.iter().map(line).collect();
    out.push_str(&json::line(&serde_json::json!({
        "summary": { "steps": tried.len(), "exit": exit.code(), "committed": 0 }
    })));
    out
}
