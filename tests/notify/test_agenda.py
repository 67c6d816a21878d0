"""One timer for any number of dates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from mailsuite.notify import agenda as module
from mailsuite.notify.agenda import BATCH, LOOK_EVERY, Agenda


class Desk:
    def __init__(self) -> None:
        self.clock = Clock()
        self.offset = 1e9
        self.came: list[tuple[float, str]] = []
        self.agenda = Agenda(self.clock, self.now, self.come)

    def come(self, name: str) -> None:
        self.came.append((self.clock.seconds(), name))

    def now(self) -> float:
        return self.offset + self.clock.seconds()

    def put(self, name: str, seconds: float) -> None:
        self.agenda.put(name, self.now() + seconds)

    @property
    def calls(self) -> int:
        return len(self.clock.getDelayedCalls())


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_each_comes_up_at_its_date_by_one_timer(desk: Desk) -> None:
    for name, seconds in (("b", 2.0), ("a", 1.0), ("c", 3.0), ("d", -5.0)):
        desk.put(name, seconds)
        assert desk.calls == 1
    assert len(desk.agenda) == 4
    for _ in range(40):
        desk.clock.advance(0.125)
    assert [name for _, name in desk.came] == ["d", "a", "b", "c"]
    assert [at for at, _ in desk.came] == [0.125, 1.0, 2.0, 3.0]
    assert (desk.calls, len(desk.agenda)) == (0, 0)


def test_the_earliest_date_holds(desk: Desk) -> None:
    desk.put("a", 5.0)
    desk.put("a", 1.0)
    desk.put("a", 3.0)
    desk.clock.pump([1.0] * 10)
    assert desk.came == [(1.0, "a")]


def test_what_is_dropped_comes_up_no_more(desk: Desk) -> None:
    desk.put("a", 1.0)
    desk.put("b", 2.0)
    desk.agenda.drop("a")
    desk.agenda.drop("nobody")
    desk.clock.pump([0.5] * 6)
    assert desk.came == [(2.0, "b")]
    desk.put("c", 1.0)
    desk.agenda.stop()
    desk.agenda.stop()
    desk.clock.advance(10.0)
    assert (len(desk.came), desk.calls) == (1, 0)


def test_the_date_is_looked_at_again_where_the_clock_is_set(desk: Desk) -> None:
    desk.put("a", 7200.0)
    desk.offset += 7190.0
    desk.clock.advance(LOOK_EVERY)
    assert desk.came == [(LOOK_EVERY, "a")]


def test_others_have_their_turns(desk: Desk) -> None:
    for number in range(BATCH + 1):
        desk.put(f"n{number:04}", 1.0)
    others: list[int] = []
    desk.clock.callLater(1.0, lambda: others.append(len(desk.came)))
    desk.clock.advance(1.0)
    assert others == [BATCH]
    assert len(desk.came) == BATCH + 1


def test_dates_that_hold_no_more_do_not_pile_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SURPLUS", 10)
    for number in range(1000):
        desk.put("a", 5000.0 - number)
        assert len(desk.agenda._heap) <= 13
    desk.offset += 5000.0
    desk.clock.advance(60.0)
    assert [name for _, name in desk.came] == ["a"]


def test_a_mistake_does_not_stop_the_timer(desk: Desk) -> None:
    def fail(name: str) -> None:
        if name == "a":
            raise ZeroDivisionError
        desk.came.append((0.0, name))

    desk.agenda.comes_up = fail
    desk.put("a", 1.0)
    desk.put("b", 2.0)
    with pytest.raises(ZeroDivisionError):
        desk.clock.advance(1.5)
    desk.clock.advance(1.0)
    assert desk.came == [(0.0, "b")]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 50), st.integers(0, 5)), max_size=40))
def test_nothing_is_late_or_forgotten(puts: list[tuple[str, int, int]]) -> None:
    desk = Desk()
    expected: dict[str, float] = {}
    done: list[tuple[float, str]] = []
    for name, seconds, pause in puts:
        at = desk.clock.seconds() + seconds
        expected[name] = min(expected.get(name, at), at)
        desk.put(name, seconds)
        for _ in range(pause):
            desk.clock.advance(1.0)
            now = desk.clock.seconds()
            done += sorted((now, each) for each, date in expected.items() if date <= now)
            expected = {each: date for each, date in expected.items() if date > now}
    assert sorted(desk.came) == sorted(done)
