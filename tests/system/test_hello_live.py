"""What clients say in HELO, judged by a running server that asks a real name server (rows S-A19, M-26)."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

from tests.dns_server import DnsServer
from tests.system.harness import LIMITS, PATIENCE, Server

CLIENT = "127.0.0.7"
"""All of 127.0.0.0/8 is this machine; what its addresses are called is asked for as the test wants it."""


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with DnsServer() as running:
        running.zone.host("mx.elsewhere.test", CLIENT)
        yield running


def begin(server: Server, dns: DnsServer, *lines: str) -> None:
    more = ("[resolver]", f"servers = {dns.setting}", "ask_private = true", 'timeout = "1s"')
    server.extra = LIMITS.replace("[smtp]", "\n".join((*more, "[smtp]", "hello_trusted = []", *lines)))
    server.start()


def answer(server: Server, helo: str) -> tuple[int, bytes]:
    """What MAIL is told after this HELO; a message is delivered where it is let pass."""
    place = ("127.0.0.1", server.ports["mx"])
    with smtplib.SMTP(*place, helo, timeout=PATIENCE, source_address=(CLIENT, 0)) as client:
        client.ehlo(helo)
        told = client.mail("a@elsewhere.test")
        if told[0] == 250:
            client.rcpt("joe@example.test")
            assert client.data(b"Subject: hello\r\n\r\nWorld\r\n")[0] == 250
        return told


def test_by_default_it_is_told_to_the_log_alone(own_server: Server, dns: DnsServer) -> None:
    begin(own_server, dns)
    assert answer(own_server, "other.test")[0] == 250
    assert answer(own_server, "mx.elsewhere.test")[0] == 250
    for message in own_server.messages():
        assert b"(mx.elsewhere.test [127.0.0.7])" in message
    assert own_server.stop() == 0
    (line,) = [line for line in own_server.logged().splitlines() if "smtp.hello_mismatch" in line]
    assert "peer=127.0.0.7 helo=other.test host=mx.elsewhere.test refused=false" in line


def test_refused_where_that_is_wanted(own_server: Server, dns: DnsServer) -> None:
    begin(own_server, dns, 'hello_mismatch = "reject"')
    for helo in ("other.test", "[127.0.0.8]"):
        code, text = answer(own_server, helo)
        assert (code, text[:6]) == (550, b"5.7.1 ")
    for helo in ("mx.elsewhere.test", "[127.0.0.7]"):
        assert answer(own_server, helo)[0] == 250


def test_our_own_name_from_outside(own_server: Server, dns: DnsServer) -> None:
    begin(own_server, dns)
    for helo in ("mail.example.test", "MAIL.example.test", "[127.0.0.1]"):
        assert answer(own_server, helo) == (
            550,
            b"5.7.1 You introduced yourself by the name or address of this server",
        )


@pytest.mark.parametrize("fault", ["servfail", "silent", "garbage", "wrong-id"])
def test_a_name_server_in_trouble_refuses_nobody(own_server: Server, dns: DnsServer, fault: str) -> None:
    dns.zone.faults[""] = fault  # type: ignore[assignment]
    begin(own_server, dns, 'hello_mismatch = "reject"')
    assert answer(own_server, "mx.elsewhere.test")[0] == 250
    assert b"(mx.elsewhere.test" not in own_server.messages()[0]
