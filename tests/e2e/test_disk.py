"""A disk that fails: what it did not take is no part of anything that is finished later."""

import gzip
import subprocess

import numpy as np
import pytest

import harness

# Says that the disk fails, where a file is synced by the call that is named in the environment.
FAILING = r"""
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int failing(const char *call, int file)
{
    const char *named = getenv("FAILING");
    struct stat found;
    if (named && !strcmp(named, call) && !fstat(file, &found) && S_ISREG(found.st_mode)) {
        errno = EIO;
        return -1;
    }
    return 0;
}

int fsync(int file) { return failing("fsync", file); }
int fdatasync(int file) { return failing("fdatasync", file); }
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """The environment of a program whose disk fails in this call."""
    folder = tmp_path_factory.mktemp("disk")
    (folder / "failing.c").write_text(FAILING)
    library = folder / "failing.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, folder / "failing.c"], check=True)
    return lambda call: {"LD_PRELOAD": str(library), "FAILING": call}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    text = "id,word\n" + "".join(f"{at},word {at % 9973} of some length\n" for at in range(1_500_000))
    (folder / "a.csv").write_text(text)
    (folder / "a.log.gz").write_bytes(gzip.compress(text.encode(), 1))
    np.save(folder / "a.npy", np.arange(6_000_000, dtype=np.float64))
    return folder


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
@pytest.mark.parametrize("source, name", [
    ("a.csv", "a.jsonl"), ("a.log.gz", "a.log"), ("a.npy", "a.safetensors"),
], ids=lambda name: name)
def test_nothing_goes_on_from_what_the_disk_did_not_take(isoform, disk, sources, tmp_path, source, name, call):
    """The system tells an error of the disk once, and has the pages in memory as if they were on it."""
    command = ("convert", sources / source, tmp_path / name, "--resume")
    failed = isoform(*command, env=disk(call)).expect(1)
    assert "Input/output error" in failed.err, failed.err
    assert harness.listing(tmp_path) == []
    parts = isoform(*command, "--json").expect(0).json()["parts"]
    assert parts["reused"] == 0, parts
    isoform("verify", tmp_path / name).expect(0)
    assert not list(tmp_path.glob(".*"))
