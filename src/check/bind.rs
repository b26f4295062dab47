//! Bind: the tables and columns of a check by role, so that its SQL fits a schema with other names.
//!
//! SQL says `{{orders}}` or `{{orders.total}}` and gets the name in the quotes of the engine;
//! `{{orders|text}}` is the name as a text, for questions to the catalogue, and `{{orders|schema}}` the text of the
//! schema that it lies in. A name that could end a
//! quote, a text or a comment is refused, so what is put in is always one name and nothing else.
//! Whether a table has such a name is asked of the database by `ops`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::dialect::Dialect;
use crate::source::{Complaint, Spot, Table, did_you_mean, quoted};

/// One name as a person wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub text: String,
    /// Whether it was written in quotes, so that its case counts.
    pub exact: bool,
}

/// A table, with its schema if one was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub schema: Option<Part>,
    pub table: Part,
}

/// What a check calls a table, and what the table and its columns are called in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub role: String,
    pub name: Name,
    pub columns: Vec<(String, Part)>,
}

impl Part {
    /// Letters, digits, `_` and `$`; or in double quotes or backticks anything that ends neither
    /// quote nor comment.
    pub fn parse(text: &str) -> Option<Self> {
        const LONGEST: usize = 128;
        let inner = |quote: char| {
            text.strip_prefix(quote)?.strip_suffix(quote).filter(|inner| !inner.is_empty())
        };
        let (name, exact) = match inner('"').or_else(|| inner('`')) {
            Some(inner) => (inner, true),
            None => (text, false),
        };
        let in_quotes = |c: char| c.is_alphanumeric() || " _-$#.@:/%&+".contains(c);
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let begins = exact || name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let sound = begins && name.chars().all(|c| if exact { in_quotes(c) } else { bare(c) });
        (sound && name.chars().count() <= LONGEST).then(|| Self { text: name.to_owned(), exact })
    }

    /// As the catalogue has it. Oracle keeps what is written without quotes in capitals; where other engines
    /// keep another case, the name is held against them first.
    fn kept_by(&self, dialect: Dialect) -> Cow<'_, str> {
        if dialect == Dialect::Oracle && !self.exact {
            Cow::Owned(self.text.to_uppercase())
        } else {
            Cow::Borrowed(&self.text)
        }
    }

    fn in_quotes_of(&self, dialect: Dialect) -> String {
        let quote = match dialect {
            Dialect::Mysql | Dialect::Mariadb => '`',
            Dialect::Sqlite | Dialect::Postgres | Dialect::Oracle => '"',
        };
        format!("{quote}{}{quote}", self.kept_by(dialect))
    }
}

impl Name {
    /// A table, or a schema and a table with a dot between them.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(table) = Part::parse(text) {
            return Some(Self { schema: None, table });
        }
        text.match_indices('.').find_map(|(dot, _)| {
            let (schema, table) = (Part::parse(&text[..dot])?, Part::parse(&text[dot + 1..])?);
            Some(Self { schema: Some(schema), table })
        })
    }

    pub fn in_quotes_of(&self, dialect: Dialect) -> String {
        let table = self.table.in_quotes_of(dialect);
        match &self.schema {
            Some(schema) => format!("{}.{table}", schema.in_quotes_of(dialect)),
            None => table,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", schema.text)?;
        }
        f.write_str(&self.table.text)
    }
}

impl Role {
    fn put_in(&self, place: &Place<'_>, dialect: Dialect) -> Option<String> {
        let part = match (place.column, place.form) {
            (None, Form::Quoted) => return Some(self.name.in_quotes_of(dialect)),
            (None, Form::Text) => &self.name.table,
            (None, Form::Schema) => match &self.name.schema {
                Some(schema) => schema,
                None => return Some(current_schema(dialect).to_owned()),
            },
            (Some(_), Form::Schema) => return None,
            (Some(column), _) => &self.columns.iter().find(|(role, _)| role == column)?.1,
        };
        // A name holds neither quotes nor backslashes, so no engine reads this in two ways.
        Some(match place.form {
            Form::Quoted => part.in_quotes_of(dialect),
            Form::Text | Form::Schema => format!("'{}'", part.kept_by(dialect)),
        })
    }
}

/// What gives the schema in which a name without one lies.
fn current_schema(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Mysql | Dialect::Mariadb => "DATABASE()",
        Dialect::Postgres => "current_schema()",
        Dialect::Sqlite => "'main'",
        Dialect::Oracle => "SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')",
    }
}

/// `{{role}}`, `{{role.column}}`, either with `|text`; `{{role|schema}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place<'s> {
    range: Range<usize>,
    role: &'s str,
    column: Option<&'s str>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Quoted,
    Text,
    Schema,
}

fn places(sql: &str) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(start) = sql[from..].find("{{").map(|at| from + at) {
        let Some(end) = sql[start..].find("}}").map(|at| start + at + 2) else { break };
        let inner = sql[start + 2..end - 2].trim();
        let (path, form) = match inner.split_once('|') {
            Some((path, filter)) if filter.trim() == "text" => (path.trim_end(), Form::Text),
            Some((path, filter)) if filter.trim() == "schema" => (path.trim_end(), Form::Schema),
            Some((path, _)) => (path.trim_end(), Form::Quoted),
            None => (inner, Form::Quoted),
        };
        let (role, column) = match path.split_once('.') {
            Some((role, column)) => (role, Some(column)),
            None => (path, None),
        };
        places.push(Place { range: start..end, role, column, form });
        from = end;
    }
    places
}

/// Whether it asks the catalogue about the table of a role.
pub fn asks_about_role(sql: &str) -> bool {
    places(sql).iter().any(|place| place.form != Form::Quoted)
}

/// The SQL with every role replaced by the name that it has, and where the pieces came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    pub text: String,
    /// Of the text and of the source: where they go on alike.
    pieces: Vec<(usize, usize)>,
}

impl Filled {
    /// Bytes of the text as bytes of the source.
    pub fn in_source(&self, part: &Range<usize>) -> Range<usize> {
        let back = |at: usize| {
            let piece = self.pieces.iter().rev().find(|(text, _)| *text <= at);
            piece.map_or(at, |(text, source)| source + (at - text))
        };
        let start = back(part.start);
        start..back(part.end).max(start)
    }
}

/// Puts the names in. A place whose role is not known stays as it is; see [`unknown`].
pub fn fill(sql: &str, dialect: Dialect, roles: &[Role]) -> Filled {
    let mut filled = Filled { text: String::with_capacity(sql.len()), pieces: vec![(0, 0)] };
    let mut from = 0;
    for place in places(sql) {
        let role = roles.iter().find(|role| role.role == place.role);
        let Some(name) = role.and_then(|role| role.put_in(&place, dialect)) else { continue };
        filled.text.push_str(&sql[from..place.range.start]);
        filled.text.push_str(&name);
        from = place.range.end;
        filled.pieces.push((filled.text.len(), from));
    }
    filled.text.push_str(&sql[from..]);
    filled
}

/// The first place in the SQL that no role fills.
pub fn unknown(sql: &str, roles: &[Role]) -> Option<Complaint> {
    let place = places(sql).into_iter().find(|place| {
        let role = roles.iter().find(|role| role.role == place.role);
        role.and_then(|role| role.put_in(place, Dialect::Sqlite)).is_none()
    })?;
    let role = roles.iter().find(|role| role.role == place.role);
    let (sentence, near) = match (role, place.column) {
        (Some(role), Some(column)) => (
            format!("The role {} has no column {}.", quoted(place.role), quoted(column)),
            did_you_mean(column, role.columns.iter().map(|(role, _)| role.as_str())),
        ),
        _ => (
            format!("There is no role {}; write [bind.ROLE] with its table.", quoted(place.role)),
            did_you_mean(place.role, roles.iter().map(|role| role.role.as_str())),
        ),
    };
    let mut complaint = Complaint::new(sentence).over(place.range);
    complaint.suggestion = near.map(|near| format!("Did you mean \"{near}\"?"));
    Some(complaint)
}

/// Whether the SQL uses a role, or one of its columns.
pub fn uses(sql: &str, role: &str, column: Option<&str>) -> bool {
    places(sql)
        .iter()
        .any(|place| place.role == role && (column.is_none() || place.column == column))
}

/// What somebody says about one role: the table, columns, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub role: String,
    /// The role of a column; none for the table itself.
    pub column: Option<String>,
    pub name: String,
    /// Where it was said, if in a file.
    pub spot: Option<Spot>,
}

/// Reads every `[bind.ROLE]` of a table: `table` and the columns by their roles.
pub fn read(table: &Table<'_>) -> Vec<Binding> {
    let roles = table.named("bind", "a role", |role, table| {
        if !is_role(role) {
            table.fault_here(format!(
                "A role cannot be called {}; write lower-case letters, digits and _.",
                quoted(role)
            ));
        }
        table
            .any_texts()
            .into_iter()
            .map(|(key, name, spot)| {
                let column = (key != "table").then_some(key);
                let sound = match &column {
                    None => Name::parse(&name).is_some(),
                    Some(_) => Part::parse(&name).is_some(),
                };
                if !sound {
                    table.add(spot.fault(not_a_name(&name)));
                }
                Binding { role: role.to_owned(), column, name, spot: Some(spot) }
            })
            .collect::<Vec<_>>()
    });
    roles.into_iter().flatten().collect()
}

/// `ROLE=TABLE` or `ROLE.COLUMN=NAME`, as an argument says it.
pub fn argument(text: &str) -> Result<Binding, String> {
    let (path, name) = text.split_once('=').ok_or("write ROLE=TABLE or ROLE.COLUMN=NAME")?;
    let (role, column) = match path.split_once('.') {
        Some((role, column)) => (role, Some(column.to_owned())),
        None => (path, None),
    };
    let sound = match &column {
        None => Name::parse(name).is_some(),
        Some(_) => Part::parse(name).is_some(),
    };
    if !is_role(role) || column.as_deref().is_some_and(|column| !is_role(column)) {
        return Err("write ROLE=TABLE or ROLE.COLUMN=NAME".into());
    }
    if !sound {
        return Err(not_a_name(name));
    }
    Ok(Binding { role: role.to_owned(), column, name: name.to_owned(), spot: None })
}

pub fn not_a_name(name: &str) -> String {
    format!(
        "{} is not a name; write letters, digits and _, or put it into \"double quotes\" as the database does.",
        quoted(name)
    )
}

fn is_role(word: &str) -> bool {
    crate::sql::is_name(word)
}

/// The roles that these bindings make; each needs its table.
pub fn roles(bindings: &[Binding]) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    for binding in bindings.iter().filter(|binding| binding.column.is_none()) {
        // What is no name was reported where it stands.
        let name = Name::parse(&binding.name).unwrap_or_else(|| Name {
            schema: None,
            table: Part { text: binding.role.clone(), exact: false },
        });
        roles.push(Role { role: binding.role.clone(), name, columns: Vec::new() });
    }
    for binding in bindings {
        lay_over(&mut roles, binding);
    }
    roles
}

/// Gives a role the name that was said; what the check does not ask for changes nothing.
pub fn lay_over(roles: &mut [Role], binding: &Binding) {
    let Some(role) = roles.iter_mut().find(|role| role.role == binding.role) else { return };
    match &binding.column {
        None => role.name = Name::parse(&binding.name).unwrap_or_else(|| role.name.clone()),
        Some(column) => {
            let part = Part::parse(&binding.name)
                .unwrap_or_else(|| Part { text: column.clone(), exact: false });
            match role.columns.iter_mut().find(|(known, _)| known == column) {
                Some((_, known)) => *known = part,
                None => role.columns.push((column.clone(), part)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(pairs: &[&str]) -> Vec<Role> {
        roles(&pairs.iter().map(|pair| argument(pair).expect(pair)).collect::<Vec<_>>())
    }

    #[test]
    fn names_go_in_with_the_quotes_of_the_engine() {
        let roles = bound(&["orders=shop.sales_order", "orders.total=\"Grand Total\""]);
        let sql = "SELECT o.{{ orders.total }} FROM {{orders}} o WHERE {{orders|text}} = 'x'";
        assert_eq!(
            fill(sql, Dialect::Postgres, &roles).text,
            r#"SELECT o."Grand Total" FROM "shop"."sales_order" o WHERE 'sales_order' = 'x'"#
        );
        assert!(fill(sql, Dialect::Mariadb, &roles).text.contains("o.`Grand Total` FROM `shop`."));
        assert_eq!(
            fill(sql, Dialect::Oracle, &roles).text,
            r#"SELECT o."Grand Total" FROM "SHOP"."SALES_ORDER" o WHERE 'SALES_ORDER' = 'x'"#
        );
    }

    #[test]
    fn what_could_end_a_quote_a_text_or_a_comment_is_no_name() {
        for name in [
            "a b",
            "a;b",
            "a--",
            "1a",
            "",
            "\"\"",
            "\"a\"b\"",
            "`a`b`",
            "\"a'b\"",
            "\"a\\b\"",
            "\"a*/b\"",
            "\"a\nb\"",
            "a.b.c",
            "\"a\" OR 1=1",
            "\"\u{202e}a\"",
            "a(b)",
        ] {
            assert_eq!(Name::parse(name), None, "{name:?}");
        }
        for name in ["orders", "_x$1", "\"User\"", "\"order line\"", "`match`", "\"a.b\".c"] {
            assert!(Name::parse(name).is_some(), "{name:?}");
        }
        assert!(Part::parse(&"x".repeat(129)).is_none());
    }

    #[test]
    fn a_place_in_the_filled_text_leads_back_to_the_file() {
        let roles = bound(&["orders=a_very_long_name_of_a_table"]);
        let sql = "SELECT x FROM {{orders}} WHERE DROP";
        let filled = fill(sql, Dialect::Sqlite, &roles);
        let at = filled.text.find("DROP").expect("there");
        assert_eq!(&sql[filled.in_source(&(at..at + 4))], "DROP");
    }

    #[test]
    fn a_role_that_nobody_bound_is_told_with_what_was_meant() {
        let roles = bound(&["orders=o", "orders.total=t"]);
        let said = |sql| unknown(sql, &roles).map(|it| (it.sentence, it.suggestion));
        assert_eq!(said("SELECT {{orders.total}} FROM {{orders}}"), None);
        let (sentence, suggestion) = said("SELECT 1 FROM {{order}}").expect("unknown");
        assert!(sentence.starts_with("There is no role \"order\""), "{sentence}");
        assert_eq!(suggestion.as_deref(), Some("Did you mean \"orders\"?"));
        assert!(said("SELECT {{orders.sum}} FROM {{orders}}").is_some());
    }
}
