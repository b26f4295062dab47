//! What is kept beside the journal: samples of findings, exports, the output of commands.

use super::{World, not_written};
use crate::check::{Delta, Finding};
use crate::clock;
use crate::consent::Consent;
use crate::incident::entry::Entry;
use crate::incident::journal::{Journal, JournalError};
use crate::ops;
use crate::problem::Problem;
use crate::runbook::{Action, Ran, Step};
use crate::tui::effect::Run;
use crate::tui::message::Message;

impl World {
    pub(super) fn keep_finding(
        &mut self,
        step: Option<String>,
        check: String,
        finding: &Finding,
        delta: Option<Delta>,
    ) -> Result<(), JournalError> {
        let Some(desk) = &self.desk else { return Ok(()) };
        let sample = if finding.rows.is_empty() {
            None
        } else {
            let name = format!("check-{check}-{}.json", moment());
            Some(desk.journal.keep(&name, &sample_of(finding))?)
        };
        let (verdict, seconds) = (finding.verdict.clone(), finding.seconds);
        self.append(Entry::Checked { step, check, verdict, seconds, delta, sample })
    }

    pub(super) fn export(&mut self, run: Run, id: String, format: String) {
        let stopper = self.stopper(run);
        let (Some(desk), Some(check)) = (self.desk.clone(), self.catalogue.check(&id).cloned())
        else {
            return;
        };
        let work = async move {
            let kind =
                if format == "json" { ops::export::Format::Json } else { ops::export::Format::Csv };
            let name = format!("export-{id}-{}.{format}", moment());
            let place = (&desk.journal, name.as_str());
            let target = &desk.bound(&stopper).await?.target;
            let file = ops::export::export(target, &check, kind, place, &stopper).await?;
            let path = file.path.strip_prefix(&desk.folder).unwrap_or(&file.path);
            let (rows, sha256) = (file.rows, file.sha256.clone());
            let path = path.display().to_string();
            let entry = Entry::Exported { check: id, format, rows, path, sha256 };
            let written = desk.journal.append(entry);
            written.map(|_| file).map_err(|error| Problem::system(error.to_string()))
        };
        self.ask(move |file| Message::Exported { run, file }, work);
    }

    pub(super) fn command(&mut self, run: Run, step: String, consent: Option<Consent>) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let found = desk.runbook.step(&step).cloned();
        let Some(Step { action: Action::Command(command), .. }) = found else { return };
        let messages = self.messages.clone();
        let of = step.clone();
        let work = async move {
            let executing = (!command.readonly).then(|| desk.journal.begin()).transpose();
            let _until_it_ended = match executing {
                Ok(executing) => executing,
                Err(error) => {
                    let why = format!("nothing was executed: {error}");
                    over(&desk.journal, &step, &why);
                    return Message::not_run(run, step, why);
                }
            };
            let target = match desk.for_command(command.readonly, &stopper).await {
                Ok(target) => target,
                Err(problem) => {
                    let why = format!("nothing was executed: {}", problem.sentence);
                    over(&desk.journal, &step, &why);
                    return Message::not_run(run, step, why);
                }
            };
            let site = ops::tool::Site { target, folder: desk.folder.clone() };
            let (argv, ran) = site.run(&step, &command, consent, &stopper).await;
            // Here, and not where the answer is shown: nobody may be there any more.
            if let Err(error) = ended(&desk.journal, &step, argv, &ran) {
                over(&desk.journal, &step, &format!("it ran, its output was not kept: {error}"));
                let _ = messages.send(not_written(error));
            }
            Message::CommandRan { run, step, ran: Box::new(ran) }
        };
        self.spawn_or(work, move |why| Message::not_run(run, of, why));
    }
}

/// Writes down how a command ended, and the step with it.
fn ended(journal: &Journal, step: &str, argv: Vec<String>, ran: &Ran) -> Result<(), JournalError> {
    let name = format!("command-{step}-{}.txt", moment());
    let output = journal.keep(&name, &ran.output)?;
    let (step, exit, seconds) = (step.to_owned(), ran.exit, ran.seconds);
    journal.append(Entry::CommandRan { step: step.clone(), argv, exit, seconds, output })?;
    let why = match (&ran.trouble, exit) {
        (Some(trouble), _) => Some(trouble.clone()),
        (None, Some(0)) => None,
        (None, _) => Some("the command did not end with 0".to_owned()),
    };
    journal.append(match why {
        None => Entry::StepPassed { step, how: "the command ended with 0".into() },
        Some(why) => Entry::StepFailed { step, why },
    })?;
    Ok(())
}

/// Says of a command without a record of its end that it is not under way: nobody could take over.
fn over(journal: &Journal, step: &str, why: &str) {
    let _ = journal.append(Entry::StepFailed { step: step.to_owned(), why: why.to_owned() });
}

/// Part of a name that no later session and no other host gives to anything else.
fn moment() -> String {
    clock::now().strftime("%Y%m%dT%H%M%S%3fZ").to_string()
}

/// The first rows of a finding as evidence: columns once, then a list a row.
fn sample_of(finding: &Finding) -> Vec<u8> {
    const KEPT: usize = 200;
    let rows: Vec<Vec<Option<String>>> = (0..finding.rows.len().min(KEPT))
        .map(|row| finding.rows.row(row).map(crate::value::ValueRef::told).collect())
        .collect();
    let sample = serde_json::json!({
        "columns": finding.rows.columns(),
        "rows": rows,
        "of": finding.verdict.violations(),
    });
    serde_json::to_vec_pretty(&sample).expect("plain data")
}
