"""A letter on its way, each reply mapped to its command (features row Q-10)."""

from __future__ import annotations

import pytest

from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import BodyType
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.client.awaited import Awaited
from mailsuite.wire.smtp.client.content import CHUNK_OCTETS
from mailsuite.wire.smtp.client.events import (
    UNASKED_REPLY,
    UNFIT_REPLY,
    Closing,
    Done,
    Event,
    GoAhead,
    Lost,
    MessageReply,
    NobodyLeft,
    NotTried,
    RecipientReply,
    SenderAccepted,
    SenderRefused,
    Violation,
)
from mailsuite.wire.smtp.client.letter import CannotSend, Lack
from tests.wire.smtp.client.server import ALL, JOE, MIA, TIM, Dialogue, letter, ready

CHUNKED = (*ALL, "CHUNKING", "BINARYMIME")
OK = Reply(250, "2.0.0", ("OK",))
UNKNOWN = Reply(550, "5.1.1", ("No such user",))
BUSY = Reply(450, "4.2.1", ("Busy",))
FULL = Reply(452, "4.5.3", ("Too many",))
GONE = Reply(421, "4.3.2", ("Bye",), closes=True)
TOO_BIG = Reply(552, "5.3.4", ("Too big",))


def line(reply: Reply) -> bytes:
    return reply.encode()


def in_body(*keywords: str, replies: tuple[Reply, ...] = (OK,), **settings: bool) -> Dialogue:
    """After GoAhead, for as many recipients as there are *replies* to RCPT."""
    dialogue = ready(*keywords, **settings)
    dialogue.session.send(letter(*(JOE, MIA, TIM)[: len(replies)]))
    dialogue.hear(line(OK))
    for reply in replies:
        dialogue.hear(line(reply))
    if "CHUNKING" not in keywords:
        dialogue.hear("354 Go")
    dialogue.said()
    assert dialogue.events[-1] == GoAhead()
    assert dialogue.session.in_body
    dialogue.events.clear()
    return dialogue


# With PIPELINING


def test_one_go() -> None:
    dialogue = ready(*ALL)
    session = dialogue.session
    assert session.send(letter(JOE, MIA)) is None
    assert dialogue.said() == [
        "MAIL FROM:<ann@example.net> SIZE=100",
        "RCPT TO:<joe@example.net>",
        "RCPT TO:<mia@example.net>",
        "DATA",
    ]
    waits = [session.waiting_for]
    events: list[Event] = []
    for each in (line(OK), line(UNKNOWN), line(OK), b"354 Go\r\n"):
        events += dialogue.hear(each)
        waits.append(session.waiting_for)
    assert events == [SenderAccepted(OK), RecipientReply(0, UNKNOWN), RecipientReply(1, OK), GoAhead()]
    assert waits == [
        Awaited.MAIL,
        Awaited.RCPT,
        Awaited.RCPT,
        Awaited.DATA_START,
        Awaited.DATA_BLOCK,
    ]
    session.body(b"Subject: x\r\n")
    session.body(b"\r\n.\r\n")
    assert session.bytes_to_send() == b"Subject: x\r\n\r\n..\r\n"
    assert session.in_body
    session.end_body()
    assert not session.in_body
    assert session.bytes_to_send() == b".\r\n"
    assert session.waiting_for is Awaited.DATA_END
    assert dialogue.hear("250 2.0.0 queued") == [
        MessageReply((1,), Reply(250, "2.0.0", ("queued",))),
        Done(),
    ]
    assert session.idle
    assert session.waiting_for is None


def test_all_replies_in_one_segment() -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter(JOE, MIA))
    assert dialogue.hear(line(OK), line(OK), line(BUSY), "354 Go") == [
        SenderAccepted(OK),
        RecipientReply(0, OK),
        RecipientReply(1, BUSY),
        GoAhead(),
    ]


def test_a_session_is_used_again() -> None:
    dialogue = in_body(*ALL)
    for _ in range(3):
        dialogue.session.end_body()
        dialogue.said()
        assert dialogue.hear(line(OK)) == [MessageReply((0,), OK), Done()]
        assert dialogue.session.send(letter()) is None
        assert dialogue.said()[-1] == "DATA"
        assert dialogue.hear(line(OK), line(OK), "354 Go")[-1] == GoAhead()


def test_nobody_is_left() -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter(JOE, MIA))
    dialogue.said()
    events = dialogue.hear(line(OK), line(UNKNOWN), line(BUSY), "554 5.5.1 No valid recipients")
    assert events == [SenderAccepted(OK), RecipientReply(0, UNKNOWN), RecipientReply(1, BUSY)]
    assert dialogue.said() == ["RSET"]
    assert dialogue.session.waiting_for is Awaited.RESET
    assert dialogue.hear(line(OK)) == [NobodyLeft()]
    assert dialogue.session.idle


@pytest.mark.parametrize("answer", ["250 2.0.0 to nobody", "554 5.5.1 No valid recipients", "451 what?"])
def test_nobody_is_left_and_the_server_waits_for_a_message(answer: str) -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter())
    dialogue.said()
    assert dialogue.hear(line(OK), line(UNKNOWN), "354 Go") == [
        SenderAccepted(OK),
        RecipientReply(0, UNKNOWN),
    ]
    assert dialogue.said() == ["."]
    assert dialogue.session.waiting_for is Awaited.DATA_END
    assert dialogue.hear(answer) == []
    assert dialogue.said() == ["RSET"]
    assert dialogue.hear(line(OK)) == [NobodyLeft()]


def test_an_empty_message_to_nobody_is_never_in_doubt() -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter())
    dialogue.hear(line(OK), line(UNKNOWN), "354 Go")
    dialogue.session.closed()
    assert dialogue.told() == [Lost(Awaited.DATA_END, replies.NEXT_HOP_LOST, False)]


def test_the_sender_is_refused() -> None:
    """What RCPT and DATA are answered then means nothing, least of all for the recipients."""
    dialogue = ready(*ALL)
    dialogue.session.send(letter(JOE, MIA))
    dialogue.said()
    assert dialogue.hear(line(UNKNOWN)) == [SenderRefused(UNKNOWN)]
    assert dialogue.hear("503 5.5.1 No", "250 2.1.5 OK", "503 5.5.1 No") == [NobodyLeft()]
    assert dialogue.said() == []
    assert dialogue.session.idle


def test_the_sender_is_refused_and_a_mad_server_waits_for_a_message() -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter())
    dialogue.said()
    assert dialogue.hear(line(BUSY), line(OK), "354 Go") == [SenderRefused(BUSY)]
    assert dialogue.said() == ["."]
    assert dialogue.hear(line(OK)) == [NobodyLeft()]


@pytest.mark.parametrize("refusal", [UNKNOWN, BUSY])
def test_data_is_refused(refusal: Reply) -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter(JOE, MIA))
    dialogue.said()
    events = dialogue.hear(line(OK), line(OK), line(OK), line(refusal))
    assert events[-1] == MessageReply((0, 1), refusal)
    assert dialogue.said() == ["RSET"]
    assert dialogue.hear(line(OK)) == [Done()]


def test_rset_is_refused() -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter())
    dialogue.hear(line(OK), line(OK), line(BUSY))
    done, violation = dialogue.hear("502 5.5.1 What?")
    assert done == Done()
    assert isinstance(violation, Violation)
    assert violation.kind == UNFIT_REPLY
    assert dialogue.session.ended


def test_the_message_is_refused() -> None:
    dialogue = in_body(*ALL, replies=(OK, OK))
    dialogue.session.body(b"x")
    dialogue.session.end_body()
    assert dialogue.said() == ["x", "."]
    assert dialogue.hear(line(TOO_BIG)) == [MessageReply((0, 1), TOO_BIG), Done()]
    assert dialogue.session.idle


# Too many recipients


@pytest.mark.parametrize(
    ("reply", "is_too_many"),
    [
        (FULL, True),
        (Reply(452, "", ("Too many recipients",)), True),
        (Reply(552, "5.5.3", ("Too many recipients",)), True),
        (Reply(452, "4.2.2", ("Mailbox full",)), False),
        (Reply(552, "", ("Mailbox full",)), False),
        (Reply(552, "5.2.2", ("Mailbox full",)), False),
        (Reply(550, "5.5.3", ("Too many recipients",)), False),
        (BUSY, False),
    ],
)
def test_too_many(reply: Reply, is_too_many: bool) -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter(JOE, MIA, TIM))
    events = dialogue.hear(line(OK), line(OK), line(reply), line(reply), "354 Go")
    told: list[Event] = [RecipientReply(1, reply), RecipientReply(2, reply), GoAhead()]
    assert events[2:] == ([NotTried((1, 2)), GoAhead()] if is_too_many else told)


def test_the_first_is_never_too_many() -> None:
    """Else it would be tried for ever."""
    dialogue = ready(*ALL)
    dialogue.session.send(letter(JOE, MIA))
    events = dialogue.hear(line(OK), line(FULL), line(FULL), "554 5.5.1 No")
    assert events[1:] == [RecipientReply(0, FULL), RecipientReply(1, FULL)]


@pytest.mark.parametrize("offer", [("LIMITS RCPTMAX=2",), ("LIMITS RCPTMAX=900",)])
def test_as_many_as_both_take(offer: tuple[str, ...]) -> None:
    dialogue = ready(*ALL, *offer, max_recipients=2)
    dialogue.session.send(letter(JOE, MIA, TIM))
    assert sum(each.startswith("RCPT") for each in dialogue.said()) == 2
    events = dialogue.hear(line(OK), line(OK), line(UNKNOWN), "354 Go")
    assert events[1:] == [
        RecipientReply(0, OK),
        RecipientReply(1, UNKNOWN),
        NotTried((2,)),
        GoAhead(),
    ]


def test_those_left_are_told_where_nobody_was_taken() -> None:
    dialogue = ready(*ALL, "LIMITS RCPTMAX=1")
    dialogue.session.send(letter(JOE, MIA))
    events = dialogue.hear(line(OK), line(UNKNOWN), "554 5.5.1 No")
    assert events[1:] == [RecipientReply(0, UNKNOWN), NotTried((1,))]
    assert dialogue.hear(line(OK)) == [NobodyLeft()]


def test_those_left_are_told_where_data_is_refused() -> None:
    dialogue = ready(*ALL, "LIMITS RCPTMAX=1")
    dialogue.session.send(letter(JOE, MIA))
    events = dialogue.hear(line(OK), line(OK), line(BUSY))
    assert events[1:] == [RecipientReply(0, OK), NotTried((1,)), MessageReply((0,), BUSY)]


def test_a_connection_has_only_so_many_transactions() -> None:
    dialogue = ready(*ALL, "LIMITS MAILMAX=1")
    assert dialogue.session.send(letter()) is None
    dialogue.hear(line(OK), line(OK), "354 Go")
    dialogue.session.end_body()
    dialogue.hear(line(OK))
    dialogue.said()
    cannot = CannotSend(Lack.ROOM, replies.NEXT_HOP_FULL, (0, 1))
    assert dialogue.session.send(letter(JOE, MIA)) == cannot
    assert dialogue.said() == []
    dialogue.session.quit()
    assert dialogue.said() == ["QUIT"]


def test_a_connection_has_only_so_many_domains() -> None:
    """RFC 9422 section 4.3."""
    elsewhere = Address.parse("eve@example.com")
    dialogue = ready(*ALL, "LIMITS RCPTDOMAINMAX=1")
    dialogue.session.send(letter(JOE, elsewhere, MIA))
    assert [each for each in dialogue.said() if "RCPT" in each] == [
        "RCPT TO:<joe@example.net>",
        "RCPT TO:<mia@example.net>",
    ]
    events = dialogue.hear(line(OK), line(UNKNOWN), line(OK), "354 Go")
    assert NotTried((1,)) in events
    assert RecipientReply(2, OK) in events
    dialogue.session.end_body()
    dialogue.hear(line(OK))
    assert dialogue.session.send(letter(elsewhere)) == CannotSend(Lack.ROOM, replies.NEXT_HOP_FULL, (0,))
    assert dialogue.session.idle


# Without PIPELINING


@pytest.mark.parametrize(
    ("offered", "settings"), [(("SIZE",), {}), (ALL, {"pipelining": False}), (("CHUNKING",), {})]
)
def test_one_by_one(offered: tuple[str, ...], settings: dict[str, bool]) -> None:
    dialogue = ready(*offered, **settings)
    session = dialogue.session
    session.send(letter(JOE, MIA, size=0))
    assert dialogue.said() == ["MAIL FROM:<ann@example.net>"]
    assert dialogue.hear(line(OK)) == [SenderAccepted(OK)]
    assert dialogue.said() == ["RCPT TO:<joe@example.net>"]
    assert session.waiting_for is Awaited.RCPT
    assert dialogue.hear(line(UNKNOWN)) == [RecipientReply(0, UNKNOWN)]
    assert dialogue.said() == ["RCPT TO:<mia@example.net>"]
    assert dialogue.hear(line(OK)) == [RecipientReply(1, OK)]
    assert dialogue.said() == ["DATA"]
    assert session.waiting_for is Awaited.DATA_START
    assert dialogue.hear("354 Go") == [GoAhead()]


def test_one_by_one_a_refused_sender_is_all() -> None:
    dialogue = ready()
    dialogue.session.send(letter(JOE, MIA))
    dialogue.said()
    assert dialogue.hear(line(UNKNOWN)) == [SenderRefused(UNKNOWN), NobodyLeft()]
    assert dialogue.said() == []


def test_one_by_one_until_there_are_too_many() -> None:
    dialogue = ready()
    dialogue.session.send(letter(JOE, MIA, TIM))
    dialogue.hear(line(OK))
    dialogue.hear(line(OK))
    dialogue.said()
    assert dialogue.hear(line(FULL)) == []
    assert dialogue.said() == ["DATA"]
    assert dialogue.hear("354 Go") == [NotTried((1, 2)), GoAhead()]


def test_one_by_one_nobody_is_left() -> None:
    dialogue = ready()
    dialogue.session.send(letter(JOE, MIA))
    for reply in (OK, UNKNOWN, BUSY):
        dialogue.hear(line(reply))
    assert dialogue.said()[-1] == "RSET"
    assert dialogue.hear(line(OK)) == [NobodyLeft()]


# BDAT


def test_by_chunks() -> None:
    dialogue = ready(*CHUNKED)
    session = dialogue.session
    session.send(letter(JOE, MIA))
    assert dialogue.said()[-1] == "RCPT TO:<mia@example.net>"
    assert dialogue.hear(line(OK), line(OK)) == [SenderAccepted(OK), RecipientReply(0, OK)]
    assert dialogue.hear(line(UNKNOWN)) == [RecipientReply(1, UNKNOWN), GoAhead()]
    session.body(b".a\n")
    assert session.bytes_to_send() == b""
    session.end_body()
    assert session.bytes_to_send() == b"BDAT 4 LAST\r\n.a\r\n"
    assert session.waiting_for is Awaited.DATA_END
    assert dialogue.hear(line(OK)) == [MessageReply((0,), OK), Done()]


def test_nobody_is_left_and_no_octet_was_sent() -> None:
    dialogue = ready(*CHUNKED)
    dialogue.session.send(letter())
    dialogue.said()
    assert dialogue.hear(line(OK), line(UNKNOWN)) == [SenderAccepted(OK), RecipientReply(0, UNKNOWN)]
    assert dialogue.said() == ["RSET"]
    assert dialogue.hear(line(OK)) == [NobodyLeft()]


def test_chunks_are_not_wanted() -> None:
    dialogue = ready(*CHUNKED, chunking=False)
    dialogue.session.send(letter())
    assert dialogue.said()[-1] == "DATA"
    binary = letter(body=BodyType.BINARY)
    assert ready(*CHUNKED).session.send(binary) is None
    for settings in ({"chunking": False}, {"pipelining": False}):
        cannot = ready(*CHUNKED, **settings).session.send(binary)
        assert cannot == CannotSend(Lack.BINARY, replies.NEXT_HOP_LACKS_BINARY, (0,))


def test_binary_is_not_touched() -> None:
    dialogue = ready(*CHUNKED)
    dialogue.session.send(letter(body=BodyType.BINARY))
    assert dialogue.said()[0].endswith("BODY=BINARYMIME")
    dialogue.hear(line(OK), line(OK))
    dialogue.session.body(b"\n.\r\0")
    dialogue.session.end_body()
    assert dialogue.session.bytes_to_send() == b"BDAT 4 LAST\r\n\n.\r\0"


def test_many_chunks() -> None:
    dialogue = in_body(*CHUNKED)
    session = dialogue.session
    piece = b"x" * CHUNK_OCTETS
    for _ in range(3):
        session.body(piece)
    assert session.bytes_to_send().count(b"BDAT 65536\r\n") == 2
    assert session.waiting_for is Awaited.DATA_BLOCK
    assert dialogue.hear(line(OK)) == []
    session.end_body()
    assert session.waiting_for is Awaited.DATA_BLOCK
    assert dialogue.hear(line(OK)) == []
    assert session.waiting_for is Awaited.DATA_END
    assert dialogue.hear(line(OK)) == [MessageReply((0,), OK), Done()]


@pytest.mark.parametrize("ended", [False, True])
def test_a_chunk_is_refused(ended: bool) -> None:
    """Those behind it are under way and get refusals of their own, which say nothing: the end of it."""
    dialogue = in_body(*CHUNKED)
    session = dialogue.session
    for _ in range(3):
        session.body(b"x" * CHUNK_OCTETS)
    if ended:
        session.end_body()
    events = dialogue.hear(line(TOO_BIG), "503 5.5.1 No", "503 5.5.1 No")
    assert events == [MessageReply((0,), TOO_BIG), Done()]
    assert session.ended
    assert session.bytes_to_send() == b""


def test_the_last_chunk_is_in_doubt_even_behind_another() -> None:
    dialogue = in_body(*CHUNKED)
    for _ in range(2):
        dialogue.session.body(b"x" * CHUNK_OCTETS)
    dialogue.session.end_body()
    dialogue.session.closed()
    assert dialogue.told() == [Lost(Awaited.DATA_BLOCK, replies.NEXT_HOP_LOST, True)]


# LMTP


@pytest.mark.parametrize("keywords", [ALL, CHUNKED, ()])
def test_lmtp_answers_for_each(keywords: tuple[str, ...]) -> None:
    dialogue = in_body(*keywords, replies=(OK, UNKNOWN, OK), lmtp=True)
    dialogue.session.body(b"x\r\n")
    dialogue.session.end_body()
    assert dialogue.hear(line(OK)) == [MessageReply((0,), OK)]
    assert not dialogue.session.idle
    assert dialogue.session.waiting_for is Awaited.DATA_END
    assert dialogue.hear(line(BUSY)) == [MessageReply((2,), BUSY), Done()]
    assert dialogue.session.idle


def test_lmtp_is_lost_between_two_answers() -> None:
    dialogue = in_body(*ALL, replies=(OK, OK), lmtp=True)
    dialogue.session.end_body()
    dialogue.hear(line(OK))
    dialogue.session.closed()
    assert dialogue.told() == [Lost(Awaited.DATA_END, replies.NEXT_HOP_LOST, True)]


# The end in the middle


def test_lost_at_each_point() -> None:
    """RFC 5321 section 3.8: who has no answer is to be tried again."""
    for heard, awaited in (
        (0, Awaited.MAIL),
        (1, Awaited.RCPT),
        (2, Awaited.DATA_START),
        (3, Awaited.DATA_BLOCK),
    ):
        dialogue = ready(*ALL)
        dialogue.session.send(letter())
        for each in (line(OK), line(OK), b"354 Go\r\n")[:heard]:
            dialogue.hear(each)
        dialogue.session.closed()
        assert dialogue.told() == [Lost(awaited, replies.NEXT_HOP_LOST, False)]


@pytest.mark.parametrize("ended", [False, True])
def test_lost_behind_the_end(ended: bool) -> None:
    """RFC 1047: nobody knows."""
    dialogue = in_body(*ALL)
    if ended:
        dialogue.session.end_body()
    dialogue.session.timed_out()
    awaited = Awaited.DATA_END if ended else Awaited.DATA_BLOCK
    assert dialogue.told() == [Lost(awaited, replies.NEXT_HOP_SLOW, ended)]
    dialogue.session.body(b"more")
    dialogue.session.end_body()
    assert dialogue.said() == []


@pytest.mark.parametrize("heard", range(5))
def test_closing_at_each_point(heard: int) -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter())
    for each in (line(OK), line(OK), b"354 Go\r\n")[:heard]:
        dialogue.hear(each)
    if heard == 4:
        dialogue.session.end_body()
    assert dialogue.hear(line(GONE)) == [Closing(GONE)]
    assert dialogue.session.ended


def test_refused_in_the_middle_of_the_message() -> None:
    dialogue = in_body(*ALL, replies=(OK, OK))
    dialogue.session.body(b"x" * 1000)
    assert dialogue.session.bytes_to_send() == b"x" * 1000
    dialogue.session.body(b"y" * 1000)
    assert dialogue.hear(line(TOO_BIG)) == [MessageReply((0, 1), TOO_BIG), Done()]
    assert dialogue.session.ended
    assert dialogue.said() == []
    dialogue.session.body(b"z")
    dialogue.session.end_body()
    dialogue.session.closed()
    assert dialogue.said() == []
    assert dialogue.told() == []


def test_refused_as_soon_as_it_was_asked_for() -> None:
    dialogue = ready(*ALL)
    dialogue.session.send(letter())
    events = dialogue.hear(line(OK), line(OK), "354 Go", line(TOO_BIG))
    assert events[2:] == [GoAhead(), MessageReply((0,), TOO_BIG), Done()]
    dialogue.session.body(b"x")


def test_a_refusal_between_two_chunks() -> None:
    dialogue = in_body(*CHUNKED)
    assert dialogue.hear(line(BUSY)) == [MessageReply((0,), BUSY), Done()]
    assert dialogue.session.ended


def test_a_refusal_behind_the_answer_concerns_nobody() -> None:
    """Whoever was told that the message is taken is not told otherwise."""
    dialogue = in_body(*ALL)
    dialogue.session.end_body()
    events = dialogue.hear(line(OK), line(TOO_BIG))
    assert events[:2] == [MessageReply((0,), OK), Done()]
    (violation,) = events[2:]
    assert isinstance(violation, Violation)
    assert violation.kind == UNASKED_REPLY
