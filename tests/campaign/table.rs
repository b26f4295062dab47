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

/// Fault by moment for each engine, from the lines that there are: runs, and `!n` where n broke.
pub fn write(seed: u64) {
    let engines = [Dialect::Sqlite, Dialect::Postgres, Dialect::Mariadb];
    let mut text = format!("# Campaign, seed {seed}\n");
    let all: Vec<(Dialect, Vec<Run>)> = engines
        .map(|engine| (engine, folder().join(format!("campaign-{seed}-{}.tsv", engine.key()))))
        .map(|(engine, path)| (engine, read(&path)))
        .into();
    let count: usize = all.iter().map(|(_, runs)| runs.len()).sum();
    let broken = |runs: &[Run]| runs.iter().filter(|run| !run.broken.is_empty()).count();
    let wrong: usize = all.iter().map(|(_, runs)| broken(runs)).sum();
    let _ = writeln!(text, "\n{count} faults, {wrong} broken promises.");
    for (engine, runs) in all.iter().filter(|(_, runs)| !runs.is_empty()) {
        let _ = writeln!(text, "\n## {engine}: {} faults, {} broken\n", runs.len(), broken(runs));
        for part in [|run: &Run| run.moment.clone(), |run: &Run| run.work.clone()] {
            matrix(&mut text, runs, part);
        }
        for run in runs.iter().filter(|run| !run.broken.is_empty()) {
            let Run { work, fault, moment, broken, .. } = run;
            let _ = writeln!(text, "- {work}, {fault}, {moment}: {broken}");
        }
    }
    let path = folder().join(format!("campaign-{seed}.md"));
    fs::write(path, text).expect("the report can be written");
}

/// A row for each part, a column for each fault.
fn matrix(text: &mut String, runs: &[Run], part: fn(&Run) -> String) {
    let parts: BTreeSet<String> = runs.iter().map(part).collect();
    let faults: BTreeSet<&str> = runs.iter().map(|run| run.fault.as_str()).collect();
    let _ = write!(text, "| ");
    for fault in &faults {
        let _ = write!(text, "| {fault} ");
    }
    let _ = writeln!(text, "| all |\n|---{}|", "|--:".repeat(faults.len() + 1));
    for name in &parts {
        let _ = write!(text, "| {name} ");
        let here = |run: &&Run| part(run) == *name;
        for fault in &faults {
            let met = runs.iter().filter(here).filter(|run| run.fault == *fault);
            let _ = write!(text, "| {} ", cell(met));
        }
        let _ = writeln!(text, "| {} |", cell(runs.iter().filter(here)));
    }
    text.push('\n');
}

fn cell<'r>(runs: impl Iterator<Item = &'r Run>) -> String {
    let broken: Vec<bool> = runs.map(|run| !run.broken.is_empty()).collect();
    match (broken.len(), broken.iter().filter(|broken| **broken).count()) {
        (0, _) => String::new(),
        (count, 0) => count.to_string(),
        (count, wrong) => format!("{count} !{wrong}"),
    }
}
