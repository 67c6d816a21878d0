"""Packages of another release of Debian than the one that runs, without a word of it to the system's apt."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SOURCE = "deb [signed-by={keyring}] http://deb.debian.org/debian {release} main\n"


def options_for(release: str, folder: Path) -> Sequence[str]:
    """What makes apt-get fetch from there; its lists are below *folder*, fetched the first time. Skips the
    test where they cannot be had."""
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    source = folder / "sources.list"
    options = []
    for name, value in (
        ("APT::Sandbox::User", "root"),
        ("Dir::Etc::SourceList", source),
        ("Dir::Etc::SourceParts", folder / "parts"),
        ("Dir::State::Lists", folder / "lists"),
        ("Dir::Cache", folder / "cache"),
    ):
        options += ["-o", f"{name}={value}"]
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not source.exists():
            source.write_text(_SOURCE.format(keyring=KEYRING, release=release))
            done = subprocess.run(
                ["apt-get", *options, "update", "--error-on=any"], capture_output=True, text=True, check=False
            )
            if done.returncode:
                source.unlink()
                pytest.skip(f"apt-get update fails for {release}: {done.stderr.strip()[-200:]}")
    return options
