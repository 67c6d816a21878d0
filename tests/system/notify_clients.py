"""``mailsuite-notify`` as a program, in a home of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.system.harness import PATIENCE

PROGRAM = (sys.executable, "-c", "from mailsuite.cli.client import main; main()")

HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="knock.socket")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""As a socket unit of systemd does it: descriptor 3, announced in the environment."""


@attrs.define
class Running:
    """The program while it runs; its lines of JSON as they come."""

    process: subprocess.Popen[str]
    heard: list[dict[str, Any]] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)
    _news: threading.Condition = attrs.field(factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.heard.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def read_complaints(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.complaints.append(line.rstrip("\n"))
                self._news.notify_all()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((each for each in self.heard if wanted(each)), None)

        with self._news:
            assert self._news.wait_for(found, PATIENCE), (self.heard, self.complaints)
            return found() or {}

    def wait_for_event(self, name: str, number: int = 1) -> dict[str, Any]:
        """The *number*th event of this name."""

        def is_it(_: dict[str, Any]) -> bool:
            return len(self.events(name)) >= number

        self.wait_for(is_it)
        return self.events(name)[number - 1]

    def wait_for_complaint(self, words: str) -> str:
        def found() -> str | None:
            return next((each for each in self.complaints if words in each), None)

        with self._news:
            assert self._news.wait_for(found, PATIENCE), (self.heard, self.complaints)
            return found() or ""

    def events(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.heard if each["event"] == name]


@attrs.frozen
class Home:
    """A user's home, and the program in it."""

    directory: Path
    more: dict[str, str] = attrs.field(factory=dict)
    """Of the environment."""

    @property
    def config(self) -> Path:
        return self.directory / ".config" / "mailsuite-notify"

    @property
    def command(self) -> tuple[str, ...]:
        return PROGRAM

    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XDG_", "MAILSUITE_", "DBUS_", "DISPLAY"))
        }
        ours = {
            "HOME": str(self.directory),
            "PYTHONUNBUFFERED": "1",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        return kept | ours | self.more

    def prefer(self, text: str = 'popup = "off"\n') -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        (self.config / "config.toml").write_text(text)

    def do(self, *arguments: str, status: int = 0, stdin: str = "") -> str:
        """Run to the end; all it says, stderr after stdout."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment(),
            timeout=PATIENCE,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == status, said
        assert "Traceback" not in said, said
        return said

    @contextmanager
    def running(self, handed: socket.socket | None = None, *arguments: str) -> Iterator[Running]:
        """``run --json``, with *handed* as systemd hands it over."""
        command = [*PROGRAM, "run", "--json", *arguments]
        fds = []
        if handed is not None:
            fds = [handed.fileno()]
            command = [sys.executable, "-c", HAND_OVER, str(handed.fileno()), *command]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
            pass_fds=fds,
        ) as process:
            running = Running(process)
            readers = [
                threading.Thread(target=each, daemon=True) for each in (running.read, running.read_complaints)
            ]
            for reader in readers:
                reader.start()
            try:
                yield running
            finally:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                finally:
                    process.kill()
                for reader in readers:
                    reader.join(PATIENCE)
            assert not any("Traceback" in each for each in running.complaints), running.complaints
