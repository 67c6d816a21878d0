import io
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.reply import BARE_NEWLINE, MESSAGE_TOO_BIG, TEXT_LINE_TOO_LONG
from mailsuite.wire.smtp.body import BodyScanner
from mailsuite.wire.smtp.text import has_bare_newline


def scan(pieces: list[bytes], max_octets: int = 10_000, max_line: int = 1000) -> tuple[BodyScanner, bytes]:
    """Feed the pieces up to the end; what is left of them goes to ``rest``."""
    scanner = BodyScanner(max_octets, max_line)
    message = b""
    left = iter(pieces)
    for piece in left:
        message += scanner.scan(piece)
        if scanner.ended:
            break
    scanner.rest += b"".join(left)
    return scanner, message


def octets(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def every_split(stream: bytes) -> list[list[bytes]]:
    """Whole, octet by octet, and cut in two at each place."""
    cut = [[stream[:at], stream[at:]] for at in range(1, len(stream))]
    return [[stream], octets(stream), *cut]


GOOD = [
    (b".\r\n", b"", False),
    (b"\r\n.\r\n", b"\r\n", False),
    (b"a\r\n.\r\n", b"a\r\n", False),
    (b"Subject: x\r\n\r\nbody\r\n.\r\n", b"Subject: x\r\n\r\nbody\r\n", False),
    (b"..\r\n.\r\n", b".\r\n", True),
    (b"...\r\n..\r\n.\r\n", b"..\r\n.\r\n", True),
    (b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n", True),
    (b"a\r\n.b\r\n.\r\n", b"a\r\nb\r\n", False),  # a dot that nobody had to stuff goes, all the same
    (b".b\r\n.\r\n", b"b\r\n", False),
    (b"a..\r\n.\r\n", b"a..\r\n", False),
    (b"a.\r\n.\r\n", b"a.\r\n", False),
    (b"a\r\n\r\n\r\n.\r\n", b"a\r\n\r\n\r\n", False),
    (b"nul\0\x01\x7f\xff\r\n\0.\r\n\0\r\n.\0\r\n.\r\n", b"nul\0\x01\x7f\xff\r\n\0.\r\n\0\r\n\0\r\n", False),
]


@pytest.mark.parametrize(("wire", "message", "dot_lines"), GOOD)
@pytest.mark.parametrize("rest", [b"", b"QUIT\r\n", b".\r\n", b"\r\n.\r\n", b"\n"])
def test_messages(wire: bytes, message: bytes, dot_lines: bool, rest: bytes) -> None:
    for pieces in every_split(wire + rest):
        scanner, got = scan(pieces)
        assert scanner.ended
        assert scanner.defect is None
        assert got == message
        assert scanner.size == len(message)
        assert scanner.dot_lines is dot_lines
        assert scanner.rest == rest


LINE_ENDS = [b"\n", b"\r", b"\r\n", b"\n\r", b"\r\r\n", b"\r\0\n", b"\r\n\0", b"\0\r\n", b"\x85", b"\r\n "]
SMUGGLED = [
    before + b"." + after
    for before, after in itertools.product(LINE_ENDS, LINE_ENDS)
    # "\r\n\0" ends as "\r\n" does, what follows is the next message's; "\r\r\n" and "\0\r\n" before the
    # dot end it too, after a line that holds the CR or the NUL
    if not (before.endswith(b"\r\n") and after.startswith(b"\r\n"))
]


@pytest.mark.parametrize("mark", SMUGGLED)
def test_nothing_but_crlf_dot_crlf_ends_a_message(mark: bytes) -> None:
    inside = b"a" + mark + b"MAIL FROM:<evil@example.net>\r\n"
    for pieces in every_split(inside):
        scanner, _ = scan(pieces)
        assert not scanner.ended
    for pieces in every_split(inside + b".\r\nQUIT\r\n"):
        scanner, message = scan(pieces)
        assert scanner.ended
        assert scanner.rest == b"QUIT\r\n"
        bare = re.search(rb"\r(?!\n)|(?<!\r)\n", inside) is not None
        assert scanner.bare_newline is bare
        assert bare or message == inside.replace(b"\r\n.", b"\r\n")


@pytest.mark.parametrize("wire", [b"\r\r\n.\r\n", b"\n.\r\n\r\n.\r\n", b"\n\r\n.\r\n", b"a\r\r\n.\r\n"])
def test_bare_newlines_at_the_edges(wire: bytes) -> None:
    for pieces in every_split(wire):
        scanner, _ = scan(pieces)
        assert scanner.ended
        assert scanner.rest == b""
        assert scanner.bare_newline
        assert scanner.defect == BARE_NEWLINE


@given(
    st.lists(
        st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"bc", b"\r\n.", b"\0"]), max_size=30
    ),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_the_outcome_is_that_of_a_plain_reading(pieces: list[bytes], cuts: list[int]) -> None:
    """Compared with the obvious reading, line by line, of the whole."""
    stream = b"".join(pieces)
    head, end, rest = (b"\r\n" + stream).partition(b"\r\n.\r\n")
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    scanner, message = scan([stream[a:b] for a, b in itertools.pairwise(edges)], max_octets=20, max_line=4)
    assert scanner.ended == bool(end)
    if not end:
        return
    assert scanner.rest == rest
    lines = head.split(b"\r\n")[1:]
    plain = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)
    assert scanner.size == len(plain)
    assert scanner.too_big == (len(plain) > 20)
    assert scanner.dot_lines == any(line.startswith(b"..") for line in lines)
    assert scanner.bare_newline == any(b"\r" in line or b"\n" in line for line in lines)
    assert scanner.overlong_line == any(len(line) > 4 for line in lines)
    if scanner.defect is None:
        assert message == plain


@pytest.mark.parametrize("over", [0, 1])
def test_size_is_counted_as_delivered(over: int) -> None:
    wire = b"..23456\r\n" * 10 + b"x" * over + b"\r\n.\r\n"  # 80 + 2 octets unstuffed
    for pieces in every_split(wire):
        scanner, message = scan(pieces, max_octets=82)
        assert scanner.ended
        assert scanner.size == 82 + over
        assert scanner.too_big == bool(over)
        assert over or len(message) == 82


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("before", [b"", b"a\r\n", b"a\r\nb\r\n"])
@pytest.mark.parametrize("behind", [b"", b"c\r\n", b"c\r\n" * 20])
def test_line_limit(over: int, before: bytes, behind: bytes) -> None:
    wire = before + b"x" * (20 + over) + b"\r\n" + behind + b".\r\nQUIT\r\n"
    for pieces in every_split(wire):
        scanner, message = scan(pieces, max_line=20)
        assert scanner.ended
        assert scanner.overlong_line == bool(over)
        assert scanner.rest == b"QUIT\r\n"
        assert over or message == wire.removesuffix(b".\r\nQUIT\r\n")


def test_an_endless_line_takes_no_memory_and_is_noticed_at_once() -> None:
    scanner = BodyScanner(10_000_000, 65536)
    assert scanner.scan(b"x" * 65536)
    assert scanner.defect is None
    assert scanner.scan(b"x") == b""
    for _ in range(100):
        assert scanner.scan(b"x" * 65536) == b""
    assert len(scanner._held) <= 4
    assert scanner.scan(b"\r\n.\r\nQUIT") == b""
    assert scanner.ended
    assert scanner.overlong_line
    assert not scanner.too_big
    assert scanner.rest == b"QUIT"


def test_nothing_is_handed_out_beyond_the_limit() -> None:
    scanner = BodyScanner(100, 1000)
    handed = sum(len(scanner.scan(b"x" * 28 + b"\r\n")) for _ in range(50))
    assert handed <= 100
    assert scanner.size == 50 * 30 - 2  # the last CRLF may be the beginning of the end


@given(st.text("\r\na", max_size=12))
def test_the_newline_bookkeeping_is_what_we_take_it_for(text: str) -> None:
    bare = re.search(r"\r(?!\n)|(?<!\r)\n", text) is not None
    assert has_bare_newline(text.encode()) is bare


def test_newline_bookkeeping_beyond_its_fast_loops() -> None:
    """All three kinds in one chunk, and octets above 127."""
    assert has_bare_newline(b"\xff" * 1000 + b"\r\n" + b"\xe9" * 1000 + b"\n")
    assert has_bare_newline(b"\r\n\r\n\n\r" * 100)
    assert not has_bare_newline(b"\xff\x85\x0b\x0c\x1c\r\n" * 1000)
    assert io.IncrementalNewlineDecoder(None, translate=False).newlines is None


@pytest.mark.parametrize(
    ("wire", "defect"),
    [
        (b"a\r\n", None),
        (b"a\rb\r\n", BARE_NEWLINE),
        (b"a\nb\r\n", BARE_NEWLINE),
        (b"x" * 21 + b"\r\n", TEXT_LINE_TOO_LONG),
        (b"x\r\n" * 11, MESSAGE_TOO_BIG),
        (b"x" * 40 + b"\r\n", TEXT_LINE_TOO_LONG),
        (b"\n" + b"x" * 40 + b"\r\n", BARE_NEWLINE),
    ],
)
def test_defects_by_rank(wire: bytes, defect: object) -> None:
    for pieces in every_split(wire + b".\r\n"):
        scanner, _ = scan(pieces, max_octets=30, max_line=20)
        assert scanner.defect == defect
