//! One table of a file, asked key by key.
//!
//! Every question notes its own faults and answers with a stand-in, so that a loader reads like a
//! description of the format. A key nobody asked for is a fault as well.

use std::cell::{Cell, RefCell};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Care;
use super::fault::{Fault, Spot};
use super::suggest::did_you_mean;

type Faults = RefCell<Vec<(usize, Fault)>>;
type Value<'r> = Spanned<DeValue<'r>>;

#[derive(Debug)]
pub struct Table<'r> {
    /// The table in a sentence, with its article: "a check".
    what: RefCell<String>,
    pub(super) care: Care,
    pub(super) entries: &'r DeTable<'r>,
    pub(super) spot: Spot,
    pub(super) faults: &'r Faults,
    pub(super) asked: RefCell<Vec<&'static str>>,
    elsewhere: RefCell<Vec<(&'static str, String)>>,
    /// Whether every key is a name of the author's, so that none is unknown.
    open: Cell<bool>,
}

/// Reads the table of a whole document and everything below it.
pub(super) fn read_document<T>(
    care: Care,
    whole: Spot,
    what: &str,
    document: &DeTable<'_>,
    build: impl FnOnce(&Table<'_>) -> T,
) -> Result<T, Vec<Fault>> {
    let faults = RefCell::default();
    let value = Table::visit(care, what.to_owned(), document, whole, &faults, build);
    let mut faults = faults.into_inner();
    faults.sort_by_key(|(at, _)| *at);
    // A loader may look at a key twice.
    faults.dedup();
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(faults.into_iter().map(|(_, fault)| fault).collect())
    }
}

/// Coming and going.
impl Table<'_> {
    pub(super) fn visit<T>(
        care: Care,
        what: String,
        entries: &DeTable<'_>,
        spot: Spot,
        faults: &Faults,
        build: impl FnOnce(&Table<'_>) -> T,
    ) -> T {
        let table = Table {
            what: what.into(),
            care,
            entries,
            spot,
            faults,
            asked: RefCell::default(),
            elsewhere: RefCell::default(),
            open: Cell::new(false),
        };
        let value = build(&table);
        table.finish();
        value
    }

    /// Every key that nobody asked for.
    fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.entries {
            let name: &str = key.get_ref();
            if asked.contains(&name) || self.open.get() {
                continue;
            }
            let spot = self.spot.over(key.span());
            let elsewhere = self.elsewhere.borrow();
            if let Some((_, sentence)) = elsewhere.iter().find(|(key, _)| *key == name) {
                self.add(spot.fault(sentence.clone()));
                continue;
            }
            let fault = spot.fault(format!(
                "{} has no key `{}`.",
                capital(&self.what.borrow()),
                plain(name)
            ));
            self.add(match did_you_mean(name, asked.iter().copied()) {
                Some(near) => fault.suggest(format!("Did you mean `{near}`?")),
                None => fault.suggest(format!("Its keys are {}.", asked.join(", "))),
            });
        }
    }
}

/// Faults and places.
impl<'r> Table<'r> {
    /// Gives the table a more telling name for its faults, once it is known.
    pub fn call(&self, what: &str) {
        what.clone_into(&mut self.what.borrow_mut());
    }

    /// Whether the texts of this file are still to be judged.
    pub fn is_judged(&self) -> bool {
        self.care == Care::Judge
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether `key` holds a table, where a value of its own would do as well.
    pub fn is_table(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_)))
    }

    /// The keys as they stand, for questions about the file as a whole.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(|key| &**key.get_ref())
    }

    /// Where the value of `key` stands; where the table begins if it is missing.
    pub fn spot(&self, key: &str) -> Spot {
        self.entries
            .get(key)
            .map_or_else(|| self.spot.clone(), |value| self.spot.over(value.span()))
    }

    /// Where the table begins.
    pub fn here(&self) -> &Spot {
        &self.spot
    }

    /// Notes a fault about the value of `key`.
    pub fn fault(&self, key: &str, sentence: impl Into<String>) {
        self.add(self.spot(key).fault(sentence));
    }

    /// Notes a fault about the table as a whole.
    pub fn fault_here(&self, sentence: impl Into<String>) {
        self.add(self.spot.fault(sentence));
    }

    pub fn add(&self, fault: Fault) {
        let at = (fault.line << 20) + fault.column;
        self.faults.borrow_mut().push((at, fault));
    }

    /// The sentence for a key that people write here although it belongs somewhere else.
    pub fn elsewhere(&self, key: &'static str, sentence: impl Into<String>) {
        self.elsewhere.borrow_mut().push((key, sentence.into()));
    }

    /// Says nothing about a key, whatever it holds.
    pub fn ignore(&self, key: &'static str) {
        self.ask(key);
    }

    /// A fault if `key` is missing; `example` is what to write behind the `=`.
    pub fn need(&self, key: &'static str, example: &str) -> bool {
        self.need_with(key, || example.to_owned())
    }

    pub(super) fn need_with(&self, key: &'static str, example: impl FnOnce() -> String) -> bool {
        let there = self.ask(key).is_some();
        if !there {
            let (what, example) = (capital(&self.what.borrow()), example());
            self.fault_here(format!("{what} needs `{key}`; write {key} = {example}."));
        }
        there
    }

    /// A fault if the table or list `key` is missing; `header` is how it begins.
    pub fn need_table(&self, key: &'static str, header: &str) -> bool {
        let there = self.ask(key).is_some();
        if !there {
            self.fault_here(format!(
                "{} needs `{header}` with its keys below it.",
                capital(&self.what.borrow())
            ));
        }
        there
    }

    pub(super) fn ask(&self, key: &'static str) -> Option<&'r Value<'r>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.entries.get(key)
    }

    /// Every key of a table whose keys are names, with its text and where that stands.
    pub fn any_texts(&self) -> Vec<(String, String, Spot)> {
        self.open.set(true);
        let mut texts = Vec::new();
        let mut keys: Vec<_> = self.entries.iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in keys {
            let spot = self.spot.over(value.span());
            match as_text(value.get_ref()) {
                Some(text) => texts.push((key.get_ref().to_string(), text, spot)),
                None => self.add(spot.fault(format!(
                    "`{}` must be a text in quotes, not {}.",
                    plain(key.get_ref()),
                    kind_of(value.get_ref())
                ))),
            }
        }
        texts
    }

    pub(super) fn typed<T>(
        &self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&'r DeValue<'r>) -> Option<T>,
    ) -> Option<T> {
        let found = self.ask(key)?.get_ref();
        let value = read(found);
        if value.is_none() {
            self.fault(key, format!("`{key}` must be {wanted}, not {}.", kind_of(found)));
        }
        value
    }
}

pub(super) fn as_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

pub(super) fn as_array<'r>(value: &'r DeValue<'r>) -> Option<&'r [Value<'r>]> {
    match value {
        DeValue::Array(items) => Some(items),
        _ => None,
    }
}

pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

pub(super) fn plain(key: &str) -> String {
    key.escape_debug().to_string()
}
