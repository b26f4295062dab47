//! A second pair of hands on a server: what [`Sqlite`](crate::common::Sqlite) is for a file.

use std::path::Path;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::runtime::{Builder, Runtime};

use super::Kind;
use crate::common::{first, whole};

pub struct Client {
    wire: Option<Wire>,
    runtime: Runtime,
}

enum Wire {
    Postgres(PgConnection),
    Mariadb(MySqlConnection),
}

impl Client {
    /// By the socket of a server.
    pub fn open(
        kind: Kind,
        socket: &Path,
        role: &str,
        password: Option<&str>,
        database: &str,
    ) -> Result<Self, sqlx::Error> {
        let (mut postgres, mut mariadb) = options(role, database);
        match kind {
            Kind::Postgres => {
                let folder = socket.parent().expect("a socket lies in a folder");
                postgres = postgres.socket(folder).port(port(socket));
            }
            Kind::Mariadb => mariadb = mariadb.socket(socket),
        }
        if let Some(password) = password {
            (postgres, mariadb) = (postgres.password(password), mariadb.password(password));
        }
        Self::connect(kind, &postgres, &mariadb)
    }

    /// By a port of 127.0.0.1, without a password.
    pub fn by_tcp(kind: Kind, port: u16, role: &str, database: &str) -> Result<Self, sqlx::Error> {
        let (postgres, mariadb) = options(role, database);
        let host = "127.0.0.1";
        Self::connect(kind, &postgres.host(host).port(port), &mariadb.host(host).port(port))
    }

    fn connect(
        kind: Kind,
        postgres: &PgConnectOptions,
        mariadb: &MySqlConnectOptions,
    ) -> Result<Self, sqlx::Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime of one thread can be built");
        let wire = match kind {
            Kind::Postgres => Wire::Postgres(runtime.block_on(postgres.connect())?),
            Kind::Mariadb => Wire::Mariadb(runtime.block_on(mariadb.connect())?),
        };
        Ok(Self { wire: Some(wire), runtime })
    }

    /// Runs a script of one or more statements; gives the number of changed rows.
    pub fn run(&mut self, sql: &str) -> u64 {
        self.try_run(sql).unwrap_or_else(|error| panic!("{error}\n  in: {sql}"))
    }

    /// The same where being refused is what the test wants to see.
    pub fn try_run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let script = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.wire.as_mut().expect("the connection is open until the drop") {
            Wire::Postgres(wire) => {
                self.runtime.block_on(script.execute(wire)).map(|done| done.rows_affected())
            }
            Wire::Mariadb(wire) => {
                self.runtime.block_on(script.execute(wire)).map(|done| done.rows_affected())
            }
        }
    }

    /// Every row, every value as the server writes it, NULL as `NULL`.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        self.try_rows(sql).unwrap_or_else(|error| panic!("{error}\n  in: {sql}"))
    }

    pub fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, sqlx::Error> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let wire = self.wire.as_mut().expect("the connection is open until the drop");
        let null = || "NULL".to_owned();
        Ok(match wire {
            Wire::Postgres(wire) => {
                let rows = self.runtime.block_on(query.fetch_all(wire))?;
                let text = |row: &PgRow, at| row.get_unchecked::<Option<String>, _>(at);
                let texts = |row: PgRow| {
                    (0..row.len()).map(|at| text(&row, at).unwrap_or_else(null)).collect()
                };
                rows.into_iter().map(texts).collect()
            }
            Wire::Mariadb(wire) => {
                let rows = self.runtime.block_on(query.fetch_all(wire))?;
                let text = |row: &MySqlRow, at| row.get_unchecked::<Option<String>, _>(at);
                let texts = |row: MySqlRow| {
                    (0..row.len()).map(|at| text(&row, at).unwrap_or_else(null)).collect()
                };
                rows.into_iter().map(texts).collect()
            }
        })
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

impl Drop for Client {
    fn drop(&mut self) {
        let _ = match self.wire.take() {
            Some(Wire::Postgres(wire)) => self.runtime.block_on(wire.close()),
            Some(Wire::Mariadb(wire)) => self.runtime.block_on(wire.close()),
            None => Ok(()),
        };
    }
}

fn options(role: &str, database: &str) -> (PgConnectOptions, MySqlConnectOptions) {
    let postgres = PgConnectOptions::new_without_pgpass()
        .username(role)
        .database(database)
        .ssl_mode(PgSslMode::Disable);
    let mariadb = MySqlConnectOptions::new()
        .username(role)
        .database(database)
        .ssl_mode(MySqlSslMode::Disabled)
        // As any other client: the server's own mode and time zone.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None);
    (postgres, mariadb)
}

/// `PostgreSQL` names its socket after its port.
fn port(socket: &Path) -> u16 {
    let ending = socket.extension().and_then(|ending| ending.to_str());
    ending.and_then(|ending| ending.parse().ok()).unwrap_or(5432)
}
