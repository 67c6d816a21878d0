"""LDAP: whether a server lets the account's entry in with the password (RFC 4511 section 4.2)."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import Interface, implementer

from mailsuite.accounts.sources.ldap_session import SUCCESS, LdapSession, unavailable
from mailsuite.accounts.sources.ldap_text import filled, parse_filter
from mailsuite.accounts.sources.question import AvatarId, asked_about

REFUSALS: Final = frozenset(
    {
        19,  # constraintViolation: how some servers say that the account is locked
        32,  # noSuchObject
        48,  # inappropriateAuthentication: the entry has no password
        49,  # invalidCredentials
        53,  # unwillingToPerform: how others say that the account is locked
    }
)
"""Result codes (RFC 4511 section 4.1.9) about one entry; all others say something of the server."""
SIZE_LIMIT_EXCEEDED = 4


@attrs.frozen
class ByName:
    """The address tells the entry's name."""

    pattern: str


@attrs.frozen
class BySearch:
    """The entry is looked for."""

    base: str
    filter: str
    name: str = ""
    """As whom; empty: anonymously."""
    password: str = attrs.field(default="", repr=False)


@implementer(ICredentialsChecker)
@attrs.frozen(eq=False)
class LdapChecker:
    """Makes a connection for each question, and one simple bind on it.

    *start_tls* are the options of a client's TLS where the connection begins in the clear and must not go
    on so; None where it is under TLS already, or does not leave this machine. Raises TemporaryFailure where
    the server is not reached, not trusted, or says anything but yes or no.
    """

    endpoint: IStreamClientEndpoint
    entry: ByName | BySearch
    timeout: float
    start_tls: Any = None

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IUsernamePassword,)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: IUsernamePassword) -> AvatarId:
        if not credentials.password:  # RFC 4513 section 5.1.2: such a bind succeeds, whoever asks
            raise UnauthorizedLogin("an empty password")
        session: LdapSession = await connectProtocol(self.endpoint, LdapSession())
        try:
            if self.start_tls is not None:
                await session.start_tls(self.start_tls)
            name = await self._name(session, *asked_about(credentials))
            code = await session.bind(name, credentials.password) if name else min(REFUSALS)
        except BaseException:
            session.abort()
            raise
        session.leave()
        if code in REFUSALS:
            raise UnauthorizedLogin("the server says no")
        if code != SUCCESS:
            raise unavailable(f"bind: result {code}")
        return credentials.username

    async def _name(self, session: LdapSession, address: str, local: str, domain: str) -> bytes:
        """The name of the account's entry; empty where it has none."""
        if isinstance(self.entry, ByName):
            return filled(self.entry.pattern, address, local, domain).encode("utf-8", "surrogateescape")
        if self.entry.name:
            code = await session.bind(self.entry.name.encode("utf-8"), self.entry.password.encode("utf-8"))
            if code != SUCCESS:
                raise unavailable(f"search_dn is not let in: result {code}")
        code, names = await session.search(
            self.entry.base.encode("utf-8"),
            parse_filter(filled(self.entry.filter, address, local, domain)),
            most=2,
            seconds=math.ceil(self.timeout),
        )
        if len(names) > 1 or code == SIZE_LIMIT_EXCEEDED:
            raise unavailable("the filter finds more than one entry")
        if code != SUCCESS:
            raise unavailable(f"search: result {code}")
        return names[0] if names else b""
