"""Notices in numbers."""

from __future__ import annotations

from twisted.internet.task import Clock

from mailsuite.admin.notices_figures import notices_summary, show_notices
from mailsuite.concurrent.now import run_now
from mailsuite.model.address import Address
from mailsuite.model.subscription import Subscription, SubscriptionState
from mailsuite.notices.memory import MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.counters import NotifyCounters
from mailsuite.observe.metrics import Metrics
from tests.observe.test_metrics import figures

JOE = Address("joe", "example.net")


def book_with(*states: SubscriptionState) -> Book:
    book = Book(MemorySubscriptions(), Clock())
    for number, state in enumerate(states):
        run_now(book.add(Subscription(f"sub_{number}", JOE, "", "webhook", "", "x", state=state), 0))
    return book


def test_subscriptions_by_state_and_knocks_by_outcome() -> None:
    metrics, knocks = Metrics(), NotifyCounters()
    active, dead = SubscriptionState.ACTIVE, SubscriptionState.DEAD
    book = book_with(active, active, dead)
    show_notices(metrics, book, knocks)
    knocks.timed_out += 3
    shown = figures(metrics)
    assert (shown["mailsuite_subscriptions", "active"], shown["mailsuite_subscriptions", "dead"]) == (2, 1)
    assert shown["mailsuite_subscriptions", "paused"] == 0
    assert shown["mailsuite_notifymail_total", "timed-out"] == 3
    run_now(book.remove("sub_0"))
    assert figures(metrics)["mailsuite_subscriptions", "active"] == 1


def test_one_screen() -> None:
    metrics = Metrics()
    for result in ("ok", "ok", "failed"):
        metrics.notices.ended("webhook", result)
    metrics.notices.ended("ntfy", "gone")
    states = {"unverified": 0, "active": 0, "paused": 1, "suspended": 0, "dead": 0}
    assert notices_summary(metrics, book_with(SubscriptionState.PAUSED)) == {
        "subscriptions": states,
        "channels": {"webhook": {"ok": 2, "failed": 1}, "ntfy": {"gone": 1}},
    }
    assert notices_summary(Metrics(), book_with())["channels"] == {}
