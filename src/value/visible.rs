//! Untrusted text made visible and harmless: the only door from data to a terminal.
//!
//! Everything that a terminal would obey, hide or reorder is spelled out in ASCII: `\e`, `\n`,
//! `<U+202E>`. What stays keeps its width, so a column is where it was counted to be. Text comes as
//! segments, because `\e` that we wrote and `\e` that stood in the data differ only by style.
//! Knows no colour and no screen.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{ValueRef, hex};

/// The columns that a table spends on one value at most; the rest is behind "open".
pub const PREVIEW_COLUMNS: usize = 200;

/// More bytes than this are not looked at for a preview: marks can pile up without taking columns.
const PREVIEW_BYTES: usize = 4096;

/// The bytes of a binary value that are shown.
const PREVIEW_BINARY: usize = 16;

/// Marks on one letter; more is a stack that covers the lines above and below.
const MARKS_A_LETTER: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it stood in the data.
    Plain,
    /// A character spelled out, because the terminal would not have shown it.
    Escaped,
    /// Our words about the value: quotes around it, its size.
    Note,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    pub text: Cow<'a, str>,
    pub kind: Kind,
}

/// What kind of value a cell shows; it decides style and alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    Null,
    Empty,
    Binary,
    Number,
    Text,
}

/// One value, ready to be drawn on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a> {
    pub segments: Vec<Segment<'a>>,
    pub kind: CellKind,
}

impl Shown<'_> {
    /// Columns taken on the terminal.
    pub fn width(&self) -> usize {
        self.segments.iter().map(|segment| width(&segment.text)).sum()
    }

    /// Without styles.
    pub fn text(&self) -> String {
        self.segments.iter().map(|segment| segment.text.as_ref()).collect()
    }
}

/// The columns that harmless text takes on the terminal.
///
/// A sum over characters, as terminals count. The width of the whole string would see ligatures
/// (Arabic lam-alef) that no terminal draws in one cell.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().filter_map(char::width).sum()
}

/// The longest head of harmless text that fits, and the columns it takes.
pub fn head(text: &str, columns: usize) -> (&str, usize) {
    if text.len() <= columns && text.is_ascii() {
        return (text, text.len());
    }
    let mut taken = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        let wide = width(cluster);
        if taken + wide > columns {
            return (&text[..at], taken);
        }
        taken += wide;
    }
    (text, taken)
}

/// The text in its harmless form, without styles. Doing it twice changes nothing.
pub fn text(source: &str) -> Cow<'_, str> {
    let mut parts = segments(source);
    match parts.len() {
        0 => Cow::Borrowed(""),
        1 => parts.remove(0).text,
        _ => Cow::Owned(parts.iter().map(|part| part.text.as_ref()).collect()),
    }
}

/// Real line breaks stay line breaks, everything else is made visible: for one value in full.
pub fn multi_line(source: &str) -> Vec<String> {
    source.split('\n').map(|line| text(line).into_owned()).collect()
}

/// Text for an input field: hidden characters are taken out instead of spelled out, because what is
/// written there is kept as it stands. Line breaks stay; tabs and odd spaces become spaces.
pub fn typed(source: &str) -> String {
    source
        .chars()
        .filter_map(|c| match c {
            '\n' => Some('\n'),
            _ if is_hidden(c) => (c.is_whitespace() && c != '\r').then_some(' '),
            _ => Some(c),
        })
        .collect()
}

/// The text in its harmless form: pieces of the data and characters spelled out.
pub fn segments(source: &str) -> Vec<Segment<'_>> {
    if source.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        let plain = Segment { text: Cow::Borrowed(source), kind: Kind::Plain };
        return if source.is_empty() { Vec::new() } else { vec![plain] };
    }
    let mut out = Writer { source, out: Vec::new(), plain_from: 0 };
    for (at, cluster) in source.grapheme_indices(true) {
        out.cluster(at, cluster);
    }
    out.plain_until(source.len());
    out.out
}

struct Writer<'a> {
    source: &'a str,
    out: Vec<Segment<'a>>,
    plain_from: usize,
}

impl<'a> Writer<'a> {
    fn cluster(&mut self, at: usize, cluster: &'a str) {
        // What stays of the cluster: one base and its marks, without a gap.
        let (mut from, mut end, mut columns, mut marks) = (0, 0, 0, 0);
        for (offset, c) in cluster.char_indices() {
            let wide = c.width().unwrap_or(0);
            if offset != end {
                (from, end, columns, marks) = (offset, offset, 0, 0);
            }
            marks += usize::from(wide == 0);
            let longer = &cluster[from..offset + c.len_utf8()];
            let stays = !is_hidden(c)
                && columns + wide > 0
                && marks <= MARKS_A_LETTER
                // Emoji with a skin tone and the like: terminals disagree about their width.
                && longer.width() == columns + wide;
            if stays {
                end = offset + c.len_utf8();
                columns += wide;
            } else {
                self.escape(at + offset, c);
            }
        }
    }

    fn plain_until(&mut self, end: usize) {
        if self.plain_from < end {
            let text = Cow::Borrowed(&self.source[self.plain_from..end]);
            self.out.push(Segment { text, kind: Kind::Plain });
        }
    }

    fn escape(&mut self, at: usize, c: char) {
        self.plain_until(at);
        self.plain_from = at + c.len_utf8();
        if let Some(Segment { text, kind: Kind::Escaped }) = self.out.last_mut() {
            spell(text.to_mut(), c);
        } else {
            let mut text = String::new();
            spell(&mut text, c);
            self.out.push(Segment { text: Cow::Owned(text), kind: Kind::Escaped });
        }
    }
}

/// ASCII only, so that it can be read in a terminal without UTF-8.
fn spell(out: &mut String, c: char) {
    let _ = match c {
        '\u{1b}' => out.write_str("\\e"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\0'..='\u{9f}' => write!(out, "\\x{:02x}", u32::from(c)),
        _ => write!(out, "<U+{:04X}>", u32::from(c)),
    };
}

/// Characters that a terminal obeys, hides, reorders with, or draws as an ordinary space.
///
/// Written out, because the standard library knows only `Cc`: `Cf`, `Zl`, `Zp`, `Zs` but the
/// ordinary and the ideographic space, `Default_Ignorable_Code_Point`, noncharacters; and the two
/// half-width sound marks, which are counted as none, one or two columns by different programs.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{34f}'
        | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
        | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{1680}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ff9e}'..='\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// One value on one line: NULL, the empty text, a binary value and spaces at the edges can be told
/// from text that looks like them, and a value of a gigabyte costs no more than its beginning.
pub fn cell(value: ValueRef<'_>) -> Shown<'_> {
    part(value, None)
}

/// The same of a value of which only the beginning is at hand, with how many bytes it has.
pub fn part(value: ValueRef<'_>, whole: Option<u64>) -> Shown<'_> {
    let whole = whole.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let (segments, kind) = match value {
        ValueRef::Null => (vec![plain("NULL")], CellKind::Null),
        ValueRef::Integer(_) | ValueRef::Real(_) => {
            (vec![plain(value.plain().unwrap_or_default())], CellKind::Number)
        }
        ValueRef::Bytes(bytes) => (binary(bytes, whole.unwrap_or(bytes.len())), CellKind::Binary),
        ValueRef::Text("") => (vec![note("''")], CellKind::Empty),
        ValueRef::Text(text) => (preview(text, whole.unwrap_or(text.len())), CellKind::Text),
    };
    Shown { segments, kind }
}

fn binary(bytes: &[u8], whole: usize) -> Vec<Segment<'static>> {
    let dots = if whole > PREVIEW_BINARY { "..." } else { "" };
    let digits = hex(&bytes[..bytes.len().min(PREVIEW_BINARY)]);
    vec![plain(digits), note(format!("{dots} {}", size(whole)))]
}

fn preview(source: &str, whole: usize) -> Vec<Segment<'_>> {
    let looked_at = &source[..source.floor_char_boundary(PREVIEW_BYTES)];
    let mut parts = cut(segments(looked_at), PREVIEW_COLUMNS);
    let shown_whole = looked_at.len() == whole && parts.1;
    // Quotes where the eye could be deceived: spaces at an edge, and the text "NULL".
    let deceives = source.starts_with(' ') || source.ends_with(' ') || source == "NULL";
    if deceives {
        parts.0.insert(0, note("'"));
    }
    if !shown_whole {
        parts.0.push(note(format!("... {}", size(whole))));
    } else if deceives {
        parts.0.push(note("'"));
    }
    parts.0
}

/// The segments that fit, and whether that is all of them.
fn cut(parts: Vec<Segment<'_>>, columns: usize) -> (Vec<Segment<'_>>, bool) {
    let mut left = columns;
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        let (fits, taken) = head(&part.text, left);
        left -= taken;
        if fits.len() < part.text.len() {
            let text = Cow::Owned(fits.to_owned());
            kept.push(Segment { text, kind: part.kind });
            return (kept, false);
        }
        kept.push(part);
    }
    (kept, true)
}

/// Bytes for the reader, decimal units.
pub fn size(bytes: usize) -> String {
    const UNITS: [(usize, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None if bytes == 1 => "1 byte".into(),
        None => format!("{bytes} bytes"),
    }
}

fn plain(text: impl Into<Cow<'static, str>>) -> Segment<'static> {
    Segment { text: text.into(), kind: Kind::Plain }
}

fn note(text: impl Into<Cow<'static, str>>) -> Segment<'static> {
    Segment { text: text.into(), kind: Kind::Note }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_spelled_out() {
        for (source, seen) in [
            ("a\u{1b}[31mred", "a\\e[31mred"),
            ("two\r\nlines\tand a tab", "two\\r\\nlines\\tand a tab"),
            ("bell\u{7} nul\0 csi\u{9b}", "bell\\x07 nul\\x00 csi\\x9b"),
            ("invoice\u{202e}fdp.exe", "invoice<U+202E>fdp.exe"),
            ("ad\u{200b}min", "ad<U+200B>min"),
            ("tag\u{e0041}", "tag<U+E0041>"),
            ("heart\u{2764}\u{fe0f}", "heart\u{2764}<U+FE0F>"),
            ("no\u{a0}break", "no<U+00A0>break"),
            ("👩\u{200d}🚀", "👩<U+200D>🚀"),
            ("👍🏽", "👍<U+1F3FD>"),
            ("\u{301}alone", "<U+0301>alone"),
            ("Zoë Müller 日本語 e\u{301}", "Zoë Müller 日本語 e\u{301}"),
        ] {
            assert_eq!(text(source), seen);
        }
    }

    #[test]
    fn an_escape_of_ours_differs_from_one_in_the_data() {
        let kinds = |source| segments(source).iter().map(|part| part.kind).collect::<Vec<_>>();
        assert_eq!(kinds("\\e"), [Kind::Plain]);
        assert_eq!(kinds("\u{1b}"), [Kind::Escaped]);
    }

    #[test]
    fn a_stack_of_marks_does_not_grow() {
        let zalgo = format!("a{}", "\u{301}".repeat(6));
        assert_eq!(text(&zalgo), format!("a{}<U+0301><U+0301>", "\u{301}".repeat(4)));
    }

    #[test]
    fn values_that_look_alike_can_be_told_apart() {
        let shown = |value: ValueRef<'static>| (cell(value).text(), cell(value).kind);
        assert_eq!(shown(ValueRef::Null), ("NULL".into(), CellKind::Null));
        assert_eq!(shown(ValueRef::Text("NULL")), ("'NULL'".into(), CellKind::Text));
        assert_eq!(shown(ValueRef::Text("")), ("''".into(), CellKind::Empty));
        assert_eq!(shown(ValueRef::Text("Ada ")), ("'Ada '".into(), CellKind::Text));
        assert_eq!(shown(ValueRef::Integer(-7)), ("-7".into(), CellKind::Number));
        assert_eq!(shown(ValueRef::Bytes(&[0, 255])), ("0x00ff 2 bytes".into(), CellKind::Binary));
    }

    #[test]
    fn a_huge_value_shows_its_beginning_and_its_size() {
        let huge = "x".repeat(1_234_567);
        let shown = cell(ValueRef::Text(&huge));
        assert_eq!(shown.text(), format!("{}... 1.2 MB", "x".repeat(PREVIEW_COLUMNS)));
        assert!(cell(ValueRef::Bytes(&[7; 99])).text().ends_with("07... 99 bytes"));
    }

    #[test]
    fn a_value_in_full_keeps_its_lines() {
        assert_eq!(multi_line("a\r\nb\u{1b}c\n"), ["a\\r", "b\\ec", ""]);
    }

    #[test]
    fn what_is_pasted_into_a_field_loses_what_cannot_be_seen() {
        assert_eq!(typed("a\tb\u{a0}c\u{202e}d\u{1b}[31m\r\ne"), "a b cd[31m\ne");
    }

    fn nasty() -> impl Strategy<Value = String> {
        let one = prop_oneof![
            any::<char>(),
            prop::char::range('\0', '\u{ff}'),
            prop::char::range('\u{300}', '\u{36f}'),
            prop::char::range('\u{200b}', '\u{206f}'),
            prop::char::range('\u{1100}', '\u{11ff}'),
            prop::char::range('\u{1780}', '\u{17df}'),
            prop::char::range('\u{900}', '\u{97f}'),
            prop::char::range('\u{1f1e6}', '\u{1f1ff}'),
            prop::char::range('\u{1f3f0}', '\u{1f4ff}'),
            prop::sample::select(vec!['a', '3', '\u{20e3}', '\u{fe0f}', '\u{200d}', 'ل', 'ا']),
        ];
        prop::collection::vec(one, 0..24).prop_map(|chars| chars.into_iter().collect())
    }

    /// What stood in the data, out of what is shown of it.
    fn back(shown: &[Segment<'_>]) -> String {
        let mut out = String::new();
        for segment in shown {
            let mut rest = segment.text.as_ref();
            while segment.kind == Kind::Escaped && !rest.is_empty() {
                let (code, length) = match rest.as_bytes() {
                    [b'\\', b'e', ..] => (0x1b, 2),
                    [b'\\', b'n', ..] => (0x0a, 2),
                    [b'\\', b'r', ..] => (0x0d, 2),
                    [b'\\', b't', ..] => (0x09, 2),
                    [b'\\', b'x', ..] => (u32::from_str_radix(&rest[2..4], 16).unwrap(), 4),
                    _ => {
                        let end = rest.find('>').unwrap();
                        (u32::from_str_radix(&rest["<U+".len()..end], 16).unwrap(), end + 1)
                    }
                };
                out.push(char::from_u32(code).unwrap());
                rest = &rest[length..];
            }
            out.push_str(rest);
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_is_spelled_out_can_be_read_back(source in nasty()) {
            prop_assert_eq!(back(&segments(&source)), source);
        }

        /// Told by properties of Unicode that are written down here once more.
        #[test]
        fn no_control_no_direction_no_tag_and_nothing_without_width_is_left(source in nasty()) {
            let shown = [text(&source).into_owned(), multi_line(&source).concat(), typed(&source)];
            for c in shown.iter().flat_map(|shown| shown.chars()).filter(|c| *c != '\n') {
                prop_assert!(!c.is_control(), "{c:?}");
                let code = u32::from(c);
                let turns = [0x61c, 0x200e, 0x200f].contains(&code)
                    || (0x202a..=0x202e).contains(&code)
                    || (0x2066..=0x2069).contains(&code);
                let unseen = (0x200b..=0x200d).contains(&code) || [0x2060, 0xfeff].contains(&code);
                prop_assert!(!turns && !unseen && !(0xe0000..=0xe007f).contains(&code), "{c:?}");
            }
        }

        #[test]
        fn nothing_hidden_is_left_and_widths_add_up(source in nasty()) {
            let shown = text(&source);
            prop_assert!(!shown.contains(is_hidden), "{shown:?}");
            for cluster in shown.graphemes(true) {
                let wide = width(cluster);
                prop_assert!(wide > 0, "{cluster:?} takes no column");
                prop_assert_eq!(wide, cluster.width(), "{:?}", cluster);
            }
            let twice = text(&shown);
            prop_assert_eq!(&twice, &shown, "twice is once");
            prop_assert!(cell(ValueRef::Text(&source)).width() <= PREVIEW_COLUMNS + 16);
        }
    }
}
