"""Which messages somebody was told of, or may be, and nobody has fetched yet: as far as the log of their
account goes back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from mailsuite.interfaces import IEventLog
from mailsuite.model.address import Address
from mailsuite.model.notice import Entry, Happening, Kind

MAX_ACCOUNTS: Final = 5000
"""Remembered; of others the log is read when one of their messages is fetched."""
MAX_MESSAGES: Final = 100
"""Of one account, the newest: with MAX_ACCOUNTS about 50 MB, where all of them never fetch anything."""
LOOKED_AT: Final = 1000
"""Entries of a log; what retention keeps of it."""


@attrs.define(eq=False)
class Unfetched:
    """What is fetched for the first time clears a notice; what was fetched before, or never told of, says
    nothing to anybody. So a program that fetches ten thousand old messages leaves no trace in the log."""

    event_log: IEventLog
    _known: OrderedDict[Address, dict[str, None]] = attrs.field(factory=OrderedDict, init=False)

    async def cleared(self, happenings: Sequence[Happening]) -> list[Happening]:
        """Those of *happenings*, all MAIL_CLEARED, that are news. Asked again, none of them is. Fails as the
        log does."""
        found = []
        for each in happenings:
            messages = self._known.get(each.account)
            if messages is None:
                messages = await self._read(each.account)
            self._known.move_to_end(each.account)
            if each.uidl in messages:
                del messages[each.uidl]
                found.append(each)
        return found

    def appended(self, entries: Iterable[Entry]) -> None:
        """These are in the log now."""
        for each in entries:
            messages = self._known.get(each.happening.account)
            if messages is not None:
                _follow(messages, each.happening)

    def forget(self, account: Address) -> None:
        """Its log is no more."""
        self._known.pop(account, None)

    async def _read(self, account: Address) -> dict[str, None]:
        newest = (await self.event_log.read(account, 0, 1)).head
        stretch = await self.event_log.read(account, max(0, newest - LOOKED_AT), LOOKED_AT)
        messages = self._known.get(account)
        if messages is None:  # nobody was quicker, who may have cleared some of it since
            messages = {}
            for entry in stretch.entries:
                _follow(messages, entry.happening)
            self._known[account] = messages
            if len(self._known) > MAX_ACCOUNTS:
                self._known.popitem(last=False)
        return messages


def _follow(messages: dict[str, None], happening: Happening) -> None:
    if happening.kind is Kind.MAIL_NEW:
        messages[happening.uidl] = None
        if len(messages) > MAX_MESSAGES:
            del messages[next(iter(messages))]
    elif happening.kind is Kind.MAIL_CLEARED:
        messages.pop(happening.uidl, None)
