"""`verify` finds whatever was changed after the conversion, and says so by its exit code."""

import base64
import json
import os
import pathlib
import shutil
import signal

import pytest

import harness

ANOTHER_KEY = "0" * 64


@pytest.fixture
def certificate(converted):
    return harness.certificate_of(converted)


def test_an_untouched_pair_is_verified(isoform, converted):
    isoform("verify", converted).expect(0)


def test_without_its_source(isoform, converted, sales):
    os.remove(sales)
    done = isoform("verify", converted).expect(0)
    assert "not at hand" in done.out and "--source FILE" in done.out, "the source was not compared"


def test_a_source_is_found_under_the_path_that_was_typed(isoform, sales, tmp_path):
    (tmp_path / "data").mkdir()
    source = pathlib.Path(shutil.move(sales, tmp_path / "data" / "sales.csv"))
    isoform("convert", "data/sales.csv", "sales.arrow", cwd=tmp_path).expect(0)
    isoform("convert", "data/sales.csv", "sales.csv.zst", "--to", "zstd", cwd=tmp_path).expect(0)
    for target in ("sales.arrow", "sales.csv.zst"):
        assert "decoded again" in (told := isoform("verify", target, cwd=tmp_path).expect(0).out) or "equal" in told
        assert "data/sales.csv: decoded again" in isoform("verify", target, cwd=tmp_path).expect(0).out
    assert "not at hand" in isoform("verify", tmp_path / "sales.arrow", cwd=tmp_path / "data").expect(0).out
    # Another file there now is another source.
    source.write_text("a\n1\n")
    assert "not at hand" in isoform("verify", "sales.arrow", cwd=tmp_path).expect(0).out


def test_a_source_beside_it_whose_name_is_no_text(isoform, sales, tmp_path):
    source, target = os.fsdecode(b"in\xff.csv"), os.fsdecode(b"out\xff.parquet")
    source, target = tmp_path / source, tmp_path / target
    os.rename(sales, source)
    isoform("convert", source, target).expect(0)
    assert "decoded again" in isoform("verify", target).expect(0).out


def test_a_source_is_typed_as_it_was_certified(isoform, tmp_path):
    """An earlier version kept these dates as text, as its certificate tells."""
    old = shutil.copytree(harness.ROOT / "testdata" / "earlier-types", tmp_path / "old")
    assert "decoded again" in isoform("verify", "dates.parquet", cwd=old).expect(0).out
    # Other text is not that source, in whatever types.
    other = tmp_path / "other.csv"
    other.write_text((old / "dates.csv").read_text().replace("12/25", "12/26"))
    done = isoform("verify", old / "dates.parquet", "--source", other).expect(4)
    assert "not the" in done.err, done.err


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
    told = isoform("verify", converted).expect(10).err
    assert certificate.name in told and "get it again, or convert the source again" in told


def test_what_a_later_version_states_is_not_told_as_damage(isoform, converted, certificate, sales):
    for change, told in [
        (lambda said: said.update(predicateType="urn:isoform:conversion:v2"), "predicateType"),
        (lambda said: said["predicate"].update(new="x"), "unknown field `new`"),
        (lambda said: said["predicate"]["content"].update(scheme="isoform-content/v2"), "scheme"),
        (lambda said: said["predicate"]["verification"].update(verdict="NEWER"), "verdict"),
    ]:
        said = harness.statement(certificate)
        said["predicate"]["conversion"]["tool"]["version"] = "9.9.9"
        change(said)
        whole = certificate.read_bytes()
        harness.sign(isoform, certificate, said)
        err = isoform("verify", converted).expect(9).err
        assert f"{certificate}: states what is not known here: " in err and told in err
        assert "its signature holds: verify with isoform 9.9.9, which made it" in err and "damaged" not in err
        # Whoever asks for the certificate of one signer gets no other.
        assert "not by" in isoform("verify", converted, "--key", "0" * 64).expect(10).err
        # Whoever asks for something else is told of it briefly.
        again = isoform("convert", sales, "--out-dir", converted.parent, "--to", "parquet").expect(3).err
        assert f"{converted}: already exists, and its certificate states what is not known here (isoform 9.9.9 made it)" in again
        moved = converted.rename(converted.with_name("moved"))
        again = isoform("convert", sales, converted).expect(7).err
        assert f"{certificate}: already exists, and states what is not known here (isoform 9.9.9 made it)" in again
        moved.rename(converted)
        certificate.write_bytes(whole)


def test_what_this_version_does_not_state_is_not_verified_by_this_version(isoform, converted, certificate):
    said = harness.statement(certificate)
    del said["predicate"]["source"]
    harness.sign(isoform, certificate, said)
    err = isoform("verify", converted).expect(9).err
    assert "missing field `source`" in err and err.count(" column ") == 1
    assert "it says that this very version made it" in err and "verify with" not in err


def test_partitions_of_another_source_say_whether_their_files_are_as_certified(isoform, sales, tmp_path):
    target = tmp_path / "parts"
    isoform("convert", sales, target, "--to", "csv", "--partition-by", "store").expect(0)
    with open(sales, "a") as file:
        file.write(pathlib.Path(sales).read_text().splitlines()[1] + "\n")
    # The path of a single source is another's where its bytes are others; beside the target they are a failure.
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (target, harness.certificate_of(target), pathlib.Path(sales)):
        path.rename(moved / path.name)
    target = moved / "parts"
    told = isoform("verify", target).expect(4).err
    assert "its files and its signature are as certified, but" in told
    file = sorted(target.rglob("part-0.csv"))[1]
    harness.flip(file, 40)
    told = isoform("verify", target).expect(4).err
    assert f"{file.relative_to(target)}: these are not the bytes that were certified" in told


def test_a_text_of_any_length_in_a_certificate_is_not_shown_whole(isoform, sales, tmp_path):
    target = tmp_path / "long.parquet"
    isoform("convert", sales, target).expect(0)
    certificate = harness.certificate_of(target)
    honest = json.dumps(harness.statement(certificate))
    long = "z" * 100_000
    for change in [
        lambda said: said.update(predicateType=long),
        lambda said: said["predicate"].update({long: 1}),
        lambda said: said["predicate"]["verification"].update(verdict=long),
        lambda said: (said["predicate"]["conversion"]["tool"].update(name=long), said.update(predicateType="v2")),
        lambda said: said["predicate"]["conversion"]["parameters"]["reading"][0].update(dates=long),
        lambda said: said["predicate"]["conversion"].update(to=long),
        lambda said: said["predicate"]["content"]["typeMap"][0].update(type=long),
        lambda said: said["predicate"]["content"]["typeMap"][0].update(name=long),
        lambda said: said["predicate"]["distortion"]["gates"].append({"name": long, "limit": "1"}),
    ]:
        said = json.loads(honest)
        change(said)
        harness.sign(isoform, certificate, said)
        told = isoform("verify", target)
        assert told.code != 0 and len(told.err) < 1500, (len(told.err), told.err[:300])


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
    # One that a person names may be a pipe, as a shell makes it.
    pipe = harness.piped(tmp_path / "pipe", certificate.read_bytes())
    isoform("verify", renamed, "--certificate", pipe, timeout=60).expect(0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_certificate_that_does_not_come_is_waited_for_until_an_interruption(isoform, converted, tmp_path, number):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    process = isoform.start("verify", converted, "--certificate", pipe)
    assert harness.until(lambda: harness.opened(process, pipe), process)
    process.send_signal(number)
    assert process.wait(timeout=60) == 130
    os.close(writer)


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


def test_sources_are_found_in_a_directory_by_name_and_bytes(isoform, tmp_path):
    folder, target = tmp_path / "two", tmp_path / "o" / "ab.parquet"
    for path, text in (("z.csv", "a\n1\n"), ("b/c.csv", "a\n2\n"), ("a/c.csv", "a\n3\n"), ("more.csv", "a\n4\n")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    target.parent.mkdir()
    sources = [folder / "z.csv", folder / "b" / "c.csv"]
    isoform("convert", *sources, target).expect(0)
    found = isoform("verify", target, "--source", folder, "--json").expect(0).json()
    assert found["sources"] == [str(source) for source in sources], "in the order of the conversion"
    # The directory has another name now, and so has one in it: the bytes tell.
    moved = folder.rename(tmp_path / "moved")
    (moved / "b").rename(moved / "x")
    found = isoform("verify", target, "--source", moved, "--json").expect(0).json()
    assert found["sources"] == [str(moved / "z.csv"), str(moved / "x" / "c.csv")]
    # One that is not there is not at hand, and other bytes under its name are a failure.
    (moved / "z.csv").rename(tmp_path / "z.csv")
    told = isoform("verify", target, "--source", moved).expect(0).out
    assert "not at hand" in told and f"below {moved}" in told and "z.csv" in told
    (moved / "z.csv").write_text("a\n9\n")
    told = isoform("verify", target, "--source", moved).expect(4).err
    assert str(moved / "z.csv") in told and "is not the source" in told


def test_a_source_that_is_listed_twice_is_found_in_a_directory(isoform, tmp_path):
    folder, target = tmp_path / "in", tmp_path / "twice.parquet"
    (folder / "sub").mkdir(parents=True)
    source = folder / "a.csv"
    source.write_text("v\n1\n")
    isoform("convert", source, source, folder / "sub" / ".." / "a.csv", target).expect(0)
    moved = folder.rename(tmp_path / "moved")
    found = isoform("verify", target, "--source", moved, "--json").expect(0).json()
    assert found["sources"] == [str(moved / "a.csv")] * 3 and "decoded again" in str(found["checks"])
    # One of its name with other bytes is none of them, and is taken for none that is listed again.
    (moved / "sub" / "a.csv").write_text("v\n2\n")
    isoform("convert", moved / "a.csv", moved / "a.csv", target, "--force").expect(0)
    found = isoform("verify", target, "--source", moved, "--json").expect(0).json()
    assert found["sources"] == [str(moved / "a.csv")] * 2
    # Of two files with the same bytes each is found, and where one is missing the other has its bytes.
    (moved / "sub" / "a.csv").write_text("v\n1\n")
    isoform("convert", moved / "a.csv", moved / "sub" / "a.csv", target, "--force").expect(0)
    both = [str(moved / "a.csv"), str(moved / "sub" / "a.csv")]
    assert isoform("verify", target, "--source", moved, "--json").expect(0).json()["sources"] == both
    (moved / "sub" / "a.csv").unlink()
    found = isoform("verify", target, "--source", moved, "--json").expect(0).json()
    assert found["sources"] == both[:1] * 2


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_one_of_several_sources_of_one_name_is_missing(isoform, tmp_path, gone):
    folder, target = tmp_path / "in", tmp_path / "all.parquet"
    sources = [folder / str(at) / "a.csv" for at in range(3)]
    for at, source in enumerate(sources):
        source.parent.mkdir(parents=True)
        source.write_text(f"v\n{at}\n")
    isoform("convert", *sources, target).expect(0)
    sources[gone].unlink()
    told = isoform("verify", target, "--source", folder).expect(0).out
    assert "not at hand" in told and str(sources[gone]) in told and "more" not in told
    sources[gone].write_text("v\n9\n")
    assert f"{sources[gone]}: is not the source" in isoform("verify", target, "--source", folder).expect(4).err


def test_many_sources_of_one_name_and_size_under_other_directories(isoform, tmp_path):
    folder, target = tmp_path / "in", tmp_path / "all.parquet"
    for at in range(100, 140):
        (folder / str(at)).mkdir(parents=True)
        (folder / str(at) / "part-0.csv").write_text(f"v\n{at}\n")
    isoform("convert", folder, target).expect(0)
    for at in range(100, 140):
        (folder / str(at)).rename(folder / f"x{239 - at}")
    found = isoform("verify", target, "--source", folder, "--json").expect(0).json()["sources"]
    assert found == [str(folder / f"x{239 - at}" / "part-0.csv") for at in range(100, 140)]


@pytest.mark.parametrize("sources", [("src/a.csv",), ("src/b.csv", "src/a.csv")], ids=["one", "two"])
def test_the_target_is_never_taken_for_its_source(isoform, tmp_path, sources):
    work = tmp_path / "work"
    for folder in ("src", "out"):
        (work / folder).mkdir(parents=True)
    for source in sources:
        (work / source).write_text(f"v\r\n{len(source)}")
    (work / "link").symlink_to("out")
    isoform("convert", *sources, "out/a.csv", cwd=work).expect(0)
    (work / "src").rename(tmp_path / "away")
    for target in ("out/a.csv", "./out/a.csv", work / "out" / "a.csv", "link/a.csv"):
        for said in ((), ("--source", "."), ("--source", "out"), ("--source", work / "link")):
            assert "not at hand" in isoform("verify", target, *said, cwd=work).expect(0).out, (target, said)
    assert "not at hand" in isoform("verify", "./a.csv", cwd=work / "out").expect(0).out
    os.link(work / "out" / "a.csv", work / "a.csv")
    assert "not at hand" in isoform("verify", "out/a.csv", "--source", ".", cwd=work).expect(0).out


def test_sources_of_arrays_and_bytes_are_found_in_a_directory(isoform, sales, tmp_path):
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    shutil.copy(sales, folder / "x.bin")
    isoform("convert", folder / "x.bin", tmp_path / "x.bin.zst").expect(0)
    assert "equal to the target" in isoform("verify", tmp_path / "x.bin.zst", "--source", tmp_path / "in").expect(0).out


# Directories, pairs that were interrupted, and several targets.


def test_a_directory_of_targets_and_one_of_their_sources(isoform, sales, tmp_path):
    sources, out = tmp_path / "in", tmp_path / "out"
    (sources / "sub").mkdir(parents=True)
    for name, text in (("a.csv", "v\n1\n"), ("sub/a.csv", "v\n2\n"), ("b.csv", "v\n3\n")):
        (sources / name).write_text(text)
    isoform("convert", sources, "--out-dir", out, "--to", "parquet").expect(0)
    assert isoform("verify", out, "--source", sources).expect(0).out.count("decoded again") == 3
    (sources / "b.csv").write_text("v\n4\n")
    told = isoform("verify", out, "--source", sources).expect(3).out
    assert "2 of 3 targets hold" in told and "b.csv: is not the source" in told
    (sources / "b.csv").unlink()
    assert "not at hand" in isoform("verify", out, "--source", sources).expect(0).out
    assert "directory" in isoform("verify", out, "--source", sales).expect(2).err


def test_a_quiet_failure_is_told(isoform, converted, tmp_path):
    harness.flip(converted, 100)
    done = isoform("verify", tmp_path, "-q").expect(3)
    assert done.out == "" and done.err.startswith(f"isoform: {converted}: ") and "certified" in done.err
    assert done.err.count(str(converted)) == 1 and done.err.count("\n") == 1
    done = isoform("verify", tmp_path, "-q", "--json").expect(3)
    assert done.json()["failed"] == 1


def test_directories_below_a_directory(isoform, sales, tmp_path):
    deep, hidden = tmp_path / "a" / "b", tmp_path / ".hidden"
    deep.mkdir(parents=True)
    hidden.mkdir()
    isoform("convert", sales, deep / "deep.arrow").expect(0)
    isoform("convert", sales, tmp_path / "flat.parquet").expect(0)
    isoform("convert", sales, hidden / "unseen.parquet").expect(0)
    (deep / "stray.csv").write_text("a\n1\n")
    found = isoform("verify", tmp_path, "--json").expect(0).json()
    assert [t["target"] for t in found["targets"]] == [str(deep / "deep.arrow"), str(tmp_path / "flat.parquet")]
    assert found["uncertified"] == [str(deep / "stray.csv"), str(sales)] and found["leftovers"] == []
    told = isoform("verify", tmp_path).expect(0).out
    assert "2 of 2 targets hold" in told and "2 files are without a certificate" in told and "stray.csv" in told
    harness.flip(deep / "deep.arrow", 100)
    found = isoform("verify", tmp_path, "--json").expect(3).json()
    assert found["failed"] == 1 and found["targets"][0]["error"]["exitCode"] == 4
    assert "certified" in found["targets"][0]["error"]["message"]


def test_a_directory_that_cannot_be_read_fails_alone(isoform, converted, tmp_path):
    """One whose path is longer than the system takes: from any other, root may read."""
    name = "x" * 250
    (tmp_path / "deep").mkdir()
    at = os.open(tmp_path / "deep", os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    found = isoform("verify", tmp_path, "--json").expect(3).json()
    whole, unread = found["targets"]
    assert found["failed"] == 1 and whole["target"] == str(converted) and whole["verdict"] == "EXACT"
    assert unread["target"].startswith(str(tmp_path / "deep")) and "too long" in unread["error"]["message"]
    told = isoform("verify", tmp_path).expect(3).out
    assert f"{converted}: EXACT holds" in told and "1 of 2 targets holds" in told
    # Its certificate may be where nothing could be read.
    harness.certificate_of(converted).unlink()
    assert "too long" in isoform("verify", converted, "--certificate", tmp_path).expect(1).err


def test_several_targets(isoform, converted, sales, tmp_path):
    second = tmp_path / "second.arrow"
    isoform("convert", sales, second).expect(0)
    found = isoform("verify", converted, second, "--json", "--threads", "1", "--memory", "256MiB").expect(0).json()
    assert [t["target"] for t in found["targets"]] == [str(converted), str(second)]
    harness.flip(second, 100)
    told = isoform("verify", second, converted).expect(3).out
    assert f"{second}: FAILED" in told and "1 of 2 targets hold" in told
    isoform("verify", converted, tmp_path / "none.parquet").expect(3)
    assert "--source" in isoform("verify", converted, second, "--source", sales).expect(2).err
    isoform("verify", converted, "--memory", "1MiB").expect(2)


def test_a_certificate_without_its_target(isoform, converted, certificate, sales, tmp_path):
    renamed = converted.rename(tmp_path / "renamed.parquet")
    # By itself its name says nothing of the new one, but the way to find it.
    told = isoform("verify", converted).expect(1).err
    assert "is missing beside its certificate" in told and f"--certificate {certificate}" in told
    # In a directory it is found by its bytes.
    found = isoform("verify", tmp_path, "--json").expect(0).json()
    assert [t["target"] for t in found["targets"]] == [str(renamed)] and found["uncertified"] == [str(sales)]
    renamed.unlink()
    told = isoform("verify", tmp_path).expect(3).out
    assert "is missing beside its certificate" in told and "0 of 1 target holds" in told


def test_a_link_that_leads_nowhere_is_no_target_that_was_renamed(isoform, converted, sales, tmp_path):
    renamed = converted.rename(tmp_path / "renamed.parquet")
    link = tmp_path / "a.parquet"
    link.symlink_to(tmp_path / "gone.parquet")
    found = isoform("verify", tmp_path, "--json").expect(0).json()
    assert [t["target"] for t in found["targets"]] == [str(renamed)]
    assert found["uncertified"] == [str(sales)] and found["dangling"] == [str(link)]
    told = isoform("verify", tmp_path).expect(0).out
    assert "1 of 1 target holds" in told and f"passed over, as what the link leads to is not there: {link}" in told
    # Where the target is gone, that is said, and not that the link leads nowhere.
    renamed.unlink()
    assert "is missing beside its certificate" in isoform("verify", tmp_path).expect(3).out


def test_what_is_no_file_is_no_certificate_and_never_waited_for(isoform, converted, sales, tmp_path):
    pipe = harness.certificate_of(sales)
    os.mkfifo(pipe)
    endless = tmp_path / f"endless{harness.ENDING}"
    endless.symlink_to("/dev/zero")
    for target in (sales, tmp_path / "endless"):
        done = isoform("verify", target, timeout=60).expect(9)
        assert f"{harness.certificate_of(target)}: a pipe or device" in done.err
    told = isoform("verify", tmp_path, timeout=60).expect(3).out
    assert "1 of 3 targets holds" in told and str(pipe) in told and str(endless) in told


def test_an_interrupted_pair_is_named(isoform, converted, sales, tmp_path):
    """As if the program had been killed between its two renames."""
    temporary = tmp_path / f".{converted.name}.isoform-part"
    converted.rename(temporary)
    hidden = tmp_path / f".{converted.name}{harness.ENDING}.isoform-new"
    hidden.touch()
    for target, code in ((converted, 1), (tmp_path, 3)):
        done = isoform("verify", target).expect(code)
        told = done.out + done.err
        assert "an interrupted pair" in told and temporary.name in told and "--resume" in told
    left = isoform("verify", tmp_path, "--json").expect(3).json()["leftovers"]
    assert left == sorted([str(temporary), str(hidden)])
    isoform("convert", sales, converted, "--resume").expect(0)
    isoform("verify", converted).expect(0)
    assert not temporary.exists()


def test_an_interrupted_pair_with_bad_records_is_gone_on_with_as_advised(isoform, tmp_path):
    source, target, rejects = tmp_path / "in.csv", tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    source.write_text("k,v\nx,1\ny,2,3\n")
    command = ("convert", source, target, "--rejects", rejects)
    isoform(*command).expect(0)
    before = rejects.read_bytes()
    for again in (["--resume"], []):
        target.rename(tmp_path / ".out.parquet.isoform-part")
        rejects.rename(tmp_path / ".bad.jsonl.isoform-rejects")
        assert "convert again with --resume" in isoform("verify", target).expect(1).err
        isoform(*command, *again).expect(0)
        assert rejects.read_bytes() == before
        isoform("verify", target).expect(0)
        assert not [name for name in harness.listing(tmp_path) if name.startswith(".")]


def test_an_interrupted_pair_that_replaces_another(isoform, converted, sales, tmp_path):
    old = converted.read_bytes()
    isoform("convert", sales, converted, "--force", "--compression", "none").expect(0)
    temporary = tmp_path / f".{converted.name}.isoform-part"
    converted.rename(temporary)
    converted.write_bytes(old)
    told = isoform("verify", converted).expect(4).err
    assert "an interrupted pair" in told and "--force --resume" in told
