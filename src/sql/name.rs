//! The names in a statement: the tables it touches, the columns it sets and those of its result.

use std::ops::ControlFlow;
use std::ptr;

use sqlparser::ast::{
    AccessExpr, AssignmentTarget, CastKind, Cte, Expr, ObjectName, ObjectNamePart, OnConflict,
    OnConflictAction, OnInsert, Query, SelectItem, SetExpr, Statement, TableFactor, Visit, Visitor,
};

use super::effect::parse;
use super::lex::Text;
use crate::dialect::Dialect;

/// Every table that the statement names, in order, without quotes; `None` if it was not understood.
pub fn tables(sql: &str, dialect: Dialect) -> Option<Vec<String>> {
    let at_once = matches!(dialect, Dialect::Sqlite | Dialect::Oracle);
    let mut names = Names { at_once, ..Names::default() };
    let ControlFlow::Continue(()) = tree(sql, dialect)?.visit(&mut names);
    let Names { mut relations, functions, .. } = names;
    // What is called gives rows, but is no table.
    for function in functions {
        if let Some(at) = relations.iter().position(|relation| *relation == function) {
            relations.remove(at);
        }
    }
    let mut tables: Vec<String> = vec![];
    for relation in relations {
        if !tables.contains(&relation) {
            tables.push(relation);
        }
    }
    Some(tables)
}

/// Every function that the statement may call by name, without quotes; `None` if it was not understood.
pub fn functions(sql: &str, dialect: Dialect) -> Option<Vec<String>> {
    let mut called = Called::default();
    let ControlFlow::Continue(()) = tree(sql, dialect)?.visit(&mut called);
    Some(called.functions)
}

/// The columns of a query's result by name; `None` where only the server can tell.
pub fn columns(sql: &str, dialect: Dialect) -> Option<Vec<String>> {
    let Statement::Query(query) = tree(sql, dialect)? else { return None };
    let mut body = &*query.body;
    loop {
        match body {
            SetExpr::Select(select) => {
                return select.projection.iter().map(|item| column(item, dialect)).collect();
            }
            // The first of several queries names the columns of all.
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(query) => body = &query.body,
            _ => return None,
        }
    }
}

/// The columns that are set in rows that are there: by an UPDATE, or by an INSERT whose row has its place taken.
/// Without quotes; `None` for any other statement.
pub fn assigned(sql: &str, dialect: Dialect) -> Option<Vec<String>> {
    let statement = match tree(sql, dialect)? {
        Statement::Query(query) => match *query.body {
            SetExpr::Update(statement) | SetExpr::Insert(statement) => statement,
            _ => return None,
        },
        statement => statement,
    };
    let assignments = match statement {
        Statement::Update(update) => update.assignments,
        Statement::Insert(insert) => match insert.on {
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => assignments,
            Some(OnInsert::OnConflict(OnConflict {
                action: OnConflictAction::DoUpdate(update),
                ..
            })) => update.assignments,
            _ => vec![],
        },
        _ => return None,
    };
    let names = assignments.iter().flat_map(|assignment| match &assignment.target {
        AssignmentTarget::ColumnName(name) => std::slice::from_ref(name),
        AssignmentTarget::Tuple(names) => names.as_slice(),
    });
    names.map(|name| Some(name.0.last()?.as_ident()?.value.clone())).collect()
}

fn column(item: &SelectItem, dialect: Dialect) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        // An expression has the name that the engine gives it, which no key can be.
        SelectItem::UnnamedExpr(value) if dialect == Dialect::Postgres => of_postgres(value),
        SelectItem::UnnamedExpr(value) => named(value).or_else(|| Some(value.to_string())),
        _ => None,
    }
}

/// The name that `PostgreSQL` gives to a column, as far as that can be told.
fn of_postgres(value: &Expr) -> Option<String> {
    match value {
        Expr::Cast { expr, .. } | Expr::Collate { expr, .. } | Expr::Nested(expr) => {
            of_postgres(expr)
        }
        Expr::Function(function) => {
            let name = function.name.0.last()?.as_ident()?;
            Some(match name.quote_style {
                Some(_) => name.value.clone(),
                None => name.value.to_lowercase(),
            })
        }
        value => named(value),
    }
}

/// The name of a column, also behind a cast that only `PostgreSQL` writes so.
fn named(value: &Expr) -> Option<String> {
    match value {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(parts) => Some(parts.last()?.value.clone()),
        Expr::Cast { kind: CastKind::DoubleColon, expr: inner, .. } => match &**inner {
            Expr::Nested(value) => named(value),
            value => named(value),
        },
        _ => None,
    }
}

pub(super) fn tree(sql: &str, dialect: Dialect) -> Option<Statement> {
    let text = Text::new(sql, dialect).ok()?;
    parse(sql, text.one().ok()?, dialect).ok()
}

#[derive(Default)]
struct Names {
    relations: Vec<String>,
    functions: Vec<String>,
    /// The names of WITH where the walk stands: they hide tables.
    scope: Vec<String>,
    /// How many there were before each query that it is in.
    before: Vec<usize>,
    /// The queries of a WITH, by their place in the tree: each has its name once it is over.
    named: Vec<(*const Query, String)>,
    /// Whether the names of a WITH hold from its beginning without RECURSIVE too.
    at_once: bool,
}

impl Visitor for Names {
    type Break = std::convert::Infallible;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Self::Break> {
        let name = joined(relation);
        if !self.scope.iter().any(|local| local.eq_ignore_ascii_case(&name)) {
            self.relations.push(name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        if let TableFactor::Table { name, args: Some(_), .. } = factor {
            self.functions.push(joined(name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.before.push(self.scope.len());
        let Some(with) = &query.with else { return ControlFlow::Continue(()) };
        for Cte { alias, query, .. } in &with.cte_tables {
            let name = alias.name.value.clone();
            if with.recursive || self.at_once {
                self.scope.push(name);
            } else {
                self.named.push((&raw const **query, name));
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.scope.truncate(self.before.pop().unwrap_or_default());
        if let Some(at) = self.named.iter().position(|(named, _)| ptr::eq(*named, query)) {
            self.scope.push(self.named.remove(at).1);
        }
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Called {
    functions: Vec<String>,
}

impl Visitor for Called {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Self::Break> {
        match expression {
            Expr::Function(function) => self.functions.push(joined(&function.name)),
            // A field of a value, or a function of it, as only the catalogue can tell.
            Expr::CompoundFieldAccess { access_chain, .. } => {
                self.functions.extend(access_chain.iter().filter_map(field));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::Function { name, .. } | TableFactor::Table { name, args: Some(_), .. } => {
                self.functions.push(joined(name));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn field(access: &AccessExpr) -> Option<String> {
    match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name.value.clone()),
        _ => None,
    }
}

/// A name without its quotes, parts joined with a dot.
pub(super) fn joined(name: &ObjectName) -> String {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => ident.value.clone(),
            ObjectNamePart::Function(function) => function.to_string(),
        })
        .collect();
    parts.join(".")
}
