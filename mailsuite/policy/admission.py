"""Whom a listener talks to at all: what is asked of each connection before anything is said."""

from __future__ import annotations

from typing import Literal

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.policy.access_files import AccessLists
from mailsuite.policy.bans import Bans

RefusedFor = Literal["banned", "denied"]


@attrs.frozen
class Refused:
    """A connection that nobody talks to."""

    reason: RefusedFor
    rule: str
    """The ban or the entry that says so, for the log."""
    words: bytes = b""
    """What it is told before it is closed; empty: nothing."""


@attrs.frozen(eq=False)
class Gatekeeper:
    """Answers for one listener by the bans and lists of the moment, so that a reload, a changed file or a
    ban counts from the next connection on."""

    bans: Bans
    lists: AccessLists
    listener: str
    words: bytes = b""
    """What one is told who is denied (SMTP: 554 5.7.1); empty on POP3, and wherever TLS comes first: there
    nothing may be said in clear. Who is banned is never told anything."""

    def refusal(self, peer: IPAddress) -> Refused | None:
        """None: *peer* may come in, as far as the limits let it."""
        ban = self.bans.find(peer)
        if ban is not None:
            return Refused("banned", f"{ban.network}: {ban.reason}")
        decision = self.lists.decide(self.listener, peer)
        return None if decision.allowed else Refused("denied", decision.reason, self.words)
