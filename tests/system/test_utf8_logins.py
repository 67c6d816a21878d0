"""Names and passwords beyond ASCII, however written and by whatever mechanism (features rows P-21, A-12)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest

from tests.system.clients import Client, connect, greeted
from tests.system.harness import LIMITS, Server
from tests.system.mechanisms import authenticate

JOERG = "jörg@example.test"
PASSWORD = "Straße nach Köln 42"
WAYS_TO_WRITE = {
    "as-it-is": JOERG,
    "capitals": "JÖRG@Example.TEST",
    "decomposed": unicodedata.normalize("NFD", JOERG),
    "without-domain": "jörg",
    "full-width": "\uff4aörg@example.test",
    "trash": "jörg+trash@example.test",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = LIMITS + 'trusted_networks = ["127.0.0.0/8"]\nauth = ["plain", "login", "scram-sha-256"]\n'
    made = Server(tmp_path_factory.mktemp("server"), extra=extra)
    made.more = made.account(JOERG, password=PASSWORD)
    with made:
        yield made


def log_in(client: Client, name: str, password: str) -> bytes:
    client.say(f"USER {name}".encode(), b"+OK")
    return client.say(f"PASS {password}".encode())


@pytest.mark.parametrize("name", WAYS_TO_WRITE.values(), ids=WAYS_TO_WRITE)
@pytest.mark.parametrize("says_utf8", [True, False])
def test_user_and_pass(server: Server, name: str, says_utf8: bool) -> None:
    with connect(server, "pop3-trusted") as client:
        client.line()
        if says_utf8:
            client.say(b"UTF8", b"+OK")
        assert log_in(client, name, PASSWORD).startswith(b"+OK")
        client.say(b"STAT", b"+OK 0 0")
        client.say(b"QUIT", b"+OK")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize("name", [JOERG, WAYS_TO_WRITE["decomposed"], WAYS_TO_WRITE["trash"]])
def test_mechanisms(server: Server, mechanism: str, name: str) -> None:
    with greeted(server, "pop3s") as client:
        assert authenticate(client, mechanism, name, PASSWORD).startswith(b"+OK")
        client.say(b"QUIT", b"+OK")


@pytest.mark.parametrize("password", ["Strasse nach Köln 42", "straße nach Köln 42", "Straße nach Köln 4"])
@pytest.mark.parametrize("name", [JOERG, "jorg@example.test", "joerg@example.test"])
def test_what_is_another_password_or_name(server: Server, name: str, password: str) -> None:
    with connect(server, "pop3-trusted") as client:
        client.line()
        assert log_in(client, name, password) == b"-ERR [AUTH] Name or password is wrong"
        client.say(b"STAT", b"-ERR")


def test_an_ascii_name_that_looks_alike(server: Server) -> None:
    with connect(server, "pop3-trusted") as client:
        client.line()
        assert log_in(client, "jorg@example.test", PASSWORD).startswith(b"-ERR [AUTH]")


def test_a_decomposed_password(server: Server) -> None:
    """Passwords are prepared as OpaqueString says (RFC 8265 section 4.2)."""
    with connect(server, "pop3-trusted") as client:
        client.line()
        assert log_in(client, JOERG, unicodedata.normalize("NFD", PASSWORD)).startswith(b"+OK")
        client.say(b"QUIT", b"+OK")


@pytest.mark.parametrize("octets", [b"\xff\xfe", b"j\xc3", b"\xc0\xaf", b"\xed\xa0\x80"])
def test_octets_that_are_no_utf_8(server: Server, octets: bytes) -> None:
    with connect(server, "pop3-trusted") as client:
        client.line()
        client.say(b"USER " + octets + b"@example.test", b"-ERR")
        client.say(f"USER {JOERG}".encode(), b"+OK")
        client.say(b"PASS " + octets, b"-ERR")
        client.say(b"CAPA", b"+OK")
