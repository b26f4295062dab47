//! Option files of MySQL and MariaDB: groups, options, `!include` and `!includedir`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use super::place::{Place, Said, read};
use crate::problem::Problem;
use crate::source::shell_word;

/// How deep files may include each other; a circle ends here.
const DEPTH: usize = 10;

/// One option of a group that was asked for; the key with hyphens, without `loose-`.
pub(super) struct Line {
    pub key: String,
    /// None where the option stands alone, as `skip-ssl` does.
    pub value: Option<Zeroizing<String>>,
    pub from: String,
}

impl Line {
    pub fn said(&self) -> Said {
        let value = self.value.clone().unwrap_or_default();
        Said { value, from: self.from.clone() }
    }
}

/// Reads a file and what it includes; a missing one says nothing.
pub(super) fn lines(
    path: &Path,
    groups: &[String],
    place: &Place<'_>,
) -> Result<Vec<Line>, Problem> {
    let mut found = vec![];
    file(path, groups, place, DEPTH, &mut found)?;
    Ok(found)
}

fn file(
    path: &Path,
    groups: &[String],
    place: &Place<'_>,
    depth: usize,
    found: &mut Vec<Line>,
) -> Result<(), Problem> {
    let Some(text) = read(path)? else { return Ok(()) };
    let mode = fs::metadata(path).map_or(0, |meta| meta.mode());
    if mode & 0o002 != 0 {
        return Err(Problem::usage(format!(
            "{} can be written by everybody (mode {:04o}), so it is not read.",
            path.display(),
            mode & 0o7777
        ))
        .hint(format!("chmod o-w {}", shell_word(&path.display().to_string()))));
    }
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let here = format!("{}:{}", path.display(), at + 1);
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(directive) = line.strip_prefix('!') {
            include(directive, &here, groups, place, depth, found)?;
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let Some((name, _)) = rest.split_once(']') else {
                return Err(Problem::usage(format!("{here}: the name of a group ends with ]."))
                    .hint("write [client]"));
            };
            inside = groups.iter().any(|group| group == name.trim());
            continue;
        }
        if inside {
            found.push(option(line, here));
        }
    }
    Ok(())
}

fn include(
    directive: &str,
    here: &str,
    groups: &[String],
    place: &Place<'_>,
    depth: usize,
    found: &mut Vec<Line>,
) -> Result<(), Problem> {
    let (word, target) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
    let target = target.trim();
    if !matches!(word, "include" | "includedir") || target.is_empty() {
        return Err(Problem::usage(format!("{here}: this is no directive."))
            .hint("write !include FILE or !includedir FOLDER"));
    }
    if depth == 0 {
        return Err(Problem::usage(format!("{here}: files include each other too deeply."))
            .hint("does one of them include itself?"));
    }
    let target = place.path(target);
    if word == "include" {
        return file(&target, groups, place, depth - 1, found);
    }
    let entries = fs::read_dir(&target).map_err(|error| {
        Problem::usage(format!("{here}: {} cannot be read: {error}.", target.display()))
            .hint("name a folder that is there, or delete the line")
    })?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "cnf"))
        .collect();
    files.sort();
    files.iter().try_for_each(|path| file(path, groups, place, depth - 1, found))
}

fn option(line: &str, from: String) -> Line {
    let (key, value) = match line.split_once('=') {
        Some((key, value)) => (key, Some(unquoted(value.trim()))),
        // Standing alone it may have a comment behind it.
        None => (line.split_once('#').map_or(line, |(key, _)| key), None),
    };
    let key = key.trim().replace('_', "-").to_ascii_lowercase();
    let key = key.strip_prefix("loose-").map_or_else(|| key.clone(), str::to_owned);
    Line { key, value, from }
}

/// A value without its quotes, its escapes and the comment behind it.
fn unquoted(raw: &str) -> Zeroizing<String> {
    let mut end = raw.len();
    let (mut quote, mut escaped) = (None, false);
    for (at, character) in raw.char_indices() {
        match (character, quote) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            ('\'' | '"', None) => quote = Some(character),
            (c, Some(open)) if c == open => quote = None,
            ('#', None) => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let raw = raw[..end].trim_end();
    let inner = ['\'', '"']
        .into_iter()
        .find_map(|quote| raw.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(raw);
    let mut value = Zeroizing::new(String::with_capacity(inner.len()));
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => value.push('\n'),
            Some('t') => value.push('\t'),
            Some('r') => value.push('\r'),
            Some('b') => value.push('\u{8}'),
            Some('s') => value.push(' '),
            Some(sign @ ('"' | '\'' | '\\')) => value.push(sign),
            Some(other) => value.extend(['\\', other]),
            None => value.push('\\'),
        }
    }
    value
}
