"""Command lines (RFC 5321 section 4.1.1): verbs, and the arguments and parameters of MAIL and RCPT.

All functions raise PermanentFailure with the reply to give. Text is UTF-8; octets that are none are kept as
surrogates, so that an address that has some can be refused as such.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import (
    ARGUMENT_MISSING,
    BAD_RECIPIENT,
    BROKEN_LINE_END,
    COMMAND_TOO_LONG,
    CONTROL_CHARACTER,
    EXCHANGE_TOO_LONG,
    FOREIGN_PROTOCOL,
    HELLO_SYNTAX,
    MAIL_SYNTAX,
    NON_ASCII_ADDRESS,
    RECIPIENT_SYNTAX,
    SMTPUTF8_NEEDED,
    UNKNOWN_PARAMETER,
    Reply,
)
from mailsuite.wire.sasl.steps import MAX_LINE_OCTETS
from mailsuite.wire.smtp.events import Mail, Recipient
from mailsuite.wire.smtp.notification import upper
from mailsuite.wire.smtp.parameters import parse_mail_parameters, parse_recipient_parameters
from mailsuite.wire.smtp.paths import recipient_of, sender_of, split_path

MAX_COMMAND_OCTETS = 512
"""A command line with its CRLF, where no extension makes it longer (RFC 5321 section 4.5.3.1.4)."""
_EXTENDED = {"MAIL": 2048, "RCPT": 2048, "VRFY": 2048, "AUTH": MAX_LINE_OCTETS}
"""Where extensions do. Each adds to the 512 (RFC 3461 section 4, RFC 6531 section 3.1); Postfix takes 2048 as
well (RFC 4954 section 4 for AUTH)."""
MAX_HELLO_OCTETS = 255
"""The longest domain (RFC 5321 section 4.5.3.1.2)."""

HTTP_VERBS = frozenset(("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "CONNECT", "OPTIONS", "TRACE"))
"""A browser was sent here to speak SMTP in the body of its request (RFC 9110 section 9)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HELLO_NAME = re.compile(r"[!#-'*+./0-:=?A-Z\[\]^_`a-z{|}~-]+")
"""Looser than a domain or an address literal, as many honest clients call themselves something else;
without what means something in a Received field: brackets, quotes, commas, semicolons, backslash."""


@attrs.frozen
class Command:
    """A verb in upper case, and the rest without the spaces around it."""

    verb: str
    argument: str


def verb_of(start: bytes) -> str:
    """The verb of a line that begins like this, in upper case."""
    return start.partition(b" ")[0].upper().decode("latin-1")


def longest(verb: str) -> int:
    """How many octets a line with this verb, in upper case, may have, its CRLF included."""
    return _EXTENDED.get(verb, MAX_COMMAND_OCTETS)


def too_long(verb: str) -> Reply:
    """Why a line with this verb, in upper case, is refused that is longer than any command."""
    if verb in HTTP_VERBS:
        return FOREIGN_PROTOCOL
    return EXCHANGE_TOO_LONG if verb == "AUTH" else COMMAND_TOO_LONG


def parse_line(line: bytes) -> Command:
    """Read a line with its line end. One that has CR or LF elsewhere is refused as a whole."""
    text = line.decode("utf-8", "surrogateescape")
    command = text.rstrip(" \t\r\n")
    verb, _, argument = command.partition(" ")
    verb = upper(verb)
    if verb in HTTP_VERBS:
        raise PermanentFailure(FOREIGN_PROTOCOL)
    if not text.endswith("\r\n") or "\r" in text[:-2]:
        raise PermanentFailure(BROKEN_LINE_END)
    if _CONTROL.search(command):
        raise PermanentFailure(CONTROL_CHARACTER)
    if len(line) > longest(verb):
        raise PermanentFailure(COMMAND_TOO_LONG)
    return Command(verb, argument.strip(" "))


def parse_hello(argument: str) -> str:
    """Read the name in EHLO or HELO."""
    if not argument:
        raise PermanentFailure(ARGUMENT_MISSING)
    if len(argument) > MAX_HELLO_OCTETS or not _HELLO_NAME.fullmatch(argument):
        raise PermanentFailure(HELLO_SYNTAX)
    return argument


def parse_mail(argument: str, offered: Collection[str], bare_paths: bool = False) -> Mail:
    """Read ``FROM:<path>`` and its parameters; *offered*: the keywords of EHLO's answer."""
    path, words = _path_and_parameters("FROM:", argument, MAIL_SYNTAX, bare_paths)
    parameters = parse_mail_parameters(words, offered)
    return Mail(sender_of(path, beyond_ascii(offered, parameters.smtputf8)), parameters)


def parse_recipient(
    argument: str, offered: Collection[str], utf8: bool = False, bare_paths: bool = False
) -> Recipient:
    """Read ``TO:<path>`` and its parameters; *utf8*: MAIL has said SMTPUTF8."""
    path, words = _path_and_parameters("TO:", argument, RECIPIENT_SYNTAX, bare_paths)
    parameters = parse_recipient_parameters(words, offered, utf8)
    return Recipient(recipient_of(path, beyond_ascii(offered, utf8)), parameters)


def check_verify(argument: str, offered: Collection[str]) -> None:
    """Look at the argument of VRFY, a name or address, and at SMTPUTF8 behind it (RFC 6531 section 3.7.4.2).

    Whom it means is nobody's business, so nothing is answered.
    """
    name, _, word = argument.rpartition(" ")
    utf8 = upper(word) == "SMTPUTF8" and bool(name)
    if utf8 and "SMTPUTF8" not in offered:
        raise PermanentFailure(UNKNOWN_PARAMETER)
    refusal = beyond_ascii(offered, utf8)
    if refusal is not None and not argument.isascii():
        raise PermanentFailure(refusal)
    if not _is_utf8(argument):
        raise PermanentFailure(BAD_RECIPIENT)


def beyond_ascii(offered: Collection[str], utf8: bool) -> Reply | None:
    """Why an address may not have octets beyond ASCII (RFC 6531 section 3.5); None: it may."""
    if utf8:
        return None
    return SMTPUTF8_NEEDED if "SMTPUTF8" in offered else NON_ASCII_ADDRESS


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _path_and_parameters(keyword: str, argument: str, refusal: Reply, bare: bool) -> tuple[str, str]:
    """Split behind *keyword*. Spaces before the path are taken: section 3.3 forbids them, and clients send
    them."""
    if upper(argument[: len(keyword)]) != keyword:
        raise PermanentFailure(refusal)
    split = split_path(argument[len(keyword) :].lstrip(" "), bare)
    if split is None or (split[1] and not split[1].startswith(" ")):
        raise PermanentFailure(refusal)
    return split
