//! Tables in tables, and texts that differ by engine.

use toml::Spanned;
use toml::de::DeValue;

use super::fault::{Complaint, Spot};
use super::table::{Table, as_array, kind_of, plain};
use crate::dialect::{Dialect, PerDialect};

/// Texts by engine.
impl Table<'_> {
    /// The sub-table `key`, which holds one text an engine; empty if it is missing.
    pub fn per_dialect(
        &self,
        key: &'static str,
        judge: impl Fn(&str, Dialect) -> Result<(), Complaint>,
    ) -> PerDialect {
        let what = format!("`{key}`");
        self.table(key, &what, |texts| texts.dialects(judge)).unwrap_or_default()
    }

    /// The same for a sub-table that must be there.
    pub fn need_per_dialect(
        &self,
        key: &'static str,
        header: &str,
        judge: impl Fn(&str, Dialect) -> Result<(), Complaint>,
    ) -> PerDialect {
        self.need_table(key, header);
        self.per_dialect(key, judge)
    }

    /// The engine keys of this table itself. `judge` hears each text for every engine it serves.
    pub fn dialects(&self, judge: impl Fn(&str, Dialect) -> Result<(), Complaint>) -> PerDialect {
        let mut texts = PerDialect { any: self.optional_text("any"), ..PerDialect::default() };
        for dialect in Dialect::ALL {
            if let Some(text) = self.optional_text(dialect.key()) {
                texts.by.insert(dialect, text);
            }
        }
        // A key that is misspelt is told by its own fault.
        let unknown = self.keys().any(|key| !self.asked.borrow().contains(&key));
        if texts.is_empty() && !unknown && !Dialect::ALL.iter().any(|d| self.has(d.key())) {
            let engines: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.key()).collect();
            self.fault_here(format!(
                "There is no text here; write one under `any`, or under an engine: {}.",
                engines.join(", ")
            ));
        }
        if !self.is_judged() {
            return texts;
        }
        for (key, text) in texts.texts().filter(|(_, text)| !text.trim().is_empty()) {
            let served: Vec<Dialect> = Dialect::ALL
                .into_iter()
                .filter(|dialect| texts.get(*dialect).is_some_and(|own| std::ptr::eq(own, text)))
                .collect();
            let complaints: Vec<(Dialect, Complaint)> = served
                .iter()
                .filter_map(|dialect| Some((*dialect, judge(text, *dialect).err()?)))
                // A text for any engine may be used where it is plain, and is refused where it is not.
                .filter(|(_, complaint)| key != "any" || !complaint.of_engine)
                .collect();
            let Some((dialect, mut complaint)) = complaints.first().cloned() else { continue };
            if key == "any" && complaints.len() < served.len() && complaint.suggestion.is_none() {
                complaint.suggestion = Some(format!(
                    "{dialect} reads it so; give {dialect} a text of its own under `{}`.",
                    dialect.key()
                ));
            }
            self.complain(key, text, complaint);
        }
        texts
    }

    /// Notes what a judge said about the text under `key`.
    pub fn complain(&self, key: &str, text: &str, complaint: Complaint) {
        self.complain_at(&self.spot(key), text, complaint);
    }

    pub fn complain_at(&self, spot: &Spot, text: &str, complaint: Complaint) {
        let spot = complaint.part.map_or_else(|| spot.clone(), |part| spot.within(text, part));
        let fault = spot.fault(complaint.sentence);
        self.add(match complaint.suggestion {
            Some(suggestion) => fault.suggest(suggestion),
            None => fault,
        });
    }
}

/// Tables in tables.
impl Table<'_> {
    /// The sub-table `key`, if it is there.
    pub fn table<T>(
        &self,
        key: &'static str,
        what: &str,
        build: impl FnOnce(&Table<'_>) -> T,
    ) -> Option<T> {
        let found = self.ask(key)?;
        match found.get_ref() {
            DeValue::Table(entries) => {
                let spot = self.spot.over(found.span());
                Some(Table::visit(self.care, what.to_owned(), entries, spot, self.faults, build))
            }
            other => {
                self.fault(
                    key,
                    format!(
                        "`{key}` must be a table, `[{key}]` with keys below it, not {}.",
                        kind_of(other)
                    ),
                );
                None
            }
        }
    }

    /// Every table of the list `[[key]]`, in order.
    pub fn tables<T>(
        &self,
        key: &'static str,
        what: &str,
        mut build: impl FnMut(&Table<'_>) -> T,
    ) -> Vec<T> {
        let wanted = "a list of tables, `[[…]]` with keys below it";
        let items = match self.typed(key, wanted, as_array) {
            Some([]) => {
                self.fault(key, format!("`{key}` is empty; write `[[{key}]]` with keys below it."));
                &[]
            }
            Some(items) => items,
            None => &[],
        };
        items
            .iter()
            .filter_map(|item| match item.get_ref() {
                DeValue::Table(entries) => {
                    let spot = self.spot.over(item.span());
                    Some(Table::visit(
                        self.care,
                        what.to_owned(),
                        entries,
                        spot,
                        self.faults,
                        &mut build,
                    ))
                }
                other => {
                    let sentence =
                        format!("`{key}` must hold tables, `[[{key}]]`, not {}.", kind_of(other));
                    self.add(self.spot.over(item.span()).fault(sentence));
                    None
                }
            })
            .collect()
    }

    /// Every entry of a table whose keys are names, such as `[target.NAME]`.
    pub fn named<T>(
        &self,
        key: &'static str,
        what: &str,
        mut build: impl FnMut(&str, &Table<'_>) -> T,
    ) -> Vec<T> {
        let entries = match self.ask(key).map(Spanned::get_ref) {
            None => return vec![],
            Some(DeValue::Table(entries)) => entries,
            Some(other) => {
                let kind = kind_of(other);
                self.fault(
                    key,
                    format!("`{key}` must be tables with names, `[{key}.NAME]`, not {kind}."),
                );
                return vec![];
            }
        };
        let mut found: Vec<_> = entries.iter().collect();
        found.sort_by_key(|(name, _)| name.span().start);
        found
            .into_iter()
            .filter_map(|(name, value)| {
                let name_spot = self.spot.over(name.span());
                match value.get_ref() {
                    DeValue::Table(entries) => Some(Table::visit(
                        self.care,
                        what.to_owned(),
                        entries,
                        name_spot,
                        self.faults,
                        |table| build(name.get_ref(), table),
                    )),
                    other => {
                        let sentence = format!(
                            "`{key}` holds named tables; write `[{key}.{}]` with keys below it, not {}.",
                            plain(name.get_ref()),
                            kind_of(other)
                        );
                        self.add(name_spot.fault(sentence));
                        None
                    }
                }
            })
            .collect()
    }
}
