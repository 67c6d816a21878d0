"""What a client session is told before it begins."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

from mailsuite.model.outbound import MAX_RECIPIENTS_AT_ONCE
from mailsuite.wire.dialogue import not_given

_HELLO_NAME = re.compile(r"[!-~]{1,255}")
"""A domain or an address literal, as far as the wire cares (RFC 5321 section 4.5.3.1.2)."""


def _is_one_word(instance: ClientSettings, attribute: attrs.Attribute[Any], value: str) -> None:
    if not _HELLO_NAME.fullmatch(value):
        raise ValueError("a client introduces itself by one word of visible ASCII")


@attrs.frozen
class ClientSettings:
    """All that a client session needs to know beforehand. Raises ValueError for a name that is none."""

    hello: str = attrs.field(validator=_is_one_word)
    """What we call ourselves: our host name, or our address in brackets (RFC 5321 section 4.1.4)."""
    lmtp: bool = False
    """LHLO, and a reply for each recipient (RFC 2033)."""
    max_recipients: int = MAX_RECIPIENTS_AT_ONCE
    """Of one transaction, where the server names no lower number (RFC 9422)."""
    pipelining: bool = True
    """Send commands in one go where the server offers it (RFC 2920). Not, behind firewalls that break it."""
    chunking: bool = True
    """Send the message by BDAT where the server offers it, and PIPELINING with it (RFC 3030)."""
    plaintext_auth: bool = False
    """The password may be shown without TLS too."""
    octets: Callable[[int], bytes] = not_given
    """So many random ones, for SCRAM."""
