"""Lines of those who wait for leave to send."""

from __future__ import annotations

import pytest

from mailsuite.model.rate import Rate
from mailsuite.notify.lines import Lines
from mailsuite.notify.outgoing.destinations import Destinations, End

KEY = "a.example:443"


class Street:
    def __init__(self) -> None:
        self.time = 1000.0
        self.looks: list[tuple[str, float]] = []
        self.let_in: list[str] = []
        self.destinations = Destinations(lambda: self.time, 1, Rate(1, 10.0), 2)
        self.lines = Lines(
            self.destinations,
            lambda: self.time,
            lambda key, at: self.looks.append((key, at)),
            lambda id, key: self.let_in.append(id),
        )


@pytest.fixture
def street() -> Street:
    return Street()


def test_first_come_first_served_and_one_at_a_time(street: Street) -> None:
    assert not street.lines.is_closed(KEY)
    assert street.destinations.begin(KEY)
    assert street.lines.is_closed(KEY)
    for id in ("a", "b", "c"):
        street.lines.join(KEY, id)
    street.lines.join(KEY, "first", in_front=True)
    assert (len(street.lines), street.looks) == (4, [])  # somebody is inside: freed() will come
    street.destinations.ended(KEY, End.OK)
    street.lines.freed(KEY)
    assert street.looks == [(KEY, 1000.0)]
    street.lines.come_up(KEY)
    street.lines.come_up(KEY)
    assert street.let_in == ["first"]
    assert street.destinations.begin(KEY)
    street.lines.passed(KEY)
    assert len(street.looks) == 1
    street.destinations.ended(KEY, End.OK)
    street.lines.freed(KEY)
    assert street.looks[1:] == [(KEY, 1010.0)]
    street.lines.come_up(KEY)  # too early
    assert (street.let_in, street.looks[2:]) == (["first"], [(KEY, 1010.0)])
    street.time = 1010.0
    street.lines.come_up(KEY)
    street.lines.passed(KEY)  # he does not want to
    street.lines.come_up(KEY)
    assert street.let_in == ["first", "a", "b"]


def test_a_line_that_is_gone(street: Street) -> None:
    street.lines.come_up(KEY)
    street.lines.freed(KEY)
    street.lines.passed(KEY)
    street.lines.join(KEY, "a")
    street.lines.join("b.example:443", "b")
    assert sorted(street.lines.dissolve()) == ["a", "b"]
    assert (len(street.lines), street.let_in) == (0, [])
    assert not street.lines.is_closed(KEY)


def test_who_comes_while_others_wait_waits_too(street: Street) -> None:
    street.lines.join(KEY, "a")
    assert street.lines.is_closed(KEY)
    street.lines.come_up(KEY)
    assert not street.lines.is_closed(KEY)
