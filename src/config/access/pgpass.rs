//! The password file of PostgreSQL's clients: `host:port:database:user:password`, first match wins.

use std::path::Path;

use secrecy::zeroize::Zeroizing;

use super::place::{Said, private, read_bytes as read};
use crate::problem::Problem;

/// What a password file says about a connection.
pub(super) enum Found {
    /// The password, and its line.
    Password(Said),
    /// Why there is none.
    None(String),
}

/// The password for a connection. A line that does not have its form is passed over, as libpq does, and
/// named only where no other one matches.
pub(super) fn password(
    path: &Path,
    [host, port, database, user]: [&str; 4],
) -> Result<Found, Problem> {
    if !path.is_file() {
        return Ok(Found::None(format!("there is no {}", path.display())));
    }
    private(path, 0o077, "The password file")?;
    let Some(bytes) = read(path)? else {
        return Ok(Found::None(format!("there is no {}", path.display())));
    };
    let mut passed_over = None;
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() || line.starts_with(b"#") {
            continue;
        }
        let place = format!("{}:{}", path.display(), at + 1);
        let mut fields = str::from_utf8(line).map(fields).unwrap_or_default();
        if fields.len() < 5 {
            passed_over = passed_over.or(Some(place));
            continue;
        }
        let wanted = [host, port, database, user];
        let matches = |(field, wanted): (&Zeroizing<String>, &&str)| {
            // An escaped star is a star.
            field.as_str() == "*" || unescaped(field).as_str() == *wanted
        };
        if fields.iter().zip(&wanted).all(matches) {
            let password = unescaped(&fields.swap_remove(4));
            return Ok(Found::Password(Said { value: password, from: place }));
        }
    }
    let none = format!("no line of {} matches", path.display());
    Ok(Found::None(match passed_over {
        Some(place) => format!("{none}, and {place} is not host:port:database:user:password"),
        None => none,
    }))
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
