"""The users' side over memory, and somebody who asks: a site on an HTTP session without a socket."""

from __future__ import annotations

import json
from base64 import b64encode
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, cast

import attrs
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address

from mailsuite.accounts.checkers import PasswordChecker
from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.accounts.gate import Gate
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.realm import MailRealm
from mailsuite.accounts.renewal import Renewal
from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.config.schema import Listener, NotifyDoor
from mailsuite.frontends.admission import Admission
from mailsuite.frontends.door import Door
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.http import HttpSession
from mailsuite.model.account import Account
from mailsuite.model.device import Scope
from mailsuite.model.events import LogGrown
from mailsuite.model.notice import Happening, Kind, Level, MessageFacts
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.office import Office
from mailsuite.notify.outgoing.destinations import Destinations
from mailsuite.notify.rendering import NoticeKeys
from mailsuite.notify.streams import Streams
from mailsuite.web.site import Site
from mailsuite.web.users import UsersSide
from mailsuite.wire.sse import Event, EventReader
from tests.accounts.fakes import HASH, SECRET, CountingHasher
from tests.accounts.gates import JOE, device, password_of
from tests.accounts.test_login import RULES, LoginCase
from tests.frontends.lines import Wire
from tests.notify.offices import Desk, Hook

ANN = Account(attrs.evolve(JOE.address, local="ann"), password_hash=HASH)
HOME = "192.0.2.9"
PROXY = "203.0.113.7"


def basic(name: str = "joe", password: str = SECRET) -> str:
    """The field that shows a name and a password."""
    return f"Authorization: Basic {b64encode(f'{name}:{password}'.encode()).decode()}\r\n"


BY_DESKTOP = basic(password=password_of("desktop"))
BY_TABLET = basic(password=password_of("tablet"))
BY_ANN = basic("ann")


class SecureWire(Wire):
    """Says that TLS runs on it."""


class SiteCase(LoginCase):
    """A site for joe and ann; joe has the devices desktop and tablet, which may be told of mail."""

    implicit_tls = True

    def setUp(self) -> None:
        super().setUp()
        self.do(self.directory.add_account(ANN))
        for name in ("desktop", "tablet"):
            self.do(
                self.directory.add_device(JOE.address, device(JOE, name, scopes=frozenset({Scope.NOTIFY})))
            )
        self.kept, self.events, self.hook, self.desk = MemorySubscriptions(), MemoryEventLog(), Hook(), Desk()
        self.bus = LocalBus(self.clock, self.log)
        self.book = Book(self.kept, self.clock, self.log)
        self.most: Level | None = Level.SUBJECT
        self.seen_at: list[tuple[str, str]] = []
        self.key = ""
        self.offered = True
        self.office = Office(
            self.book,
            self.kept,
            self.events,
            {"hook": self.hook},
            self.desk,
            Destinations(self.now),
            self.cap,
            self.now,
            self.log,
        )
        self.streams = Streams(
            self.book,
            self.events,
            self.bus,
            NoticeKeys(b"k" * 32),
            self.clock,
            self.now,
            self.cap,
            lambda: frozenset({"junk", "bulk", "own", "auto"}),
            self.log,
        )
        self.streams.start()
        self.sessions: list[HttpSession] = []
        self.session, self.wire = self.connect()

    def use(self, threads: Any, **others: Any) -> None:
        """As at the server, a hash of old parameters is renewed at the first login."""
        passwords = Passwords(threads, self.log, CountingHasher())
        renewal = Renewal(self.directory, self.vault, passwords, self.tasks, self.log)
        self.gate = Gate(self.directory, self.vault, self.clock.seconds, self.log, renewal.successor)
        checker = PasswordChecker(self.gate, passwords, PasswordCache(self.clock.seconds), renewal)
        super().use(threads, portal=Portal(MailRealm(self.store, self.directory, self.tasks), [checker]))

    def reseal(self, name: str, octets: bytes) -> None:
        """Have a device of joe be checked by other octets, whatever password is in them."""
        id = f"{JOE.address}/{name}"
        (kept,) = (each for each in self.do(self.directory.devices(JOE.address)) if each.id == id)
        self.do(self.directory.change_device(JOE.address, attrs.evolve(kept, sealed=octets)))

    def now(self) -> float:
        return float(self.clock.seconds())

    async def cap(self, account: object) -> Level | None:
        return self.most

    async def happened(self, happenings: list[Happening]) -> None:
        for entry in await self.events.append(happenings):
            self.bus.publish(LogGrown(entry.happening.account, entry.seq))

    def mail(self, count: int = 1) -> None:
        facts = MessageFacts(sender="ann@example.org", subject="Lunch?")
        run_now(self.happened([Happening(JOE.address, Kind.MAIL_NEW, self.now(), facts=facts)] * count))
        self.clock.advance(0)

    def site(self) -> Site:
        side = UsersSide(
            self.office,
            self.streams,
            DeviceRegistry(self.directory, self.vault, self.logins, self.now),
            self.happened,
            self.now,
            self.log,
            webpush_key=lambda: self.key,
            seen=lambda account, device, peer: self.seen_at.append((device, str(peer))),
            streams_offered=lambda: self.offered,
        )
        block, settings = (
            SimpleNamespace(proxy_from=(ip_network(PROXY),)),
            SimpleNamespace(max_streams_per_account=3),
        )
        return side.application(cast(Listener, block), cast(NotifyDoor, settings), lambda: RULES, self.login)

    def connect(self, host: str = HOME, tls: bool = True) -> tuple[HttpSession, Wire]:
        """A connection on which TLS runs, or none."""
        door = Door("notify", "notify", self.clock, self.log, 60.0, implicit_tls=tls)
        if not hasattr(self, "_site"):
            self._site = self.site()
        factory = SessionFactory(
            self.clock, lambda: HttpSession(door, self._site), Admission(0, 0), b"", self.log
        )
        address = IPv4Address("TCP", host, 4000)
        session: Any = factory.buildProtocol(address)
        wire = SecureWire(peerAddress=address)
        session.makeConnection(wire)
        if tls:
            session.handshakeCompleted()
        self.sessions.append(session)
        self.session, self.wire = session, wire
        return session, wire

    def send(self, line: str, fields: str = "", body: object = None) -> None:
        """Ask, on the newest connection."""
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            fields += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        self.wire.clear()
        self.session.dataReceived(f"{line} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode() + content)

    def ask(
        self, line: str, fields: str | None = None, body: object = None
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, document and fields of the answer; by joe's own password where nothing is said."""
        self.send(line.replace(" /", " /notify/v1/", 1), basic() if fields is None else fields, body)
        return self.answer()

    def answer(self) -> tuple[int, dict[str, Any], dict[str, str]]:
        head, _, content = self.wire.value().partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        given = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
        return int(first.split()[1]), json.loads(content) if content else {}, given

    def stream(self, query: str = "", fields: str | None = None) -> tuple[HttpSession, Wire]:
        """A connection of its own, with a stream on it."""
        session, wire = self.connect()
        self.send(f"GET /notify/v1/stream{query}", basic() if fields is None else fields)
        return session, wire

    def told(self, wire: Wire) -> list[Event]:
        """The events on a stream."""
        _, _, content = wire.value().partition(b"\r\n\r\n")
        octets = b""
        while content:
            size, _, rest = content.partition(b"\r\n")
            octets, content = octets + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        return EventReader().feed(octets)
