//! One database of each engine, to be asked the same questions.

use std::path::Path;

use steadyhand::dialect::Dialect;
use tempfile::TempDir;

use super::server::{Client, Kind, Server, Setup};
use super::{Sqlite, first, whole};

/// A database of some engine that is gone with the value.
pub struct Database {
    pub dialect: Dialect,
    wire: Wire,
    // Held for its drop, which comes after the connection's.
    _home: Home,
}

/// Where a demo of the program lies.
pub enum Ground {
    /// In the folder that it keeps.
    Folder,
    Server(Server),
}

impl Ground {
    pub fn new(dialect: Dialect) -> Self {
        let kind = match dialect {
            Dialect::Sqlite => return Self::Folder,
            Dialect::Postgres => Kind::Postgres,
            _ => Kind::Mariadb,
        };
        let server = Setup::new(kind).start();
        server.database("erp");
        Self::Server(server)
    }

    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Folder => Dialect::Sqlite,
            Self::Server(server) if server.kind() == Kind::Postgres => Dialect::Postgres,
            Self::Server(_) => Dialect::Mariadb,
        }
    }

    /// What `steadyhand demo` must be told besides.
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Folder => Vec::new(),
            Self::Server(server) => {
                let engine = self.dialect().key().to_owned();
                vec!["--engine".into(), engine, "--url".into(), server.url("erp")]
            }
        }
    }

    /// A look at the demo from outside, once it is laid out.
    pub fn look(&self, kept: &Path) -> Look {
        match self {
            Self::Folder => Look(Wire::File(Sqlite::open(&kept.join("erp.db")))),
            Self::Server(server) if server.kind() == Kind::Postgres => {
                let mut client = server.client("erp");
                client.run("SET search_path = steadyhand_demo");
                Look(Wire::Server(client))
            }
            Self::Server(server) => Look(Wire::Server(server.client("steadyhand_demo"))),
        }
    }
}

/// A connection from outside of the program.
pub struct Look(Wire);

impl Look {
    pub fn at_file(file: Sqlite) -> Self {
        Self(Wire::File(file))
    }

    pub fn on_server(client: Client) -> Self {
        Self(Wire::Server(client))
    }

    pub fn run(&mut self, sql: &str) -> u64 {
        self.try_run(sql).unwrap_or_else(|error| panic!("{error}\n  in: {sql}"))
    }

    pub fn try_run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        self.0.try_run(sql)
    }

    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        self.0.rows(sql)
    }

    pub fn count(&mut self, sql: &str) -> i64 {
        whole(&first(&self.rows(sql), sql), sql)
    }
}

impl Wire {
    fn try_run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        match self {
            Self::File(file) => file.try_run(sql),
            Self::Server(client) => client.try_run(sql),
        }
    }

    fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Self::File(file) => file.rows(sql),
            Self::Server(client) => client.rows(sql),
        }
    }
}

enum Wire {
    File(Sqlite),
    Server(Client),
}

enum Home {
    Folder(TempDir),
    Server(Server),
}

impl Database {
    /// An empty database.
    pub fn new(dialect: Dialect) -> Self {
        let kind = match dialect {
            Dialect::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder can be made");
                let wire = Wire::File(Sqlite::create(&folder.path().join(Path::new("erp.db"))));
                return Self { dialect, wire, _home: Home::Folder(folder) };
            }
            Dialect::Postgres => Kind::Postgres,
            _ => Kind::Mariadb,
        };
        let server = Setup::new(kind).start();
        server.database("erp");
        let wire = Wire::Server(server.client("erp"));
        Self { dialect, wire, _home: Home::Server(server) }
    }

    /// Runs each statement by itself, as the program does.
    pub fn script(&mut self, sql: &str) {
        for statement in steadyhand::sql::split(sql, self.dialect).expect("the script is readable")
        {
            self.run(statement);
        }
    }

    pub fn run(&mut self, sql: &str) -> u64 {
        let dialect = self.dialect;
        self.try_run(sql).unwrap_or_else(|error| panic!("{dialect}: {error}\n  in: {sql}"))
    }

    pub fn try_run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        self.wire.try_run(sql)
    }

    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        self.wire.rows(sql)
    }

    /// Lays the healthy ERP out and goes there.
    pub fn with_erp(dialect: Dialect) -> Self {
        let mut database = Self::new(dialect);
        let script = steadyhand::demo::script(dialect).expect("the demo knows this engine");
        if dialect == Dialect::Postgres {
            database.run("BEGIN");
            database.script(script);
            database.run("COMMIT");
            database.run("SET search_path = steadyhand_demo");
        } else {
            database.script(script);
        }
        database
    }
}
