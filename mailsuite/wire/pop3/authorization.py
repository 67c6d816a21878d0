"""The AUTHORIZATION state: who are you? (RFC 1939 sections 4, 7, RFC 5034 section 4, RFC 6856 section 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from mailsuite.model import response as say
from mailsuite.model.message import MessageRef
from mailsuite.model.response import Response
from mailsuite.model.retention import Terms
from mailsuite.wire.dialogue import Answer, Dialogue
from mailsuite.wire.pop3.capabilities import Standing, capabilities
from mailsuite.wire.pop3.commands import Keyword, is_digest
from mailsuite.wire.pop3.events import Ask, Disconnected, Listing, Login, StartTls
from mailsuite.wire.pop3.settings import AUTH_LIST, SessionSettings
from mailsuite.wire.sasl.mechanisms import HIDING, MECHANISMS
from mailsuite.wire.sasl.steps import (
    Challenge,
    DigestClaim,
    HopelessClaim,
    PasswordClaim,
    Refusal,
    ScramParameters,
    ScramQuestion,
    Step,
)

_REFUSALS = {
    Refusal.CANCELLED: say.EXCHANGE_CANCELLED,
    Refusal.MALFORMED: say.EXCHANGE_MALFORMED,
}


@attrs.frozen
class Admitted:
    """A claim is true, and this is in the maildrop."""

    messages: tuple[MessageRef, ...]
    terms: Terms


Outcome = Response | Challenge | Login | Ask | StartTls | Admitted | Disconnected
"""What a line of AUTHORIZATION, or the answer to an event, leads to."""


@attrs.define
class Authorization:
    """Leads a client up to a claim, and from the verdict on it to the end of the exchange. Whether a claim
    is true is for others to say.

    Methods that carry out a command take its arguments, in number already right.
    """

    _settings: SessionSettings
    _tls_active: bool
    _bindings: Mapping[str, bytes] = {}
    utf8: bool = attrs.field(default=False, init=False)
    """The client has said UTF8: messages may go out with UTF-8 in their headers."""
    _name: str = attrs.field(default="", init=False)
    _dialogue: Dialogue = attrs.field(factory=Dialogue, init=False)
    _verdict: Admitted | Response = attrs.field(default=say.WRONG_CREDENTIALS, init=False)
    """What comes when the client has answered the last words of a mechanism."""
    _stamp_shown: bool = attrs.field(default=False, init=False)
    """The claim that is being judged rests on the greeting's stamp."""
    _stamp_spent: bool = attrs.field(default=False, init=False)

    @property
    def exchanging(self) -> bool:
        """The next line is no command but a client's response to a SASL challenge."""
        return self._dialogue.active

    def forget(self) -> None:
        """What USER said is no longer true."""
        self._name = ""

    def capabilities(self, terms: Terms | None) -> tuple[str, ...]:
        """The lines of CAPA on this connection as it is now; *terms* are those of who is logged in."""
        standing = Standing(self._tls_active, self._bindings, self.utf8, terms)
        return capabilities(self._settings, standing)

    def tls_started(self, bindings: Mapping[str, bytes]) -> None:
        """Begin anew inside TLS. A stamp that was spent in clear stays so."""
        self._tls_active, self._bindings = True, bindings
        self.forget()

    # Commands

    def user(self, arguments: tuple[bytes, ...]) -> Response:
        """USER: any name is good, so that nobody learns which names exist (features row P-04)."""
        if refusal := self._settings.password_refusal(self._tls_active):
            return refusal
        self._name = arguments[0].decode("utf-8")
        return say.NAME_ACCEPTED

    def password(self, arguments: tuple[bytes, ...]) -> Response | Login:
        """PASS: counts for the USER right before it."""
        if refusal := self._settings.password_refusal(self._tls_active):
            return refusal
        name, self._name = self._name, ""
        if not name:
            return say.NAME_FIRST
        return Login(PasswordClaim("USER", "", name, arguments[0].decode("utf-8")))

    def apop(self, arguments: tuple[bytes, ...]) -> Response | Login:
        """APOP: the digest is lower-case hexadecimal, nothing else.

        A stamp is good for one guess (features row A-06): after a digest that was wrong each further one on
        this connection is hopeless. Whoever was refused for another reason may try again.
        """
        self._name = ""
        if not self._settings.apop_stamp:
            return say.APOP_NOT_OFFERED
        if refusal := self._settings.login_refusal(self._tls_active):
            return refusal
        name, digest = arguments[0].decode("utf-8"), arguments[1]
        if not is_digest(digest):
            return say.BAD_ARGUMENTS
        if self._stamp_spent:
            return Login(HopelessClaim("APOP", name, "stamp-spent"))
        self._stamp_shown = True
        stamp = self._settings.apop_stamp.encode("ascii")
        return Login(DigestClaim("APOP", name, stamp, digest.decode("ascii")))

    def auth(self, arguments: tuple[bytes, ...]) -> Outcome | Listing:
        """AUTH: begin an exchange; without a mechanism, list them, which old clients ask for.

        Where there is nothing to list that is an error, at which some of them give up instead of going on
        with USER and PASS: the quirk ``auth-list`` gives these an empty list.
        """
        self._name = ""
        settings = self._settings
        offered = settings.mechanisms(self._tls_active, self._bindings)
        if not arguments:
            listed = offered or AUTH_LIST in settings.quirks
            return Listing.of_words(say.MECHANISMS_FOLLOW, offered) if listed else self._nothing_offered()
        mechanism = arguments[0].decode("ascii").upper()
        if mechanism in offered:
            initial = arguments[1] if len(arguments) > 1 else None
            surroundings = settings.surroundings(self._tls_active, self._bindings)
            return self._went(self._dialogue.start(mechanism, initial, surroundings))
        refusal = settings.password_refusal(self._tls_active)
        shows_password = mechanism in MECHANISMS and mechanism not in HIDING
        if refusal and shows_password and (settings.apop_required or mechanism in settings.sasl_mechanisms):
            return refusal
        return say.MECHANISM_UNKNOWN if offered else self._nothing_offered()

    def _nothing_offered(self) -> Response:
        if not self._settings.sasl_mechanisms:
            return say.SASL_NOT_OFFERED
        return self._settings.password_refusal(self._tls_active) or say.SASL_NOT_OFFERED

    def stls(self, arguments: tuple[bytes, ...]) -> Response | StartTls:
        """STLS (RFC 2595 section 4)."""
        if self._tls_active:
            return say.TLS_ALREADY
        if not self._settings.tls_available:
            return say.TLS_NOT_OFFERED
        return say.TLS_AFTER_UTF8 if self.utf8 else StartTls()

    def switch_to_utf8(self, arguments: tuple[bytes, ...]) -> Response:
        """UTF8 (RFC 6856 section 2.1)."""
        if not self._settings.utf8:
            return say.UTF8_NOT_OFFERED
        if self.utf8:
            return say.UTF8_ALREADY
        self.utf8 = True
        return say.UTF8_ON

    # Exchanges, and how they end

    def respond(self, line: bytes) -> Outcome:
        """A line of an exchange that is under way, without its line end."""
        return self._went(self._dialogue.respond(line))

    def spoil(self) -> Outcome:
        """A line of an exchange that can be no response, whatever stands in it."""
        return self._went(self._dialogue.spoil())

    def answer(self, parameters: ScramParameters) -> Outcome:
        """To Ask."""
        return self._went(self._dialogue.answer(parameters))

    def conclude(self, verdict: Admitted | Response, signature: bytes = b"") -> Outcome:
        """To Login: *verdict*, or the mechanism's last words, and *verdict* once the client has answered."""
        accepted = isinstance(verdict, Admitted)
        self._stamp_spent = self._stamp_spent or (self._stamp_shown and not accepted)
        self._stamp_shown = False
        self._verdict = verdict
        return self._dialogue.conclude(accepted, signature) or verdict

    def give_up(self) -> None:
        """To Login and Ask: nobody can tell. The exchange is over, without the last words of its mechanism,
        for those would blame the client."""
        self._stamp_shown = False
        self._dialogue.stop()

    def _went(self, step: Step | Answer) -> Outcome:
        match step:
            case Challenge():
                return step
            case ScramQuestion():
                return Ask(step)
            case Refusal():
                return _REFUSALS[step]
            case Answer.PROTEST:
                return Disconnected("login-declined")
            case Answer():
                return self._verdict
        return Login(step)


COMMANDS: Mapping[Keyword, Callable[[Authorization, tuple[bytes, ...]], Outcome | Listing]] = {
    Keyword.USER: Authorization.user,
    Keyword.PASS: Authorization.password,
    Keyword.APOP: Authorization.apop,
    Keyword.AUTH: Authorization.auth,
    Keyword.STLS: Authorization.stls,
    Keyword.UTF8: Authorization.switch_to_utf8,
}
"""What a client may say here, besides CAPA and QUIT."""
