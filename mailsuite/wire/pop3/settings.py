"""What one listener offers, and what a client is told of it: greeting and CAPA."""

from __future__ import annotations

import re
from typing import Any

import attrs

from mailsuite.model.response import GREETING, MAX_RESPONSE_OCTETS, Response
from mailsuite.wire.sasl.mechanisms import MECHANISMS

PLAINTEXT_MECHANISMS = frozenset({"PLAIN", "LOGIN"})
"""They show the password to whoever listens (RFC 5034 section 4: not without TLS)."""

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
    plaintext_login: bool = False
    """Passwords may be shown on a clear connection: the peer is in a trusted network."""
    apop_stamp: str = attrs.field(default="", validator=_is_stamp)
    """``<unique@name>``, never the same twice (RFC 1939 section 7, APOP); empty: APOP is not offered."""
    sasl_mechanisms: tuple[str, ...] = attrs.field(default=(), validator=_are_known)
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

    def allows_plaintext(self, tls_active: bool) -> bool:
        """Whether a client may show a password."""
        return tls_active or self.plaintext_login

    def mechanisms(self, tls_active: bool) -> tuple[str, ...]:
        """What AUTH may name on this connection as it is now."""
        if self.allows_plaintext(tls_active):
            return self.sasl_mechanisms
        return tuple(name for name in self.sasl_mechanisms if name not in PLAINTEXT_MECHANISMS)

    def capabilities(self, tls_active: bool, logged_in: bool) -> tuple[str, ...]:
        """The lines of CAPA: what is honoured on this connection as it is now.

        USER and SASL stay after login, as RFC 2449 section 5 wants for all that AUTHORIZATION announces;
        STLS belongs to AUTHORIZATION alone (RFC 2595 section 4).
        """
        capabilities = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]
        if self.allows_plaintext(tls_active):
            capabilities.append("USER")
        if mechanisms := self.mechanisms(tls_active):
            capabilities.append(" ".join(("SASL", *mechanisms)))
        if self.tls_available and not tls_active and not logged_in:
            capabilities.append("STLS")
        return tuple(capabilities)
