"""Waits for Twisted's own Deferreds, for so long at most.

Many of them end with errors of their own kinds when they are cancelled (ConnectingCancelledError,
ResponseNeverReceived), so that nobody could tell a program that stops from a server that does not answer.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")


async def within(seconds: float, clock: IReactorTime, inner: Deferred[T]) -> T:
    """What *inner* comes to. Raises TookTooLong after *seconds*, CancelledError where we are cancelled, and
    what *inner* fails with."""
    given_up = False

    def give_up(_: object = None) -> None:
        nonlocal given_up
        given_up = True
        inner.cancel()

    def too_late() -> None:
        give_up()
        outer.errback(TookTooLong())

    def pass_on(result: Any) -> None:
        if not given_up:
            outer.callback(result)

    outer: Deferred[T] = Deferred(give_up)
    timer = clock.callLater(seconds, too_late)
    inner.addBoth(pass_on)
    try:
        return await outer
    finally:
        if timer.active():
            timer.cancel()
