//! Keeps the walls of the house: which module may know which, which file may name a foreign library, and where `std`
//! stays out. Read from the source text, so that a wrong import is told apart from a wrong design before review.
//!
//! Not a compiler: macros that build paths would get past it, and the build for a bare-metal target is what proves
//! `no_std`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::fmt::Write as _;
use std::path::Path;

/// Who may know whom: a top-level module and the top-level modules it may import besides itself.
const MODULES: &[(&str, &[&str])] = &[
    ("spec", &[]),
    ("flow", &["spec"]),
    ("capture", &["spec", "flow"]),
    ("frontend", &["spec", "flow"]),
    ("classify", &["spec", "flow"]),
    ("decide", &["spec", "flow"]),
    ("display", &["spec", "flow"]),
    ("pipeline", &["spec", "flow", "capture", "frontend", "classify", "decide", "display", "trace"]),
    ("tell", &["spec", "flow"]),
    ("trace", &["spec", "flow"]),
    // Packages of their own, for which the compiler keeps the wall.
    ("document", &[]),
    ("settings", &["document"]),
    (
        "cli",
        &[
            "spec", "flow", "capture", "frontend", "classify", "decide", "display", "pipeline", "tell",
            "trace", "settings",
        ],
    ),
    ("lib", ANY),
    ("main", ANY),
];
const ANY: &[&str] = &[
    "spec", "flow", "capture", "frontend", "classify", "decide", "display", "pipeline", "tell", "trace",
    "document", "settings", "cli",
];

/// Where a foreign library may be named.
enum Home {
    /// In one single file of this top-level module.
    OneFile(&'static str),
    /// Anywhere in this module, at whatever depth it lies.
    Below(&'static str),
    /// Anywhere in either of these modules.
    BelowEither(&'static str, &'static str),
    /// Anywhere in these modules.
    BelowAny(&'static [&'static str]),
}
use Home::{Below, BelowAny, BelowEither, OneFile};

/// Foreign libraries and their homes. A library stands here or in [`EVERYWHERE`].
const LIBRARIES: &[(&str, Home)] = &[
    ("alsa", OneFile("capture")),
    ("symphonia", OneFile("capture")),
    ("realfft", OneFile("capture")),
    ("microfft", OneFile("frontend")),
    ("tract_onnx", OneFile("classify")),
    ("sha2", BelowEither("classify/hash", "tell/mqtt/names")),
    ("rumqttc", OneFile("tell")),
    ("postcard", BelowAny(&["classify", "tell/encode", "trace/record"])),
    ("mio", Below("tell/server")),
    ("httparse", OneFile("tell")),
    ("socket2", OneFile("tell")),
    ("nix", OneFile("tell")),
    ("toml", BelowAny(&["classify/manifest", "document", "cli/latency/rig_file"])),
    ("harmonynet_document", BelowEither("classify/manifest/text", "settings/mod")),
    ("harmonynet_settings", OneFile("lib")),
    ("embedded_graphics", Below("display")),
    ("embedded_hal", Below("display/leds")),
    ("linux_embedded_hal", OneFile("display")),
    ("heapless::spsc", OneFile("pipeline")),
    ("crossbeam_channel", OneFile("pipeline")),
    ("thread_priority", OneFile("pipeline")),
    ("rustix::thread", OneFile("pipeline")),
    ("rustix::fs", BelowEither("cli/doctor/machine", "cli/latency/serial")),
    ("rustix::termios", BelowEither("cli/latency/serial", "display/terminal")),
    ("rustix::time", OneFile("capture")),
    ("stopwatch", Below("cli/latency")),
    ("crossterm", OneFile("display")),
    ("ctrlc", OneFile("cli")),
    ("sd_notify", OneFile("cli")),
    ("signal_hook", OneFile("cli")),
    ("tz", OneFile("cli")),
    ("indicatif", OneFile("cli")),
    ("npyz", OneFile("cli")),
    ("toml_edit", OneFile("cli")),
    ("tempfile", Below("cli")),
    ("clap", Below("cli")),
    ("csv", Below("cli")),
    ("anyhow", Below("cli")),
];

/// Libraries that any file may name: vocabulary rather than machinery.
const EVERYWHERE: &[&str] = &["heapless", "libm", "serde", "serde_json"];

/// The libraries of the SD-card images' program, and the files of `boards/appliance/src` that may name each.
const APPLIANCE: &[(&str, &[&str])] = &[
    ("clap", &["main.rs"]),
    ("harmonynet", &["card.rs", "settings.rs", "wishes.rs"]),
    ("lzma_rust2", &["package/mod.rs"]),
    ("rustix", &["disk/mod.rs"]),
    ("serde", &["programs/mod.rs"]),
    ("sha2", &["seal.rs"]),
    ("tar", &["package/mod.rs"]),
    ("toml", &["card.rs", "programs/mod.rs", "wishes.rs"]),
];

/// Top-level modules whose ungated files must do without `std`.
const CORE: &[&str] =
    &["spec", "flow", "capture", "frontend", "classify", "decide", "display", "pipeline", "trace"];

#[test]
fn the_walls_stand() {
    let found = violations(&sources());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_dependency_has_a_home() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let names = dependencies(&manifest);
    assert!(names.contains(&"microfft".into()), "the manifest was not understood: {names:?}");
    for name in names {
        let known = LIBRARIES.iter().any(|(library, _)| library.split("::").next() == Some(&*name))
            || EVERYWHERE.contains(&&*name);
        assert!(known, "`{name}` is a dependency; say in tests/walls.rs which file may name it");
    }
}

#[test]
fn the_libraries_of_the_images_program_have_homes_too() {
    let manifest = std::fs::read_to_string(root().join("boards/appliance/Cargo.toml")).unwrap();
    let names = dependencies(&manifest);
    assert!(names.contains(&"tar".into()), "the manifest was not understood: {names:?}");
    for name in names {
        assert!(APPLIANCE.iter().any(|(library, _)| *library == name), "`{name}`: which file may name it?");
    }
    for (name, text) in sources_below(&root().join("boards/appliance/src")) {
        let tokens = tokens(&text);
        let paths = paths_of(&without_gated(&tokens, is_test));
        let is_test = ["tests.rs", "made.rs", "simulated.rs"].iter().any(|test| name.ends_with(test));
        for (library, homes) in APPLIANCE.iter().filter(|_| !is_test) {
            let names = names_library(&paths, library, &declared_modules(&tokens));
            assert!(!names || homes.contains(&&*name), "{name}: only {homes:?} may name `{library}`");
        }
    }
}

/// What a feature is made of that nobody builds alone stays unnoticed until somebody does.
#[test]
fn every_feature_is_checked_alone_and_the_program_with_either_engine() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let features = section(&manifest, "features");
    let script = std::fs::read_to_string(root().join(".ci/features")).unwrap();
    let sets = script.lines().find_map(|line| line.strip_prefix("for set in ")).unwrap();
    let sets: Vec<&str> = sets.trim_end_matches("; do").split_whitespace().collect();
    let made_of = |name: &str| features.iter().find(|(feature, _)| feature == name).unwrap().1.clone();
    for (feature, _) in features.iter().filter(|(feature, _)| {
        // These want an engine.
        !["default", "cli", "latency", "recordings"].contains(&feature.as_str())
    }) {
        assert!(
            sets.contains(&feature.as_str()),
            "`{feature}` is a feature that .ci/features does not check"
        );
    }
    for engine in ["native", "tract"] {
        assert!(!made_of("cli").contains(&format!("\"{engine}\"")), "the program must do without {engine}");
        assert!(sets.contains(&format!("{engine},cli").as_str()), "the program with {engine} alone");
    }
    assert!(sets.contains(&"native,recordings"), "the program's commands for recordings without tract");
    assert!(sets.contains(&"native,latency"), "the program's command for rigs without tract");
    for many in ["files", "latency", "recordings"] {
        assert!(
            !made_of("cli").contains(&format!("\"{many}\"")),
            "a device with a microphone needs no {many}"
        );
    }
    let small = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let small = small.lines().find_map(|line| line.strip_prefix("SMALL := ")).unwrap();
    assert!(sets.contains(&small) && !small.contains("tract"), "what `make small` builds: {small}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `src`: its path relative to `src`, and its text.
fn sources() -> Vec<(String, String)> {
    sources_below(&root().join("src"))
}

/// Every Rust file below a folder.
fn sources_below(base: &Path) -> Vec<(String, String)> {
    fn walk(folder: &Path, base: &Path, files: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, base, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(base).unwrap().to_str().unwrap().to_owned();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    walk(base, base, &mut files);
    files.sort();
    files
}

/// The lines of a manifest's section: names and values.
fn section(manifest: &str, name: &str) -> Vec<(String, String)> {
    let section =
        manifest.split(&format!("\n[{name}]\n")).nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
    let pairs = section.lines().filter_map(|line| line.split_once(" = "));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The normal dependencies of a manifest, as Rust spells them.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
    let names = section.lines().filter_map(|line| line.split(['=', '.', ' ']).next());
    names
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// Everything in `files` that breaks a wall, as sentences.
fn violations(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut homes: Vec<Vec<&str>> = LIBRARIES.iter().map(|_| Vec::new()).collect();
    let gated = gated_files(files);
    for (name, text) in files {
        let module = top_module(name);
        let tokens = tokens(text);
        let paths = paths_of(&tokens);
        let Some((_, allowed)) = MODULES.iter().find(|(known, _)| *known == module) else {
            found.push(format!("{name}: module `{module}` is not in the table of tests/walls.rs"));
            continue;
        };
        for other in imported_modules(&paths) {
            if other != module && !allowed.contains(&other) {
                found.push(format!("{name}: `{module}` must not import `{other}`"));
            }
        }
        let local = declared_modules(&tokens);
        // Tests may use what they like: a temporary folder, a library's own view of the same thing.
        let shipped = paths_of(&without_gated(&tokens, is_test));
        for (i, (library, _)) in LIBRARIES.iter().enumerate() {
            if names_library(&shipped, library, &local) && !homes[i].contains(&&**name) {
                homes[i].push(name);
            }
        }
        let core = CORE.contains(&module) && !name.ends_with("tests.rs");
        if core
            && !gated.iter().any(|prefix| name.starts_with(prefix))
            && uses_std(&without_gated(&tokens, is_cfg))
        {
            found.push(format!("{name}: `std` in the no_std core, outside a #[cfg(...)]"));
        }
    }
    for ((library, home), named_in) in LIBRARIES.iter().zip(homes) {
        // A file's tests, in a `tests.rs` beside it, belong to the file.
        let named_in: Vec<_> = named_in.into_iter().filter(|name| !name.ends_with("tests.rs")).collect();
        let homes: &[&str] = match home {
            OneFile(module) | Below(module) => &[module],
            BelowEither(module, other) => &[module, other],
            BelowAny(modules) => modules,
        };
        for name in named_in.iter().filter(|name| !homes.iter().any(|home| is_within(name, home))) {
            found.push(format!("{name}: only `{}` may name `{library}`", homes[0]));
        }
        if matches!(home, OneFile(_)) && named_in.len() > 1 {
            found.push(format!("`{library}` is named in more than one file: {}", named_in.join(", ")));
        }
    }
    found
}

/// `capture` of `capture/demo.rs` and of `capture.rs`.
fn top_module(name: &str) -> &str {
    name.split('/').next().unwrap_or(name).trim_end_matches(".rs")
}

/// Whether a file belongs to a module: `a/b.rs` and `a/b/c.rs` belong to `a/b` and to `a`.
fn is_within(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

/// Names, string literals and punctuation; comments, character literals, numbers and lifetimes are left out.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Mark(char),
}

fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = after_block_comment(&chars, i);
        } else if c == '"' {
            let end = after_string(&chars, i);
            out.push(Token::Text(chars[i + 1..end - 1].iter().collect()));
            i = end;
        } else if let Some((open, end)) = raw_string(&chars, i) {
            out.push(Token::Text(chars[open..end].iter().collect()));
            i = end;
        } else if c == '\'' {
            i = after_quote(&chars, i);
        } else if c.is_alphanumeric() || c == '_' {
            let end = (i..chars.len())
                .find(|&j| !(chars[j].is_alphanumeric() || chars[j] == '_'))
                .unwrap_or(chars.len());
            let word: String = chars[i..end].iter().collect();
            if !c.is_ascii_digit() {
                out.push(Token::Name(word));
            }
            i = end;
        } else {
            if !c.is_whitespace() {
                out.push(Token::Mark(c));
            }
            i += 1;
        }
    }
    out
}

fn after_block_comment(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut i = start;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

/// The index after the closing quote of the string that opens at `start`.
fn after_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// Where a raw string's text begins and where the literal ends, if one begins at `start`.
fn raw_string(chars: &[char], start: usize) -> Option<(usize, usize)> {
    let mut i = start;
    if matches!(chars[i], 'b' | 'c') {
        i += 1;
    }
    if chars.get(i) != Some(&'r') {
        return None;
    }
    let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
    let open = i + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let close =
        |j: usize| chars[j] == '"' && chars[j + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    let end = (open + 1..chars.len()).find(|&j| close(j)).map_or(chars.len(), |j| j + 1 + hashes);
    Some((open + 1, end))
}

/// The index after a character literal or a lifetime's quote.
fn after_quote(chars: &[char], start: usize) -> usize {
    if chars.get(start + 1) == Some(&'\\') {
        let from = start + 3;
        return (from..chars.len()).find(|&j| chars[j] == '\'').map_or(chars.len(), |j| j + 1);
    }
    if chars.get(start + 2) == Some(&'\'') { start + 3 } else { start + 1 }
}

/// Every path in the tokens, written out: `use a::{b, c::d}` gives `a::b` and `a::c::d`. A path that starts with `::`
/// keeps nothing of it; a segment after something that is not a path (`)::x`) starts none.
fn paths_of(tokens: &[Token]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if matches!(tokens[i], Token::Name(_)) {
            i = read_path(tokens, i, &mut Vec::new(), &mut found);
        } else {
            i += 1;
        }
    }
    found
}

/// Words after which a path may begin with `::`.
const KEYWORDS: &[&str] =
    &["use", "as", "dyn", "else", "for", "if", "impl", "in", "match", "mut", "ref", "return"];

/// Reads the path (or tree of paths) at `i` below `prefix`; gives the index after it.
fn read_path(
    tokens: &[Token],
    mut i: usize,
    prefix: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    let depth = prefix.len();
    let mut complete = false;
    while let Some(Token::Name(name)) = tokens.get(i) {
        prefix.push(name.clone());
        complete = true;
        i += 1;
        if KEYWORDS.contains(&name.as_str()) || !double_colon(tokens, i) {
            break;
        }
        i += 2;
        if tokens.get(i) == Some(&Token::Mark('{')) {
            i += 1;
            while i < tokens.len() && tokens[i] != Token::Mark('}') {
                let after = read_path(tokens, i, prefix, found);
                i = after.max(i + 1);
            }
            i += 1;
            complete = false;
            break;
        }
    }
    if complete {
        found.push(prefix.clone());
    }
    prefix.truncate(depth);
    i
}

fn double_colon(tokens: &[Token], i: usize) -> bool {
    tokens.get(i) == Some(&Token::Mark(':')) && tokens.get(i + 1) == Some(&Token::Mark(':'))
}

/// The top-level modules that paths from the crate's root (or up through `super`) lead into.
fn imported_modules(paths: &[Vec<String>]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for path in paths {
        let rooted = matches!(path[0].as_str(), "crate" | "super" | "harmonynet");
        let first =
            path.iter().find(|name| !matches!(name.as_str(), "crate" | "super" | "harmonynet" | "self"));
        if let Some(name) = first
            && rooted
            && MODULES.iter().any(|(module, _)| module == name)
            && !found.contains(&name.as_str())
        {
            found.push(name);
        }
    }
    found
}

/// Modules declared in this file: in it, their names hide libraries of the same name.
fn declared_modules(tokens: &[Token]) -> Vec<String> {
    let pairs = tokens.windows(2).filter_map(|pair| match pair {
        [Token::Name(keyword), Token::Name(name)] if keyword == "mod" => Some(name.clone()),
        _ => None,
    });
    pairs.collect()
}

fn names_library(paths: &[Vec<String>], library: &str, local: &[String]) -> bool {
    let wanted: Vec<&str> = library.split("::").collect();
    let mut previous: &[String] = &[];
    for path in paths {
        // A one-word path is a library only where it is imported or renamed: `use alsa;`.
        let imported = matches!(previous, [word] if word == "use" || word == "extern" || word == "crate");
        previous = path;
        let begins = path.len() >= wanted.len() && path.iter().zip(&wanted).all(|(a, b)| a == b);
        if begins && (path.len() > 1 || imported) && !local.contains(&path[0]) {
            return true;
        }
    }
    false
}

fn uses_std(tokens: &[Token]) -> bool {
    paths_of(tokens).iter().any(|path| path.len() > 1 && path[0] == "std")
}

/// The tokens without items that stand under an attribute that `gate` recognizes.
fn without_gated(tokens: &[Token], gate: fn(&[Token], usize) -> bool) -> Vec<Token> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if gate(tokens, i) {
            i = after_item(tokens, after_group(tokens, i + 1));
        } else {
            out.push(tokens[i].clone());
            i += 1;
        }
    }
    out
}

fn is_cfg(tokens: &[Token], i: usize) -> bool {
    matches!(&tokens[i..], [Token::Mark('#'), Token::Mark('['), Token::Name(name), ..] if name == "cfg")
}

/// `#[cfg(test)]` exactly.
fn is_test(tokens: &[Token], i: usize) -> bool {
    is_cfg(tokens, i)
        && matches!(&tokens[i + 3..], [Token::Mark('('), Token::Name(name), Token::Mark(')'), ..] if name == "test")
}

/// The index after the bracketed group that opens at `i`.
fn after_group(tokens: &[Token], mut i: usize) -> usize {
    let mut depth = 0;
    while i < tokens.len() {
        match tokens[i] {
            Token::Mark('[' | '(' | '{') => depth += 1,
            Token::Mark(']' | ')' | '}') => depth -= 1,
            _ => {}
        }
        i += 1;
        if depth == 0 {
            break;
        }
    }
    i
}

/// The index after the item (or field, or arm) at `i`: after its `;` or `,`, or its braces.
fn after_item(tokens: &[Token], mut i: usize) -> usize {
    while i < tokens.len() {
        match tokens[i] {
            Token::Mark(';' | ',') => return i + 1,
            Token::Mark('{') => {
                let end = after_group(tokens, i);
                // `use std::{a, b};` goes on to its semicolon.
                return if tokens.get(end) == Some(&Token::Mark(';')) { end + 1 } else { end };
            }
            Token::Mark('(' | '[') => i = after_group(tokens, i),
            Token::Mark('}' | ')') => return i,
            _ => i += 1,
        }
    }
    i
}

/// Path prefixes of files whose `mod` declaration stands under a `#[cfg(...)]`.
fn gated_files(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files {
        let folder = match name.rsplit_once('/') {
            Some((folder, "mod.rs")) => format!("{folder}/"),
            _ if name == "lib.rs" || name == "main.rs" => String::new(),
            _ => format!("{}/", name.trim_end_matches(".rs")),
        };
        let tokens = tokens(text);
        let open = declared_modules(&without_gated(&tokens, is_cfg));
        for module in declared_modules(&tokens) {
            if !open.contains(&module) {
                found.push(format!("{folder}{module}.rs"));
                found.push(format!("{folder}{module}/"));
            }
        }
    }
    found
}

/// The violations that a single file of one line would bring.
fn judge(files: &[(&str, &str)]) -> String {
    let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    violations(&files).iter().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{line}");
        all
    })
}

#[test]
fn a_stage_that_imports_a_stage_is_caught_however_it_is_written() {
    for text in [
        "use crate::frontend::Frontend;",
        "use crate::{flow::Block, frontend};",
        "use crate::{flow::{Block, Level}, frontend::{self, Frontend}};",
        "fn f() { let x = crate::frontend::new(); }",
        "use super::frontend::Frontend;",
        "mod tests { use super::super::frontend::Frontend; }",
        "/* crate::flow */ pub use crate :: frontend;",
        "const A: char = '\"'; use crate::frontend; const B: char = '\"';",
        "fn f<'a>(x: &'a str) {} use crate::frontend;",
    ] {
        assert_eq!(
            judge(&[("capture/mod.rs", text)]),
            "capture/mod.rs: `capture` must not import `frontend`\n",
            "{text}"
        );
    }
    assert_eq!(judge(&[("flow.rs", "use crate::capture;")]), "flow.rs: `flow` must not import `capture`\n");
    assert_eq!(
        judge(&[("decide/mod.rs", "use crate::pipeline;")]),
        "decide/mod.rs: `decide` must not import `pipeline`\n"
    );
    assert_eq!(
        judge(&[("pipeline/mod.rs", "use crate::cli;")]),
        "pipeline/mod.rs: `pipeline` must not import `cli`\n"
    );
    assert_eq!(
        judge(&[("radio.rs", "")]),
        "radio.rs: module `radio` is not in the table of tests/walls.rs\n"
    );
}

#[test]
fn what_is_allowed_or_only_mentioned_passes() {
    for (name, text) in [
        ("capture/mod.rs", "use crate::{flow::Block, spec}; use crate::capture::demo; use super::flow;"),
        ("capture/mod.rs", "// use crate::frontend;\n/* /* crate::frontend */ crate::frontend */"),
        (
            "capture/mod.rs",
            r####"const A: &str = "use crate::frontend;"; const B: &str = r#"crate::frontend "x" "#;"####,
        ),
        ("capture/mod.rs", "fn f(frontend: u8) { display::show(frontend) }"),
        ("pipeline/mod.rs", "use crate::{capture, frontend, classify, decide, display};"),
        ("cli/mod.rs", "use crate::pipeline; use std::io;"),
        ("main.rs", "use harmonynet::{capture, cli}; fn main() {}"),
    ] {
        assert_eq!(judge(&[(name, text)]), "", "{text}");
    }
}

#[test]
fn a_library_outside_its_home_is_caught() {
    assert_eq!(
        judge(&[("frontend/mod.rs", "use alsa::PCM;")]),
        "frontend/mod.rs: only `capture` may name `alsa`\n"
    );
    let after_tests = "#[cfg(test)] mod tests {} fn f() { alsa::new() }";
    assert_eq!(
        judge(&[("frontend/mod.rs", after_tests)]),
        "frontend/mod.rs: only `capture` may name `alsa`\n"
    );
    assert_eq!(judge(&[("display/mod.rs", "use clap;")]), "display/mod.rs: only `cli` may name `clap`\n");
    assert_eq!(
        judge(&[("capture/a.rs", "use ::alsa::PCM;"), ("capture/b.rs", "fn f() -> alsa::Result<()> {}")]),
        "`alsa` is named in more than one file: capture/a.rs, capture/b.rs\n"
    );
    assert_eq!(
        judge(&[
            ("pipeline/a.rs", "use heapless::{Vec, spsc::Queue};"),
            ("pipeline/b.rs", "use heapless::spsc;")
        ]),
        "`heapless::spsc` is named in more than one file: pipeline/a.rs, pipeline/b.rs\n"
    );
    // One file, its tests, and a module of the library's name beside it.
    let good = [
        ("capture/mod.rs", "mod alsa; pub use alsa::Microphone;"),
        ("capture/alsa.rs", "use alsa::PCM;"),
        ("capture/alsa/tests.rs", "use alsa::PCM;"),
        (
            "capture/other.rs",
            "use super::alsa::Microphone; use crate::capture::alsa::Grant; use heapless::Vec;",
        ),
        ("cli/a.rs", "use clap::Parser;"),
        (
            "decide/mod.rs",
            "fn f() {} #[cfg(test)] mod tests { use tempfile::tempdir; fn g() { alsa::new() } } fn h() {}",
        ),
        ("cli/b.rs", "use clap::Args;"),
    ];
    assert_eq!(judge(&good), "");
}

#[test]
fn std_in_the_core_is_caught_and_gated_std_is_not() {
    let caught = "decide/mod.rs: `std` in the no_std core, outside a #[cfg(...)]\n";
    for text in [
        "use std::vec::Vec;",
        "fn f() { std::mem::swap(a, b) }",
        "#[cfg(test)] mod tests { use std::io; } use std::io;",
        "#[cfg(feature = \"std\")] use std::{fs, io}; use std::io;",
        "#[derive(Debug)] struct A(std::time::Duration);",
    ] {
        assert_eq!(judge(&[("decide/mod.rs", text)]), caught, "{text}");
    }
    for text in [
        "use core::mem;",
        "#[cfg(test)] mod tests { use std::io; }",
        "#[cfg(feature = \"std\")] use std::{fs, io}; fn f() {}",
        "#[cfg(feature = \"std\")] #[derive(Debug)] struct A(std::time::Duration); fn g() {}",
        "#[cfg(feature = \"std\")] impl std::error::Error for A {} fn g() {}",
    ] {
        assert_eq!(judge(&[("decide/mod.rs", text)]), "", "{text}");
    }
    let gated =
        "#[cfg(feature = \"alsa\")] mod alsa; #[cfg(all(test, feature = \"std\"))] mod checks; mod open;";
    let alsa = ("capture/alsa/device.rs", "use std::io;");
    let checks = ("capture/checks.rs", "use std::io;");
    assert_eq!(judge(&[("capture/mod.rs", gated), alsa, checks]), "");
    assert_eq!(
        judge(&[("capture/mod.rs", gated), ("capture/open.rs", "use std::io;")]),
        "capture/open.rs: `std` in the no_std core, outside a #[cfg(...)]\n"
    );
}
