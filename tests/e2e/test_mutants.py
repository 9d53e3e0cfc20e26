"""Mutated files of every format: an error with exit code 9, or a table that converts and is proven; never a crash.

ISOFORM_MUTANTS sets how many mutants of each file are tried (40 by default). The default seed is fixed, so that a gate
fails for a change and not by chance; ISOFORM_SEED=random draws one, a number repeats a run.
"""

import os
import random

import numpy as np
import pytest
import soundfile

import harness

MUTANTS = int(os.environ.get("ISOFORM_MUTANTS", "40"))
SEED = os.environ.get("ISOFORM_SEED", "99277972")
if SEED == "random":
    SEED = str(random.randrange(1 << 32))
NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0\0\0\0\0", b"\xff" * 8]
MARKS = [b'"', b"\n", b"\r", b",", b"\\", b"{", b"[", b"\0", b"\xef\xbb\xbf", b"e999", b"-", b"\xed\xa0\x80"]


def mutate(data, draw):
    """One to three small damages: what disks, cut transfers and wrong editors do."""
    data = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(data) + 1)
        # The ends hold headers and footers, where damage is worst.
        if draw.random() < 0.4:
            at = draw.choice([draw.randrange(min(64, len(data)) + 1), len(data) - draw.randrange(min(200, len(data)) + 1)])
        size = draw.choice([1, 2, 7, 64])
        action = draw.randrange(7)
        if action == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif action == 1 and at < len(data):
            data[at] = draw.randrange(256)
        elif action == 2:
            del data[at:]
        elif action == 3:
            del data[at : at + size]
        elif action == 4:
            data[at:at] = data[at : at + size]
        elif action == 5:
            number = draw.choice(NUMBERS)
            data[at : at + len(number)] = number
        else:
            data[at:at] = draw.choice(MARKS)
    return bytes(data)


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet", "arrow", "arrows", "avro", "csv.gz", "jsonl.zst"])
def test_mutants(isoform, tmp_path, ending):
    small = tmp_path / "small.csv"
    lines = (harness.TABLES / "sales.csv").read_bytes().split(b"\n")
    small.write_bytes(b"\n".join(lines[:8]) + b"\n")
    whole, mutant, target = tmp_path / f"whole.{ending}", tmp_path / f"mutant.{ending}", tmp_path / "target.parquet"
    if ending != "csv":
        isoform("convert", small, whole).expect(0)
    else:
        whole.write_bytes(small.read_bytes())
    if ending == "parquet":
        target = tmp_path / "target.arrow"
    tried(isoform, whole, mutant, target)


@pytest.mark.parametrize("ending", ["wav", "aiff", "flac", "ogg", "opus", "mp3"])
def test_mutants_of_sounds(isoform, tmp_path, ending):
    whole, mutant, target = tmp_path / f"whole.{ending}", tmp_path / f"mutant.{ending}", tmp_path / "target.wav"
    samples = np.sin(np.arange(9600) / 20)[:, None] * [0.5, 0.3]
    kind = {"ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS")}.get(ending, (ending.upper(), None))
    with soundfile.SoundFile(whole, "w", 48000, 2, format=kind[0], subtype=kind[1]) as file:
        file.title = "a title"
        file.write(samples)
    tried(isoform, whole, mutant, target, "--drop", "metadata")


def tried(isoform, whole, mutant, target, *options):
    """Converts damaged copies of a file."""
    tmp_path, ending = whole.parent, whole.name.split(".", 1)[1]
    draw = random.Random(f"{SEED} {ending}")
    data = whole.read_bytes()
    for number in range(MUTANTS):
        mutant.write_bytes(mutate(data, draw))
        done = isoform("convert", mutant, target, *options, timeout=60)
        told = f"ISOFORM_SEED={SEED}, {ending} mutant {number}: exit {done.code}: {done.err}"
        assert done.code in (0, 9) and "panicked" not in done.err and "bug in isoform" not in done.err, told
        if done.code == 0:
            assert isoform("verify", target).code == 0, told
            target.unlink()
            harness.certificate_of(target).unlink()
        assert not target.exists() and not any(n.startswith(".") for n in harness.listing(tmp_path)), told
