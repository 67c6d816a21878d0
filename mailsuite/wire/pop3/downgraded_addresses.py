"""Addresses beyond ASCII, as programs that know ASCII alone may see them (RFC 6858 section 2.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from mailsuite.model.address import MAX_DOMAIN_OCTETS, AddressSyntaxError, normalise_domain
from mailsuite.wire.pop3.encoded_words import Word, encode_text, encoded
from mailsuite.wire.pop3.structured import Kind, Token, tokens

NOBODY = "<invalid@internationalized-address.invalid>"
"""Will never be anybody's (RFC 2606 section 2). The name before it tells the address."""

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")


@attrs.frozen
class _Mailbox:
    name: Sequence[Token]
    address: str
    comments: Sequence[Token]
    in_brackets: bool


def addresses(value: str) -> list[str]:
    """A list of addresses and groups of them, none of them lost, those in ASCII unchanged."""
    words: list[list[str]] = []  # each in pieces: any number of separators may stand behind one
    part: list[Token] = []
    in_brackets = False
    for token in tokens(value):
        in_brackets = token.text == "<" or (in_brackets and token.text != ">")
        if in_brackets or token.kind is not Kind.SPECIAL or token.text not in ",:;":
            part.append(token)
            continue
        if token.text == ":":
            words += ([word] for word in _group_name(part))
        else:
            words += ([word] for word in _mailbox(part) or ([] if words else [""]))
            words[-1].append(token.text)
        part = []
    return ["".join(pieces) for pieces in words] + _mailbox(part)


def path(value: str) -> list[str]:
    """An address in brackets and nothing else: there is no room for a name."""
    mailbox = _read(list(tokens(value)))
    return [f"<{address}>" if (address := in_ascii(mailbox.address)) is not None else NOBODY]


def in_ascii(address: str) -> str | None:
    """The same mailbox in ASCII: its domain in A-labels (RFC 6857 section 3.1.8); None where more is not."""
    local, at, domain = address.rpartition("@")
    if address.isascii():
        return address
    if not (at and local.isascii()) or len(domain) > MAX_DOMAIN_OCTETS:
        return None
    try:
        return f"{local}@{normalise_domain(domain)}"
    except AddressSyntaxError:
        return None


def comment(token: Token) -> list[str]:
    """A comment in ASCII (RFC 6857 section 3.1.3); comments inside it become its text."""
    if token.text.isascii():
        return [token.text]
    words = encode_text(token.content)
    words[0] = "(" + words[0]
    words[-1] += ")"
    return words


def phrase(part: Sequence[Token]) -> list[str]:
    """The words of a name. Those that are atoms or quoted strings of ASCII stay."""
    words = (token for token in part if token.kind not in (Kind.SPACE, Kind.COMMENT))
    return encoded(Word(token.text if _stays(token) else token.content, not _stays(token)) for token in words)


def _stays(token: Token) -> bool:
    return token.text.isascii() and (token.kind is Kind.QUOTED or _ATOM.fullmatch(token.text) is not None)


def _group_name(part: Sequence[Token]) -> list[str]:
    """With its colon, which must not touch an encoded word (RFC 2047 section 5)."""
    if all(token.text.isascii() for token in part):
        return ["".join(_as_it_is(part)) + ":"]
    return [*phrase(part), ":"]


def _as_it_is(part: Sequence[Token]) -> list[str]:
    text = "".join(token.text for token in part).strip(" \t")
    return [text] if text else []


def _mailbox(part: Sequence[Token]) -> list[str]:
    if not part:
        return []
    if all(token.text.isascii() for token in part):
        return _as_it_is(part)
    mailbox = _read(part)
    comments = [word for token in mailbox.comments for word in comment(token)]
    address = in_ascii(mailbox.address)
    if address is None:
        name = " ".join(token.content for token in mailbox.name)
        told = f"{name} <{mailbox.address}>" if name else mailbox.address
        return [*encode_text(told), NOBODY, *comments]
    if not mailbox.in_brackets:
        return [address, *comments]
    return [*phrase(mailbox.name), f"<{address}>", *comments]


def _read(part: Sequence[Token]) -> _Mailbox:
    texts = [token.text for token in part]
    in_brackets = "<" in texts
    opening = texts.index("<") if in_brackets else -1
    closing = texts.index(">", opening) if in_brackets and ">" in texts[opening:] else len(part)
    inside = part[opening + 1 : closing]
    address = "".join(token.text for token in inside if token.kind not in (Kind.SPACE, Kind.COMMENT))
    outside = [*part[:opening], *part[closing + 1 :]] if in_brackets else []
    name = [token for token in outside if token.kind not in (Kind.SPACE, Kind.COMMENT)]
    return _Mailbox(name, address, [token for token in part if token.kind is Kind.COMMENT], in_brackets)
