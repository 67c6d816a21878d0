"""Certificates of a running server: by name, replaced, broken, and near their end (features row T-02)."""

from __future__ import annotations

import datetime
import poplib
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography import x509

from mailsuite.frontends.tls import Pair
from tests.frontends.issuing import DAY, Issued, issue
from tests.system.clients import within
from tests.system.harness import LIMITS, LISTENERS, PASSWORDS, PATIENCE, Server

JOE = "joe@example.test"


@attrs.define
class Shop:
    """An authority, and a server with three certificates of it."""

    server: Server
    authority: Issued
    folder: Path
    pairs: dict[str, Pair] = attrs.field(factory=dict)

    def issue(self, name: str, *names: str, days: float = 90) -> Pair:
        begins = datetime.datetime.now(datetime.UTC) - DAY
        issued = issue(name, names or [name], by=self.authority, begins=begins, days=days)
        self.pairs[name] = issued.save(self.folder, name)
        return self.pairs[name]

    def configure(self) -> None:
        general, *others = self.pairs.values()
        blocks = [
            f'[tls]\nmode = "files"\ncertificate = "{general[0]}"\nkey = "{general[1]}"',
            *(f'[[certificate]]\ncertificate = "{each[0]}"\nkey = "{each[1]}"' for each in others),
        ]
        self.server.extra = "\n".join((LIMITS, *blocks))

    def client(self) -> ssl.SSLContext:
        """Trusts the authority, and checks no name: it asks for some that nobody has."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        context.check_hostname = False
        return context

    def met(self, name: str, listener: str = "pop3s") -> x509.Certificate:
        """The certificate that is shown to whoever asks for *name*."""
        port = self.server.ports[listener]
        context = Named(self.client(), name)
        if listener.startswith("pop3"):
            client = self.pop3(listener, context)
            try:
                return certificate_of(client.sock)
            finally:
                client.quit()
        with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=PATIENCE) as mail:
            mail.starttls(context=context)
            return certificate_of(mail.sock)

    def pop3(self, listener: str, context: Any) -> poplib.POP3:
        port = self.server.ports[listener]
        if listener == "pop3s":
            return poplib.POP3_SSL("127.0.0.1", port, timeout=PATIENCE, context=context)
        client = poplib.POP3("127.0.0.1", port, timeout=PATIENCE)
        client.stls(context)
        return client

    def wait_for(self, event: str, count: int = 1) -> str:
        """The last line of this event, when there are so many."""

        def last() -> str:
            found = [line for line in self.server.logged().splitlines() if f" {event} " in line]
            assert len(found) >= count, f"no {event}:\n{self.server.logged()}"
            return found[-1]

        return within(PATIENCE, last, AssertionError)


@attrs.define
class Named:
    """A context that asks for a name, whatever the library would ask for."""

    context: ssl.SSLContext
    name: str

    def wrap_socket(self, sock: object, server_hostname: str = "") -> ssl.SSLSocket:
        return self.context.wrap_socket(sock, server_hostname=self.name)  # type: ignore[arg-type]


def certificate_of(sock: ssl.SSLSocket) -> x509.Certificate:
    der = sock.getpeercert(binary_form=True)
    assert der
    return x509.load_der_x509_certificate(der)


def name_of(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string().removeprefix("CN=")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("certificates")
    server = Server(tmp_path_factory.mktemp("server"), listeners=LISTENERS)
    opened = Shop(server, issue("authority", [], authority=True), folder)
    for name in ("general.test", "first.test", "broken.test"):
        opened.issue(name)
    opened.issue("ending.test", days=6.5)
    opened.issue("wild.test", "*.wild.test")
    opened.configure()
    with server:
        yield opened


@pytest.mark.parametrize("listener", ["pop3s", "pop3", "mx", "submission"])
@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("general.test", "general.test"),
        ("FIRST.test", "first.test"),
        ("mail.wild.test", "wild.test"),
        ("wild.test", "general.test"),
        ("a.b.wild.test", "general.test"),
        ("unknown.test", "general.test"),
    ],
)
def test_each_name_has_its_own(shop: Shop, listener: str, asked: str, shown: str) -> None:
    assert name_of(shop.met(asked, listener)) == shown


def test_the_end_is_warned_of(shop: Shop) -> None:
    assert " days=5 " in shop.wait_for("tls.certificate_expires")


def test_a_new_one_is_used_while_sessions_go_on(shop: Shop) -> None:
    before = shop.met("first.test").serial_number
    session = shop.pop3("pop3s", Named(shop.client(), "first.test"))
    session.user(JOE)
    loaded = shop.server.logged().count(" tls.certificate_loaded ")
    shop.issue("first.test")
    assert "first.test" in shop.wait_for("tls.certificate_loaded", loaded + 1)
    assert shop.met("first.test").serial_number != before
    assert session.pass_(PASSWORDS[JOE]).startswith(b"+OK")
    assert certificate_of(session.sock).serial_number == before
    session.quit()


def test_a_broken_one_leaves_the_old_one(shop: Shop) -> None:
    certificate, key = shop.pairs["broken.test"]
    before, content = shop.met("broken.test").serial_number, key.read_bytes()
    key.write_bytes(shop.pairs["general.test"][1].read_bytes())
    assert f"{key}: is not the key of {certificate}" in shop.wait_for("tls.certificate_kept")
    assert shop.met("broken.test").serial_number == before
    loaded = shop.server.logged().count(" tls.certificate_loaded ")
    key.write_bytes(content)
    assert "broken.test" in shop.wait_for("tls.certificate_loaded", loaded + 1)
