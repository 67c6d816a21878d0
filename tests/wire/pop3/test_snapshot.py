"""The frozen list of messages (features rows P-07, P-08, P-12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.message import MessageRef
from mailsuite.model.response import MESSAGE_DELETED, NO_NUMBER, NO_SUCH_MESSAGE, Response
from mailsuite.wire.pop3.snapshot import LINES_PER_CHUNK, Snapshot


def of_sizes(*sizes: int) -> Snapshot:
    return Snapshot(tuple(MessageRef(f"u{n}", size, f"k{n}") for n, size in enumerate(sizes, 1)))


@pytest.mark.parametrize(
    ("word", "found"),
    [
        (b"1", 1),
        (b"3", 3),
        (b"03", 3),
        (b"2", MESSAGE_DELETED),
        (b"0", NO_SUCH_MESSAGE),
        (b"4", NO_SUCH_MESSAGE),
        (b"9223372036854775808", NO_SUCH_MESSAGE),
        (b"18446744073709551617", NO_SUCH_MESSAGE),
        (b"-1", NO_NUMBER),
        (b"+1", NO_NUMBER),
        (b"1x", NO_NUMBER),
        (b"1.0", NO_NUMBER),
        (b"", NO_NUMBER),
    ],
)
def test_find(word: bytes, found: int | Response) -> None:
    snapshot = of_sizes(10, 20, 30)
    snapshot.mark(2)
    assert snapshot.find(word) == found


def test_nothing_is_found_in_an_empty_maildrop() -> None:
    snapshot = of_sizes()
    assert snapshot.find(b"1") == snapshot.find(b"0") == NO_SUCH_MESSAGE
    assert (snapshot.count, snapshot.octets) == (0, 0)
    assert list(snapshot.sizes()) == list(snapshot.unique_ids()) == [b".\r\n"]


def test_marked_messages_are_hidden_until_reset() -> None:
    snapshot = of_sizes(10, 0, 30)
    assert (snapshot.count, snapshot.octets) == (3, 40)
    snapshot.mark(3)
    snapshot.mark(1)
    assert (snapshot.count, snapshot.octets) == (1, 0)
    assert snapshot.marked == {1, 3}
    assert [ref.uidl for ref in snapshot.chosen(snapshot.marked)] == ["u1", "u3"]
    assert b"".join(snapshot.sizes()) == b"2 0\r\n.\r\n"
    assert b"".join(snapshot.unique_ids()) == b"2 u2\r\n.\r\n"
    snapshot.reset()
    assert (snapshot.count, snapshot.octets) == (3, 40)
    assert snapshot.marked == frozenset()
    assert b"".join(snapshot.sizes()) == b"1 10\r\n2 0\r\n3 30\r\n.\r\n"


def test_a_long_listing_comes_in_chunks() -> None:
    snapshot = of_sizes(*[5] * (2 * LINES_PER_CHUNK + 1))
    snapshot.mark(LINES_PER_CHUNK + 1)
    chunks = list(snapshot.sizes())
    assert [chunk.count(b"\r\n") for chunk in chunks] == [LINES_PER_CHUNK, LINES_PER_CHUNK - 1, 1, 1]
    assert chunks[1].startswith(b"1002 5\r\n")
    assert chunks[2:] == [b"2001 5\r\n", b".\r\n"]
    assert b"".join(snapshot.unique_ids()).count(b"\r\n") == 2 * LINES_PER_CHUNK + 1


@given(st.lists(st.integers(0, 10**12), max_size=30), st.data())
def test_totals_are_the_sum_of_the_list(sizes: list[int], data: st.DataObject) -> None:
    """features row P-07: Sum(LIST) = STAT."""
    snapshot = of_sizes(*sizes)
    for number in data.draw(st.lists(st.integers(1, max(1, len(sizes))), unique=True)) if sizes else []:
        snapshot.mark(number)
    lines = b"".join(snapshot.sizes()).split(b"\r\n")[:-2]
    assert snapshot.count == len(lines)
    assert snapshot.octets == sum(int(line.split()[1]) for line in lines)
