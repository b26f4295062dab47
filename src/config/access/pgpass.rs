//! The password file of PostgreSQL's clients: `host:port:database:user:password`, first match wins.

use std::path::Path;

use secrecy::zeroize::Zeroizing;

use super::place::{Said, private, read};
use crate::problem::Problem;

/// The password for a connection, and its line.
pub(super) fn password(
    path: &Path,
    [host, port, database, user]: [&str; 4],
) -> Result<Option<Said>, Problem> {
    if !path.is_file() {
        return Ok(None);
    }
    private(path, 0o077, "The password file")?;
    let Some(text) = read(path)? else { return Ok(None) };
    for (at, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{}:{}", path.display(), at + 1);
        let mut fields = fields(line);
        if fields.len() < 5 {
            return Err(Problem::usage(format!("{place}: a line has five parts, this one has {}.", fields.len()))
                .hint("write host:port:database:user:password, with \\: and \\\\ for : and \\ inside a part"));
        }
        let wanted = [host, port, database, user];
        let matches = |(field, wanted): (&Zeroizing<String>, &&str)| {
            // An escaped star is a star.
            field.as_str() == "*" || unescaped(field).as_str() == *wanted
        };
        if fields.iter().zip(&wanted).all(matches) {
            let password = unescaped(&fields.swap_remove(4));
            return Ok(Some(Said { value: password, from: place }));
        }
    }
    Ok(None)
}

/// The parts between the colons that no backslash escapes, still escaped. What stands behind a fifth
/// part is ignored, as libpq does.
fn fields(line: &str) -> Vec<Zeroizing<String>> {
    let mut fields = vec![];
    let mut field = Zeroizing::new(String::with_capacity(line.len()));
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                field.push('\\');
                field.extend(characters.next());
            }
            ':' => {
                let next = Zeroizing::new(String::with_capacity(line.len()));
                fields.push(std::mem::replace(&mut field, next));
            }
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

fn unescaped(field: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(field.len()));
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}
