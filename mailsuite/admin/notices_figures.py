"""Notices in numbers: for ``mailsuite status`` and for Prometheus."""

from __future__ import annotations

from collections import Counter
from typing import Final

import attrs

from mailsuite.admin.resources import Document
from mailsuite.model.subscription import SubscriptionState
from mailsuite.notify.book import Book
from mailsuite.notify.counters import NotifyCounters
from mailsuite.observe.metrics import Metrics

STATES: Final = tuple(state.value for state in SubscriptionState)


def show_notices(metrics: Metrics, book: Book, knocks: NotifyCounters) -> None:
    """Among *metrics*; once. How many tries there were by channel is counted there already."""
    metrics.gauges(
        "mailsuite_subscriptions", "Subscriptions to notices, by state.", "state", lambda: _by_state(book)
    )
    metrics.counters(
        "mailsuite_notifymail",
        "Knocks of NotifyMail (RFC 4146) by what came of them, and mail that made none by the reason.",
        "outcome",
        lambda: {name.replace("_", "-"): value for name, value in attrs.asdict(knocks).items()},
    )


def notices_summary(metrics: Metrics, book: Book) -> Document:
    """How many subscriptions there are, and how tries ended since the start."""
    return {"subscriptions": _by_state(book), "channels": metrics.notices.counts()}


def _by_state(book: Book) -> dict[str, int]:
    there = Counter(standing.subscription.state.value for standing in book.all())
    return {state: there[state] for state in STATES}
