//! What a schema says: tables, their columns and keys, and who refers to whom.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// As SQL must write it without quotes: with its schema where it is not on the search path.
    pub name: String,
    pub columns: Vec<Column>,
    /// Columns that name a row: primary key, else a unique and not-null key, else none.
    pub key: Vec<String>,
}

impl Table {
    /// Columns that can be written.
    pub fn stored(&self) -> Vec<String> {
        let stored = self.columns.iter().filter(|column| !column.generated);
        stored.map(|column| column.name.clone()).collect()
    }

    /// Whether a column is of a type that PostgreSQL keeps whole numbers in and nothing else.
    pub fn holds_whole(&self, column: &str) -> bool {
        self.kind(column).is_some_and(|kind| ["smallint", "integer", "bigint"].contains(&kind))
    }

    pub fn kind(&self, column: &str) -> Option<&str> {
        let found = self.columns.iter().find(|known| known.name == column);
        found.map(|column| column.kind.as_str())
    }
}

/// A foreign key: columns of a table that hold the key of a row of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub child: String,
    pub child_columns: Vec<String>,
    pub parent: String,
    pub parent_columns: Vec<String>,
}

impl Reference {
    /// From child, column, parent and column of each pair, those of one foreign key side by side
    /// and with the same name in front.
    pub(super) fn gather(pairs: impl IntoIterator<Item = [String; 5]>) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut last = None;
        for [name, child, column, parent, parent_column] in pairs {
            if last.as_ref() != Some(&(name.clone(), child.clone())) {
                last = Some((name, child.clone()));
                let (child_columns, parent_columns) = (Vec::new(), Vec::new());
                found.push(Self { child, child_columns, parent, parent_columns });
            }
            if let Some(reference) = found.last_mut() {
                reference.child_columns.push(column);
                reference.parent_columns.push(parent_column);
            }
        }
        found
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// As the engine writes it: `numeric(10,2)`.
    pub kind: String,
    /// Computed from others; cannot be written.
    pub generated: bool,
}
