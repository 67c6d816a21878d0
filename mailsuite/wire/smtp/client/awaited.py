"""What a client waits for, and how long it is patient (RFC 5321 section 4.5.3.2)."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Awaited(enum.Enum):
    """What has to come next from the server, or to go to it."""

    GREETING = "greeting"
    HELLO = "hello"
    """The answer to EHLO, HELO or LHLO."""
    TLS = "tls"
    """The answer to STARTTLS, and then the handshake."""
    LOGIN = "login"
    """An answer in the dialogue of AUTH."""
    MAIL = "mail"
    RCPT = "rcpt"
    DATA_START = "data-start"
    """354."""
    DATA_BLOCK = "data-block"
    """The way out of a piece of the message, and with BDAT the answer to it."""
    DATA_END = "data-end"
    """The answer to the whole message."""
    RESET = "reset"
    QUIT = "quit"


PATIENCE: Mapping[Awaited, float] = {
    Awaited.GREETING: 300,
    Awaited.HELLO: 300,
    Awaited.TLS: 300,
    Awaited.LOGIN: 300,
    Awaited.MAIL: 300,
    Awaited.RCPT: 300,
    Awaited.DATA_START: 120,
    Awaited.DATA_BLOCK: 180,
    Awaited.DATA_END: 600,
    Awaited.RESET: 20,
    Awaited.QUIT: 20,
}
"""Seconds, at least. Where RFC 5321 section 4.5.3.2 has no number it is Postfix's (smtp_helo_timeout,
smtp_starttls_timeout, smtp_rset_timeout); nothing is lost where QUIT has no answer."""
