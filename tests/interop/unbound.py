"""Debian's unbound on loopback, a resolver with names of the test's own."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import attrs

from tests.interop.programs import PATIENCE, SEARCH_PATH, needs
from tests.ports import free_port

needs_unbound = needs("unbound")
"""For a module's ``pytestmark``."""

_SETTINGS = """
server:
    interface: 127.0.0.1@{port}
    directory: "{base}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    num-threads: 1
    module-config: "iterator"
    local-zone: "test." static
    local-zone: "trouble.test." refuse
"""


@attrs.define
class Unbound:
    """One unbound of ours, as long as it is entered. Of ``test.`` it knows what is told, and of
    ``trouble.test.`` it tells nothing."""

    base: Path
    records: Sequence[str]
    """As in a zone file: ``a.test. MX 10 mx.a.test.``"""
    port: int = attrs.field(factory=free_port)
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    def __enter__(self) -> Unbound:
        file = self.base / "unbound.conf"
        data = "".join(f"    local-data: '{record}'\n" for record in self.records)
        file.write_text(_SETTINGS.format(port=self.port, base=self.base) + data)
        with (self.base / "said").open("wb") as said:
            self._process = subprocess.Popen(
                ["unbound", "-d", "-d", "-c", str(file)],
                stdout=said,
                stderr=said,
                cwd=self.base,
                env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
            )
        try:
            deadline = time.monotonic() + PATIENCE
            while not self._listens():
                assert self._process.poll() is None, self.said()
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.02)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def said(self) -> str:
        return (self.base / "said").read_text(errors="replace")
