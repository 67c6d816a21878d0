"""The letter that tells the postmaster of mail from strangers that could not be forwarded (features row
Q-08).

Pure. A notice to such a sender would be backscatter: nobody knows whether the return address is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from mailsuite.delivery.dsn import Notice
from mailsuite.delivery.dsn_fields import MAX_REPLY_CHARACTERS, reply_lines
from mailsuite.delivery.dsn_letter import quoted, wrapped
from mailsuite.delivery.dsn_mime import text_part
from mailsuite.delivery.dsn_report import id_of
from mailsuite.delivery.dsn_safe import readable
from mailsuite.delivery.dsn_texts import Texts
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters
from mailsuite.model.outbound import Owed, QueuedRecipient
from mailsuite.wire.pop3.encoded_words import encoded, folded, words_of

MAX_LINES = 2
"""Of what was said about one recipient."""
MAX_RECIPIENTS = 5
"""Of one message that are told of; the log has all."""


def digest(
    owed: Sequence[Owed],
    unlisted: int,
    *,
    to: Address,
    hostname: str,
    texts: Texts,
    now: float,
) -> Notice:
    """One letter about all of it, and about so many more messages that are *unlisted*."""
    id = id_of("\0".join((hostname, *(each.message.id for each in owed))))
    subject = texts.digest_subject.format(count=len(owed) + unlisted)
    part = text_part("text/plain; charset=utf-8", "\r\n".join(_lines(owed, unlisted, texts)), texts.tag)
    fields = (
        f"Date: {format_datetime(datetime.fromtimestamp(now, UTC))}",
        folded("From", [texts.daemon, f"<{to}>"]),
        folded("To", [f"<{to}>"]),
        folded("Subject", encoded(words_of(subject))),
        f"Message-ID: <{id}@{hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "",
    )
    return Notice(id, to, "\r\n".join(fields).encode("utf-8", "replace") + part.octets(), MailParameters())


def _lines(owed: Sequence[Owed], unlisted: int, texts: Texts) -> Iterator[str]:
    yield from wrapped(texts.digest)
    for each in owed:
        message = each.message
        sender = "<>" if message.sender is None else message.sender
        yield ""
        yield f"{sender}, {texts.moment(message.arrived)}, {message.id}"
        for recipient in each.recipients[:MAX_RECIPIENTS]:
            yield from _of(recipient, texts)
        if len(each.recipients) > MAX_RECIPIENTS:
            yield f"  + {len(each.recipients) - MAX_RECIPIENTS}"
    if unlisted:
        yield ""
        yield from wrapped(texts.digest_more.format(count=unlisted))
    yield ""


def _of(recipient: QueuedRecipient, texts: Texts) -> Iterator[str]:
    _, _, named = recipient.recipient.parameters.original.partition(";")
    by = f" ({readable(named, MAX_REPLY_CHARACTERS)})" if named else ""
    yield f"  {texts.to} {recipient.recipient.address}{by}"
    if recipient.last is not None:
        for line in reply_lines(recipient.last.reply)[:MAX_LINES]:
            yield from quoted(recipient.last.reply.code, line)
