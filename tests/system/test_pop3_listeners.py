"""Doors of POP3: any number, each with its own port, TLS, certificate, settings, changed while sessions go on
(features rows S-M04 to S-M06, S-A09)."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frontends.issuing import issue
from tests.ports import free_port
from tests.system.clients import connect, greeted
from tests.system.harness import LIMITS, LISTENERS, Server
from tests.system.pop3_settings import (
    BOB,
    JOE,
    KIM,
    READY,
    answers,
    capability,
    greeting,
    lets_in,
    unharmed,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    made.more = made.account(KIM)
    with made:
        for number in (1, 2):
            made.deliver(b"Subject: %d\r\n\r\nbody\r\n" % number, BOB)
        yield made


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The server with the listeners that all begin with."""
    yield running
    running.extra, running.listeners = LIMITS, LISTENERS
    running.reload()


def block(name: str, *lines: str, port: int = 0, tls: str = "off") -> str:
    head = ("[[listener]]", f'name = "{name}"', 'service = "pop3"', 'bind = ["127.0.0.1"]')
    return "\n".join((*head, f"port = {port}", f'tls = "{tls}"', *lines)) + "\n"


def changed(name: str, old: str, new: str) -> str:
    """The listeners, one of them with another line."""
    head, mark, rest = LISTENERS.partition(f'name    = "{name}"')
    return head + mark + rest.replace(old, new, 1)


def test_another_port(server: Server) -> None:
    old, new = server.ports["pop3-trusted"], free_port()
    with unharmed(server, "pop3-trusted"):
        server.listeners = changed("pop3-trusted", "port    = 0", f"port    = {new}")
        server.reload()
        assert server.ports["pop3-trusted"] == new
        assert lets_in(JOE)(server) == "+OK"
        server.ports["pop3-trusted"] = old
        with pytest.raises(ConnectionRefusedError):
            greeting("pop3-trusted")(server)


def test_more_listeners_each_with_its_own(server: Server) -> None:
    own = (
        'banner = "Second door"',
        'response_name = "two.example.test"',
        'auth = ["cram-md5"]',
        'apop = "offer"',
        'default_domain = "other.test"',
        'trusted_networks = ["127.0.0.0/8"]',
        'access.list = ["127.0.0.2"]',
    )
    with unharmed(server, "pop3-trusted"):
        server.listeners = LISTENERS + block("second", *own) + block("third", "last = true")
        server.reload()
        assert greeting("second")(server) == b"+OK two.example.test Second door <two.example.test>"
        assert capability("SASL", listener="second")(server) == "SASL CRAM-MD5"
        assert greeting("third")(server) == READY
        assert greeting()(server) == READY
        place = ("127.0.0.1", server.ports["second"])
        with socket.create_connection(place, 10, source_address=("127.0.0.2", 0)) as refused:
            assert refused.recv(100) == b""
        second = server.ports["second"]
        server.listeners = LISTENERS
        server.reload()
        assert "second" not in server.ports
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", second), 10):
            pass


def test_a_door_that_is_closed_and_opened(server: Server) -> None:
    with unharmed(server, "pop3-trusted"):
        server.listeners = changed("pop3", "port    = 0", "port    = 0\nenabled = false")
        server.reload()
        assert "pop3" not in server.ports
        server.listeners = LISTENERS
        server.reload()
        assert greeting()(server) == READY


def test_tls_from_the_first_octet_on_any_port(server: Server) -> None:
    """S-M04: even where the port is one that STLS was spoken on a moment ago. STLS is not offered then."""
    port = free_port()
    with unharmed(server, "pop3-trusted"):
        server.listeners = changed("pop3", "port    = 0", f"port    = {port}")
        server.reload()
    with unharmed(server, "pop3-trusted"), greeted(server, "pop3") as before:
        server.listeners = server.listeners.replace(
            f'port    = {port}\ntls     = "starttls"', f'port    = {port}\ntls     = "implicit"'
        )
        server.reload()
        assert server.ports["pop3"] == port
        with connect(server, "pop3") as client:
            client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
            assert client.line() == READY
            assert b"STLS" not in client.multiline(b"CAPA")
            client.say(b"STLS", b"-ERR")
        with connect(server, "pop3") as client:
            client.send(b"CAPA\r\n")
            assert not client.rest().startswith(b"+OK")
        before.say(b"STLS", b"+OK")
        before.socket = server.tls().wrap_socket(before.socket, server_hostname="127.0.0.1")
        before.say(b"NOOP", b"-ERR")


def test_no_tls(server: Server) -> None:
    server.listeners = changed("pop3", 'tls     = "starttls"', 'tls     = "off"')
    with unharmed(server, "pop3s"):
        server.reload()
        assert capability("STLS", listener="pop3")(server) == ""
        assert answers(b"STLS", listener="pop3")(server) == ["-ERR"]


def test_a_certificate_of_its_own(server: Server, tmp_path: Path) -> None:
    certificate, key = issue("own.example.test").save(tmp_path, "own")
    lines = f'port    = 0\ncertificate = "{certificate}"\nkey = "{key}"'
    server.listeners = changed("pop3s", "port    = 0", lines)

    def shown(listener: str) -> str:
        return ssl.get_server_certificate(("127.0.0.1", server.ports[listener]), timeout=10)

    with unharmed(server, "pop3s"):
        before = shown("pop3s")
        server.reload()
        assert shown("pop3s") == certificate.read_text() != before
        assert shown("submissions") == before, "other listeners keep theirs"


def test_a_certificate_that_is_none_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    (tmp_path / "none.key").write_text("nothing")
    lines = f'port    = 0\ncertificate = "{tmp_path}/none.pem"\nkey = "{tmp_path}/none.key"'
    server.listeners = changed("pop3s", "port    = 0", lines)
    with unharmed(server, "pop3s"):
        server.write_config()
        assert f"{tmp_path}/none." in server.cli("reload", status=4)
        assert greeting()(server) == READY


# Where to listen (S-M12)


def bound(server: Server, addresses: str, *lines: str) -> int:
    """Let pop3 listen there, on the port that is answered."""
    port = free_port()
    head, mark, rest = LISTENERS.partition('name    = "pop3"')
    rest = rest.replace('bind    = ["127.0.0.1"]', "\n".join((f"bind = {addresses}", *lines)), 1)
    server.listeners = head + mark + rest.replace("port    = 0", f"port    = {port}", 1)
    return port


def told_at(address: str, port: int) -> bytes:
    """What somebody is told there; b"": nobody listens."""
    try:
        with socket.create_connection((address, port), 10) as connection:
            return connection.recv(512).rstrip()
    except ConnectionRefusedError:
        return b""


@pytest.mark.parametrize(
    ("addresses", "heard"),
    [
        ('["127.0.0.1", "::1"]', {"127.0.0.1": READY, "127.0.0.2": b"", "::1": READY}),
        ('["127.0.0.2"]', {"127.0.0.1": b"", "127.0.0.2": READY, "::1": b""}),
        ('["lo"]', {"127.0.0.1": READY, "127.0.0.2": b"", "::1": READY}),
    ],
)
def test_addresses_and_interfaces(server: Server, addresses: str, heard: dict[str, bytes]) -> None:
    port = bound(server, addresses)
    with unharmed(server, "pop3-trusted"):
        server.reload()
        assert {address: told_at(address, port) for address in heard} == heard


def test_an_address_that_is_not_here(server: Server) -> None:
    """Never left out in silence: an error that changes nothing, or waited for where that is wanted."""
    with unharmed(server, "pop3-trusted"):
        port = bound(server, '["127.0.0.1", "192.0.2.77"]')
        server.write_config()
        said = server.cli("reload", status=4)
        assert "192.0.2.77" in said
        assert told_at("127.0.0.1", port) == b""
        assert greeting()(server) == READY
        port = bound(server, '["127.0.0.1", "192.0.2.77"]', "wait = true")
        server.write_config()
        server.cli("reload")
        assert told_at("127.0.0.1", port) == READY
        assert "192.0.2.77" in server.cli("status")


def test_a_busy_port_is_named_and_the_old_door_stays(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody, unharmed(server, "pop3-trusted"):
        port = somebody.getsockname()[1]
        server.listeners = changed("pop3", "port    = 0", f"port    = {port}")
        server.extra = LIMITS + 'banner = "Good day"\n'
        server.write_config()
        said = server.cli("reload", status=4)
        assert f"port {port}: Address already in use" in said
        assert greeting()(server) == READY, "nothing of the new file holds, not even its banner"


def test_who_would_lock_himself_out_is_asked_twice(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """S-M11: an allow list without the address that the administrator has logged in from (ssh(1))."""
    monkeypatch.setenv("SSH_CONNECTION", "127.0.0.1 50000 127.0.0.1 22")
    with unharmed(server, "pop3-trusted"):
        server.extra = LIMITS + '[pop3.access]\npolicy = "deny-all-except"\nlist = ["127.0.0.9"]\n'
        server.write_config()
        said = server.cli("reload", status=1)
        assert "you would lock yourself out: 127.0.0.1" in said
        assert "--force" in said
        assert greeting()(server) == READY
        server.cli("reload", "--force")
        assert greeting()(server) == b""


# Stamps (P-01)


def test_no_stamp_comes_twice_from_two_servers_and_over_a_kill(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Both have one name and one clock."""
    seen = list[bytes]()
    with contextlib.ExitStack() as stack:
        twins = [
            stack.enter_context(
                Server(tmp_path_factory.mktemp("twin"), extra=LIMITS + 'apop = "offer"\nbanner = ""\n')
            )
            for _ in range(2)
        ]
        for _ in range(2):
            for server in twins:
                for _ in range(100):
                    with connect(server, "pop3") as client:
                        seen.append(client.line())
                server.kill()
                server.start()
    stamps = [re.fullmatch(rb"\+OK .*<(\S+)@mail\.example\.test>", line) for line in seen]
    found = {stamp[1] for stamp in stamps if stamp}
    assert len(found) == len(seen) == 400
    assert max(map(len, seen)) <= 510
    hexadecimal = {stamp.partition(b".")[0] for stamp in found}
    assert len(hexadecimal) == 400, "the random part alone tells them apart"
    assert {len(part) for part in hexadecimal} == {32}
