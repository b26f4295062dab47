//! Who may name whom.
//!
//! Reads every file under `src/`, takes comments, strings and test modules out, resolves the paths
//! that are left (`crate::`, `self::`, `super::`, imported names) and holds them against the tables
//! below. A broken rule fails with its sentence. To add a module, add its row to `LAYERS`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What everybody may name, and what names nothing but itself.
const LEAVES: &[&str] = &[
    "value",
    "dialect",
    "digest",
    "clock",
    "problem",
    "exit",
    "format",
    "rights",
    "files",
    "signature",
    "sql",
    "source",
];

/// From the one that knows most to the one that knows least.
const DOMAIN: &[&str] = &[
    "drill",
    "audit",
    "postmortem",
    "incident",
    "practice",
    "runbook",
    "guardrail",
    "recovery",
    "history",
    "check",
    "control",
    "consent",
];

/// A module of the first level, the groups of modules it may name, and the sentence of the rule.
struct Layer(&'static str, &'static [&'static [&'static str]], &'static str);

const LAYERS: &[Layer] = &[
    Layer(
        "main",
        &[
            &["cli", "config", "catalogue", "tui", "headless", "demo", "drill", "stage", "shift"],
            LEAVES,
        ],
        "main only chooses: cockpit or headless",
    ),
    Layer(
        "stage",
        &[&["cli", "config", "catalogue", "check", "tui", "demo", "drill"], LEAVES],
        "stage belongs to main and only arranges",
    ),
    Layer(
        "shift",
        &[
            &[
                "cli",
                "config",
                "catalogue",
                "tui",
                "headless",
                "demo",
                "drill",
                "incident",
                "stage",
                "main",
            ],
            LEAVES,
        ],
        "shift belongs to main and only arranges what comes after what",
    ),
    Layer(
        "cli",
        &[&["config", "check"], LEAVES],
        "cli turns arguments into values and starts nothing",
    ),
    Layer(
        "tui",
        &[&["ops", "config", "catalogue", "demo"], DOMAIN, LEAVES],
        "tui reaches databases through ops, and never meets headless or report",
    ),
    Layer(
        "headless",
        &[&["ops", "report", "config", "catalogue", "grants"], DOMAIN, LEAVES],
        "headless reaches databases through ops, and never meets tui",
    ),
    Layer(
        "demo",
        &[&["engine", "check"], LEAVES],
        "demo builds a database from embedded files and the faults of checks, and knows no screen",
    ),
    Layer("report", &[DOMAIN, LEAVES], "report turns outcomes into bytes and asks nobody"),
    Layer(
        "ops",
        &[&["engine", "config"], DOMAIN, LEAVES],
        "ops is where the domain meets the engine, and serves every front end alike",
    ),
    Layer(
        "catalogue",
        &[&["check", "runbook", "practice", "control"], LEAVES],
        "catalogue loads checks and runbooks and knows no database",
    ),
    Layer(
        "grants",
        &[&["check", "runbook", "guardrail"], LEAVES],
        "grants derives rights from what is loaded and meets no server",
    ),
    Layer(
        "engine",
        &[&["value", "config", "dialect", "problem", "sql", "digest"]],
        "engine is a door to a database: it knows no check, no recovery, no screen",
    ),
    Layer(
        "config",
        &[&["check", "practice"], LEAVES],
        "config is what was said, of checks too, not what is done with it",
    ),
    // The domain: each names only what stands right of it.
    Layer(
        "audit",
        &[&["incident", "practice", "runbook", "history", "check", "control"], LEAVES],
        "audit puts together what is there; it reads no file and asks nobody",
    ),
    Layer(
        "drill",
        &[&["incident", "practice", "runbook", "check"], LEAVES],
        "drill scores what journals say; it opens no database",
    ),
    Layer(
        "postmortem",
        &[
            &["incident", "practice", "runbook", "guardrail", "recovery", "check", "control"],
            LEAVES,
        ],
        "postmortem is made from an incident and from nothing that runs",
    ),
    Layer(
        "incident",
        &[&["practice", "runbook", "guardrail", "recovery", "check", "control"], LEAVES],
        "incident is what its entries add up to; it does not know who reads it",
    ),
    Layer(
        "runbook",
        &[&["guardrail", "recovery", "check"], LEAVES],
        "runbook is a plan on paper; it does not know the incident that follows it",
    ),
    Layer(
        "practice",
        &[&["runbook", "check", "control"], LEAVES],
        "practice is what was agreed on before; it knows no incident",
    ),
    Layer("guardrail", &[&["recovery", "check"], LEAVES], "guardrail knows no runbook"),
    Layer(
        "recovery",
        &[&["check"], LEAVES],
        "recovery decides alone, so that no screen can bend it",
    ),
    Layer(
        "history",
        &[&["check"], LEAVES],
        "history is what checks found; it does not know who asked or who reads it",
    ),
    Layer(
        "check",
        &[&["control"], LEAVES],
        "check is a question; it does not know what comes of the answer",
    ),
    Layer("control", &[LEAVES], "control is a name that others carry"),
    Layer("consent", &[], "consent decides alone, so that no screen can bend it"),
    // The leaves.
    Layer("value", &[LEAVES], "a leaf names only leaves"),
    Layer("dialect", &[LEAVES], "a leaf names only leaves"),
    Layer("digest", &[LEAVES], "a leaf names only leaves"),
    Layer("clock", &[LEAVES], "a leaf names only leaves"),
    Layer("problem", &[LEAVES], "a leaf names only leaves"),
    Layer("exit", &[LEAVES], "a leaf names only leaves"),
    Layer("format", &[LEAVES], "a leaf names only leaves"),
    Layer("rights", &[LEAVES], "a leaf names only leaves"),
    Layer("files", &[LEAVES], "a leaf names only leaves"),
    Layer("signature", &[LEAVES], "a leaf names only leaves"),
    Layer("sql", &[LEAVES], "a leaf names only leaves"),
    Layer("source", &[LEAVES], "a leaf names only leaves"),
];

/// Modules that are held to more than their layer is: what they never name, ours or not, and why.
struct Never(&'static str, &'static [&'static str], &'static str);

const NEVER: &[Never] = &[
    Never(
        "tui::update",
        &["ops", "engine", "tokio", "clock::now"],
        "update decides: it returns effects and takes the time as an argument",
    ),
    Never(
        "tui::screen",
        &["ops", "engine", "tokio", "clock::now"],
        "a screen decides: it returns effects and takes the time as an argument",
    ),
    Never(
        "tui::overlay",
        &["ops", "engine", "tokio", "clock::now"],
        "an overlay decides: it returns effects and takes the time as an argument",
    ),
    Never(
        "tui::replay",
        &["ops", "engine", "demo", "tui::perform", "incident::journal::Journal", "clock::now"],
        "a replay looks at what was: it has no way to a database and none into a journal",
    ),
    Never(
        "tui::view",
        &["tui::effect", "ops", "engine", "tokio", "clock::now"],
        "view draws what is; it asks nothing of the world",
    ),
    Never(
        "tui::widget",
        &["tui::effect", "ops", "engine", "tokio", "clock::now"],
        "a widget draws what it is given; it asks nothing of the world",
    ),
];

/// A name, ours or not, and the only modules that may use it. `…::now` is a tail of a path.
struct Only(&'static [&'static str], &'static [&'static str], &'static str);

const ONLY: &[Only] = &[
    Only(&["sqlx", "oracledb"], &["engine"], "only engine speaks to databases"),
    Only(
        &["ratatui", "crossterm", "tui_textarea"],
        &["tui"],
        "only tui knows that there is a terminal",
    ),
    Only(
        &["tokio", "tokio_util", "futures_util"],
        &["engine", "ops", "tui", "headless", "demo", "main"],
        "what decides is synchronous; only what acts may wait",
    ),
    Only(
        &["signature::sign", "signature::verify", "signature::fits"],
        &["signature", "ops", "headless"],
        "only what acts runs ssh-keygen; what decides is given what it found",
    ),
    Only(
        &["…Timestamp::now", "…Zoned::now", "…SystemTime::now"],
        &["clock"],
        "only clock reads the time of day",
    ),
    Only(
        &["…Instant::now"],
        &["clock", "engine", "ops", "tui", "headless"],
        "only what acts measures how long it took",
    ),
    Only(
        &["clock::now"],
        &[
            "clock",
            "main",
            "stage",
            "shift",
            "tui",
            "headless",
            "ops",
            "demo",
            "incident::journal",
            "incident::lease",
        ],
        "the domain takes the time as an argument; only journal and lease stamp what they write",
    ),
];

#[test]
fn every_file_names_only_what_its_layer_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.iter().any(|file| file.ends_with("main.rs")), "src/main.rs was not found");

    let mut broken = Vec::new();
    for file in &files {
        let source = fs::read_to_string(file).expect("a source file is readable UTF-8");
        let inside = file.strip_prefix(&root).expect("the file was found under src/");
        for (line, sentence) in judge(&module_of(inside), &source) {
            broken.push(format!("src/{}:{line}: {sentence}", inside.display()));
        }
    }
    assert!(broken.is_empty(), "layers are broken:\n  {}", broken.join("\n  "));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a source folder is readable");
    for entry in entries {
        let path = entry.expect("a source folder is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

/// `tui/screen/home.rs` is `tui::screen::home`; `main.rs` is `main`; `lib.rs` is the root.
fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "lib" || last == "mod") {
        module.pop();
    }
    module
}

// ---------------------------------------------------------------------------------------- judging

/// Every broken rule of one file, with its line.
fn judge(module: &[String], source: &str) -> Vec<(usize, String)> {
    let Some(own) = module.first() else { return Vec::new() };
    let mut broken = Vec::new();
    let layer = LAYERS.iter().find(|layer| layer.0 == own);
    if layer.is_none() {
        broken.push((1, format!("{own} stands in no layer: give it a row in tests/layers.rs")));
    }
    for Named { path, ours, line } in names(module, source) {
        let name = path.join("::");
        let mut breaks = |because: &str| broken.push((line, format!("names {name}: {because}")));
        if let (true, Some(Layer(_, may, because))) = (ours, layer) {
            let first = &path[0];
            let known = LAYERS.iter().any(|layer| layer.0 == first);
            if first != own && known && !may.iter().any(|group| group.contains(&first.as_str())) {
                breaks(because);
            }
        }
        for Never(who, what, because) in NEVER {
            if starts_with(module, who) && what.iter().any(|what| is_named(&path, what)) {
                breaks(because);
            }
        }
        for Only(what, who, because) in ONLY {
            if what.iter().any(|what| is_named(&path, what))
                && !who.iter().any(|who| starts_with(module, who))
            {
                breaks(because);
            }
        }
    }
    broken.dedup();
    broken
}

/// Whether the path is the named thing or lies in it; a name with `…` in front is a tail.
fn is_named(path: &[String], what: &str) -> bool {
    match what.strip_prefix('…') {
        None => starts_with(path, what),
        Some(tail) => {
            let tail: Vec<&str> = tail.split("::").collect();
            path.len() >= tail.len() && path[path.len() - tail.len()..] == tail[..]
        }
    }
}

fn starts_with(path: &[String], prefix: &str) -> bool {
    let prefix: Vec<&str> = prefix.split("::").collect();
    path.len() >= prefix.len() && path[..prefix.len()] == prefix[..]
}

// -------------------------------------------------------------------------------- reading the code

/// A path as the file means it: without `crate`, `self`, `super` and without aliases.
#[derive(Debug, PartialEq)]
struct Named {
    path: Vec<String>,
    /// Whether the path starts at the root of this crate.
    ours: bool,
    line: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

/// All paths of a file: the imports, and every path in the code with its first name resolved.
fn names(module: &[String], source: &str) -> Vec<Named> {
    let tokens = without_tests(&tokens(source));
    let mut aliases: BTreeMap<String, (Vec<String>, bool)> = BTreeMap::new();
    let mut found = Vec::new();
    let mut inner: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let here: Vec<String> =
            module.iter().chain(inner.iter().map(|(name, _)| name)).cloned().collect();
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inner.last().is_some_and(|(_, opened)| *opened == depth) {
                    inner.pop();
                }
            }
            "mod" if text(&tokens, at + 2) == "{" => {
                inner.push((text(&tokens, at + 1).to_owned(), depth));
            }
            "use" => {
                let mut leaves = Vec::new();
                at = use_tree(&tokens, at + 1, &[], &mut leaves);
                for (path, alias) in leaves {
                    let (path, ours) = resolve(&here, &path, &BTreeMap::new());
                    if let Some(alias) = alias {
                        aliases.insert(alias, (path.clone(), ours));
                    }
                    if !path.is_empty() {
                        found.push(Named { path, ours, line: token.line });
                    }
                }
                continue;
            }
            _ if is_name(&token.text) => {
                let mut path = vec![token.text.clone()];
                while text(&tokens, at + 1) == "::" && is_name(text(&tokens, at + 2)) {
                    path.push(text(&tokens, at + 2).to_owned());
                    at += 2;
                }
                if path.len() > 1 {
                    let (path, ours) = resolve(&here, &path, &aliases);
                    if !path.is_empty() {
                        found.push(Named { path, ours, line: token.line });
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Reads one tree of a `use`; gives every leaf with the name it gets here, and where the tree ends.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    leaves: &mut Vec<(Vec<String>, Option<String>)>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match text(tokens, at) {
            "::" => at += 1,
            "{" => {
                at += 1;
                while !matches!(text(tokens, at), "}" | "") {
                    at = use_tree(tokens, at, &path, leaves);
                    if text(tokens, at) == "," {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "*" => {
                leaves.push((path, None));
                return at + 1;
            }
            "as" => {
                leaves.push((path, Some(text(tokens, at + 1).to_owned())));
                return at + 2;
            }
            name if is_name(name) => {
                // `{self, …}` is the path before it.
                if name != "self" || path.is_empty() {
                    path.push(name.to_owned());
                }
                at += 1;
            }
            _ => {
                let alias = path.last().cloned();
                leaves.push((path, alias));
                return at;
            }
        }
    }
}

fn resolve(
    here: &[String],
    path: &[String],
    aliases: &BTreeMap<String, (Vec<String>, bool)>,
) -> (Vec<String>, bool) {
    let rest = |from: usize| path[from.min(path.len())..].iter().cloned();
    match path.first().map(String::as_str) {
        // The binary is a crate of its own and sees the library under its name.
        Some("crate" | "steadyhand") => (rest(1).collect(), true),
        Some("self") => (here.iter().cloned().chain(rest(1)).collect(), true),
        Some("super") => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let parent = &here[..here.len().saturating_sub(ups)];
            (parent.iter().cloned().chain(rest(ups)).collect(), true)
        }
        Some(first) => match aliases.get(first) {
            Some((target, ours)) => (target.iter().cloned().chain(rest(1)).collect(), *ours),
            None => (path.to_vec(), false),
        },
        None => (Vec::new(), false),
    }
}

/// Takes out every item that stands under `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let cfg_test = ["#", "[", "cfg", "(", "test", ")", "]"];
        if (0..cfg_test.len()).all(|i| text(tokens, at + i) == cfg_test[i]) {
            at = after_item(tokens, at + cfg_test.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the item ends that starts here: behind its `;`, or behind its closing brace.
fn after_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < tokens.len() {
        match text(tokens, at) {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Names, `::` and single signs; comments, strings, characters and lifetimes are left out.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let is = |at: usize, wanted: char| chars.get(at) == Some(&wanted);
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        match chars[at] {
            '/' if is(at + 1, '/') => {
                while at < chars.len() && !is(at, '\n') {
                    at += 1;
                }
            }
            '/' if is(at + 1, '*') => at = after_comment(&chars, at),
            '"' => at = after_string(&chars, at),
            '\'' => at = after_quote(&chars, at),
            first if first.is_alphanumeric() || first == '_' => {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                let raw = matches!(word.as_str(), "r" | "br" | "cr");
                let hashes = chars[at..].iter().take_while(|sign| **sign == '#').count();
                if raw && is(at + hashes, '"') {
                    at = after_raw_string(&chars, at, hashes);
                } else if matches!(word.as_str(), "b" | "c") && is(at, '"') {
                    at = after_string(&chars, at);
                } else if word == "b" && is(at, '\'') {
                    at = after_quote(&chars, at);
                } else if word == "r" && hashes == 1 {
                    at += 1; // r#type is the name `type`
                } else {
                    tokens.push(Token { text: word, line });
                }
            }
            ':' if is(at + 1, ':') => {
                at += 2;
                tokens.push(Token { text: "::".into(), line });
            }
            sign => {
                at += 1;
                if !sign.is_whitespace() {
                    tokens.push(Token { text: sign.to_string(), line });
                }
            }
        }
        line += chars[start..at.min(chars.len())].iter().filter(|sign| **sign == '\n').count();
    }
    tokens
}

fn after_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    break;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn after_string(chars: &[char], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn after_raw_string(chars: &[char], start: usize, hashes: usize) -> usize {
    let mut at = start + hashes + 1;
    while at < chars.len() {
        let closes = chars[at] == '"'
            && chars[at + 1..].iter().take(hashes).filter(|sign| **sign == '#').count() == hashes;
        at += 1;
        if closes {
            return at + hashes;
        }
    }
    at
}

/// Behind a character, or behind the quote of a lifetime.
fn after_quote(chars: &[char], quote: usize) -> usize {
    if chars.get(quote + 1) == Some(&'\\') {
        let mut at = quote + 3;
        while at < chars.len() && chars[at] != '\'' {
            at += 1;
        }
        at + 1
    } else if chars.get(quote + 2) == Some(&'\'') {
        quote + 3
    } else {
        quote + 1
    }
}

// ----------------------------------------------------------------------- the test can itself fail

fn sentences(module: &str, source: &str) -> String {
    let module: Vec<String> = module.split("::").map(str::to_owned).collect();
    let broken = judge(&module, source).into_iter();
    broken.map(|(line, sentence)| format!("{line}: {sentence}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_row_of_the_tables_catches_its_offender() {
    for Layer(own, may, because) in LAYERS {
        for Layer(other, ..) in LAYERS.iter().filter(|other| other.0 != *own) {
            let allowed = may.iter().any(|group| group.contains(other));
            let caught = sentences(own, &format!("use crate::{other}::Thing;"));
            assert_eq!(caught.contains(because), !allowed, "{own} naming {other}: {caught:?}");
        }
    }
    for Never(who, what, because) in NEVER {
        for what in *what {
            let ours = if *what == "tokio" { "" } else { "crate::" };
            let caught = sentences(&format!("{who}::part"), &format!("use {ours}{what};"));
            assert!(caught.contains(because), "{who} naming {what}: {caught:?}");
        }
    }
    for Only(what, who, because) in ONLY {
        for what in *what {
            let path = match what.strip_prefix('…') {
                Some(tail) => format!("some_crate::{tail}"),
                None if what.starts_with("clock") => format!("crate::{what}"),
                None => format!("{what}::Thing"),
            };
            let source = format!("fn f() {{ {path}() }}");
            assert!(sentences("check", &source).contains(because), "check naming {what}");
            let allowed = sentences(who[0], &source);
            assert!(!allowed.contains(because), "{} naming {what}: {allowed}", who[0]);
        }
    }
}

#[test]
fn an_offence_is_seen_however_it_is_written() {
    for (module, source, expected) in [
        ("check", "\n\nuse crate::{value::Rows, incident::Entry};", "3: names incident::Entry"),
        ("check::load", "use super::super::tui::app;", "1: names tui::app"),
        ("tui::view", "use super::effect::Effect;", "1: names tui::effect::Effect"),
        ("tui::view", "use super::{self, app::App, effect as wish};", "names tui::effect:"),
        ("tui::view", "use crate::tui;\nfn f() -> tui::effect::Effect {}", "2: names tui::effect"),
        ("tui::screen::home", "fn f() { crate::ops::detect::run() }", "names ops::detect::run"),
        ("tui::update", "mod inner { use super::super::perform; use crate::ops; }", "names ops:"),
        ("ops", "fn f() { sqlx::query(\"\") }", "names sqlx::query"),
        ("ops", "pub(crate) use ::sqlx as database;", "names sqlx"),
        ("main", "use steadyhand::engine::Session;", "names engine::Session"),
        (
            "incident",
            "use std::time::SystemTime as T;\nfn f() { T::now() }",
            "time::SystemTime::now",
        ),
        ("incident", "use crate::clock;\nfn f() { clock::now() }", "2: names clock::now"),
        ("recovery", "async fn f() { tokio::task::yield_now().await }", "names tokio::task"),
        ("wizard", "", "wizard stands in no layer"),
        ("check", "let quote = '\"'; use crate::ops; let more = '\"';", "names ops"),
        ("check", "fn f<'a>(x: &'a str) { crate::ops::g() } // it's", "names ops::g"),
        ("check", "#[cfg(test)]\nmod tests { mod deep {} }\nuse crate::tui;", "3: names tui"),
    ] {
        let caught = sentences(module, source);
        assert!(caught.contains(expected), "{module}: {source}\n  caught: {caught:?}");
    }
}

#[test]
fn what_is_no_code_or_stays_in_the_house_is_no_offence() {
    for (module, source) in [
        ("check", "// use crate::tui;\n/* crate::tui::x /* nested */ crate::ops::y */"),
        ("check", "//! See [`crate::tui`] and sqlx::query."),
        (
            "check",
            r#"const A: &str = "crate::tui::x \" crate::ops"; const B: &str = r"crate::ops::x\";"#,
        ),
        ("check", "#[cfg(test)]\nmod tests { use crate::engine::scripted; fn f() { sqlx::x() } }"),
        ("check", "use crate::value::{self, Rows}; pub use verdict::{Count, Verdict};"),
        ("incident", "use crate::runbook::Runbook; use super::check::Check;"),
        ("tui::screen::home", "use super::super::effect::Effect; use crate::tui::widget;"),
        (
            "tui",
            "fn f() { let t = std::time::Instant::now(); ratatui::init(); crate::clock::now(); }",
        ),
        ("engine::sqlite", "use sqlx::Row as _; use crate::config::Target;"),
    ] {
        let caught = sentences(module, source);
        assert_eq!(caught, "", "{module}: {source}");
    }
}
