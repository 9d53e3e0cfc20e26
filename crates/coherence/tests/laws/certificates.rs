//! Certificates: what is signed is what was verified, and nothing else is accepted.

use crate::verification;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use coherence::budget::Budget;
use coherence::certificate::{
    BuildError, CertificateError, ColumnStyle, Facts, File, Verdict, part_table, sign, verify,
};
use coherence::digest::{Digest, ObjectHasher};
use coherence::dsse::{BUNDLE_BYTES_MAX, Bundle, DEPTH_MAX, Malformed, pre_authentication_encoding};
use coherence::found::{Difference, Found};
use coherence::key;
use coherence::statement::{Content, Execution, Tool};
use coherence::verified::VerifiedWhole;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Map, Value, json};

pub(crate) fn signer(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn file(name: &str, media_type: &str) -> File {
    let mut hasher = ObjectHasher::new();
    hasher.update(name.as_bytes());
    File { name: name.to_owned(), object: hasher.finish(), media_type: media_type.to_owned() }
}

pub(crate) fn facts(reversible: bool) -> Facts {
    let style = json!({"form": "integer", "null": ""});
    let style = ColumnStyle { style: style.as_object().cloned().unwrap_or_default().into(), reversible };
    Facts {
        tool: Tool { name: "isoform".into(), version: "0.1.0".into() },
        sources: vec![file("in.csv", "text/csv")],
        targets: vec![file("out.parquet", "application/vnd.apache.parquet")],
        parameters: Map::new().into(),
        started_on: "2026-01-02T03:04:05Z".into(),
        finished_on: "2026-01-02T03:04:06Z".into(),
        styles: vec![ColumnStyle { reversible: true, ..style.clone() }, style],
        budget: Budget::ZERO,
        gates: Vec::new(),
        execution: Execution { mode: "local".into(), nodes: vec![], cost: Map::new() },
    }
}

fn signed(whole: &VerifiedWhole, reversible: bool) -> Vec<u8> {
    sign(whole, facts(reversible), &signer(1)).expect("a whole that was verified").to_bytes()
}

pub(crate) fn read(bytes: &[u8]) -> Result<Verdict, CertificateError> {
    verify(&Bundle::parse(bytes)?, None).map(|certificate| certificate.verdict())
}

#[test]
fn a_certificate_round_trips_and_names_its_verdict() {
    let whole = verification::whole(10, 0);
    let bytes = signed(&whole, true);
    assert_eq!(bytes, signed(&whole, true), "the same run gives the same certificate");
    assert!(!bytes.contains(&b'\n'));
    let bundle = Bundle::parse(&bytes).expect("what was written");
    assert_eq!(bundle.to_bytes(), bytes);
    let certificate = verify(&bundle, None).expect("what was signed");
    assert_eq!(certificate.verdict(), Verdict::Exact);
    let key_id = key::key_id(&signer(1).verifying_key()).expect("a key");
    assert_eq!(certificate.key_id(), &key_id);

    let predicate = &certificate.statement().predicate;
    assert_eq!(predicate.content.source(), whole.source_root().to_string());
    let Content::Table(table) = &predicate.content else { panic!("a table was signed") };
    assert_eq!(table.rows, "131082");
    assert_eq!(table.type_map[1].ty, "int8");
    assert_eq!(predicate.distortion.d, "0");
    assert_eq!(predicate.distortion.n, "262164");
    assert_eq!(predicate.distortion.coherence, "1");
    assert_eq!(predicate.verification.parts.total, "3");
    assert_eq!(predicate.verification.checks[0].scope, "3/3");
    let table = part_table(&whole).expect("safe numbers");
    assert_eq!(predicate.verification.table.digest.blake3, Digest::blake3(&table).to_string());
    assert_eq!(predicate.source[0].size, "6");

    assert_eq!(read(&signed(&whole, false)), Ok(Verdict::ValueExact));
    assert_eq!(read(&signed(&verification::whole(10, 3), true)), Ok(Verdict::Partial));
}

#[test]
fn a_pinned_key_must_be_the_signer() {
    let bundle = Bundle::parse(&signed(&verification::whole(1, 0), true)).expect("what was written");
    let id = |seed| key::key_id(&signer(seed).verifying_key()).expect("a key");
    assert!(verify(&bundle, Some(&id(1))).is_ok());
    let wrong = CertificateError::WrongKey { wanted: id(2), found: id(1) };
    assert_eq!(verify(&bundle, Some(&id(2))), Err(wrong));
}

#[test]
fn any_flipped_bit_is_noticed() {
    let bytes = signed(&verification::whole(1, 0), true);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(read(&flipped).is_err(), "byte {at} can be changed");
        assert!(read(&bytes[..at]).is_err(), "what follows byte {at} can be cut off");
    }
}

/// Changes the bundle's JSON without signing again.
fn with_bundle(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(bytes).expect("a certificate is JSON");
    change(&mut value);
    coherence::canonical::to_bytes(&value).expect("safe numbers")
}

/// Changes the statement's JSON and signs again: a signer who lies.
fn with_statement(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    with_bundle(bytes, |bundle| {
        let envelope = &mut bundle["dsseEnvelope"];
        let payload = BASE64.decode(envelope["payload"].as_str().unwrap_or_default()).expect("base64");
        let payload = with_bundle(&payload, &change);
        let encoded = pre_authentication_encoding("application/vnd.in-toto+json", &payload);
        let signature = signer(1).sign(&encoded).to_bytes();
        envelope["payload"] = json!(BASE64.encode(payload));
        envelope["signatures"][0]["sig"] = json!(BASE64.encode(signature));
    })
}

fn malformed(bytes: &[u8]) -> Malformed {
    match read(bytes) {
        Err(CertificateError::Malformed(malformed)) => malformed,
        // A signer who lies in another way than is known.
        Err(CertificateError::Unknown { why, .. }) => why,
        other => panic!("expected a malformed certificate, got {other:?}"),
    }
}

/// Why a certificate is refused whose signer lies in its predicate.
pub(crate) fn contradicted(bytes: &[u8], change: impl Fn(&mut Value)) -> Malformed {
    malformed(&with_statement(bytes, |statement| change(&mut statement["predicate"])))
}

#[test]
fn bundles_are_read_strictly() {
    let bytes = signed(&verification::whole(1, 0), true);
    let two = with_bundle(&bytes, |bundle| {
        let signature = bundle["dsseEnvelope"]["signatures"][0].clone();
        bundle["dsseEnvelope"]["signatures"] = json!([signature, signature]);
    });
    assert_eq!(malformed(&two), Malformed::Signatures { found: 2 });
    let none = with_bundle(&bytes, |bundle| bundle["dsseEnvelope"]["signatures"] = json!([]));
    assert_eq!(malformed(&none), Malformed::Signatures { found: 0 });
    let other = with_bundle(&bytes, |bundle| bundle["dsseEnvelope"]["payloadType"] = json!("text/plain"));
    assert!(matches!(malformed(&other), Malformed::Unexpected { field: "payloadType", .. }));
    let extra = with_bundle(&bytes, |bundle| bundle["extra"] = json!(true));
    assert!(matches!(malformed(&extra), Malformed::Json { document: "bundle", .. }));
    let hint = "00".repeat(32);
    let named = with_bundle(&bytes, |bundle| {
        bundle["verificationMaterial"]["publicKey"]["hint"] = json!(hint);
    });
    assert_eq!(malformed(&named), Malformed::KeyNames);
    let renamed = with_bundle(&bytes, |bundle| {
        bundle["verificationMaterial"]["publicKey"]["hint"] = json!(hint);
        bundle["dsseEnvelope"]["signatures"][0]["keyid"] = json!(hint);
    });
    assert_eq!(malformed(&renamed), Malformed::KeyNames);
    let spaced = [b" ".as_slice(), &bytes].concat();
    assert_eq!(malformed(&spaced), Malformed::NotCanonical { document: "bundle" });
    let doubled = [b"{\"mediaType\":\"x\",".as_slice(), &bytes[1..]].concat();
    assert_eq!(malformed(&doubled), Malformed::NotCanonical { document: "bundle" });
    let large = vec![b' '; BUNDLE_BYTES_MAX + 1];
    assert_eq!(malformed(&large), Malformed::TooLarge { bytes: BUNDLE_BYTES_MAX + 1 });
    assert_eq!(malformed(&vec![b'['; 1 << 20]), Malformed::TooDeep { offset: DEPTH_MAX });
}

#[test]
fn what_another_version_states_is_no_damage_where_its_signature_holds() {
    let bytes = signed(&verification::whole(1, 0), true);
    let tool = |statement: &mut Value| statement["predicate"]["conversion"]["tool"]["version"] = json!("9.9");
    let later = |change: fn(&mut Value)| {
        with_statement(&bytes, |statement| {
            tool(statement);
            change(statement);
        })
    };
    let changes: [fn(&mut Value); 4] = [
        |statement| statement["predicateType"] = json!("urn:isoform:conversion:v2"),
        |statement| statement["predicate"]["new"] = json!("x"),
        |statement| statement["predicate"]["content"]["scheme"] = json!("isoform-content/v2"),
        |statement| statement["predicate"]["verification"]["verdict"] = json!("NEWER"),
    ];
    for change in changes {
        let stated = later(change);
        let found = read(&stated);
        let told = |tool: &Option<String>| tool.as_deref().is_some_and(|tool| tool.ends_with(" 9.9"));
        assert!(matches!(&found, Err(CertificateError::Unknown { tool, .. }) if told(tool)), "{found:?}");
        // Under another signature it was changed.
        let unsigned = with_bundle(&stated, |bundle| {
            bundle["dsseEnvelope"]["signatures"][0]["sig"] = json!(BASE64.encode([0; 64]));
        });
        let refused = read(&unsigned);
        let is_changed =
            matches!(refused, Err(CertificateError::Malformed(_) | CertificateError::BadSignature));
        assert!(is_changed, "{refused:?}");
        // Who asks for the certificate of one signer gets no other, whatever it states.
        let bundle = Bundle::parse(&stated).unwrap();
        let found = verify(&bundle, Some(&Digest::blake3(b"another key")));
        assert!(matches!(found, Err(CertificateError::WrongKey { .. })), "{found:?}");
        assert!(matches!(
            verify(&bundle, Some(bundle.unverified_key_id())),
            Err(CertificateError::Unknown { .. })
        ));
    }
}

#[test]
fn messages_show_the_beginning_of_what_a_certificate_states() {
    let bytes = signed(&verification::whole(1, 0), true);
    let long = "é".repeat(100_000);
    let changes: [&dyn Fn(&mut Value); 3] = [
        &|statement| statement["predicateType"] = json!(long),
        &|statement| statement["predicate"][&long] = json!("x"),
        &|statement| statement["predicate"]["verification"]["verdict"] = json!(long),
    ];
    for change in changes {
        let Err(refused) = read(&with_statement(&bytes, change)) else { panic!("it is refused") };
        let told = refused.to_string();
        assert!(told.len() < 500 && told.contains("é…") && told.matches("line").count() <= 1, "{told}");
    }
}

#[test]
fn a_signed_contradiction_is_refused() {
    let bytes = signed(&verification::whole(1, 0), true);
    assert_eq!(read(&with_statement(&bytes, |_| {})), Ok(Verdict::Exact));
    type Change = fn(&mut Value);
    let changes: [Change; 16] = [
        |statement| statement["predicate"]["content"]["equal"] = json!(false),
        |statement| statement["predicate"]["content"]["target"] = json!("00".repeat(32)),
        |statement| statement["predicate"]["content"]["typeMap"][0]["reversible"] = json!(false),
        |statement| statement["predicate"]["content"]["columns"] = json!("3"),
        |statement| statement["predicate"]["distortion"]["d"] = json!("1"),
        |statement| statement["predicate"]["verification"]["parts"]["decoded"] = json!("2"),
        |statement| statement["predicate"]["verification"]["verdict"] = json!("PERFECT"),
        |statement| statement["predicate"]["distortion"]["rmse"] = json!("0.5"),
        |statement| statement["predicate"]["distortion"]["maxAbs"] = json!("0.5"),
        |statement| statement["predicate"]["distortion"]["coherence"] = json!("0.5"),
        |statement| statement["predicate"]["distortion"]["psnrDb"] = json!("3"),
        |statement| statement["predicate"]["distortion"]["worstPart"]["coherence"] = json!("0.5"),
        |statement| statement["predicate"]["distortion"]["n"] = json!("5"),
        |statement| statement["predicate"]["verification"]["tau"]["reached"] = json!("0.5"),
        |statement| statement["predicate"]["verification"]["checks"][1]["name"] = json!("set-aside"),
        |statement| statement["predicate"]["content"]["rows"] = json!("5"),
    ];
    for change in changes {
        let found = malformed(&with_statement(&bytes, change));
        let named = matches!(found, Malformed::Contradiction { .. } | Malformed::Unexpected { .. });
        assert!(named, "{found:?}");
    }
    let other_key = with_statement(&bytes, |statement| {
        let pem = key::to_pem(&signer(2).verifying_key()).expect("a key");
        statement["predicate"]["key"] = json!(pem);
    });
    assert_eq!(malformed(&other_key), Malformed::KeyNames);
    let unsigned = with_bundle(&bytes, |bundle| {
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = json!(BASE64.encode([0; 64]));
    });
    assert_eq!(read(&unsigned), Err(CertificateError::BadSignature));
}

#[test]
fn what_is_found_again_is_what_is_stated() {
    let (exact, lost) = (verification::whole(10, 0), verification::whole(10, 3));
    let equal = |whole: &VerifiedWhole, reversible| Found {
        whole: None,
        records: whole.records(),
        partitions: None,
        reversible,
        budget: &Budget::ZERO,
    };
    let statement = |bytes: &[u8]| {
        let bundle = Bundle::parse(bytes).expect("what was written");
        verify(&bundle, None).expect("what holds together").statement().predicate.clone()
    };
    let difference = |found: Found<'_>, bytes: &[u8]| {
        let difference = found.difference(&statement(bytes)).expect("a distance");
        difference.map(|Difference { name, stated, found }| format!("{name}: {stated} {found}"))
    };
    for whole in [&exact, &lost] {
        let honest = signed(whole, true);
        assert_eq!(difference(equal(whole, true), &honest), None);
        assert_eq!(difference(Found::measured(whole, &Budget::ZERO), &honest), None);
    }
    // Each is a claim that holds together, of what is another conversion.
    let told = |found: Found<'_>, bytes: &[u8]| difference(found, bytes).expect("a difference");
    assert_eq!(told(equal(&exact, false), &signed(&exact, true)), "verdict: EXACT VALUE-EXACT");
    assert_eq!(told(equal(&lost, true), &signed(&exact, true)), "verdict: EXACT PARTIAL");
    let fewer = with_statement(&signed(&lost, true), |statement| {
        statement["predicate"]["verification"]["checks"][2]["scope"] = json!("1/131085");
    });
    assert_eq!(told(equal(&lost, true), &fewer), "set-aside: 1/131085 WARNED 3/131085 WARNED");
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("norm", |predicate| predicate["distortion"]["norm"] = json!("1")),
        ("epsilon", |predicate| predicate["distortion"]["epsilon"] = json!("1")),
        ("tau.requested", |predicate| predicate["verification"]["tau"]["requested"] = json!("0.5")),
        ("count-records", |predicate| predicate["verification"]["checks"][1]["scope"] = json!("5/5")),
        ("count-bytes", |predicate| predicate["verification"]["checks"][1]["name"] = json!("count-bytes")),
        ("table", |predicate| {
            predicate["verification"]["table"]["digest"]["blake3"] = json!("00".repeat(32))
        }),
    ];
    for (name, change) in changes {
        let other = with_statement(&signed(&exact, true), |statement| change(&mut statement["predicate"]));
        let found = [equal(&exact, true), Found::measured(&exact, &Budget::ZERO)];
        let named = found.map(|found| difference(found, &other).unwrap_or_default());
        let expected = if name == "count-bytes" { "count-records" } else { name };
        assert!(named[1].starts_with(expected), "{name}: {named:?}");
        // What is cut otherwise has another table of parts.
        assert_eq!(named[0].is_empty(), name == "table", "{name}: {named:?}");
    }
}

#[test]
fn what_cannot_be_stated_is_not_signed() {
    let whole = verification::whole(1, 0);
    let refused = |facts| sign(&whole, facts, &signer(1)).err();
    let styles = Facts { styles: vec![], ..facts(true) };
    assert_eq!(refused(styles), Some(BuildError::Styles { expected: 2, found: 0 }));
    assert_eq!(refused(Facts { targets: vec![], ..facts(true) }), Some(BuildError::NoFiles));
    let mut parameters = Map::new();
    parameters.insert("rate".into(), json!(0.5));
    assert!(matches!(
        refused(Facts { parameters: parameters.into(), ..facts(true) }),
        Some(BuildError::Number(_))
    ));
}

/// The example of the DSSE protocol document.
#[test]
fn the_signed_bytes_are_those_of_dsse() {
    let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

/// The example of RFC 8410, section 10.1, as a fixed point of the encoding.
#[test]
fn keys_are_written_as_rfc_8410_writes_them() {
    let pem = "-----BEGIN PUBLIC KEY-----\n\
               MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
               -----END PUBLIC KEY-----\n";
    let key = key::from_pem(pem).expect("a key");
    assert_eq!(key::to_pem(&key).as_deref(), Ok(pem));
    assert!(key::from_pem("-----BEGIN PUBLIC KEY-----\n").is_err());
}
