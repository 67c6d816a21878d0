"""Servers that are mad, or somebody's trap: an end that says what to record, and never an exception.

Row "Next hop 4xx, drops, 5xx, mad, hanging" of the table of attacks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.wire.sasl.client import Credentials
from mailsuite.wire.smtp.client.events import (
    NO_REPLY,
    OVERSIZE_REPLY,
    UNASKED_REPLY,
    UNFIT_REPLY,
    Closing,
    Event,
    Finished,
    GoAhead,
    Greeted,
    Lost,
    Ready,
    TlsNow,
    Violation,
)
from mailsuite.wire.smtp.client.replies import MAX_LINE_OCTETS, MAX_LINES
from mailsuite.wire.smtp.client.session import ClientSession, ClientSettings
from tests.wire.smtp.client.server import ALL, JOE, MIA, Dialogue, letter, met, ready


def greeting() -> Dialogue:
    return Dialogue(ClientSession(ClientSettings("client.example")))


def hello() -> Dialogue:
    dialogue = met()
    dialogue.session.hello()
    return dialogue


def starttls() -> Dialogue:
    dialogue = ready("STARTTLS")
    dialogue.session.start_tls()
    return dialogue


def login() -> Dialogue:
    dialogue = ready("AUTH CRAM-MD5")
    dialogue.session.authenticate(Credentials("joe", "secret"))
    return dialogue


def rset() -> Dialogue:
    dialogue = ready()
    dialogue.session.reset()
    return dialogue


def sending(*heard: str, lockstep: bool = False, ended: bool = False) -> Callable[[], Dialogue]:
    def begin() -> Dialogue:
        dialogue = ready(*(() if lockstep else ALL))
        dialogue.session.send(letter(JOE, MIA))
        for line in heard:
            dialogue.hear(line)
        if ended:
            dialogue.session.end_body()
        return dialogue

    return begin


OK3 = ("250 OK",) * 3
WAITS: dict[str, Callable[[], Dialogue]] = {
    "greeting": greeting,
    "hello": hello,
    "starttls": starttls,
    "login": login,
    "rset": rset,
    "mail": sending(),
    "rcpt": sending("250 OK"),
    "data": sending(*OK3),
    "mail, one by one": sending(lockstep=True),
    "rcpt, one by one": sending("250 OK", lockstep=True),
    "data, one by one": sending(*OK3, lockstep=True),
    "end": sending(*OK3, "354 Go", ended=True),
}
"""A session that waits for an answer, to each command that there is."""
SILENT: dict[str, Callable[[], Dialogue]] = {
    "greeted": met,
    "idle": ready,
    "content": sending(*OK3, "354 Go"),
}
"""One that waits for none."""
EVERYWHERE = WAITS | SILENT


def end_of(dialogue: Dialogue) -> Violation:
    """The session is over, once, and says nothing more."""
    assert dialogue.session.ended
    assert dialogue.session.bytes_to_send() == b""
    ends = [event for event in dialogue.events if isinstance(event, Violation | Closing | Lost | Finished)]
    (end,) = ends
    assert end is dialogue.events[-1]
    assert isinstance(end, Violation)
    assert end.reply == replies.NEXT_HOP_ASTRAY
    assert end.reply.is_temporary
    return end


@pytest.mark.parametrize("where", EVERYWHERE)
@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (b"what?\r\n", NO_REPLY),
        (b"\r\n", NO_REPLY),
        (b"\n", NO_REPLY),
        (b"\0\0\0\0\n", NO_REPLY),
        (b"150 wait\r\n", NO_REPLY),
        (b"250-a\r\n550 b\r\n", NO_REPLY),
        (b"\x16\x03\x03\x00\x05hello\n", NO_REPLY),
        (b"HTTP/1.1 400 Bad Request\r\n", NO_REPLY),
        (b"250 " + b"x" * MAX_LINE_OCTETS, OVERSIZE_REPLY),
        (b"250-x\r\n" * (MAX_LINES + 1), OVERSIZE_REPLY),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_no_reply(where: str, octets: bytes, kind: str) -> None:
    dialogue = EVERYWHERE[where]()
    dialogue.hear_octets(octets + b"250 OK\r\n")
    assert end_of(dialogue).kind == kind
    # In pieces it is the same.
    dialogue = EVERYWHERE[where]()
    for at in range(0, len(octets), 7):
        dialogue.hear_octets(octets[at : at + 7])
    dialogue.hear_octets(b"")
    assert end_of(dialogue).kind == kind


@pytest.mark.parametrize("where", [name for name in WAITS if name != "login"])
def test_a_digit_that_does_not_fit(where: str) -> None:
    """3yz where nothing goes on, and 2yz where something has to."""
    dialogue = WAITS[where]()
    dialogue.hear("250 OK" if where.startswith("data") else "354 Go")
    assert end_of(dialogue).kind == UNFIT_REPLY


@pytest.mark.parametrize("where", SILENT)
@pytest.mark.parametrize("line", ["250 OK", "354 Go"])
def test_a_reply_to_nothing(where: str, line: str) -> None:
    dialogue = SILENT[where]()
    dialogue.hear(line)
    assert end_of(dialogue).kind == UNASKED_REPLY


@pytest.mark.parametrize("where", ["greeted", "idle"])
@pytest.mark.parametrize("line", ["450 Busy", "550 No"])
def test_a_refusal_of_nothing(where: str, line: str) -> None:
    dialogue = SILENT[where]()
    dialogue.hear(line)
    assert end_of(dialogue).kind == UNASKED_REPLY


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("greeting", "220 mx"),
        ("hello", "250 mx"),
        ("rset", "250 OK"),
        ("mail, one by one", "250 OK"),
        ("rcpt, one by one", "250 OK"),
        ("data, one by one", "354 Go"),
        ("end", "250 OK"),
    ],
)
@pytest.mark.parametrize("behind", ["250 OK", "250 OK\r\n250 OK"])
def test_an_answer_before_its_command(where: str, line: str, behind: str) -> None:
    """However many answers come at once, none is taken for one to what is said later."""
    dialogue = WAITS[where]()
    dialogue.hear(line, behind)
    assert end_of(dialogue).kind == UNASKED_REPLY


@pytest.mark.parametrize("step", ["hello", "reset", "end_body"])
def test_an_answer_that_had_begun_before_its_command(step: str) -> None:
    dialogue = {"hello": met, "reset": ready, "end_body": sending(*OK3, "354 Go")}[step]()
    dialogue.session.bytes_to_send()
    assert dialogue.hear_octets(b"250") == []
    getattr(dialogue.session, step)()
    dialogue.told()
    assert end_of(dialogue).kind == UNASKED_REPLY


def test_a_flood_is_nothing_to_keep() -> None:
    dialogue = greeting()
    for _ in range(200):
        dialogue.hear_octets(b"220-" + b"x" * 3000 + b"\r\n")
    assert end_of(dialogue).kind == OVERSIZE_REPLY
    assert dialogue.session._exchange._reader._octets < 100_000


def test_lines_that_lf_alone_ends() -> None:
    dialogue = greeting()
    assert isinstance(dialogue.hear_octets(b"220 mx\n")[0], Greeted)
    dialogue.session.hello()
    (event,) = dialogue.hear_octets(b"250-mx\n250 8BITMIME\r\n")
    assert isinstance(event, Ready)
    assert event.extensions.eight_bit


def test_a_command_is_one_line() -> None:
    """Nothing that others wrote can make two of it; addresses and settings look at themselves."""
    evil = Address("joe>\r\nRCPT TO:<eve@example.com", "example.net")
    session = ready().session
    with pytest.raises(ValueError, match="control character"):
        session.send(letter(sender=evil))
    assert session.bytes_to_send() == b""


class Shell:
    """Takes every step that there is to take, whatever the server has said."""

    def __init__(self, lmtp: bool) -> None:
        settings = ClientSettings("client.example", lmtp=lmtp, octets=lambda count: b"7" * count)
        self.session = ClientSession(settings)
        self.events: list[Event] = []
        self.steps = 0

    def hear(self, octets: bytes) -> None:
        self.session.receive(octets)
        while (event := self.session.next_event()) is not None:
            self.events.append(event)
            self._follow(event)

    def _follow(self, event: Event) -> None:
        session = self.session
        match event:
            case Greeted():
                session.hello()
            case TlsNow():
                session.tls_started()
            case GoAhead():
                session.body(b".x\r\n")
                session.end_body()
        if session.idle:
            self.steps += 1
            steps: list[Callable[[], object]] = [
                lambda: session.send(letter(JOE, MIA)),
                session.start_tls,
                lambda: session.authenticate(Credentials("joe", "secret")),
                session.reset,
            ]
            steps[self.steps % len(steps)]()


LINES = st.sampled_from(
    [
        b"220 mx\r\n",
        b"250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-AUTH LOGIN CRAM-MD5\r\n250 STARTTLS\r\n",
        b"250 OK\r\n",
        b"250 OK\r\n",
        b"250-",
        b"354 Go\r\n",
        b"334 VXNlcm5hbWU6\r\n",
        b"334 =\r\n",
        b"235 In\r\n",
        b"450 4.2.1 Later\r\n",
        b"550 5.1.1 No\r\n",
        b"421 Bye\r\n",
        b"\r\n",
        b"\0",
    ]
) | st.binary(max_size=8)


@given(st.booleans(), st.lists(LINES, max_size=30))
def test_nothing_that_a_server_says_raises_or_leaves_the_end_open(lmtp: bool, lines: list[bytes]) -> None:
    shell = Shell(lmtp)
    for line in lines:
        shell.hear(line)
        out = shell.session.bytes_to_send()
        assert b"\n" not in out.replace(b"\r\n", b"")
    shell.session.closed()
    shell.hear(b"")
    ends = [event for event in shell.events if isinstance(event, Closing | Violation | Lost | Finished)]
    assert shell.session.ended
    assert len(ends) <= 1
    assert ends == shell.events[len(shell.events) - len(ends) :]


@given(st.booleans(), st.lists(LINES, max_size=20), st.lists(st.integers(1, 5), min_size=1, max_size=9))
def test_pieces_make_no_difference(lmtp: bool, lines: list[bytes], sizes: list[int]) -> None:
    """As long as each answer comes behind its command, as it does in LINES."""
    whole, cut = Shell(lmtp), Shell(lmtp)
    lengths = itertools.cycle(sizes)
    for line in lines:
        whole.hear(line)
        rest = line
        while rest:
            length = next(lengths)
            cut.hear(rest[:length])
            rest = rest[length:]
    assert whole.events == cut.events
