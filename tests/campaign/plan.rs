//! What may happen: the work, the fault, the moment; and which of them a run gets. A run is known by
//! seed and number alone, so that any part of a campaign can be run by itself.

use std::fmt;

use steadyhand::dialect::Dialect;

use crate::common::dice::Dice;

/// What is written when the fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    Change,
    Undo,
    /// A change in three chunks.
    Chunks,
    UndoOfChunks,
}

impl Work {
    pub const ALL: [Self; 4] = [Self::Change, Self::Undo, Self::Chunks, Self::UndoOfChunks];

    pub fn is_in_chunks(self) -> bool {
        matches!(self, Self::Chunks | Self::UndoOfChunks)
    }

    pub fn is_undo(self) -> bool {
        matches!(self, Self::Undo | Self::UndoOfChunks)
    }

    /// The records of it, from the preview on.
    fn records(self) -> &'static [&'static str] {
        if self.is_in_chunks() {
            &[
                "previewed",
                "chunks-planned",
                "approved",
                "execution-started",
                "chunk-sent:1",
                "chunk-ended:1",
                "chunk-sent:2",
                "chunk-ended:2",
                "chunk-sent:3",
                "chunk-ended:3",
                "ended",
                "verified",
            ]
        } else {
            &[
                "previewed",
                "approved",
                "execution-started",
                "undo-written",
                "commit-sent",
                "ended",
                "verified",
            ]
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Change => "change",
            Self::Undo => "undo",
            Self::Chunks => "chunks",
            Self::UndoOfChunks => "undo of chunks",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Kill,
    HangUp,
    Terminate,
    StopAndGoOn,
    DiskFull,
    ReadOnly,
    ClockBack,
    ServerKilled,
    ServerRestarted,
    FailedOver,
    Cut,
    Stalled,
    Slow,
}

impl Fault {
    const ANYWHERE: [Self; 7] = [
        Self::Kill,
        Self::HangUp,
        Self::Terminate,
        Self::StopAndGoOn,
        Self::DiskFull,
        Self::ReadOnly,
        Self::ClockBack,
    ];
    const OF_SERVERS: [Self; 6] = [
        Self::ServerKilled,
        Self::ServerRestarted,
        Self::FailedOver,
        Self::Cut,
        Self::Stalled,
        Self::Slow,
    ];

    /// The process does not go on after it.
    pub fn ends(self) -> bool {
        matches!(self, Self::Kill | Self::HangUp | Self::Terminate)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kill => "SIGKILL",
            Self::HangUp => "SIGHUP",
            Self::Terminate => "SIGTERM",
            Self::StopAndGoOn => "SIGSTOP, SIGCONT",
            Self::DiskFull => "disk full",
            Self::ReadOnly => "read-only disk",
            Self::ClockBack => "clock jumps back",
            Self::ServerKilled => "server killed",
            Self::ServerRestarted => "server restarted",
            Self::FailedOver => "failed over",
            Self::Cut => "network cut",
            Self::Stalled => "network stalled",
            Self::Slow => "network slow",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// As the program names its records to itself: `before:ended`, `after:chunk-sent:2`.
    Record(String),
    /// The so-and-so-many-th message after the confirmation.
    Message(usize, Reach),
}

/// How far a message has come when the fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Held,
    Part,
    Answered,
}

impl Moment {
    /// Nothing was confirmed yet.
    pub fn is_of_preview(&self) -> bool {
        let of_preview = |at: &str| at.ends_with(":previewed") || at.ends_with(":chunks-planned");
        matches!(self, Self::Record(at) if of_preview(at))
    }

    /// Under which name it is counted.
    pub fn kind(&self) -> String {
        match self {
            Self::Record(at) => {
                at.trim_end_matches(|c: char| c.is_ascii_digit() || c == ':').replace(':', " ")
            }
            Self::Message(_, Reach::Held) => "message held".into(),
            Self::Message(_, Reach::Part) => "message in part".into(),
            Self::Message(_, Reach::Answered) => "message answered".into(),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(at) => f.write_str(at),
            Self::Message(number, _) => write!(f, "{} {number}", self.kind()),
        }
    }
}

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub number: u64,
    pub work: Work,
    pub fault: Fault,
    pub moment: Moment,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, work, fault, moment } = self;
        write!(f, "run {number}: {work}, {fault} at {moment}")
    }
}

impl Plan {
    /// Every fault comes in turn; work and moment are diced. `messages` says how many a work sends.
    pub fn draw(
        dialect: Dialect,
        seed: u64,
        number: u64,
        messages: impl Fn(Work) -> usize,
    ) -> Self {
        let mut dice = Dice::of(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let of_servers: &[Fault] =
            if dialect == Dialect::Sqlite { &[] } else { &Fault::OF_SERVERS };
        let all = [&Fault::ANYWHERE, of_servers].concat();
        let turn = usize::try_from(number).expect("a campaign is not that long");
        let fault = all[turn % all.len()];
        let work = *dice.pick(&Work::ALL);
        let at_a_message = dialect != Dialect::Sqlite
            && fault != Fault::ClockBack
            && dice.below(if of_servers.contains(&fault) { 2 } else { 3 }) == 0;
        let moment = if at_a_message {
            let reach = *dice.pick(&[Reach::Held, Reach::Part, Reach::Answered]);
            Moment::Message(dice.below(messages(work)), reach)
        } else {
            let when = dice.pick(&["before", "after"]);
            Moment::Record(format!("{when}:{}", dice.pick(work.records())))
        };
        Self { number, work, fault, moment }
    }
}
