"""What a person and a script see while the program works: progress, more words, colours, pages, settings."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest
from PIL import Image

import harness


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Half a million rows: long enough to be seen at work."""
    path = tmp_path_factory.mktemp("large") / "large.csv"
    with open(path, "w") as file:
        file.write("id,number,word\n")
        file.writelines(f"{i},{i * 7919 % 1000003},word {i % 997}\n" for i in range(500_000))
    return path


def on_terminal(isoform, *args, width=100, env=None, stdout=subprocess.DEVNULL):
    """Runs with stderr on a terminal of its own; gives the exit code and what was shown there."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = isoform.environment | {"TERM": "xterm-256color"} | (env or {})
    process = subprocess.Popen(isoform.command(*args), env=environment, stdin=subprocess.DEVNULL,
                               stdout=stdout if stdout is not None else terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        if select.select([main], [], [], 60)[0]:
            try:
                more = os.read(main, 65536)
            except OSError:
                break
            if not more:
                break
            shown += more
    os.close(main)
    return process.wait(60), shown.decode(errors="replace")


def test_one_bar_that_only_grows(isoform, large, tmp_path):
    # Large enough that converting takes longer than the time between two looks, on any machine.
    header, rows = large.read_bytes().split(b"\n", 1)
    larger = tmp_path / "larger.csv"
    larger.write_bytes(header + b"\n" + rows * 20)
    code, shown = on_terminal(isoform, "convert", larger, tmp_path / "out.parquet")
    assert code == 0
    percents = [int(p) for p in re.findall(r"(\d+) % ", shown)]
    assert len(percents) >= 3 and percents == sorted(percents), percents
    # A bar is drawn some twenty times a second at most, so short stages may pass unseen; --progress json tells all.
    assert "converting" in shown
    # The length is that of three passes over the source, and known from the start.
    totals = set(re.findall(r" of ([\d.]+ [kMG]?B)", shown))
    assert len(totals) == 1, totals
    assert re.search(r"[\d.]+ MB/s, (\d+ s|\d+:\d\d min) left", shown), shown[-2000:]
    assert shown.rstrip("\r\n").endswith(("\x1b[2K", "\r")) or "\x1b[2K" in shown[-40:], "the bar is removed"


@pytest.mark.parametrize("options", [["--quiet"], ["--json"], ["--progress", "never"]])
def test_no_bar_where_none_is_wanted(isoform, large, tmp_path, options):
    code, shown = on_terminal(isoform, "convert", large, tmp_path / "out.parquet", *options)
    assert code == 0 and shown == ""


def test_no_bar_without_a_terminal_unless_asked_for(isoform, large, tmp_path):
    assert isoform("convert", large, tmp_path / "a.parquet").expect(0).err == ""
    told = isoform("convert", large, tmp_path / "b.parquet", "--progress", "always").expect(0).err
    assert re.search(r"^converting \d+ %, [\d.]+ MB of [\d.]+ MB", told, re.MULTILINE), told
    assert "\x1b" not in told and "\r" not in told


def progress_lines(text):
    documents = [json.loads(line) for line in text.splitlines()]
    assert all(d["schema"] == "isoform.progress/v1" for d in documents)
    assert all(set(d) == {"schema", "stage", "bytes", "bytesPerSecond", "secondsElapsed", "secondsLeft"}
               for d in documents)
    done = [d["bytes"]["done"] for d in documents]
    assert done == sorted(done)
    return documents


def test_progress_for_machines(isoform, large, tmp_path):
    done = isoform("convert", large, tmp_path / "out.parquet", "--progress", "json", "--json").expect(0)
    assert done.json()["verdict"] == "EXACT"
    documents = progress_lines(done.err)
    size = large.stat().st_size
    assert {d["bytes"]["total"] for d in documents} == {3 * size}
    assert documents[0]["bytes"]["done"] == 0 and documents[-1]["bytes"]["done"] == 3 * size
    stages = [d["stage"] for d in documents]
    assert list(dict.fromkeys(stages)) == ["reading", "converting", "verifying"]


def test_progress_over_a_batch_is_one(isoform, large, sales, tmp_path):
    command = ("convert", sales, large, "--out-dir", tmp_path / "out", "--to", "parquet", "--progress", "json")
    documents = progress_lines(isoform(*command).expect(0).err)
    total = 3 * (large.stat().st_size + os.path.getsize(sales))
    assert {d["bytes"]["total"] for d in documents} == {total}
    assert documents[-1]["bytes"]["done"] == total
    # What is skipped is no work.
    skipped = progress_lines(isoform(*command).expect(0).err)
    assert skipped[-1]["bytes"]["done"] == skipped[-1]["bytes"]["total"] < total


def test_progress_when_types_are_widened(isoform, tmp_path):
    source = tmp_path / "in.csv"
    rows = [f"{i},{'none' if i == 250_000 else i}\n" for i in range(400_000)]
    source.write_text("id,mostly\n" + "".join(rows))
    done = isoform("convert", source, tmp_path / "out.parquet", "--progress", "json").expect(0)
    stages = list(dict.fromkeys(d["stage"] for d in progress_lines(done.err)))
    assert stages == ["reading", "converting", "typing", "verifying"]


def test_more_words(isoform, large, tmp_path):
    quiet = isoform("convert", large, tmp_path / "a.parquet").expect(0)
    once = isoform("convert", large, tmp_path / "b.parquet", "-v").expect(0)
    twice = isoform("convert", large, tmp_path / "c.parquet", "-vv", "--json").expect(0)
    assert quiet.err == ""
    assert re.search(r"large\.csv: csv, UTF-8 .*delimiter ',', quote '\"'.*500000 records", once.err), once.err
    assert re.search(r"^converting: [\d.]+ s, [\d.]+ MB of source", once.err, re.MULTILINE)
    assert re.search(r"^\d+ parts of at most \d+ rows, on \d+ threads?", once.err, re.MULTILINE)
    assert not re.search(r"^part ", once.err, re.MULTILINE)
    parts = twice.json()["parts"]["total"]
    assert len(re.findall(r"^part \d+ of \d+: rows", twice.err, re.MULTILINE)) == parts
    assert isoform("convert", large, tmp_path / "d.parquet", "-v", "-q").expect(2).err
    isoform("verify", tmp_path / "a.parquet", "-v").expect(0)


def test_colours_only_where_they_are_wanted(isoform, sales, tmp_path):
    colour = re.compile(r"\x1b\[[\d;]*m")
    coloured = {k: v for k, v in isoform.environment.items() if k != "NO_COLOR"}
    plain = harness.Program(isoform.config)
    for args in (["convert", "--no-such"], ["convert", sales, tmp_path / "o.parquet"], ["convert", "x", "y"]):
        assert not colour.search(on_terminal(plain, *args, "--force" if args[1] == sales else "-q")[1])
    plain.environment = coloured
    assert colour.search(on_terminal(plain, "convert", "--no-such")[1]), "otherwise the test says nothing"


COMMANDS = [
    ["--help"], ["convert", "--help"], ["formats"], ["key", "show"], ["man"], ["completions", "bash"],
    ["inspect", "{sales}"], ["inspect", "{sales}", "--why", "store"], ["inspect", "{certificate}"],
    ["verify", "{target}"], ["verify", "{folder}"], ["compare", "{sales}", "{target}"],
    ["plan", "{sales}", "{folder}/new.parquet"], ["convert", "{sales}", "{folder}/made.parquet"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: " ".join(a[:2]))
def test_a_reader_that_left_is_no_error_and_a_full_disk_is_one(isoform, converted, sales, tmp_path, arguments):
    names = {"sales": sales, "target": converted, "folder": tmp_path,
             "certificate": harness.certificate_of(converted)}
    command = isoform.command(*(a.format(**names) for a in arguments))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, env=isoform.environment, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == 0 and done.stderr == b"", done
    if "--help" in arguments or not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "wb") as full:
        if arguments[0] == "convert":
            command.append("--force")
        done = subprocess.run(command, env=isoform.environment, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"standard output" in done.stderr, done


def test_pages_of_all_commands(isoform, tmp_path):
    isoform("man", "--dir", tmp_path / "man").expect(0)
    pages = {p.name for p in (tmp_path / "man").iterdir()}
    commands = ["convert", "plan", "verify", "compare", "inspect", "formats", "key", "key-show", "completions", "man"]
    assert {"isoform.1", *(f"isoform-{name}.1" for name in commands)} <= pages
    page = (tmp_path / "man" / "isoform-convert.1").read_text().replace("\\-", "-")
    told = isoform("convert", "--help").expect(0).out
    for option in set(re.findall(r"--[a-z][a-z-]+", told)):
        assert option in page, option
    assert isoform("man", "convert").expect(0).out.replace("\\-", "-") == page
    assert "key show" in isoform("man", "key", "show").expect(0).out.replace("\\-", "-").replace("key-show", "key show")
    assert "there is no command" in isoform("man", "convrt").expect(2).err
    for shell in ("bash", "zsh", "fish", "elvish", "powershell"):
        script = isoform("completions", shell).expect(0).out
        assert "--row-group-rows" in script or "row-group-rows" in script


def test_help_is_about_its_command(isoform):
    told = isoform("plan", "--help").expect(0).out
    assert "Usage: isoform plan [OPTIONS]" in told and "isoform convert" not in told and "--plan" not in told
    assert "Usage: isoform convert [OPTIONS]" in (told := isoform("convert", "--help").expect(0).out) and "--plan" in told
    told = isoform("--help").expect(0).out
    assert all(word in told for word in ("images", "sounds", "arrays"))
    told = isoform("formats").expect(0).out
    assert any(line.startswith("opus ") and "with loss" in line for line in told.splitlines())


# Settings: typed, then the environment, then the file of the working directory, then that of the user.

SETTINGS = [
    ("memory", "ISOFORM_MEMORY", ["a", "b", "c", "d"], lambda err: re.search(r'"(\w)" is no size', err)[1]),
    ("compression", "ISOFORM_COMPRESSION", ["a", "b", "c", "d"], lambda err: re.search(r'has no "(\w)"', err)[1]),
    ("types", "ISOFORM_TYPES", ["a", "b", "c", "d"], lambda err: re.search(r'(?:types|TYPES)[ :"]+([abcd])\b', err)[1]),
    ("threads", "ISOFORM_THREADS", ["w", "x", "y", "z"], lambda err: re.search(r"'(\w)' for '.*(?:threads|THREADS)", err)[1]),
    ("progress", "ISOFORM_PROGRESS", [None, None, "y", "z"], lambda err: re.search(r"'(\w)' for '(?:--progress|ISOFORM_PROGRESS)", err)[1]),
]


@pytest.mark.parametrize("option, variable, values, read", SETTINGS, ids=[s[0] for s in SETTINGS])
def test_typed_then_environment_then_project_then_user(sales, tmp_path, option, variable, values, read):
    """Each value is wrong in its own way, so that the message says which one counted."""
    config, work = tmp_path / "config", tmp_path / "work"
    config.mkdir()
    work.mkdir()
    program = harness.Program(config)
    user, project, environment, typed = values
    target = work / "out.parquet"
    if user:
        (config / "config.toml").write_text(f'{option} = "{user}"\n')
        assert read(program("convert", sales, target, cwd=work).expect(2).err) == user
        (work / "isoform.toml").write_text(f'[convert]\n{option} = "{project}"\n')
        assert read(program("convert", sales, target, cwd=work).expect(2).err) == project
    env = {variable: environment}
    assert read(program("convert", sales, target, cwd=work, env=env).expect(2).err) == environment
    done = program("convert", sales, target, f"--{option}", typed, cwd=work, env=env).expect(2)
    assert read(done.err) == typed


def test_a_flag_of_a_file_or_the_environment_can_be_turned_off(sales, tmp_path):
    config, work = tmp_path / "config", tmp_path / "work"
    config.mkdir()
    work.mkdir()
    program = harness.Program(config)
    (work / "isoform.toml").write_text("json = true\n")
    assert program("formats", cwd=work).expect(0).json()["schema"] == "isoform.formats/v1"
    assert not program("formats", "--json=false", cwd=work).expect(0).out.startswith("{")
    assert not program("formats", cwd=work, env={"ISOFORM_JSON": "0"}).expect(0).out.startswith("{")
    assert program("formats", env={"ISOFORM_JSON": "1"}).expect(0).json()


def test_a_default_format_is_for_names_that_tell_none(isoform, sales, tmp_path):
    (tmp_path / "isoform.toml").write_text('to = "csv"\n')
    magic = lambda name: (tmp_path / name).read_bytes()[:4]
    isoform("convert", sales, "out.parquet", cwd=tmp_path).expect(0)
    assert magic("out.parquet") == b"PAR1"
    plan = isoform("plan", sales, "new.arrow", "--json", cwd=tmp_path).expect(0).json()
    assert "arrow" in plan["target"]["mediaType"]
    isoform("convert", sales, "out.csv.gz", cwd=tmp_path).expect(0)
    isoform("convert", "out.csv.gz", "out.bytes.zst", cwd=tmp_path).expect(0)
    assert magic("out.csv.gz")[:2] == b"\x1f\x8b" and magic("out.bytes.zst") == b"\x28\xb5\x2f\xfd"
    isoform("convert", sales, "out", cwd=tmp_path).expect(0)
    isoform("convert", sales, "typed.parquet", "--to", "csv", cwd=tmp_path).expect(0)
    assert magic("out") == magic("typed.parquet") == sales.read_bytes()[:4]
    isoform("convert", sales, "--out-dir", "many", cwd=tmp_path).expect(0)
    assert magic("many/sales.csv") == sales.read_bytes()[:4]


@pytest.mark.parametrize("text, line, word", [
    ("threads = 1\nthread = 2\n", 2, '"thread"'),
    ("[convert]\n\ncompresion = 'zstd'\n", 3, '"compresion"'),
    ("force = true\n", 1, "command line"),
    ("threads = \n", 1, ""),
    ("\nprogress = 'sometimes'\n", 2, "sometimes"),
    ("strict = 'yes'\n", 1, "true or false"),
    ("memory = '5 apples'\n", 1, "memory: \"5 apples\" is no size"),
    ("threads = 0\n\n[convert]\ncompression = 'nope'\n", 1, "threads: at least one"),
    ("threads = 'x'\n", 1, "invalid digit"),
    ("\n[convert]\ncompression = 'nope'\n", 3, "compression: parquet has no"),
    ("[convert]\ndelimiter = ';;'\n", 2, "delimiter: \";;\""),
    ("[convert]\ntype = ['store=nope']\n", 2, "type store=nope: there is no type"),
    ("threads = 1\n[verify]\nthreads = 0\n[convert]\nthreads = 0\n", 5, "threads: at least one"),
])
def test_a_wrong_setting_is_named_with_file_and_line(isoform, sales, tmp_path, text, line, word):
    (tmp_path / "isoform.toml").write_text(text)
    done = isoform("convert", sales, "out.parquet", cwd=tmp_path).expect(2)
    assert f"isoform.toml, line {line}: " in done.err and word in done.err, done.err
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("text, to", [
    ("compression = 'nope'\n", "parquet"), ("type = ['store=nope']\n", "parquet"), ("delimiter = ';;'\n", "parquet"),
    ("null = 'a,b'\n", "csv.gz"), ("effort = '99'\nwithin = 'psnr=30'\n", "jpg")])
def test_a_wrong_setting_is_named_with_file_and_line_for_each_of_many(isoform, sales, tmp_path, text, to):
    (tmp_path / "isoform.toml").write_text("threads = 2\n" + text)
    source = sales
    if to == "jpg":
        source = tmp_path / "a.png"
        Image.new("RGB", (20, 20), (9, 8, 7)).save(source)
    option = text.split(" ")[0]
    for words in [("convert", "--out-dir", "out"), ("plan", "--out-dir", "out"), ("convert", f"x.{to}")]:
        done = isoform(words[0], source, *words[1:], "--to", to, cwd=tmp_path)
        told = done.err + done.out
        assert done.code in (2, 3) and f"isoform.toml, line 2: {option}" in told and "--" + option not in told, done


@pytest.mark.parametrize("stage", ["reading", "converting", "verifying"])
@pytest.mark.parametrize("name", ["out.parquet", "out.csv.gz"])
def test_a_signal_in_each_stage(isoform, large, tmp_path, stage, name):
    """Control-C while the stage is on: 130, soon, and nothing is left."""
    target = tmp_path / name
    for _ in range(20):
        process = subprocess.Popen(isoform.command("convert", large, target, "--progress", "json"),
                                   env=isoform.environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        for line in process.stderr:
            if json.loads(line)["stage"] == stage:
                break
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        rest = process.stderr.read().decode()
        code = process.wait(30)
        if code == 130:
            assert "interrupted" in rest and time.monotonic() - began < 10
            assert harness.listing(tmp_path) == []
            return
        assert code == 0
        for path in (target, harness.certificate_of(target)):
            path.unlink()
    pytest.fail(f"twenty conversions ended before they could be interrupted while {stage}")


def interrupted(isoform, *args, again=lambda: None):
    """What is said last of an interruption, once the command has begun to work. A run that ended before is started
    again after `again` has removed what it made."""
    for _ in range(20):
        process = subprocess.Popen(isoform.command(*args, "--progress", "json"), env=isoform.environment,
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        told = process.stderr.read().decode().splitlines()
        if process.wait(30) == 130:
            return told[-1]
        again()
    pytest.fail("twenty runs ended before they could be interrupted")


@pytest.mark.parametrize("command", ["compare", "inspect", "plan"])
def test_a_command_that_writes_nothing_speaks_of_no_target(isoform, large, tmp_path, command):
    paths = {"compare": [large, large], "inspect": [large], "plan": [large, tmp_path / "out.parquet"]}[command]
    assert interrupted(isoform, command, *paths) == "isoform: interrupted"


@pytest.mark.parametrize("out", ["new/a", "there", "there/b"])
def test_directories_that_an_interrupted_run_made_do_not_stay(isoform, large, tmp_path, out):
    def again():
        shutil.rmtree(tmp_path)
        (tmp_path / "there").mkdir(parents=True)

    again()
    told = interrupted(isoform, "convert", large, "--out-dir", tmp_path / out, "--to", "parquet", again=again)
    assert "finished before are kept" in told and "--resume" not in told
    assert harness.listing(tmp_path) == ["there"]


def test_a_directory_that_is_only_led_over_is_not_made(isoform, sales, tmp_path):
    (tmp_path / "there").mkdir()
    for out, made in [("new/../x", "x"), ("there/../y", "y"), ("there/new/../../z", "z")]:
        done = isoform("convert", sales, "--out-dir", out, "--to", "parquet", "--json", cwd=tmp_path).expect(0).json()
        target = tmp_path / done["sources"][0]["target"]
        assert target.is_file() and (tmp_path / made / "sales.parquet").is_file()
        assert not (tmp_path / "new").exists() and list((tmp_path / "there").iterdir()) == []


def test_nothing_stays_of_an_album_that_was_interrupted(isoform, tmp_path):
    (tmp_path / "album").mkdir()
    for name in ("a.png", "b.png", "c.png", "d.png"):
        Image.effect_noise((900, 700), 60).convert("RGB").save(tmp_path / "album" / name)
    out = tmp_path / "out"
    bounds = ["--within", "psnr=36", "--part-floor", "psnr=32", "--drop", "metadata"]
    told = interrupted(isoform, "convert", tmp_path / "album", "--out-dir", out, "--to", "webp", *bounds,
                       again=lambda: (shutil.rmtree(out), harness.certificate_of(out).unlink()))
    assert "nothing was written" in told and "kept" not in told and "--resume" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["album"]


def test_an_album_stays_whole_where_a_second_one_is_interrupted(isoform, tmp_path):
    (tmp_path / "album").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.effect_noise((300, 200), 60).convert("RGB").save(tmp_path / "album" / name)
    out = tmp_path / "out"
    command = ["convert", tmp_path / "album", "--out-dir", out, "--to", "webp", "--part-floor", "psnr=28", "--within"]

    def first():
        shutil.rmtree(out, ignore_errors=True)
        harness.certificate_of(out).unlink(missing_ok=True)
        isoform(*command, "psnr=32").expect(0)

    first()
    interrupted(isoform, *command, "psnr=36", again=first)
    isoform("verify", out).expect(0)
    assert "skipped" in isoform(*command, "psnr=32").expect(0).out


@pytest.mark.parametrize("options", [[], ["--resume"], ["--partition-by", "word"]])
def test_what_to_do_after_an_interruption_is_what_can_be_done(isoform, large, tmp_path, options):
    def again():
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()

    told = interrupted(isoform, "convert", large, tmp_path / "out", "--to", "parquet", *options, again=again)
    assert ("--resume" in told) == (options == ["--resume"]) and "nothing was written" in told


def test_progress_of_a_verification(isoform, large, tmp_path):
    source, target = shutil.copy(large, tmp_path / "in.csv"), tmp_path / "out.parquet"
    isoform("convert", source, target).expect(0)
    os.remove(source)
    for options, total in ([["--source", large], 2 * large.stat().st_size + target.stat().st_size],
                           [[], target.stat().st_size]):
        documents = progress_lines(isoform("verify", target, *options, "--progress", "json").expect(0).err)
        last = documents[-1]["bytes"]
        assert last["done"] == last["total"] == total, (last, total)
        if options:
            assert {d["bytes"]["total"] for d in documents} == {total}


def test_progress_of_a_directory_is_known_at_its_beginning(isoform, tall, tmp_path):
    """The bar does not grow with each target that is found."""
    source, sizes = shutil.copy(tall, tmp_path / "in.csv"), 0
    for name in ("a.parquet", "b.arrow", "c.jsonl"):
        isoform("convert", source, tmp_path / name).expect(0)
        sizes += 2 * source.stat().st_size + (tmp_path / name).stat().st_size
    documents = progress_lines(isoform("verify", tmp_path, "--progress", "json").expect(0).err)
    assert {d["bytes"]["total"] for d in documents} == {sizes}
    assert documents[-1]["bytes"]["done"] == sizes
