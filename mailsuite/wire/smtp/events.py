"""What a server session tells the service, in the order in which the client said it.

Mail, Recipient, DataStart, BodyEnd, Authenticate, Ask and Pause want an answer: the session is paused until
reply(), or what the event names instead. The others are for information.

A transaction begins with the positive answer to Mail and ends with BodyEnd or Reset, whichever comes;
only a lost connection ends it without either.
"""

from __future__ import annotations

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import (
    NOTHING_SAID,
    NOTHING_SAID_OF_RECIPIENT,
    MailParameters,
    RecipientParameters,
)
from mailsuite.model.reply import Reply
from mailsuite.wire.sasl.steps import Claim, ScramQuestion


@attrs.frozen
class Hello:
    """EHLO or HELO was answered. ``name`` is what the client calls itself: visible ASCII, no brackets of
    comments or addresses, and no proof of anything."""

    name: str
    extended: bool


@attrs.frozen
class Mail:
    """MAIL FROM; ``sender`` is None for the null reverse-path. Wants a reply."""

    sender: Address | None
    parameters: MailParameters = NOTHING_SAID
    """A promised size is never above the limit."""


@attrs.frozen
class Recipient:
    """RCPT TO. Wants a reply."""

    address: Address
    parameters: RecipientParameters = NOTHING_SAID_OF_RECIPIENT


@attrs.frozen
class DataStart:
    """DATA, or the first BDAT, with at least one accepted recipient. Wants 354 or a refusal. After DATA that
    keeps the transaction; after BDAT, where the message comes all the same, it ends it, by Reset."""


@attrs.frozen
class BodyChunk:
    """The next octets of the message: CRLF line ends, dots unstuffed; where MAIL said BODY=BINARYMIME, any
    octets. A message that turned out to be defective has no further chunks."""

    data: bytes


@attrs.frozen
class BodyEnd:
    """The whole message has arrived; this ends the transaction. Wants a reply.

    Where ``defect`` is set the message must not be delivered, and that is the reply to give. In LMTP the
    answer is reply_each(), with one reply for each accepted recipient in their order (RFC 2033 section 4.2).
    """

    size: int
    """Octets of the message, as in its chunks."""
    defect: Reply | None
    dot_lines: bool
    """Whether any line of the message begins with a dot."""


@attrs.frozen
class Reset:
    """The transaction is over, without a message."""


@attrs.frozen
class Authenticate:
    """Somebody says who they are, and proves it. Wants authenticated() with 235, or a reply of 535 or 454."""

    claim: Claim


@attrs.frozen
class Ask:
    """SCRAM has to know something of an account before it can go on.

    Wants scram_parameters(), or a reply of 454 where that cannot be known now.
    """

    question: ScramQuestion


@attrs.frozen
class StartTls:
    """The 220 is queued and nothing more is parsed: send it, begin TLS, then call tls_started()."""


@attrs.frozen
class Pause:
    """A reply is held back, for there were too many errors. Wants resumed() when the time is over."""

    seconds: float


@attrs.frozen
class Quit:
    """The client has said goodbye, and got its answer."""


@attrs.frozen
class Violation:
    """The client did what no honest client does, and the session closes. For the log."""

    kind: str
    """One of the constants below."""
    detail: str
    """Our words, never what the client sent."""
    octets: int = attrs.field(default=0, eq=False)
    """Of an over-long command, how many had come; it depends on how the segments were cut."""
    start: bytes = b""
    """The first octets of it, where it began as a command of ours."""


STARTTLS_INJECTION = "starttls-injection"
PIPELINED_DATA = "pipelined-data"
UNREADABLE_CHUNK = "unreadable-chunk"
EARLY_TALKER = "early-talker"
INPUT_FLOOD = "input-flood"
FOREIGN_PROTOCOL = "foreign-protocol"
OVERSIZE_COMMAND = "oversize-command"
TOO_MANY_ERRORS = "too-many-errors"
TOO_MANY_COMMANDS = "too-many-commands"
FAILED_LOGINS = "failed-logins"

Event = (
    Hello
    | Mail
    | Recipient
    | DataStart
    | BodyChunk
    | BodyEnd
    | Reset
    | Authenticate
    | Ask
    | StartTls
    | Pause
    | Quit
    | Violation
)
