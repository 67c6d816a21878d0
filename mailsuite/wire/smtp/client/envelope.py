"""MAIL and RCPT by what the server offers, and why a letter cannot go to a server at all.

What a sender asked for and the server has no word for is left out where that harms nobody (DSN: the notice
is ours to write then), and stops the letter where it would break a promise (REQUIRETLS) or the message.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mailsuite.model import reply as replies
from mailsuite.model.envelope import BodyType, NotifyOn, OutboundRecipient
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.client.extensions import Extensions
from mailsuite.wire.smtp.client.letter import CannotSend, Lack, Letter
from mailsuite.wire.smtp.notification import MAX_ORIGINAL

_NO_XTEXT = re.compile(r"[^!-*,-<>-~]")
_NO_QCHAR = re.compile(r"[^!-*,-<>-\[\]-~]")
_NO_QUCHAR = re.compile(r"[\0- +=\\\x7f-\x9f]")


def obstacle(letter: Letter, extensions: Extensions, tls_active: bool, binary: bool) -> CannotSend | None:
    """Why *letter* cannot go to a server that offers this; *binary*: octets can go as they are."""
    found = _obstacle_of_all(letter, extensions, tls_active, binary)
    if found is not None:
        return CannotSend(*found, tuple(range(len(letter.recipients))))
    beyond = tuple(
        number for number, each in enumerate(letter.recipients) if not each.address.is_ascii
    )  # RFC 6531 section 3.2: the others get it all the same
    if beyond and not extensions.smtputf8:
        return CannotSend(Lack.UTF8, replies.NEXT_HOP_LACKS_SMTPUTF8, beyond)
    return None


def _obstacle_of_all(
    letter: Letter, extensions: Extensions, tls_active: bool, binary: bool
) -> tuple[Lack, Reply] | None:
    if extensions.size and letter.size > extensions.size:
        return Lack.SIZE, replies.NEXT_HOP_LACKS_SPACE
    # In clear the word is worth nothing (RFC 8689 section 3).
    if letter.parameters.require_tls and not (tls_active and extensions.require_tls):
        return Lack.REQUIRE_TLS, replies.NEXT_HOP_LACKS_REQUIRETLS
    if (letter.utf8_header or letter.utf8_envelope) and not extensions.smtputf8:
        return Lack.UTF8, replies.NEXT_HOP_LACKS_SMTPUTF8
    if letter.body is BodyType.BINARY and not binary:
        return Lack.BINARY, replies.NEXT_HOP_LACKS_BINARY
    if letter.body is BodyType.EIGHT_BIT and not extensions.eight_bit:
        return Lack.EIGHT_BIT, replies.NEXT_HOP_LACKS_8BIT
    return None


def says_utf8(letter: Letter) -> bool:
    """Whether MAIL says SMTPUTF8: where something needs it, whatever its sender said (RFC 6531 section 3.4).

    So mail that a program marked for no reason still goes to servers that do not know the word.
    """
    beyond = any(not each.address.is_ascii for each in letter.recipients)
    return beyond or letter.utf8_header or letter.utf8_envelope


def mail_line(letter: Letter, extensions: Extensions) -> str:
    """MAIL with its parameters, for a letter that nothing stands in the way of."""
    wanted = letter.parameters
    words = [f"MAIL FROM:<{letter.sender or ''}>"]
    if extensions.size is not None and letter.size:
        words.append(f"SIZE={letter.size}")
    if letter.body is not BodyType.SEVEN_BIT:
        words.append(f"BODY={letter.body.value}")
    if says_utf8(letter):
        words.append("SMTPUTF8")
    if extensions.dsn and wanted.returned is not None:
        words.append(f"RET={wanted.returned.value}")
    if extensions.dsn and wanted.envelope_id:
        words.append(f"ENVID={xtext(wanted.envelope_id)}")
    if wanted.require_tls:
        words.append("REQUIRETLS")
    return " ".join(words)


def recipient_line(recipient: OutboundRecipient, extensions: Extensions, utf8: bool) -> str:
    """RCPT with its parameters; *utf8*: MAIL has said SMTPUTF8."""
    words = [f"RCPT TO:<{recipient.address}>"]
    wanted = recipient.parameters
    if extensions.dsn and wanted.notify:
        words.append(f"NOTIFY={_notify(wanted.notify)}")
    if extensions.dsn and wanted.original:
        original = _original(wanted.original, utf8)
        if len(original.encode("utf-8")) <= MAX_ORIGINAL:
            words.append(f"ORCPT={original}")
    return " ".join(words)


def xtext(text: str) -> str:
    """The printable ASCII of *text* as RFC 3461 section 4 writes it in a parameter."""
    return _NO_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)


def _notify(wanted: Collection[NotifyOn]) -> str:
    return ",".join(each.value for each in NotifyOn if each in wanted)


def _original(original: str, utf8: bool) -> str:
    """ORCPT, of type utf-8 in the form that fits the transaction (RFC 6533 section 3)."""
    kind, _, address = original.partition(";")
    if kind != "utf-8":
        return f"{kind};{xtext(address)}"
    special = _NO_QUCHAR if utf8 else _NO_QCHAR
    return f"{kind};{special.sub(_embedded, address)}"


def _embedded(found: re.Match[str]) -> str:
    return f"\\x{{{ord(found[0]):02X}}}"
