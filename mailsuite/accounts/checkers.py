"""Who somebody is: the twisted.cred checker for a name and a password."""

from __future__ import annotations

from typing import ClassVar

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from mailsuite.accounts.attempt import LoginAttempt
from mailsuite.accounts.names import account_address
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.observe.log import Log

REFUSED = "wrong name or password"
"""All that is ever told; why is in the log."""


@implementer(ICredentialsChecker)
@attrs.frozen
class PasswordChecker:
    """Checks IUsernamePassword credentials, LoginAttempt among them, against the directory.

    The avatar id is the account's canonical address in ASCII. A wrong password, an unknown account, one
    without a password, and a name that nobody can have: all raise UnauthorizedLogin with the same text
    after the same work. A directory or a thread that is not to be had raises TemporaryFailure, never
    UnauthorizedLogin (RFC 3206 section 4, RFC 4954 section 6).
    """

    directory: IAccountDirectory
    passwords: Passwords
    cache: PasswordCache
    log: Log = attrs.field(factory=Log)
    default_domain: str = ""
    """For credentials that bring none."""

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IUsernamePassword,)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: IUsernamePassword) -> bytes | tuple[()]:
        address = self._address(credentials)
        stored = await self._stored_hash(address)
        reason = await self._objection(address, stored, credentials.password)
        if address is None or reason:
            # A name that is nobody's is not logged: it may be a password in the wrong field.
            account = address if stored is not None else None
            self._log(credentials).info("login.refused", account=account, reason=reason)
            raise UnauthorizedLogin(REFUSED)
        return str(address).encode("ascii")

    async def _objection(self, address: Address | None, stored: str | None, octets: bytes) -> str:
        """Why not, in a word for the log; empty where nothing speaks against it."""
        password = octets.decode("utf-8", "surrogateescape")
        if address is not None and stored and self.cache.knows(address, stored, password):
            return ""
        valid = await self.passwords.verify(stored or "", password, address)
        if address is None:
            return "impossible-name"
        if stored is None:
            return "unknown-account"
        if not stored:
            return "no-password"
        if not valid:
            return "wrong-password"
        if await self._stored_hash(address) != stored:
            return "changed-meanwhile"
        self.cache.remember(address, stored, password)
        return ""

    async def _stored_hash(self, address: Address | None) -> str | None:
        account = await self.directory.account(address) if address is not None else None
        return account.password_hash if account is not None else None

    def _address(self, credentials: IUsernamePassword) -> Address | None:
        domain = credentials.default_domain if isinstance(credentials, LoginAttempt) else ""
        name = credentials.username.decode("utf-8", "surrogateescape")
        try:
            return account_address(name, domain or self.default_domain)
        except AddressSyntaxError:
            return None

    def _log(self, credentials: IUsernamePassword) -> Log:
        if not isinstance(credentials, LoginAttempt):
            return self.log
        facts = credentials.facts
        return self.log.bind(session=facts.session, service=facts.service, peer=facts.peer)
