"""Packages of Debian as a source of real files: fetched by name, unpacked, and not installed."""

import subprocess


def unpacked(packages, folder):
    """The folder `share` of all these packages together."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not list(folder.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "-q", "download", package], cwd=folder, check=True, capture_output=True)
            subprocess.run(["dpkg", "-x", next(folder.glob(f"{package}_*.deb")), folder / "root"], check=True)
    return folder / "root" / "usr" / "share"


def distinct(paths):
    """The files in this order, each content once."""
    seen = set()
    for path in paths:
        content = path.read_bytes()
        if content not in seen:
            seen.add(content)
            yield path
