"""SCRAM-SHA-256-PLUS with scramp, and by hand, on TLS 1.2 and 1.3, and what breaks the binding."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import pytest
from OpenSSL import SSL
from scramp import ScramClient

from tests.interop.doors import ANN, JOE, Doors
from tests.system.harness import PASSWORDS, PATIENCE
from tests.system.mechanisms import Scram

PLUS, UNBOUND = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"
EXPORTER, END_POINT = "tls-exporter", "tls-server-end-point"
TLS_1_2, TLS_1_3 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION
SERVICES: Final = {"pop3": ("pop3s", JOE), "submission": ("submissions", ANN)}


@attrs.define
class Channel:
    """One connection under TLS of one version, and what of SASL the two protocols have in common."""

    tls: SSL.Connection
    smtp: bool
    unread: bytes = b""

    def line(self) -> bytes:
        while b"\r\n" not in self.unread:
            self.unread += self.tls.recv(65_536)
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line

    def say(self, line: bytes) -> bytes:
        """Send a line; the (last) line of the answer."""
        self.tls.sendall(line + b"\r\n")
        answer = self.line()
        while self.smtp and answer[3:4] == b"-":
            answer = self.line()
        return answer

    def challenge(self, line: bytes) -> str:
        """Send a line of an exchange; what the server's answer holds, decoded."""
        return self.said(self.say(line))

    def said(self, answer: bytes) -> str:
        """What a challenge of the server holds."""
        mark, _, text = answer.partition(b" ")
        assert mark == (b"334" if self.smtp else b"+"), answer
        return base64.b64decode(text, validate=True).decode()

    def bindings(self) -> dict[str, bytes]:
        """By hand: RFC 9266 section 2; RFC 5929 section 4 for a certificate that is signed by SHA-256."""
        certificate = self.tls.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return {
            EXPORTER: self.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b""),
            END_POINT: certificate.fingerprint(certificate.signature_hash_algorithm),
        }

    def log_in(self, client: Any) -> tuple[str, bytes]:
        """The server's last words in the exchange, and the reply that ends it; no words to a wrong proof."""
        initial = base64.b64encode(client.get_client_first().encode())
        words = self.challenge(f"AUTH {client.mechanism_name} ".encode() + initial)
        if not words.startswith("e="):
            client.set_server_first(words)
            answer = self.say(base64.b64encode(client.get_client_final().encode()))
            if not answer.startswith((b"334", b"+ ")):
                return "", answer
            words = self.said(answer)
        return words, self.say(b"")


@contextlib.contextmanager
def channel(doors: Doors, listener: str, version: int = TLS_1_3) -> Iterator[Channel]:
    """Greeted, and EHLO said where that is done."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    with socket.create_connection(("127.0.0.1", doors.server.ports[listener]), PATIENCE) as connection:
        connection.settimeout(None)  # OpenSSL wants it to block; the kernel keeps the time
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(PATIENCE), 0))
        tls = SSL.Connection(context, connection)
        tls.set_connect_state()
        tls.do_handshake()
        opened = Channel(tls, listener.startswith("submission"))
        opened.line()
        if opened.smtp:
            opened.say(b"EHLO client.example")
        yield opened
        with contextlib.suppress(SSL.Error):
            tls.shutdown()


def client_of(account: str, mechanism: str, binding: tuple[str, bytes], password: str = "") -> Any:
    """scramp for what it knows; for tls-exporter, which it does not, the one of this project's tests."""
    kind, data = binding
    password = password or PASSWORDS[account]
    if kind == END_POINT:
        return ScramClient([mechanism], account, password, channel_binding=binding)
    bound = mechanism == PLUS
    return Scram(account, password, mechanism, f"p={kind},," if bound else "y,,", data if bound else b"")


@pytest.mark.parametrize(
    ("version", "kind"), [(TLS_1_2, END_POINT), (TLS_1_3, END_POINT), (TLS_1_3, EXPORTER)]
)
@pytest.mark.parametrize("service", SERVICES)
def test_bound(doors: Doors, service: str, version: int, kind: str) -> None:
    listener, account = SERVICES[service]
    with doors.lets_in(service, account, PLUS), channel(doors, listener, version) as connection:
        client = client_of(account, PLUS, (kind, connection.bindings()[kind]))
        words, reply = connection.log_in(client)
        client.set_server_final(words)  # raises unless the server has proved that it knows the keys
        assert reply.startswith((b"+OK", b"235 2.7.0"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_device_password(doors: Doors, service: str) -> None:
    """Among several keys the server finds that of the device, and signs with it."""
    listener, account = SERVICES[service]
    with channel(doors, listener) as connection:
        client = client_of(account, PLUS, (EXPORTER, connection.bindings()[EXPORTER]), doors.devices[account])
        words, reply = connection.log_in(client)
        client.set_server_final(words)
        assert reply.startswith((b"+OK", b"235 2.7.0"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_password(doors: Doors, service: str) -> None:
    listener, account = SERVICES[service]
    with doors.refuses("wrong-proof"), channel(doors, listener) as connection:
        client = client_of(account, PLUS, (EXPORTER, connection.bindings()[EXPORTER]), "wrong")
        words, reply = connection.log_in(client)
    assert words == ""
    assert reply.startswith((b"-ERR [AUTH]", b"535 5.7.8"))


@pytest.mark.parametrize("kind", [EXPORTER, END_POINT])
@pytest.mark.parametrize("service", SERVICES)
def test_somebody_in_the_middle(doors: Doors, service: str, kind: str) -> None:
    """What was made for another connection, or for another certificate, proves nothing on this one."""
    listener, account = SERVICES[service]
    refused = doors.refuses("channel-binding")
    with refused, channel(doors, listener) as other, channel(doors, listener) as connection:
        binding = other.bindings()[kind] if kind == EXPORTER else bytes(32)
        words, reply = connection.log_in(client_of(account, PLUS, (kind, binding)))
    assert words == "e=channel-bindings-dont-match"
    assert reply.startswith((b"-ERR [AUTH]", b"535 5.7.8"))


@pytest.mark.parametrize("service", SERVICES)
def test_the_offer_was_removed_on_the_way(doors: Doors, service: str) -> None:
    """A client that could bind and saw no -PLUS says "y"; the server knows that it offered it."""
    listener, account = SERVICES[service]
    with doors.refuses("downgrade"), channel(doors, listener) as connection:
        client = client_of(account, UNBOUND, (END_POINT, connection.bindings()[END_POINT]))
        words, reply = connection.log_in(client)
    assert words == "e=server-does-support-channel-binding"
    assert reply.startswith((b"-ERR [AUTH]", b"535 5.7.8"))


@pytest.mark.parametrize("service", SERVICES)
def test_no_offer_was_made(doors: Doors, service: str) -> None:
    """Where -PLUS is not offered the same "y" is true."""
    _, account = SERVICES[service]
    with doors.lets_in(service, account, UNBOUND), channel(doors, f"{service}-hidden") as connection:
        client = client_of(account, UNBOUND, (EXPORTER, connection.bindings()[EXPORTER]))
        words, reply = connection.log_in(client)
        client.set_server_final(words)
    assert reply.startswith((b"+OK", b"235 2.7.0"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda first: first.replace("p=tls-exporter", "p=tls-unique"),
        lambda first: first.replace("p=tls-exporter", "p=tls-nothing"),
        lambda first: first.replace("p=tls-exporter", "n"),
    ],
    ids=["tls-unique", "unheard of", "no binding in -PLUS"],
)
@pytest.mark.parametrize("service", SERVICES)
def test_bindings_that_we_do_not_do(doors: Doors, service: str, spoil: Callable[[str], str]) -> None:
    listener, account = SERVICES[service]
    with doors.refuses("channel-binding"), channel(doors, listener) as connection:
        client: Any = client_of(account, PLUS, (EXPORTER, connection.bindings()[EXPORTER]))
        initial = base64.b64encode(spoil(client.get_client_first()).encode())
        assert connection.challenge(f"AUTH {PLUS} ".encode() + initial).startswith("e=")
        reply = connection.say(b"")
    assert reply.startswith((b"-ERR [AUTH]", b"535 5.7.8"))


def test_not_outside_of_tls(doors: Doors) -> None:
    with socket.create_connection(("127.0.0.1", doors.server.ports["pop3"]), PATIENCE) as connection:
        connection.sendall(b"CAPA\r\nAUTH SCRAM-SHA-256-PLUS\r\nQUIT\r\n")
        said = b""
        while data := connection.recv(65_536):
            said += data
    assert b"SCRAM-SHA-256 " in said
    assert b"-PLUS" not in said
    assert said.splitlines()[-2].startswith(b"-ERR This mechanism is not offered")
