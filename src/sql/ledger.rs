//! The table in which every change leaves one row, in its own transaction.

use crate::dialect::Dialect;

/// Its name, wherever it stands.
pub const LEDGER: &str = "steadyhand_ledger";

/// Creates the ledger under this name (qualified and quoted by the caller), if it is missing.
/// Without the right to create, it must not be asked for: `PostgreSQL` refuses before it looks.
pub fn create_ledger(name: &str, dialect: Dialect) -> String {
    let (short, long, number, moment, ending) = match dialect {
        Dialect::Sqlite => {
            ("TEXT", "TEXT", "INTEGER", "TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP", "")
        }
        Dialect::Postgres => {
            ("text", "text", "integer", "timestamptz NOT NULL DEFAULT clock_timestamp()", "")
        }
        Dialect::Mysql | Dialect::Mariadb => (
            "varchar(190)",
            "varchar(255)",
            "integer",
            "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP",
            " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        ),
        Dialect::Oracle => (
            "VARCHAR2(190)",
            "VARCHAR2(255)",
            "NUMBER(10)",
            "TIMESTAMP WITH TIME ZONE DEFAULT SYSTIMESTAMP NOT NULL",
            "",
        ),
    };
    let unless = if dialect == Dialect::Oracle { "" } else { "IF NOT EXISTS " };
    format!(
        "CREATE TABLE {unless}{name} (\n  op_id {short} NOT NULL,\n  chunk_no {number} NOT NULL,\n  \
         actor {long} NOT NULL,\n  fingerprint {long} NOT NULL,\n  applied_at {moment},\n  \
         PRIMARY KEY (op_id, chunk_no)\n){ending}"
    )
}
