"""One message's journey through a real server, with a record of the modules that carried it."""

from __future__ import annotations

import contextlib
import json
import os
import poplib
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from tests.system.harness import LIMITS, PATIENCE, Server, password_of

FOLLOWED = Path(__file__).parent / "followed.py"
JOE, ANN = "joe@example.test", "ann@example.test"
HALF = (
    b"Subject: a long way\r\n\r\n" + b"It is large enough to be written to tmp while it comes in.\r\n" * 6000
)
"""Half of the message; both are above the 256 KiB beyond which a delivery is spooled."""


@attrs.frozen
class Used:
    """The modules that took part, as paths in the repository."""

    main: list[str]
    """Those that the main thread called, in the order of their first calls."""
    others: list[str]
    """Those that other threads called."""

    @property
    def all(self) -> set[str]:
        return {*self.main, *self.others}


@attrs.frozen
class Journey:
    """What took part in which part of it."""

    start: Used
    reception: Used
    listener: Used
    retrieval: Used


def until(true: Callable[[], bool]) -> None:
    """Wait for what the server does in its own time."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def path_of(module: str) -> str:
    """``mailsuite.bus.local`` -> ``mailsuite/bus/local.py``."""
    path = Path(*module.split("."))
    return str(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))


@attrs.define
class Record:
    """What a followed process has written."""

    file: Path
    _read: int = 0

    def cut(self, process: subprocess.Popen[bytes]) -> Used:
        """What was used since the last cut."""
        process.send_signal(signal.SIGUSR1)
        lines: list[str] = []

        def written() -> bool:
            lines[:] = self.file.read_text().splitlines(keepends=True) if self.file.exists() else []
            return len(lines) > self._read and lines[self._read].endswith("\n")

        until(written)
        used = json.loads(lines[self._read])
        self._read += 1
        return Used(*([path_of(module) for module in used[thread]] for thread in ("main", "others")))


def travel(directory: Path) -> Journey:
    """Start everything, submit one message to two accounts, hear the knock, fetch the message."""
    with contextlib.ExitStack() as stack:
        listener, record, port = _listen(directory, stack)
        extra = f'\n[notify]\nallow_networks = ["127.0.0.0/8"]\n[notify.notifymail]\nports = [{port}]\n'
        extra += '[log]\nlevel = "debug"\n'  # it tells of each knock when that is over
        server = Server(directory / "server", extra=LIMITS + extra, accounts=())
        server.directory.mkdir()
        stack.callback(server.close)
        _make_accounts(server, port)
        server.command = (sys.executable, str(FOLLOWED), str(directory / "server.jsonl"))
        before = server.logged().count(" queue.swept ")  # by an earlier run
        server.start()
        until(lambda: server.logged().count(" queue.swept ") > before)  # beside the first sessions
        process = server.process
        assert process is not None
        recorded = Record(directory / "server.jsonl")
        start = recorded.cut(process)
        record.cut(listener)
        _submit(server)
        assert listener.stdout is not None
        assert b"knock" in listener.stdout.readline()
        until(lambda: all(f" {event} " in server.logged() for event in ("smtp.accepted", "notify.knocked")))
        reception, heard = recorded.cut(process), record.cut(listener)
        _fetch(server)
        return Journey(start, reception, heard, recorded.cut(process))


def _listen(directory: Path, stack: contextlib.ExitStack) -> tuple[subprocess.Popen[bytes], Record, int]:
    """Start the receiving program on a port that is free."""
    record = directory / "listener.jsonl"
    command = [sys.executable, str(FOLLOWED), str(record), "notify", "listen", "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, env=environment))
    stack.callback(process.terminate)
    assert process.stdout is not None
    return process, Record(record), int(process.stdout.readline().rpartition(b":")[2])


def _make_accounts(server: Server, port: int) -> None:
    """In a run of its own, so that the journey meets a server whose caches are empty."""
    notifymail = {"state": "static", "address": "127.0.0.1", "port": port}
    server.start()
    for address in (JOE, ANN):
        wanted = {"address": address, "name": "", "password": password_of(address), "notifymail": notifymail}
        server.control.post("/v1/accounts", wanted)
    server.stop()


def _submit(server: Server) -> None:
    port = server.ports["submission"]
    with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=PATIENCE) as client:
        client.starttls(context=server.tls())
        client.login(JOE, password_of(JOE))
        client.mail(JOE)
        for recipient in (JOE, ANN):
            assert client.rcpt(recipient)[0] == 250
        assert client.docmd("DATA")[0] == 354
        client.send(HALF)
        until(lambda: all(any((server.maildir(who) / "tmp").glob("*")) for who in (JOE, ANN)))
        client.send(HALF + b".\r\n")
        assert client.getreply()[0] == 250


def _fetch(server: Server) -> None:
    client = poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=PATIENCE)
    client.stls(context=server.tls())
    client.user(JOE)
    client.pass_(password_of(JOE))
    client.stat()
    client.list()
    client.uidl()
    client.top(1, 3)
    assert len(client.retr(1)[1]) > 12_000
    client.dele(1)
    client.quit()
    until(lambda: not any((server.maildir(JOE) / "new").iterdir()))
