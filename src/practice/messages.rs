//! The words for those who wait, where a runbook has none of its own.

use super::Practice;
use crate::runbook::load;
use crate::source::{Spot, Table};

/// One occasion, in the words of three audiences.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub name: String,
    /// Technical, business, executive.
    pub texts: [String; 3],
    pub spot: Spot,
}

/// What is used when somebody wants to say something at any time.
pub const UPDATE: &str = "update";

pub(super) fn read(table: &Table<'_>) -> Vec<Message> {
    table.named("message", "a message", |name, table| Message {
        name: name.to_owned(),
        texts: load::texts(table),
        spot: table.here().clone(),
    })
}

impl Practice {
    pub fn message(&self, name: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.name == name)
    }
}
