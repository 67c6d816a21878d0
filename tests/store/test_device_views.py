"""What follows from what devices have deleted."""

from __future__ import annotations

import pytest

from mailsuite.model.failure import PermanentFailure
from mailsuite.store.device_views import SEEN_GRAIN, DeviceView, check_device, deleted_by_all, is_device

NOW = 1_795_000_000.0


@pytest.mark.parametrize("id", ["a", "0123456789abcdef", "-", "x" * 40])
def test_ids(id: str) -> None:
    assert is_device(id)
    check_device(id)


@pytest.mark.parametrize("id", ["", "A", "x" * 41, ".", "..", "a/b", "a.tmp", "a\n", "ä", "a b"])
def test_ids_that_no_device_has(id: str) -> None:
    assert not is_device(id)
    with pytest.raises(PermanentFailure):
        check_device(id)


def test_what_is_hidden_and_what_is_in_the_trash() -> None:
    view = DeviceView(NOW, {"deleted": 100, "forgotten": 0}, frozenset({"old"}))
    hidden = {name: view.hides(name) for name in ("deleted", "forgotten", "old", "other")}
    assert hidden == {"deleted": True, "forgotten": True, "old": True, "other": False}
    assert [name for name in hidden if view.is_in_trash(name, 99)] == ["deleted"]
    assert not view.is_in_trash("deleted", 100)
    assert [name for name in hidden if view.has_forgotten(name)] == ["forgotten"]


def test_a_view_changes_by_being_replaced() -> None:
    view = DeviceView(NOW, {"a": 100}, frozenset({"old"}))
    assert view.delete(["b"], 200) == DeviceView(NOW, {"a": 100, "b": 200}, view.passed)
    assert view.forget(["a", "old", "other"]) == DeviceView(NOW, {"a": 0}, view.passed)
    assert view.show({"a", "old", "other"}) == DeviceView(NOW)
    assert view.seen_at(NOW + 1) == DeviceView(NOW + 1, {"a": 100}, view.passed)
    assert view.seen_at(NOW - 1) == view
    assert view == DeviceView(NOW, {"a": 100}, frozenset({"old"}))


@pytest.mark.parametrize(
    ("later", "news"), [(0.0, False), (SEEN_GRAIN, False), (SEEN_GRAIN + 1, True), (-SEEN_GRAIN - 1, False)]
)
def test_what_is_worth_writing_down(later: float, news: bool) -> None:
    assert DeviceView(NOW).is_news(NOW + later) == news


@pytest.mark.parametrize(
    ("present", "kept"),
    [
        ({"a", "b", "old", "new"}, {"a", "b", "old"}),
        ({"a", "old"}, {"a", "b", "old"}),
        ({"a"}, {"a"}),
        (set(), set()),
    ],
)
def test_what_is_gone_is_let_go_when_it_is_the_most(present: set[str], kept: set[str]) -> None:
    view = DeviceView(NOW, {"a": 1, "b": 0}, frozenset({"old"}))
    tidied = view.without_gone(present)
    assert {name for name in ("a", "b", "old", "new") if tidied.hides(name)} == kept
    assert (tidied is view) == (len(kept) == 3)


def test_nothing_is_let_go_of_nothing() -> None:
    view = DeviceView(NOW)
    assert view.without_gone(set()) is view


@pytest.mark.parametrize(
    ("views", "gone"),
    [
        ([], set()),
        ([DeviceView(NOW)], set()),
        ([DeviceView(NOW, {"a": 1, "b": 0})], {"a", "b"}),
        ([DeviceView(NOW, {"a": 1, "b": 1}), DeviceView(NOW, {"b": 1, "c": 1})], {"b"}),
        ([DeviceView(NOW, {"a": 1}), DeviceView(NOW)], set()),
        ([DeviceView(NOW, {"a": 1}), DeviceView(NOW - 60)], set()),
        ([DeviceView(NOW, {"a": 1}), DeviceView(NOW - 61)], {"a"}),
        ([DeviceView(NOW - 61, {"a": 1})], set()),
        ([DeviceView(NOW, {"a": 1}), DeviceView(NOW, passed=frozenset({"a", "b"}))], {"a"}),
        ([DeviceView(NOW, passed=frozenset({"a"}))], set()),
        ([DeviceView(NOW - 61, {"a": 1}), DeviceView(NOW, passed=frozenset({"a"}))], set()),
        ([DeviceView(NOW + 999, {"a": 1})], {"a"}),
        ([DeviceView(NOW, {"a": 1}), DeviceView(NOW + 999)], set()),
    ],
)
def test_what_nobody_waits_for(views: list[DeviceView], gone: set[str]) -> None:
    assert deleted_by_all(views, NOW, 60.0) == gone
