"""Bad records of runs that were killed: those of a published target get their name, the others are made anew."""

import shutil
import subprocess
import time

import pytest

import harness

ONE, TWO = "k,v\n1,a\n2,b\n2\n", "k,v\n1,a\n3\n2,q\n"
WAYS = {"file": ("o.parquet", ()), "partitions": ("out", ("--to", "parquet", "--partition-by", "k"))}


def rejected(text):
    """The bad record of a source, as far as the file of them must show it."""
    return '"2"' if text == ONE else '"3"'


class Pairs:
    """A target with bad records in its place, and another of the same name that is finished elsewhere."""

    def __init__(self, isoform, folder, name, options):
        self.isoform, self.folder, self.options = isoform, folder, options
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.target, self.bad = folder / name, folder / "bad.jsonl"
        self.waiting = folder / ".bad.jsonl.isoform-rejects"
        for place, text in [(folder, ONE), (self.elsewhere, TWO)]:
            (place / "s.csv").write_text(text)
            self.convert(place / "s.csv", place).expect(0)

    def convert(self, source, place, *more):
        bad = ("--rejects", place / "bad.jsonl")
        return self.isoform("convert", source, place / self.target.name, *bad, *self.options, *more)

    def has(self, text):
        return rejected(text) in self.bad.read_text()


@pytest.fixture(params=WAYS, ids=str)
def pairs(request, isoform, tmp_path):
    return Pairs(isoform, tmp_path, *WAYS[request.param])


@pytest.mark.parametrize("options", [(), ("--resume",)], ids=["again", "resume"])
def test_killed_between_certificate_and_target(isoform, tmp_path, options):
    pairs = Pairs(isoform, tmp_path, *WAYS["file"])
    certificate = harness.certificate_of(pairs.target)
    certificate.rename(tmp_path / f".{certificate.name}.isoform-new")
    shutil.copy(pairs.elsewhere / certificate.name, certificate)
    shutil.copy(pairs.elsewhere / pairs.target.name, tmp_path / f".{pairs.target.name}.isoform-part")
    shutil.copy(pairs.elsewhere / "bad.jsonl", pairs.waiting)
    failed = isoform("verify", pairs.target).expect(4)
    assert "an interrupted pair" in failed.err
    pairs.convert(pairs.elsewhere / "s.csv", tmp_path, "--force", *options).expect(0)
    assert pairs.has(TWO) and not pairs.waiting.exists()
    isoform("verify", pairs.target).expect(0)


def test_killed_before_the_bad_records_had_their_name(pairs):
    isoform = pairs.isoform
    pairs.bad.rename(pairs.waiting)
    text = isoform("verify", pairs.target).expect(0).out
    assert f"{pairs.waiting}: SHA-256 and BLAKE3 are those" in text and "rename it" in text
    # A file that is in the way is replaced where that is asked for.
    pairs.bad.write_text("of an earlier run\n")
    refused = pairs.convert(pairs.folder / "s.csv", pairs.folder)
    assert refused.code == 7 and pairs.waiting.exists()
    pairs.convert(pairs.elsewhere / "s.csv", pairs.folder, "--force").expect(0)
    assert pairs.has(TWO) and not pairs.waiting.exists()


def test_a_target_that_was_moved_away_keeps_its_bad_records(pairs):
    pairs.bad.rename(pairs.waiting)
    pairs.target.rename(pairs.elsewhere / "moved")
    failed = pairs.convert(pairs.elsewhere / "s.csv", pairs.folder)
    assert failed.code == 7, failed.err
    assert pairs.has(ONE) and not pairs.waiting.exists()


@pytest.mark.parametrize("name, options", WAYS.values(), ids=WAYS)
def test_a_target_that_was_moved_away_keeps_its_proof(isoform, tmp_path, name, options):
    """Also where a run that made the same bytes was killed before it had a certificate."""
    source, broken, target = tmp_path / "s.csv", tmp_path / "broken.csv", tmp_path / name
    source.write_text("k,v\n1,a\n")
    broken.write_text('k,v\n1,"a\n')
    isoform("convert", source, target, *options).expect(0)
    proof = harness.certificate_of(target).read_bytes()
    part = tmp_path / f".{name}.isoform-part"
    if target.is_dir():
        shutil.copytree(target, part / "files", copy_function=shutil.copyfile)
    else:
        shutil.copyfile(target, part)
    target.rename(tmp_path / "moved")
    isoform("convert", broken, target, *options).expect(7)
    assert harness.certificate_of(target).read_bytes() == proof and not part.exists()


def test_a_source_that_changes_while_it_is_compared_is_said_to(isoform, tmp_path):
    left, right = tmp_path / "left.csv", tmp_path / "right.csv"
    left.write_bytes(b"v\n" + b"1\n" * 20_000_000)
    shutil.copy(left, right)
    command = isoform.command("compare", left, right)
    process = subprocess.Popen(command, env=isoform.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert harness.until(lambda: harness.opened(process, left), process)
    time.sleep(0.3)
    with left.open("r+b") as file:
        file.seek(39_000_001)
        file.write(b" ")
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 5, stderr
    assert b"changed while it was being read" in stderr
