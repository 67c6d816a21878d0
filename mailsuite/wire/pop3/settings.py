"""What one listener offers, and what a client is told of it: greeting and CAPA."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from mailsuite.model.response import (
    CLEAR_TEXT_REFUSED,
    GREETING,
    HIDDEN_PASSWORDS_ONLY,
    MAX_RESPONSE_OCTETS,
    TLS_FIRST,
    Response,
)
from mailsuite.wire.dialogue import not_given
from mailsuite.wire.sasl.mechanisms import MECHANISMS, Surroundings, offered

_GREETING_TEXT = re.compile(r"[\x20-;=?-~]*")
_STAMP = re.compile(r"(<[!-;=?-~]+@[!-;=?-~]+>)?")


def _fits_greeting(instance: SessionSettings, attribute: attrs.Attribute[Any], value: str) -> None:
    """Printable ASCII; no angle brackets, for they are the mark of an APOP stamp (RFC 2449 section 6)."""
    if not _GREETING_TEXT.fullmatch(value):
        raise ValueError(f"{attribute.name} has a character that must not be in a POP3 greeting: {value!r}")


def _is_stamp(instance: SessionSettings, attribute: attrs.Attribute[Any], value: str) -> None:
    if not _STAMP.fullmatch(value):
        raise ValueError(f"no message-id that could be an APOP stamp: {value!r}")


def _are_known(instance: SessionSettings, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    if unknown := [name for name in value if name not in MECHANISMS]:
        raise ValueError(f"unknown SASL mechanisms: {', '.join(unknown)}")


@attrs.frozen
class SessionSettings:
    """The policy of one listener for one peer. Raises ValueError where the greeting would break RFC 1939."""

    response_name: str = attrs.field(validator=_fits_greeting)
    banner: str = attrs.field(default="POP3 ready", validator=_fits_greeting)
    tls_available: bool = False
    """STLS is offered on a clear connection."""
    tls_required: bool = False
    """Nobody logs in before TLS, by whatever mechanism."""
    plaintext_login: bool = False
    """Passwords may be shown on a clear connection: the peer is in a trusted network."""
    apop_stamp: str = attrs.field(default="", validator=_is_stamp)
    """``<unique@name>``, never the same twice (RFC 1939 section 7, APOP); empty: APOP is not offered."""
    apop_required: bool = False
    """No password is taken that its way here does not hide, not even inside TLS."""
    sasl_mechanisms: tuple[str, ...] = attrs.field(default=(), validator=_are_known)
    """In upper case, in the order in which they are listed."""
    hostname: str = ""
    """What challenges call this host; empty: as the greeting does."""
    octets: Callable[[int], bytes] = not_given
    """So many random ones, for mechanisms that need some."""
    seconds: Callable[[], float] = not_given
    """Since the epoch, for the same mechanisms."""
    max_command: int = 512
    """Octets in a command line; beyond, the session ends (features row S-I04)."""
    max_bad_commands_before_login: int = 3
    """So many bad commands in a row are answered, one more closes (Dovecot's number)."""
    max_bad_commands: int = 20
    """The same after login."""

    def __attrs_post_init__(self) -> None:
        if len(self.greeting.encode()) > MAX_RESPONSE_OCTETS:
            raise ValueError(f"the greeting is longer than {MAX_RESPONSE_OCTETS} octets")

    @property
    def greeting(self) -> Response:
        parts = (self.response_name, self.banner, self.apop_stamp)
        return GREETING.with_text(" ".join(filter(None, parts)))

    def login_refusal(self, tls_active: bool) -> Response | None:
        """Why a client may not log in at all; None: it may."""
        return TLS_FIRST if self.tls_required and not tls_active else None

    def password_refusal(self, tls_active: bool) -> Response | None:
        """Why a client may not show a password (RFC 5034 section 4: not without TLS); None: it may."""
        if refusal := self.login_refusal(tls_active):
            return refusal
        if self.apop_required:
            return HIDDEN_PASSWORDS_ONLY
        return None if tls_active or self.plaintext_login else CLEAR_TEXT_REFUSED

    def mechanisms(self, tls_active: bool, bindings: Mapping[str, bytes]) -> tuple[str, ...]:
        """What AUTH may name on this connection as it is now."""
        if self.login_refusal(tls_active):
            return ()
        return offered(self.sasl_mechanisms, self.password_refusal(tls_active) is None, bindings)

    def surroundings(self, tls_active: bool, bindings: Mapping[str, bytes]) -> Surroundings:
        """What an exchange may need of the connection as it is now."""
        hostname = self.hostname or self.response_name
        offered = self.mechanisms(tls_active, bindings)
        return Surroundings(hostname, self.octets, self.seconds, bindings, offered)

    def capabilities(
        self, tls_active: bool, logged_in: bool, bindings: Mapping[str, bytes]
    ) -> tuple[str, ...]:
        """The lines of CAPA: what is honoured on this connection as it is now.

        USER and SASL stay after login, as RFC 2449 section 5 wants for all that AUTHORIZATION announces;
        STLS belongs to AUTHORIZATION alone (RFC 2595 section 4).
        """
        capabilities = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]
        if self.password_refusal(tls_active) is None:
            capabilities.append("USER")
        if mechanisms := self.mechanisms(tls_active, bindings):
            capabilities.append(" ".join(("SASL", *mechanisms)))
        if self.tls_available and not tls_active and not logged_in:
            capabilities.append("STLS")
        return tuple(capabilities)
