//! What the operator asks for: the names in key maps, in the help and in the palette.
//!
//! A command is a wish, not a deed; what it comes to is decided by the screen that gets it. Knows no
//! key, no screen and no effect.

macro_rules! commands {
    ($($variant:ident $name:literal $help:literal)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Command {
            $(#[doc = $help] $variant,)*
        }

        impl Command {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// One line for the help and the palette.
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$variant => $help,)*
                }
            }
        }
    };
}

commands! {
    // Everywhere.
    Quit "quit" "leave the cockpit; the incident stays open and can be resumed"
    Help "help" "the keys that work here"
    Palette "palette" "find a command by its name, and do it"
    Back "back" "close this, or go back one screen"
    Interrupt "interrupt" "stop what is running; when nothing runs, ask to leave"
    Cancel "cancel" "stop what is running on the server"
    Suspend "suspend" "stop the program and return to the shell; `fg` comes back"
    Repaint "repaint" "draw the whole screen again"
    Theme "theme" "next theme"
    Mouse "mouse" "wheel and click for the cockpit, or back to the terminal"
    Oops "oops" "take the last key back: the box that was closed, the theme, the filter"
    Tour "tour" "the three cards of the first start"
    Journal "journal" "everything that was recorded, in order"
    Postmortem "postmortem" "the postmortem as it stands"
    Violations "violations" "the violations as a full screen"
    Incident "incident" "back to the step in work"
    Server "server" "what presses on the server, and what is promised there"
    Note "note" "write a note into the timeline"
    Refresh "refresh" "run it now"

    // Moving.
    Up "up" "one up"
    Down "down" "one down"
    Left "left" "to the left"
    Right "right" "to the right"
    PageUp "page-up" "one page up"
    PageDown "page-down" "one page down"
    HalfUp "half-page-up" "half a page up"
    HalfDown "half-page-down" "half a page down"
    First "first" "to the beginning"
    Last "last" "to the end"
    Open "open" "open what the cursor is on, or go on"
    Confirm "confirm" "go on to the next thing asked"

    // Lists and tables.
    Find "find" "find in the list"
    Search "search" "search in the table; matches are marked"
    NextMatch "next-match" "next match"
    PrevMatch "prev-match" "previous match"
    Filter "filter" "only rows that contain this; `column:text` looks in one column"
    Sort "sort" "sort by the column of the cursor"
    Reverse "reverse" "turn the order around"
    Columns "columns" "choose the columns"
    Wider "wider" "more room for the column of the cursor"
    Narrower "narrower" "less room for the column of the cursor"
    GoTo "go-to-row" "go to a row by its number"
    Changed "changed" "all rows, only new ones, only those gone, only those still there"
    Related "related" "rows that this one points to, that point to it, and its history"
    OpenCell "open-cell" "the value in full"
    OpenRow "open-row" "all of what the cursor is on: beside the list where there is room, else on top"
    Mark "mark" "mark this row"
    MarkAll "mark-all" "mark all rows that the filter lets through, or none"
    Export "export" "write the rows to a file"
    Copy "copy" "send cell, row, marked rows or keys, or the text of a box, to the clipboard of the terminal"

    // The timeline.
    ZoomIn "zoom-in" "show less time, and more of it"
    ZoomOut "zoom-out" "show more time, up to the whole incident"
    Pin "pin" "make this record part of the story, or not any more"
    Annotate "annotate" "say something about this record; it stands as it is"

    // Replay.
    NextMilestone "next-milestone" "to the next milestone"
    PrevMilestone "prev-milestone" "to the milestone before"
    Play "play" "go on by itself, or stop"
    Faster "faster" "go on by itself, faster"

    // Together.
    Card "handover-card" "the card for whoever goes on: known, tried, open, next"
    HandOver "hand-over" "answer whoever asks to take the incident over"
    TakeOver "take-over" "ask whoever works on the incident to hand it over"

    // Incidents and steps.
    NewIncident "new-incident" "open an incident on a runbook"
    CloseIncident "close-incident" "close the incident; asks first"
    Runbooks "runbooks" "all runbooks"
    NextStep "next-step" "look at the next step"
    PrevStep "prev-step" "look at the previous step"
    Skip "skip" "skip this step, with a reason"
    Milestone "milestone" "mark a milestone: contained, recovered, …"
    Severity "severity" "set the severity"
    Escalate "escalate" "whom to call, and to record that they were called"
    Comms "comms" "write an update for those who wait"
    Rows "rows" "look at the rows"

    // Changes.
    Preview "preview" "run the change, count everything it writes, and roll it back"
    FirstLook "first-look" "count and sample the rows of the change by reads; writes nothing"
    Approve "approve" "go on to the typed confirmation"
    AskSecond "ask-second" "ask a second person to agree: writes the request, and copies it"
    Signature "signature" "paste the signature of the second person"
    BreakGlass "break-glass" "go without a second person, with a reason that will be reviewed"
    Undo "undo" "take the change back; previewed first"
    Pause "pause" "pause a change in chunks, between two of them"
    Continue "continue" "let a paused change go on"
    Halt "halt" "stop a change in chunks, between two of them; what is done stays"
    Statements "statements" "the statements as they will run"
    Changes "changes" "the rows, before and after"
    Fold "fold" "unchanged columns folded away, or shown"
    Plan "plan" "how the database would run this; nothing is run"

    // Guardrails.
    Rehearse "rehearse" "try the guardrail, prove that it holds, and roll it back"
    Apply "apply" "set up the guardrail; asks first"
    Withdraw "withdraw" "take the guardrail away; asks first"

    // Writing.
    Edit "edit" "edit this part"
    ExternalEditor "external-editor" "edit in $VISUAL or $EDITOR"
    Save "save" "keep what was written"
    SeveralLines "several-lines" "write it on several lines"
    Clear "clear" "empty the box; undo brings it back"
    UndoTyping "undo-typing" "take back what was typed last"
    RedoTyping "redo-typing" "type it again"
    Read "read" "the text as it will be read, beside it or instead of it"
    Complete "complete" "complete the word"
}

impl Command {
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|command| command.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_by_its_name() {
        for command in Command::ALL {
            assert_eq!(Command::from_name(command.name()), Some(*command));
        }
        assert_eq!(Command::from_name("explode"), None);
    }
}
