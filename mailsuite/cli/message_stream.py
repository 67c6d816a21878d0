"""A message on its way from a program's standard input to the wire, in chunks: it may be larger than memory.

Each step takes an iterable of octets and gives one; where they are cut means nothing.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import IO, Final

CHUNK_OCTETS: Final = 64 * 1024
MEMORY_OCTETS: Final = 1024 * 1024
"""Of a message that waits for its end; one that is larger waits in a file."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
_LONE_DOT = re.compile(rb"\n\.\r?\n")
_PERHAPS_LONE_DOT: Final = (b"\n.\r", b"\n.", b"\n")
"""What the next chunk may complete to such a line; the longest first."""
_FROM_LINE = re.compile(rb">*From ")
_FROM_OCTETS: Final = 64
"""So many show whether the first line is one; ``>`` comes before it more than once hardly ever."""


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """All that is in *file*, as it comes. Raises OSError."""
    read = getattr(file, "read1", file.read)
    while data := read(CHUNK_OCTETS):
        yield data


@contextmanager
def whole(chunks: Iterable[bytes]) -> Iterator[Iterator[bytes]]:
    """The same, once the last octet has come. Raises OSError.

    Whoever writes may take hours, as cron does for a job that says something and goes on; a server waits for
    minutes, so it is not called before. The file has no name, and is gone behind this.
    """
    with tempfile.SpooledTemporaryFile(MEMORY_OCTETS) as kept:
        for chunk in chunks:
            kept.write(chunk)
        kept.seek(0)
        yield iter(partial(kept.read, CHUNK_OCTETS), b"")


def until_lone_dot(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What stands in front of the first line that is a lone dot, as mail(1) ends what one types; all where
    there is none."""
    held, unreal = b"\n", 1  # as if a line had just ended
    for chunk in chunks:
        data = held + chunk
        found = _LONE_DOT.search(data)
        if found is not None:
            yield data[unreal : found.start() + 1]
            return
        held = next((end for end in _PERHAPS_LONE_DOT if data.endswith(end)), b"")
        if len(held) < len(data):
            yield data[unreal : len(data) - len(held)]
            unreal = 0
    yield (b"\n" if held.startswith(b"\n.") else held)[unreal:]


def without_from_line(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Without the first line where that is a mailbox's ``From joe@example.net Sat Nov 21 ...``."""
    rest = iter(chunks)
    first = _at_least(_FROM_OCTETS, rest)
    if _FROM_LINE.match(first) is None:
        return chain((first,), rest)
    return _after_line(chain((first,), rest))


def _at_least(octets: int, chunks: Iterator[bytes]) -> bytes:
    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) >= octets:
            break
    return data


def _after_line(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        _, end, rest = chunk.partition(b"\n")
        if end:
            yield rest
            break
    yield from chunks


def with_crlf(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """With every line ended by CRLF, the last one too; CR, LF and CRLF are all line ends."""
    held, last = b"", b"\r\n"
    for chunk in chunks:
        data = held + chunk
        held = b"\r" if data.endswith(b"\r") else b""
        data = _LINE_END.sub(b"\r\n", data[: len(data) - len(held)])
        if data:
            last = data[-2:]
            yield data
    if held or last != b"\r\n":
        yield b"\r\n"


def dot_stuffed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """As DATA wants it, with its end (RFC 5321 section 4.5.2). The lines end with CRLF."""
    begins_line = True
    for chunk in chunks:
        if not chunk:
            continue
        dot = b"." if begins_line and chunk.startswith(b".") else b""
        yield dot + chunk.replace(b"\n.", b"\n..")
        begins_line = chunk.endswith(b"\n")
    yield b".\r\n"
