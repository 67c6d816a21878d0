"""Behind a proxy, over real sockets: the client's address rules, and only a listed proxy may say it (M-22).

All of 127.0.0.0/8 is this machine: the proxy is 127.0.0.1, strangers come from other addresses of it.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from mailsuite.wire.proxy import SIGNATURES
from tests.system.clients import Client, begin_data, within
from tests.system.harness import PASSWORDS, PATIENCE, Server

CLIENT, OTHER, DENIED, TRUSTED = "198.51.100.7", "198.51.100.8", "203.0.113.9", "192.0.2.5"
STRANGER = "127.0.0.9"
_DOOR = '[[listener]]\nname = "{}"\nservice = "{}"\ntls = "{}"\nbind = ["127.0.0.1"]\nport = 0\n{}\n'
_BEHIND = 'proxy_from = ["127.0.0.1"]'
LISTENERS = "".join(
    (
        _DOOR.format("mx", "smtp", "starttls", _BEHIND),
        _DOOR.format("submissions", "submission", "implicit", _BEHIND),
        _DOOR.format("pop3", "pop3", "starttls", f'{_BEHIND}\ntrusted_networks = ["192.0.2.0/24"]'),
        _DOOR.format("pop3s", "pop3", "implicit", _BEHIND),
        _DOOR.format("plain", "smtp", "starttls", ""),
    )
)
EXTRA = f"""
[guard]
failure_delay = "0s"
never_ban = ["127.0.0.0/8"]
admin_networks = []
[smtp]
max_connections_per_address = 2
access = {{ list = ["{DENIED}"] }}
[pop3]
max_connections_per_address = 0
[log]
level = "debug"
"""


def line(peer: str, port: int = 4711) -> bytes:
    """Version 1."""
    kind, target = ("TCP6", "::1") if ":" in peer else ("TCP4", "192.0.2.1")
    return f"PROXY {kind} {peer} {target} {port} 25\r\n".encode()


def block(peer: str, port: int = 4711) -> bytes:
    """Version 2."""
    packed = ip_address(peer).packed
    body = packed + bytes(len(packed)) + struct.pack("!HH", port, 25)
    return SIGNATURES[1] + struct.pack("!BBH", 0x21, 0x11 if len(packed) == 4 else 0x21, len(body)) + body


LOCAL = SIGNATURES[1] + b"\x20\x00\x00\x00"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), listeners=LISTENERS, extra=EXTRA) as running:
        yield running


@pytest.fixture(autouse=True)
def _nobody_is_banned(server: Server) -> Iterator[None]:
    yield
    for ban in server.control.get("/v1/bans")["bans"]:
        server.control.delete(f"/v1/bans/{ban['network'].replace('/', '%2F')}")


def connect(server: Server, listener: str, header: bytes = b"", source: str = "127.0.0.1") -> Client:
    place = ("127.0.0.1", server.ports[listener])
    client = Client(socket.create_connection(place, PATIENCE, source_address=(source, 0)))
    client.send(header)
    return client


def secured(server: Server, client: Client) -> None:
    client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")


def lines(server: Server, *words: str) -> list[str]:
    return [each for each in server.logged().splitlines() if all(word in each for word in words)]


def logged(server: Server, *words: str) -> str:
    """The first such line, which may be written a moment later."""

    def look() -> str:
        found = lines(server, *words)
        assert found, words
        return found[0]

    return within(PATIENCE, look, AssertionError)


@pytest.mark.parametrize("header", [line, block])
@pytest.mark.parametrize("peer", [CLIENT, "2001:db8::7"])
def test_who_sent_it_stands_in_the_message_and_the_log(
    server: Server, header: Callable[[str], bytes], peer: str
) -> None:
    with connect(server, "mx", header(peer)) as client:
        assert client.line().startswith(b"220 ")
        client.say(b"EHLO client.example", b"250")
        begin_data(client)
        answer = client.say(b"Subject: x\r\n\r\nx\r\n.", b"250").decode()
        queue_id = answer.split()[-1].rstrip(".")
    files = (server.maildir("joe@example.test") / "new").iterdir()
    [message] = [text for text in (file.read_bytes() for file in files) if queue_id.encode() in text]
    received = message.partition(b"Subject")[0].decode()
    assert (f"[IPv6:{peer}]" if ":" in peer else f"[{peer}]") in received
    assert "127.0.0.1" not in received
    assert f"peer={peer}" in logged(server, "smtp.accepted", queue_id)


@pytest.mark.parametrize("header", [line(CLIENT), block(CLIENT)])
def test_before_implicit_tls(server: Server, header: bytes) -> None:
    for listener, greeting in (("pop3s", b"+OK"), ("submissions", b"220")):
        with connect(server, listener, header) as client:
            secured(server, client)
            assert client.line().startswith(greeting)


def test_a_login_is_the_client_s(server: Server) -> None:
    with connect(server, "pop3s", block(CLIENT)) as client:
        secured(server, client)
        client.line()
        client.say(b"USER ann@example.test", b"+OK")
        client.say(b"PASS " + PASSWORDS["ann@example.test"].encode(), b"+OK")
        [session] = server.control.get("/v1/sessions")["sessions"]
        assert (session["address"], session["account"]) == (CLIENT, "ann@example.test")
        client.say(b"QUIT", b"+OK")


@pytest.mark.parametrize(("peer", "answer"), [(TRUSTED, b"+OK"), (CLIENT, b"-ERR"), ("192.0.3.5", b"-ERR")])
def test_trusted_networks_are_the_client_s(server: Server, peer: str, answer: bytes) -> None:
    with connect(server, "pop3", line(peer)) as client:
        client.line()
        client.send(b"USER ann@example.test\r\nPASS " + PASSWORDS["ann@example.test"].encode() + b"\r\n")
        assert [client.line()[:4].strip(), client.line()[:4].strip()][-1] == answer


def test_access_lists_are_the_client_s(server: Server) -> None:
    with connect(server, "mx", block(DENIED)) as client:
        assert client.rest().startswith(b"554 5.7.1 ")
    with connect(server, "mx", block(CLIENT)) as client:
        assert client.line().startswith(b"220 ")


def test_bans_are_the_client_s(server: Server) -> None:
    with connect(server, "mx", line(CLIENT)) as client:
        client.line()
        client.send(b"NOOP " + b"A" * 508)
        client.rest()
    [ban] = server.control.get("/v1/bans")["bans"]
    assert (ban["network"], ban["reason"]) == (CLIENT, "oversize-command")
    for listener in ("mx", "pop3"):
        with connect(server, listener, block(CLIENT)) as client:
            assert client.rest() == b""
        with connect(server, listener, block(OTHER)) as client:
            assert client.line()


def test_limits_are_the_client_s(server: Server) -> None:
    with connect(server, "mx", line(CLIENT)) as first, connect(server, "mx", block(CLIENT)) as second:
        assert first.line()[:3] + second.line()[:3] == b"220220"
        with connect(server, "mx", line(CLIENT)) as third, connect(server, "mx", line(OTHER)) as other:
            assert third.line().startswith(b"421 4.3.2 ")
            assert other.line().startswith(b"220 ")


@pytest.mark.parametrize("header", [LOCAL, b"PROXY UNKNOWN\r\n"])
def test_the_proxy_s_own_connections_count_for_no_limit_of_one_address(server: Server, header: bytes) -> None:
    clients = [connect(server, "mx", header) for _ in range(6)]
    try:
        assert {client.line()[:4] for client in clients} == {b"220 "}
        assert clients[0].say(b"NOOP", b"250")
    finally:
        for client in clients:
            client.close()


def test_the_header_must_come(server: Server) -> None:
    """Within five seconds, whole; and nothing is said until then."""
    began = time.monotonic()
    with connect(server, "mx") as silent, connect(server, "pop3s", block(CLIENT)[:-1]) as slow:
        assert silent.rest() + slow.rest() == b""
    assert 4.5 < time.monotonic() - began < PATIENCE
    assert logged(server, "proxy.refused", "proxy=127.0.0.1", "no header came in time")


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO client.example\r\n",
        line(CLIENT).replace(b"\r\n", b"\n"),
        line(CLIENT).replace(b"TCP4", b"UDP4"),
        b"PROXY TCP4 198.51.100.07 192.0.2.1 4711 25\r\n",
        block(CLIENT)[:13] + b"\x12" + block(CLIENT)[14:],
        SIGNATURES[1] + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header(server: Server, octets: bytes) -> None:
    with connect(server, "mx", octets + b" " * 200) as client:
        assert client.rest() == b""


@pytest.mark.parametrize("octets", [line(CLIENT), block(CLIENT), LOCAL, b"PROXY UNKNOWN\r\n"])
@pytest.mark.parametrize("listener", ["mx", "pop3"])
def test_strangers_who_say_what_proxies_say(server: Server, octets: bytes, listener: str) -> None:
    with connect(server, listener, b"", STRANGER) as client:
        assert client.line()[:3] in {b"220", b"+OK"}, "without a header they are clients like any other"
        client.send(octets)
        assert client.rest() == b""
    assert logged(server, "proxy.spoofed", f"peer={STRANGER}")


def test_strangers_who_say_it_before_tls(server: Server) -> None:
    with connect(server, "pop3s", line(CLIENT), STRANGER) as client:
        assert client.rest() == b""
    with connect(server, "pop3s", b"", STRANGER) as client:
        secured(server, client)
        assert client.line().startswith(b"+OK")


def test_where_no_proxy_is_listed(server: Server) -> None:
    """It is a command that does not exist, and the address stays what it is."""
    with connect(server, "plain") as client:
        client.line()
        client.say(line(CLIENT).rstrip(), b"500 5.5.")
        client.say(b"EHLO client.example", b"250")
    assert logged(server, "smtp.opened", "listener=plain", "peer=127.0.0.1")
    assert not lines(server, "listener=plain", CLIENT)


def test_a_header_within_a_session(server: Server) -> None:
    with connect(server, "mx", line(CLIENT)) as client:
        client.line()
        client.say(line(OTHER).rstrip(), b"500 5.5.")


def test_starttls_behind_a_proxy(server: Server) -> None:
    with connect(server, "mx", block(CLIENT)) as client:
        client.line()
        client.say(b"EHLO client.example", b"250")
        client.say(b"STARTTLS", b"220")
        secured(server, client)
        client.say(b"EHLO client.example", b"250")
        assert isinstance(client.socket, ssl.SSLSocket)


def test_a_reload_takes_a_proxy_away(tmp_path: Path) -> None:
    with Server(tmp_path, listeners=LISTENERS, extra=EXTRA) as server:
        server.listeners = LISTENERS.replace('proxy_from = ["127.0.0.1"]', 'proxy_from = ["127.0.0.2"]')
        server.reload()
        with connect(server, "mx") as client:
            assert client.line().startswith(b"220 ")
        with connect(server, "mx", line(CLIENT), "127.0.0.2") as client:
            assert client.line().startswith(b"220 ")
        assert logged(server, "smtp.opened", f"peer={CLIENT}")
