"""Tells the owner of a subscription by mail that it is left alone: into the maildrop itself, for no other way
is sure."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import attrs

from mailsuite.interfaces import IMailStore
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.message import Stored
from mailsuite.model.subscription import Subscription
from mailsuite.notify.suspension_letter import TEXTS, letter


def new_id() -> str:
    """An id that no other letter has, an RFC 5322 atom."""
    return f"notify-{secrets.token_hex(8)}"


@attrs.frozen
class OwnerLetters:
    """The ``owner`` of Aftermath."""

    store: IMailStore
    hostname: str
    seconds: Callable[[], float]
    """Since the epoch."""
    tell: Callable[[Stored, bytes], Awaitable[None]]
    """Is told of the letter and its octets. Raises nothing."""
    language_of: Callable[[Address], Awaitable[str]]
    """Of a reader, by its tag; empty: nobody says one. Raises MailFailure."""
    usual: Callable[[], str]
    """The tag of the language of those who say nothing."""
    new_id: Callable[[], str] = new_id

    async def suspended(self, subscription: Subscription, reason: str) -> None:
        """Write it. Raises what the store raises."""
        account = subscription.account
        try:
            tag = await self.language_of(account)
        except MailFailure:
            tag = ""
        texts = TEXTS.get(tag) or TEXTS[self.usual()]
        octets = letter(
            subscription,
            reason,
            texts,
            hostname=self.hostname,
            id=self.new_id(),
            seconds=self.seconds(),
        )
        delivery = self.store.begin(account)
        delivery.write(octets)
        stored: Stored
        (stored,) = await self.store.deliver([delivery])
        await self.tell(stored, octets)
