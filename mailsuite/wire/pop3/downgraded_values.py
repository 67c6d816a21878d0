"""Structured header fields beyond ASCII, but addresses, in ASCII (RFC 6857 sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from urllib.parse import quote

from mailsuite.model.address import MAX_DOMAIN_OCTETS, AddressSyntaxError, normalise_domain
from mailsuite.wire.pop3.downgraded_addresses import comment
from mailsuite.wire.pop3.encoded_words import encoded, words_of
from mailsuite.wire.pop3.structured import Kind, Token, tokens

SECTION_CHARACTERS = 18
"""Of a parameter's value so many go into one section (RFC 2231 section 3): at most 216 octets."""


def comments_alone(value: str) -> list[str] | None:
    """Only comments may be beyond ASCII here."""
    words = [word for word, _ in _spaced(value)]
    return words if all(word.isascii() for word in words) else None


def phrases(value: str) -> list[str]:
    """Keywords: phrases with commas between them, which must not touch encoded words (RFC 2047 section 5)."""
    return encoded(words_of(value.replace(",", " , ")))


def trace(value: str) -> list[str] | None:
    """Received, without the clauses "for" and "id" where these cannot be said (section 3.2.4)."""
    words: list[str] = []
    for text, is_comment in _spaced(value):
        if is_comment or text.isascii():
            words.append(text)
        elif words and words[-1].lower() in ("for", "id"):
            words.pop()
            if text.endswith(";") and words and not words[-1].endswith(";"):
                words[-1] += ";"
        elif (domain := _domain(text)) is not None:
            words.append(domain)
        else:
            return None
    return words


def parameters(value: str) -> list[str] | None:
    """Content-Type and Content-Disposition: what stands first has to be ASCII (RFC 2231 is for values)."""
    parts = [list(part) for ends, part in groupby(tokens(value), lambda token: token.text == ";") if not ends]
    first = "".join(token.text for token in parts[0] if token.kind is not Kind.COMMENT).strip(" \t")
    if not first.isascii():
        return None
    words = [first]
    for part in parts[1:]:
        for parameter in _parameter(part):
            words[-1] += ";"
            words.append(parameter)
    return words + [word for part in parts for word in _comments(part)]


def _parameter(part: Sequence[Token]) -> Iterator[str]:
    """A parameter in as many sections as it takes; none where even its name cannot be said."""
    text = "".join(token.text for token in part if token.kind is not Kind.COMMENT).strip(" \t")
    if text.isascii():
        if text:
            yield text
        return
    content = "".join(token.content for token in part if token.kind is not Kind.COMMENT)
    name, _, value = (side.strip(" \t") for side in content.partition("="))
    if not name.isascii() or "*" in name or not value:
        return
    sections = [value[at : at + SECTION_CHARACTERS] for at in range(0, len(value), SECTION_CHARACTERS)]
    octets = [quote(section, safe="") for section in sections]
    if len(octets) == 1:
        yield f"{name}*=utf-8''{octets[0]}"
    else:
        yield f"{name}*0*=utf-8''{octets[0]}"
        yield from (f"{name}*{number}*={octets[number]}" for number in range(1, len(octets)))


def _comments(part: Sequence[Token]) -> list[str]:
    return [word for token in part if token.kind is Kind.COMMENT for word in comment(token)]


def _spaced(value: str) -> Iterator[tuple[str, bool]]:
    """What stands between spaces, and whether it is a comment, which is in ASCII already."""
    pieces: list[str] = []
    for token in tokens(value):
        if token.kind not in (Kind.SPACE, Kind.COMMENT):
            pieces.append(token.text)
            continue
        if pieces:
            yield "".join(pieces), False
        pieces = []
        if token.kind is Kind.COMMENT:
            yield from ((word, True) for word in comment(token))
    if pieces:
        yield "".join(pieces), False


def _domain(text: str) -> str | None:
    try:
        return normalise_domain(text) if len(text) <= MAX_DOMAIN_OCTETS else None
    except AddressSyntaxError:
        return None
