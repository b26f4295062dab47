//! What is kept beside the journal: samples of findings, exports, the output of commands.

use super::{World, not_run};
use crate::check::{Delta, Finding};
use crate::clock;
use crate::consent::Consent;
use crate::incident::entry::Entry;
use crate::incident::journal::{Journal, JournalError};
use crate::ops;
use crate::runbook::{Action, Step};
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
        self.spawn(async move {
            let kind =
                if format == "json" { ops::export::Format::Json } else { ops::export::Format::Csv };
            let name = format!("export-{id}-{}.{format}", moment());
            let place = (&desk.journal, name.as_str());
            let exported = ops::export::export(&desk.target, &check, kind, place, &stopper).await;
            Message::Exported { run, check: id, format, exported }
        });
    }

    pub(super) fn command(&mut self, run: Run, step: String, consent: Option<Consent>) {
        let stopper = self.stopper(run);
        let Some(desk) = self.desk.clone() else { return };
        let found = desk.runbook.step(&step).cloned();
        let Some(Step { action: Action::Command(command), .. }) = found else { return };
        self.spawn(async move {
            let executing = (!command.readonly).then(|| desk.journal.begin()).transpose();
            let _until_it_ended = match executing {
                Ok(executing) => executing,
                Err(error) => {
                    let why = format!("nothing was executed: {error}");
                    over(&desk.journal, &step, &why);
                    return not_run(run, step, why);
                }
            };
            let (target, folder) = (desk.target.clone(), desk.folder.clone());
            let site = ops::tool::Site { target, folder };
            let (argv, ran) = site.run(&step, &command, consent, &stopper).await;
            let name = format!("command-{step}-{}.txt", moment());
            let kept = desk.journal.keep(&name, &ran.output);
            if let Err(error) = &kept {
                over(&desk.journal, &step, &format!("it ran, its output was not kept: {error}"));
            }
            let output = kept.ok();
            Message::CommandRan { run, step, argv, ran: Box::new(ran), output }
        });
    }
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
