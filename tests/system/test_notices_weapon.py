"""Whoever has notices sent to a stranger gets nowhere: measured at the stranger's.

Many subscriptions of many accounts point at one address, by webhooks and by NotifyMail, and all get mail.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest

from mailsuite.notify.outgoing.destinations import MAX_FAILURES, PER_HOST, USUAL_BURST, USUAL_RATE
from mailsuite.notify.outgoing.knocks import LISTENER_BURST, PER_LISTENER
from tests.system.harness import Server
from tests.system.hooks import Answer, Hooks, Posted, subscribe
from tests.system.test_notify import Finger

LONG = bool(os.environ.get("MAILSUITE_LONG"))
ACCOUNTS = tuple(f"user{number}@example.test" for number in range(1000 if LONG else 10))
EACH = 1 if LONG else 13
"""Webhooks of each account."""
COUNT = len(ACCOUNTS) * EACH
OTHER = "other@example.test"
"""Whose target is another one, told after all the others would have been."""
AT_ONCE = 50
"""Recipients of one message."""
MAIL = b"Subject: x\r\n\r\nx\r\n"
SLOW = 0.02
"""Seconds that the victim takes to answer, so that requests would pile up."""


@pytest.fixture
def finger() -> Iterator[Finger]:
    listener = Finger()
    yield listener
    listener.close()


@attrs.define
class Victim:
    """A web server that counts how many requests are open at a time."""

    status: int
    open: int = 0
    most: int = 0
    began: list[float] = attrs.field(factory=list)
    _guard: threading.Lock = attrs.field(factory=threading.Lock)

    def answer(self, posted: Posted) -> Answer:
        with self._guard:
            self.began.append(time.monotonic())
            self.open += 1
            self.most = max(self.most, self.open)
        time.sleep(SLOW)
        with self._guard:
            self.open -= 1
        return self.status, b""


@contextmanager
def aimed(server: Server, hooks: Hooks, finger: Finger) -> Iterator[None]:
    """A server whose every account points there."""
    server.accounts = ()
    server.extra = hooks.settings() + f"[notify.notifymail]\nports = [{finger.port}]\n"
    knock = {"state": "static", "address": "127.0.0.1", "port": finger.port}
    with server.start():
        for account in ACCOUNTS:
            server.control.post("/v1/accounts", {"address": account, "password": None, "notifymail": knock})
            for number in range(EACH):
                subscribe(server, account, hooks.url(f"/{account}/{number}"))
        yield


def fire(server: Server) -> None:
    """Mail for everybody."""
    with server.smtp() as client:
        for first in range(0, len(ACCOUNTS), AT_ONCE):
            client.sendmail("a@elsewhere.example", ACCOUNTS[first : first + AT_ONCE], MAIL)


def check_knocks(finger: Finger, began: float) -> None:
    most = LISTENER_BURST + (time.monotonic() - began) / PER_LISTENER.seconds
    assert 1 <= len(finger.heard) <= most


def test_many_accounts_at_one_address(own_server: Server, finger: Finger) -> None:
    victim = Victim(204)
    with Hooks(victim.answer) as hooks, aimed(own_server, hooks, finger):
        began = time.monotonic()
        fire(own_server)
        hooks.until(lambda: len({each.path for each in hooks.posted}) == COUNT)
        for number, at in enumerate(victim.began, start=1):
            assert number <= USUAL_BURST + (at - began) * USUAL_RATE.count / USUAL_RATE.seconds + 1
        assert victim.most <= PER_HOST
        check_knocks(finger, began)


def test_one_who_does_not_want_it_is_left_alone(own_server: Server, finger: Finger) -> None:
    """All that were under way when it had failed ten times, and no more."""
    victim = Victim(503)
    with Hooks(victim.answer) as hooks, aimed(own_server, hooks, finger):
        began = time.monotonic()
        fire(own_server)
        hooks.until(lambda: len(hooks.posted) >= MAX_FAILURES)
        own_server.control.post("/v1/accounts", {"address": OTHER, "password": None})
        subscribe(own_server, OTHER, hooks.url("/other", "127.0.0.9"))
        fire(own_server)
        own_server.deliver(MAIL, OTHER)
        hooks.until(lambda: hooks.at("/other"))
        victim.began.pop()
        assert len(victim.began) < MAX_FAILURES + PER_HOST
        assert victim.most <= PER_HOST
        check_knocks(finger, began)
