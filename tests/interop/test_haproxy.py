"""haproxy in front of us, with both versions of its header: who comes is who came to it (row M-22)."""

from __future__ import annotations

import poplib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.haproxy import Haproxy, Way, needs_haproxy
from tests.system.clients import within
from tests.system.harness import PASSWORDS, PATIENCE, Server
from tests.system.test_proxy import LISTENERS

pytestmark = needs_haproxy

CLIENT = "127.0.0.23"
"""Where our clients come from: all of 127.0.0.0/8 is this machine."""
LOG = '[guard]\nfailure_delay = "0s"\n[log]\nlevel = "debug"\n'
VERSIONS = {
    "v1": "send-proxy",
    "v2": "send-proxy-v2",
    "v2-all": "send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl,cert-cn,authority",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), listeners=LISTENERS, extra=LOG) as running:
        yield running


@pytest.fixture(scope="module")
def haproxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Haproxy]:
    base = tmp_path_factory.mktemp("haproxy")
    both = base / "both.pem"
    key = server.state / "tls"
    both.write_bytes(b"".join(file.read_bytes() for file in sorted(key.iterdir()) if file.is_file()))
    ways = {
        f"{listener}-{version}": Way(server.ports[listener], options)
        for listener in ("mx", "pop3s")
        for version, options in VERSIONS.items()
    }
    ways["ended"] = Way(server.ports["mx"], VERSIONS["v2-all"], f" ssl crt {both}")
    ways["checked"] = Way(server.ports["mx"], "send-proxy-v2 check inter 200ms")
    ways["spoofing"] = Way(server.ports["plain"], "send-proxy-v2")
    with Haproxy(base, ways) as running:
        yield running


def port(haproxy: Haproxy, name: str) -> int:
    return haproxy.ways[name].port


def logged(server: Server, *words: str) -> str:
    def look() -> str:
        found = [each for each in server.logged().splitlines() if all(word in each for word in words)]
        assert found, words
        return found[-1]

    return within(PATIENCE, look, AssertionError)


@pytest.mark.parametrize("version", VERSIONS)
def test_mail_with_starttls_through_it(server: Server, haproxy: Haproxy, version: str) -> None:
    with smtplib.SMTP(
        "127.0.0.1", port(haproxy, f"mx-{version}"), "client.example", PATIENCE, (CLIENT, 0)
    ) as client:
        client.starttls(context=server.tls())
        client.sendmail("sender@elsewhere.example", ["joe@example.test"], f"Subject: {version}\r\n\r\nx\r\n")
    [message] = [each for each in arrived(server) if f"Subject: {version}\r\n".encode() in each]
    received = message.partition(b"Subject")[0].decode()
    assert f"[{CLIENT}]" in received
    assert "TLS" in received
    assert f"peer={CLIENT}" in logged(server, "smtp.accepted")


@pytest.mark.parametrize("version", VERSIONS)
def test_pop3_with_tls_that_ends_with_us(server: Server, haproxy: Haproxy, version: str) -> None:
    """haproxy passes the TLS on as it is: its header comes in clear before it."""
    place = ("127.0.0.1", port(haproxy, f"pop3s-{version}"))

    class Client(poplib.POP3_SSL):
        def _create_socket(self, timeout: float) -> ssl.SSLSocket:
            plain = socket.create_connection(place, timeout, (CLIENT, 0))
            return server.tls().wrap_socket(plain, server_hostname="127.0.0.1")

    client = Client(*place, timeout=PATIENCE)
    client.user("ann@example.test")
    client.pass_(PASSWORDS["ann@example.test"])
    [session] = server.control.get("/v1/sessions")["sessions"]
    assert (session["address"], session["account"]) == (CLIENT, "ann@example.test")
    client.quit()


def test_tls_that_ends_in_haproxy(server: Server, haproxy: Haproxy) -> None:
    """Its header tells of it, for the log; for us the connection is in clear."""
    context = server.tls()
    with smtplib.SMTP_SSL(
        "127.0.0.1", port(haproxy, "ended"), "client.example", timeout=PATIENCE, context=context
    ) as client:
        code, _ = client.ehlo()
        assert code == 250
        assert client.has_extn("starttls")
    told = logged(server, "proxy.header", "TLSv1.3")
    assert "version=2" in told
    assert "peer=127.0.0.1" in told


def test_health_checks(server: Server, haproxy: Haproxy) -> None:
    """haproxy asks by LOCAL whether we live; and while we do, lets clients through."""
    assert "proxy=127.0.0.1" in logged(server, "proxy.header", "local=true")
    with smtplib.SMTP("127.0.0.1", port(haproxy, "checked"), "client.example", PATIENCE) as client:
        assert client.noop()[0] == 250


def test_who_is_not_told_of_the_proxy_takes_no_header(server: Server, haproxy: Haproxy) -> None:
    """The header is no SMTP."""
    with socket.create_connection(("127.0.0.1", port(haproxy, "spoofing")), PATIENCE) as client:
        client.sendall(b"NOOP\r\n")
        client.shutdown(socket.SHUT_WR)
        heard = b""
        while data := client.recv(4096):
            heard += data
    assert b"\r\n250 " not in heard.partition(b"\r\n500 ")[0]
    assert b"\r\n500 " in heard or b"\r\n554 " in heard


def test_a_certificate_and_a_name_are_told(server: Server, haproxy: Haproxy) -> None:
    """The name that the client asked for stands in the header where TLS ends in haproxy."""
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.check_hostname = False
    plain = socket.create_connection(("127.0.0.1", port(haproxy, "ended")), PATIENCE)
    with context.wrap_socket(plain, server_hostname="mail.example.test") as client:
        assert client.recv(4096).startswith(b"220 ")
    assert "authority=mail.example.test" in logged(server, "proxy.header", "authority=mail.example.test")


def arrived(server: Server) -> list[bytes]:
    return [file.read_bytes() for file in (Path(server.maildir("joe@example.test")) / "new").iterdir()]
