"""A conversion that is killed at any instant leaves no wrong target, and the next run gives the same bytes."""

import os
import random
import signal
import subprocess
import time

import pytest

import harness

INSTANTS = 20


@pytest.fixture(scope="module")
def whole(isoform, tall, tmp_path_factory):
    """An unbroken conversion: its digest and how long it took."""
    target = tmp_path_factory.mktemp("whole") / "out.parquet"
    began = time.monotonic()
    isoform("convert", tall, target).expect(0)
    return harness.sha256(target), time.monotonic() - began


def check_after_kill(isoform, folder, target):
    """What may be seen after a kill: nothing, or a whole target with its certificate."""
    visible = [name for name in harness.listing(folder) if not name.startswith(".")]
    if target.exists():
        isoform("verify", target).expect(0)
    assert set(visible) <= {target.name, target.name + harness.ENDING}, visible


@pytest.mark.parametrize("options", [["--resume"], []], ids=["resume", "again"])
def test_killed_at_random_instants(isoform, tall, whole, tmp_path, options):
    digest, seconds = whole
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    kills = 0
    for turn in range(INSTANTS * 10):
        folder = tmp_path / str(turn)
        folder.mkdir()
        target = folder / "out.parquet"
        # Up to three kills in a row, so that what a resumed run left is resumed too.
        for _ in range(draw.choice([1, 1, 3])):
            process = isoform.start("convert", tall, target, *options)
            time.sleep(draw.random() * seconds)
            process.send_signal(signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                kills += 1
            else:
                # The machine has become faster since the time was taken.
                seconds *= 0.7
            check_after_kill(isoform, folder, target)
            if target.exists():
                break
        if not target.exists():
            isoform("convert", tall, target, *options).expect(0)
            assert harness.listing(folder) == ["out.parquet", "out.parquet" + harness.ENDING]
        assert harness.sha256(target) == digest, f"turn {turn}"
        isoform("verify", target).expect(0)
        if kills >= INSTANTS:
            return
    pytest.fail(f"{kills} kills hit a run, of {INSTANTS} that are needed")


def test_killed_at_random_instants_while_it_replaces(isoform, tall, sales, whole, tmp_path):
    """Whenever that was, the next run finds a target and its certificate, also where it fails."""
    digest, seconds = whole
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    target, broken, kills = tmp_path / "out.parquet", tmp_path / "broken.csv", 0
    broken.write_text('a,b\n1,"2\n')
    isoform("convert", sales, target).expect(0)
    before = harness.sha256(target)
    for turn in range(INSTANTS * 5):
        process = isoform.start("convert", tall, target, "--force")
        # Most of them come where certificate and target get their names.
        time.sleep(seconds * draw.choice([draw.random(), 0.9 + draw.random() / 5]))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        isoform("convert", broken, target, "--force").expect(9)
        assert harness.sha256(target) in (before, digest), f"turn {turn}"
        isoform("verify", target).expect(0)
        # A certificate that no target needs any more is replaced by the next.
        left = [name for name in harness.listing(tmp_path) if not name.endswith(".isoform-new")]
        assert left == ["broken.csv", "out.parquet", "out.parquet" + harness.ENDING, "sales.csv"], f"turn {turn}"
        if kills >= INSTANTS // 2:
            return
    pytest.fail("the kills came too late to mean anything")


def interrupted_once_parts_exist(isoform, source, folder):
    """Kills a conversion when its journal has grown twice; the journal is the smaller hidden file beside the target."""
    target = folder / "out.parquet"
    seen = set()

    def grown():
        sizes = [p.stat().st_size for p in folder.glob(".*") if "journal" in p.name]
        seen.update(s for s in sizes if s)
        return len(seen) >= 3

    def again():
        harness.remove(target)
        seen.clear()

    options = ["--resume", "--row-group-rows", "65536", "--threads", "1"]
    harness.killed_when(grown, lambda: isoform.start("convert", source, target, *options), again)
    assert not target.exists()
    return target


def test_resume_reuses_finished_parts_and_says_how_many(isoform, tall, tmp_path):
    target = interrupted_once_parts_exist(isoform, tall, tmp_path)
    done = isoform("convert", tall, target, "--resume", "--row-group-rows", "65536", "--json").expect(0)
    parts = done.json()["parts"]
    assert parts["total"] == 4 and 1 <= parts["reused"] <= 4


def test_resume_goes_on_from_what_a_copy_made_of_links_has_too(isoform, tall, tmp_path):
    folder, copy = tmp_path / "out", tmp_path / "copy"
    folder.mkdir()
    copy.mkdir()
    target = interrupted_once_parts_exist(isoform, tall, folder)
    for left in folder.iterdir():
        (copy / left.name).hardlink_to(left)
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    done = isoform("convert", tall, target, "--resume", "--row-group-rows", "65536", "--threads", "1", "--json")
    parts = done.expect(0).json()["parts"]
    assert 1 <= parts["reused"] <= parts["total"] and not any("--resume" in note for note in done.json()["notes"])
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert harness.listing(folder) == ["out.parquet", "out.parquet" + harness.ENDING]


def test_a_failed_resume_loses_no_finished_part(isoform, tall, tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes(open(tall, "rb").read())
    folder = tmp_path / "out"
    folder.mkdir()
    target = interrupted_once_parts_exist(isoform, source, folder)
    before = {p.name: p.stat().st_size for p in folder.iterdir()}
    away = source.rename(tmp_path / "away.csv")
    isoform("convert", source, target, "--resume", "--row-group-rows", "65536").expect(1)
    away.rename(source)
    assert {p.name: p.stat().st_size for p in folder.iterdir()} == before
    isoform("convert", source, target, "--resume", "--row-group-rows", "65536").expect(0)


def test_parts_of_another_source_are_not_gone_on_from(isoform, tall, tmp_path):
    """Not even where their journal begins with the line of this source, and says of each the bytes that it has."""
    options = ["--row-group-rows", "65536"]
    journals, temporaries = [], []
    for name, word in (("one", b"word 1\n"), ("two", b"word X\n")):
        (tmp_path / name / "out").mkdir(parents=True)
        source = tmp_path / name / "in.csv"
        source.write_bytes(tall.read_bytes().replace(b"word 1\n", word, 1))
        target = interrupted_once_parts_exist(isoform, source, tmp_path / name / "out")
        journals.append(target.with_name(".out.parquet.isoform-journal"))
        temporaries.append(target.with_name(".out.parquet.isoform-part"))
    (line, _), (_, parts) = [journal.read_bytes().split(b"\n", 1) for journal in journals]
    journals[0].write_bytes(line + b"\n" + parts)
    temporaries[0].write_bytes(temporaries[1].read_bytes())
    source, target = tmp_path / "one" / "in.csv", tmp_path / "one" / "out" / "out.parquet"
    done = isoform("convert", source, target, "--resume", *options).expect(2)
    assert "another source" in done.err and "without --resume" in done.err and not target.exists()
    isoform("convert", source, target, *options).expect(0)
    isoform("verify", target, "--source", source).expect(0)


def test_resume_refuses_a_changed_source(isoform, tall, tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes(open(tall, "rb").read())
    folder = tmp_path / "out"
    folder.mkdir()
    target = interrupted_once_parts_exist(isoform, source, folder)
    data = source.read_bytes()
    source.write_bytes(data.replace(b"word 1\n", b"word X\n", 1))
    done = isoform("convert", source, target, "--resume", "--row-group-rows", "65536")
    if done.code == 0:
        # Starting anew is as good as refusing, as long as the changed word is there.
        fresh = folder / "fresh.parquet"
        isoform("convert", source, fresh, "--row-group-rows", "65536").expect(0)
        assert harness.sha256(fresh) == harness.sha256(target)
    else:
        assert done.code in (1, 2, 5, 9) and "resume" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_half_written(isoform, tall, whole, tmp_path, number):
    target = tmp_path / "out.parquet"
    process = isoform.start("convert", tall, target)
    time.sleep(whole[1] / 3)
    process.send_signal(number)
    code = process.wait(timeout=20)
    if code == 0:
        isoform("verify", target).expect(0)
    else:
        assert code == 130 or code == -number
        assert not target.exists()
        assert all(name.startswith(".") for name in harness.listing(tmp_path))
        assert code != 130 or harness.listing(tmp_path) == [], "without --resume nothing is kept"


def test_a_closed_terminal_is_no_end_for_what_should_outlive_it(isoform, tall, tmp_path):
    target = tmp_path / "out.parquet"
    process = subprocess.Popen(["nohup", *isoform.command("convert", tall, target)], env=isoform.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert harness.until(lambda: harness.opened(process, tall), process)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 0
    isoform("verify", target).expect(0)


def test_a_resume_that_finds_nothing_says_so(isoform, sales, tmp_path):
    for target in ("out.parquet", "out.csv.zst"):
        done = isoform("convert", sales, tmp_path / target, "--resume", "--json").expect(0).json()
        assert any("--resume" in note and "nothing to go on" in note for note in done["notes"])
        assert done["parts"]["reused"] == 0


def test_a_resume_that_fails_at_once_leaves_nothing(isoform, tmp_path):
    (tmp_path / "bad.csv").write_text('a,b\n1,"2\n')
    isoform("convert", tmp_path / "bad.csv", tmp_path / "out.csv", "--resume").expect(9)
    assert harness.listing(tmp_path) == ["bad.csv"]


def test_a_journal_without_lines_takes_no_memory(isoform, sales, tmp_path):
    """A file without bytes on the disk, in which no line ends."""
    journal = tmp_path / ".out.csv.isoform-journal"
    with open(journal, "wb") as file:
        file.truncate(900 << 20)
    code, memory, told = harness.measured(isoform, "convert", sales, tmp_path / "out.csv", "--resume", "--memory",
                                          "128MiB")
    assert code == 0 and memory < 256 << 20, (memory, told)
    assert not journal.exists()


def test_a_source_that_changes_while_it_is_read(isoform, tall, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    before = tall.read_bytes()
    refused = 0
    for _ in range(20):
        source.write_bytes(before)
        process = isoform.start("convert", source, target)
        harness.until(lambda: harness.opened(process, source), process)
        process.send_signal(signal.SIGSTOP)
        with open(source, "r+b") as file:
            file.seek(-9, os.SEEK_END)
            file.write(b"changed 1")
        process.send_signal(signal.SIGCONT)
        code = process.wait(timeout=60)
        if code == 0:
            # All was read before the change, or all after it.
            if isoform("verify", target).code != 0:
                source.write_bytes(before)
                isoform("verify", target).expect(0)
            harness.remove(target)
        else:
            assert code in (5, 9) and not target.exists()
            refused += 1
        if refused == 3:
            return
    pytest.fail("no change came while the source was read")
