"""Replies of servers that may be anybody: whole, in pieces, too long, and none at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.client.replies import (
    MAX_LINE_OCTETS,
    MAX_LINES,
    MAX_REPLY_OCTETS,
    MAX_TEXT_OCTETS,
    Answer,
    Oddity,
    ReplyReader,
)

REPLIES = [
    (b"250 OK\r\n", Answer(250, (b"OK",))),
    (b"250\r\n", Answer(250, (b"",))),
    (b"250 \r\n", Answer(250, (b"",))),
    (b"250-a\r\n250-\r\n250-b\r\n250 c\r\n", Answer(250, (b"a", b"", b"b", b"c"))),
    (b"250-a\r\n250\r\n", Answer(250, (b"a", b""))),
    (b"554 LF alone\n", Answer(554, (b"LF alone",))),
    (b"250-a\n250 b\r\n", Answer(250, (b"a", b"b"))),
    (b"599 no such code\r\n", Answer(599, (b"no such code",))),
    (b"250 nul \0 and \r in it\r\n", Answer(250, (b"nul \0 and \r in it",))),
    (b"250 " + b"x" * (MAX_LINE_OCTETS - 6) + b"\r\n", Answer(250, (b"x" * (MAX_LINE_OCTETS - 6),))),
]
ODDITIES = [
    (b"\r\n", False),
    (b"OK\r\n", False),
    (b"25 OK\r\n", False),
    (b"2500 OK\r\n", False),
    (b"250OK\r\n", False),
    (b"250_OK\r\n", False),
    (b" 250 OK\r\n", False),
    (b"150 in no time\r\n", False),
    (b"650 later\r\n", False),
    (b"099 x\r\n", False),
    (b"\xb2\xb2\xb2 x\r\n", False),
    (b"250-a\r\n251 b\r\n", False),
    (b"250-a\r\nb\r\n", False),
    (b"\x16\x03\x01\x02\x00\n", False),
    (b"250 " + b"x" * (MAX_LINE_OCTETS - 5) + b"\r\n", True),
    (b"x" * (MAX_LINE_OCTETS + 2), True),
    (b"250-x\r\n" * (MAX_LINES + 1), True),
    ((b"250-" + b"x" * 4000 + b"\r\n") * (MAX_REPLY_OCTETS // 4000 + 1), True),
]


def all_of(reader: ReplyReader) -> list[Answer | Oddity]:
    answers = []
    while (answer := reader.next_answer()) is not None:
        answers.append(answer)
        if isinstance(answer, Oddity):
            break
    return answers


@pytest.mark.parametrize(("octets", "answer"), REPLIES, ids=lambda value: repr(value)[:30])
def test_a_reply(octets: bytes, answer: Answer) -> None:
    reader = ReplyReader()
    assert reader.empty
    reader.feed(octets)
    assert not reader.empty
    assert reader.next_answer() == answer
    assert reader.empty
    reader.feed(octets + b"220 next\r\n2")
    assert all_of(reader) == [answer, Answer(220, (b"next",))]
    assert not reader.empty


@pytest.mark.parametrize(("octets", "answer"), REPLIES[:-1], ids=lambda value: repr(value)[:30])
def test_octet_by_octet(octets: bytes, answer: Answer) -> None:
    reader = ReplyReader()
    for at in range(len(octets)):
        assert reader.next_answer() is None
        reader.feed(octets[at : at + 1])
    assert reader.next_answer() == answer
    assert reader.empty


@pytest.mark.parametrize(("octets", "oversize"), ODDITIES, ids=lambda value: repr(value)[:30])
def test_no_reply(octets: bytes, oversize: bool) -> None:
    for pieces in (
        [octets],
        [octets + b"250 OK\r\n"],
        [octets[at : at + 100] for at in range(0, len(octets), 100)],
    ):
        reader = ReplyReader()
        outcome = None
        for piece in pieces:
            reader.feed(piece)
            outcome = outcome or reader.next_answer()
        assert isinstance(outcome, Oddity)
        assert outcome.oversize is oversize


def test_as_many_lines_as_there_may_be() -> None:
    reader = ReplyReader()
    reader.feed(b"250-x\r\n" * (MAX_LINES - 1) + b"250 x\r\n")
    assert reader.next_answer() == Answer(250, (b"x",) * MAX_LINES)


@given(st.lists(st.binary(max_size=30), max_size=10), st.integers(0, 2))
def test_no_octets_raise_and_pieces_make_no_difference(pieces: list[bytes], kind: int) -> None:
    prefix = (b"", b"250-", b"550 ")[kind]
    pieces = [prefix + piece + (b"\r\n" if kind else b"") for piece in pieces]
    whole = ReplyReader()
    whole.feed(b"".join(pieces))
    expected = all_of(whole)
    reader = ReplyReader()
    got: list[Answer | Oddity] = []
    for piece in pieces:
        if not got or not isinstance(got[-1], Oddity):
            reader.feed(piece)
            got += all_of(reader)
    assert got == expected


@pytest.mark.parametrize(
    ("code", "lines", "reply"),
    [
        (250, [b"2.1.5 OK"], Reply(250, "2.1.5", ("OK",))),
        (550, [b"5.1.1 No", b"5.1.1 such", b"5.1.1 user"], Reply(550, "5.1.1", ("No", "such", "user"))),
        (550, [b"5.1.1"], Reply(550, "5.1.1", ("",))),
        (550, [b"5.1.1 No", b"mailbox"], Reply(550, "5.1.1", ("No", "mailbox"))),
        (550, [b"No", b"5.1.1 mailbox"], Reply(550, "", ("No", "5.1.1 mailbox"))),
        # Nobody makes a bounce of what is temporary, nor the other way round.
        (450, [b"5.1.1 No"], Reply(450, "", ("5.1.1 No",))),
        (550, [b"4.1.1 No"], Reply(550, "", ("4.1.1 No",))),
        (354, [b"2.0.0 Go"], Reply(354, "", ("2.0.0 Go",))),
        (550, [b"5.1.1000 No"], Reply(550, "", ("5.1.1000 No",))),
        (550, [b"5.1.1No"], Reply(550, "", ("5.1.1No",))),
        (421, [b"4.3.2 Bye"], Reply(421, "4.3.2", ("Bye",), closes=True)),
        (250, ["2.0.0 Grüße".encode()], Reply(250, "2.0.0", ("Grüße",))),
        (250, [b"Gr\xfc\xdfe"], Reply(250, "", ("Gr\ufffd\ufffde",))),
        (250, [b"a\0b\x1b[2Jc\rd\te\x7f"], Reply(250, "", ("a\ufffdb\ufffd[2Jc\ufffdd e\ufffd",))),
        (250, ["\u202etxet\u2028\x85".encode()], Reply(250, "", ("\ufffdtxet\ufffd\ufffd",))),
    ],
)
def test_what_people_are_shown(code: int, lines: list[bytes], reply: Reply) -> None:
    assert Answer(code, tuple(lines)).reply == reply


def test_the_text_is_bounded() -> None:
    assert Answer(550, (b"5.0.0 " + b"x" * 4000, b"y")).reply == Reply(
        550, "5.0.0", ("x" * (MAX_TEXT_OCTETS - 6) + " ...",)
    )
    lines = Answer(550, (b"x" * 1000,) * 60).reply.text
    assert lines == ("x" * 1000, "x" * 1000, "x" * (MAX_TEXT_OCTETS - 2000) + " ...")
    assert Answer(550, (b"x" * MAX_TEXT_OCTETS, b"")).reply.text == ("x" * MAX_TEXT_OCTETS, "")
