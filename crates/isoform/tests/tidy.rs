//! Rules of this repository that are not for the compiler, kept as tests so that they do not decay.
//!
//! Every rule lists all of its violations at once. Exceptions are constants with a reason beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The only edges between crates of this workspace.
const EDGES: &[(&str, &str)] = &[
    ("formats", "aom"),
    ("formats", "coherence"),
    ("fuzz", "coherence"),
    ("fuzz", "formats"),
    ("isoform", "coherence"),
    ("isoform", "formats"),
];

/// Lines of a source file before its tests, lines of a function, characters of a line.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 110;

/// Text that never belongs in a source file. Cut in two, so that this table does not find itself.
const FORBIDDEN_IN_RUST: &[(&str, &str)] = &[
    (concat!("db", "g!("), "left over from a search for a fault"),
    (concat!("tod", "o!("), "finish it or leave it out"),
    (concat!("unimple", "mented!("), "finish it or leave it out"),
    (concat!("#[ign", "ore"), "a test that does not run is no test"),
    (concat!("#[should_", "panic"), "check the error instead"),
    (concat!("#[all", "ow("), "use #[expect(…, reason = \"…\")]"),
    (concat!("#![all", "ow("), "use #![expect(…, reason = \"…\")]"),
    (concat!("TO", "DO"), "do it, or describe the limit in the documentation"),
    (concat!("FIX", "ME"), "fix it, or describe the limit in the documentation"),
];

/// Text that names one machine or one registry, and so is wrong on the next.
const FORBIDDEN_EVERYWHERE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("registry.npm", "js.org"),
    concat!("deb.debian", ".org"),
    concat!("github", ".com/rust-lang"),
];

/// Files that other programs write, and the reason why they may hold such text.
const GENERATED: &[(&str, &str)] = &[("Cargo.lock", "cargo names the registry's index in it")];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the root").to_owned()
}

/// Every file of the repository, as a path relative to the root with forward slashes, sorted.
fn files() -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let skipped = name == "target" || name == "node_modules" || name == "__pycache__";
            if path.is_symlink() || skipped || (name.starts_with('.') && name != ".ci" && path.is_dir()) {
                continue;
            } else if path.is_dir() {
                walk(root, &path, found);
            } else if name != ".git" {
                let relative = path.strip_prefix(root).expect("a path below the root");
                found.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort();
    assert!(found.iter().any(|f| f == "Cargo.toml"), "the walk did not start at the root");
    found
}

fn rust_files() -> Vec<String> {
    files().into_iter().filter(|f| f.ends_with(".rs")).collect()
}

/// The text of a file, or nothing where it is not text.
fn text(file: &str) -> String {
    let bytes = fs::read(root().join(file)).expect("a readable file");
    String::from_utf8(bytes).unwrap_or_default()
}

fn is_test_file(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("/tests.rs")
}

/// The part of a source file that is not its test module: tests may be longer, and come last.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| &text[..at])
}

fn assert_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}

#[test]
fn crates_depend_on_each_other_only_as_drawn() {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut found = BTreeSet::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("a name");
            if ours.contains(to) {
                found.insert((name, to));
            }
        }
    }
    let drawn: BTreeSet<_> = EDGES.iter().copied().collect();
    assert_eq!(found, drawn, "ARCHITECTURE.md draws the edges on the right");
}

#[test]
fn the_laws_know_no_format() {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("packages");
    let laws = packages.iter().find(|p| p["name"] == "coherence").expect("the crate coherence");
    let foreign: Vec<String> = laws["dependencies"]
        .as_array()
        .expect("dependencies")
        .iter()
        .filter_map(|d| d["name"].as_str())
        .filter(|n| n.starts_with("arrow") || ["parquet", "tokio", "clap", "getrandom"].contains(n))
        .map(str::to_owned)
        .collect();
    assert_none("coherence depends on what it must not know", &foreign);
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut violations = Vec::new();
    for file in rust_files().iter().filter(|f| !is_test_file(f)) {
        let text = text(file);
        let code = without_tests(&text);
        let lines = code.lines().count();
        if lines > FILE_LINES_MAX {
            violations.push(format!("{file}: {lines} lines before its tests (at most {FILE_LINES_MAX})"));
        }
        for (number, line) in code.lines().enumerate() {
            let chars = line.chars().count();
            if chars > LINE_CHARS_MAX {
                violations
                    .push(format!("{file}:{}: {chars} characters (at most {LINE_CHARS_MAX})", number + 1));
            }
        }
        for (number, name, lines) in functions(code) {
            if lines > FUNCTION_LINES_MAX {
                violations.push(format!(
                    "{file}:{number}: {name} has {lines} lines (at most {FUNCTION_LINES_MAX})"
                ));
            }
        }
    }
    assert_none("too long", &violations);
}

/// Functions of a formatted file: line number, name, and lines from the signature to the closing brace.
///
/// rustfmt puts the closing brace of an item under the first character of its signature, which makes a
/// parser unnecessary.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let opened =
            lines[number..].iter().position(|l| l.ends_with('{') || l.ends_with(';') || l.ends_with('}'));
        let Some(opened) = opened.filter(|at| lines[number + at].ends_with('{')) else {
            continue;
        };
        let closed = lines[number + opened..].iter().position(|l| **l == closing);
        found.push((number + 1, name, opened + closed.map_or(1, |c| c + 1)));
    }
    found
}

/// The name of the function whose signature begins on this line.
fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "fn" => break,
            "async" | "const" | "unsafe" | "extern" | "default" => {}
            word if word.starts_with("pub") || word.starts_with("crate)") || word.ends_with(')') => {}
            _ => return None,
        }
    }
    let name = words.next()?;
    Some(name.split(['(', '<']).next()?.to_owned())
}

#[test]
fn the_measure_of_functions_measures() {
    let text = "fn a() {\n    b();\n}\n\nimpl X {\n    pub(crate) fn b<T>(\n        c: T,\n    ) -> u8 {\n        1\n    }\n}\n";
    assert_eq!(functions(text), [(1, "a".to_owned(), 3), (6, "b".to_owned(), 5)]);
}

#[test]
fn every_source_file_says_what_it_provides() {
    let silent: Vec<String> = rust_files().into_iter().filter(|f| !text(f).starts_with("//! ")).collect();
    assert_none("these files do not open with //!", &silent);
}

#[test]
fn nothing_is_left_unfinished_or_silenced() {
    let mut violations = Vec::new();
    for file in rust_files() {
        for (number, line) in text(&file).lines().enumerate() {
            for (found, advice) in FORBIDDEN_IN_RUST.iter().filter(|(found, _)| line.contains(found)) {
                violations.push(format!("{file}:{}: {found}: {advice}", number + 1));
            }
        }
    }
    assert_none("not in this repository", &violations);
}

#[test]
fn no_text_names_a_machine_or_a_registry() {
    let mut violations = Vec::new();
    for file in files().iter().filter(|f| !GENERATED.iter().any(|(name, _)| name == f)) {
        for (number, line) in text(file).lines().enumerate() {
            for found in FORBIDDEN_EVERYWHERE.iter().filter(|found| line.contains(**found)) {
                violations.push(format!("{file}:{}: {found}", number + 1));
            }
        }
    }
    assert_none("true on one machine only", &violations);
}

#[test]
fn paths_named_in_the_documents_exist() {
    let mut violations = Vec::new();
    let named = ["crates/", "testdata/", "tests/", "docs/", "bench/", "fuzz/"];
    for file in files().iter().filter(|f| f.ends_with(".md")) {
        for (number, line) in text(file).lines().enumerate() {
            let words = line.split(|c: char| !(c.is_alphanumeric() || "/_.-*".contains(c)));
            for word in words.map(|w| w.trim_end_matches(['.', '-', '/'])) {
                let path = named.iter().any(|start| word.starts_with(start)) && !word.contains('*');
                if path && !root().join(word).exists() {
                    violations.push(format!("{file}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert_none("these paths do not exist", &violations);
}

#[test]
fn every_bad_file_is_named_by_a_test() {
    let files = files();
    // What this file says of them names none.
    let tests: Vec<String> = files
        .iter()
        .filter(|f| f.ends_with(".rs") || (f.starts_with("tests/") && f.ends_with(".py")))
        .filter(|f| !f.ends_with("/tests/tidy.rs"))
        .map(|f| text(f))
        .collect();
    let bad: Vec<&String> =
        files.iter().filter(|f| f.starts_with("testdata/") && f.contains("/bad/")).collect();
    assert!(!bad.is_empty(), "testdata holds bad files");
    let tested = |file: &str| tests.iter().any(|test| names(test, file) || walks(test, file));
    let untested: Vec<String> = bad.into_iter().filter(|f| !tested(f)).cloned().collect();
    assert_none("no test names these files", &untested);
}

/// Whether a test names this file.
fn names(test: &str, file: &str) -> bool {
    test.contains(file.rsplit('/').next().unwrap_or(file))
}

/// Whether a test reads every file of the folder `bad` that this file lies in.
fn walks(test: &str, file: &str) -> bool {
    let folder = file.split("/bad/").next().unwrap_or_default();
    test.contains(&format!(r#"{folder}").join(folder)"#)) && test.contains(r#"files("bad")"#)
}

#[test]
fn a_folder_is_walked_only_by_a_test_that_reads_it() {
    let file = "testdata/avro/bad/empty.avro";
    let folder = r#"join("../../testdata/avro").join(folder)"#;
    let walk = r#"let files = files("bad");"#;
    assert!(walks(&[folder, walk].concat(), file));
    for other in [folder, walk, r#"join("../../testdata/images").join(folder); files("bad")"#] {
        assert!(!walks(other, file) && !names(other, file), "{other}");
    }
    assert!(names(r#"("empty.avro", "byte 0")"#, file));
}

#[test]
fn every_format_runs_the_conformance_suite() {
    let suite = text("crates/formats/tests/conformance.rs");
    assert!(suite.contains("for format in FORMATS"), "the suite goes over the table of formats");
    assert!(!suite.contains("continue;"), "the suite skips a format");
}

/// A target is a call of an oracle: what must hold is in the libraries, where ordinary tests reach it too.
#[test]
fn every_decoder_is_a_fuzz_target() {
    let targets = text("fuzz/src/lib.rs");
    let all = "BUILT_IN.iter().map(|entry| (entry.name, decoder(entry.codec)))";
    assert!(targets.contains(all), "the targets go over the table of all decoders");
    assert!(!targets.contains("filter"), "a decoder is skipped");
    let run = text("fuzz/run");
    assert!(run.contains(r#"names=$(ls "$seeds")"#), "the gate runs each target that there are seeds for");
    let seeds = text("fuzz/examples/seeds.rs");
    assert!(seeds.contains("has no seed"), "a target without a seed is an error");
}

#[test]
fn every_wrapping_of_bytes_runs_its_suite() {
    let suite = text("crates/formats/tests/bytes.rs");
    let tests = suite.matches("#[test]").count();
    assert_eq!(
        suite.matches("for codec in CODECS").count(),
        tests,
        "each test goes over the table of wrappings"
    );
    assert!(!suite.contains("continue;"), "the suite skips a wrapping");
}

#[test]
fn every_source_file_is_part_of_its_crate() {
    let files = rust_files();
    let mut orphans = Vec::new();
    for file in files.iter().filter(|f| f.contains("/src/") && !f.contains("/src/bin/")) {
        let (folder, name) = file.rsplit_once('/').expect("a path with a folder");
        let (module, parents) = match name {
            "lib.rs" | "main.rs" => continue,
            "mod.rs" => {
                let (above, module) = folder.rsplit_once('/').expect("a folder below src");
                (module, above)
            }
            _ => (name.trim_end_matches(".rs"), folder),
        };
        let parents = ["lib.rs", "main.rs", "mod.rs"]
            .map(|p| format!("{parents}/{p}"))
            .into_iter()
            .chain([format!("{parents}.rs")]);
        let named = parents.filter(|p| files.contains(p)).any(|p| {
            text(&p).lines().any(|l| {
                l.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ")
                    == format!("mod {module};")
            })
        });
        if !named {
            orphans.push(file.clone());
        }
    }
    assert_none("no module declares these files", &orphans);
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let deny: toml::Table = text("deny.toml").parse().expect("deny.toml is TOML");
    let allowed: BTreeSet<&str> =
        deny["licenses"]["allow"].as_array().expect("a list").iter().filter_map(|v| v.as_str()).collect();
    let host = rustc_host();
    let metadata = metadata(&["--filter-platform", &host]);
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 50, "the metadata lists the dependencies");
    let refused: Vec<String> = packages
        .iter()
        .filter(|p| !p["license"].as_str().is_some_and(|l| licence_allowed(l, &allowed)))
        .map(|p| format!("{} {}: {}", p["name"], p["version"], p["license"]))
        .collect();
    assert_none("licences that deny.toml does not allow", &refused);
}

/// Evaluates an SPDX expression: `AND` binds tighter than `OR`; the old `/` means `OR`.
fn licence_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced =
        expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "\u{1}");
    let tokens: Vec<String> = spaced.split_whitespace().map(|t| t.replace('\u{1}', " WITH ")).collect();
    let mut rest = tokens.as_slice();
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(rest: &mut &[String], allowed: &BTreeSet<&str>) -> bool {
    let mut fine = all_of(rest, allowed);
    while rest.first().is_some_and(|t| t == "OR") {
        *rest = &rest[1..];
        fine |= all_of(rest, allowed);
    }
    fine
}

fn all_of(rest: &mut &[String], allowed: &BTreeSet<&str>) -> bool {
    let mut fine = one(rest, allowed);
    while rest.first().is_some_and(|t| t == "AND") {
        *rest = &rest[1..];
        fine &= one(rest, allowed);
    }
    fine
}

fn one(rest: &mut &[String], allowed: &BTreeSet<&str>) -> bool {
    let Some((first, after)) = rest.split_first() else {
        return false;
    };
    *rest = after;
    if first != "(" {
        return allowed.contains(first.as_str());
    }
    let fine = any_of(rest, allowed);
    let closed = rest.first().is_some_and(|t| t == ")");
    *rest = rest.get(1..).unwrap_or_default();
    fine && closed
}

#[test]
fn licence_expressions_are_evaluated() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0 WITH LLVM-exception"]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 OR MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND Apache-2.0 WITH LLVM-exception", true),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(licence_allowed(expression, &allowed), expected, "{expression}");
    }
}

fn rustc_host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().expect("rustc runs");
    let said = String::from_utf8(output.stdout).expect("rustc speaks UTF-8");
    said.lines().find_map(|l| l.strip_prefix("host: ")).expect("rustc names its host").to_owned()
}

/// What cargo knows of the workspace. Never goes to the network: building the test has fetched everything.
fn metadata(arguments: &[&str]) -> serde_json::Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}
