//! One thing that is wrong in a file, where it stands, and how it is drawn.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};

use super::literal;
use super::mask::{Masked, mask};
use super::suggest::{did_you_mean, quoted};

/// A place in a file that was read; cheap to keep for questions that come up later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    file: Arc<str>,
    /// The text of the file, with its secrets hidden at equal length.
    shown: Arc<Masked>,
    span: Range<usize>,
}

impl Spot {
    pub(super) fn new(file: Arc<str>, shown: Arc<Masked>, span: Range<usize>) -> Self {
        Self { file, shown, span }
    }

    /// Another place in the same file.
    #[must_use]
    pub(super) fn over(&self, span: Range<usize>) -> Self {
        Self { span, ..self.clone() }
    }

    /// A part of the text value that stands here; the whole value if it cannot be found.
    #[must_use]
    pub fn within(&self, value: &str, part: Range<usize>) -> Self {
        let raw = self.shown.as_str().get(self.span.clone()).unwrap_or_default();
        let offset = |decoded| literal::offset(raw, value, decoded);
        match (offset(part.start), offset(part.end)) {
            (Some(start), Some(end)) => self.over(self.span.start + start..self.span.start + end),
            _ => self.clone(),
        }
    }

    pub fn fault(&self, sentence: impl Into<String>) -> Fault {
        let text = self.shown.as_str();
        let before = text.get(..self.span.start.min(text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Fault {
            file: normalize_untrusted_str(&mask(&self.file)),
            line: self.line(),
            column: before[line_start..].chars().count() + 1,
            sentence: sentence.into(),
            suggestion: None,
            spot: Some(self.clone()),
        }
    }

    /// The fault of a name that stands here and that nothing has.
    pub fn unknown(&self, what: &str, name: &str, known: &[&str]) -> Option<Fault> {
        if known.contains(&name) {
            return None;
        }
        let fault = self.fault(format!("There is no {what} {}.", quoted(name)));
        Some(match did_you_mean(name, known.iter().copied()) {
            Some(near) => fault.suggest(format!("Did you mean \"{near}\"?")),
            None if known.is_empty() => fault,
            None => fault.suggest(format!("There are {}.", known.join(", "))),
        })
    }

    /// The line of the file, counted from 1.
    pub fn line(&self) -> usize {
        self.shown.line(self.span.start)
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// The part to underline: never more than one line, never beyond the text.
    fn underlined(&self) -> Range<usize> {
        let text = self.shown.as_str();
        let start = self.span.start.min(text.len());
        let end = self.span.end.clamp(start, text.len());
        let line = text.get(start..end).unwrap_or_default();
        start..start + line.find(['\n', '\r']).unwrap_or(line.len())
    }
}

/// What a judge of one text says: a sentence, and which part of the text it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub sentence: String,
    pub part: Option<Range<usize>>,
    pub suggestion: Option<String>,
    /// It keeps the text from one engine, and from no other that it is for.
    pub of_engine: bool,
}

impl Complaint {
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), part: None, suggestion: None, of_engine: false }
    }

    #[must_use]
    pub fn over(mut self, part: Range<usize>) -> Self {
        self.part = Some(part);
        self
    }
}

/// What is wrong, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file; or the variable or argument that a value came from.
    pub file: String,
    /// From 1; 0 when it is about no place in a text.
    pub line: usize,
    pub column: usize,
    pub sentence: String,
    pub suggestion: Option<String>,
    spot: Option<Spot>,
}

impl Fault {
    /// About a file (or a variable, an argument) as a whole.
    pub fn whole(file: &str, sentence: impl Into<String>) -> Self {
        Self {
            file: normalize_untrusted_str(&mask(file)),
            line: 0,
            column: 0,
            sentence: sentence.into(),
            suggestion: None,
            spot: None,
        }
    }

    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    fn group(&self) -> Group<'_> {
        let title = Level::ERROR.primary_title(normalize_untrusted_str(&self.sentence));
        let group = match &self.spot {
            Some(spot) => title.element(
                Snippet::source(spot.shown.as_str())
                    .path(self.file.as_str())
                    .annotation(AnnotationKind::Primary.span(spot.underlined())),
            ),
            None => title.element(Origin::path(self.file.as_str())),
        };
        match &self.suggestion {
            Some(suggestion) => {
                group.element(Level::HELP.message(normalize_untrusted_str(suggestion)))
            }
            None => group,
        }
    }
}

/// One line, for logs and for tests: `file:line:column: sentence suggestion`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.sentence)?;
        self.suggestion.as_ref().map_or(Ok(()), |suggestion| write!(f, " {suggestion}"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Coloured,
}

/// Every fault with its line of the file, one after the other.
pub fn render(faults: &[Fault], paint: Paint) -> String {
    let renderer = match paint {
        Paint::Plain => Renderer::plain(),
        Paint::Coloured => Renderer::styled(),
    };
    faults.iter().map(|fault| renderer.render(&[fault.group()])).collect::<Vec<_>>().join("\n\n")
}
