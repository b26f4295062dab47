//! Known: what a row was before a transaction and what became of it, in the form in which an undo keeps it.
//!
//! To write what it was and to digest it is most of the work on an image, and it asks nothing of what becomes
//! of the row: where somebody else still writes, it is done meanwhile.

use serde::{Deserialize, Serialize};

use super::{Value, ValueRef};
use crate::digest::{Running, Sum};

#[derive(Debug)]
pub struct Known {
    key: Vec<Value>,
    before: Option<Vec<Value>>,
    begun: Option<Begun>,
}

/// What became of a row: what did not change is not kept twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum After {
    Gone,
    Whole(Vec<Value>),
    /// Columns by their number, and what they hold now.
    Changed(Vec<(usize, Value)>),
}

/// The beginning of a line, `[key,before`.
#[derive(Debug)]
struct Begun {
    line: Vec<u8>,
    digest: Running,
    /// Its digest, of a row that existed.
    print: Option<Sum>,
}

/// A row as an undo keeps it.
#[derive(Debug)]
pub struct Line {
    pub text: Vec<u8>,
    /// The digest of its key and of what it was, if it existed.
    pub before: Option<Sum>,
    /// The digest of the text.
    pub whole: Sum,
}

impl Known {
    /// Key and values; of a row that did not exist there are none.
    pub fn of(key: Vec<Value>, before: Option<Vec<Value>>) -> Self {
        Self { key, before, begun: None }
    }

    pub fn key(&self) -> &[Value] {
        &self.key
    }

    pub fn before(&self) -> Option<&Vec<Value>> {
        self.before.as_ref()
    }

    /// Does what can be done before it is known what becomes of the row.
    pub fn begin(&mut self) {
        self.begun.get_or_insert_with(|| Begun::of(&self.key, self.before.as_ref()));
    }

    /// What became of it, given what is there now.
    pub fn after<N>(&self, now: Option<Vec<N>>) -> After
    where
        for<'n> ValueRef<'n>: From<&'n N>,
        Value: From<N>,
    {
        match (&self.before, now) {
            (_, None) => After::Gone,
            (Some(before), Some(now)) if before.len() == now.len() => {
                let pairs = before.iter().zip(now).enumerate();
                let changed = pairs.filter(|(_, (was, now))| !identical(was.as_ref(), now.into()));
                After::Changed(changed.map(|(at, (_, now))| (at, now.into())).collect())
            }
            (_, Some(now)) => After::Whole(now.into_iter().map(Value::from).collect()),
        }
    }

    /// The whole line, given what became of the row.
    pub fn finish(&mut self, after: &After) -> Line {
        let begun = self.begun.take();
        let begun = begun.unwrap_or_else(|| Begun::of(&self.key, self.before.as_ref()));
        let Begun { line: mut text, mut digest, print } = begun;
        let known = text.len();
        text.push(b',');
        write(&mut text, after);
        text.extend_from_slice(b"]\n");
        digest.eat(&text[known..]);
        Line { text, before: print, whole: digest.into() }
    }

    /// How many bytes of memory it takes, about.
    pub fn weight(&self) -> usize {
        let values = self.key.iter().chain(self.before.iter().flatten());
        let line = self.begun.as_ref().map_or(0, |begun| begun.line.capacity());
        size_of::<Self>() + values.map(Value::weight).sum::<usize>() + line
    }

    pub fn into_parts(self) -> (Vec<Value>, Option<Vec<Value>>) {
        (self.key, self.before)
    }
}

impl After {
    /// What is there now of a row that was this before; `None` if it cannot have been.
    pub fn row(self, before: Option<&Vec<Value>>) -> Option<Option<Vec<Value>>> {
        Some(match self {
            Self::Gone => None,
            Self::Whole(now) => Some(now),
            Self::Changed(changed) => {
                let mut now = before.cloned().unwrap_or_default();
                for (at, value) in changed {
                    *now.get_mut(at)? = value;
                }
                Some(now)
            }
        })
    }
}

/// Equal to the last bit: two zeros or two NaN may differ in theirs.
fn identical(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

impl Begun {
    fn of(key: &[Value], before: Option<&Vec<Value>>) -> Self {
        let values = key.iter().chain(before.into_iter().flatten());
        // A value has its kind written before it; what became of a row is mostly short.
        let size: usize = values.map(|value| value.raw().len() + 24).sum();
        let mut line = Vec::with_capacity(size + 96);
        line.push(b'[');
        write(&mut line, &key);
        line.push(b',');
        write(&mut line, &before);
        let mut digest = Running::default();
        digest.eat(&line);
        let print = before.map(|_| digest.clone().into());
        Self { line, digest, print }
    }
}

fn write(line: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(line, value).expect("values are plain data, and memory takes them");
}
