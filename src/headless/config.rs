//! `steadyhand config`: every setting with where it comes from, and how each server would be reached.

use super::Out;
use crate::config::{Config, Target, access};
use crate::exit::Exit;
use crate::problem::Problem;
use crate::report::text;

pub fn run(config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let mut rows: Vec<Vec<String>> =
        config.lines().into_iter().map(|(key, value, from)| vec![key, value, from]).collect();
    let mut problems = vec![];
    let servers = config.targets.iter().filter(|target| target.url.server.is_some());
    for target in servers {
        let mut ways = vec![("connect", target.clone())];
        if target.detect_url.is_some() {
            ways.push(("detect", target.for_checks()));
        }
        for (way, target) in ways {
            match reached(&target, way) {
                Ok(found) => rows.extend(found),
                Err(problem) => {
                    let sentence = format!("{}: {}", target.name, problem.sentence);
                    problems.push(Problem { sentence, ..problem });
                }
            }
        }
    }
    out.put(&text::columns(&["setting", "value", "from"], rows))?;
    for problem in &problems {
        out.problem(problem);
    }
    Ok(if problems.is_empty() { Exit::Clear } else { Exit::Usage })
}

/// What would be used to connect, without asking a command for the password.
fn reached(target: &Target, way: &str) -> Result<Vec<Vec<String>>, Problem> {
    let row = |(key, value, from)| vec![format!("target.{}.{way}.{key}", target.name), value, from];
    Ok(access::explained(target)?.lines().into_iter().map(row).collect())
}
