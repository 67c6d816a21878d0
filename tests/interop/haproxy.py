"""Debian's haproxy on loopback, passing connections on with a PROXY header."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import attrs

from tests.interop.programs import PATIENCE, SEARCH_PATH, needs
from tests.ports import free_port

needs_haproxy = needs("haproxy")
"""For a module's ``pytestmark``."""

_GENERAL = """
global
    log {log} format raw local0
defaults
    mode tcp
    retries 0
    timeout connect 10s
    timeout client 60s
    timeout server 60s
"""
_DOOR = """
listen {name}
    bind 127.0.0.1:{port}{tls}
    server ours 127.0.0.1:{target} {options}
"""


@attrs.frozen
class Way:
    """From a port of haproxy's to one of ours."""

    target: int
    options: str
    """Behind ``server``: ``send-proxy``, ``send-proxy-v2`` and what belongs to them."""
    tls: str = ""
    """Behind ``bind``: where TLS ends in haproxy."""
    port: int = attrs.field(factory=free_port)


@attrs.define
class Haproxy:
    """One haproxy of ours, as long as it is entered."""

    base: Path
    ways: Mapping[str, Way]
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    def __enter__(self) -> Haproxy:
        file = self.base / "haproxy.cfg"
        doors = [
            _DOOR.format(name=name, port=way.port, tls=way.tls, target=way.target, options=way.options)
            for name, way in self.ways.items()
        ]
        file.write_text(_GENERAL.format(log="stdout") + "".join(doors))
        with (self.base / "said").open("wb") as said:
            self._process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(file)],
                stdout=said,
                stderr=said,
                cwd=self.base,
                env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
            )
        try:
            deadline = time.monotonic() + PATIENCE
            while not all(map(_listens, self.ports)):
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

    @property
    def ports(self) -> list[int]:
        return [way.port for way in self.ways.values()]

    def _end(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)

    def said(self) -> str:
        return (self.base / "said").read_text(errors="replace")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
