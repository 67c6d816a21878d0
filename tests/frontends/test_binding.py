"""SCRAM-SHA-256-PLUS over real sockets and real TLS: the proof is good on its own connection alone."""

from __future__ import annotations

import hashlib
import socket
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, cast

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from mailsuite.accounts.attempt import Granted
from mailsuite.accounts.login import OpenedMaildrop
from mailsuite.frontends.door import Door
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.listener import Listener, Place
from mailsuite.frontends.pop3 import Pop3Services, Pop3Session
from mailsuite.interfaces import IMaildrop
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.sasl.steps import Claim, ScramParameters, ScramQuestion
from tests.frontends.test_pop3 import Drop
from tests.frontends.test_sockets import PATIENCE, SocketCase
from tests.wire.proofs import PARAMETERS, ScramClient, judged

JOE = Address("joe", "example.test")
EXPORTER = b"EXPORTER-Channel-Binding"


async def login(claim: Claim, facts: ConnectionFacts) -> OpenedMaildrop:
    signature = judged(claim)
    if signature is None:
        raise UnauthorizedLogin
    drop = Drop(JOE, (), RuntimeError("there is no message"))
    return OpenedMaildrop(cast(IMaildrop, drop), Granted(JOE, None, signature))


async def scram(question: ScramQuestion, facts: ConnectionFacts) -> ScramParameters:
    return PARAMETERS


class Client:
    """The client's end of a TLS connection by OpenSSL itself, for Python's ssl shows no exporter."""

    def __init__(self, port: int, implicit: bool, maximum: int = 0) -> None:
        self.plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        if not implicit:
            assert self._read(self.plain.recv).startswith(b"+OK")
            self.plain.sendall(b"STLS\r\n")
            assert self._read(self.plain.recv).startswith(b"+OK")
        self.plain.settimeout(None)  # OpenSSL wants a socket that blocks
        context = SSL.Context(SSL.TLS_METHOD)
        if maximum:
            context.set_max_proto_version(maximum)
        self.tls = SSL.Connection(context, self.plain)
        self.tls.set_connect_state()
        self.tls.do_handshake()
        if implicit:
            assert self._read(self.tls.recv).startswith(b"+OK")

    @staticmethod
    def _read(recv: Callable[[int], bytes]) -> bytes:
        data = b""
        while not data.endswith(b"\r\n"):
            data += recv(1)
        return data

    def say(self, line: bytes) -> bytes:
        self.tls.sendall(line + b"\r\n")
        return self._read(self.tls.recv)

    def prove(self, kind: str, binding: bytes) -> bytes:
        """What is answered to a proof that is bound so, and then to nothing."""
        client = ScramClient(header=f"p={kind},,", binding=binding)
        first = self.say(b"AUTH SCRAM-SHA-256-PLUS " + b64encode(client.first()))
        self.say(b64encode(client.final(b64decode(first[2:]))))
        answer = self.say(b"")
        self.plain.close()
        return answer

    @property
    def certificate(self) -> bytes:
        found = self.tls.get_peer_certificate()
        assert found is not None
        return found.to_cryptography().public_bytes(Encoding.DER)


class Binding(SocketCase):
    async def begin(self, implicit: bool) -> None:
        door = Door("pop3", "door", reactor, self.log, 300.0, self.tls, implicit, channel_binding=True)
        settings = SessionSettings(
            "mail.example.test",
            tls_available=not implicit,
            sasl_mechanisms=("SCRAM-SHA-256-PLUS",),
            octets=lambda count: b"7" * count,
        )
        services = Pop3Services(lambda facts: settings, login, scram)
        factory = SessionFactory(reactor, lambda: Pop3Session(door, services), self.admission, b"", self.log)
        self.factories.append(factory)
        place = Place("127.0.0.1", 0, name="door")
        await self.doors.open({"door": (place,)})
        self.doors.turn([Listener("door", "pop3", (place,), factory, "", self.tls if implicit else None)])

    def talk(self, act: Callable[[int], Any]) -> Deferred[Any]:
        return deferToThread(act, self.port)

    async def test_the_exporter(self) -> None:
        def act(port: int, implicit: bool) -> bytes:
            client = Client(port, implicit)
            return client.prove("tls-exporter", client.tls.export_keying_material(EXPORTER, 32, b""))

        for implicit in (True, False):
            await self.begin(implicit)
            answer = await self.talk(lambda port, implicit=implicit: act(port, implicit))
            self.assertTrue(answer.startswith(b"+OK 0 messages"), answer)

    async def test_the_end_point_on_tls_1_2_and_1_3(self) -> None:
        def act(port: int, maximum: int) -> bytes:
            client = Client(port, True, maximum)
            return client.prove("tls-server-end-point", hashlib.sha256(client.certificate).digest())

        await self.begin(implicit=True)
        for maximum in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            answer = await self.talk(lambda port, maximum=maximum: act(port, maximum))
            self.assertTrue(answer.startswith(b"+OK 0 messages"), answer)

    async def test_the_exporter_of_another_connection(self) -> None:
        """As of somebody in the middle, who has a TLS connection to each side."""

        def act(port: int) -> bytes:
            other, client = Client(port, True), Client(port, True)
            stolen = other.tls.export_keying_material(EXPORTER, 32, b"")
            other.plain.close()
            return client.prove("tls-exporter", stolen)

        await self.begin(implicit=True)
        answer = await self.talk(act)
        self.assertTrue(answer.startswith(b"-ERR [AUTH]"), answer)
