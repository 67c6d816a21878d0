"""What a client session tells the shell, in the order in which the server said it.

The way of a session; a step that comes out of turn is a RuntimeError, one after the end is nothing:

    (connected)                 -> Greeted | TurnedAway
    hello()                     -> Ready | TurnedAway
    start_tls()                 -> TlsNow | TlsRefused
    tls_started()               -> Ready | TurnedAway              EHLO was said again
    authenticate()              -> [Derive, derived()] Authenticated | AuthenticationFailed
    send()                      -> SenderAccepted | SenderRefused, RecipientReply ..., [NotTried],
                                   GoAhead | NobodyLeft | MessageReply and Done (DATA was refused)
    body() ..., end_body()      -> MessageReply ..., Done
    reset()                     -> WasReset | TurnedAway
    quit()                      -> Finished

At any time it may end: Closing, Violation, Lost. Each of them has a reply to record for the recipients for
whom there was no other: neither a RecipientReply that refuses them, nor SenderRefused, nor a MessageReply.
After Ready, Authenticated, AuthenticationFailed, TlsRefused, Done, NobodyLeft and WasReset the session is
``idle``: the next message can go, or quit().
"""

from __future__ import annotations

import attrs

from mailsuite.model.reply import NEXT_HOP_ASTRAY, Reply
from mailsuite.wire.sasl.client import Derive
from mailsuite.wire.smtp.client.awaited import Awaited
from mailsuite.wire.smtp.client.extensions import Extensions


@attrs.frozen
class Greeted:
    """The server takes the connection. Say hello()."""

    reply: Reply


@attrs.frozen
class TurnedAway:
    """The server takes no mail on this connection, by its greeting or by its answer to hello() or reset().
    quit()."""

    reply: Reply


@attrs.frozen
class Ready:
    """The server has answered hello()."""

    extensions: Extensions


@attrs.frozen
class TlsNow:
    """The server waits for TLS: begin it, then call tls_started()."""


@attrs.frozen
class TlsRefused:
    """There is no TLS here after all. The session goes on in clear, if the shell wants that."""

    reply: Reply


@attrs.frozen
class Authenticated:
    """We are logged in, and where the mechanism has that, the server has proved that it knows us."""

    reply: Reply


@attrs.frozen
class AuthenticationFailed:
    """We are not logged in. Another mechanism may be tried."""

    reply: Reply
    """Ours where nothing was tried, or we gave up."""
    mechanism: str
    """What was tried; empty where none fits, and where the server shows none to whom the password can be
    told."""


@attrs.frozen
class SenderAccepted:
    """MAIL was accepted."""

    reply: Reply


@attrs.frozen
class SenderRefused:
    """MAIL was refused, and with it all recipients. NobodyLeft follows."""

    reply: Reply


@attrs.frozen
class RecipientReply:
    """RCPT was answered. A refusal is the last word about this recipient; an acceptance is none."""

    number: int
    reply: Reply


@attrs.frozen
class NotTried:
    """These recipients are too many for one transaction. Send them the letter again, here at once if the
    session lets it: at least one other was accepted, or has its answer."""

    numbers: tuple[int, ...]


@attrs.frozen
class GoAhead:
    """At least one recipient was accepted: give the content by body(), then end_body()."""


@attrs.frozen
class NobodyLeft:
    """No recipient was accepted, and the session is free again."""


@attrs.frozen
class MessageReply:
    """What became of the message, for these recipients: of all that were accepted, or in LMTP of one."""

    numbers: tuple[int, ...]
    reply: Reply


@attrs.frozen
class Done:
    """Each accepted recipient has its MessageReply. The session is free again, unless it is ``ended``."""


@attrs.frozen
class WasReset:
    """The server is there, and knows of no transaction."""


@attrs.frozen
class Finished:
    """After quit() there is nothing to wait for: close the connection."""


@attrs.frozen
class Closing:
    """The server closes the connection (421). Close it."""

    reply: Reply


@attrs.frozen
class Violation:
    """The server did what no honest server does. Close the connection, without another word."""

    kind: str
    """One of the constants below."""
    detail: str
    """Our words, never what the server sent."""
    reply: Reply = NEXT_HOP_ASTRAY
    """Ours."""


@attrs.frozen
class Lost:
    """The connection is gone, by closed() or timed_out()."""

    awaited: Awaited | None
    """What for; None between two steps."""
    reply: Reply
    """Ours."""
    in_doubt: bool
    """A message went out whole, and for somebody there was no answer to it: it may have arrived, and will be
    sent again (RFC 5321 section 4.5.3.2.6, RFC 1047)."""


NO_REPLY = "no-reply"
"""Octets that are no reply: no code, a code that is none of SMTP's, another code on each line."""
OVERSIZE_REPLY = "oversize-reply"
UNASKED_REPLY = "unasked-reply"
"""A reply to nothing, or to what had not been sent."""
UNFIT_REPLY = "unfit-reply"
"""A code that cannot be the answer to this command."""
STARTTLS_INJECTION = "starttls-injection"
UNPROVEN_SERVER = "unproven-server"
"""It let us in, and could not show that it knows our password."""

Event = (
    Greeted
    | TurnedAway
    | Ready
    | TlsNow
    | TlsRefused
    | Derive
    | Authenticated
    | AuthenticationFailed
    | SenderAccepted
    | SenderRefused
    | RecipientReply
    | NotTried
    | GoAhead
    | NobodyLeft
    | MessageReply
    | Done
    | WasReset
    | Finished
    | Closing
    | Violation
    | Lost
)
