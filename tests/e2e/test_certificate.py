"""A certificate is checked by programs that know nothing of us, and says what the field list says."""

import base64
import hashlib
import json
import os
import re
import stat
import subprocess

import blake3
import pytest
from cryptography.hazmat.primitives import serialization
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

import harness

# Word for word what the README tells people to type.
SHELL = r"""
set -euo pipefail
jq -r .dsseEnvelope.payload "$C" | base64 -d > p; t=$(jq -r .dsseEnvelope.payloadType "$C")
{ printf 'DSSEv1 %d %s %d ' ${#t} "$t" $(stat -c %s p); cat p; } > pae
jq -r '.dsseEnvelope.signatures[0].sig' "$C" | base64 -d > sig
openssl pkeyutl -verify -rawin -pubin -inkey key.pem -in pae -sigfile sig
jq -r '.subject[]|.digest.sha256+"  "+.name' p | sha256sum -c -
"""


def by_shell(certificate, pem):
    folder = certificate.parent
    (folder / "key.pem").write_text(pem)
    environment = os.environ | {"C": str(certificate)}
    return subprocess.run(["bash", "-c", SHELL], cwd=folder, env=environment, capture_output=True, text=True)


def by_securesystemslib(certificate, pem):
    key_id = hashlib.sha256(der(pem)).hexdigest()
    key = SSlibKey.from_crypto(serialization.load_pem_public_key(pem.encode()), keyid=key_id)
    envelope = Envelope.from_dict(json.loads(certificate.read_text())["dsseEnvelope"])
    return envelope.verify([key], threshold=1)


def by_sigstore(certificate, pem):
    (certificate.parent / "key.pem").write_text(pem)
    script = harness.ROOT / "tests" / "e2e" / "sigstore_verify.cjs"
    command = ["node", str(script), str(certificate), str(certificate.parent / "key.pem")]
    return subprocess.run(command, capture_output=True, text=True)


def der(pem):
    key = serialization.load_pem_public_key(pem.encode())
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def tampered(certificate):
    """The certificate with one digit of one digest changed inside the signed payload."""
    bundle = json.loads(certificate.read_text())
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    digit = re.search(rb'"sha256":"(.)', payload).start(1)
    changed = payload[:digit] + (b"1" if payload[digit : digit + 1] != b"1" else b"2") + payload[digit + 1 :]
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(changed).decode()
    certificate.write_text(json.dumps(bundle))


@pytest.fixture
def pem(isoform):
    return isoform("key", "show", "--pem").expect(0).out


@pytest.fixture
def certificate(converted):
    return harness.certificate_of(converted)


def test_openssl_jq_and_sha256sum(certificate, pem, converted):
    done = by_shell(certificate, pem)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout and "sales.parquet: OK" in done.stdout
    harness.flip(converted, 4000)
    assert by_shell(certificate, pem).returncode != 0


def test_openssl_refuses_another_payload(certificate, pem):
    tampered(certificate)
    done = by_shell(certificate, pem)
    assert done.returncode != 0 and "Verified Successfully" not in done.stdout


def test_securesystemslib(certificate, pem):
    assert len(by_securesystemslib(certificate, pem)) == 1
    tampered(certificate)
    with pytest.raises(VerificationError):
        by_securesystemslib(certificate, pem)


def test_sigstore(certificate, pem):
    done = by_sigstore(certificate, pem)
    assert done.returncode == 0, done.stderr
    tampered(certificate)
    done = by_sigstore(certificate, pem)
    assert done.returncode == 1 and "refused" in done.stderr


def test_the_key_inside_is_the_key_of_the_program(isoform, certificate, pem):
    inside = harness.statement(certificate)["predicate"]["key"]
    assert der(inside) == der(pem)
    key_id = hashlib.sha256(der(pem)).hexdigest()
    assert isoform("key", "show").expect(0).out.strip() == key_id
    bundle = json.loads(certificate.read_text())
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": key_id}, "tlogEntries": []}
    assert [s["keyid"] for s in bundle["dsseEnvelope"]["signatures"]] == [key_id]


def test_the_private_key_is_private(isoform, certificate):
    files = [p for p in isoform.config.rglob("*") if p.is_file()]
    secret = [p for p in files if b"PRIVATE KEY" in p.read_bytes()]
    assert len(secret) == 1
    assert stat.S_IMODE(secret[0].stat().st_mode) == 0o600


def test_the_fields(certificate, converted, sales):
    said = harness.statement(certificate)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "urn:isoform:conversion:v1"
    data, source = converted.read_bytes(), open(sales, "rb").read()
    digest = lambda b: {"sha256": hashlib.sha256(b).hexdigest(), "blake3": blake3.blake3(b).hexdigest()}
    assert said["subject"] == [{"name": "sales.parquet", "digest": digest(data)}]
    predicate = said["predicate"]
    conversion = predicate["conversion"]
    assert conversion["tool"]["name"] == "isoform" and re.fullmatch(r"\d+\.\d+\.\d+.*", conversion["tool"]["version"])
    assert (conversion["from"], conversion["to"]) == ("text/csv", "application/vnd.apache.parquet")
    for moment in ("startedOn", "finishedOn"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", conversion[moment])
    [origin] = predicate["source"]
    assert origin["digest"] == digest(source) and origin["size"] == str(len(source))
    assert origin["mediaType"] == "text/csv"
    content = predicate["content"]
    assert content["model"] == "table" and content["equal"] is True
    assert content["source"] == content["target"] and re.fullmatch("[0-9a-f]{64}", content["source"])
    assert (content["rows"], content["columns"]) == ("1000", "12")
    kinds = {c["name"]: c["type"] for c in content["typeMap"]}
    assert list(kinds) == [name for name, _ in harness.fields(source)[0]]
    assert kinds["order_id"] == "int64" and all(c["reversible"] is True for c in content["typeMap"])
    assert predicate["distortion"]["d"] == "0"
    verification = predicate["verification"]
    assert verification["verdict"] == "EXACT"
    parts = verification["parts"]
    assert int(parts["total"]) >= 1 and parts["decoded"] == parts["total"]
    assert parts["mismatched"] == "0" and parts["sampled"] == "0"
    assert all(c["result"] == "PASSED" for c in verification["checks"]) and verification["checks"]


def test_the_form(certificate):
    """Sorted keys, no spaces, no final newline, and no number that a double cannot hold."""
    raw = certificate.read_bytes()
    bundle = json.loads(raw)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True)
    for text in (raw, payload):
        again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert text == again.encode()

    def numbers(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            return [n for v in value for n in numbers(v)]
        return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []

    assert all(abs(n) < 2**53 for n in numbers(json.loads(payload)))
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"


def test_the_same_table_has_the_same_content_digest_in_every_format(isoform, sales, converted, tmp_path):
    digests = {harness.statement(harness.certificate_of(converted))["predicate"]["content"]["target"]}
    for ending in ("arrow", "arrows"):
        target = tmp_path / f"sales.{ending}"
        isoform("convert", sales, target).expect(0)
        digests.add(harness.statement(harness.certificate_of(target))["predicate"]["content"]["target"])
    assert len(digests) == 1
