"""A conversion that was killed goes on from its finished parts, and gives the bytes of an unbroken one."""

import dataclasses
import gzip
import os
import pathlib
import shutil
import signal
import subprocess
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import harness

# So many rows that the last fifth of a conversion takes longer than a look at the size of its temporary.
ROWS = 1_200_000
# The row whose field widens a column that a sample finds numeric.
ODD_ROW = ROWS // 2


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Large tables: plain, compressed, in two files, and two whose middle decides the type of a column."""
    folder = tmp_path_factory.mktemp("large")
    lines = [f"{i},{i * 7919 % 1000003},word {i % 997}\n" for i in range(ROWS)]
    head, half = "id,number,word\n", ROWS // 2
    (folder / "plain.csv").write_text(head + "".join(lines))
    (folder / "packed.csv.gz").write_bytes(gzip.compress((head + "".join(lines)).encode(), 1))
    (folder / "one.csv").write_text(head + "".join(lines[:half]))
    (folder / "two.csv").write_text(head + "".join(lines[half:]))
    lines[ODD_ROW] = f"{ODD_ROW},none of your business,word\n"
    (folder / "widened.csv").write_text(head + "".join(lines))
    # Only its middle tells how its numbers are laid out.
    lines = [f'{{"id":{i},"number":{i % 1009}.{i % 9 + 1}}}\n' for i in range(ROWS)]
    lines[ODD_ROW] = f'{{"id":{ODD_ROW},"number":0.00005}}\n'
    (folder / "open.jsonl").write_text("".join(lines))
    lines = [f'{{"id":{i},"number":{i * 7919 % 1000003},"word":"word {i % 997}"}}\n' for i in range(ROWS)]
    (folder / "plain.jsonl").write_text("".join(lines))
    table = pa.table({"id": range(ROWS), "number": [i * 7919 % 1000003 for i in range(ROWS)],
                      "word": [f"word {i % 997}" for i in range(ROWS)]})
    pq.write_table(table, folder / "three.parquet", row_group_size=ROWS // 3 + 1)
    with pa.ipc.new_file(str(folder / "plain.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=100_000)
    return folder


@dataclasses.dataclass
class Killed:
    """A conversion that was killed, and the share of its bytes that it had written."""

    target: object
    share: float


def killed_at_four_fifths(isoform, size, folder, sources, name, *options):
    """Kills a conversion once its temporary holds four fifths of the bytes of the unbroken target."""
    for turn in range(20):
        target = folder / str(turn) / name
        target.parent.mkdir(parents=True)
        temporary = target.parent / f".{name}.isoform-part"
        process = isoform.start("convert", *sources, target, "--resume", *options)
        while process.poll() is None:
            if temporary.exists() and temporary.stat().st_size >= size * 0.8:
                break
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        share = temporary.stat().st_size / size if temporary.exists() else 1.0
        if share < 0.97 and not target.exists():
            return Killed(target, share)
    pytest.fail("twenty conversions ended before they could be killed")


@pytest.mark.parametrize("sources, name", [
    (["plain.csv"], "out.parquet"),
    (["plain.csv"], "out.csv"),
    (["plain.csv"], "out.arrow"),
    (["plain.csv"], "out.avro"),
    (["plain.csv"], "out.csv.zst"),
    (["packed.csv.gz"], "out.csv"),
    (["packed.csv.gz"], "out.csv.gz"),
    (["packed.csv.gz"], "out.avro"),
    (["one.csv", "two.csv"], "out.parquet"),
    (["widened.csv"], "out.parquet"),
    (["plain.jsonl"], "out.arrow"),
    (["open.jsonl"], "out.parquet"),
    (["open.jsonl"], "out.arrow"),
    (["three.parquet"], "out.csv"),
    (["three.parquet"], "out.parquet"),
    (["plain.arrow"], "out.avro"),
], ids=lambda value: "+".join(value) if isinstance(value, list) else value)
def test_killed_at_four_fifths(isoform, tables, tmp_path, sources, name):
    sources = [tables / source for source in sources]
    unbroken = tmp_path / "unbroken" / name
    unbroken.parent.mkdir()
    isoform("convert", *sources, unbroken).expect(0)
    digest, size = harness.sha256(unbroken), unbroken.stat().st_size
    killed = killed_at_four_fifths(isoform, size, tmp_path / "killed", sources, name)
    done = isoform("convert", *sources, killed.target, "--resume", "--json").expect(0).json()
    parts = done["parts"]
    assert parts["reused"] >= 0.7 * parts["total"], (parts, killed)
    assert harness.sha256(killed.target) == digest
    assert harness.listing(killed.target.parent) == [name, name + harness.ENDING]
    isoform("verify", killed.target).expect(0)


def test_a_reused_part_is_checked_by_its_digest(isoform, tables, tmp_path):
    sources, name = [tables / "plain.csv"], "out.parquet"
    unbroken = tmp_path / name
    isoform("convert", *sources, unbroken).expect(0)
    size = unbroken.stat().st_size
    killed = killed_at_four_fifths(isoform, size, tmp_path / "killed", sources, name)
    temporary = killed.target.parent / f".{name}.isoform-part"
    harness.flip(temporary, temporary.stat().st_size // 2)
    done = isoform("convert", *sources, killed.target, "--resume", "--json").expect(0).json()
    # The parts before the damage are good; that with the damage and those after it are made again.
    assert 1 <= done["parts"]["reused"] <= done["parts"]["total"] // 2
    assert [note for note in done["notes"] if note.startswith("--resume: ") and note.endswith("made again")]
    assert harness.sha256(killed.target) == harness.sha256(unbroken)


def test_what_changed_since_is_named(isoform, tables, tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes((tables / "plain.csv").read_bytes())
    isoform("convert", source, tmp_path / "out.parquet").expect(0)
    size = (tmp_path / "out.parquet").stat().st_size
    killed = killed_at_four_fifths(isoform, size, tmp_path / "killed", [source], "out.parquet")
    before = harness.listing(killed.target.parent)
    other = isoform("convert", source, killed.target, "--resume", "--compression", "zstd:9").expect(2)
    assert "options" in other.err and "without --resume" in other.err
    with open(source, "r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"9")
    changed = isoform("convert", source, killed.target, "--resume").expect(2)
    assert "source changed" in changed.err and "without --resume" in changed.err
    assert harness.listing(killed.target.parent) == before, "nothing is lost by a refusal"
    # A run that does not go on from them removes what is left, even where it fails.
    bad = harness.TABLES / "bad" / "unclosed_quote.csv"
    isoform("convert", bad, killed.target).expect(9)
    assert harness.listing(killed.target.parent) == []


def test_interrupted_while_it_verifies(isoform, tables, tmp_path):
    """A signal during the second half loses no part either."""
    source, name = tables / "plain.csv", "out.csv"
    isoform("convert", source, tmp_path / name).expect(0)
    size = (tmp_path / name).stat().st_size
    for turn in range(20):
        target = tmp_path / str(turn) / name
        target.parent.mkdir()
        temporary = target.parent / f".{name}.isoform-part"
        process = isoform.start("convert", source, target, "--resume")
        while process.poll() is None:
            if temporary.exists() and temporary.stat().st_size == size:
                break
            time.sleep(0.0005)
        process.send_signal(signal.SIGINT)
        if process.wait() == 130:
            break
    else:
        pytest.fail("twenty conversions ended before they could be interrupted")
    parts = isoform("convert", source, target, "--resume", "--json").expect(0).json()["parts"]
    assert parts["reused"] == parts["total"]
    assert harness.sha256(target) == harness.sha256(tmp_path / name)


@pytest.mark.parametrize("ending, framing", [("br", "brotli"), ("gz", "gzip")])
def test_a_target_in_one_member_keeps_nothing_to_go_on_from(isoform, tmp_path, tmp_path_factory, ending, framing):
    source, target = tmp_path / "a.log", tmp_path / f"a.log.{ending}"
    source.write_bytes(np.random.default_rng(1).integers(32, 127, 40_000_000, dtype=np.uint8).tobytes())
    command = ["convert", source, target, "--resume", "--json", "--compression", f"{framing}:1"]
    if framing == "gzip":
        types = tmp_path_factory.mktemp("types")
        (types / "one.toml").write_text(f'[type]\nname = "{framing}"\n[transport]\nframing = "one"\n')
        command += ["--media-types", types]
    part = tmp_path / f".{target.name}.isoform-part"
    process = subprocess.Popen(isoform.command(*command), env=isoform.environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    assert harness.until(lambda: part.exists() and part.stat().st_size and harness.handled(process, signal.SIGINT), process)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130 and "run it again" in told and "--resume" not in told, told
    assert harness.listing(tmp_path) == ["a.log"]
    done = isoform(*command).expect(0).json()
    assert [note for note in done["notes"] if "one member is not gone on with" in note], done["notes"]
    assert not list(tmp_path.glob(".*"))


def test_a_batch_goes_on(isoform, tables, tmp_path):
    """With --out-dir, finished targets are skipped and the one that was being made is gone on with."""
    out = tmp_path / "out"
    command = ("convert", tables / "one.csv", tables / "two.csv", "--out-dir", out, "--to", "parquet", "--resume")
    harness.killed_when((out / ".two.parquet.isoform-journal").exists, lambda: isoform.start(*command),
                        lambda: shutil.rmtree(out))
    assert (out / "one.parquet").exists() and not (out / "two.parquet").exists()
    done = isoform(*command, "--json").expect(0).json()
    assert [source["outcome"] for source in done["sources"]] == ["skipped", "converted"]
    isoform("verify", out).expect(0)


def of_files(folder):
    """The digest of every file below a folder, by its path."""
    return {str(path.relative_to(folder)): harness.sha256(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["parquet", "csv", "avro", "csv.gz"])
def test_a_partitioned_target_goes_on(isoform, tables, tmp_path_factory, tmp_path, kind):
    types = tmp_path_factory.mktemp("types")
    # Also where all of a file is one member.
    (types / "gzip.toml").write_text('[type]\nname = "gzip"\n[transport]\nframing = "one"\n')
    options = ("--to", kind, "--partition-by", "word", "--media-types", types)
    isoform("convert", tables / "one.csv", tmp_path / "unbroken", *options).expect(0)
    target, finished = tmp_path / "out", tmp_path / ".out.isoform-part" / "finished"

    def of_these(count):
        return lambda: harness.count_in(finished) >= count

    # A run that was given no --resume leaves what it finished where it is killed; one after another goes on.
    for count, more in [(300, ()), (800, ("--resume",))]:
        command = ("convert", tables / "one.csv", target, *options, *more)
        harness.killed_when(of_these(count), lambda: isoform.start(*command), lambda: shutil.rmtree(target))
    left = len(list(finished.iterdir()))
    # A file that is not what it was is made again, and so is one whose end is missing.
    files = sorted((tmp_path / ".out.isoform-part" / "files").rglob("part-0.*"))
    harness.flip(files[0], files[0].stat().st_size // 2)
    files[1].write_bytes(files[1].read_bytes()[:-3])
    # What a run that replaced another target may leave is no part of this one.
    stale = tmp_path / ".out.isoform-part" / "files" / "word=none" / files[0].name
    stale.parent.mkdir()
    shutil.copy(files[2], stale)
    left_there = lambda: {path: sum for path, sum in of_files(tmp_path).items() if "/rows/" not in path}
    before = left_there()
    other = isoform("convert", tables / "one.csv", target, *options, "--null", "none", "--resume").expect(2)
    assert "options" in other.err and "without --resume" in other.err
    changed = isoform("convert", tables / "two.csv", target, *options, "--resume").expect(2)
    assert "source changed" in changed.err
    assert left_there() == before, "nothing but rows, which are cut again, is lost by a refusal"
    done = isoform("convert", tables / "one.csv", target, *options, "--resume", "--json").expect(0).json()
    # Each thread may have been killed while it wrote a journal.
    assert left - 2 - os.cpu_count() <= done["parts"]["reused"] <= left and done["parts"]["total"] == 997
    assert of_files(target) == of_files(tmp_path / "unbroken")
    isoform("verify", target, "--source", tables / "one.csv").expect(0)
    assert not list(tmp_path.glob(".*"))


def test_a_partitioned_target_begins_anew_without_being_asked_to_go_on(isoform, tables, tmp_path):
    target, part = tmp_path / "out", tmp_path / ".out.isoform-part"
    command = ("convert", tables / "one.csv", target, "--to", "csv", "--partition-by", "word")
    some = lambda: harness.count_in(part / "finished") >= 100
    harness.killed_when(some, lambda: isoform.start(*command), lambda: shutil.rmtree(target))
    process = isoform.start(*command, "--resume")
    assert harness.until(lambda: some() and harness.handled(process, signal.SIGINT), process)
    process.send_signal(signal.SIGINT)
    assert process.wait() in (0, 130)
    if not target.exists():
        assert some(), "an interruption loses nothing that was finished"
    shutil.rmtree(target, ignore_errors=True)
    harness.certificate_of(target).unlink(missing_ok=True)
    bad = harness.TABLES / "bad" / "unclosed_quote.csv"
    isoform("convert", bad, target, "--to", "csv", "--partition-by", "word").expect(9)
    assert harness.listing(tmp_path) == []
