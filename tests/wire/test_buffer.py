import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.buffer import LineBuffer, Overlong


def drain(buffer: LineBuffer) -> list[bytes | Overlong]:
    lines = []
    while (line := buffer.next_line()) is not None:
        lines.append(line)
    return lines


def fed(pieces: list[bytes], limit: int = 10) -> list[bytes | Overlong]:
    buffer = LineBuffer(limit)
    lines = []
    for piece in pieces:
        buffer.feed(piece)
        lines += drain(buffer)
    return lines


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        (b"", []),
        (b"abc", []),
        (b"abc\r", []),
        (b"\n", [b"\n"]),
        (b"abc\r\n", [b"abc\r\n"]),
        (b"abc\ndef\r\ng", [b"abc\n", b"def\r\n"]),
        (b"a\rb\r\n", [b"a\rb\r\n"]),
        (b"12345678\r\n", [b"12345678\r\n"]),
        (b"123456789\r\nok\r\n", [Overlong(11, True, b"123456789\r\n"), b"ok\r\n"]),
        (b"1234567890\nok\r\n", [Overlong(11, False, b"1234567890\n"), b"ok\r\n"]),
        (b"x" * 500 + b"\r\nok\r\n", [Overlong(502, True, b"x" * 32), b"ok\r\n"]),
        (b"x" * 500 + b"\nok\r\n", [Overlong(501, False, b"x" * 32), b"ok\r\n"]),
        (
            b"x" * 50 + b"\r\n" + b"y" * 60 + b"\r\n",
            [Overlong(52, True, b"x" * 32), Overlong(62, True, b"y" * 32)],
        ),
    ],
)
def test_lines_whole_and_octet_by_octet(stream: bytes, lines: list[bytes | Overlong]) -> None:
    assert fed([stream]) == lines
    assert fed([stream[at : at + 1] for at in range(len(stream))]) == lines


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"bcdefghij", b"k" * 23]), max_size=40),
    st.randoms(use_true_random=False),
)
def test_any_split_gives_the_same_lines(pieces: list[bytes], random) -> None:
    stream = b"".join(pieces)
    cuts = sorted(random.randint(0, len(stream)) for _ in range(5))
    split = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fed([stream]) == fed(split)


def test_what_is_behind_a_line_can_be_taken_as_it_stands() -> None:
    buffer = LineBuffer(10)
    buffer.feed(b"DATA\r\nbody\r\nmore" + b"x" * 50)
    assert buffer.next_line() == b"DATA\r\n"
    assert len(buffer) == 60
    assert buffer.take_all() == b"body\r\nmore" + b"x" * 50
    assert len(buffer) == 0
    buffer.feed(b"a\n")
    assert drain(buffer) == [b"a\n"]


def test_the_limit_may_change_between_lines() -> None:
    buffer = LineBuffer(5)
    buffer.feed(b"long line\r\n" * 2)
    assert buffer.next_line() == Overlong(11, True, b"long line\r\n")
    buffer.limit = 11
    assert buffer.next_line() == b"long line\r\n"


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_line_that_has_passed_the_limit_is_known_before_its_end(piece: int) -> None:
    buffer = LineBuffer(100)
    stream = bytes(range(97, 97 + 26)) * 4
    for at in range(0, 100, piece):
        buffer.feed(stream[at : min(at + piece, 100)])
        assert buffer.next_line() is None
        assert buffer.overrun is None
    for at in range(100, 104):
        buffer.feed(stream[at : at + 1])
        assert buffer.next_line() is None
        assert buffer.overrun == Overlong(at + 1, False, stream[:32])
    buffer.feed(b"\r\nok")
    assert buffer.next_line() == Overlong(106, True, stream[:32])
    assert buffer.next_line() is None
    assert buffer.overrun is None


def test_clear_forgets_a_line_that_is_being_dropped() -> None:
    buffer = LineBuffer(5)
    buffer.feed(b"x" * 20)
    assert buffer.next_line() is None
    buffer.clear()
    buffer.feed(b"ab\r\n")
    assert buffer.next_line() == b"ab\r\n"


def test_an_endless_line_takes_no_memory() -> None:
    buffer = LineBuffer(100)
    for _ in range(50):
        buffer.feed(b"x" * 1000)
        assert buffer.next_line() is None
        assert len(buffer) <= 1
    buffer.feed(b"\r\n")
    assert buffer.next_line() == Overlong(50_002, True, b"x" * 32)


def test_time_is_linear_in_what_was_sent() -> None:
    """A search that began anew at each octet would touch 5 * 10^9 octets here."""
    buffer = LineBuffer(200_000)
    began = time.process_time()
    for _ in range(100_000):
        buffer.feed(b"x")
        buffer.next_line()
    assert time.process_time() - began < 2


def test_octets_whose_number_is_known() -> None:
    buffer = LineBuffer(100)
    buffer.feed(b"BDAT 5\r\na\nb\ncNOOP\r\n")
    assert buffer.next_line() == b"BDAT 5\r\n"
    assert buffer.take(3) == b"a\nb"
    assert buffer.take(2) == b"\nc"
    assert buffer.take(0) == b""
    assert buffer.next_line() == b"NOOP\r\n"
    assert buffer.take(5) == b""


def test_octets_that_were_searched_for_a_line() -> None:
    buffer = LineBuffer(100)
    buffer.feed(b"abcdef")
    assert buffer.next_line() is None
    assert buffer.take(2) == b"ab"
    buffer.feed(b"gh\n")
    assert buffer.next_line() == b"cdefgh\n"
    buffer.feed(b"ij")
    assert buffer.next_line() is None
    assert buffer.take(10) == b"ij"
    buffer.feed(b"\n")
    assert buffer.next_line() == b"\n"
