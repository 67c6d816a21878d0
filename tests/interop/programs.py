"""Other people's programs: run with a home of their own, for a bounded time, their words kept."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import attrs
import pytest

PATIENCE = 30.0
"""Seconds that a program may take on a busy machine; it takes a fraction of one."""

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def needs(program: str, package: str = "") -> pytest.MarkDecorator:
    """For a module's ``pytestmark``: skips where *program* is missing, and says what would bring it."""
    return pytest.mark.skipif(
        shutil.which(program, path=SEARCH_PATH) is None,
        reason=f"{program} is missing: install the Debian package {package or program}",
    )


@attrs.frozen
class Done:
    """How a program ended, and all it said."""

    status: int
    out: bytes
    said: str
    """Both of its outputs, as text."""


@attrs.frozen
class Desk:
    """A user's home, and the programs this user runs."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """All that a program inherits: no proxy, no locale, no configuration of ours."""
        return {
            "PATH": SEARCH_PATH,
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            "TMPDIR": str(self.home),
            "USER": "joe",
            "LOGNAME": "joe",
        }

    def file(self, name: str, text: str | bytes) -> Path:
        """Write a file only its owner may read, as mail programs want theirs."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def maildir(self, name: str = "mail") -> Path:
        """An empty maildir."""
        path = self.home / name
        for folder in ("tmp", "new", "cur"):
            (path / folder).mkdir(parents=True)
        return path

    def run(self, *command: str | Path, stdin: bytes = b"", status: int = 0) -> Done:
        """Run a program to its end, which must be *status*."""
        done = subprocess.run(
            [str(word) for word in command],
            input=stdin,
            capture_output=True,
            env=self.environment | {"PWD": str(self.home)},
            cwd=self.home,
            timeout=PATIENCE,
            check=False,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == status, f"{command[0]} ended with {done.returncode}:\n{said}"
        return Done(done.returncode, done.stdout, said)

    def run_in_terminal(self, *command: str | Path, status: int = 0) -> Done:
        """Run a program that wants a terminal to its end, which must be *status*. All it draws is kept."""
        ours, theirs = pty.openpty()
        try:
            with subprocess.Popen(
                [str(word) for word in command],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=self.environment,
                cwd=self.home,
                start_new_session=True,
            ) as process:
                os.close(theirs)
                drawn, ended = _drawn(ours)
                if not ended:
                    process.kill()
                ending = process.wait()
        finally:
            os.close(ours)
        said = drawn.decode("utf-8", "replace")
        assert ending == status, f"{command[0]} ended with {ending}:\n{said}"
        return Done(ending, drawn, said)


def _drawn(terminal: int) -> tuple[bytes, bool]:
    """All that comes until nobody has the terminal open any more; False where that takes too long."""
    drawn = b""
    deadline = time.monotonic() + PATIENCE
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # what Linux says at the end
            part = b""
        if not part:
            return drawn, True
        drawn += part
    return drawn, False


def arrived(maildir: Path) -> list[bytes]:
    """All messages of a maildir, oldest first."""
    files = [file for folder in ("new", "cur") for file in (maildir / folder).iterdir()]
    return [file.read_bytes() for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)]
