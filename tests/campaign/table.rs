//! What came of the runs: a line for each, so that the parts of one campaign add up, and the table
//! over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use steadyhand::dialect::Dialect;

use super::plan::Plan;

/// Where the lines and the table of a seed lie: in `target`, or where `STEADYHAND_CAMPAIGN_REPORT` says.
fn folder() -> PathBuf {
    let said = std::env::var("STEADYHAND_CAMPAIGN_REPORT").map(PathBuf::from);
    said.unwrap_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"))
}

/// The lines of one engine: number, work, fault, moment, seconds, and what was broken, if anything.
pub struct Lines {
    path: PathBuf,
    file: Mutex<fs::File>,
}

impl Lines {
    /// A campaign that begins with its first run begins anew; a later part goes on.
    pub fn open(dialect: Dialect, seed: u64, from: u64) -> Self {
        let path = folder().join(format!("campaign-{seed}-{}.tsv", dialect.key()));
        fs::create_dir_all(folder()).expect("the folder of the report can be made");
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        if from == 0 {
            let _ = fs::remove_file(&path);
        }
        let file = Mutex::new(options.open(&path).expect("the report can be written"));
        Self { path, file }
    }

    pub fn note(&self, plan: &Plan, seconds: f64, broken: Option<&str>) {
        let Plan { number, work, fault, moment } = plan;
        let moment = moment.kind();
        let broken = broken.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        let line = format!("{number}\t{work}\t{fault}\t{moment}\t{seconds:.2}\t{broken}\n");
        let mut file = self.file.lock().expect("nobody panics while writing a line");
        file.write_all(line.as_bytes()).expect("the report can be written");
    }

    /// What one engine's runs of these numbers came to, in short.
    pub fn summary(&self) -> String {
        let runs = read(&self.path);
        let broken = runs.iter().filter(|run| !run.broken.is_empty()).count();
        let seconds: f64 = runs.iter().map(|run| run.seconds).sum();
        let mut by_fault: BTreeMap<&str, (u32, f64)> = BTreeMap::new();
        for run in &runs {
            let counted = by_fault.entry(&run.fault).or_default();
            *counted = (counted.0 + 1, counted.1 + run.seconds);
        }
        let mut said = format!("{} faults, {broken} broken promises, {seconds:.0} s\n", runs.len());
        for (fault, (count, seconds)) in by_fault {
            let _ = writeln!(
                said,
                "  {fault:<18} {count:>5} runs {:>6.2} s each",
                seconds / f64::from(count)
            );
        }
        said
    }
}

struct Run {
    work: String,
    fault: String,
    moment: String,
    seconds: f64,
    broken: String,
}

fn read(path: &Path) -> Vec<Run> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let parts: Vec<&str> = line.split('\t').collect();
        let [_, work, fault, moment, seconds, broken] = parts[..] else { return None };
        let text = str::to_owned;
        let (work, fault, moment) = (text(work), text(fault), text(moment));
        Some(Run { work, fault, moment, seconds: seconds.parse().ok()?, broken: text(broken) })
    });
    lines.collect()
}

/// What runs are told apart by.
type Part = (&'static str, fn(&Run) -> &str);

const PARTS: [Part; 3] =
    [("fault", |run| &run.fault), ("work", |run| &run.work), ("moment", |run| &run.moment)];

/// The engines side by side, by fault, by work and by moment, from the lines that there are.
pub fn write(seed: u64) {
    let engines = [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb];
    let all =
        engines.map(|engine| read(&folder().join(format!("campaign-{seed}-{}.tsv", engine.key()))));
    let runs = || all.iter().flatten();
    let wrong: Vec<&Run> = runs().filter(|run| !run.broken.is_empty()).collect();
    let mut text = format!(
        "# Campaign, seed {seed}\n\n{} faults, {} broken promises.\n",
        runs().count(),
        wrong.len()
    );
    for (part, of) in PARTS {
        let _ = write!(text, "\n| {part} |");
        for engine in engines {
            let _ = write!(text, " {engine} |");
        }
        text.push_str(" all | broken |\n|---|--:|--:|--:|--:|--:|\n");
        let names: BTreeSet<&str> = runs().map(of).collect();
        for name in names.into_iter().map(Some).chain([None]) {
            let here = |run: &&Run| name.is_none_or(|name| of(run) == name);
            let _ = write!(text, "| {} |", name.unwrap_or("all"));
            for runs in &all {
                let _ = match runs.iter().filter(here).count() {
                    0 => write!(text, " |"),
                    count => write!(text, " {count} |"),
                };
            }
            let broken = wrong.iter().copied().filter(here).count();
            let _ = writeln!(text, " {} | {broken} |", runs().filter(here).count());
        }
    }
    if !wrong.is_empty() {
        text.push('\n');
    }
    for Run { work, fault, moment, broken, .. } in wrong {
        let _ = writeln!(text, "- {work}, {fault}, {moment}: {broken}");
    }
    let path = folder().join(format!("campaign-{seed}.md"));
    fs::write(path, text).expect("the report can be written");
}
