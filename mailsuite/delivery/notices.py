"""Tells senders what became of their mail, as the outbound queue owes it to them.

Who is told (features rows Q-07, Q-08, S-A17):

- whoever sent it, where we know who that is: somebody logged in, or a listed host handed it in;
- the postmaster, by a letter, of a failed message that has no return address and is a notice of ours or was
  submitted (a double bounce), or whose return address does not work. What becomes of that letter nobody is
  told: it never bounces;
- the postmaster, by one letter an hour about all of it, of failed mail from strangers: it was forwarded, and
  a notice to its sender would be backscatter. Of its delays and successes nobody is told.

Everything is told at least once: a notice is durable before the queue forgets that it is owed. After a crash
between the two a notice in a maildrop is there twice; one to another server is not, for its id is the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.delivery.dsn import Notice, compose
from mailsuite.delivery.dsn_decision import NoticeRules, is_moot, wanted, was_asked_for
from mailsuite.delivery.dsn_digest import digest
from mailsuite.delivery.dsn_languages import LANGUAGES, nobody_says
from mailsuite.delivery.dsn_original import Original, original_of, read_original
from mailsuite.delivery.dsn_report import OUR_IDS, Reader, Report
from mailsuite.delivery.dsn_texts import Texts
from mailsuite.delivery.notices_digest import RETRY, Digest, Key, key_of
from mailsuite.delivery.notices_post import Post
from mailsuite.interfaces import IOutboundQueue
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.failure import MailFailure, TemporaryFailure
from mailsuite.model.notice import Kind
from mailsuite.model.outbound import Owed, QueuedMessage, QueuedRecipient
from mailsuite.observe.log import Log

BATCH = 50
"""Messages whose notices are sent in one go."""
MAX_TOGETHER = 100
"""Recipients in one notice; more are told of in several."""
MAX_LATER = 200
"""Messages whose notices could not be sent: with so many, the way is closed, and no others are tried."""
PATIENCE = 2 * 86_400.0
"""Seconds from what a notice is about to where nobody waits any more for the way to its reader; as long as
mail without a sender is tried (features row Q-03). After twice as long it is in the log alone."""
_KINDS = {NotifyOn.DELAY: Kind.QUEUE_DELAYED, NotifyOn.FAILURE: Kind.QUEUE_FAILED}


def nobody_else() -> Address | None:
    """Where the postmaster reads everything."""
    return None


def nobody_knows(message: QueuedMessage, recipient: QueuedRecipient) -> float:
    """Where nothing is known of the end of the attempts."""
    return 0.0


@attrs.define(eq=False)
class Notices:
    """Whoever runs the queue calls work() whenever something may be owed, one call at a time."""

    queue: IOutboundQueue
    post: Post
    hostname: str
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    rules: Callable[[], NoticeRules] = NoticeRules
    """Those in force."""
    retry_until: Callable[[QueuedMessage, QueuedRecipient], float] = nobody_knows
    """Until when a delayed message is tried, in seconds since the epoch; 0: unknown."""
    contact: Callable[[], Address | None] = nobody_else
    """Who reads answers to notices where the sender is none of ours, and is told of what nobody else can be
    told of; None: the postmaster of this host."""
    language_of: Callable[..., Awaitable[str]] = nobody_says
    """The language that the first of some readers wants who wants any, by its tag; empty: none of them does.
    Fails as the directory of accounts does."""
    _later: dict[Key, float] = attrs.field(factory=dict, init=False)
    """What could not be told, and when it is tried again."""
    _digest: Digest = attrs.field(init=False)

    @_digest.default
    def _no_digest_yet(self) -> Digest:
        return Digest(self.queue, self.post, self._contact, self.seconds, self.log, self._write_digest)

    async def work(self) -> float | None:
        """Send what is owed, a batch of it; answers in how many seconds to call again, 0 where there is more,
        None where nothing is left.

        What cannot be sent now stays owed. Fails as the queue does.
        """
        room = BATCH if len(self._later) < MAX_LATER else 0
        count = room + len(self._later) + len(self._digest)
        found: tuple[Owed, ...] = await self.queue.owed(count)
        keys = {key_of(each) for each in found}
        self._digest.keep(keys)
        for key in self._later.keys() - keys:
            del self._later[key]
        for each in found:
            if self._later.get(key_of(each), 0.0) <= self.seconds():
                await self._settle(each)
        await self._digest.send(found)
        if room and len({each.message.id for each in found}) >= count:
            return 0.0
        due = self._digest.due
        times = [*self._later.values(), *([] if due is None else [due])]
        return max(0.0, min(times) - self.seconds()) if times else None

    async def delivered(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        header: bytes,
        expanded: frozenset[int] = frozenset(),
    ) -> None:
        """Tell the sender of what went into our maildrops, as far as they have asked for it (RFC 3461 section
        5.2.3), also where nobody vouches for the sender: the door where they could ask offers DSN, which
        promises them an answer. *expanded* are those, by number, whose address stands for several people.
        Once at most: after a crash nobody remembers. Raises nothing."""
        asked = tuple(each for each in recipients if NotifyOn.SUCCESS in wanted(each))
        if message.sender is None:
            return
        original = original_of(header, whole=False)
        try:
            for part in _parts(Owed(message, NotifyOn.SUCCESS, asked), asked):
                await self._send(await self._report(part, message.sender, expanded=expanded), original)
        except CancelledError:
            raise
        except MailFailure as failure:
            self.log.warning("notice.undeliverable", id=message.id, to=message.sender, reason=failure.reason)
        except Exception:
            self.log.failure("notice.failed", Failure(), id=message.id)

    # One message

    async def _settle(self, owed: Owed) -> None:
        """Tell it, keep it for the digest, or try again later."""
        key = key_of(owed)
        self._later.pop(key, None)
        try:
            if self._is_for_digest(owed):
                await self._digest.add(owed)
            else:
                await self._tell(owed)
        except CancelledError:
            raise
        except MailFailure as failure:
            self._later[key] = self.seconds() + RETRY
            self.log.warning("notice.postponed", id=owed.message.id, reason=failure.reason)
        except Exception:
            self._later[key] = self.seconds() + RETRY
            self.log.failure("notice.failed", Failure(), id=owed.message.id)

    async def _tell(self, owed: Owed) -> None:
        original = await self._original(owed.message.id)
        to_tell = self._to_tell(owed, original)
        for part in _parts(owed, to_tell):
            await self._tell_part(part, original)
            await self.queue.told(part)
        if to_tell:
            await self._tell_followers(owed, to_tell)
        told = {each.number for each in to_tell}
        rest = tuple(each for each in owed.recipients if each.number not in told)
        if rest:  # nobody is to hear of them
            await self.queue.told(attrs.evolve(owed, recipients=rest))

    async def _tell_followers(self, owed: Owed, recipients: Sequence[QueuedRecipient]) -> None:
        """Of whoever sent it: beside the notice, which is mail that programs write."""
        account, kind = owed.message.account, _KINDS.get(owed.kind)
        if account is not None and kind is not None:
            names = [each.recipient.address for each in recipients]
            await self.post.arrivals.outgoing(account, kind, names)

    def _to_tell(self, owed: Owed, original: Original | None) -> tuple[QueuedRecipient, ...]:
        if owed.kind is not NotifyOn.FAILURE and not _is_known(owed.message):
            return ()
        in_bulk = owed.message.sender is not None and original is not None and original.is_bulk
        spare = in_bulk and not self.rules().for_bulk
        return tuple(
            each
            for each in owed.recipients
            if not is_moot(owed.kind, each) and (was_asked_for(each) or not spare)
        )

    async def _tell_part(self, owed: Owed, original: Original | None) -> None:
        sender = owed.message.sender
        if sender is None:
            await self._tell_postmaster(owed, original)
            return
        try:
            await self._send(await self._report(owed, sender), original)
        except MailFailure as failure:
            if isinstance(failure, TemporaryFailure) and not self._is_over(owed, PATIENCE):
                raise
            self.log.warning("notice.undeliverable", id=owed.message.id, to=sender, reason=failure.reason)
            if owed.kind is NotifyOn.FAILURE:
                await self._tell_postmaster(owed, original)
        else:
            if owed.kind in self.rules().copies:
                await self._copy(owed, original)

    async def _tell_postmaster(self, owed: Owed, original: Original | None) -> None:
        """In the place of the sender."""
        try:
            await self._send(await self._report(owed, None, Reader.POSTMASTER), original)
        except MailFailure as failure:
            if isinstance(failure, TemporaryFailure) and not self._is_over(owed, 2 * PATIENCE):
                raise
            self.log.error("notice.lost", id=owed.message.id, reason=failure.reason)

    async def _copy(self, owed: Owed, original: Original | None) -> None:
        """The sender knows by now: whatever becomes of the copy, it is not tried again."""
        try:
            await self._send(await self._report(owed, None, Reader.ONLOOKER), original)
        except MailFailure as failure:
            self.log.warning("notice.uncopied", id=owed.message.id, reason=failure.reason)

    async def _send(self, report: Report, original: Original | None) -> None:
        write = partial(compose, report, original)
        last = report.reader is not Reader.SENDER
        notice = await self.post.send(report.to, write, last)
        owed = report.owed
        self.log.info(
            "notice.sent",
            id=notice.id,
            of=owed.message.id,
            kind=owed.kind.value.lower(),
            to=report.to,
            recipients=len(owed.recipients),
        )

    async def _original(self, id: str) -> Original | None:
        try:
            return await read_original(self.queue.content(id))
        except MailFailure as failure:
            self.log.warning("notice.unread", id=id, reason=failure.reason)
            return None

    # Strangers

    def _is_for_digest(self, owed: Owed) -> bool:
        is_ours = owed.message.sender is None and owed.message.id.startswith(OUR_IDS)
        return owed.kind is NotifyOn.FAILURE and not is_ours and not _is_known(owed.message)

    # What all of it needs

    async def _write_digest(self, to: Address, owed: Sequence[Owed], unlisted: int) -> Notice:
        texts = await self._texts(to)
        return digest(owed, unlisted, to=to, hostname=self.hostname, texts=texts, now=self.seconds())

    async def _report(
        self,
        owed: Owed,
        to: Address | None,
        reader: Reader = Reader.SENDER,
        expanded: frozenset[int] = frozenset(),
    ) -> Report:
        """A notice; to the postmaster, where *to* is None. Fails as router and directory do."""
        contact = await self._postmaster_of(owed.message)
        readers = (contact,) if to is None else (owed.message.account, to)
        return Report(
            owed,
            to or contact,
            self.hostname,
            contact,
            await self._texts(*readers),
            self.seconds(),
            reader,
            expanded,
            partial(self.retry_until, owed.message),
        )

    async def _texts(self, *readers: Address | None) -> Texts:
        """In the language of whoever is nearest: the account that sent the message, then the sender."""
        tag = await self.language_of(*readers)
        return LANGUAGES.get(tag) or LANGUAGES[self.rules().language]

    def _contact(self) -> Address:
        return self.contact() or Address(POSTMASTER.local, self.hostname)

    async def _postmaster_of(self, message: QueuedMessage) -> Address:
        """Of the domain of ours that it came from; else whoever is there for all."""
        known = message.sender or message.account
        if known is not None:
            address = Address(POSTMASTER.local, known.domain)
            if await self.post.is_ours(address):
                return address
        return self._contact()

    def _is_over(self, owed: Owed, patience: float) -> bool:
        times = [each.last.at for each in owed.recipients if each.last is not None]
        return self.seconds() - max(times, default=owed.message.arrived) > patience


def _is_known(message: QueuedMessage) -> bool:
    return message.account is not None or message.vouched


def _parts(owed: Owed, recipients: Sequence[QueuedRecipient]) -> list[Owed]:
    """Notices of a size that people can read."""
    return [
        attrs.evolve(owed, recipients=tuple(recipients[start : start + MAX_TOGETHER]))
        for start in range(0, len(recipients), MAX_TOGETHER)
    ]
