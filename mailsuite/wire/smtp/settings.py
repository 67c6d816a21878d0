"""What an SMTP session is told before it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs

from mailsuite.wire.dialogue import not_given
from mailsuite.wire.sasl.mechanisms import MECHANISMS


def _are_known(instance: SessionSettings, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    if unknown := [name for name in value if name not in MECHANISMS]:
        raise ValueError(f"unknown SASL mechanisms: {', '.join(unknown)}")


@attrs.frozen
class SessionSettings:
    """All that a session needs to know beforehand. Raises ValueError for a mechanism that nobody speaks."""

    hostname: str
    protocol: Literal["smtp", "lmtp"] = "smtp"
    """LMTP has LHLO, and a reply for each recipient (RFC 2033)."""
    banner: str = "ESMTP"
    max_message: int = 50 * 1024 * 1024
    """Octets of a message; advertised and enforced (RFC 1870)."""
    max_recipients: int = 100
    """Of one transaction. RFC 5321 section 4.5.3.1.8 asks for at least 100."""
    max_text_line: int = 64 * 1024
    """Octets of a line in a message. RFC 5321 section 4.5.3.1.6 asks for 998."""
    normalise_newlines: bool = False
    """A bare CR or LF in a message becomes CRLF; else the message is refused."""
    mail_max: int = 0
    """Messages of one session; MAIL beyond is the end of it. 0: no limit."""
    smtputf8: bool = True
    """Offer SMTPUTF8 (RFC 6531)."""
    chunking: bool = True
    """Offer CHUNKING (RFC 3030)."""
    binary: bool = True
    """Offer BINARYMIME with it: messages whose octets mean no lines at all."""
    dsn: bool = True
    """Offer DSN (RFC 3461)."""
    require_tls: bool = True
    """Offer REQUIRETLS where TLS is active (RFC 8689)."""
    limits: bool = True
    """Offer LIMITS: tell how many recipients and messages may come (RFC 9422)."""
    hold_max: int = 0
    """Seconds that a message may wait here at its sender's wish; 0: FUTURERELEASE is not offered (RFC 4865).
    At most nine digits. Needs ``seconds``."""
    bare_paths: bool = False
    """Take an address without its angle brackets in MAIL and RCPT."""
    overlong: Literal["error", "close"] = "error"
    """What a command beyond 512 octets leads to, where no extension makes it longer: 500 once its end has
    come, or 500 and the end of the session at once (features row S-I04)."""
    soft_errors: int = 10
    """Permanent refusals without a message that are answered at once. Postfix: smtpd_soft_error_limit."""
    error_delay: float = 0.0
    """Seconds that the reply to each further one is held back, by Pause; 0: none. Postfix:
    smtpd_error_sleep_time, 1."""
    hard_errors: int = 20
    """As many end the session. Postfix: smtpd_hard_error_limit."""
    tls_available: bool = False
    """Offer STARTTLS."""
    tls_required: bool = False
    """No mail and no login before TLS (RFC 3207 section 4)."""
    auth_mechanisms: tuple[str, ...] = attrs.field(default=(), validator=_are_known)
    """In upper case, in the order in which EHLO lists them. Empty: no AUTH at all."""
    plaintext_auth: bool = False
    """Passwords may be shown without TLS too."""
    auth_required: bool = False
    """No mail before AUTH (RFC 6409 section 4.3)."""
    octets: Callable[[int], bytes] = not_given
    """So many random ones, for mechanisms that need some."""
    seconds: Callable[[], float] = not_given
    """Since the epoch, for the same mechanisms, and for FUTURERELEASE."""
