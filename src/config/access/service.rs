//! `pg_service.conf`: connections by name, an INI file of libpq's options.

use std::path::PathBuf;

use super::place::{Place, Said, judge, read};
use super::postgres::RULES;
use crate::problem::Problem;
use crate::source::{did_you_mean, quoted};

/// What the service says, by libpq's key.
pub(super) fn service(
    name: &str,
    from: &str,
    file: Option<&Said>,
    place: &Place<'_>,
) -> Result<Vec<(&'static str, Said)>, Problem> {
    let own = match file {
        Some(file) => Some(place.path(&file.value)),
        None => place.at_home(".pg_service.conf"),
    };
    let common = match place.variable("PGSYSCONFDIR") {
        Some(folder) => vec![PathBuf::from(folder)],
        // Debian, PostgreSQL's own packages, others.
        None => ["etc/postgresql-common", "etc/sysconfig/pgsql", "etc"]
            .map(|folder| place.system(folder))
            .to_vec(),
    };
    let files: Vec<PathBuf> =
        own.into_iter().chain(common.iter().map(|dir| dir.join("pg_service.conf"))).collect();
    let mut seen = vec![];
    for path in &files {
        let Some(text) = read(path)? else { continue };
        if let Some(said) = section(name, &path.display().to_string(), &text, &mut seen)? {
            return Ok(said);
        }
    }
    let sentence = format!("There is no service {}, which is named by {from}.", quoted(name));
    let problem = Problem::usage(sentence);
    Err(match did_you_mean(name, seen.iter().map(String::as_str)) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => {
            let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            problem.hint(format!("looked for [{name}] in {}", files.join(", ")))
        }
    })
}

fn section(
    wanted: &str,
    path: &str,
    text: &str,
    seen: &mut Vec<String>,
) -> Result<Option<Vec<(&'static str, Said)>>, Problem> {
    let mut inside = false;
    let mut said: Vec<(&'static str, Said)> = vec![];
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let place = format!("{path}:{}", at + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if inside {
                return Ok(Some(said));
            }
            inside = name == wanted;
            seen.push(name.to_owned());
            continue;
        }
        if !inside {
            continue;
        }
        if line.starts_with("ldap") {
            return Err(Problem::usage(format!("{place}: a service in LDAP cannot be looked up."))
                .hint("write the parts of the connection here, or into the url"));
        }
        // The line itself is not repeated: it may be a password.
        let Some((key, value)) = line.split_once('=') else {
            return Err(Problem::usage(format!("{place}: this is not key=value."))
                .hint("a service is lines such as host=db.internal"));
        };
        let Some((key, rule)) =
            RULES.iter().find(|(name, _)| *name == key && *name != "search_path")
        else {
            let problem = Problem::usage(format!("{place}: there is no option {}.", quoted(key)));
            return Err(match did_you_mean(key, RULES.iter().map(|(name, _)| *name)) {
                Some(near) => {
                    problem.hint(format!("did you mean {near}, without spaces around the =?"))
                }
                None => problem.hint("the options are those of libpq"),
            });
        };
        if matches!(*key, "service" | "servicefile") {
            return Err(Problem::usage(format!("{place}: a service cannot name another one.")));
        }
        // The first of two lines counts, as for libpq.
        if judge(*rule, key, value, &place)? && !said.iter().any(|(other, _)| other == key) {
            said.push((key, Said::new(value, place)));
        }
    }
    Ok(inside.then_some(said))
}
