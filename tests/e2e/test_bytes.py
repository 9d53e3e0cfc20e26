"""Byte strings: only the wrapping changes, and the tools and libraries of others find the same bytes inside."""

import bz2
import gzip
import hashlib
import json
import lzma
import pathlib
import random
import re
import shutil
import signal
import subprocess

import lz4.frame
import numpy as np
import pyarrow.parquet
import pytest
import soundfile
import zstandard
from PIL import Image
from blake3 import blake3

import harness

ENDINGS = {"gzip": "gz", "bgzf": "bgz", "zstd": "zst", "xz": "xz", "bzip2": "bz2", "lz4": "lz4", "brotli": "br"}
# Brotli has no tool of its own in Debian's minimal set: pyarrow reads it.
TOOLS = {"gzip": "gzip", "bgzf": "gzip", "zstd": "zstd", "xz": "xz", "bzip2": "bzip2", "lz4": "lz4"}


def content(size=300_000, seed=7):
    """Bytes of which some are easy and some hard to compress."""
    rng = random.Random(seed)
    lines = []
    for _ in range(min(size, 2_000_000) // 27 + 1):
        lines.append(b"GET /item/%d HTTP/1.1 200 %s\n" % (rng.randrange(5000), rng.randbytes(3)))
    text = b"".join(lines)
    # Longer ones repeat, but for a number in each round, so that parts differ.
    rounds = size // len(text) + 1
    return b"".join(b"%d\n%s" % (n, text) for n in range(rounds))[:size] if rounds > 1 else text[:size]


def pack(codec, data):
    """The bytes in this wrapping, made by others."""
    import pyarrow

    return {
        "raw": lambda: data,
        "gzip": lambda: gzip.compress(data),
        "zstd": lambda: zstandard.ZstdCompressor(write_checksum=True).compress(data),
        "xz": lambda: lzma.compress(data),
        "bzip2": lambda: bz2.compress(data),
        "lz4": lambda: lz4.frame.compress(data, content_checksum=True),
        "brotli": lambda: pyarrow.compress(data, codec="brotli", asbytes=True),
    }[codec]()


def unpack(codec, data):
    """What others find inside."""
    if codec == "raw":
        return data
    if codec in ("gzip", "bgzf"):
        return gzip.decompress(data)
    if codec == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    if codec == "xz":
        return lzma.decompress(data)
    if codec == "bzip2":
        return bz2.decompress(data)
    if codec == "lz4":
        found, rest = b"", data
        while rest:
            frame = lz4.frame.LZ4FrameDecompressor()
            found += frame.decompress(rest)
            assert frame.eof
            rest = frame.unused_data or b""
        return found
    import pyarrow

    with pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "brotli") as stream:
        return stream.read()


@pytest.mark.parametrize("source", ["raw", "gzip", "zstd", "xz", "bzip2", "lz4", "brotli"])
@pytest.mark.parametrize("target", ["raw", *ENDINGS])
def test_each_wrapping_becomes_each_other(isoform, tmp_path, source, target):
    data = content()
    name = lambda codec: tmp_path / ("a.tar" if codec == "raw" else f"a.tar.{ENDINGS[codec]}")
    start, end = name(source), tmp_path / "out" / name(target).name
    end.parent.mkdir()
    start.write_bytes(pack(source, data))
    options = ["--to", "raw"] if source == target == "raw" else []
    done = isoform("convert", start, end, "--json", *options).expect(0).json()
    assert unpack(target, end.read_bytes()) == data
    assert done["verdict"] == "EXACT" and done["model"] == "bytes" and done["contentBytes"] == len(data)
    isoform("verify", end).expect(0)
    if target in TOOLS:
        assert shutil.which(TOOLS[target]), f"{TOOLS[target]} is missing; ./check installs it"
        subprocess.run([TOOLS[target], "-t", "-q", end], check=True)


def test_the_content_digest_is_the_one_that_is_documented(isoform, tmp_path):
    data = content(2_500_000)
    (tmp_path / "x.log").write_bytes(data)
    isoform("convert", tmp_path / "x.log", tmp_path / "x.log.zst").expect(0)
    h = lambda b: blake3(b).digest()
    u64 = lambda n: n.to_bytes(8, "little")
    runs = [data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20)]
    leaves = [h(b"\2" + u64(len(run)) + b"\1\0\0\0" + h(run)) for run in runs]

    def tree(nodes):
        if len(nodes) == 1:
            return h(b"\0" + nodes[0])
        half = 1 << ((len(nodes) - 1).bit_length() - 1)
        return h(b"\1" + tree(nodes[:half]) + tree(nodes[half:]))

    text = lambda t: u64(len(t)) + t
    head = b"\3" + text(b"isoform-content/v1") + text(b"bytes") + text(b"")
    root = h(head + u64(len(data)) + u64(len(leaves)) + tree(leaves)).hex()
    predicate = harness.statement(harness.certificate_of(tmp_path / "x.log.zst"))["predicate"]
    assert predicate["content"] == {
        "bytes": str(len(data)), "equal": True, "model": "bytes", "scheme": "isoform-content/v1",
        "source": root, "target": root,
    }
    assert predicate["conversion"]["to"] == "application/zstd"
    assert predicate["conversion"]["parameters"]["compression"] == "zstd:3"
    assert [c["name"] for c in predicate["verification"]["checks"]] == ["decode-compare", "count-bytes"]
    for wrapping in ("gz", "xz", "bz2"):
        other = tmp_path / f"x.log.{wrapping}"
        isoform("convert", tmp_path / "x.log.zst", other).expect(0)
        assert isoform("inspect", other, "--json").expect(0).json()["content"] == root


def test_all_members_are_read(isoform, tmp_path):
    first, second = content(100_000, 1), content(50_000, 2)
    for codec, ending in ENDINGS.items():
        if codec in ("brotli", "bgzf"):
            continue
        source = tmp_path / f"two.{ending}"
        source.write_bytes(pack(codec, first) + pack(codec, second))
        done = isoform("convert", source, tmp_path / f"{codec}.bin", "--json").expect(0).json()
        assert (tmp_path / f"{codec}.bin").read_bytes() == first + second and done["members"] == 2


@pytest.mark.parametrize("codec, levels", [("gzip", (1, 9)), ("zstd", (1, 19)), ("xz", (0, 9)), ("bzip2", (1, 9)), ("brotli", (1, 11))])
def test_levels(isoform, tmp_path, codec, levels):
    data = content(400_000)
    source = tmp_path / "x.log"
    source.write_bytes(data)
    sizes = []
    for level in levels:
        target = tmp_path / f"x{level}.log.{ENDINGS[codec]}"
        isoform("convert", source, target, "--compression", f"{codec}:{level}").expect(0)
        assert unpack(codec, target.read_bytes()) == data
        sizes.append(target.stat().st_size)
    assert sizes[0] > sizes[1]
    assert "has levels" in isoform("convert", source, tmp_path / f"no.{ENDINGS[codec]}", "--compression", f"{codec}:77").expect(2).err
    isoform("convert", source, tmp_path / f"no.{ENDINGS[codec]}", "--compression", "snappy").expect(2)


def test_the_same_bytes_whatever_the_threads_and_the_memory(isoform, tmp_path):
    source = tmp_path / "x.log"
    source.write_bytes(content(20_000_000))
    for ending in ("gz", "zst", "lz4", "br"):
        digests = set()
        for number, options in enumerate((["--threads", "1"], ["--threads", "5", "--memory", "4GiB"], [])):
            target = tmp_path / f"{number}.{ending}"
            isoform("convert", source, target, *options).expect(0)
            digests.add(harness.sha256(target))
        assert len(digests) == 1, ending


def of_members(isoform, path, codec, data):
    """An object of many members, of which several threads decode stretches of at least 1 MiB."""
    if codec == "bgzf":
        plain = path.with_suffix(".plain")
        plain.write_bytes(data)
        isoform("convert", plain, path, "--from", "raw", "--to", "bgzf").expect(0)
        harness.certificate_of(path).unlink()
        plain.unlink()
    else:
        pieces = [data[at : at + 450_000] for at in range(0, len(data), 450_000)]
        path.write_bytes(b"".join(pack(codec, piece) for piece in pieces))


# What cannot be packed has a stretch in each 1 MiB or a little more.
HARD = random.Random(3).randbytes(5_000_000)


def hard(isoform, folder, codec):
    """It in members of a codec, under a name that tells the codec."""
    packed, source = folder / "packed", folder / f"x.{ENDINGS[codec]}"
    of_members(isoform, packed, codec, HARD)
    return packed.rename(source)


@pytest.mark.parametrize("codec", ["gzip", "bgzf", "zstd", "xz", "bzip2", "lz4"])
def test_threads_that_unwrap_members_give_what_one_gives(isoform, tmp_path, codec):
    source = hard(isoform, tmp_path, codec)
    seen = []
    for threads in (1, 2, 5):
        out = tmp_path / str(threads)
        out.mkdir()
        use = ("--threads", str(threads))
        done = isoform("convert", source, out / "x", *use, "--json").expect(0).json()
        assert (out / "x").read_bytes() == HARD
        said = harness.statement(harness.certificate_of(out / "x"))
        for moment in ("startedOn", "finishedOn"):
            del said["predicate"]["conversion"][moment]
        plan = isoform("plan", source, out / "y", *use, "--json").expect(0).json()
        found = isoform("inspect", source, *use, "--json").expect(0).json()
        verified = isoform("verify", out / "x", "--source", source, *use).expect(0).out.replace(str(out), "")
        same = isoform("compare", source, out / "x", *use, "--json", "--from", "bytes").expect(0).json()
        assert same["equal"] and same["left"]["contentBytes"] == len(HARD)
        seen.append((done["members"], plan["members"], found["members"], found["content"], said, verified))
    members = 1 if codec == "bgzf" else -(-len(HARD) // 450_000)
    assert seen[0][:3] == (members, members, members)
    assert seen[1:] == seen[:1] * 2


@pytest.mark.parametrize("codec", ["gzip", "bgzf", "zstd", "xz", "bzip2", "lz4"])
def test_a_fault_behind_sound_members_is_told_with_its_place_by_any_threads(isoform, tmp_path, codec):
    source = hard(isoform, tmp_path, codec)
    place = 2_900_000
    harness.flip(source, place, bit=4)
    for command in (("convert", source, tmp_path / "x.bin"), ("plan", source, tmp_path / "x.bin"), ("inspect", source)):
        for threads in (1, 2, 5):
            done = isoform(*command, "--threads", str(threads)).expect(9)
            told = int(re.search(r"byte (\d+)", done.err)[1])
            # It is told where the decoder met it: at the end of its member, or of what was read of the object.
            assert place - 300_000 < told < place + 800_000 and source.name in done.err, done.err
            assert "panicked" not in done.err and harness.listing(tmp_path) == [source.name]


@pytest.mark.parametrize("size", [0, 1])
def test_nothing_and_next_to_nothing(isoform, tmp_path, size):
    source = tmp_path / "x.log"
    source.write_bytes(b"x" * size)
    for codec, ending in ENDINGS.items():
        target = tmp_path / f"x.log.{ending}"
        isoform("convert", source, target).expect(0)
        assert unpack(codec, target.read_bytes()) == b"x" * size, codec
        if codec in TOOLS:
            subprocess.run([TOOLS[codec], "-t", target], check=True, stderr=subprocess.DEVNULL)
        isoform("verify", target).expect(0)


def test_a_table_keeps_its_bytes_where_only_the_wrapping_changes(isoform, sales, tmp_path):
    data = open(sales, "rb").read().replace(b"\n", b"\r\n")
    wrapped = tmp_path / "t.csv.gz"
    wrapped.write_bytes(gzip.compress(data))
    isoform("convert", wrapped, tmp_path / "t.csv.zst").expect(0)
    assert unpack("zstd", (tmp_path / "t.csv.zst").read_bytes()) == data
    # An option about tables asks for the table.
    done = isoform("convert", wrapped, tmp_path / "u.csv.zst", "--null", "NA", "--json").expect(0).json()
    assert done["model"] == "table" and done["rows"] == 1000
    assert unpack("zstd", (tmp_path / "u.csv.zst").read_bytes()).startswith(data.split(b"\r")[0] + b"\n")
    done = isoform("convert", wrapped, tmp_path / "t.parquet", "--json").expect(0).json()
    assert done["model"] == "table"
    # And a named wrapping asks for bytes.
    isoform("convert", wrapped, tmp_path / "v.anything", "--from", "gzip", "--to", "zstd").expect(0)
    assert unpack("zstd", (tmp_path / "v.anything").read_bytes()) == data
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    isoform("convert", tmp_path / "p.parquet", tmp_path / "p.parquet.xz").expect(0)
    assert unpack("xz", (tmp_path / "p.parquet.xz").read_bytes()) == (tmp_path / "p.parquet").read_bytes()
    isoform("convert", wrapped, tmp_path / "w.parquet", "--from", "gzip", "--to", "parquet").expect(2)


def test_bytes_that_look_wrapped_are_kept_unless_asked_for(isoform, tmp_path):
    inside = content(5_000)
    source = tmp_path / "backup"
    source.write_bytes(gzip.compress(inside))
    done = isoform("convert", source, tmp_path / "backup.zst").expect(0)
    assert "--from gzip" in done.out
    assert unpack("zstd", (tmp_path / "backup.zst").read_bytes()) == source.read_bytes()
    isoform("convert", source, tmp_path / "b.zst", "--from", "gzip").expect(0)
    assert unpack("zstd", (tmp_path / "b.zst").read_bytes()) == inside
    (tmp_path / "wrong.xz").write_bytes(gzip.compress(inside))
    assert "--from" in isoform("convert", tmp_path / "wrong.xz", tmp_path / "wrong.zst").expect(9).err


@pytest.mark.parametrize("codec", ["gzip", "zstd", "xz", "bzip2", "lz4", "brotli"])
def test_bad_input(isoform, tmp_path, codec):
    good = pack(codec, content(50_000))
    source, target = tmp_path / f"x.{ENDINGS[codec]}", tmp_path / "out.bin"
    faults = {"cut": good[: len(good) // 2], "end": good[:-1], "garbage": good + b"and more", "empty": b""}
    if codec != "brotli":  # which has no checksum
        faults["bit"] = good[: len(good) // 2] + bytes([good[len(good) // 2] ^ 8]) + good[len(good) // 2 + 1 :]
    for fault, data in faults.items():
        source.write_bytes(data)
        done = isoform("convert", source, target)
        assert done.code == 9, (fault, done)
        assert source.name in done.err and "byte" in done.err and "panicked" not in done.err, (fault, done.err)
        if fault == "garbage":
            assert f"byte {len(good)}" in done.err, done.err
        assert harness.listing(tmp_path) == [source.name], fault


def test_a_window_beyond_the_limit(isoform, tmp_path):
    parameters = zstandard.ZstdCompressionParameters(window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "x.zst").write_bytes(packer.compress(b"x" * 1000) + packer.flush())
    done = isoform("convert", tmp_path / "x.zst", tmp_path / "x.gz").expect(9)
    assert str(128 << 20) in done.err and harness.listing(tmp_path) == ["x.zst"]


def test_verify_finds_one_bit(isoform, tmp_path):
    source, target = tmp_path / "x.tar.gz", tmp_path / "x.tar.zst"
    source.write_bytes(gzip.compress(content()))
    isoform("convert", source, target).expect(0)
    assert "equal to the target" in isoform("verify", target).expect(0).out
    size = target.stat().st_size
    for place in (0, 5, size // 3, size // 2, size - 1):
        harness.flip(target, place, bit=place % 8)
        isoform("verify", target).expect(4)
        harness.flip(target, place, bit=place % 8)
    isoform("verify", target).expect(0)
    harness.flip(source, 100)
    isoform("verify", target).expect(4)
    source.unlink()
    assert "not at hand" in isoform("verify", target).expect(0).out
    certificate = harness.certificate_of(target)
    for place in range(0, certificate.stat().st_size, 211):
        harness.flip(certificate, place, bit=place % 8)
        assert isoform("verify", target).code in (9, 10)
        harness.flip(certificate, place, bit=place % 8)


def test_compare_and_inspect(isoform, tmp_path):
    data = content(3_000_000)
    changed = data[:2_000_000] + bytes([data[2_000_000] ^ 1]) + data[2_000_001:]
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(data))
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(data))
    (tmp_path / "b.tar.bz2").write_bytes(bz2.compress(changed))
    (tmp_path / "c.tar").write_bytes(data[:-5])
    same = isoform("compare", tmp_path / "a.tar.gz", tmp_path / "a.tar.xz", "--json").expect(0).json()
    assert same["equal"] and same["d"] == 0 and same["bytes"] == len(data)
    near = isoform("compare", tmp_path / "a.tar.gz", tmp_path / "b.tar.bz2", "--json").expect(4).json()
    assert (near["differing"], near["firstDiffering"], near["d"]) == (1, 2_000_000, 1.0)
    far = isoform("compare", tmp_path / "a.tar.gz", tmp_path / "c.tar", "--json").expect(4).json()
    assert far["d"] == "infinity" and far["firstDiffering"] == len(data) - 5 and far["signature"]
    told = isoform("compare", tmp_path / "a.tar.gz", tmp_path / "b.tar.bz2").expect(4).out
    assert told.splitlines()[1] == "  compared as bytes, without what wraps them"
    assert "1 of 3000000 bytes differ" in told and "byte 2000000" in told
    found = isoform("inspect", tmp_path / "a.tar.gz", "--json").expect(0).json()
    assert found["contentBytes"] == len(data) and found["members"] == 1 and found["mediaType"] == "application/gzip"
    assert found["sha256"] == hashlib.sha256((tmp_path / "a.tar.gz").read_bytes()).hexdigest()


def test_plan_and_formats(isoform, tmp_path):
    source = tmp_path / "x.tar.gz"
    source.write_bytes(gzip.compress(content(20_000_000)))
    plan = isoform("plan", source, tmp_path / "x.tar.zst", "--json").expect(0).json()
    assert (plan["parts"], plan["contentBytes"], plan["compression"]) == (5, 20_000_000, "zstd:3")
    assert harness.listing(tmp_path) == ["x.tar.gz"]
    listed = isoform("formats", "--json").expect(0).json()["wrappings"]
    assert [w["name"] for w in listed] == ["raw", *ENDINGS]


def test_streams_and_directories(isoform, tmp_path):
    data = content(100_000)
    done = subprocess.run(
        isoform.command("convert", "-", "-", "--from", "gzip", "--to", "zstd"), env=isoform.environment,
        input=gzip.compress(data), capture_output=True, check=True,
    )
    assert unpack("zstd", done.stdout) == data
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a.log.gz").write_bytes(gzip.compress(data))
    (folder / "b.tgz").write_bytes(gzip.compress(data))
    (folder / "c").write_bytes(data)
    isoform("convert", folder, "--out-dir", out, "--to", "zstd").expect(0)
    made = [name for name in harness.listing(out) if not name.endswith(".json")]
    assert made == ["a.log.zst", "b.tar.zst", "c.zst"]
    assert all(unpack("zstd", (out / name).read_bytes()) == data for name in made)
    again = isoform("convert", folder, "--out-dir", out, "--to", "zstd", "--json").expect(0).json()
    assert (again["converted"], again["skipped"]) == (0, 3)


def test_what_a_directory_leaves_out_is_told_on_the_way_to_standard_output(isoform, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"x\n1\n")
    (folder / ".b.csv").write_bytes(b"x\n2\n")
    command = isoform.command("convert", folder, "-", "--to", "gzip")
    done = subprocess.run(command, env=isoform.environment, capture_output=True, check=True)
    assert gzip.decompress(done.stdout) == b"x\n1\n"
    told = done.stderr.decode()
    assert "1 file is left out" in told and str(folder / ".b.csv") in told


def test_a_bomb_is_streamed(isoform, tmp_path):
    source = tmp_path / "x.zst"
    source.write_bytes(zstandard.ZstdCompressor().compress(bytes(1 << 30)))
    for command in [("convert", source, tmp_path / "x.gz", "--compression", "gzip:1"), ("inspect", tmp_path / "x.gz")]:
        code, memory, err = harness.measured(isoform, *command)
        assert code == 0 and memory < 512 << 20, err


def test_too_little_memory_is_said_before_anything_is_done(isoform, tmp_path):
    source = tmp_path / "x.log"
    source.write_bytes(b"x")
    done = isoform("convert", source, tmp_path / "x.xz", "--memory", "100MiB").expect(2)
    assert "MiB" in done.err and harness.listing(tmp_path) == ["x.log"]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.log.gz"
    path.write_bytes(gzip.compress(content(120_000_000), compresslevel=1))
    return path


def test_killed_and_resumed_gives_the_same_bytes(isoform, large, tmp_path):
    whole, target = tmp_path / "whole.log.zst", tmp_path / "out.log.zst"
    options = ["--compression", "zstd:9", "--threads", "1"]
    isoform("convert", large, whole, *options).expect(0)
    for wait in (3, 6, 9):
        seen = set()

        def written(wait=wait, seen=seen):
            seen.update(p.stat().st_size for p in tmp_path.glob(".out*journal"))
            return len(seen) >= wait

        def again(seen=seen):
            harness.remove(target)
            seen.clear()

        harness.killed_when(written, lambda: isoform.start("convert", large, target, *options, "--resume"), again)
    done = isoform("convert", large, target, *options, "--resume", "--json").expect(0).json()
    assert done["parts"]["total"] == 15 and done["parts"]["reused"] >= 6
    assert harness.sha256(target) == harness.sha256(whole)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name, options", [
    ("out.log.br", ["--compression", "brotli:1"]),
    ("out.log.gz", ["--media-types", "types"]),
    ("out.log.zst", ["--media-types", "types"]),
])
def test_one_member_is_begun_anew(isoform, large, tmp_path, name, options):
    """Its encoder carries on from part to part and is in no file, so what was written cannot be gone on from."""
    types, target, journal = tmp_path / "types", tmp_path / name, tmp_path / f".{name}.isoform-journal"
    types.mkdir()
    for kind in ("gzip", "zstd"):
        (types / f"{kind}.toml").write_text(f'[type]\nname = "{kind}"\n[transport]\nframing = "one"\n')
    options = [tmp_path / option if option == "types" else option for option in options]
    command = ("convert", large, target, *options)
    isoform(*command).expect(0)
    whole = harness.sha256(target)
    harness.remove(target)

    def noted():
        return journal.exists() and journal.read_bytes().count(b"\n") >= 3

    harness.killed_when(noted, lambda: isoform.start(*command), lambda: harness.remove(target))
    assert isoform(*command, "--resume", "--json").expect(0).json()["parts"]["reused"] == 0
    assert harness.sha256(target) == whole
    isoform("verify", target).expect(0)
    assert not list(tmp_path.glob(".*"))


def test_resume_refuses_a_changed_source(isoform, tmp_path, large):
    source, target = tmp_path / "s.log.gz", tmp_path / "out.log.zst"
    data = gzip.decompress(large.read_bytes())
    shutil.copy(large, source)
    command = ("convert", source, target, "--compression", "zstd:9", "--resume", "--threads", "1")
    harness.killed_when(lambda: any(p.stat().st_size > 300 for p in tmp_path.glob(".out*journal")),
                        lambda: isoform.start(*command), lambda: harness.remove(target))
    assert not target.exists()
    # Nor is it gone on with where the definition of the target's type is another one now; the parts stay.
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "zstd.toml").write_text('[type]\nname = "zstd"\n[transport]\nframing = "one"\n')
    part = tmp_path / ".out.log.zst.isoform-part"
    before = part.stat().st_size
    refused = isoform(*command, "--media-types", tmp_path / "types").expect(2)
    assert "other options" in refused.err and part.stat().st_size == before > 0
    source.write_bytes(gzip.compress(b"X" + data[1:], compresslevel=1))
    done = isoform("convert", source, target, "--compression", "zstd:9", "--resume").expect(2)
    assert "resume" in done.err
    isoform("convert", source, target, "--compression", "zstd:9").expect(0)


def test_an_interrupt_leaves_nothing(isoform, large, tmp_path):
    target = tmp_path / "out.log.xz"
    process = isoform.start("convert", large, target)
    assert harness.until(lambda: list(tmp_path.glob(".out*")), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert harness.listing(tmp_path) == []


@pytest.mark.parametrize("source, target, steps", [
    ("table.csv", "a.npy.gz", ["table.csv a.npy", "a.npy a.npy.gz"]),
    ("m.npz", "o.npy.gz", ["m.npz o.npy", "o.npy o.npy.gz"]),
    ("m.npz", "a.gguf.zst", ["m.npz a.gguf", "a.gguf a.gguf.zst"]),
    ("m.npz.gz", "a.safetensors.xz", ["m.npz.gz m.npz", "m.npz a.safetensors", "a.safetensors a.safetensors.xz"]),
    ("m.npz", "photo.webp.br", ["m.npz photo.webp", "photo.webp photo.webp.br"]),
    ("m.npz", "a.flac.gz", ["m.npz a.flac", "a.flac a.flac.gz"]),
])
def test_a_wrapping_that_hides_another_format_is_refused(isoform, tmp_path, source, target, steps):
    """The bytes of the source would be packed under a name that says they are another format."""
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    np.savez(tmp_path / "m.npz", np.arange(6))
    (tmp_path / "m.npz.gz").write_bytes(gzip.compress((tmp_path / "m.npz").read_bytes()))
    before = sorted(tmp_path.iterdir())
    for command in ("convert", "plan"):
        told = isoform(command, source, target, cwd=tmp_path).expect(2).err
        assert ", then ".join(f"isoform convert {step}" for step in steps) in told, told
    assert sorted(tmp_path.iterdir()) == before


def test_brotli_is_known_by_its_name(isoform, tmp_path):
    """It has no mark: under another name it is no text, unless it is unwrapped as bytes first."""
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    isoform("convert", tmp_path / "x.csv", tmp_path / "x.csv.br").expect(0)
    isoform("convert", tmp_path / "x.csv.br", tmp_path / "x.parquet").expect(0)
    isoform("convert", tmp_path / "x.csv.br", tmp_path / "f.parquet", "--from", "csv").expect(0)
    (tmp_path / "x.csv.br").rename(tmp_path / "y.csv")
    isoform("convert", tmp_path / "y.csv", tmp_path / "y.parquet").expect(9)
    isoform("convert", tmp_path / "y.csv", tmp_path / "z.csv", "--from", "brotli", "--to", "raw").expect(0)
    assert (tmp_path / "z.csv").read_bytes() == (tmp_path / "x.csv").read_bytes()


def test_a_wrapping_around_what_its_name_tells_is_made(isoform, tmp_path):
    np.savez(tmp_path / "m.npz", np.arange(6))
    for target in ("other.npz.gz", "m.gz", "m.unknown.xz"):
        isoform("convert", tmp_path / "m.npz", tmp_path / target).expect(0)
    assert gzip.decompress((tmp_path / "other.npz.gz").read_bytes()) == (tmp_path / "m.npz").read_bytes()
    # Who names the wrapping says that bytes are kept.
    isoform("convert", tmp_path / "m.npz", tmp_path / "m.npy.gz", "--to", "gzip").expect(0)


def rows_of(text):
    return [line.split(",") for line in text.decode().splitlines()]


@pytest.mark.parametrize("codec", ENDINGS)
def test_text_tables_are_read_and_written_in_every_wrapping(isoform, tmp_path, codec):
    """In both directions and both formats, also where the source was made by others, and over a chain."""
    text = "id,name\n" + "".join(f"{n},row {n % 97}\n" for n in range(70_000))
    ending = ENDINGS[codec]
    source, lines, back = tmp_path / f"x.csv.{ending}", tmp_path / f"y.jsonl.{ending}", tmp_path / "z.csv"
    if codec == "bgzf":
        (tmp_path / "x.csv").write_text(text)
        isoform("convert", tmp_path / "x.csv", source).expect(0)
    else:
        source.write_bytes(pack(codec, text.encode()))
    done = isoform("convert", source, lines, "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and done["rows"] == 70_000
    packed = unpack(codec, lines.read_bytes()).splitlines()
    assert len(packed) == 70_000 and json.loads(packed[-1]) == {"id": 69_999, "name": "row 62"}
    isoform("verify", lines).expect(0)
    isoform("convert", lines, back).expect(0)
    assert rows_of(back.read_bytes()) == rows_of(text.encode())
    # A table again, in the same wrapping, whose parts were wrapped apart.
    isoform("convert", back, tmp_path / f"w.tsv.{ending}").expect(0)
    tabs = unpack(codec, (tmp_path / f"w.tsv.{ending}").read_bytes()).decode()
    assert tabs.replace("\t", ",") == text
    numbers = "a,b\n1,2\n3,4\n"
    (tmp_path / "n.csv").write_text(numbers)
    isoform("convert", tmp_path / "n.csv", tmp_path / f"n.csv.{ending}").expect(0)
    told = isoform("convert", tmp_path / f"n.csv.{ending}", tmp_path / "n.npy", "--drop", "metadata").expect(0)
    assert "by way of" in told.out and np.load(tmp_path / "n.npy").tolist() == [[1, 2], [3, 4]]
    plan = isoform("plan", tmp_path / f"n.csv.{ending}", tmp_path / "n.parquet").expect(0)
    assert "2 rows" in plan.out


@pytest.mark.parametrize("codec", ENDINGS)
def test_broken_wrappings_of_tables_name_their_place(isoform, tmp_path, codec):
    text = "id\n" + "".join(f"{n}\n" for n in range(20_000))
    (tmp_path / "x.csv").write_text(text)
    source = tmp_path / f"x.csv.{ENDINGS[codec]}"
    isoform("convert", tmp_path / "x.csv", source).expect(0)
    whole = source.read_bytes()
    for broken in (whole[:-1], whole[: len(whole) // 2], whole + b"tail"):
        source.write_bytes(broken)
        refused = isoform("convert", source, tmp_path / "y.parquet").expect(9).err
        assert source.name in refused and "byte " in refused and codec in refused, refused
    assert not (tmp_path / "y.parquet").exists()


def test_levels_of_wrapped_text_are_those_of_its_wrapping(isoform, tmp_path):
    (tmp_path / "x.csv").write_text("id\n" + "".join(f"{n * n}\n" for n in range(50_000)))
    size = lambda name, level: (
        isoform("convert", tmp_path / "x.csv", tmp_path / name, "--types", "value", "--compression", level, "--force").expect(0),
        (tmp_path / name).stat().st_size)[1]
    for name, least, most in [("a.csv.xz", "xz:0", "xz:6"), ("a.csv.br", "brotli:0", "brotli:9"), ("a.csv.bgz", "bgzf:1", "bgzf:9"),
                              ("a.csv.bgz", "gzip:1", "gzip:9")]:
        assert size(name, most) <= size(name, least), name
    # Of BZip2, whose levels are the sizes of its blocks, larger ones are not always smaller.
    assert size("a.csv.bz2", "bzip2:1") != size("a.csv.bz2", "bzip2:9")
    for level in ("xz:10", "gzip:6", "lzma"):
        isoform("convert", tmp_path / "x.csv", tmp_path / "b.csv.xz", "--types", "value", "--compression", level).expect(2)


def test_what_a_wrapping_hides_is_to_be_unwrapped_first(isoform, tmp_path):
    """Also where no name tells; and the command that is advised does it."""
    np.save(tmp_path / "a.npy", np.arange(6.0))
    Image.new("RGB", (3, 2)).save(tmp_path / "p.png")
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "x.parquet")
    soundfile.write(tmp_path / "x.wav", np.zeros(100), 8000, subtype="PCM_16")
    isoform("convert", tmp_path / "a.npy", tmp_path / "a.safetensors").expect(0)
    for name, ending, targets in [
        ("a.npy", "gz", ["b.npz", "b.csv", "b.parquet"]), ("p.png", "gz", ["b.webp", "b.npy"]),
        ("a.safetensors", "zst", ["b.npy"]), ("x.wav", "xz", ["b.flac"]), ("x.parquet", "gz", ["b.csv", "b.npy"]),
    ]:
        packed = tmp_path / f"{name}.{ending}"
        isoform("convert", tmp_path / name, packed).expect(0)
        data = (tmp_path / name).read_bytes()
        for target in targets:
            refused = isoform("convert", packed, tmp_path / target).expect(9).err
            assert f"unwrap it first: isoform convert {packed} {tmp_path / name}" in refused, refused
        unnamed = packed.rename(tmp_path / "unnamed")
        refused = isoform("convert", unnamed, tmp_path / targets[0]).expect(9).err
        advice = re.search(r"isoform (convert \S+ UNWRAPPED --from \w+ --to raw)", refused)
        isoform(*advice[1].replace("UNWRAPPED", str(tmp_path / "plain")).split()).expect(0)
        assert (tmp_path / "plain").read_bytes() == data
        for made in (tmp_path / "plain", harness.certificate_of(tmp_path / "plain")):
            made.unlink()
        unnamed.rename(packed)
        isoform("convert", packed, tmp_path / name, "--force").expect(0)
        assert (tmp_path / name).read_bytes() == data


def test_gzip_of_several_kinds_of_members_is_read(isoform, tmp_path):
    """Blocks of BGZF and members of gzip may stand in one file; blocks without their end were cut short."""
    (tmp_path / "x.csv").write_text("id\n1\n")
    isoform("convert", tmp_path / "x.csv", tmp_path / "x.csv.bgz").expect(0)
    blocks = (tmp_path / "x.csv.bgz").read_bytes()
    (tmp_path / "m.csv.gz").write_bytes(blocks + gzip.compress(b"2\n"))
    isoform("convert", tmp_path / "m.csv.gz", tmp_path / "m.jsonl").expect(0)
    assert (tmp_path / "m.jsonl").read_text() == '{"id":1}\n{"id":2}\n'
    (tmp_path / "c.csv.gz").write_bytes(blocks[:-28])
    assert "cut short" in isoform("convert", tmp_path / "c.csv.gz", tmp_path / "c.jsonl").expect(9).err


def test_a_name_of_a_wrapping_alone_gets_what_it_tells(isoform, sales, tmp_path):
    isoform("convert", sales, tmp_path / "x.zst", "--to", "csv").expect(0)
    unpacked = subprocess.run(["zstd", "-dc", tmp_path / "x.zst"], check=True, capture_output=True).stdout
    assert unpacked == sales.read_bytes()
    told = isoform("convert", sales, tmp_path / "y.zst", "--to", "csv.gz").expect(2).err
    assert "--to says gzip, and the name zstd; make them agree" in told
    assert "compresses inside" in isoform("convert", sales, tmp_path / "y.zst", "--to", "parquet").expect(2).err
    assert not (tmp_path / "y.zst").exists()


def test_inspect_names_the_file_of_what_is_damaged(isoform, tmp_path):
    (tmp_path / "x.bin.gz").write_bytes(b"")
    assert f"{tmp_path / 'x.bin.gz'}, byte 0: malformed gzip" in isoform("inspect", tmp_path / "x.bin.gz").expect(9).err


def test_a_table_is_not_packed_under_the_name_of_a_format_that_is_not_written(isoform, sales, tmp_path):
    target = tmp_path / "s.json.gz"
    for command in ("convert", "plan"):
        told = isoform(command, sales, target).expect(2).err
        assert f"name it {tmp_path / 's.csv.gz'}, or {tmp_path / 's.jsonl.gz'} for a record in each line" in told, told
    assert not target.exists()
    isoform("convert", sales, target, "--to", "gzip").expect(0)
    assert gzip.decompress(target.read_bytes()) == pathlib.Path(sales).read_bytes()
    document = tmp_path / "d.json"
    document.write_text("{}")
    isoform("convert", document, tmp_path / "d.json.xz").expect(0)
