"""What is taken for SMTP: line ends, lengths, forms of addresses, and the extensions that are offered."""

# The declarations are immutable: they are no shared mutable defaults. Without slots, for a class has one
# base with slots at most.

from __future__ import annotations

from typing import Literal, get_args

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import Boolean, ListOf, OneOf
from mailsuite.config.measures import Size

Extension = Literal["smtputf8", "chunking", "binarymime", "dsn", "requiretls", "limits"]

_KIB = 1 << 10


@attrs.frozen(kw_only=True, slots=False)
class Strictness:
    """Keys that ``[smtp]``, ``[submission]`` and ``[lmtp]`` have in common."""

    reject_bare_newline: bool = setting(
        Boolean(),
        True,
        meaning="Whether bare CR or LF in a message refuse it, or become CRLF; they never end it.",
        applied="new sessions",
    )
    bare_addresses: bool = setting(
        Boolean(),
        False,
        meaning="Whether MAIL and RCPT may say an address without <>, for old programs.",
        applied="new sessions",
    )
    max_text_line: int = setting(
        Size(1000, 1024 * _KIB),
        "64KiB",
        meaning="The longest line of a message that is taken; it stays whole, and longer ones refuse it.",
        applied="new sessions",
    )
    not_offered: tuple[Extension, ...] = setting(
        ListOf(OneOf(get_args(Extension)), example='["chunking"]'),
        # POP3 has lines, and cannot hand such a message over as it is. Where DSN is offered we promise the
        # sender a notice of success, and nobody knows who a stranger is; a server that hands mail on to us
        # can promise it itself.
        ["binarymime", "dsn"],
        meaning="Extensions not offered: smtputf8, chunking, binarymime, dsn, requiretls, limits.",
        applied="new sessions",
    )
