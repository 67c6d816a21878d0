"""From standard input to the wire, wherever the chunks are cut."""

from __future__ import annotations

import io
import re
import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.cli.message_stream import (
    CHUNK_OCTETS,
    MEMORY_OCTETS,
    chunks_of,
    dot_stuffed,
    until_lone_dot,
    whole,
    with_crlf,
    without_from_line,
)

Step = Callable[[Iterable[bytes]], Iterator[bytes]]

CASES: list[tuple[Step, bytes, bytes]] = [
    (until_lone_dot, b"", b""),
    (until_lone_dot, b"one\ntwo\n", b"one\ntwo\n"),
    (until_lone_dot, b"one", b"one"),
    (until_lone_dot, b"one\n.\ntwo\n", b"one\n"),
    (until_lone_dot, b"one\r\n.\r\ntwo\r\n", b"one\r\n"),
    (until_lone_dot, b".\ntwo\n", b""),
    (until_lone_dot, b"one\n.", b"one\n"),
    (until_lone_dot, b".", b""),
    (until_lone_dot, b"one\n..\n.x\n .\nx.\n.\r.\n", b"one\n..\n.x\n .\nx.\n.\r.\n"),
    (until_lone_dot, b"\n\n\n.\n", b"\n\n\n"),
    (without_from_line, b"", b""),
    (without_from_line, b"From joe Sat Nov 21\nSubject: x\n", b"Subject: x\n"),
    (without_from_line, b">From joe\r\nSubject: x\r\n", b"Subject: x\r\n"),
    (without_from_line, b"From joe", b""),
    (without_from_line, b"From: joe\n", b"From: joe\n"),
    (without_from_line, b"Subject: x\nFrom joe\n", b"Subject: x\nFrom joe\n"),
    (without_from_line, b"From " + b"x" * 200 + b"\nSubject: x\n", b"Subject: x\n"),
    (with_crlf, b"", b""),
    (with_crlf, b"one", b"one\r\n"),
    (with_crlf, b"one\ntwo\r\nthree\rfour\r", b"one\r\ntwo\r\nthree\r\nfour\r\n"),
    (with_crlf, b"\n\n", b"\r\n\r\n"),
    (with_crlf, b"\r", b"\r\n"),
    (with_crlf, b"\r\r\n\n\r", b"\r\n\r\n\r\n\r\n"),
    (dot_stuffed, b"", b".\r\n"),
    (dot_stuffed, b".\r\n..\r\nx.\r\n.x\r\n", b"..\r\n...\r\nx.\r\n..x\r\n.\r\n"),
]


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize(("step", "given_", "expected"), CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_cases(step: Step, given_: bytes, expected: bytes, size: int) -> None:
    assert b"".join(step(cut(given_, size))) == expected


_OCTETS = st.lists(st.sampled_from([b"\r", b"\n", b".", b"x", b"From ", b">"])).map(b"".join)


@given(
    _OCTETS, st.integers(1, 7), st.sampled_from([until_lone_dot, without_from_line, with_crlf, dot_stuffed])
)
def test_wherever_they_are_cut(data: bytes, size: int, step: Step) -> None:
    whole = b"".join(step([data]))
    assert b"".join(step(cut(data, size))) == whole
    assert b"".join(step([b"", *cut(data, size), b""])) == whole


@given(_OCTETS, st.integers(1, 7))
def test_what_the_wire_gets_is_whole_and_ends_once(data: bytes, size: int) -> None:
    sent = b"".join(dot_stuffed(with_crlf(cut(data, size))))
    assert re.fullmatch(rb"(?:[^\r\n]*\r\n)*", sent)
    lines = sent.split(b"\r\n")
    assert lines.index(b".") == len(lines) - 2, "no line before the end is a lone dot"
    unstuffed = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])
    assert unstuffed == b"".join(with_crlf([data]))


def test_a_file_comes_in_pieces() -> None:
    assert [len(each) for each in chunks_of(io.BytesIO(bytes(CHUNK_OCTETS + 1)))] == [CHUNK_OCTETS, 1]


@pytest.mark.parametrize("count", [0, 1, 3, 2 * MEMORY_OCTETS // CHUNK_OCTETS])
def test_nothing_goes_on_before_the_end_has_come(count: int) -> None:
    taken: list[int] = []

    def slowly() -> Iterator[bytes]:
        for number in range(count):
            taken.append(number)
            yield b"x" * CHUNK_OCTETS

    with whole(slowly()) as rest:
        assert len(taken) == count
        assert b"".join(rest) == b"x" * CHUNK_OCTETS * count


def test_what_waits_takes_no_memory() -> None:
    """It is in a file without a name."""
    count = 64 * MEMORY_OCTETS // CHUNK_OCTETS
    tracemalloc.start()
    try:
        with whole(b"x" * CHUNK_OCTETS for _ in range(count)) as rest:
            octets = sum(map(len, rest))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (octets, peak < 8 * MEMORY_OCTETS) == (count * CHUNK_OCTETS, True)


def test_what_cannot_be_read_is_told() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input"), whole(broken()):
        raise AssertionError("it was whole")
