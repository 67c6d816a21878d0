"""Whoever tries names to see which exist gets slower answers, then none (features row S-I09)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.access import site_of
from mailsuite.model.account import IPAddress
from mailsuite.model.ban import Ban
from mailsuite.model.facts import Accept, Note, Refuse, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reply import TOO_MANY_UNKNOWN
from mailsuite.policy.tally import Tally

DELAY: Final = 5.0
"""Seconds; well below the five minutes that an honest client waits (RFC 5321 section 4.5.3.2.3)."""
SESSION: Final = 86400.0
"""Seconds in which the unknown recipients of a session are counted: no session lasts longer."""
HOUR: Final = 3600.0
REASON: Final = "unknown-recipients"

BanAddress = Callable[[IPAddress, str, str], Ban | None]
"""policy/bans.py: Bans.ban()."""


@attrs.frozen
class ProbingRules:
    """After how many unknown recipients; 0 is never."""

    delay: int = 0
    """Of one session: each further one waits for its answer."""
    close: int = 0
    """Of one session: it ends."""
    ban: int = 0
    """Of one address (IPv6: its /64) in an hour: it is banned, and the session ends."""


@implementer(IPolicyRule)
@attrs.frozen
class Probing:
    """Counts the recipients that do not exist, and leaves their refusal to policy/recipients.py until there
    were too many. Stands before that.

    Users who logged in are not counted: an old address book is no attack.
    """

    clock: IReactorTime
    sessions: Tally
    addresses: Tally
    ban: BanAddress
    rules: ProbingRules = ProbingRules()
    name: str = "probing"
    asked_at: ClassVar = frozenset({Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is not Stage.RECIPIENT or facts.connection.account is not None:
            return Accept()
        if self.rules == ProbingRules() or facts.route is None or facts.route.kind is not RouteKind.UNKNOWN:
            return Accept()
        return await self._unknown(facts)

    async def _unknown(self, facts: StageFacts) -> Verdict:
        rules, peer = self.rules, facts.connection.peer
        site = site_of(peer)
        in_session = self.sessions.add(facts.connection.session, SESSION)
        if rules.ban and self.addresses.add(site, HOUR) > rules.ban:
            return Refuse(TOO_MANY_UNKNOWN, self._banned(facts))
        if rules.close and in_session > rules.close:
            note = Note("smtp.probing", (("network", site), ("recipients", in_session)))
            return Refuse(TOO_MANY_UNKNOWN, note)
        if rules.delay and in_session > rules.delay:
            await deferLater(self.clock, DELAY)
        return Accept()

    def _banned(self, facts: StageFacts) -> Note | None:
        """None where somebody who may never be banned, or already is, gets no further than this session."""
        connection = facts.connection
        detail = (
            f"{connection.service} (listener {connection.listener}): more than {self.rules.ban} in an hour"
        )
        ban = self.ban(connection.peer, REASON, detail)
        if ban is None:
            return None
        fields = (
            ("network", ban.network),
            ("service", connection.service),
            ("listener", connection.listener),
            ("reason", REASON),
            ("times", ban.times),
        )
        return Note("guard.banned", fields)
