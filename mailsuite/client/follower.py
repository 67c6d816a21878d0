"""Follows one account: by its stream while there is one, else by knocks and by looking now and then."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, ParamSpec

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from mailsuite.client.kept import Kept
from mailsuite.client.news import News, read_news
from mailsuite.client.pop3 import LoginRefused
from mailsuite.client.stream import StreamBroken, StreamClient, StreamMissing
from mailsuite.client.trouble import in_words
from mailsuite.client.verifier import Verifier, Why
from mailsuite.model.notice import Kind
from mailsuite.wire.sse import Event

P = ParamSpec("P")

FIRST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 300.0
"""Seconds before a stream is tried again: the first time, and after many failures."""
MISSING_WAIT: Final = 3600.0
"""Seconds after which we ask again a server that had no stream."""


class Transport(enum.Enum):
    """How to hear of new mail."""

    AUTO = "auto"
    """The stream; while there is none, the listener, and looking now and then besides: whether a knock can
    reach this computer nobody knows before one came."""
    STREAM = "stream"
    LISTENER = "listener"
    """Knocks, and nothing else."""
    POLL = "poll"


@attrs.define(eq=False)
class Follower:
    """One account.

    *tell* hears the news, each once; *gone* that mail was fetched elsewhere; *trouble* of what does not work,
    in words, None when it does again; *listens* whether knocks are wanted now.
    """

    clock: IReactorTime
    account: str
    transport: Transport
    stream: StreamClient | None
    verifier: Verifier
    kept: Kept
    tell: Callable[[News], None]
    gone: Callable[[], None]
    trouble: Callable[[str | None], None]
    listens: Callable[[bool], None]
    chance: Callable[[], float]
    """A number from 0 to 1, another each time."""
    is_live: bool = attrs.field(default=False, init=False)
    """The stream is open."""
    _failures: int = attrs.field(default=0, init=False)
    _mistake: Exception | None = attrs.field(default=None, init=False)
    """What went wrong here, and not with the stream."""

    async def follow(self) -> None:
        """Until cancelled. Raises LoginRefused."""
        match self.transport:
            case Transport.LISTENER:
                self.listens(True)
                self.verifier.ask(Why.GAP)
            case Transport.POLL:
                self.verifier.poll_for(Why.POLL)
            case _ if self.stream is not None:
                await self._follow_stream(self.stream)

    def knocked(self) -> None:
        """Somebody says that there is something: look."""
        if self.transport is not Transport.POLL and not self.is_live:
            self.verifier.ask(Why.KNOCK)

    async def _follow_stream(self, stream: StreamClient) -> None:
        opened, heard = self._ours(self._opened), self._ours(self._heard)
        moved = self._ours(self._moved)
        while True:
            try:
                await stream.follow(self.kept.last_id, opened, heard, moved)
            except (LoginRefused, CancelledError):
                raise
            except Exception as error:  # whatever the network is up to: it is tried again
                if error is self._mistake:
                    raise
                wait = self._closed(error)
            pause: Deferred[None] = Deferred()
            timer = self.clock.callLater(wait, pause.callback, None)
            try:
                await pause
            finally:
                if timer.active():
                    timer.cancel()

    def _ours(self, work: Callable[P, None]) -> Callable[P, None]:
        """*work*, whose failures are no trouble of the network."""

        def watched(*arguments: P.args, **more: P.kwargs) -> None:
            try:
                work(*arguments, **more)
            except Exception as mistake:
                self._mistake = mistake
                raise

        return watched

    def _opened(self) -> None:
        self.is_live, self._failures = True, 0
        self.trouble(None)
        self.verifier.poll_for(Why.BASE)
        self.listens(False)
        if not self.kept.last_id:  # then it tells what comes from now on
            self.verifier.ask(Why.GAP)

    def _closed(self, error: Exception) -> float:
        """What a stream that is not there means; answers the seconds until it is tried again."""
        was_live, self.is_live = self.is_live, False
        self._failures += 1
        if not was_live:
            self.trouble(in_words(error))
            if self.transport is Transport.AUTO:
                self.listens(True)
                self.verifier.poll_for(Why.POLL)
        if isinstance(error, StreamMissing):
            return MISSING_WAIT
        asked = error.after if isinstance(error, StreamBroken) else None
        first = FIRST_WAIT if asked is None else asked
        doubled = first * 2.0 ** min(self._failures - 1, 16)
        # Longer or shorter by half, so that not all come back at once to a server that has restarted.
        return max(first, min(doubled, LONGEST_WAIT)) * (0.5 + self.chance())

    def _moved(self, last_id: str) -> None:
        self.kept.last_id = last_id
        self.kept.write()

    def _heard(self, event: Event) -> None:
        match event.type:
            case "ping":
                return
            case "resync":
                self.verifier.ask(Why.GAP)
                return
        try:
            news = read_news(self.account, event.data)
        except ValueError:
            self.trouble("the server sends a notice that cannot be read")
            return
        if news is None or not self.kept.is_new(news.id):
            return
        if news.kind is Kind.MAIL_CLEARED:
            self.kept.told = 0  # those may be gone; better told twice than never
            self.gone()
        elif news.count:
            if news.kind is Kind.MAIL_NEW:
                self.kept.told += news.count
            self.tell(news)
