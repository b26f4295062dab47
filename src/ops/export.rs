//! Export: the whole result of a check, as a file, with its number of rows and SHA-256.
//!
//! The query runs again in full, where checks run; nothing is cut at the number of rows the screen keeps.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::connect::plain;
use super::detect::sight;
use crate::check::{Check, Count, Verdict};
use crate::config::Target;
use crate::digest::Running;
use crate::engine::Stopper;
use crate::incident::journal::{EVIDENCE, Journal};
use crate::problem::Problem;
use crate::rights;
use crate::value::{ValueRef, hex};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Json,
}

impl Format {
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    pub path: PathBuf,
    pub rows: Count,
    pub sha256: String,
}

pub async fn export(
    target: &Target,
    check: &Check,
    format: Format,
    (journal, name): (&Journal, &str),
    stopper: &Stopper,
) -> Result<Exported, Problem> {
    let (mut sight, _) = sight(target, stopper).await?;
    let eye = sight.of(check, stopper).await.map_err(|unseen| match unseen.verdict {
        Verdict::Inconclusive { reason } => not_exported(check, &reason),
        _ => not_exported(check, "nothing of it was seen"),
    })?;
    let sql = super::bind::query(&mut eye.session, check, &mut eye.known)
        .await
        .map_err(|why| not_exported(check, &why.to_string()))?;
    let folder = journal.folder().join(EVIDENCE);
    let failed = |error: io::Error| {
        Problem::system(format!("cannot write into {}: {error}", folder.display()))
            .hint("nothing was exported")
    };
    let file = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
    rights::settle_file(file.as_file(), &folder).map_err(failed)?;
    let mut sheet =
        Sheet { out: io::BufWriter::new(file), digest: Running::default(), format, rows: 0 };
    let mut broken = None;
    let read = eye
        .session
        .read(&sql, check.timeout, &mut |columns, row| match sheet.row(columns, row) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
        })
        .await;
    sight.close().await;
    let columns = read.map_err(|error| {
        plain(&error, &target.name).hint("the export is incomplete, so no file was written")
    })?;
    let (file, rows, sha256) = match broken {
        Some(error) => return Err(failed(error)),
        None => sheet.finish(&columns).map_err(failed)?,
    };
    let kept = journal.keep_made(name, file);
    let path = kept.map_err(|error| Problem::system(format!("nothing was exported: {error}")))?;
    Ok(Exported { path, rows: Count::Exact(rows), sha256 })
}

fn not_exported(check: &Check, why: &str) -> Problem {
    Problem::refused(format!("{} cannot be exported: {why}", check.id))
}

struct Sheet {
    out: io::BufWriter<tempfile::NamedTempFile>,
    digest: Running,
    format: Format,
    rows: u64,
}

impl Sheet {
    fn put(&mut self, text: &str) -> io::Result<()> {
        self.digest.eat(text.as_bytes());
        self.out.write_all(text.as_bytes())
    }

    fn row(&mut self, columns: &[String], row: &[ValueRef<'_>]) -> io::Result<()> {
        if self.rows == 0 {
            self.head(columns)?;
        }
        let cells: Vec<String> = match self.format {
            Format::Csv => row.iter().map(|value| csv(*value)).collect(),
            Format::Json => row.iter().map(|value| json(*value)).collect(),
        };
        let line = match self.format {
            Format::Csv => format!("{}\r\n", cells.join(",")),
            Format::Json => {
                format!("{}[{}]", if self.rows == 0 { "\n" } else { ",\n" }, cells.join(","))
            }
        };
        self.rows += 1;
        self.put(&line)
    }

    fn head(&mut self, columns: &[String]) -> io::Result<()> {
        match self.format {
            Format::Csv => {
                let names: Vec<String> =
                    columns.iter().map(|name| csv(ValueRef::Text(name))).collect();
                self.put(&format!("{}\r\n", names.join(",")))
            }
            // Rows are lists, because column names may repeat.
            Format::Json => {
                let names = serde_json::to_string(columns).expect("names are text");
                self.put(&format!("{{\"columns\":{names},\"rows\":["))
            }
        }
    }

    fn finish(mut self, columns: &[String]) -> io::Result<(tempfile::NamedTempFile, u64, String)> {
        if self.rows == 0 {
            self.head(columns)?;
        }
        if self.format == Format::Json {
            self.put("\n]}\n")?;
        }
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, self.rows, self.digest.finish()))
    }
}

/// NULL is an empty field, the empty text is `""`: the two stay different.
fn csv(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        other => other.plain().unwrap_or_default(),
    }
}

fn json(value: ValueRef<'_>) -> String {
    let value = match value {
        ValueRef::Null => serde_json::Value::Null,
        ValueRef::Integer(n) => n.into(),
        ValueRef::Real(n) => n.into(),
        ValueRef::Text(text) => text.into(),
        ValueRef::Bytes(bytes) => hex(bytes).into(),
    };
    value.to_string()
}
