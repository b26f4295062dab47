//! A change in chunks without a screen: what the cockpit writes down around it, and the way on and
//! back by what the journal says.

use steadyhand::incident::Incident;
use steadyhand::incident::entry::{Deed, Entry, Evidence};
use steadyhand::incident::journal;
use steadyhand::ops::mass::{self, CutOff, Reins};
use steadyhand::ops::recover::Job;
use steadyhand::recovery::mass::{Before, Mass, Progress, Source};
use steadyhand::recovery::{Execution, Planned, Preview};
use steadyhand::sql;

use super::desk::{Desk, approve};

/// Keys of the first chunk and of the largest.
pub type Sizes = (u64, u64);

impl Desk {
    /// A change of the rows whose `id` this query gives.
    pub fn mass_job(&self, op: &str, keys: &str, statements: &[&str], (size, most): Sizes) -> Job {
        let planned = |text: &&str| {
            let listed =
                sql::Listed::of(text, self.dialect, &|_| None).expect("it keeps to chunks");
            let write = sql::write(&listed.sample(), self.dialect).expect("a write");
            let (verb, table) = (write.verb, write.table);
            Planned::Chunked { note: String::new(), listed, verb, table }
        };
        let mut job = self.job_of(op, statements.iter().map(planned).collect());
        let source = Source::Query { key: "id".into(), sql: keys.into() };
        job.plan.mass = Some(Mass { source, size, most, before: Before::default() });
        job
    }

    pub fn incident(&self) -> Incident {
        let (records, _, fault) = journal::read(&self.journal.folder()).expect("a journal");
        assert_eq!(fault, None);
        Incident::replay("INC-0001", &records)
    }

    fn note(&self, entry: Entry) {
        self.journal.append(entry).expect("the journal can be written");
    }

    /// Executes what was previewed, with the records that the cockpit writes before.
    pub fn drive(
        &self,
        job: &Job,
        preview: Preview,
        reins: &Reins,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Execution {
        let chunks = preview.chunks.clone().expect("it is in chunks");
        let (step, op, deed) = (job.plan.step.clone(), job.op.clone(), job.deed());
        let list = chunks.keys.as_ref().filter(|_| chunks.done == 0).map(|keys| {
            let name = format!("keys-{op}.jsonl");
            let kept = self.journal.keep_written(&name, |out| keys.write_to(out));
            let kept: Evidence = kept.expect("the keys can be kept");
            assert_eq!(kept.sha256, keys.sha256());
            kept
        });
        self.note(Entry::ChunksPlanned {
            step: step.clone(),
            op: op.clone(),
            deed: deed.clone(),
            left: chunks.left,
            done: chunks.done,
            first: chunks.first,
            about: chunks.about,
            list,
        });
        let fingerprint = preview.fingerprint.clone();
        let approval = approve(&job.plan, preview);
        self.note(Entry::ExecutionStarted { step, op, deed, fingerprint });
        self.block_on(mass::execute(job, approval, &self.journal, reins, tell))
    }

    /// Previews and executes without anybody at the reins.
    pub fn drive_on(&self, job: &Job) -> Execution {
        let preview = self.preview(job);
        self.drive(job, preview, &Reins::default(), &|_| {})
    }

    /// The same operation again, for what the journal says is left of it.
    pub fn rest_of(&self, job: &Job) -> Job {
        let mut rest = job.clone();
        mass::go_on(&mut rest, &self.incident(), &self.journal.folder()).expect("it goes on");
        rest
    }

    pub fn mass_undo(&self, job: &Job, op: &str) -> Job {
        let mut undo = Job { op: op.into(), ..job.clone() };
        let folder = self.journal.folder();
        let plan = mass::undo(&undo, &self.incident(), &folder, &job.op);
        undo.plan = plan.expect("the artefacts are there");
        undo
    }

    /// What is done after a crash: the database is asked, and the answer written down.
    pub fn find_out(&self, job: &Job) {
        let incident = self.incident();
        let change = incident.in_doubt().expect("something is in doubt");
        let chunk = change.chunks.as_ref().expect("it is in chunks").doubtful();
        let asked = steadyhand::ops::resolve::resolve(
            &job.target,
            &job.server,
            &job.op,
            chunk.number,
            None,
        );
        let (outcome, how) = self.block_on(asked).expect("the database answers");
        let (step, op, deed) = (job.plan.step.clone(), job.op.clone(), Deed::Change);
        CutOff { step, op, deed, chunk }
            .found(outcome, &how, &self.journal)
            .expect("it is written");
    }
}
