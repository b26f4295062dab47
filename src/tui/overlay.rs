//! Overlays: what asks or tells something on top of a screen, one at a time.
//!
//! A question has a purpose, and the answer goes to the one place that the purpose names. A box that
//! was not drawn yet takes no key: what was typed before it appeared was meant for something else.

pub mod answer;
pub mod comms;
pub mod escalation;
pub mod outside;
pub mod palette;
pub mod tour;
pub mod typed;
pub mod writing;

use std::time::Instant;

use crossterm::event::KeyEvent;

use super::case::Case;
use super::draft;
use super::keymap::Context;
use super::screen::recovery::rows;
use super::widget::prompt::Prompt;
use super::widget::roll::Roll;
use super::widget::scroll::Scroll;
use super::widget::wrap::{self, Line};
use crate::check::Severity;
use crate::consent::Question;
use crate::incident::entry::Milestone;
use crate::incident::handover::Card;
use crate::practice::Practice;
use crate::problem::Problem;
use crate::runbook::{Action, AnswerType, Expect};
use writing::Writing;

/// What an answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    Note,
    SkipReason,
    Evidence,
    Answer,
    Filter,
    Search,
    GoTo,
    Copy,
    Related,
    FindHome,
    FindJournal,
    Execute,
    /// Of a second person.
    Signature,
    BreakGlass,
    /// An act outside of a change, and what it is in words.
    Consent {
        question: Question,
        what: String,
    },
    Close,
    Leave,
    Target(String),
    /// Whether an incident is opened without its database.
    Unanswered {
        runbook: String,
        target: String,
        why: String,
    },
    Export,
    Escalate,
    Severity,
    SeverityReason(Severity),
    Milestone,
    MilestoneAt(Milestone),
    Decide,
    DecideReason(usize),
    Part(String),
    Annotate(u64),
    CommsText,
    AnswerChoice,
    /// What to say to whoever asks to take over.
    HandOver,
    TakeOver,
}

impl Purpose {
    /// The answer is about the step that lies before the operator.
    fn is_of_step(&self) -> bool {
        match self {
            Self::SkipReason
            | Self::Evidence
            | Self::Answer
            | Self::AnswerChoice
            | Self::Decide
            | Self::DecideReason(_)
            | Self::CommsText
            | Self::Execute
            | Self::Signature
            | Self::BreakGlass
            | Self::Consent { .. } => true,
            Self::Note
            | Self::Filter
            | Self::Search
            | Self::GoTo
            | Self::Copy
            | Self::Related
            | Self::FindHome
            | Self::FindJournal
            | Self::Close
            | Self::Leave
            | Self::Target(_)
            | Self::Unanswered { .. }
            | Self::Export
            | Self::Escalate
            | Self::Severity
            | Self::SeverityReason(_)
            | Self::Milestone
            | Self::MilestoneAt(_)
            | Self::Part(_)
            | Self::Annotate(_)
            | Self::HandOver
            | Self::TakeOver => false,
        }
    }
}

/// A question with one line for the answer.
#[derive(Debug)]
pub struct Ask {
    pub purpose: Purpose,
    pub question: String,
    /// What must be typed exactly.
    pub expected: Option<String>,
    pub prompt: Prompt,
    /// Why the last answer was not taken.
    pub refused: Option<String>,
    /// Line breaks that came together with the text, and nothing behind them yet.
    pub breaks: usize,
    /// Where the question is longer than the screen.
    pub scroll: Scroll,
}

impl Ask {
    pub fn new(purpose: Purpose, question: &str) -> Self {
        let question = question.to_owned();
        Self {
            purpose,
            question,
            expected: None,
            prompt: Prompt::new("> "),
            refused: None,
            breaks: 0,
            scroll: Scroll::default(),
        }
    }

    /// Asks for the words of an act that writes.
    pub fn consent(question: Question, what: &str, text: &str) -> Self {
        let expected = question.words();
        let what = what.to_owned();
        Self::new(Purpose::Consent { question, what }, text).expecting(&expected)
    }

    #[must_use]
    pub fn filled(self, text: &str) -> Self {
        Self { prompt: self.prompt.with_text(text), ..self }
    }

    #[must_use]
    pub fn expecting(self, text: &str) -> Self {
        Self { expected: Some(text.to_owned()), ..self }
    }
}

/// A list to choose one thing from.
#[derive(Debug)]
pub struct Choice {
    pub title: String,
    pub items: Vec<String>,
    pub at: usize,
    pub purpose: Purpose,
}

#[derive(Debug)]
pub enum Kind {
    Ask(Box<Ask>),
    Choice(Choice),
    /// The columns of the table that is looked at.
    Columns {
        at: usize,
    },
    Text {
        title: String,
        scroll: Scroll,
        /// What goes to the clipboard on demand.
        copy: Option<String>,
    },
    /// All rows of a change.
    Changes {
        rows: rows::All,
        roll: Roll,
    },
    /// The cards of the first start, and which of them is shown.
    Tour(usize),
    Writing(Box<Writing>),
    Comms(Box<comms::Comms>),
    Help {
        scroll: Scroll,
    },
    Palette(Box<palette::Palette>),
    Problem {
        problem: Problem,
        scroll: Scroll,
    },
}

#[derive(Debug)]
pub struct Overlay {
    pub kind: Kind,
    /// It stood on the screen at least once.
    pub drawn: bool,
}

impl Overlay {
    pub fn new(kind: Kind) -> Self {
        Self { kind, drawn: false }
    }

    pub fn ask(ask: Ask) -> Self {
        Self::new(Kind::Ask(Box::new(ask)))
    }

    pub fn choice(title: &str, items: Vec<String>, purpose: Purpose) -> Self {
        Self::new(Kind::Choice(Choice { title: title.to_owned(), items, at: 0, purpose }))
    }

    /// With the cursor there.
    #[must_use]
    fn at(mut self, at: usize) -> Self {
        if let Kind::Choice(choice) = &mut self.kind {
            choice.at = at;
        }
        self
    }

    pub fn text(title: &str, lines: Vec<Line>) -> Self {
        let (title, scroll) = (title.to_owned(), Scroll::new(lines));
        Self::new(Kind::Text { title, scroll, copy: None })
    }

    /// The card for whoever goes on.
    pub fn handover(card: &Card) -> Self {
        let mut lines = vec![wrap::plain(card.head())];
        for (heading, said) in card.sections() {
            lines.push(wrap::plain(heading.to_owned()));
            lines.extend(said.into_iter().map(|one| wrap::plain(format!("  {one}"))));
        }
        let (title, scroll) = ("Handover".to_owned(), Scroll::new(lines));
        Self::new(Kind::Text { title, scroll, copy: Some(crate::postmortem::escape::card(card)) })
    }

    /// Lines in the style of body text.
    pub fn plain(title: &str, lines: Vec<String>) -> Self {
        Self::text(title, lines.into_iter().map(wrap::plain).collect())
    }

    pub fn writing(writing: Writing) -> Self {
        Self::new(Kind::Writing(Box::new(writing)))
    }

    pub fn changes(rows: rows::All) -> Self {
        Self::new(Kind::Changes { rows, roll: Roll::default() })
    }

    pub fn tour() -> Self {
        Self::new(Kind::Tour(0))
    }

    pub fn help() -> Self {
        Self::new(Kind::Help { scroll: Scroll::default() })
    }

    pub fn problem(problem: Problem) -> Self {
        Self::new(Kind::Problem { problem, scroll: Scroll::default() })
    }

    /// The cursor stands on the severity as it is.
    pub fn severity(now: Option<Severity>, practice: &Practice) -> Self {
        let risk = |severity: &Severity| format!("{severity}  {}", practice.level(*severity).risk);
        let items = Severity::ALL.iter().map(risk).collect();
        let title = "Severity, by the risk to the business; when in doubt, the higher one";
        let at = Severity::ALL.iter().position(|one| Some(*one) == now);
        Self::choice(title, items, Purpose::Severity).at(at.unwrap_or(0))
    }

    pub fn milestone() -> Self {
        let items = Milestone::ALL.iter().map(|which| which.word().to_owned()).collect();
        Self::choice("Which milestone was reached?", items, Purpose::Milestone)
    }

    /// The options of a decision, the cursor on the proposed one.
    pub fn decide(case: &Case) -> Self {
        let Action::Decide(decide) = &case.step().action else {
            return Self::plain("", Vec::new());
        };
        let proposed = decide.options.iter().position(|option| {
            option.when.as_ref().is_some_and(|(check, expect)| {
                case.answer_of(check).is_some_and(|verdict| match expect {
                    Expect::Clear => verdict.is_clear(),
                    Expect::Violated => verdict.is_violated(),
                    Expect::Any => false,
                })
            })
        });
        let items = decide.options.iter().enumerate().map(|(number, option)| {
            let mark = if Some(number) == proposed { "   (proposed by the check)" } else { "" };
            format!("{}{mark}", option.label)
        });
        let items = items.collect();
        let mut question = decide.question.clone();
        let asked = case.checks_of_decision();
        if let Some(silent) = asked.iter().find(|check| case.answer_of(check).is_none()) {
            question.push_str(&format!("\n{silent} has not answered yet, and proposes nothing"));
        }
        Self::choice(&question, items, Purpose::Decide).at(proposed.unwrap_or(0))
    }

    /// A question of the runbook, as a list where it allows only some answers.
    pub fn question(case: &Case) -> Self {
        let Action::Ask(ask) = &case.step().action else { return Self::plain("", Vec::new()) };
        let given = case.incident.answers.get(&ask.var).or(ask.default.as_ref());
        match &ask.answer {
            AnswerType::Choice(items) => {
                let at = given.and_then(|given| items.iter().position(|item| item == given));
                Self::choice(&ask.question, items.clone(), Purpose::AnswerChoice)
                    .at(at.unwrap_or(0))
            }
            _ => {
                let given = given.cloned().unwrap_or_default();
                Self::ask(Ask::new(Purpose::Answer, &ask.question).filled(&given))
            }
        }
    }

    pub fn context(&self) -> Context {
        match self.kind {
            Kind::Writing(_) => Context::Editor,
            Kind::Ask(_) | Kind::Palette(_) => Context::Text,
            Kind::Choice(_)
            | Kind::Columns { .. }
            | Kind::Text { .. }
            | Kind::Changes { .. }
            | Kind::Tour(_)
            | Kind::Comms(_)
            | Kind::Help { .. }
            | Kind::Problem { .. } => Context::Box,
        }
    }

    /// It was shown, on a screen or line by line: from now on answers are taken.
    pub fn was_shown(&mut self) {
        self.drawn = true;
        match &mut self.kind {
            Kind::Ask(ask) => ask.prompt.arm(),
            Kind::Comms(comms) => comms.seen[comms.at] = true,
            _ => {}
        }
    }

    /// Somebody is writing in it: what comes in between must not take it away. Not the typed
    /// confirmations, which are begun anew.
    pub fn is_written_in(&self) -> bool {
        match &self.kind {
            Kind::Ask(ask) => ask.expected.is_none(),
            Kind::Writing(_) | Kind::Comms(_) => true,
            _ => false,
        }
    }

    /// Its answer is about the step that lay before the operator when it was asked.
    pub fn is_of_step(&self) -> bool {
        match &self.kind {
            Kind::Ask(ask) => ask.purpose.is_of_step(),
            Kind::Choice(choice) => choice.purpose.is_of_step(),
            Kind::Writing(writing) => writing.purpose.is_of_step(),
            Kind::Comms(_) => true,
            Kind::Columns { .. }
            | Kind::Text { .. }
            | Kind::Changes { .. }
            | Kind::Tour(_)
            | Kind::Help { .. }
            | Kind::Palette(_)
            | Kind::Problem { .. } => false,
        }
    }

    /// A key that is no command here: text, or a shortcut of a list.
    pub fn key(&mut self, event: KeyEvent, now: Instant) {
        match &mut self.kind {
            Kind::Ask(ask) => {
                ask.refused = None;
                let breaks = std::mem::take(&mut ask.breaks);
                if breaks > 0 && ask.prompt.is_burst(now) {
                    // More lines of a paste: they have room where a note is asked for.
                    if ask.purpose == Purpose::Note {
                        let text = format!("{}{}", ask.prompt.text(), "\n".repeat(breaks));
                        let mut writing = draft::note_on_lines(&text);
                        writing.editor.arm();
                        writing.key(event, now);
                        self.kind = Kind::Writing(Box::new(writing));
                        return;
                    }
                    ask.prompt.on_paste(" ", now);
                }
                ask.prompt.on_key(event, now);
            }
            Kind::Writing(writing) => writing.key(event, now),
            Kind::Palette(palette) => palette.key(event, now),
            Kind::Choice(_)
            | Kind::Columns { .. }
            | Kind::Text { .. }
            | Kind::Changes { .. }
            | Kind::Tour(_)
            | Kind::Comms(_)
            | Kind::Help { .. }
            | Kind::Problem { .. } => {}
        }
    }

    /// Pasted text is text, never a confirmation.
    pub fn paste(&mut self, text: &str, now: Instant) {
        match &mut self.kind {
            Kind::Ask(ask) => ask.prompt.on_paste(text, now),
            Kind::Writing(writing) => writing.paste(text, now),
            Kind::Palette(palette) => palette.paste(text, now),
            Kind::Choice(_)
            | Kind::Columns { .. }
            | Kind::Text { .. }
            | Kind::Changes { .. }
            | Kind::Tour(_)
            | Kind::Comms(_)
            | Kind::Help { .. }
            | Kind::Problem { .. } => {}
        }
    }
}
