//! Single rows by key: reading images, and putting rows back under their guard.

use super::kinds::{Kind, LOB_MOST, Statement};
use super::names::{column, quoted};
use super::{ALONE, Session, nothing};
use crate::engine::{EngineError, Keyed, RowWrite, Table};
use crate::value::{Value, ValueRef};

/// Keys a statement; a list may have a thousand.
pub const BATCH: usize = 500;

pub fn kind(table: &Table, name: &str) -> Kind {
    let found = table.columns.iter().find(|column| column.name == name);
    found.map_or(Kind::Other, |column| Kind::of(&column.kind))
}

/// A column as it must be selected to be put back exactly.
pub fn exact(table: &Table, name: &str) -> String {
    kind(table, name).select(&quoted(name))
}

pub fn owned(row: &[ValueRef<'_>]) -> Vec<Value> {
    row.iter().map(|value| (*value).to_owned()).collect()
}

/// Columns whose content no image holds, so that no undo can put it back.
pub fn unheld(table: &Table) -> Vec<String> {
    let other = table.columns.iter().filter(|column| !column.generated);
    let other = other.filter(|column| Kind::of(&column.kind) == Kind::Other);
    other.map(|column| format!("{} ({})", column.name, column.kind)).collect()
}

/// The rows of these keys, as a condition.
fn of_keys(
    statement: &mut Statement,
    table: &Table,
    keys: &[Vec<Value>],
) -> Result<String, EngineError> {
    if let [one] = table.key.as_slice() {
        let kind = kind(table, one);
        let values: Result<Vec<String>, EngineError> =
            keys.iter().flatten().map(|value| statement.value(kind, value)).collect();
        return Ok(format!("{} IN ({})", quoted(one), values?.join(", ")));
    }
    let mut ways = Vec::with_capacity(keys.len());
    for key in keys {
        ways.push(format!("({})", all(statement, table, &table.key, key)?));
    }
    Ok(ways.join(" OR "))
}

/// That these columns hold exactly these values.
fn all(
    statement: &mut Statement,
    table: &Table,
    names: &[String],
    values: &[Value],
) -> Result<String, EngineError> {
    let parts = names.iter().zip(values);
    let parts: Result<Vec<String>, EngineError> =
        parts.map(|(name, value)| statement.holds(kind(table, name), name, value)).collect();
    Ok(parts?.join(" AND "))
}

/// Key and guard: the row, and only as long as it holds what it must hold. What is bound follows the
/// order of the text, so this is written last.
fn condition(statement: &mut Statement, row: &RowWrite<'_>) -> Result<(), EngineError> {
    let key = all(statement, row.table, row.key.0, row.key.1)?;
    let guard = all(statement, row.table, row.guard.0, row.guard.1)?;
    let parts = [key, guard].into_iter().filter(|part| !part.is_empty());
    statement.push(&parts.collect::<Vec<_>>().join(" AND "));
    Ok(())
}

/// A query for the rows of these keys: the key, the columns, and the length of the longest object.
fn query(table: &Table, columns: &[String], keys: &[Vec<Value>]) -> Result<Statement, EngineError> {
    let mut selected: Vec<String> =
        table.key.iter().chain(columns).map(|name| exact(table, name)).collect();
    let objects = columns.iter().filter(|name| kind(table, name).is_lob());
    let lengths: Vec<String> =
        objects.map(|name| format!("COALESCE(DBMS_LOB.GETLENGTH({}), 0)", quoted(name))).collect();
    selected.push(match lengths.as_slice() {
        [] => "0".to_owned(),
        lengths => format!("GREATEST({})", lengths.join(", ")),
    });
    let mut statement = Statement::new(format!(
        "SELECT {} FROM {} WHERE ",
        selected.join(", "),
        quoted(&table.name)
    ));
    let rows = of_keys(&mut statement, table, keys)?;
    statement.push(&rows);
    Ok(statement)
}

fn insert(row: &RowWrite<'_>) -> Result<Statement, EngineError> {
    let names: Vec<String> = row.set.0.iter().map(|name| quoted(name)).collect();
    let mut statement =
        Statement::new(format!("INSERT INTO {} ({})", quoted(&row.table.name), names.join(", ")));
    let values = row.set.0.iter().zip(row.set.1);
    let values: Result<Vec<String>, EngineError> =
        values.map(|(name, value)| statement.value(kind(row.table, name), value)).collect();
    let values = values?.join(", ");
    statement.push(&format!(" VALUES ({values})"));
    Ok(statement)
}

fn update(row: &RowWrite<'_>) -> Result<Statement, EngineError> {
    let mut statement = Statement::new(format!("UPDATE {} SET ", quoted(&row.table.name)));
    let set = row.set.0.iter().zip(row.set.1);
    let set: Result<Vec<String>, EngineError> = set
        .map(|(name, value)| {
            let value = statement.value(kind(row.table, name), value)?;
            Ok(format!("{} = {value}", quoted(name)))
        })
        .collect();
    let set = set?.join(", ");
    statement.push(&format!("{set} WHERE "));
    condition(&mut statement, row)?;
    Ok(statement)
}

fn delete(row: &RowWrite<'_>) -> Result<Statement, EngineError> {
    let mut statement = Statement::new(format!("DELETE FROM {} WHERE ", quoted(&row.table.name)));
    condition(&mut statement, row)?;
    Ok(statement)
}

impl Session {
    pub async fn rows_by_key(
        &mut self,
        table: &Table,
        columns: &[String],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Keyed>, EngineError> {
        if table.key.is_empty() || keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let limit = self.time_left(ALONE)?;
            let mut longest = 0;
            let mut keep = |_: &[String], row: &[ValueRef<'_>]| {
                let mut key = owned(row);
                if let Some(Value::Integer(length)) = key.pop() {
                    longest = longest.max(length);
                }
                let values = key.split_off(table.key.len());
                found.push((key, values));
                std::ops::ControlFlow::Continue(())
            };
            self.wire.work(query(table, columns, keys)?, limit, &mut keep).await?;
            if usize::try_from(longest).is_ok_and(|longest| longest > LOB_MOST) {
                self.too_long = Some(format!(
                    "a value of {} has {longest} characters or bytes, and an image holds {LOB_MOST}",
                    column(&table.name)
                ));
            }
        }
        Ok(found)
    }

    pub async fn insert_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            held.push(self.put(row, insert(row)?).await?);
        }
        Ok(held)
    }

    pub async fn update_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            held.push(self.put(row, update(row)?).await?);
        }
        Ok(held)
    }

    pub async fn delete_rows(&mut self, rows: &[RowWrite<'_>]) -> Result<Vec<bool>, EngineError> {
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            held.push(self.put(row, delete(row)?).await?);
        }
        Ok(held)
    }

    /// Whether a row was written.
    async fn put(&mut self, row: &RowWrite<'_>, statement: Statement) -> Result<bool, EngineError> {
        self.note_key(&row.table.name, row.key.1);
        let limit = self.time_left(ALONE)?;
        let done = self.wire.work(statement, limit, &mut nothing).await?;
        Ok(done.affected == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::Bind;
    use super::*;
    use crate::engine::Column;

    fn table(key: &[&str]) -> Table {
        let column = |name: &str, kind: &str| Column {
            name: name.into(),
            kind: kind.into(),
            generated: false,
        };
        Table {
            name: "lines".into(),
            columns: vec![
                column("order_id", "NUMBER(10)"),
                column("no", "NUMBER(3)"),
                column("due", "DATE"),
                column("note", "CLOB"),
                column("form", "XMLTYPE"),
            ],
            key: key.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn rows_are_looked_up_by_their_key() {
        let keys = [vec![Value::Integer(1)], vec![Value::Integer(2)]];
        let found = query(&table(&["order_id"]), &names(&["due"]), &keys).expect("sound");
        assert_eq!(
            found.sql,
            "SELECT \"ORDER_ID\", TRIM(TO_CHAR(\"DUE\", 'SYYYY-MM-DD HH24:MI:SS')), 0 \
             FROM \"LINES\" WHERE \"ORDER_ID\" IN (:1, :2)"
        );
        let keys = [vec![Value::Integer(1), Value::Integer(9)]];
        let found = query(&table(&["order_id", "no"]), &names(&["note"]), &keys).expect("sound");
        assert!(found.sql.ends_with("WHERE (\"ORDER_ID\" = :1 AND \"NO\" = :2)"), "{}", found.sql);
        assert!(found.sql.contains("GREATEST(COALESCE(DBMS_LOB.GETLENGTH(\"NOTE\"), 0))"));
    }

    /// The driver binds in the order in which the text names them.
    #[test]
    fn what_is_bound_stands_in_the_order_of_the_text() {
        let table = table(&["order_id"]);
        let (key, set, guard) = (names(&["order_id"]), names(&["due"]), names(&["no", "due"]));
        let row = RowWrite {
            table: &table,
            key: (&key, &[Value::Integer(1)]),
            guard: (&guard, &[Value::Integer(2), Value::Null]),
            set: (&set, &[Value::Text("2024-01-01 00:00:00".into())]),
        };
        let written = update(&row).expect("sound");
        assert_eq!(
            written.sql,
            "UPDATE \"LINES\" SET \"DUE\" = TO_DATE(:1, 'SYYYY-MM-DD HH24:MI:SS') \
             WHERE \"ORDER_ID\" = :2 AND \"NO\" = :3 AND \"DUE\" IS NULL"
        );
        assert_eq!(
            written.binds,
            [Bind::Text(" 2024-01-01 00:00:00".into()), Bind::Integer(1), Bind::Integer(2)]
        );
        let deleted = delete(&RowWrite { guard: (&[], &[]), ..row }).expect("sound");
        assert_eq!(deleted.sql, "DELETE FROM \"LINES\" WHERE \"ORDER_ID\" = :1");
        let inserted = insert(&row).expect("sound");
        assert!(inserted.sql.starts_with("INSERT INTO \"LINES\" (\"DUE\") VALUES (TO_DATE(:1"));
    }

    #[test]
    fn what_no_image_holds_is_never_put_back() {
        assert_eq!(unheld(&table(&[])), ["form (XMLTYPE)"]);
        let table = table(&["order_id"]);
        let (key, set) = (names(&["order_id"]), names(&["form"]));
        let row = RowWrite {
            table: &table,
            key: (&key, &[Value::Integer(1)]),
            guard: (&[], &[]),
            set: (&set, &[Value::Text("(not shown)".into())]),
        };
        assert!(insert(&row).is_err() && update(&row).is_err());
    }
}
