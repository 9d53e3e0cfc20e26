"""Directories of partitions in the place of others: what a person put there stays, whatever happens on the way."""

import os
import shutil
import subprocess

import pytest

import harness

BY = ("--to", "csv", "--partition-by", "store")
ONE, TWO = "store,qty\na,1\nb,2\n", "store,qty\nx,3\n"


def converted(isoform, folder):
    """A directory of partitions, with its certificate, and the command that made it."""
    source, target = folder / "one.csv", folder / "out"
    source.write_text(ONE)
    isoform("convert", source, target, *BY).expect(0)
    return target


def forced_meanwhile(isoform, folder, target, act):
    """The exit code of a run that replaces the target, in the middle of which something else happens."""
    pipe = folder / "pipe"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    process = isoform.start("convert", pipe, target, "--from", "text/csv", *BY, "--force")
    assert harness.until((target.parent / f".{target.name}.isoform-part/files").exists, process)
    act()
    pipe.write_text(TWO)
    return process.wait(60)


def test_what_came_into_the_target_during_the_run_stays(isoform, tmp_path):
    target = converted(isoform, tmp_path)
    notes = target / "notes.txt"
    code = forced_meanwhile(isoform, tmp_path, target, lambda: notes.write_text("precious"))
    assert (code, notes.read_text()) == (2, "precious")
    assert not list(tmp_path.glob(".out*"))
    notes.unlink()
    isoform("verify", target).expect(0)
    assert forced_meanwhile(isoform, tmp_path, target, lambda: None) == 0
    isoform("verify", target).expect(0)
    assert harness.listing(target) == ["store=x", "store=x/part-0.csv"]


def test_a_file_that_took_the_place_of_the_target_stays(isoform, tmp_path):
    target = converted(isoform, tmp_path)

    def replace():
        target.rename(tmp_path / "moved")
        target.write_text("precious")

    assert (forced_meanwhile(isoform, tmp_path, target, replace), target.read_text()) == (2, "precious")
    target.unlink()
    (tmp_path / "moved").rename(target)
    isoform("verify", target).expect(0)


def test_a_run_that_was_killed_between_certificate_and_target_is_made_good(isoform, tmp_path):
    target = converted(isoform, tmp_path)
    certificate = harness.certificate_of(target)
    left = tmp_path / f".{certificate.name}.isoform-new"
    source = tmp_path / "two.csv"
    source.write_text(TWO)
    isoform("convert", source, tmp_path / "elsewhere" / "out", *BY).expect(0)
    # A finished one that waits is said to, and so is one that has no name yet.
    part = tmp_path / ".out.isoform-part"
    shutil.copy(certificate, left)
    shutil.copy(harness.certificate_of(tmp_path / "elsewhere" / "out"), certificate)
    shutil.copytree(tmp_path / "elsewhere" / "out", part / "files")
    told = isoform("verify", target).expect(4).err
    assert "an interrupted pair" in told and told.endswith("convert again with --force --resume\n"), told
    target.rename(tmp_path / "moved")
    told = isoform("verify", target).expect(1).err
    assert "an interrupted pair" in told and told.endswith("convert again with --resume\n"), told
    (tmp_path / "moved").rename(target)
    shutil.rmtree(part)
    left.rename(certificate)
    # The new certificate has its name, the former one that of the temporary, and the target is the former one.
    for command, code in [((source, target, "--to", "csv", "--partition-by", "nosuch"), 2), ((source, target, *BY), 0)]:
        shutil.copy(certificate, left)
        shutil.copy(harness.certificate_of(tmp_path / "elsewhere" / "out"), certificate)
        isoform("verify", target).expect(4)
        isoform("convert", *command, "--force").expect(code)
        isoform("verify", target).expect(0)
        assert not list(tmp_path.glob(".out*"))
    assert harness.listing(target) == ["store=x", "store=x/part-0.csv"]


def test_so_is_one_with_bad_records(isoform, tmp_path):
    source, target, bad = tmp_path / "in.csv", tmp_path / "out", tmp_path / "bad.jsonl"
    command = ("convert", source, target, *BY, "--rejects", bad, "--force")
    kept = []
    for text in (ONE + "c\n", TWO + "d\n"):
        source.write_text(text)
        isoform(*command).expect(0)
        kept.append((harness.certificate_of(target).read_bytes(), bad.read_bytes()))
        target.rename(tmp_path / f"made{len(kept)}")
    # As before, and the bad records have the name of their temporary.
    (tmp_path / "made1").rename(target)
    harness.certificate_of(target).write_bytes(kept[1][0])
    (tmp_path / f".{harness.certificate_of(target).name}.isoform-new").write_bytes(kept[0][0])
    bad.write_bytes(kept[0][1])
    (tmp_path / ".bad.jsonl.isoform-rejects").write_bytes(kept[1][1])
    isoform(*command).expect(0)
    assert bad.read_bytes() == kept[1][1] and not list(tmp_path.glob(".*"))
    isoform("verify", target).expect(0)


def test_what_has_the_name_of_the_temporary_is_told_of_and_stays(isoform, sales, tmp_path):
    part = tmp_path / ".out.isoform-part"
    (tmp_path / "elsewhere").mkdir()
    for put in (lambda: part.write_text(""), lambda: part.symlink_to("nowhere"), lambda: part.symlink_to("elsewhere")):
        put()
        told = f"{part}: is in the way and no directory; remove it"
        assert told in isoform("plan", sales, tmp_path / "out", *BY).expect(2).out
        assert told in isoform("convert", sales, tmp_path / "out", *BY, timeout=60).expect(2).err
        part.unlink()
    assert harness.listing(tmp_path) == ["elsewhere", "sales.csv"]


def test_directories_above_a_target_stay_with_it_alone(isoform, sales, tmp_path):
    target = tmp_path / "x" / "y" / "out"
    isoform("convert", sales, target, "--to", "csv", "--partition-by", "nosuch").expect(2)
    assert harness.listing(tmp_path) == ["sales.csv"]
    isoform("convert", sales, target, *BY).expect(0)
    isoform("verify", target).expect(0)


@pytest.fixture
def layered(isoform, tmp_path):
    """A file system of layers, the lower of which holds a directory of partitions, as the image of a container may."""
    layers = [tmp_path / name for name in ("lower", "upper", "work", "merged")]
    for layer in layers:
        layer.mkdir()
    lower, upper, work, merged = layers
    converted(isoform, lower)
    options = f"lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=off"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, merged]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield merged
    subprocess.run(["umount", merged], check=True)


def test_a_directory_of_a_lower_layer_is_refused_before_the_work(isoform, layered):
    before = harness.listing(layered)
    command = ("convert", layered / "one.csv", layered / "out", *BY, "--force")
    refused = isoform(*command, "--partition-by", "nosuch").expect(2).err
    assert "lower layer of the file system" in refused and "remove it yourself" in refused
    isoform(*command).expect(2)
    assert harness.listing(layered) == before
    shutil.rmtree(layered / "out")
    isoform(*command).expect(0)
    isoform(*command).expect(0)
    isoform("verify", layered / "out").expect(0)
