"""`verify` finds whatever was changed after the conversion, and says so by its exit code."""

import base64
import json
import shutil

import pytest

import harness

ANOTHER_KEY = "0" * 64


@pytest.fixture
def certificate(converted):
    return harness.certificate_of(converted)


def test_an_untouched_pair_is_verified(isoform, converted):
    isoform("verify", converted).expect(0)


def test_without_its_source(isoform, converted, sales):
    import os

    os.remove(sales)
    done = isoform("verify", converted).expect(0)
    assert "source" in done.out + done.err, "it says that the source was not compared"


@pytest.mark.parametrize("place", [4, 0.1, 0.3, 0.5, 0.7, 0.9, -5, -1])
def test_one_bit_of_the_target(isoform, converted, place):
    size = converted.stat().st_size
    offset = int(place * size) if isinstance(place, float) else place
    harness.flip(converted, offset, bit=offset % 8)
    isoform("verify", converted).expect(4)


@pytest.mark.parametrize("change", ["cut", "appended"])
def test_length_of_the_target(isoform, converted, change):
    data = converted.read_bytes()
    converted.write_bytes(data[:-1] if change == "cut" else data + b"\0")
    isoform("verify", converted).expect(4)


@pytest.mark.parametrize("field", ["payload", "sig"])
@pytest.mark.parametrize("place", [0.0, 0.33, 0.66, 0.98])
def test_one_bit_of_what_was_signed(isoform, converted, certificate, field, place):
    bundle = json.loads(certificate.read_text())
    envelope = bundle["dsseEnvelope"]
    holder = envelope if field == "payload" else envelope["signatures"][0]
    raw = bytearray(base64.b64decode(holder[field]))
    raw[int(place * len(raw))] ^= 1
    holder[field] = base64.b64encode(raw).decode()
    certificate.write_text(json.dumps(bundle, sort_keys=True, separators=(",", ":")))
    isoform("verify", converted).expect(10)


def test_any_bit_of_the_certificate(isoform, converted, certificate):
    """Every hundredth byte: a bit there makes the file malformed or its signature wrong, never acceptable."""
    whole = certificate.read_bytes()
    for offset in range(0, len(whole), max(1, len(whole) // 60)):
        certificate.write_bytes(whole)
        harness.flip(certificate, offset, bit=offset % 7)
        assert isoform("verify", converted).code in (4, 9, 10), f"byte {offset}"


def test_two_signatures_are_refused(isoform, converted, certificate):
    bundle = json.loads(certificate.read_text())
    bundle["dsseEnvelope"]["signatures"] *= 2
    certificate.write_text(json.dumps(bundle))
    assert isoform("verify", converted).code in (9, 10)


@pytest.mark.parametrize("old, new", [(b"rope", b"ripe"), (b",true,", b",false,"), (b"2024-01-18,", b"2024-01-19,")])
def test_a_changed_source(isoform, converted, sales, old, new):
    data = open(sales, "rb").read()
    assert old in data
    open(sales, "wb").write(data.replace(old, new, 1))
    isoform("verify", converted).expect(4)


def test_one_bit_of_the_source(isoform, converted, sales):
    digit = open(sales, "rb").read().rindex(b"\n1") + 2
    harness.flip(sales, digit)
    isoform("verify", converted).expect(4)


def test_a_certificate_of_another_target(isoform, converted, sales, tmp_path):
    other = tmp_path / "other.parquet"
    isoform("convert", sales, other, "--compression", "none").expect(0)
    shutil.copy(harness.certificate_of(other), harness.certificate_of(converted))
    isoform("verify", converted).expect(4)


def test_the_signer_can_be_pinned(isoform, converted):
    key = isoform("key", "show").expect(0).out.strip()
    isoform("verify", converted, "--key", key).expect(0)
    isoform("verify", converted, "--key", ANOTHER_KEY).expect(10)


def test_another_machines_certificate_verifies_but_not_under_our_key(isoform, converted, tmp_path):
    other = harness.Program(tmp_path / "elsewhere")
    other("verify", converted).expect(0)
    key = other("key", "show").expect(0).out.strip()
    other("verify", converted, "--key", key).expect(10)


def test_a_renamed_target_finds_its_certificate(isoform, converted, tmp_path):
    renamed = converted.rename(tmp_path / "moved.parquet")
    certificate = harness.certificate_of(converted)
    isoform("verify", renamed, "--certificate", certificate).expect(0)
    isoform("verify", renamed, "--certificate", tmp_path).expect(0)


def test_no_certificate(isoform, converted, certificate):
    certificate.unlink()
    done = isoform("verify", converted)
    assert done.code in (1, 9) and "certificate" in done.err


def test_a_directory(isoform, converted, sales, tmp_path):
    second = tmp_path / "second.arrow"
    isoform("convert", sales, second).expect(0)
    isoform("verify", tmp_path).expect(0)
    harness.flip(second, second.stat().st_size // 2)
    done = isoform("verify", tmp_path)
    assert done.code in (3, 4) and "second.arrow" in done.out + done.err
