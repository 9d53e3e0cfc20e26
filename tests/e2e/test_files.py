"""Files as people have them: links, devices, odd and long names, full disks, limits, and sources that change."""

import gzip
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from PIL import Image

import harness


def limited(isoform, limit, value, *arguments, **more):
    """Runs the program under a limit of the system."""
    def set_limit():
        hard = resource.getrlimit(limit)[1] if limit == resource.RLIMIT_NOFILE else value
        resource.setrlimit(limit, (value, hard))

    done = subprocess.run(isoform.command(*arguments), env=isoform.environment, stdin=subprocess.DEVNULL,
                          capture_output=True, preexec_fn=set_limit, timeout=300, **more)
    return harness.Run(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_only_a_file_is_replaced(isoform, sales, tmp_path, monkeypatch, kind):
    """Even with --force: a rename would put a file in the place of a device or a pipe that others use."""
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "out.csv"
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "device":
        if os.geteuid() != 0:
            pytest.skip("only root makes devices")
        os.mknod(target, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    else:
        import socket

        server = socket.socket(socket.AF_UNIX)
        server.bind(target.name)
    before = target.stat()
    for options in ([], ["--force"]):
        done = isoform("convert", sales, target, *options)
        assert done.code == (2 if options else 7) and "--force" not in done.err, done
    after = target.stat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert harness.listing(tmp_path) == ["out.csv", "sales.csv"]


def test_what_is_no_file_and_comes_meanwhile_is_not_replaced(isoform, tmp_path):
    """The run waits for its second source, which is a pipe."""
    source, pipe, kept, target = (tmp_path / name for name in ("in.csv", "more.csv", "kept", "out.csv"))
    source.write_text("a,b\n1,2\n")
    kept.write_text("precious")
    os.mkfifo(pipe)
    for make in (os.mkfifo, lambda path: path.symlink_to(kept)):
        running = isoform.start("convert", source, pipe, target, "--force")
        with open(pipe, "w") as writer:
            make(target)
            writer.write("a,b\n5,6\n")
        assert running.wait(timeout=60) == 2
        assert not stat.S_ISREG(target.lstat().st_mode) and kept.read_text() == "precious"
        assert harness.listing(tmp_path) == ["in.csv", "kept", "more.csv", "out.csv"]
        target.unlink()


def test_a_link_and_what_it_points_to_stay(isoform, sales, tmp_path):
    kept, link, lost = tmp_path / "kept.parquet", tmp_path / "link.parquet", tmp_path / "lost.parquet"
    kept.write_text("precious")
    link.symlink_to(kept)
    lost.symlink_to(tmp_path / "nowhere")
    for target in (link, lost):
        assert "--force" not in isoform("convert", sales, target).expect(7).err
        assert "symbolic link" in isoform("convert", sales, target, "--force").expect(2).err
        assert kept.read_text() == "precious" and target.is_symlink()
    assert harness.listing(tmp_path) == ["kept.parquet", "link.parquet", "lost.parquet", "sales.csv"]


def test_a_link_as_source_is_followed(isoform, sales, tmp_path):
    (tmp_path / "link.csv").symlink_to(sales)
    isoform("convert", tmp_path / "link.csv", tmp_path / "out.parquet").expect(0)
    assert pyarrow.parquet.read_metadata(tmp_path / "out.parquet").num_rows == 1000
    (tmp_path / "lost.csv").symlink_to(tmp_path / "nowhere")
    assert "lost.csv" in isoform("convert", tmp_path / "lost.csv", tmp_path / "no.parquet").expect(1).err


def test_a_link_in_the_way_of_a_temporary_is_not_followed(isoform, sales, tmp_path):
    """In a directory that others can write to, the name of the temporary can be foreseen."""
    kept = tmp_path / "kept"
    for name in (".out.parquet.isoform-part", ".out.parquet.isoform-journal",
                 ".out.parquet.isoform.sigstore.json.isoform-new"):
        kept.write_text("precious")
        (tmp_path / name).symlink_to(kept)
        isoform("convert", sales, tmp_path / "out.parquet").expect(0)
        assert kept.read_text() == "precious" and not (tmp_path / "out.parquet").is_symlink()
        harness.remove(tmp_path / "out.parquet")
        assert harness.listing(tmp_path) == ["kept", "sales.csv"]


@pytest.mark.parametrize("name, options", [
    (".out.parquet.isoform-part", []), (".out.parquet.isoform-journal", []), (".bad.jsonl.isoform-rejects", []),
    (f".out.parquet{harness.ENDING}.isoform-new", []),
    (f".out.parquet{harness.ENDING}.isoform-new", ["--to", "parquet", "--partition-by", "store"]),
], ids=["part", "journal", "rejects", "certificate", "certificate of partitions"])
def test_what_is_in_the_way_of_a_temporary_is_named_at_the_start(isoform, sales, tmp_path, name, options):
    command = [sales, tmp_path / "out.parquet", "--rejects", tmp_path / "bad.jsonl", *options]
    for make in (os.mkdir, os.mkfifo):
        make(tmp_path / name)
        assert f"{name}: is in the way" in isoform("plan", *command).expect(2).out
        for more in ([], ["--force"], [] if options else ["--resume"]):
            done = isoform("convert", *command, *more, timeout=60).expect(2)
            assert f"{name}: is in the way and no file; remove it" in done.err
            # Not after the work.
            assert harness.listing(tmp_path) == [name, "sales.csv"]
        (tmp_path / name).rmdir() if make is os.mkdir else (tmp_path / name).unlink()
    isoform("convert", *command).expect(0)


@pytest.mark.parametrize("name", ["out.parquet", f"out.parquet{harness.ENDING}"], ids=["target", "certificate"])
def test_nothing_is_written_into_what_has_another_name(isoform, sales, tmp_path, name):
    """As runs leave it that were killed, where `cp -al` made a copy of the directory."""
    copy, ending = tmp_path / "copy", "part" if name == "out.parquet" else "new"
    copy.write_text("precious")
    (tmp_path / f".{name}.isoform-{ending}").hardlink_to(copy)
    isoform("convert", sales, tmp_path / "out.parquet").expect(0)
    isoform("verify", tmp_path / "out.parquet").expect(0)
    assert copy.read_text() == "precious"
    assert harness.listing(tmp_path) == sorted(
        ["copy", "sales.csv", "out.parquet", f"out.parquet{harness.ENDING}"])


def test_a_journal_is_not_written_into_what_has_another_name(isoform, sales, tmp_path):
    copy = tmp_path / "copy"
    copy.write_text("precious")
    for target in ("out.parquet", "out.csv.zst"):
        (tmp_path / f".{target}.isoform-journal").hardlink_to(copy)
        isoform("convert", sales, tmp_path / target, "--resume").expect(0)
        assert copy.read_text() == "precious" and not (tmp_path / f".{target}.isoform-journal").exists()


def test_what_replaces_a_private_file_is_private(isoform, tmp_path):
    source, target, rejects = tmp_path / "in.csv", tmp_path / "out.csv", tmp_path / "bad.jsonl"
    source.write_text("a,b\n1,2\n3\n")
    mode = lambda path: stat.S_IMODE(path.stat().st_mode)
    made = (target, harness.certificate_of(target), rejects)
    isoform("convert", source, target, "--rejects", rejects).expect(0)
    usual = mode(source)
    assert [mode(path) for path in made] == [usual] * 3
    for path in made:
        path.chmod(0o600)
    isoform("convert", source, target, "--rejects", rejects, "--force").expect(0)
    assert [mode(path) for path in made] == [0o600] * 3
    # One that is read only can be replaced, and read back meanwhile.
    target.chmod(0o444)
    isoform("convert", source, target, "--rejects", rejects, "--force").expect(0)
    assert mode(target) == 0o644
    kept = tmp_path / "kept.json"
    for permitted in (usual, 0o640):
        isoform("convert", target, "-", "--to", "csv", "--certificate", kept, "--force").expect(0)
        assert mode(kept) == permitted
        kept.chmod(0o640)


def test_rejects_replace_neither_source_nor_target(isoform, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("a,b\n1,2\n3\n")
    data = source.read_bytes()
    for rejects in (source, target, harness.certificate_of(target), f"{tmp_path}/./out.parquet"):
        done = isoform("convert", source, target, "--rejects", rejects, "--force").expect(2)
        assert "--rejects" in done.err and source.read_bytes() == data
        assert isoform("plan", source, target, "--rejects", rejects).out.count("--rejects")
    assert "--rejects -" in isoform("convert", source, target, "--rejects", "-", "--force", cwd=tmp_path).expect(2).err
    out = ["--to", "csv", "--certificate", "-"]
    assert "--certificate -" in isoform("convert", source, "-", *out, cwd=tmp_path).expect(2).err
    assert not (tmp_path / "-").exists()
    parts = tmp_path / "parts"
    for rejects in (parts, parts / "bad.jsonl"):
        done = isoform("convert", source, parts, "--to", "csv", "--partition-by", "a", "--rejects", rejects).expect(2)
        assert "--rejects" in done.err
    both = tmp_path / "both"
    out = ["--to", "csv", "--certificate", both, "--rejects", both]
    assert "--rejects" in isoform("convert", source, "-", *out).expect(2).err
    assert harness.listing(tmp_path) == ["in.csv"]


def test_one_run_alone_writes_a_rejects_file(isoform, tmp_path):
    """The first run waits for its second source, which is a pipe; what it sets aside is not lost."""
    source, pipe, rejects = tmp_path / "in.csv", tmp_path / "more.csv", tmp_path / "bad.jsonl"
    source.write_text("a,b\n1,2\n3\n")
    os.mkfifo(pipe)
    running = isoform.start("convert", source, pipe, tmp_path / "one.csv", "--rejects", rejects)
    other = ["convert", source, tmp_path / "two.csv", "--rejects", rejects]
    parts = ["convert", source, tmp_path / "parts", "--to", "csv", "--partition-by", "a", "--rejects", rejects]
    out = ["convert", source, "-", "--to", "csv", "--stream", "--rejects", rejects]
    with open(pipe, "w") as writer:
        for command in (other, parts, out, [*other, "--force"]):
            done = isoform(*command).expect(5)
            assert "bad.jsonl" in done.err and "another conversion" in done.err and done.out == ""
        writer.write("a,b\n5,6\n")
    assert running.wait(timeout=60) == 0
    assert [json.loads(line)["record"] for line in rejects.read_text().splitlines()] == [2]
    isoform(*other).expect(7)
    assert harness.listing(tmp_path) == ["bad.jsonl", "in.csv", "more.csv", "one.csv", "one.csv" + harness.ENDING]
    isoform(*other, "--force").expect(0)


def test_a_rejects_file_that_appears_meanwhile_is_not_replaced(isoform, tmp_path):
    source, pipe, rejects = tmp_path / "in.csv", tmp_path / "more.csv", tmp_path / "bad.jsonl"
    source.write_text("a,b\n1,2\n3\n")
    os.mkfifo(pipe)
    running = isoform.start("convert", source, pipe, tmp_path / "out.csv", "--rejects", rejects)
    with open(pipe, "w") as writer:
        rejects.write_text("precious")
        writer.write("a,b\n5,6\n")
    assert running.wait(timeout=60) == 7
    assert rejects.read_text() == "precious"
    assert harness.listing(tmp_path) == ["bad.jsonl", "in.csv", "more.csv"]


def test_a_slash_behind_the_name_of_a_file_is_a_usage_error(isoform, sales, tmp_path):
    for name in ("out.parquet/", "out.csv.gz/", "none/out.jsonl/"):
        done = isoform("convert", sales, f"{tmp_path}/{name}").expect(2)
        assert name in done.err and "slash" in done.err
    assert "slash" in isoform("plan", sales, f"{tmp_path}/out.parquet/").out
    assert "slash" in isoform("convert", sales, tmp_path / "out.csv", "--rejects", f"{tmp_path}/bad.jsonl/").expect(2).err
    assert harness.listing(tmp_path) == [sales.name]
    isoform("convert", sales, f"{tmp_path}/parts/", "--to", "csv", "--partition-by", "store").expect(0)


def test_bad_records_that_lack_their_name_get_it(isoform, tmp_path):
    """As after a rename that failed, or a kill between that of the target and that of the rejects file."""
    source, broken, target = tmp_path / "in.csv", tmp_path / "broken.csv", tmp_path / "out.csv"
    rejects, left, other = tmp_path / "bad.jsonl", tmp_path / ".bad.jsonl.isoform-rejects", tmp_path / "other.csv"
    source.write_text("a,b\n1,2\n3\n")
    broken.write_text('a,b\n1,"2\n')
    isoform("convert", source, target, "--rejects", rejects).expect(0)
    data = rejects.read_bytes()
    for options, code in ((["--rejects", rejects], 7), (["--rejects", rejects, "--force"], 9)):
        rejects.rename(left)
        isoform("convert", broken, other, *options).expect(code)
        assert rejects.read_bytes() == data and not left.exists()
    # A run that makes no rejects file replaces the certificate that tells what they are.
    rejects.rename(left)
    isoform("convert", broken, target, "--force").expect(9)
    assert rejects.read_bytes() == data and not left.exists()
    rejects.rename(left)
    rejects.write_text("precious")
    done = isoform("convert", source, target, "--force").expect(2)
    assert left.name in done.err and "move it" in done.err
    assert left.read_bytes() == data and rejects.read_text() == "precious"
    isoform("convert", source, target, "--rejects", rejects, "--force").expect(0)
    assert rejects.read_bytes() == data and not left.exists()
    left.write_bytes(data)
    # Beside a file of the same bytes it is nothing but a copy.
    rejects.write_bytes(data)
    isoform("convert", source, other, "--rejects", rejects, "--force").expect(0)
    assert rejects.read_bytes() == data and not left.exists()


def test_bad_records_of_a_target_that_never_was_are_written_anew(isoform, tmp_path):
    """As after a kill before the target was published. A run that fails leaves them as they were."""
    source, broken, target = tmp_path / "in.csv", tmp_path / "broken.csv", tmp_path / "out.csv"
    rejects, left = tmp_path / "bad.jsonl", tmp_path / ".bad.jsonl.isoform-rejects"
    source.write_text("a,b\n1,2\n3\n")
    broken.write_text('a,b\n1,"2\n')
    left.write_text('{"record": 7')
    isoform("convert", broken, target, "--rejects", rejects).expect(9)
    assert left.read_text() == '{"record": 7' and not rejects.exists()
    isoform("convert", source, target, "--rejects", rejects).expect(0)
    assert [json.loads(line)["record"] for line in rejects.read_text().splitlines()] == [2]
    assert not left.exists()


def test_a_pipe_that_is_called_like_a_certificate_is_not_waited_for(isoform, tmp_path):
    """Certificates in the directory are looked at to find out whether another one records the rejects file."""
    source, rejects = tmp_path / "in.csv", tmp_path / "bad.jsonl"
    command = ["convert", source, tmp_path / "out.csv", "--rejects", rejects, "--force"]
    source.write_text("a,b\n1,2\n3\n")
    isoform(*command).expect(0)
    os.mkfifo(tmp_path / f"pipe{harness.ENDING}")
    source.write_text("a,b\n1,2\n")
    assert "and was removed" in isoform(*command, timeout=60).expect(0).out
    assert not rejects.exists()


def test_no_temporary_takes_the_place_of_source_or_target(isoform, sales, tmp_path):
    data = pathlib.Path(sales).read_bytes()
    target, rejects = tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    for name in (".out.parquet.isoform-part", ".out.parquet.isoform-journal", ".bad.jsonl.isoform-rejects",
                 ".out.parquet.isoform.sigstore.json.isoform-new"):
        source = tmp_path / name
        source.write_bytes(data)
        command = (source, target, "--from", "csv", "--rejects", rejects)
        assert name in isoform("convert", *command).expect(2).err and source.read_bytes() == data
        assert "a temporary" in isoform("plan", *command).out
        source.unlink()
        # The rejects file is none either, and nothing else that is made.
        parts = (source, "--to", "csv", "--partition-by", "store")
        for made in ((target, "--rejects", source), (source, "--to", "gzip"), parts[:3], parts):
            assert name in isoform("convert", sales, *made).expect(2).err
            assert "convert would refuse" in isoform("plan", sales, *made).expect(2).out
        isoform("convert", sales, "-", "--to", "csv", "--certificate", source).expect(2)
        assert harness.listing(tmp_path) == ["sales.csv"]
    hidden = tmp_path / ".z.jsonl.isoform-rejects"
    done = isoform("convert", sales, hidden, "--to", "csv", "--rejects", tmp_path / "z.jsonl", "--force").expect(2)
    assert hidden.name in done.err and "--rejects" in done.err
    inside = tmp_path / ".parts.isoform-part" / "in.csv"
    inside.parent.mkdir()
    inside.write_text("a,b\n1,2\n")
    done = isoform("convert", inside, tmp_path / "parts", "--to", "csv", "--partition-by", "a").expect(2)
    assert "the temporary of the target" in done.err and inside.read_text() == "a,b\n1,2\n"


def test_a_rejects_file_has_a_directory_from_the_start(isoform, sales, tmp_path):
    done = isoform("convert", sales, tmp_path / "out.csv", "--rejects", tmp_path / "none" / "bad.jsonl").expect(1)
    assert "none: no such directory" in done.err
    assert harness.listing(tmp_path) == ["sales.csv"]


def test_a_certificate_takes_the_place_of_no_source(isoform, sales, tmp_path):
    data = open(sales, "rb").read()
    isoform("convert", sales, "-", "--to", "csv", "--certificate", sales, "--force").expect(2)
    odd = tmp_path / f"odd.csv{harness.ENDING}"
    odd.write_bytes(data)
    done = isoform("convert", odd, tmp_path / "odd.csv", "--from", "csv").expect(2)
    assert f"the same file; give another target than {tmp_path / 'odd.csv'}" in done.err
    assert open(sales, "rb").read() == data == odd.read_bytes()


@pytest.mark.parametrize("name, options", [
    ("out.parquet", []), ("out.csv.zst", []), ("parts", ["--to", "csv", "--partition-by", "store"]),
], ids=["table", "bytes", "partitions"])
def test_a_certificate_replaces_nothing_else_unasked(isoform, sales, tmp_path, name, options):
    target = tmp_path / name
    at = harness.certificate_of(target)
    command = ["convert", sales, target, *options]
    at.write_text("precious")
    assert f"{at}: is no certificate" in isoform(*command).expect(7).err
    assert at.read_text() == "precious" and harness.listing(tmp_path) == sorted([at.name, sales.name])
    assert "convert would refuse" in (told := isoform("plan", *command[1:]).expect(7).out) and str(at) in told
    assert "convert would refuse" not in isoform("plan", *command[1:], "--force").expect(0).out
    isoform(*command, "--force").expect(0)
    isoform("verify", target).expect(0)
    # That of a target which has another name now is the only proof of it, unless the same bytes are made again.
    moved = target.rename(tmp_path / f"moved-{name}")
    data = at.read_bytes()
    other = tmp_path / "other.csv"
    other.write_bytes(b"".join(pathlib.Path(sales).read_bytes().splitlines(keepends=True)[:-1]))
    told, data_of_other = f"{at}: its target is not beside it", other.read_bytes()
    assert told in isoform("plan", other, target, *options).expect(7).out
    for content in (data_of_other, pathlib.Path(sales).read_bytes().swapcase()):
        other.write_bytes(content)
        refused = isoform("convert", other, target, *options, "-v").expect(7)
        # Nothing was converted in vain.
        assert told in refused.err and "converting" not in refused.err, refused
    assert at.read_bytes() == data and not target.exists()
    assert told not in isoform("plan", *command[1:]).expect(0).out
    isoform("verify", moved, "--certificate", at).expect(0)
    isoform(*command).expect(0)
    isoform("verify", moved, "--certificate", at).expect(0)
    # One that an interrupted run left without its target is replaced by that of the next, and goes where this fails.
    part, broken = tmp_path / f".{name}.isoform-part", tmp_path / "broken.csv.gz"
    broken.write_bytes(gzip.compress(sales_bytes := pathlib.Path(sales).read_bytes())[: len(sales_bytes) // 8])
    for source, code in ((broken, 9), (sales, 0)):
        if target.is_dir():
            part.mkdir()
        target.rename(part / "files" if part.is_dir() else part)
        assert "convert would refuse" not in isoform("plan", *command[1:]).expect(0).out
        isoform("convert", source, target, *options).expect(code)
        assert at.exists() == target.exists() == (code == 0) and not part.exists()
        isoform("convert", sales, target, *options).expect(0 if code else 7)
    # What is no file is never replaced.
    for make in (os.mkfifo, os.mkdir):
        other = tmp_path / f"{make.__name__}-{name}"
        make(harness.certificate_of(other))
        for more in ([], ["--force"]):
            done = isoform("convert", sales, other, *options, *more, timeout=60).expect(2)
            assert f"{harness.certificate_of(other)}: is in the way" in done.err and not other.exists()
            assert "is in the way" in isoform("plan", sales, other, *options, *more).expect(2).out


@pytest.mark.parametrize("aside", [f".out.csv{harness.ENDING}.isoform-new", ".out.csv.isoform-former"],
                         ids=["exchanged", "moved"])
def test_a_target_that_a_killed_run_did_not_replace_gets_its_certificate_back(isoform, sales, tmp_path, aside):
    """As after a kill between the names of certificate and target, where the run that follows fails."""
    target, other, broken = tmp_path / "out.csv", tmp_path / "other" / "out.csv", tmp_path / "broken.csv"
    broken.write_text('a,b\n1,"2\n')
    other.parent.mkdir()
    isoform("convert", sales, target).expect(0)
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    isoform("convert", tmp_path / "in.csv", other).expect(0)
    data = harness.certificate_of(target).read_bytes()
    harness.certificate_of(target).rename(tmp_path / aside)
    harness.certificate_of(other).rename(harness.certificate_of(target))
    isoform("verify", target).expect(4)
    isoform("convert", broken, target, "--force").expect(9)
    assert harness.certificate_of(target).read_bytes() == data and not (tmp_path / aside).exists()
    isoform("verify", target).expect(0)
    # What is no certificate is not taken away by a run that fails.
    harness.certificate_of(target).rename(tmp_path / aside)
    harness.certificate_of(target).write_text("precious")
    isoform("convert", broken, target, "--force").expect(9)
    assert harness.certificate_of(target).read_text() == "precious"


@pytest.mark.parametrize("options", [[], ["--stream"]], ids=["whole", "stream"])
def test_one_run_alone_keeps_a_certificate(isoform, tmp_path, options):
    """The first run waits for its second source, which is a pipe."""
    source, pipe, kept = tmp_path / "in.csv", tmp_path / "more.csv", tmp_path / "kept.json"
    source.write_text("a,b\n1,2\n")
    os.mkfifo(pipe)
    running = isoform.start("convert", source, pipe, "-", "--to", "csv", "--certificate", kept, *options)
    other = ["convert", source, "-", "--to", "csv", "--certificate", kept, *options]
    with open(pipe, "w") as writer:
        for command in (other, [*other, "--force"]):
            done = isoform(*command).expect(5)
            assert "kept.json" in done.err and "another conversion" in done.err and done.out == ""
        writer.write("a,b\n5,6\n")
    assert running.wait(timeout=60) == 0
    assert len(harness.statement(kept)["predicate"]["source"]) == 2
    isoform(*other).expect(7)
    isoform(*other, "--force").expect(0)
    assert harness.listing(tmp_path) == ["in.csv", "kept.json", "more.csv"]


def test_a_certificate_that_is_kept_is_written_by_no_conversion_beside_it(isoform, tmp_path):
    """One run keeps a certificate under the name that the other gives that of its target."""
    source, pipe, target = tmp_path / "in.csv", tmp_path / "more.csv", tmp_path / "out.csv"
    source.write_text("a,b\n1,2\n")
    os.mkfifo(pipe)
    kept = harness.certificate_of(target)
    running = isoform.start("convert", source, pipe, "-", "--to", "csv", "--certificate", kept)
    with open(pipe, "w") as writer:
        assert "another conversion" in isoform("convert", source, target).expect(5).err
        assert not target.exists() and not kept.exists()
        writer.write("a,b\n5,6\n")
    assert running.wait(timeout=60) == 0
    assert len(harness.statement(kept)["predicate"]["source"]) == 2
    assert harness.listing(tmp_path) == ["in.csv", "more.csv", kept.name]


def test_a_temporary_that_is_gone_is_named(isoform, tmp_path):
    source, pipe, target = tmp_path / "in.csv", tmp_path / "more.csv", tmp_path / "out.csv"
    source.write_text("a,b\n1,2\n")
    os.mkfifo(pipe)
    command = isoform.command("convert", source, pipe, target)
    running = subprocess.Popen(command, env=isoform.environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    with open(pipe, "w") as writer:
        (tmp_path / ".out.csv.isoform-part").unlink()
        (tmp_path / ".out.csv.isoform-part").write_text("a,b\n1,2\n5,6\n")
        writer.write("a,b\n5,6\n")
    err = running.communicate(timeout=60)[1].decode()
    # What another made there is neither published nor removed.
    assert running.returncode == 5 and not target.exists(), err
    assert f"{tmp_path / '.out.csv.isoform-part'}: was removed or replaced meanwhile" in err
    assert harness.listing(tmp_path) == [".out.csv.isoform-part", "in.csv", "more.csv"]


def test_the_temporary_of_a_certificate_takes_the_place_of_no_source(isoform, tmp_path):
    source, kept = tmp_path / ".kept.json.isoform-new", tmp_path / "kept.json"
    source.write_text("a,b\n1,2\n")
    command = ("convert", source, "-", "--from", "csv", "--to", "csv", "--certificate")
    for options in ([], ["--stream"]):
        done = isoform(*command, kept, *options).expect(2)
        assert source.name in done.err and "a temporary" in done.err
    # Nor that of the rejects file the place of the certificate.
    hidden = tmp_path / ".bad.jsonl.isoform-rejects"
    done = isoform(*command, hidden, "--rejects", tmp_path / "bad.jsonl").expect(2)
    assert "--rejects" in done.err and source.read_text() == "a,b\n1,2\n"
    assert harness.listing(tmp_path) == [source.name]


def test_what_never_came_out_has_no_certificate(isoform, sales, tmp_path):
    certificate = tmp_path / "c.json"
    with open("/dev/full", "w") as full:
        command = isoform.command("convert", sales, "-", "--to", "csv", "--certificate", certificate)
        done = subprocess.run(command, env=isoform.environment, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and not certificate.exists()


@pytest.mark.parametrize("length, code", [(255, 2), (221, 2), (220, 0), (100, 0)])
def test_long_names(isoform, sales, tmp_path, length, code):
    target = tmp_path / ("x" * (length - 8) + ".parquet")
    done = isoform("convert", sales, target).expect(code)
    if code:
        assert "certificate" in done.err and harness.listing(tmp_path) == ["sales.csv"]
    else:
        isoform("verify", target).expect(0)


@pytest.mark.parametrize("length, code", [(228, 2), (221, 2), (220, 0)])
def test_long_names_of_partitions(isoform, sales, tmp_path, length, code):
    command = (sales, tmp_path / ("x" * length), "--to", "csv", "--partition-by", "store")
    refused = "choose a shorter one" in isoform("plan", *command).expect(code).out
    done = isoform("convert", *command).expect(code)
    assert refused == bool(code)
    if code:
        assert "choose a shorter one" in done.err and harness.listing(tmp_path) == ["sales.csv"]


@pytest.mark.parametrize("bytes_max", [0, 1000, 20_000])
def test_a_limit_on_the_size_of_files_is_an_error_and_no_end(isoform, sales, tmp_path, bytes_max):
    done = limited(isoform, resource.RLIMIT_FSIZE, bytes_max, "convert", sales, tmp_path / "out.csv").expect(1)
    assert "too large" in done.err and harness.listing(tmp_path) == ["sales.csv"]


def test_a_directory_for_temporaries_that_is_none_is_named(isoform, sales, tmp_path):
    packed = tmp_path / "packed.csv.gz"
    isoform("convert", sales, packed).expect(0)
    done = isoform("compare", packed, sales, env={"TMPDIR": str(tmp_path / "none")})
    assert "TMPDIR" in done.expect(1).err and str(tmp_path / "none") in done.err


def test_more_sources_than_files_may_be_open(isoform, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03}.csv").write_text(f"n\n{number}\n")
    limited(isoform, resource.RLIMIT_NOFILE, 64, "convert", folder, tmp_path / "out.parquet").expect(0)
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").column("n").to_pylist() == list(range(100))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_at_every_stage(isoform, sales, tmp_path, small_disk):
    """With room for less than everything the conversion fails and leaves nothing; with a little more it goes."""
    codes = []
    for room in range(0, 200_000, 4096):
        filler = small_disk / "filler"
        filler.write_bytes(b"")
        free = os.statvfs(small_disk)
        filler.write_bytes(b"x" * (free.f_bavail * free.f_bsize - room))
        done = isoform("convert", sales, small_disk / "out.parquet")
        codes.append(done.code)
        if done.code == 0:
            break
        assert done.code == 1 and "No space left" in done.err, done
        assert harness.listing(small_disk) == ["filler"], (room, done)
    assert codes[-1] == 0 and len(codes) > 2
    isoform("verify", small_disk / "out.parquet").expect(0)


def test_a_full_disk_while_unpacking(isoform, small_disk, tmp_path):
    import gzip

    packed = small_disk / "in.csv.gz"
    packed.write_bytes(gzip.compress(b"n\n" + b"12345678\n" * 200_000))
    done = isoform("convert", packed, small_disk / "out.parquet").expect(1)
    assert "No space left" in done.err and harness.listing(small_disk) == ["in.csv.gz"]


def test_without_permission(isoform, sales, tmp_path):
    """As somebody who owns nothing: root may do everything."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o777)
        folder = pathlib.Path(open_to_all)
        source = shutil.copy(sales, folder / "in.csv")
        program = shutil.copy(harness.binary(), folder / "isoform")
        closed, secret = folder / "closed", folder / "secret.csv"
        closed.mkdir(mode=0o755)
        secret.write_text("a\n1\n")
        secret.chmod(0)
        environment = isoform.environment | {"ISOFORM_CONFIG_DIR": f"{folder}/config"}
        for arguments, place in [
            (["convert", source, closed / "out.parquet"], "closed"),
            (["convert", secret, folder / "out.parquet"], "secret.csv"),
            (["convert", source, folder / "out.parquet", "--rejects", closed / "r.jsonl"], "closed"),
        ]:
            done = subprocess.run([program, *map(str, arguments)], env=environment, capture_output=True,
                                  user=65534, group=65534, extra_groups=[], cwd="/")
            assert done.returncode == 1, done
            assert place in done.stderr.decode() and b"Permission denied" in done.stderr
        assert [p for p in harness.listing(folder) if p.startswith((".", "closed/"))] == []


def test_what_cannot_be_forced_to_disk_is_done_and_told(isoform, tmp_path):
    """A directory that may be written and not read: its names cannot be synced once everything has its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o777)
        folder = pathlib.Path(open_to_all)
        program = shutil.copy(harness.binary(), folder / "isoform")
        source, drop = folder / "in.csv", folder / "drop"
        source.write_text("a,b\n1,2\n3\n")
        drop.mkdir()
        drop.chmod(0o333)
        os.chown(drop, 65534, 65534)
        environment = isoform.environment | {"ISOFORM_CONFIG_DIR": f"{folder}/config"}
        more = {
            "out.csv": ["--rejects", drop / "bad.jsonl"],
            "out.csv.zst": [],
            "parts": ["--to", "csv", "--partition-by", "a", "--rejects", drop / "more.jsonl"],
        }
        for target, options in more.items():
            command = [program, "convert", source, drop / target, *options]
            done = subprocess.run([*map(str, command)], env=environment, capture_output=True,
                                  user=65534, group=65534, extra_groups=[], cwd="/")
            assert done.returncode == 0, done
            assert b"drop: could not be forced to disk (Permission denied" in done.stdout, done
            isoform("verify", drop / target).expect(0)
        assert (drop / "bad.jsonl").read_text() == (drop / "more.jsonl").read_text() != ""
        Image.fromarray(np.arange(3072, dtype="u1").reshape(32, 32, 3)).save(folder / "p.png")
        album = ["--to", "jpeg", "--out-dir", drop / "album", "--within", "psnr=25", "--part-floor", "psnr=20"]
        command = [program, "convert", folder / "p.png", *album]
        done = subprocess.run([*map(str, command)], env=environment, capture_output=True,
                              user=65534, group=65534, extra_groups=[], cwd="/")
        assert done.returncode == 0 and b"note: " in done.stdout, done
        assert b"drop: could not be forced to disk (Permission denied" in done.stdout, done
        assert not [name for name in harness.listing(drop) if name.startswith(".")]


@pytest.mark.parametrize("change", ["appended", "cut", "replaced", "removed", "rewritten"])
def test_a_source_that_changes_meanwhile(isoform, tall, tmp_path, change):
    """The second source is a pipe, which holds the program after it has opened the first one."""
    source, pipe, target = tmp_path / "in.csv", tmp_path / "more.csv", tmp_path / "out.parquet"
    shutil.copy(tall, source)
    size = source.stat().st_size
    os.mkfifo(pipe)
    running = subprocess.Popen(isoform.command("convert", source, pipe, target), env=isoform.environment,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    writer = open(pipe, "w")
    if change == "appended":
        with open(source, "ab") as file:
            file.write(b"1,1,more\n")
    elif change == "cut":
        os.truncate(source, size // 2)
    elif change == "replaced":
        (tmp_path / "other").write_text("id,squared,word\n")
        (tmp_path / "other").replace(source)
    elif change == "removed":
        source.unlink()
    else:
        times = source.stat()
        with open(source, "r+b") as file:
            file.seek(size - 3)
            file.write(b"7")
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    with writer:
        writer.write("id,squared,word\n1,1,more\n")
    err = running.communicate()[1].decode()
    # What was cut inside a record may be met as a broken record before it is known that the file changed.
    assert running.returncode == 5 or (change == "cut" and running.returncode == 9), (running.returncode, err)
    assert "in.csv" in err and ("changed" in err or running.returncode == 9), err
    assert set(harness.listing(tmp_path)) <= {"in.csv", "more.csv"}


def test_a_record_batch_that_memory_does_not_hold_is_refused(isoform, tmp_path):
    """It is in one piece, and is held whole; what would hold it is said, and holds it."""
    source, target = tmp_path / "one.arrow", tmp_path / "out.parquet"
    batch = pa.record_batch({"n": pa.array(range(5_000_000), pa.int64())})
    for compression in (None, "zstd"):
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_file(source, batch.schema, options=options) as writer:
            writer.write_batch(batch)
        for command in ("convert", "plan"):
            refused = isoform(command, source, target, "--memory", "256MiB", "--force").expect(9).err
            assert "one.arrow" in refused and "record batch" in refused
        enough = re.search(r"--memory (\d+MiB)", refused)[1]
        isoform("convert", source, target, "--memory", enough, "--force").expect(0)
    assert pyarrow.parquet.read_metadata(target).num_rows == 5_000_000


def test_a_pipe_where_a_file_belongs_is_not_waited_for(isoform, sales, tmp_path):
    """A wait for a writer who never comes would not end by a signal either."""
    model = tmp_path / "model"
    model.mkdir()
    os.mkfifo(model / "m1.safetensors")
    index = model / "m.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"w": "m1.safetensors"}}))
    for command in (("convert", index, tmp_path / "m.gguf"), ("inspect", index), ("compare", index, index)):
        done = isoform(*command, timeout=20).expect(9)
        assert "m1.safetensors" in done.err and "a pipe or device" in done.err, done
    config = tmp_path / "config"
    config.mkdir()
    os.mkfifo(config / "signing-key.pem")
    for command in (("convert", sales, tmp_path / "s.parquet"), ("key", "show")):
        done = isoform(*command, env={"ISOFORM_CONFIG_DIR": str(config)}, timeout=20).expect(2)
        assert "signing-key.pem: is no regular file, and a signing key is one" in done.err, done
    assert not (tmp_path / "m.gguf").exists() and not (tmp_path / "s.parquet").exists()


def test_a_file_in_the_place_of_a_directory_is_told(isoform, sales, tmp_path):
    for below in ("x.parquet", "more/x.parquet"):
        done = isoform("convert", sales, sales / below).expect(1)
        assert "sales.csv: is no directory; give the target another place" in done.err, done
        assert "sales.csv: is no directory" in isoform("plan", sales, sales / below).out
    assert "make it first" in isoform("convert", sales, tmp_path / "none" / "x.parquet").expect(1).err
    # So is a link that leads nowhere, and what has no place there is called as it was typed.
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    for other in (sales, link):
        for what, command in {
            "the target": (other / "p", "--to", "jsonl", "--partition-by", "store"),
            "--out-dir": ("--out-dir", other / "p", "--to", "jsonl"),
            "--rejects": (tmp_path / "x.parquet", "--rejects", other / "p"),
            "--certificate": ("-", "--to", "csv", "--certificate", other / "p"),
        }.items():
            done = isoform("convert", sales, *command).expect(1)
            assert f"{other}: is no directory; give {what} another place" in done.err, done
    assert harness.listing(tmp_path) == ["link", "sales.csv"]


def test_a_plan_of_many_targets_refuses_a_file_in_the_place_of_their_directory(isoform, sales, tmp_path):
    taken, below = tmp_path / "out" / "taken", tmp_path / "in" / "taken"
    taken.parent.mkdir()
    taken.write_text("")
    below.mkdir(parents=True)
    (below / "x.csv").write_bytes(sales.read_bytes())
    before = harness.listing(tmp_path)
    for source, out_dir in ((sales, taken), (sales, taken / "p"), (tmp_path / "in", taken.parent)):
        options = (source, "--out-dir", out_dir, "--to", "jsonl")
        refused = isoform("convert", *options).expect(1)
        assert f"{taken}: is no directory; give --out-dir another place" in refused.err, refused
        planned = isoform("plan", *options).expect(1)
        assert (planned.out, planned.err) == (refused.out, refused.err)
    assert harness.listing(tmp_path) == before


def test_names_give_a_terminal_no_commands(isoform, tmp_path):
    """What people are shown has escapes in the place of control characters; JSON has the names."""
    odd, shown = "a\x1b\n  b\u202e", "a\\u{1b}\\n  b\\u{202e}"
    source = tmp_path / f"{odd}.csv"
    source.write_text(f'"{odd}"\n1\n')
    runs = [
        isoform("convert", source, tmp_path / "x.parquet").expect(0),
        isoform("convert", source, "-", "--to", "csv", "--stream").expect(0),
        isoform("convert", source, "--out-dir", tmp_path / "out", "--to", "arrow").expect(0),
        isoform("inspect", source).expect(0),
        isoform("plan", source, tmp_path / "y.parquet").expect(0),
        isoform("verify", tmp_path / "x.parquet", "--source", source).expect(0),
        isoform("convert", tmp_path / f"{odd}.jsonl", tmp_path / "z.parquet").expect(1),
        isoform("convert", tmp_path / f"{odd}.jsonl", "--out-dir", tmp_path / "more", "--to", "csv").expect(3),
        isoform("inspect", f"--{odd}").expect(2),
    ]
    for number, run in enumerate(runs):
        told = run.err if number == 1 else run.out + run.err
        assert shown in told, (number, run)
        assert "\x1b" not in told and "\u202e" not in told and "\n  b\\u" not in told, (number, run)
    document = isoform("inspect", source, "--json").expect(0).json()
    assert document["path"] == str(source) and document["columns"][0]["name"] == odd
    # Of a name that is no text, a document has what can be read.
    bare = os.fsencode(tmp_path) + b"/\xff.csv"
    with open(bare, "wb") as file:
        file.write(b"a\n1\n")
    assert isoform("inspect", os.fsdecode(bare), "--json").expect(0).json()["path"] == f"{tmp_path}/\ufffd.csv"


FEW_THREADS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int begun;
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *of) {
    if (__sync_add_and_fetch(&begun, 1) > atoi(getenv("THREADS"))) return EAGAIN;
    return ((create *)dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, run, of);
}
"""


SLOW_DISK = """
#include <time.h>
int fdatasync(int file) {
    struct timespec left = {30, 0};
    return nanosleep(&left, &left);
}
"""


@pytest.fixture(scope="module")
def few_threads(tmp_path_factory):
    """The environment in which the system gives a program so many threads and no more. A limit does not bind root."""
    environment = harness.preloaded(tmp_path_factory.mktemp("threads"), FEW_THREADS)
    return lambda most: environment | {"THREADS": str(most)}


@pytest.mark.parametrize("most", [0, 1, 4])
def test_the_threads_that_the_system_gives_are_enough(isoform, few_threads, tall, tmp_path, most):
    """Those do all the work, or the one that the program began with."""
    image = tmp_path / "a.png"
    Image.fromarray(np.add.outer(np.arange(90), np.arange(120)).astype("uint8")).save(image)
    # Members that are decoded side by side, and content of which the disk is told to take some before its end.
    content = [np.random.default_rng(n).bytes(1_200_000) for n in range(3)] + [bytes(40 << 20)]
    packed = tmp_path / "b.bin.gz"
    packed.write_bytes(b"".join(map(gzip.compress, content)))
    for source, name, options in [
        (tall, "t.parquet", ()), (image, "a.jpg", ("--within", "psnr=30")), (packed, "b.bin", ())]:
        command = ("convert", source, tmp_path / name, "--threads", "3", *options)
        done = isoform(*command, env=few_threads(most)).expect(0)
        assert "panicked" not in done.err
        isoform("verify", tmp_path / name, "--source", source, env=few_threads(most)).expect(0)
    assert (tmp_path / "b.bin").read_bytes() == b"".join(content)
    isoform("compare", tall, tmp_path / "t.parquet", env=few_threads(most)).expect(0)


def test_what_is_read_on_a_thread_of_its_own_is_refused_without_one(isoform, few_threads, sales, tmp_path):
    packed = tmp_path / "s.csv.gz"
    packed.write_bytes(gzip.compress(pathlib.Path(sales).read_bytes()))
    for source, stdin in [(packed, None), ("-", b"a\n1\n")]:
        command = ("convert", source, tmp_path / "out.parquet", "--from", "csv")
        refused = isoform(*command, stdin=stdin, env=few_threads(0)).expect(1)
        assert f"{source}: the system gives no thread" in refused.err and "panicked" not in refused.err
    assert harness.listing(tmp_path) == ["s.csv.gz", "sales.csv"]


def test_nobody_waits_for_the_disk_to_take_what_is_removed(isoform, tmp_path):
    """The disk takes what there is while more is made; that of a run which is interrupted is removed at once."""
    packed, target = tmp_path / "b.bin.gz", tmp_path / "b.bin"
    packed.write_bytes(gzip.compress(bytes(1 << 20)) * 1000)
    running = subprocess.Popen(isoform.command("convert", packed, target, "--threads", "1"), stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, env=isoform.environment | harness.preloaded(tmp_path, SLOW_DISK))
    part = tmp_path / ".b.bin.isoform-part"
    assert harness.until(lambda: part.exists() and part.stat().st_size > 40 << 20, running)
    running.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert running.wait() == 130 and time.monotonic() - began < 15
    assert not part.exists() and not target.exists()
