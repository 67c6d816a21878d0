"""Who shows what can be true of no account is refused like anybody with a wrong password."""

from __future__ import annotations

from typing import ClassVar

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from mailsuite.accounts.attempt import Attempt, IHopeless
from mailsuite.accounts.gate import Gate
from mailsuite.accounts.sources.question import AvatarId


@implementer(ICredentialsChecker)
@attrs.frozen
class HopelessChecker:
    """Refuses, and says in the log whose account was tried and why it could not be.

    So the administrator finds the client that speaks NTLM of version 1 alone, the failure delay applies, and
    the failure counts. Raises UnauthorizedLogin(REFUSED), or what the directory raises.
    """

    gate: Gate

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IHopeless,)

    def requestAvatarId(self, credentials: IHopeless) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._refuse(credentials))

    async def _refuse(self, credentials: IHopeless) -> AvatarId:
        attempt = credentials if isinstance(credentials, Attempt) else None
        claimant = await self.gate.claimant(attempt, credentials.username.decode("utf-8", "surrogateescape"))
        raise self.gate.refuse(attempt, claimant, credentials.reason)
