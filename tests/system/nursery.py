"""Servers by fork(2): a process that has imported the server already becomes one, for a fifth of the time.

It runs ``mailsuite --config FILE serve`` from main() on, with the environment, the folder and the log of
whoever asks. To start the program itself is for tests of that: those of the demo, of packages, of pages, and
those whose server has a command, a user or an environment of its own, or is told to be fresh.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_REQUEST_OCTETS = 131_072
PATIENCE = 60.0
"""Seconds for the imports on a busy machine."""

in_use = False
"""Whether servers are made so: where tests run, and not where a benchmark does."""


class Sibling:
    """A process of the nursery, to be used as a subprocess.Popen."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("mailsuite serve", timeout or 0)
            # Nothing where the nursery itself is gone.
            self.returncode = int(os.read(self._status, 16) or -signal.SIGKILL)
            os.close(self._status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks; one for each process of tests."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.nursery", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(
        self, config: Path, arguments: Sequence[str], log: int, ready: int, environment: Mapping[str, str]
    ) -> Sibling:
        """``mailsuite --config CONFIG serve --ready-fd READY ARGUMENTS``, with its output to *log*."""
        asked = {
            "arguments": ["mailsuite", "--config", str(config), "serve", "--ready-fd"],
            "more": [*arguments],
            "environment": dict(environment),
            "folder": os.getcwd(),
        }
        reading, writing = os.pipe()
        socket.send_fds(self._channel, [json.dumps(asked).encode()], [log, ready, writing])
        os.close(writing)
        return Sibling(int(self._channel.recv(16)), reading)

    def close(self) -> None:
        """The servers that are left, if any, go on."""
        self._channel.close()
        self._process.wait(PATIENCE)


@cache
def nursery() -> Nursery:
    made = Nursery()
    atexit.register(made.close)
    return made


# In the process that forks


def tend(channel: socket.socket) -> None:
    """Make servers, and tell of their ends, until nobody asks any more. Returns in each server, to be run."""
    watched = selectors.DefaultSelector()
    watched.register(channel, selectors.EVENT_READ)
    while True:
        for key, _ in watched.select():
            if key.fileobj is not channel:
                watched.unregister(key.fileobj)
                _bury(key.fd, *key.data)
                continue
            request, files, _, _ = socket.recv_fds(channel, MAX_REQUEST_OCTETS, 3)
            if not request:
                os._exit(0)
            log, ready, status = files
            pid = os.fork()
            if pid == 0:
                # Not left to the collector, which would close what has got the same number by then.
                watched.close()
                channel.close()
                _become(json.loads(request), log, ready)
                return
            os.close(log)
            os.close(ready)
            watched.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, status))
            channel.send(str(pid).encode())


def _bury(pidfd: int, pid: int, status: int) -> None:
    _, ended = os.waitpid(pid, 0)
    os.close(pidfd)
    with contextlib.suppress(BrokenPipeError):
        os.write(status, str(os.waitstatus_to_exitcode(ended)).encode())
    os.close(status)


def _become(asked: dict[str, object], log: int, ready: int) -> None:
    """What exec(3) would have done."""
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, ready)
    os.closerange(ready + 1, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    os.chdir(asked["folder"])
    sys.argv = [*asked["arguments"], str(ready), *asked["more"]]


if __name__ == "__main__":
    import mailsuite.config.problems
    import mailsuite.suite  # noqa: F401 - what serve imports, but for the reactor
    from mailsuite.cli.main import main

    assert threading.active_count() == 1, "a thread does not outlive fork(2)"
    assert "twisted.internet.reactor" not in sys.modules, "a reactor has descriptors of its own"
    gc.freeze()  # all this is nothing for the collectors of the servers
    tend(socket.socket(fileno=int(sys.argv[1])))
    main()
