"""Failed mail from strangers, until the postmaster is told of it: one letter an hour at most (features row
Q-08)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.delivery.dsn import Notice
from mailsuite.delivery.notices_post import Post
from mailsuite.interfaces import IOutboundQueue
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.failure import MailFailure, PermanentFailure
from mailsuite.model.outbound import Owed
from mailsuite.observe.log import Log

DIGEST_EVERY = 3600.0
"""Seconds from the first message of a digest to the letter; so there is one an hour at most."""
MAX_DIGEST = 200
"""Messages that a digest names. Further ones it counts, and the log has them."""
RETRY = 300.0
"""Seconds until a notice is tried again that could not be sent."""

Key = tuple[str, NotifyOn]
Write = Callable[[Address, Sequence[Owed], int], Awaitable[Notice]]


def key_of(owed: Owed) -> Key:
    """What is told at once."""
    return owed.message.id, owed.kind


@attrs.define(eq=False)
class Digest:
    """What the next letter is about. It stays owed in the queue until the letter is durable."""

    queue: IOutboundQueue
    post: Post
    to: Callable[[], Address]
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    write: Write
    """To whom, of what, and of how many more messages. Fails as the directory of accounts does."""
    _since: dict[Key, float] = attrs.field(factory=dict, init=False)
    _unlisted: int = attrs.field(default=0, init=False)
    _not_before: float = attrs.field(default=0.0, init=False)

    def __len__(self) -> int:
        return len(self._since)

    @property
    def due(self) -> float | None:
        """When the letter is sent, in seconds since the epoch; None: there is none."""
        if not self._since:
            return None
        return max(min(self._since.values()) + DIGEST_EVERY, self._not_before)

    async def add(self, owed: Owed) -> None:
        """Have the next letter speak of it. Fails as the queue does."""
        if key_of(owed) in self._since:
            return
        self.log.info(
            "notice.withheld",
            id=owed.message.id,
            sender="<>" if owed.message.sender is None else owed.message.sender,
            recipients=len(owed.recipients),
        )
        if len(self._since) < MAX_DIGEST:
            self._since[key_of(owed)] = self.seconds()
        else:
            await self.queue.told(owed)
            self._unlisted += 1

    def keep(self, owed: set[Key]) -> None:
        """Forget what is none of *owed*: somebody else has settled it."""
        for key in self._since.keys() - owed:
            del self._since[key]

    async def send(self, owed: Sequence[Owed]) -> None:
        """Send the letter when its time has come; *owed* is all that is, its own and what is not. Fails as
        the queue does."""
        due = self.due
        if due is None or due > self.seconds():
            return
        listed = [each for each in owed if key_of(each) in self._since]
        try:
            to = self.to()
            letter = await self.write(to, listed, self._unlisted)
            notice = await self.post.send(to, lambda _: letter, last=True)
        except CancelledError:
            raise
        except PermanentFailure as failure:
            self.log.error("notice.lost", id="digest", reason=failure.reason)
        except MailFailure as failure:
            self._not_before = self.seconds() + RETRY
            self.log.warning("notice.postponed", id="digest", reason=failure.reason)
            return
        except Exception:
            self._not_before = self.seconds() + RETRY
            self.log.failure("notice.failed", Failure(), id="digest")
            return
        else:
            self.log.info("notice.digest", id=notice.id, messages=len(listed) + self._unlisted)
        self._unlisted = 0
        for each in listed:
            await self.queue.told(each)
            del self._since[key_of(each)]
