"""What the benchmarks share: the program, an environment with the peers, and the cost of one command."""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def target_directory():
    """Where cargo builds, and where benchmarks keep what they make."""
    return Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")).resolve()


def program(given, target):
    """The program that was given, or the one of this checkout, built in release."""
    if given:
        return given.resolve()
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "isoform"], cwd=HERE.parent, check=True)
    return target / "release" / "isoform"


def environment(venv, packages):
    """The interpreter of a virtual environment with these packages, made anew when they change."""
    stamp, python = venv / "stamp", venv / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q", *packages]
        subprocess.run(pip, check=True)
        stamp.write_text(" ".join(packages))
    return python


def run(command, variables):
    """Runs one command; returns processor seconds, wall seconds and the largest process in MB."""
    begun = time.monotonic()
    child = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    ended = time.monotonic()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode}: {' '.join(map(str, command))}")
    return usage.ru_utime + usage.ru_stime, ended - begun, usage.ru_maxrss / 1024
