"""What one listener offers, and how it greets. What CAPA says of it is in capabilities.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Literal

import attrs

from mailsuite.model.response import (
    CLEAR_TEXT_REFUSED,
    GREETING,
    HIDDEN_PASSWORDS_ONLY,
    MAX_RESPONSE_OCTETS,
    TLS_FIRST,
    Response,
)
from mailsuite.model.retention import Terms
from mailsuite.wire.dialogue import not_given
from mailsuite.wire.sasl.mechanisms import MECHANISMS, Surroundings, offered

_GREETING_TEXT = re.compile(r"[\x20-;=?-~]*")
_TOKENS = re.compile(r"([!-~]+( [!-~]+)*)?")
_STAMP = re.compile(r"(<[!-;=?-~]+@[!-;=?-~]+>)?")

NO_LIMITS = Terms()
"""Mail stays for ever, and nobody has to wait for the next login."""

NO_NULS = "outlook-no-nuls"
WHOLE_HEADERS = "oe-ns-eoh"
AUTH_LIST = "auth-list"
QUIRKS = frozenset({NO_NULS, WHOLE_HEADERS, AUTH_LIST})
"""Allowances for old programs (features row P-23). What they do is told where it is done."""


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


def _are_quirks(instance: SessionSettings, attribute: attrs.Attribute[Any], value: AbstractSet[str]) -> None:
    if unknown := sorted(value - QUIRKS):
        raise ValueError(f"unknown quirks: {', '.join(unknown)}")


def _is_implementation(instance: SessionSettings, attribute: attrs.Attribute[Any], value: str) -> None:
    """RFC 2449 section 6.9, in a line that section 4 lets be."""
    line = f"IMPLEMENTATION {value}\r\n"
    if not _TOKENS.fullmatch(value) or len(line) > MAX_RESPONSE_OCTETS:
        raise ValueError(f"no words that could name an implementation: {value!r}")


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
    """Octets in a command line (features row S-I04)."""
    overlong: Literal["error", "close"] = "close"
    """What a longer one leads to: an error, or the end of the session. Whether that bans is for others."""
    strict_crlf: bool = False
    """A line that ends with LF alone is refused."""
    max_bad_commands_before_login: int = 3
    """So many bad commands in a row are answered, one more closes (Dovecot's number)."""
    max_bad_commands: int = 20
    """The same after login."""
    offer: Terms = NO_LIMITS
    """What is announced before the login: the shortest time that mail stays for any user, and the longest
    wait from one login to the next (RFC 2449 sections 6.7 and 6.5)."""
    terms_vary: bool = False
    """Users may have other terms."""
    utf8: bool = True
    """UTF8 is offered (RFC 6856), and names and passwords in UTF-8 are taken."""
    last: bool = False
    """LAST is offered (RFC 1460 section 5)."""
    implementation: str = attrs.field(default="", validator=_is_implementation)
    """What CAPA calls us after the login; empty: nothing."""
    quirks: AbstractSet[str] = attrs.field(default=frozenset(), validator=_are_quirks)

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
