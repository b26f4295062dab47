//! What the catalogue of MySQL and MariaDB lists, to everybody only what they have a right on: whoever asks it
//! about every table sees nothing of the others, and no error.
//!
//! By its words, wherever they stand, as with what one server knows of itself.

/// A view of `information_schema`.
#[derive(Debug, PartialEq, Eq)]
pub struct Listing {
    pub name: &'static str,
    /// Any of them on a whole database shows everything of it.
    pub rights: &'static [&'static str],
}

/// The right on a whole database that shows what its tables are, and not one row of them.
pub const DEFINITIONS: &str = "REFERENCES";

const TABLES: &[&str] = &[DEFINITIONS, "SELECT", "INSERT", "UPDATE"];
/// Whoever may only read is not shown any.
const CONSTRAINTS: &[&str] = &[DEFINITIONS, "INSERT", "UPDATE", "DELETE", "ALTER"];
const ROUTINES: &[&str] = &["EXECUTE", "ALTER ROUTINE"];

const LISTINGS: [Listing; 13] = [
    Listing { name: "tables", rights: TABLES },
    Listing { name: "columns", rights: TABLES },
    Listing { name: "statistics", rights: TABLES },
    Listing { name: "partitions", rights: TABLES },
    Listing { name: "views", rights: TABLES },
    Listing { name: "table_constraints", rights: CONSTRAINTS },
    Listing { name: "key_column_usage", rights: CONSTRAINTS },
    Listing { name: "referential_constraints", rights: CONSTRAINTS },
    Listing { name: "check_constraints", rights: CONSTRAINTS },
    Listing { name: "triggers", rights: &["TRIGGER"] },
    Listing { name: "events", rights: &["EVENT"] },
    Listing { name: "routines", rights: ROUTINES },
    Listing { name: "parameters", rights: ROUTINES },
];

/// Those that a text asks.
pub fn listings(text: &str) -> impl Iterator<Item = &'static Listing> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let asked = |listing: &Listing| {
        words.windows(2).any(|pair| pair == ["information_schema", listing.name])
    };
    LISTINGS.iter().filter(|listing| asked(listing)).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_named_however_it_is_written() {
        let names = |sql| listings(sql).map(|listing| listing.name).collect::<Vec<_>>().join(" ");
        let sql = "SELECT 1 FROM `information_schema` . `TABLES` t JOIN Information_Schema.columns";
        assert_eq!(names(sql), "tables columns");
        assert_eq!(names("SELECT tables FROM information_schema.innodb_trx, statistics"), "");
    }
}
