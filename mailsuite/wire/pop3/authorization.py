"""The AUTHORIZATION state: who are you? (RFC 1939 sections 4 and 7, RFC 5034 section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from mailsuite.model import response as say
from mailsuite.model.response import Response
from mailsuite.wire.pop3.commands import Keyword, is_digest
from mailsuite.wire.pop3.events import ApopLogin, Listing, Login
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.sasl.exchange import Exchange
from mailsuite.wire.sasl.mechanisms import MECHANISMS
from mailsuite.wire.sasl.steps import Challenge, PasswordClaim, Refusal, Step

_REFUSALS = {
    Refusal.CANCELLED: say.EXCHANGE_CANCELLED,
    Refusal.MALFORMED: say.EXCHANGE_MALFORMED,
    Refusal.DENIED: say.WRONG_CREDENTIALS,
}


@attrs.define
class Authorization:
    """Leads a client up to a claim. Whether the claim is true is for others to say.

    Methods take a command's arguments, in number already right.
    """

    _settings: SessionSettings
    _tls_active: bool
    _name: str = attrs.field(default="", init=False)
    _exchange: Exchange | None = attrs.field(default=None, init=False)

    @property
    def exchanging(self) -> bool:
        """The next line is no command but a client's response to a SASL challenge."""
        return self._exchange is not None

    def forget(self) -> None:
        """What USER said is no longer true."""
        self._name = ""

    def user(self, arguments: tuple[bytes, ...]) -> Response:
        """USER: any name is good, so that nobody learns which names exist (features row P-04)."""
        if not self._settings.allows_plaintext(self._tls_active):
            return say.CLEAR_TEXT_REFUSED
        self._name = arguments[0].decode("ascii")
        return say.NAME_ACCEPTED

    def password(self, arguments: tuple[bytes, ...]) -> Response | Login:
        """PASS: counts for the USER right before it."""
        if not self._settings.allows_plaintext(self._tls_active):
            return say.CLEAR_TEXT_REFUSED
        name, self._name = self._name, ""
        if not name:
            return say.NAME_FIRST
        return Login(PasswordClaim("USER", "", name, arguments[0].decode("ascii")))

    def apop(self, arguments: tuple[bytes, ...]) -> Response | ApopLogin:
        """APOP: the digest is lower-case hexadecimal, nothing else."""
        self._name = ""
        if not self._settings.apop_stamp:
            return say.APOP_NOT_OFFERED
        name, digest = arguments
        if not is_digest(digest):
            return say.BAD_ARGUMENTS
        return ApopLogin(name.decode("ascii"), digest.decode("ascii"))

    def auth(self, arguments: tuple[bytes, ...]) -> Response | Listing | Challenge | Login:
        """AUTH: begin an exchange; without a mechanism, list them, which old clients ask for."""
        self._name = ""
        offered = self._settings.mechanisms(self._tls_active)
        if not offered:
            return say.CLEAR_TEXT_REFUSED if self._settings.sasl_mechanisms else say.SASL_NOT_OFFERED
        if not arguments:
            return Listing.of_words(say.MECHANISMS_FOLLOW, offered)
        mechanism = arguments[0].decode("ascii").upper()
        if mechanism not in offered:
            return say.MECHANISM_UNKNOWN
        exchange = Exchange(MECHANISMS[mechanism]())
        return self._went(exchange, exchange.start(arguments[1] if len(arguments) > 1 else None))

    def respond(self, line: bytes) -> Response | Challenge | Login:
        """A line of an exchange that is under way, without its line end."""
        if self._exchange is None:
            raise RuntimeError("no exchange is under way")
        return self._went(self._exchange, self._exchange.respond(line))

    def _went(self, exchange: Exchange, step: Step) -> Response | Challenge | Login:
        self._exchange = exchange if isinstance(step, Challenge) else None
        if isinstance(step, Refusal):
            return _REFUSALS[step]
        return Login(step) if isinstance(step, PasswordClaim) else step


COMMANDS: Mapping[
    Keyword, Callable[[Authorization, tuple[bytes, ...]], Response | Listing | Challenge | Login | ApopLogin]
] = {
    Keyword.USER: Authorization.user,
    Keyword.PASS: Authorization.password,
    Keyword.APOP: Authorization.apop,
    Keyword.AUTH: Authorization.auth,
}
"""What a client may say here, besides STLS, CAPA and QUIT."""
