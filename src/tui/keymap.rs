//! Which key asks for which command, in which mode; the file of a user laid over the one built in.
//!
//! Help, palette and the last line of every screen read it, so what is written beside a key is what
//! the key does. Knows commands by name and nothing about what they do.

pub mod key;

use crossterm::event::KeyEvent;

use super::command::Command;
use crate::source::{Fault, Spot, Table, read};
pub use key::Key;

macro_rules! contexts {
    ($($variant:ident $name:literal)*) => {
        /// A mode: what the keys are about just now.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Context {
            $($variant,)*
        }

        impl Context {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name of its table in files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

contexts! {
    Global "global"
    Home "home"
    Step "step"
    Table "table"
    Recovery "recovery"
    Guardrail "guardrail"
    Server "server"
    Journal "journal"
    Postmortem "postmortem"
    Replay "replay"
    Box "box"
    Text "text"
    Editor "editor"
}

impl Context {
    /// Letters are text here, none of them is a command.
    pub fn takes_text(self) -> bool {
        matches!(self, Self::Text | Self::Editor)
    }

    /// Something lies on top of the screen: only its own keys are commands, none of the global ones.
    fn is_on_top(self) -> bool {
        self.takes_text() || self == Self::Box
    }

    fn shares_keys_with(self, other: Self) -> bool {
        let beside = |a: Self, b: Self| a == Self::Global && !b.is_on_top();
        self == other || beside(self, other) || beside(other, self)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    context: Context,
    command: Command,
    keys: Vec<Key>,
    /// Where the user's file says so; none if it is built in.
    spots: Vec<Spot>,
}

/// What a command does in a mode: some mean something of their own there.
pub fn help(context: Context, command: Command) -> &'static str {
    use Context::{Home, Journal, Postmortem, Replay};
    match (context, command) {
        (Journal | Replay, Command::Filter) => {
            "the story, everything, changes or decisions: the next of them"
        }
        (Journal | Replay, Command::Search) => "find in the journal",
        (Journal, Command::NextMatch) => "next record of those that are listed",
        (Journal, Command::PrevMatch) => "previous record of those that are listed",
        (Journal | Replay, Command::Open) => "the record in full",
        (Journal, Command::Left) => "the stretch of time before",
        (Journal, Command::Right) => "the stretch of time behind",
        (Journal | Postmortem, Command::Export) => "where the file lies",
        (Postmortem, Command::NextStep) => "to the next part that is yours",
        (Postmortem, Command::PrevStep) => "to the part before that is yours",
        (Replay, Command::NextStep) => "to the next step",
        (Replay, Command::PrevStep) => "to the step before",
        (Replay, Command::Left) => "one record back",
        (Replay, Command::Right) => "one record on",
        (Replay, Command::First) => "to the first record",
        (Replay, Command::Last) => "to the last record",
        (Home, Command::Refresh) => "check all targets again",
        (_, command) => command.help(),
    }
}

/// One line of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'k> {
    pub context: Context,
    pub command: Command,
    pub keys: &'k [Key],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

/// The key map inside the program, commented: the pattern for one's own.
pub const BUILT_IN: &str = include_str!("keymap.toml");

impl Keymap {
    pub fn built_in() -> Self {
        let mut built_in = Self { bindings: Vec::new() }
            .overlay("keymap.toml", BUILT_IN)
            .expect("a test reads the built-in key map");
        // A conflict is told where the user's file says so, never in here.
        built_in.bindings.iter_mut().for_each(|binding| binding.spots.clear());
        built_in
    }

    /// The built-in keys with a user's file laid over them; every fault at once.
    pub fn parse(file: &str, source: &str) -> Result<Self, Vec<Fault>> {
        Self::built_in().overlay(file, source)
    }

    pub fn lookup(&self, context: Context, event: KeyEvent) -> Option<Command> {
        self.command_of(context, Key::event(event)?)
    }

    pub fn command_of(&self, context: Context, key: Key) -> Option<Command> {
        self.in_reach(context)
            .find(|binding| binding.keys.contains(&key))
            .map(|binding| binding.command)
    }

    /// The keys for a command, the one to show first.
    pub fn keys_for(&self, context: Context, command: Command) -> &[Key] {
        self.in_reach(context)
            .find(|binding| binding.command == command && !binding.keys.is_empty())
            .map_or(&[], |binding| &binding.keys)
    }

    /// The key to write beside a command; none if the user took it away.
    pub fn label(&self, context: Context, command: Command) -> Option<String> {
        self.keys_for(context, command).first().map(Key::to_string)
    }

    /// What can be asked for in this mode: its own commands first, then those of everywhere.
    pub fn entries(&self, context: Context) -> Vec<Entry<'_>> {
        self.in_reach(context)
            .map(|Binding { context, command, keys, .. }| Entry {
                context: *context,
                command: *command,
                keys,
            })
            .collect()
    }

    /// Bindings of the mode, then the global ones it does not replace.
    fn in_reach(&self, context: Context) -> impl Iterator<Item = &Binding> {
        let of = move |wanted| self.bindings.iter().filter(move |b| b.context == wanted);
        let global =
            (context != Context::Global && !context.is_on_top()).then_some(Context::Global);
        of(context).chain(
            global
                .into_iter()
                .flat_map(of)
                .filter(move |binding| !of(context).any(|own| own.command == binding.command)),
        )
    }

    fn overlay(mut self, file: &str, source: &str) -> Result<Self, Vec<Fault>> {
        read(file, "a key map", source, |table| {
            for context in Context::ALL {
                let what = format!("the mode `{}`", context.name());
                let bindings = table.table(context.name(), &what, |t| bindings(t, *context));
                for binding in bindings.unwrap_or_default() {
                    self.put(binding);
                }
            }
            for fault in self.conflicts() {
                table.add(fault);
            }
            self
        })
    }

    fn put(&mut self, binding: Binding) {
        let place = self
            .bindings
            .iter_mut()
            .find(|old| old.context == binding.context && old.command == binding.command);
        match place {
            Some(old) => *old = binding,
            None => self.bindings.push(binding),
        }
    }

    /// One key with two meanings, told where the user's file says so.
    fn conflicts(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (at, later) in self.bindings.iter().enumerate() {
            for earlier in &self.bindings[..at] {
                if !later.context.shares_keys_with(earlier.context)
                    || later.command == earlier.command
                {
                    continue;
                }
                for key in later.keys.iter().filter(|key| earlier.keys.contains(key)) {
                    faults.extend(conflict(*key, later, earlier));
                }
            }
        }
        faults
    }
}

fn conflict(key: Key, later: &Binding, earlier: &Binding) -> Option<Fault> {
    let spot_in = |binding: &Binding| {
        let at = binding.keys.iter().position(|other| *other == key)?;
        binding.spots.get(at).cloned()
    };
    let (spot, here, there) = match spot_in(later) {
        Some(spot) => (spot, later, earlier),
        None => (spot_in(earlier)?, earlier, later),
    };
    let sentence = format!(
        "`{key}` cannot mean `{}` in [{}]: it means `{}` in [{}].",
        here.command.name(),
        here.context.name(),
        there.command.name(),
        there.context.name(),
    );
    let suggestion = format!(
        "Take another key, or write {} = [] in [{}].",
        there.command.name(),
        there.context.name()
    );
    Some(spot.fault(sentence).suggest(suggestion))
}

fn bindings(table: &Table<'_>, context: Context) -> Vec<Binding> {
    let mut found = Vec::new();
    for command in Command::ALL {
        let texts = table.spotted_texts(command.name());
        if !table.has(command.name()) {
            continue;
        }
        let (mut keys, mut spots) = (Vec::new(), Vec::new());
        for (text, spot) in texts {
            match Key::parse(&text) {
                Ok(key) if context.takes_text() && key.is_text() => {
                    let name = context.name();
                    table.add(spot.fault(format!("`{key}` is text in [{name}], not a command.")));
                }
                Ok(key) => {
                    keys.push(key);
                    spots.push(spot);
                }
                Err((sentence, suggestion)) => {
                    let fault = spot.fault(sentence);
                    table.add(match suggestion {
                        Some(suggestion) => fault.suggest(suggestion),
                        None => fault,
                    });
                }
            }
        }
        found.push(Binding { context, command: *command, keys, spots });
    }
    found
}

#[cfg(test)]
mod tests;
