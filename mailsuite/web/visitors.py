"""Who asks over HTTPS: by the same names, passwords, delays and bans as at every other door.

The account's own password, or a device's whose scopes have notify, by the Basic scheme (RFC 7617). It is
remembered for the connection alone, and looked at again with each request: what was taken away since counts.
Another way to show who one is, a session of the console say, is another Visitors.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from typing import Protocol

import attrs
from twisted.cred.error import UnauthorizedLogin

from mailsuite.accounts.attempt import Attempt, Granted, LoginRules, attempt_of
from mailsuite.accounts.gate import ProofOutdated
from mailsuite.accounts.login import Login
from mailsuite.frontends.http import HttpSession
from mailsuite.frontends.http_core import HttpRequest
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.subscription import OWN_PASSWORD
from mailsuite.notify.office import Caller
from mailsuite.web.answers import Refused, problem
from mailsuite.wire.basic import CHALLENGE, MECHANISM, claim_of


class Visitors(Protocol):
    """Finds out who asks."""

    async def identify(self, session: HttpSession, request: HttpRequest) -> Caller:
        """Raises Refused."""

    async def holds(self, session: HttpSession) -> bool:
        """Whether who has logged in on this connection could do so still, as far as can be told."""


@attrs.frozen
class _Known:
    """Who has logged in on a connection."""

    shown: bytes
    """A digest of the field that showed it."""
    attempt: Attempt
    granted: Granted


@attrs.frozen
class ByPassword:
    """The Basic scheme, under TLS or on this machine."""

    login: Login
    rules: Callable[[], LoginRules]

    async def identify(self, session: HttpSession, request: HttpRequest) -> Caller:
        """Raises Refused: 401, or 403 where a password may not be shown at all, or 503."""
        if not session.tls and not session.peer.is_loopback:
            raise Refused(problem(403, "passwords are taken under TLS only"))
        field = request.field("authorization")
        shown = sha256(field).digest()
        known = session.login
        try:
            if isinstance(known, _Known) and compare_digest(known.shown, shown):
                known = await self._still_proves(session, known)
            else:
                known = await self._enter(session, field, shown)
        except UnauthorizedLogin as error:
            self._forget(session)
            raise self._unauthorized("wrong name or password") from error
        except MailFailure as failure:
            session.log.warning("notify.unable", detail=failure.reason)
            raise Refused(problem(503, "it cannot be told just now", retry_after="5")) from failure
        account, device = _credential_of(known.granted)
        return Caller(account, device, peer=session.peer)

    async def holds(self, session: HttpSession) -> bool:
        """While nobody can tell, it does."""
        known = session.login
        if not isinstance(known, _Known):
            return False
        try:
            await self._still_proves(session, known)
        except UnauthorizedLogin:
            return False
        except MailFailure as failure:
            session.log.warning("notify.unable", detail=failure.reason)
        return True

    async def _still_proves(self, session: HttpSession, known: _Known) -> _Known:
        """Passwords of the configuration are hashed anew whenever that is read, those of devices sealed anew
        with another key: then what was shown is held against what there is now."""
        try:
            await self.login.gate.look_again(known.granted, known.attempt, known.attempt.stored)
        except ProofOutdated:
            granted = await self.login.prove_again(known.attempt)
            if _credential_of(granted) != _credential_of(known.granted):
                raise UnauthorizedLogin from None
            session.login = known = attrs.evolve(known, granted=granted)
        return known

    async def _enter(self, session: HttpSession, field: bytes, shown: bytes) -> _Known:
        claim = claim_of(field)
        if claim is None:
            raise self._unauthorized("log in by name and password" if not field else "this is no Basic login")
        self._forget(session)
        attempt = attempt_of(claim, self.rules(), session.facts)
        granted = await self._judged(session, attempt)
        # Nothing is waited for from here on, so that the connection ends with what was granted.
        session.known_as(*_credential_of(granted), MECHANISM)
        session.login = known = _Known(shown, attempt, granted)
        return known

    async def _judged(self, session: HttpSession, attempt: Attempt) -> Granted:
        """Who it is. Counted, unless the client goes away meanwhile."""
        clock, result = session.door.clock, "ok"
        began = clock.seconds()
        try:
            return await self.login.login_submitter(attempt)
        except UnauthorizedLogin:
            result = "refused"
            raise
        except MailFailure:
            result = "unavailable"
            raise
        finally:
            if not session.lost:
                session.door.meter.login(MECHANISM, result, clock.seconds() - began)

    def _forget(self, session: HttpSession) -> None:
        session.login = None
        session.known_as(None, "", "")

    def _unauthorized(self, words: str) -> Refused:
        return Refused(problem(401, words, www_authenticate=CHALLENGE.decode("ascii")))


def _credential_of(granted: Granted) -> tuple[Address, str]:
    """The account, and the id of the device whose password it was, or OWN_PASSWORD."""
    return granted.account, OWN_PASSWORD if granted.device is None else granted.device.id
