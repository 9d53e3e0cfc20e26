//! The page of a certificate of each model, word for word.

use serde_json::json;

use super::*;

/// A statement about this content, at this distance.
fn statement(content: Value, parameters: Value, distortion: Value) -> Statement {
    let digest = |c: &str| json!({ "sha256": c.repeat(4), "blake3": c.repeat(8) });
    let source = json!({ "name": "in", "digest": digest("a"), "mediaType": "text/a", "size": "23" });
    serde_json::from_value(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "out", "digest": digest("b") }],
        "predicateType": "urn:isoform:conversion:v1",
        "predicate": {
            "conversion": {
                "tool": { "name": "isoform", "version": "1.2.3" }, "from": "text/a", "to": "text/b",
                "parameters": parameters,
                "startedOn": "2026-01-01T00:00:00Z", "finishedOn": "2026-01-01T00:00:01Z",
            },
            "source": [source],
            "content": content,
            "distortion": distortion,
            "verification": {
                "verdict": "EXACT",
                "parts": {
                    "total": "2", "decoded": "2", "sampled": "0", "replicated": "0", "mismatched": "0",
                    "redone": "0",
                },
                "tau": { "requested": "1", "reached": "1" },
                "undetected": "0",
                "checks": [{ "name": "decode-compare", "by": "me", "scope": "2/2", "result": "PASSED" }],
                "table": { "digest": { "blake3": "cc" } },
            },
            "execution": { "mode": "local", "nodes": [], "cost": {} },
            "key": "",
        },
    }))
    .unwrap()
}

fn no_distance(n: &str) -> Value {
    json!({
        "d": "0", "epsilon": "0", "norm": "2", "n": n, "rmse": "0", "psnrDb": "inf", "maxAbs": "0",
        "coherence": "1", "gates": [{ "name": "whole", "limit": "0" }],
    })
}

/// What stands between the content and the parameters of each of these pages.
const MIDDLE: &str = "
  2 parts: 2 decoded, 0 sampled, 0 replicated, 0 mismatched, 0 redone
  tau 1 requested, 1 reached
  probability of an undetected fault 0
  check decode-compare: PASSED, 2/2, by the signer
  table of parts blake3 cc
  source in: text/a, 23 bytes
    sha256 aaaa
    blake3 aaaaaaaa
  target out
    sha256 bbbb
    blake3 bbbbbbbb
  parameters
";

fn told(statement: &Statement) -> (String, String, String) {
    let page = page("out.json", "EXACT", "me", statement).join("\n");
    let middle = MIDDLE.trim_start_matches('\n');
    let (before, after) = page.split_once(middle).unwrap();
    let head = "out.json: EXACT\n  signed by me\n  made by isoform 1.2.3 from 2026-01-01T00:00:00Z to \
                2026-01-01T00:00:01Z, local\n  text/a → text/b\n";
    let before = before.strip_prefix(head).unwrap();
    (before.to_owned(), after.to_owned(), page.clone())
}

fn table(model: &str, partitions: Value) -> Value {
    let mut content = json!({
        "model": model, "scheme": "isoform-content/v1", "source": "ff", "target": "ff", "equal": true,
        "rows": "2", "columns": "2",
        "typeMap": [
            { "name": "a", "type": "int64", "reversible": true, "style": {
                "field": { "type": "int64", "style": { "form": "integer" }, "reversible": true } } },
            { "name": "a_2", "type": "text", "reversible": false, "style": {
                "field": { "type": "text", "style": { "form": "text" }, "reversible": false },
                "json": { "style": "plain", "absence": "null" }, "sourceName": "a" } },
        ],
    });
    if !partitions.is_null() {
        content["partitions"] = partitions;
    }
    content
}

#[test]
fn a_table() {
    let parameters = json!({
        "reading": [{ "delimiter": ",", "header": "yes" }], "sources": ["in"], "within": "exact",
        "writing": { "compression": "zstd:3" },
    });
    let (content, rest, _) = told(&statement(table("table", Value::Null), parameters, no_distance("4")));
    let expected = "  2 rows, 2 columns
  content of source and target ff (isoform-content/v1)
  distance 0 over 4 cells
  gate whole: limit 0
";
    assert_eq!(content, expected);
    let expected = r#"    reading
      delimiter: ","
      header: "yes"
    sources: ["in"]
    within: "exact"
    writing
      compression: "zstd:3"
  columns
    a: int64, as a field {"form":"integer"}
    a_2: text, as a field {"form":"text"}, as JSON "plain", headed "a" (its text does not come back)"#;
    assert_eq!(rest, expected);
}

#[test]
fn partitions_and_sources_that_were_read_differently() {
    let parameters = json!({ "reading": [{ "delimiter": "," }, { "delimiter": ";" }] });
    let partitions = json!({ "columns": ["day", "a\u{1b}"], "count": "3" });
    let statement = statement(table("partitioned-table", partitions), parameters, no_distance("4"));
    let (content, rest, page) = told(&statement);
    assert!(content.starts_with("  2 rows, 2 columns, 3 partitions by day, a\u{1b}\n"), "{content}");
    let expected = r#"    reading 1 of 2
      delimiter: ","
    reading 2 of 2
      delimiter: ";"
"#;
    assert!(rest.starts_with(expected), "{rest}");
    // What a terminal would obey is escaped where lines are printed.
    assert!(crate::report::shown(&page).contains("a\\u{1b}"));
}

#[test]
fn a_signal_within_a_budget() {
    let content = json!({
        "model": "signal", "scheme": "isoform-content/v1", "source": "ee", "target": "ff", "equal": false,
        "samples": "12", "arrays": [
            { "name": "image", "type": "u8", "shape": ["2", "2", "3"], "meaning": "rgb", "style": {
                "lossless": false, "quality": "85" } },
            { "name": "", "type": "f32", "shape": ["4"], "style": {} },
        ],
        "attributes": [{ "key": "icc", "blake3": "dd" }],
    });
    let distortion = json!({
        "d": "1.5", "epsilon": "2.5", "norm": "300", "n": "12", "rmse": "0.4", "psnrDb": "54.4",
        "maxAbs": "1", "coherence": "0.995", "worstPart": { "index": "3", "coherence": "0.99" },
        "pieces": { "samples": "48000", "count": "4" },
        "gates": [
            { "name": "whole-rmse", "limit": "0.8" },
            { "name": "ssimulacra2", "limit": "80", "found": "91.5", "by": "ssimulacra2 0.5" },
        ],
    });
    let (before, rest, _) = told(&statement(content, json!({ "within": "psnr=50" }), distortion));
    let expected = "  12 samples in 2 arrays
  content of the source ee (isoform-content/v1)
  content of the target ff (isoform-content/v1)
  distance 1.5 over 12 samples, allowed 2.5
    norm of the source 300, coherence 0.995
    root mean square error 0.4, largest error 1, PSNR 54.4 dB
    worst piece 3: coherence 0.99
    4 pieces of 48000 samples each
  gate whole-rmse: limit 0.8
  gate ssimulacra2: limit 80, found 91.5, measured by ssimulacra2 0.5
";
    assert_eq!(before, expected);
    let expected = r#"    within: "psnr=50"
  arrays
    "image": u8, 2 × 2 × 3, rgb, lossless false, quality "85"
    "": f32, 4
  attributes
    icc: blake3 dd"#;
    assert_eq!(rest, expected);
}

#[test]
fn a_byte_string() {
    let content = json!({
        "model": "bytes", "scheme": "isoform-content/v1", "source": "ff", "target": "ff", "equal": true,
        "bytes": "23",
    });
    let (before, rest, _) = told(&statement(content, json!({ "compression": "zstd:3" }), no_distance("23")));
    let expected = "  23 bytes of content
  content of source and target ff (isoform-content/v1)
  distance 0 over 23 bytes
  gate whole: limit 0
";
    assert_eq!((before.as_str(), rest.as_str()), (expected, "    compression: \"zstd:3\""));
}

#[test]
fn checks_of_others_are_told_with_their_key() {
    let mut statement = statement(table("table", Value::Null), json!({}), no_distance("4"));
    let checks = &mut statement.predicate.verification.checks;
    checks[0].by = "somebody".to_owned();
    checks[0].result = "WARNED".to_owned();
    let page = page("out.json", "PARTIAL", "me", &statement);
    let line = "  check decode-compare: WARNED, 2/2, by somebody";
    assert!(page.iter().any(|found| found == line), "{page:?}");
}
