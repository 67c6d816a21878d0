"""Command lines (RFC 5321 section 4.1.1): verbs, and the arguments and parameters of MAIL and RCPT.

All functions raise PermanentFailure with the reply to give. Text is ASCII; octets beyond it are kept as
surrogates, so that an address that has some can be refused as such.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import NOTHING_SAID, BodyType, MailParameters
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import (
    ARGUMENT_MISSING,
    BAD_PARAMETER,
    BROKEN_LINE_END,
    COMMAND_TOO_LONG,
    CONTROL_CHARACTER,
    FOREIGN_PROTOCOL,
    HELLO_SYNTAX,
    MAIL_SYNTAX,
    RECIPIENT_SYNTAX,
    UNKNOWN_PARAMETER,
    Reply,
)
from mailsuite.wire.sasl.steps import MAX_LINE_OCTETS
from mailsuite.wire.smtp.paths import recipient_of, sender_of, split_path

MAX_COMMAND_OCTETS = 512
"""A command line with its CRLF, where no extension makes it longer (RFC 5321 section 4.5.3.1.4)."""
_EXTENDED = {"MAIL": 2048, "RCPT": 2048, "AUTH": MAX_LINE_OCTETS}
"""Where extensions do. Each adds to the 512; Postfix takes 2048 as well (RFC 4954 section 4 for AUTH)."""
MAX_HELLO_OCTETS = 255
"""The longest domain (RFC 5321 section 4.5.3.1.2)."""

HTTP_VERBS = frozenset(("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "CONNECT", "OPTIONS", "TRACE"))
"""A browser was sent here to speak SMTP in the body of its request (RFC 9110 section 9)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HELLO_NAME = re.compile(r"[!#-'*+./0-:=?A-Z\[\]^_`a-z{|}~-]+")
"""Looser than a domain or an address literal, as many honest clients call themselves something else;
without what means something in a Received field: brackets, quotes, commas, semicolons, backslash."""
_PARAMETER = re.compile(r"(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[!-<>-~]+))?")
_SIZE = re.compile(r"[0-9]{1,20}")
_AUTH = re.compile(r"<>|(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")


@attrs.frozen
class Command:
    """A verb in upper case, and the rest without the spaces around it."""

    verb: str
    argument: str


def verb_of(start: bytes) -> str:
    """The verb of a line that begins like this, in upper case."""
    return start.partition(b" ")[0].decode("latin-1").upper()


def longest(verb: str) -> int:
    """How many octets a line with this verb, in upper case, may have, its CRLF included."""
    return _EXTENDED.get(verb, MAX_COMMAND_OCTETS)


def parse_line(line: bytes) -> Command:
    """Read a line with its line end. One that has CR or LF elsewhere is refused as a whole."""
    text = line.decode("ascii", "surrogateescape")
    command = text.rstrip(" \t\r\n")
    verb, _, argument = command.partition(" ")
    verb = verb.upper()
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


@attrs.frozen
class MailArguments:
    """What MAIL says."""

    sender: Address | None
    parameters: MailParameters = NOTHING_SAID


def parse_mail(argument: str, allowed: Collection[str]) -> MailArguments:
    """Read ``FROM:<path>`` and those parameters whose keywords are *allowed*."""
    path, words = _path_and_parameters("FROM:", argument, MAIL_SYNTAX)
    sender = sender_of(path)
    found = _parse_parameters(words, allowed)
    if "AUTH" in found and not _AUTH.fullmatch(found["AUTH"]):
        raise PermanentFailure(BAD_PARAMETER)  # else ignored: we trust nobody to vouch (RFC 4954 section 5)
    parameters = MailParameters(_body(found.get("BODY", "7BIT")), _size(found.get("SIZE")))
    return MailArguments(sender, parameters)


def parse_recipient(argument: str) -> Address:
    """Read ``TO:<path>``. No extension of ours gives it a parameter."""
    path, parameters = _path_and_parameters("TO:", argument, RECIPIENT_SYNTAX)
    recipient = recipient_of(path)
    _parse_parameters(parameters, ())
    return recipient


def _path_and_parameters(keyword: str, argument: str, refusal: Reply) -> tuple[str, str]:
    """Split behind *keyword*. Spaces before the path are taken: section 3.3 forbids them, and clients send
    them."""
    if argument[: len(keyword)].upper() != keyword:
        raise PermanentFailure(refusal)
    split = split_path(argument[len(keyword) :].lstrip(" "))
    if split is None or (split[1] and not split[1].startswith(" ")):
        raise PermanentFailure(refusal)
    return split


def _parse_parameters(text: str, allowed: Collection[str]) -> dict[str, str]:
    """Read ``KEYWORD=value`` and ``KEYWORD``, whose value is then empty."""
    parameters: dict[str, str] = {}
    for word in text.split():
        found = _PARAMETER.fullmatch(word)
        keyword = found["keyword"].upper() if found else ""
        if not found or keyword in parameters:
            raise PermanentFailure(BAD_PARAMETER)
        if keyword not in allowed:
            raise PermanentFailure(UNKNOWN_PARAMETER)
        parameters[keyword] = found["value"] or ""
    return parameters


def _body(value: str) -> BodyType:
    try:
        body = BodyType(value.upper())
    except ValueError as error:
        raise PermanentFailure(BAD_PARAMETER) from error
    if body is BodyType.BINARY:  # needs CHUNKING, which is not offered
        raise PermanentFailure(BAD_PARAMETER)
    return body


def _size(value: str | None) -> int | None:
    if value is None:
        return None
    if not _SIZE.fullmatch(value):
        raise PermanentFailure(BAD_PARAMETER)
    return int(value)
