"""What a door says to a client about a recipient, for administrators who ask who may send to whom: the rules
of the door for relaying and for recipients are asked, and nothing is counted."""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.config.schema import Listener, Lmtp, Smtp, Submission
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts, Refuse, Route, Stage, StageFacts
from mailsuite.model.reply import AUTHENTICATION_REQUIRED, RECIPIENT_OK, Reply
from mailsuite.policy.configured import relay_rules, relaying_rule
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.sender_lists import Lists

_SOMEBODY: Final = Address("somebody", "example.invalid")
"""Who logs in; the rules do not ask who it is."""


@attrs.frozen
class Hearing:
    """Of one client at one door."""

    reply: Reply
    """To RCPT; or to MAIL, where a login is asked for."""
    logged_in: Reply | None = None
    """To RCPT, once the client has logged in; None where none is asked for."""


@attrs.frozen
class Question:
    """Which recipient is meant, and where mail for it goes."""

    recipient: Address
    route: Route
    sends: bool
    """Whether there is somebody who takes mail to other servers."""
    hostname: str
    """Our own."""
    lists: Lists
    """Who keeps what stands in files."""

    async def at(self, door: Listener, peer: IPAddress) -> Hearing:
        """What a client at *peer* hears at a door that takes mail."""
        settings = door.settings
        if not isinstance(settings, Smtp | Submission | Lmtp):
            raise TypeError(f"{door.name} takes no mail")
        if isinstance(settings, Submission) and not relay_rules(settings).lists(peer):
            return Hearing(AUTHENTICATION_REQUIRED, await self._reply(door, settings, peer, _SOMEBODY))
        return Hearing(await self._reply(door, settings, peer, None))

    async def _reply(
        self, door: Listener, settings: Smtp | Submission | Lmtp, peer: IPAddress, account: Address | None
    ) -> Reply:
        connection = ConnectionFacts("", door.name, door.service, peer, 0, account=account)
        facts = StageFacts(Stage.RECIPIENT, connection, None, self.recipient, self.route)
        for rule in (relaying_rule(settings, self.sends, self.hostname, self.lists), Recipients()):
            verdict = await rule.check(facts)
            if isinstance(verdict, Refuse):
                return verdict.reply
        return RECIPIENT_OK
