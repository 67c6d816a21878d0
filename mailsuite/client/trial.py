"""Has the server send a test notice, and sees how long it takes to come here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TookTooLong

from mailsuite.client.asking import ask
from mailsuite.client.news import read_news
from mailsuite.client.pop3 import Login
from mailsuite.client.stream import Server, StreamBroken, StreamClient, StreamMissing
from mailsuite.model.notice import Kind
from mailsuite.wire.sse import Event

PATH: Final = "/notify/v1/test"
SECONDS: Final = 15.0


async def seconds_of_a_test(reactor: Any, server: Server, login: Login, clock: Callable[[], float]) -> float:
    """From our asking for it until it is here. *clock*: seconds that only go on.

    Raises LoginRefused, StreamMissing, StreamBroken, and what the network raises.
    """
    opened: Deferred[None] = Deferred()
    seen: Deferred[float] = Deferred()

    def heard(event: Event) -> None:
        news = None if event.type in {"ping", "resync"} else read_news("", event.data)
        if news is not None and news.kind is Kind.TEST and not seen.called:
            seen.callback(clock())

    def is_open() -> None:
        opened.callback(None)

    def ended(failure: Any) -> None:
        for waiting in (opened, seen):
            if not waiting.called:
                waiting.errback(failure)
                return

    following = Deferred.fromCoroutine(
        StreamClient(reactor, server, login).follow("", is_open, heard, lambda _: None)
    )
    following.addErrback(ended)
    try:
        await opened
        begun = clock()
        answer = await ask(reactor, server, login, "POST", PATH, document={})
        if answer.status >= 400:
            raise StreamMissing(f"the server sends no test notices (HTTP {answer.status})")
        seen.addTimeout(SECONDS, reactor)
        return await seen - begun
    except TookTooLong as error:
        raise StreamBroken("the test notice did not come") from error
    finally:
        seen.addErrback(lambda _: None)
        following.cancel()
