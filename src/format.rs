//! The ways a result is written, by the names that an argument has for them.

use clap::ValueEnum;

/// What a command tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    Text,
    Json,
}

/// What may also be put into a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextMarkdownOrJson {
    Text,
    Markdown,
    Json,
}

/// A document of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MarkdownHtmlOrJson {
    Markdown,
    /// One page without anything from outside
    Html,
    Json,
}

/// The result of a run of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OfChecks {
    /// For people
    Text,
    /// One object a line
    Json,
    /// For CI systems
    Junit,
    /// For the textfile collector
    Prometheus,
    /// For a pull request
    Markdown,
}
