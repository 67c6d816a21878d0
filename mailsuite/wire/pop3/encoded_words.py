"""Encoded words (RFC 2047): text beyond ASCII in the header fields of programs that know ASCII alone."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import attrs

MAX_LINE = 76
"""Characters of a line that has an encoded word in it (RFC 2047 section 2)."""
MAX_CHUNK = 36
"""Octets in one encoded word: with its frame it has 60 characters, and a field's name has room beside it."""

_ENCODED_WORD = re.compile(r"=\?[^?]+\?[BbQq]\?[^?]*\?=")


@attrs.frozen
class Word:
    """What stands between two spaces."""

    text: str
    encode: bool
    """It cannot stand there as it is."""


def words_of(text: str) -> Iterator[Word]:
    """The words of text without structure. What is not ASCII, or too long for a line, is to be encoded."""
    words = (word for word in text.replace("\t", " ").split(" ") if word)
    return (Word(word, not word.isascii() or len(word) > MAX_LINE) for word in words)


def encoded(words: Iterable[Word]) -> list[str]:
    """The words as they may be sent; words in a row that need it are encoded together.

    A reader drops the space between two encoded words (RFC 2047 section 6.2). What was a space to the
    author is therefore encoded too, also beside a word that was encoded by whoever sent it.
    """
    found: list[str] = []
    runs = [(encode, [word.text for word in run]) for encode, run in groupby(words, lambda word: word.encode)]
    for index, (encode, texts) in enumerate(runs):
        if encode:
            before = " " if found and _ENCODED_WORD.fullmatch(found[-1]) else ""
            after = " " if _begins_encoded(runs[index + 1 : index + 2]) else ""
            found += encode_text(before + " ".join(texts) + after)
        else:
            found += texts
    return found


def encode_text(text: str) -> list[str]:
    """All of *text* as encoded words, which are read as one."""
    base64 = (binascii.b2a_base64(chunk, newline=False).decode("ascii") for chunk in _chunks(text))
    return [f"=?utf-8?B?{word}?=" for word in base64]


def folded(name: str, words: Sequence[str]) -> str:
    """A header field of these words, without the line end behind it, in lines as short as they allow."""
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > MAX_LINE:
            lines.append("")
        lines[-1] += " " + word
    return "\r\n".join(lines)


def _begins_encoded(runs: Sequence[tuple[bool, list[str]]]) -> bool:
    return any(_ENCODED_WORD.fullmatch(texts[0]) for _, texts in runs)


def _chunks(text: str) -> Iterator[bytes]:
    """UTF-8 in pieces that end with whole characters; at least one."""
    octets, start = text.encode("utf-8"), 0
    while len(octets) - start > MAX_CHUNK:
        end = start + MAX_CHUNK
        while octets[end] & 0xC0 == 0x80:  # in the middle of a character
            end -= 1
        yield octets[start:end]
        start = end
    yield octets[start:]
