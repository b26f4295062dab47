//! A second pair of hands on a SQLite file: what the tests see is read here and not from the screen,
//! and what happens behind the operator's back is done here.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, TypeInfo as _, ValueRef as _,
};
use tokio::runtime::{Builder, Runtime};

use super::{first, whole};

pub struct Sqlite {
    connection: Option<SqliteConnection>,
    runtime: Runtime,
}

impl Sqlite {
    /// Opens a database that is there.
    pub fn open(path: &Path) -> Self {
        Self::connect(&SqliteConnectOptions::new().filename(path))
    }

    /// Makes a database of its own.
    pub fn create(path: &Path) -> Self {
        Self::connect(&SqliteConnectOptions::new().filename(path).create_if_missing(true))
    }

    /// Opens the one database in a folder or below it: a demo that was kept, for instance.
    pub fn find(folder: &Path) -> Self {
        let mut found = Vec::new();
        databases(folder, &mut found);
        assert_eq!(found.len(), 1, "one database is in {}: {found:?}", folder.display());
        Self::open(&found[0])
    }

    fn connect(options: &SqliteConnectOptions) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime of one thread can be built");
        let connection = runtime.block_on(options.connect()).expect("the database can be opened");
        Self { connection: Some(connection), runtime }
    }

    /// Runs a script of one or more statements; gives the number of changed rows.
    pub fn run(&mut self, sql: &str) -> u64 {
        self.try_run(sql).unwrap_or_else(|error| panic!("{error}\n  in: {sql}"))
    }

    /// The same where being refused is what the test wants to see.
    pub fn try_run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let connection = self.connection.as_mut().expect("the connection is open until the drop");
        let script = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(script.execute(connection)).map(|done| done.rows_affected())
    }

    /// Every row, every value as text, NULL as `NULL`.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let connection = self.connection.as_mut().expect("the connection is open until the drop");
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime
            .block_on(query.fetch_all(connection))
            .unwrap_or_else(|error| panic!("{error}\n  in: {sql}"))
            .iter()
            .map(|row| (0..row.len()).map(|column| text(row, column)).collect())
            .collect()
    }

    /// The first value of the first row as text.
    pub fn scalar(&mut self, sql: &str) -> String {
        first(&self.rows(sql), sql)
    }

    /// The first value of the first row as a whole number.
    pub fn count(&mut self, sql: &str) -> i64 {
        whole(&self.scalar(sql), sql)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = self.runtime.block_on(connection.close());
        }
    }
}

fn text(row: &SqliteRow, column: usize) -> String {
    let value = row.try_get_raw(column).expect("the column is in the row");
    if value.is_null() {
        return "NULL".to_owned();
    }
    // SQLite types values and not columns, so the value says how to read it.
    match value.type_info().name() {
        "INTEGER" => row.get_unchecked::<i64, _>(column).to_string(),
        "REAL" => row.get_unchecked::<f64, _>(column).to_string(),
        "BLOB" => hex(&row.get_unchecked::<Vec<u8>, _>(column)),
        _ => row.get_unchecked(column),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn databases(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", folder.display()));
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            databases(&path, found);
        } else if fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")) {
            found.push(path);
        }
    }
}
