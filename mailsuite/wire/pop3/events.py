"""What a POP3 session cannot do alone, or what is worth a line in the log; and listings, which become an
event when they are long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from mailsuite.model.message import MessageRef
from mailsuite.model.response import Response
from mailsuite.wire.pop3.multiline import TERMINATOR
from mailsuite.wire.sasl.steps import Claim, ScramQuestion


@attrs.frozen
class Login:
    """Somebody says who they are and proves it: by USER and PASS (mechanism ``USER``), by APOP (a
    DigestClaim whose challenge is the greeting's stamp), or by SASL.

    Answer: logged_in_as() or refuse().
    """

    claim: Claim


@attrs.frozen
class Ask:
    """SCRAM has to know something of an account before it can go on.

    Answer: scram_parameters(), or refuse() where that cannot be known now.
    """

    question: ScramQuestion


@attrs.frozen
class StartTls:
    """Send what is to be sent, begin TLS, then call tls_started(); close where the handshake fails."""


@attrs.frozen
class Retrieve:
    """A message is asked for: whole (RETR, *lines* is None), or its header and *lines* lines (TOP).

    Answer: retrieval_started() and what follows it, or refuse().
    """

    ref: MessageRef
    lines: int | None = None


@attrs.frozen
class Multiline:
    """The lines of a long listing and their terminator, to be sent as fast as the client reads.

    The first line of the response stands in bytes_to_send() already. Answer: multiline_sent().
    """

    chunks: Iterator[bytes]


@attrs.frozen
class Quit:
    """The session enters UPDATE (RFC 1939 section 6): remove exactly these, release the maildrop.

    Answer: quit_done() or refuse(); either closes.
    """

    deleted: tuple[MessageRef, ...]
    """Those that are marked, and, where the site lets nobody leave mail behind, those retrieved."""
    retrieved: tuple[MessageRef, ...] = ()
    """Those that RETR sent to their end in this session; RSET does not change that."""


@attrs.frozen
class Disconnected:
    """The session is over, for the log; no answer. ``reason`` is one word or a few with hyphens."""

    reason: str


@attrs.frozen
class Violation:
    """The session is over because the client did what no honest client does; for the log, and for who
    bans. No answer. ``kind`` is ``oversize-command``, ``oversize-response`` or ``plaintext-after-stls``."""

    kind: str
    detail: bytes = b""
    """Of an over-long command the first 32 octets, what may be a secret left out."""
    octets: int = attrs.field(default=0, eq=False)
    """Of an over-long line as many as had arrived: not the same for the same line, so it does not compare."""


Event = Login | Ask | StartTls | Retrieve | Multiline | Quit | Disconnected | Violation


@attrs.frozen
class Listing:
    """A multi-line response that needs no byte-stuffing."""

    first: Response
    chunks: Iterator[bytes]
    """The lines, and the terminator at last."""
    short: bool = True
    """It may be sent at once."""

    @classmethod
    def of_words(cls, first: Response, lines: Iterable[str]) -> Listing:
        """A short listing of our own words."""
        text = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        return cls(first, iter((text, TERMINATOR)))
