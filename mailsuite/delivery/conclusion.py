"""What becomes of a message that has come whole."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

import attrs
from twisted.python.failure import Failure

from mailsuite.delivery.arrivals import Arrivals, Mail
from mailsuite.delivery.commands import Commands, Order
from mailsuite.delivery.delivered import Delivered, tell_delivered
from mailsuite.delivery.envelope import Accepted
from mailsuite.delivery.incoming import Incoming
from mailsuite.delivery.judge import Judge, shown
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.message import Stored
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.wire.smtp.events import BodyEnd
from mailsuite.wire.smtp.release import spell


@attrs.frozen
class Conclusion:
    """Delivers it and tells of it, or undoes it; answers what the client is told. Never raises."""

    _judge: Judge
    _arrivals: Arrivals
    _delivered: Delivered
    _seconds: Callable[[], float]
    _connection: ConnectionFacts
    _log: Log
    commands: Commands | None = None

    async def of_all(self, incoming: Incoming, event: BodyEnd) -> Reply:
        """One fate for all recipients."""
        if event.defect is None and not all(each.takes(event.size) for each in incoming.envelope.accepted):
            return await self._too_large(incoming)
        refusal = await self._settle(incoming, event)
        if refusal is not None:
            return refusal
        try:
            await self._obey(incoming)
            stored = await incoming.transaction.commit()
        except Exception as error:
            return self._judge.no(error, id=incoming.id)
        await self._tell(incoming, stored, range(len(incoming.envelope.accepted)), event.size)
        return replies.message_accepted(incoming.id)

    async def _obey(self, incoming: Incoming) -> None:
        """Where it is an order: do it before anybody hears that it was taken. Raises what obeying raises, and
        all of it is undone then."""
        envelope, account = incoming.envelope, self._connection.account
        if envelope.ordered is None or account is None or self.commands is None:
            return
        order = Order(
            account,
            self._connection.device,
            envelope.ordered,
            envelope.sender,
            bytes(incoming.beginning),
        )
        try:
            await self.commands.obey(order)
        except BaseException:
            await incoming.transaction.abort()
            raise

    async def of_each(self, incoming: Incoming, event: BodyEnd) -> tuple[Reply, ...]:
        """Each recipient has a fate of their own (RFC 2033 section 4.2), where the message is one that comes
        apart."""
        accepted = incoming.envelope.accepted
        if not incoming.apart:
            reply = await self.of_all(incoming, event)
            if reply is not replies.MESSAGE_TOO_BIG or event.defect is not None:
                return (reply,) * len(accepted)
            return tuple(replies.SIZE_APART if each.takes(event.size) else reply for each in accepted)
        refusal = await self._settle(incoming, event)
        if refusal is not None:
            return (refusal,) * len(accepted)
        outcomes = await incoming.transaction.commit_each(_refused(incoming, event.size))
        failed = {
            copy.account: self._judge.no(each, id=incoming.id)
            for copy, each in zip(incoming.envelope.copies, outcomes, strict=True)
            if isinstance(each, Exception)
        }
        stored = tuple(each for each in outcomes if isinstance(each, Stored))
        good, big = replies.message_accepted(incoming.id), replies.MESSAGE_TOO_BIG
        found = tuple(_reply(each, failed, good) if each.takes(event.size) else big for each in accepted)
        if stored or not failed:
            had = {number for number, reply in enumerate(found) if reply is good}
            await self._tell(incoming, stored, had, event.size)
        return found

    async def _too_large(self, incoming: Incoming) -> Reply:
        await incoming.transaction.abort()
        return self._judge.refused(incoming, replies.MESSAGE_TOO_BIG)

    async def _settle(self, incoming: Incoming, event: BodyEnd) -> Reply | None:
        """See whether it may be delivered; answers why not, and all of it is undone then."""
        refusal = event.defect
        if refusal is None:
            try:
                incoming.finish()
                if incoming.refusal is not None:
                    refusal = self._judge.refused(incoming, incoming.refusal)
                elif incoming.pending:
                    refusal = await self._judge.header(incoming, self._connection)
            except Exception as error:
                refusal = self._judge.no(error, id=incoming.id)
        if refusal is not None:
            await incoming.transaction.abort()
        return refusal

    async def _tell(
        self, incoming: Incoming, stored: tuple[Stored, ...], had: Container[int], size: int
    ) -> None:
        """Tell whoever follows its readers, write the one line of the log, and tell the sender of those who
        have it, by their place, where that was asked for. The message is safe: nothing that happens here
        undoes the 250."""
        envelope, queuings = incoming.envelope, incoming.transaction.queuings
        try:
            await self._arrivals.tell(stored, self._mail(incoming), incoming.followed)
            self._log.info(
                "smtp.accepted",
                id=incoming.id,
                sender=shown(envelope.sender),
                recipients=len(stored),
                **({"queued": True} if queuings else {}),
                **({"held_until": spell(envelope.release)} if envelope.mail.held else {}),
                size=size,
                tls=self._connection.tls,
                account=self._connection.account or "",
                seconds=round(self._seconds() - envelope.began, 3),
            )
            tell_delivered(
                self._delivered,
                envelope,
                had,
                id=incoming.id,
                account=self._connection.account,
                size=size,
                header=bytes(incoming.beginning),
                now=self._seconds(),
            )
        except Exception:
            self._log.failure("smtp.telling_failed", Failure(), id=incoming.id)

    def _mail(self, incoming: Incoming) -> Mail:
        if not incoming.followed:  # nobody will look at it
            return Mail(b"", None)
        envelope = incoming.envelope
        recipients = {copy.account: copy.recipient for copy in envelope.copies}
        return Mail(bytes(incoming.beginning), envelope.sender, self._connection.account, recipients)


def _refused(incoming: Incoming, octets: int) -> Mapping[Address, Exception]:
    """The accounts that get nothing, and why: they have had it before, or nobody who takes so large a message
    leads to them."""
    envelope = incoming.envelope
    willing = {account for each in envelope.accepted if each.takes(octets) for account in each.accounts}
    too_large = (copy.account for copy in envelope.copies if copy.account not in willing)
    return {
        **dict.fromkeys(too_large, PermanentFailure(replies.MESSAGE_TOO_BIG)),
        **dict.fromkeys(incoming.circling, PermanentFailure(replies.MAIL_LOOP)),
    }


def _reply(accepted: Accepted, failed: Mapping[Address, Reply], good: Reply) -> Reply:
    """Where one of several maildrops behind a name fails, the name fails: what comes twice is better than
    what never comes."""
    return next((failed[account] for account in accepted.accounts if account in failed), good)
