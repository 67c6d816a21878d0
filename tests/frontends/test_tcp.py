"""What is asked of a TCP socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.testing import StringTransport
from zope.interface import directlyProvides

from mailsuite.frontends import tcp


class Transport(StringTransport):
    """A TCP transport around a socket that is connected to nothing."""

    def __init__(self, connection: object) -> None:
        super().__init__()
        self.socket = connection
        self.asked: list[str] = []

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.asked.append(f"no delay {enabled}")

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.asked.append(f"keep alive {enabled}")


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.socket() as made:
        yield made


def prepare(connection: object, is_tcp: bool = True) -> Transport:
    transport = Transport(connection)
    if is_tcp:
        directlyProvides(cast(Any, transport), ITCPTransport)
    tcp.set_up(transport)
    return transport


def test_a_dead_client_is_asked_for_and_a_stalled_one_costs_little(connection: socket.socket) -> None:
    transport = prepare(connection)
    assert transport.asked == ["no delay True", "keep alive True"]
    values = {
        name: connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name, _ in tcp._OPTIONS
    }
    assert values == {
        "TCP_KEEPIDLE": 60,
        "TCP_KEEPINTVL": 15,
        "TCP_KEEPCNT": 4,
        "TCP_NOTSENT_LOWAT": 128 * 1024,
    }


def test_a_platform_without_them(connection: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in tcp._OPTIONS:
        monkeypatch.delattr(socket, name)
    assert prepare(connection).asked == ["no delay True", "keep alive True"]


def test_a_client_that_is_gone_already(connection: socket.socket) -> None:
    connection.close()
    assert prepare(connection).asked == ["no delay True", "keep alive True"]


def test_whatever_is_no_tcp_is_left_alone(connection: socket.socket) -> None:
    assert prepare(connection, is_tcp=False).asked == []
    assert prepare(None).asked == ["no delay True", "keep alive True"]
