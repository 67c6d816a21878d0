"""Mail that is in our maildrops by now. Where somebody follows them it is written down, before anybody hears
that it was taken.

All ways into a maildrop end here: SMTP, LMTP, submission, what the queue brings home, notices and letters of
our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.delivery.message_facts import label_of, message_facts
from mailsuite.interfaces import INoticeIntake
from mailsuite.model.address import Address
from mailsuite.model.facts import Copy
from mailsuite.model.message import Stored
from mailsuite.model.notice import Happening, Kind, Level, MessageFacts
from mailsuite.model.quota import QuotaReached
from mailsuite.observe.log import Log


@implementer(INoticeIntake)
@attrs.frozen
class NobodyFollows:
    """Where nobody is told of anything."""

    async def followed(self, accounts: Iterable[Address]) -> Mapping[Address, Level]:
        return {}

    async def happened(self, happenings: Sequence[Happening]) -> None:
        return


@attrs.frozen
class Mail:
    """A message, as far as its readers' notices go by it."""

    beginning: bytes
    """Its first octets: delivery/message_facts.py has how many are looked at."""
    sender: Address | None
    """The reverse-path."""
    submitter: Address | None = None
    """The account that sent it."""
    recipients: Mapping[Address, Address] = attrs.field(factory=dict)
    """By account: the recipient of its copy, with the tag; of those that have one."""


@attrs.frozen
class Arrivals:
    """Asks who follows, and tells of what has come."""

    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    intake: INoticeIntake = attrs.field(factory=NobodyFollows)

    async def followed(self, copies: Iterable[Copy], brief: Iterable[Copy] = ()) -> Mapping[Address, Level]:
        """The accounts of these copies that somebody follows, with the highest level; *brief* ones are the
        header alone. Of the others nothing need be known. Raises nothing but its own cancellation."""
        headers = [copy.account for copy in brief]
        accounts = [copy.account for copy in copies]
        followed: Mapping[Address, Level] = await self.intake.followed([*accounts, *headers])
        if not followed or not headers:
            return followed
        seen = {account: min(followed[account], Level.SUBJECT) for account in headers if account in followed}
        return {**followed, **seen}

    async def tell(
        self, stored: Sequence[Stored], mail: Mail, followed: Mapping[Address, Level] | None = None
    ) -> None:
        """These copies, at least one, are durable and visible. Where nobody has asked who is *followed*, that
        is done now.

        Raises nothing but its own cancellation: the message is safe, and nothing that happens here undoes
        that.
        """
        try:
            if followed is None:
                followed = await self.intake.followed([each.account for each in stored])
            if followed:
                happenings = self._happenings(stored, mail, followed)
                await self.intake.happened(happenings)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("notify.untold", Failure(), account=stored[0].account, uidl=stored[0].uidl)

    async def quota_reached(self, reached: QuotaReached) -> None:
        """A maildrop has got so full. Raises nothing but its own cancellation."""
        account, level, at = reached.account, reached.level, self.seconds()
        detail = f"your mailbox is more than {level} percent full"
        await self.intake.happened([Happening(account, Kind.QUOTA_REACHED, at, size=level, detail=detail)])

    async def outgoing(self, account: Address, kind: Kind, recipients: Sequence[Address]) -> None:
        """What became of mail that this account has sent: QUEUE_DELAYED or QUEUE_FAILED for these recipients,
        at least one. Raises nothing but its own cancellation."""
        what = "not delivered yet" if kind is Kind.QUEUE_DELAYED else "not delivered"
        others = f" and {len(recipients) - 1} more" if len(recipients) > 1 else ""
        detail = f"{what} to {recipients[0]}{others}"
        await self.intake.happened([Happening(account, kind, self.seconds(), detail=detail)])

    def _happenings(
        self, stored: Sequence[Stored], mail: Mail, followed: Mapping[Address, Level]
    ) -> list[Happening]:
        at, known = self.seconds(), dict[Level, MessageFacts]()
        happenings = []
        for each in stored:
            level = followed.get(each.account)
            if level is None:
                continue
            if level not in known:
                known[level] = message_facts(mail.beginning, mail.sender, level)
            facts = attrs.evolve(
                known[level],
                label=label_of(each.account, mail.recipients.get(each.account, each.account)),
                own=each.account == mail.submitter,
            )
            happenings.append(Happening(each.account, Kind.MAIL_NEW, at, each.uidl, each.size, facts))
        return happenings
