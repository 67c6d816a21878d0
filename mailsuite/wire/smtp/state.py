"""What a session knows, and which command is allowed when: the protocol's states as one table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import attrs

from mailsuite.model.envelope import NOTHING_SAID, BodyType, MailParameters
from mailsuite.model.reply import (
    ARGUMENT_MISSING,
    AUTHENTICATION_REQUIRED,
    BINARY_NEEDS_CHUNKS,
    CHUNKS_ONLY,
    HELLO_FIRST,
    LHLO_FIRST,
    LOGGED_IN_ALREADY,
    MAIL_FIRST,
    MECHANISM_UNKNOWN,
    NO_ARGUMENT_TAKEN,
    NO_RECIPIENT_TAKEN,
    NO_VALID_RECIPIENTS,
    NOT_IMPLEMENTED,
    RECIPIENT_FIRST,
    TLS_ACTIVE,
    TLS_FIRST,
    TLS_UNAVAILABLE,
    TOO_MANY_MESSAGES,
    TRANSACTION_OPEN,
    UNKNOWN_COMMAND,
    Reply,
)
from mailsuite.wire.sasl.mechanisms import HIDING, Surroundings, offered
from mailsuite.wire.smtp.commands import Command
from mailsuite.wire.smtp.extensions import extensions
from mailsuite.wire.smtp.settings import SessionSettings


@attrs.define
class Transaction:
    """A mail transaction: open from an accepted MAIL to the end of the message, or a reset."""

    open: bool = False
    tried: int = 0
    """RCPT commands that came as far as to be judged."""
    accepted: int = 0
    parameters: MailParameters = NOTHING_SAID
    """Of its MAIL."""
    chunked: bool = False
    """Its message has begun to come by BDAT."""


@attrs.define
class State:
    """What was learnt from the client so far."""

    settings: SessionSettings
    tls_active: bool
    bindings: Mapping[str, bytes] = {}
    """Channel bindings of the TLS connection."""
    greeted: bool = False
    extended: bool = False
    """It said EHLO, not HELO."""
    offered: Collection[str] = ()
    """The keywords in the answer to EHLO: none, if it said HELO."""
    authenticated: bool = False
    max_message: int = attrs.field(init=False)
    """Octets of a message; what the settings say, or less for who has logged in."""
    mails: int = 0
    """How many transactions there were."""
    transaction: Transaction = attrs.field(factory=Transaction)

    @max_message.default
    def _for_everybody(self) -> int:
        return self.settings.max_message

    def tls_started(self, bindings: Mapping[str, bytes]) -> None:
        """Forget all that came in clear (RFC 3207 section 4.2)."""
        self.tls_active, self.bindings = True, bindings
        self.greeted = self.extended = self.authenticated = False
        self.offered = ()
        self.max_message = self.settings.max_message
        self.transaction = Transaction()

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What AUTH may name on this connection as it is now."""
        settings, tls = self.settings, self.tls_active
        if settings.tls_required and not tls:
            return ()
        return offered(settings.auth_mechanisms, tls or settings.plaintext_auth, self.bindings)

    def mechanism_refusal(self, name: str) -> Reply | None:
        """Why AUTH may not name this one, in upper case, now; None: it may."""
        if name in self.mechanisms:
            return None
        shows_password = name not in HIDING and name in self.settings.auth_mechanisms
        return TLS_FIRST if shows_password and not self.tls_active else MECHANISM_UNKNOWN

    @property
    def surroundings(self) -> Surroundings:
        """What an exchange may need of the connection as it is now."""
        settings = self.settings
        return Surroundings(
            settings.hostname, settings.octets, settings.seconds, self.bindings, self.mechanisms
        )

    def greet(self, extended: bool) -> Mapping[str, str]:
        """HELO, or where it is *extended* EHLO: answers what is offered on the connection as it is now,
        keyword -> what stands behind it."""
        offers = (
            extensions(self.settings, self.tls_active, self.mechanisms, self.max_message) if extended else {}
        )
        self.greeted, self.extended, self.offered = True, extended, offers
        return offers

    def refusal(self, command: Command) -> Reply | None:
        """Why *command* cannot be carried out now; None where it can."""
        table = LMTP_CONDITIONS if self.settings.protocol == "lmtp" else CONDITIONS
        conditions = table.get(command.verb)
        if conditions is None:
            return NOT_IMPLEMENTED if command.verb in NOT_DONE else UNKNOWN_COMMAND
        for condition in conditions:
            refusal = condition(self, command.argument)
            if refusal is not None:
                return refusal
        return None


Condition = Callable[[State, str], Reply | None]


def _needs(condition: Callable[[State, str], bool], otherwise: Reply) -> Condition:
    return lambda state, argument: None if condition(state, argument) else otherwise


def _needs_hello(condition: Callable[[State], bool]) -> Condition:
    def refusal(state: State, argument: str) -> Reply | None:
        if condition(state):
            return None
        return LHLO_FIRST if state.settings.protocol == "lmtp" else HELLO_FIRST

    return refusal


_no_argument = _needs(lambda state, argument: not argument, NO_ARGUMENT_TAKEN)
_argument = _needs(lambda state, argument: bool(argument), ARGUMENT_MISSING)
_greeted = _needs_hello(lambda state: state.greeted)
_extended = _needs_hello(lambda state: state.extended)
_secured = _needs(lambda state, argument: state.tls_active or not state.settings.tls_required, TLS_FIRST)
_in_clear = _needs(lambda state, argument: not state.tls_active, TLS_ACTIVE)
_tls_available = _needs(lambda state, argument: state.settings.tls_available, TLS_UNAVAILABLE)
_has_mechanisms = _needs(lambda state, argument: bool(state.settings.auth_mechanisms), NOT_IMPLEMENTED)
_may_authenticate = _needs(lambda state, argument: bool(state.mechanisms), TLS_FIRST)
_unknown_yet = _needs(lambda state, argument: not state.authenticated, LOGGED_IN_ALREADY)
_logged_in = _needs(
    lambda state, argument: state.authenticated or not state.settings.auth_required, AUTHENTICATION_REQUIRED
)
_message_left = _needs(
    lambda state, argument: not state.settings.mail_max or state.mails < state.settings.mail_max,
    TOO_MANY_MESSAGES,
)
_no_transaction = _needs(lambda state, argument: not state.transaction.open, TRANSACTION_OPEN)
_transaction = _needs(lambda state, argument: state.transaction.open, MAIL_FIRST)
_chunking = _needs(lambda state, argument: state.settings.chunking, NOT_IMPLEMENTED)
_not_chunked = _needs(lambda state, argument: not state.transaction.chunked, CHUNKS_ONLY)
_not_binary = _needs(
    lambda state, argument: state.transaction.parameters.body is not BodyType.BINARY, BINARY_NEEDS_CHUNKS
)


def _recipients(state: State, argument: str) -> Reply | None:
    if state.transaction.accepted:
        return None
    if not state.transaction.tried:
        return RECIPIENT_FIRST
    return NO_RECIPIENT_TAKEN if state.settings.protocol == "lmtp" else NO_VALID_RECIPIENTS


CONDITIONS: Mapping[str, tuple[Condition, ...]] = {
    "EHLO": (),
    "HELO": (),
    "MAIL": (_greeted, _secured, _logged_in, _no_transaction, _message_left),
    "RCPT": (_secured, _transaction, _not_chunked),
    "DATA": (_no_argument, _secured, _transaction, _not_chunked, _not_binary, _recipients),
    "BDAT": (_chunking, _extended, _secured, _transaction, _recipients),
    "RSET": (_no_argument,),
    "NOOP": (),
    "VRFY": (_argument, _secured),
    "HELP": (),
    "QUIT": (_no_argument,),
    "STARTTLS": (_no_argument, _extended, _in_clear, _tls_available, _unknown_yet, _no_transaction),
    "AUTH": (_has_mechanisms, _extended, _may_authenticate, _unknown_yet, _no_transaction, _argument),
}
"""What each command needs; the first that is not so gives the reply."""

LMTP_CONDITIONS: Mapping[str, tuple[Condition, ...]] = {
    "LHLO": (),
    **{verb: conditions for verb, conditions in CONDITIONS.items() if verb not in ("EHLO", "HELO")},
}
"""The same for LMTP (RFC 2033 section 4.1)."""

NOT_DONE = frozenset(("EXPN", "SEND", "SOML", "SAML", "TURN", "ETRN", "ATRN", "BURL"))
"""Commands that exist, and that this server does not have: 502, not 500."""
