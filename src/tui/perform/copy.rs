//! Makes a text of rows: for the clipboard of the terminal, or for a file where it is too long.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::dialect::Dialect;
use crate::rights;
use crate::tui::terminal::clipboard::MOST;
use crate::value::pile::{Pile, Row};
use crate::value::{ValueRef, hex};

#[derive(Debug, Clone, PartialEq)]
pub struct Copying {
    pub what: What,
    pub pile: Pile,
    pub rows: Vec<u64>,
    /// The columns of a row that are copied, or that name it.
    pub columns: Vec<usize>,
    pub dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Cell,
    /// With tabs between values, and a line each.
    Rows,
    /// A condition that names the rows.
    Keys,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Copied {
    Text {
        text: String,
        words: String,
    },
    /// It was too long for a clipboard.
    File {
        path: PathBuf,
        bytes: u64,
    },
}

impl Copying {
    /// Short as a text; what is longer goes to a file in this folder.
    pub fn run(&self, folder: &Path, name: &str) -> io::Result<Copied> {
        let mut short = Short::default();
        self.write(&mut short)?;
        if !short.is_over {
            let text = String::from_utf8_lossy(&short.text).into_owned();
            return Ok(Copied::Text { text, words: self.words() });
        }
        let path = folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        rights::settle_file(&file, folder)?;
        let mut out = BufWriter::new(file);
        self.write(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(Copied::File { bytes: file.metadata()?.len(), path })
    }

    fn words(&self) -> String {
        match (self.what, self.rows.len()) {
            (What::Cell, _) => "the cell".into(),
            (What::Rows, 1) => "the row".into(),
            (What::Rows, rows) => format!("{rows} rows"),
            (What::Keys, 1) => "the key".into(),
            (What::Keys, rows) => format!("the keys of {rows} rows"),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let gone = || io::Error::other("a row cannot be read any more");
        let rows = || self.rows.iter().map(|number| self.pile.row(*number).ok_or_else(gone));
        match self.what {
            What::Cell => {
                for row in rows() {
                    self.value(&row?, self.columns.first().copied().unwrap_or(0), out)?;
                }
            }
            What::Rows => {
                for row in rows() {
                    let row = row?;
                    for (place, column) in self.columns.iter().enumerate() {
                        if place > 0 {
                            out.write_all(b"\t")?;
                        }
                        // A tab or a line end of the data would make another row of it.
                        let mut cell = Vec::new();
                        self.value(&row, *column, &mut cell)?;
                        let text = String::from_utf8_lossy(&cell);
                        let text = text.replace('\\', "\\\\").replace('\t', "\\t");
                        out.write_all(text.replace('\n', "\\n").replace('\r', "\\r").as_bytes())?;
                    }
                    out.write_all(b"\n")?;
                }
            }
            What::Keys => {
                let names: Vec<String> =
                    self.columns.iter().map(|at| self.name(&self.pile.columns()[*at])).collect();
                let (open, close) = if names.len() == 1 { ("", "") } else { ("(", ")") };
                write!(out, "{open}{}{close} IN (", names.join(", "))?;
                for (place, row) in rows().enumerate() {
                    let row = row?;
                    let values: Result<Vec<String>, _> =
                        self.columns.iter().map(|column| self.literal(&row, *column)).collect();
                    let comma = if place > 0 { ", " } else { "" };
                    write!(out, "{comma}{open}{}{close}", values?.join(", "))?;
                }
                out.write_all(b")")?;
            }
        }
        Ok(())
    }

    /// As a database client would print it; a long one as it is read.
    fn value(&self, row: &Row, column: usize, out: &mut impl Write) -> io::Result<()> {
        match (row.get(column), self.pile.stream(row, column)?) {
            (ValueRef::Text(_), Some(mut whole)) => io::copy(&mut whole, out).map(drop),
            (ValueRef::Bytes(_), Some(_)) => {
                let whole = self.pile.full(row, column)?;
                out.write_all(whole.as_ref().plain().unwrap_or_default().as_bytes())
            }
            (value, _) => out.write_all(value.plain().as_deref().unwrap_or("NULL").as_bytes()),
        }
    }

    fn name(&self, name: &str) -> String {
        let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        match self.dialect {
            _ if plain => name.to_owned(),
            Dialect::Mysql | Dialect::Mariadb => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A literal that means the same under every setting of the engine.
    fn literal(&self, row: &Row, column: usize) -> io::Result<String> {
        let value = self.pile.full(row, column)?;
        let of_mysql = matches!(self.dialect, Dialect::Mysql | Dialect::Mariadb);
        Ok(match value.as_ref() {
            ValueRef::Text(text) if text.contains('\\') && of_mysql => {
                format!("_utf8mb4 x'{}'", &hex(text.as_bytes())[2..])
            }
            ValueRef::Text(text) if text.contains('\\') && self.dialect == Dialect::Postgres => {
                format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
            }
            ValueRef::Text(text) => format!("'{}'", text.replace('\'', "''")),
            ValueRef::Bytes(bytes) => match self.dialect {
                Dialect::Postgres => format!("'\\x{}'::bytea", &hex(bytes)[2..]),
                Dialect::Oracle => format!("HEXTORAW('{}')", &hex(bytes)[2..]),
                _ => format!("x'{}'", &hex(bytes)[2..]),
            },
            other => other.plain().unwrap_or_else(|| "NULL".into()),
        })
    }
}

/// Takes what a clipboard takes, and only counts whether there was more.
#[derive(Default)]
struct Short {
    text: Vec<u8>,
    is_over: bool,
}

impl Write for Short {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_over |= self.text.len() + bytes.len() > MOST;
        if !self.is_over {
            self.text.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::value::Rows;

    fn copying(what: What, columns: &[usize], dialect: Dialect) -> Copying {
        let mut rows = Rows::new(["id".to_owned(), "Name".to_owned(), "n".to_owned()]);
        rows.push([ValueRef::Integer(17), ValueRef::Text("O'Br\\ien\tx"), ValueRef::Null]);
        rows.push([ValueRef::Integer(-3), ValueRef::Text("two\nlines"), ValueRef::Real(0.5)]);
        let (pile, columns) = (Pile::of(&rows).unwrap(), columns.to_vec());
        Copying { what, pile, rows: vec![0, 1], columns, dialect }
    }

    fn text(copying: &Copying) -> String {
        match copying.run(Path::new("/nowhere"), "x").unwrap() {
            Copied::Text { text, .. } => text,
            Copied::File { path, .. } => panic!("{path:?}"),
        }
    }

    #[test]
    fn a_row_is_a_line_whatever_is_in_it() {
        let rows = text(&copying(What::Rows, &[0, 1, 2], Dialect::Sqlite));
        assert_eq!(rows, "17\tO'Br\\\\ien\\tx\tNULL\n-3\ttwo\\nlines\t0.5\n");
    }

    #[test]
    fn keys_are_a_condition_in_the_words_of_the_engine() {
        let keys = |columns: &[usize], dialect| text(&copying(What::Keys, columns, dialect));
        assert_eq!(keys(&[0], Dialect::Postgres), "id IN (17, -3)");
        assert_eq!(
            keys(&[0, 1], Dialect::Postgres),
            "(id, \"Name\") IN ((17, E'O''Br\\\\ien\tx'), (-3, 'two\nlines'))"
        );
        assert_eq!(
            keys(&[1], Dialect::Mariadb),
            "`Name` IN (_utf8mb4 x'4f2742725c69656e0978', 'two\nlines')"
        );
    }

    #[test]
    fn what_no_clipboard_takes_goes_to_a_file_of_ours_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut rows = Rows::new(["text".to_owned()]);
        let long = "ä".repeat(MOST);
        rows.push([ValueRef::Text(&long)]);
        let pile = Pile::of(&rows).unwrap();
        let (rows, columns) = (vec![0], vec![0]);
        let copying = Copying { what: What::Cell, pile, rows, columns, dialect: Dialect::Sqlite };
        let Copied::File { path, bytes } = copying.run(folder.path(), "copy.txt").unwrap() else {
            panic!("a text of {} bytes", long.len())
        };
        assert_eq!(bytes, long.len() as u64);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), long);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
