"""What bench.notify makes of what was heard."""

from __future__ import annotations

import socket
import time

import pytest

from bench.apart import Apart
from bench.notice_ears import Heard, Listeners, Receiver, address_of, number_of
from bench.notice_mail import Handed
from bench.notice_server import everywhere
from bench.notify import spread, told_by_knocks

REQUEST = b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{"subject": "n7"}'
PATIENCE = 10.0


def test_addresses_are_numbers() -> None:
    for number in (0, 1, 249, 250, 999):
        assert number_of(address_of(number)) == number


def test_a_knock_tells_of_the_newest_mail_of_its_account() -> None:
    handed = [Handed(0, 1.0, 1.1), Handed(1, 1.5, 1.6), Handed(2, 2.0, 2.1), Handed(4, 3.0, 3.1)]
    doors = [(0, 0.5), (0, 1.2), (0, 3.2), (0, 3.3), (1, 9.0)]
    assert told_by_knocks(handed, doors, 2) == [(0, 1.2), (4, 3.2), (1, 9.0)]


def test_percentiles() -> None:
    assert spread([number / 1000 for number in range(101)]).split() == ["50.00", "99.00", "100.00"]
    assert spread([]).split() == ["-", "-", "-"]


def heard(apart: Apart[list[Heard]], count: int) -> list[Heard]:
    """It notes what came before it was asked; so it is asked when the other side has its answer."""
    found = apart.result()
    assert len(found) == count
    return found


def test_knocks_are_heard_at_every_address() -> None:
    with everywhere() as listener, Apart(Listeners(listener)) as apart:
        port, before = listener.getsockname()[1], time.monotonic()
        for number in (3, 300):
            with socket.create_connection((address_of(number), port), PATIENCE) as knock:
                knock.sendall(b"nm_notifyuser\r\n")
                knock.shutdown(socket.SHUT_WR)
                assert knock.recv(1) == b"", "it has read all, and closed"
        found = heard(apart, 2)
    assert [number for number, _ in found] == [3, 300]
    assert all(before < at < time.monotonic() for _, at in found), "one clock for all"


def test_what_is_posted_is_heard() -> None:
    with everywhere() as listener, Apart(Receiver(listener)) as apart:
        with socket.create_connection(("127.0.0.9", listener.getsockname()[1]), PATIENCE) as client:
            for piece in (REQUEST[:20], REQUEST[20:] + REQUEST):
                client.sendall(piece)
            answers = b""
            while answers.count(b"204 No Content\r\n\r\n") < 2:
                answers += client.recv(4096)
        found = heard(apart, 2)
    assert [number for number, _ in found] == [7, 7]


def test_a_generator_that_fails_is_no_figure() -> None:
    def works(pipe: object) -> int:
        raise ValueError("no server")

    with pytest.raises(RuntimeError, match="no server"), Apart(works):
        pass
