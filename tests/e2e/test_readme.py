"""The README is true: its commands are run, in order, as they are printed."""

import os
import re
import shutil
import subprocess

import harness

README = (harness.ROOT / "README.md").read_text()

# What a person has after building: the program on the path, and a cargo that has nothing left to build.
CARGO = """#!/usr/bin/env bash
while [[ $1 != -- ]]; do shift; done
shift
exec isoform "$@"
"""


def test_every_command_works(isoform, tmp_path):
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    tools, folder = tmp_path / "bin", tmp_path / "checkout"
    tools.mkdir()
    os.symlink(harness.binary(), tools / "isoform")
    (tools / "cargo").write_text(CARGO)
    (tools / "cargo").chmod(0o755)
    shutil.copytree(harness.ROOT / "testdata", folder / "testdata")
    shutil.copy(harness.ROOT / "setup", folder)
    environment = isoform.environment | {"PATH": f"{tools}:{os.environ['PATH']}"}
    script = "set -euo pipefail\n" + "\n".join(blocks)
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "EXACT" in done.stdout
    assert "Signature Verified Successfully" in done.stdout and "sales.parquet: OK" in done.stdout


def test_the_exit_codes_are_those_of_the_program(isoform):
    listed = set(re.findall(r"^\| (\d+) \|", README, re.MULTILINE))
    told = isoform("--help").expect(0).out
    codes = set(re.findall(r"\b(\d+)\s+[a-z]", told[told.index("Exit codes") :]))
    assert listed == codes


def test_every_option_in_the_documents_exists(isoform):
    known = "".join(
        isoform(*command, "--help").expect(0).out
        for command in ([], ["convert"], ["verify"], ["compare"], ["inspect"], ["plan"], ["formats"], ["key", "show"], ["man"])
    )
    for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md"):
        for span in set(re.findall(r"`([^`\n]+)`", (harness.ROOT / name).read_text())):
            told = bench_help(span.split()[0]) if span.startswith("bench/") else known
            for option in set(re.findall(r"--[a-z][a-z-]+", span)) - {"--locked", "--path"}:
                assert option in told, f"{name}: {option}"


def bench_help(program):
    """What a benchmark says of its own options; it needs nothing installed to say it."""
    done = subprocess.run([harness.ROOT / program, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
