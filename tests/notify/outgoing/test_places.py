"""Who may have a request under way, and who waits."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from mailsuite.notify.outgoing import places as module
from mailsuite.notify.outgoing.causes import Cause, Unreached
from mailsuite.notify.outgoing.places import Places


class Hall:
    """Places, and who has come for one, by name."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.places = Places(self.clock, per_host=2)
        self.running: dict[str, Deferred[None]] = {}
        self.outcomes: dict[str, object] = {}

    def come(self, name: str, host: str = "a", patience: float = 10.0) -> bool:
        """Whether there is a place at once."""
        taking = Deferred.fromCoroutine(self.places.take(host, patience))
        self.running[name] = taking
        taking.addBoth(lambda outcome: self.outcomes.__setitem__(name, outcome))
        return self.has_place(name)

    def has_place(self, name: str) -> bool:
        return name in self.outcomes and self.outcomes[name] is None

    def failure(self, name: str) -> BaseException:
        outcome = self.outcomes[name]
        assert isinstance(outcome, Failure)
        assert outcome.value is not None
        return outcome.value


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_a_few_of_one_host(hall: Hall) -> None:
    assert [hall.come(name) for name in "123"] == [True, True, False]
    assert hall.come("other", "b")
    hall.places.free("a")
    assert hall.has_place("3")
    assert not hall.come("4")


def test_first_come_first_served(hall: Hall) -> None:
    for name in "12345":
        hall.come(name)
    for name in "345":
        assert not hall.has_place(name)
        hall.places.free("a")
        assert hall.has_place(name)


def test_all_have_a_limit_together(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALL", 3)
    assert [hall.come(host, host) for host in "abcde"] == [True, True, True, False, False]
    hall.places.free("b")
    assert hall.has_place("d")
    assert not hall.has_place("e")


def test_who_waits_for_a_full_host_keeps_nobody_else(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALL", 3)
    for name in "1234":
        hall.come(name, "a" if name != "3" else "b")
    hall.come("5", "c")
    hall.places.free("b")
    assert not hall.has_place("4")
    assert hall.has_place("5")


def test_patience_ends(hall: Hall) -> None:
    for name in "12":
        hall.come(name)
    hall.come("3", patience=1.0)
    hall.come("4", patience=5.0)
    hall.clock.advance(1.0)
    failure = hall.failure("3")
    assert isinstance(failure, Unreached)
    assert failure.cause is Cause.BUSY
    hall.places.free("a")
    assert hall.has_place("4")
    assert hall.clock.getDelayedCalls() == []


def test_whoever_is_cancelled_waits_no_more(hall: Hall) -> None:
    for name in "123":
        hall.come(name)
    hall.running["3"].cancel()
    assert isinstance(hall.failure("3"), CancelledError)
    hall.places.free("a")
    assert hall.come("4")


def test_not_too_many_wait(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    assert [hall.come(name) for name in "1234"] == [True, True, False, False]
    assert isinstance(hall.failure("4"), Unreached)
    assert "3" not in hall.outcomes
    hall.running["3"].cancel()


def test_hosts_that_nothing_goes_to_are_forgotten(hall: Hall) -> None:
    for number in range(100):
        assert hall.come(str(number), str(number))
        hall.places.free(str(number))
    assert len(hall.places._taken) == 0
