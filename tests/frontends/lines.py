"""A session that echoes lines, over a small core: what the shell's tests drive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs
from OpenSSL import SSL
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.frontends.admission import Admission
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import Door
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.flow import Flow
from mailsuite.frontends.tls import ServerTLS
from mailsuite.model.facts import ConnectionFacts
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics

IDLE = 300.0
NOW = 1_795_000_000.0
"""Seconds since the epoch."""


@attrs.define
class LineCore:
    """Each line is an event. *broken* names the method that is a mistake of ours."""

    broken: str = ""
    buffer: bytes = b""
    out: bytes = b""
    closing: bool = False
    secured: int = 0
    bindings: Mapping[str, bytes] = attrs.field(factory=dict)

    def start(self) -> None:
        self._perhaps_fail("start")
        self.out += b"hello\n"

    def receive(self, data: bytes) -> None:
        self._perhaps_fail("receive")
        self.buffer += data

    def next_event(self) -> bytes | None:
        self._perhaps_fail("next_event")
        line, end, rest = self.buffer.partition(b"\n")
        if not end or self.closing:
            return None
        self.buffer = rest
        return line

    def bytes_to_send(self) -> bytes:
        out, self.out = self.out, b""
        return out

    def tls_started(self, bindings: Mapping[str, bytes]) -> None:
        self._perhaps_fail("tls_started")
        self.secured += 1
        self.bindings = bindings

    def drain(self) -> None:
        self._perhaps_fail("drain")
        self.out += b"going\n"
        self.closing = True

    def timed_out(self) -> None:
        self._perhaps_fail("timed_out")
        self.out += b"too slow\n"
        self.closing = True

    def _perhaps_fail(self, name: str) -> None:
        if name == self.broken:
            raise RuntimeError(f"a mistake of ours in {name}")


class LineSession(SessionProtocol[bytes]):
    """Echoes lines; ``wait`` waits for the test, ``ask`` too, but for the client's sake alone; ``tls`` begins
    TLS, ``boom`` is a mistake of ours."""

    core: LineCore

    def __init__(self, door: Door, broken: str = "") -> None:
        super().__init__(door)
        self.broken = broken
        self.waits: list[Deferred[None]] = []
        self.facts: ConnectionFacts | None = None
        self.secured_by: list[str] = []
        self.has_ended = 0
        self.cancelled = 0
        self.stubborn: Deferred[None] | None = None
        """What an answer waits for that was cancelled."""

    def begin(self, facts: ConnectionFacts) -> None:
        if self.broken == "begin":
            raise RuntimeError("a mistake of ours in begin")
        self.facts = facts
        self.core = LineCore(self.broken, bindings=self.bindings)

    def dispatch(self, event: bytes) -> None:
        match event:
            case b"boom":
                raise RuntimeError("a mistake of ours")
            case b"quit":
                self.core.closing = True
            case b"wait":
                self.answer(self._wait())
            case b"ask":
                self.answer(self._ask(), for_the_client=True)
            case b"late boom":
                self.answer(self._late_boom())
            case b"quick":
                self.answer(self._quick())
            case b"stream":
                self.answer(self._stream())
            case b"tls":
                self.start_tls()
                return
        self.core.out += event + b"\n"

    def secured(self, tls: str) -> None:
        self.secured_by.append(tls)

    async def _wait(self) -> None:
        done: Deferred[None] = Deferred()
        self.waits.append(done)
        await done
        self.core.out += b"waited\n"

    async def _ask(self) -> None:
        try:
            await self._wait()
        except CancelledError:
            self.cancelled += 1
            if self.stubborn is not None:
                await self.stubborn
            raise

    async def _quick(self) -> None:
        self.core.out += b"at once\n"

    async def _late_boom(self) -> None:
        raise RuntimeError("a mistake of ours")

    async def _stream(self) -> None:
        """Three pieces past the core, each when the client has read the one before."""
        for piece in (b"1", b"2", b"3"):
            if not await self.writable():
                return
            self.write(piece)

    async def ended(self) -> None:
        self.has_ended += 1
        if self.broken == "ended":
            raise RuntimeError("a mistake of ours in ended")


class Wire(StringTransport):
    """Remembers that it was cut, as a TCP transport would, and that TLS was begun."""

    aborted = False
    tls: object = None

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def startTLS(self, tls: object) -> None:
        self.tls = tls

    def getHandle(self) -> Wire:
        return self

    def get_protocol_version_name(self) -> str:
        return "TLSv1.3"

    def get_cipher_name(self) -> str:
        return "TLS_AES_256_GCM_SHA384"

    def get_protocol_version(self) -> int:
        return SSL.TLS1_3_VERSION

    shut = False
    """The client has ended TLS."""

    def get_shutdown(self) -> int:
        return SSL.RECEIVED_SHUTDOWN if self.shut else 0

    def export_keying_material(self, label: bytes, octets: int, context: bytes) -> bytes:
        return b"e" * octets

    def get_certificate(self) -> Wire:
        return self

    def to_cryptography(self) -> Wire:
        return self

    signature_hash_algorithm = None
    """Of a certificate that has no hash of its own: it is no end point."""

    @property
    def flow(self) -> Flow:
        """The producer: pausing it says that the client does not read."""
        assert isinstance(self.producer, Flow)
        return self.producer


class SessionCase(SynchronousTestCase):
    """Sessions of one factory, two at a time."""

    implicit_tls = False
    needs_login = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.broken = ""
        log = Log(sink=lambda line, level: self.lines.append(line), level="debug", clock=self.clock.seconds)
        tls = ServerTLS(cast(SSL.Context, None))
        self.metrics = Metrics()
        self.door = Door(
            "line",
            "door",
            self.clock,
            log,
            IDLE,
            tls,
            self.implicit_tls,
            now=lambda: NOW,
            meter=self.metrics.sessions("line", "door"),
        )
        self.admission = Admission(2, 0)
        self.factory = SessionFactory(self.clock, self.build, self.admission, b"full\n", log)

    def build(self) -> LineSession:
        if self.broken == "build":
            raise RuntimeError("a mistake of ours in build")
        session = LineSession(self.door, self.broken)
        session.needs_login = self.needs_login  # type: ignore[misc]
        return session

    def connect(self, host: str = "192.0.2.1") -> tuple[LineSession, Wire]:
        address = IPv4Address("TCP", host, 4000)
        session: Any = self.factory.buildProtocol(address)
        transport = Wire(peerAddress=address)
        session.makeConnection(transport)
        return session, transport

    def lose(self, session: LineSession, reason: Exception | None = None) -> None:
        session.connectionLost(Failure(reason or ConnectionDone()))

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if f" {event} " in f"{line} "]

    def figure(self, name: str, *labels: str) -> float:
        """What Prometheus would read, of this listener or of what *labels* name alone."""
        known = {"service": "line", "listener": "door"}
        wanted = {label: known[label] for label in labels or known}
        families = text_string_to_metric_families(self.metrics.text().decode())
        [value] = [
            sample.value
            for family in families
            for sample in family.samples
            if (sample.name, sample.labels) == (name, wanted)
        ]
        return float(value)
