"""Whatever comes in, in whatever pieces: responses, never an exception (DESIGN section 2, promise 5)."""

from __future__ import annotations

import itertools
import re
from base64 import b64decode, b64encode

import attrs
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.pop3.session import Disconnected, Event, Quit, Violation
from tests.wire.pop3.world import DIGEST, STAMPED, World
from tests.wire.proofs import ScramClient

SCRAM = ScramClient()
SCRAM_FIRST = b64encode(SCRAM.first())
SETTINGS = attrs.evolve(
    STAMPED, sasl_mechanisms=("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
)


def scram_final() -> bytes:
    """The settings give the same nonce each time, so this is always right."""
    world = World(SETTINGS)
    world.take()
    challenge = world.say(b"AUTH SCRAM-SHA-256 " + SCRAM_FIRST + b"\r\n").removeprefix(b"+ ")
    return b64encode(SCRAM.final(b64decode(challenge)))


SCRAM_FINAL = scram_final()
WORDS = [
    *(b"USER joe", b"PASS secret word", b"PASS", b"APOP joe " + DIGEST, b"AUTH PLAIN", b"AUTH LOGIN am9l"),
    *(b"AUTH PLAIN AGpvZQBzZWNyZXQgd29yZA==", b"AGpvZQBzZWNyZXQgd29yZA==", b"*", b"=", b"STLS", b"CAPA"),
    *(b"STAT", b"LIST", b"UIDL", b"RETR", b"TOP", b"DELE", b"RSET", b"NOOP", b"QUIT", b"AUTH", b"USER"),
    *(
        b"AUTH SCRAM-SHA-256 " + SCRAM_FIRST,
        b"AUTH SCRAM-SHA-256",
        SCRAM_FIRST,
        SCRAM_FINAL,
        b"AUTH CRAM-MD5",
    ),
    *(b"AUTH SCRAM-SHA-256 " + SCRAM_FIRST + b"\r\n" + SCRAM_FINAL, b"AUTH SCRAM-SHA-256-PLUS", b""),
    *(b" ", b"1", b"2", b"3", b"0", b"-1", b" 1 1", b"99999999999999999999", b"\0", b"\xff", b"\t"),
    *(b"\r", b"\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"x" * 250, b"y" * 600),
]
WORD = st.sampled_from(WORDS)
PIECE = st.one_of(WORD, WORD.map(lambda word: word + b"\r\n"), st.binary(max_size=4))
LINES = st.lists(PIECE, max_size=40).map(b"".join)
LINE = WORD.filter(lambda word: b"\n" not in word and len(word) < 200)
LOGIN = st.sampled_from(
    [
        b"",
        b"USER joe\r\nPASS secret word\r\n",
        b"AUTH SCRAM-SHA-256 " + SCRAM_FIRST + b"\r\n" + SCRAM_FINAL + b"\r\n",
    ]
)
FIRST_LINE = re.compile(rb"(\+OK|-ERR)( [\x20-\x7e]*)?|\+ [A-Za-z0-9+/=]*")


def conversation(data: bytes, cuts: list[int]) -> tuple[bytes, list[Event], World]:
    world = World(SETTINGS)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    answer = world.take()
    for start, end in itertools.pairwise(edges):
        answer += world.say(data[start:end])
    return answer, world.events, world


@given(LOGIN, LINES, st.lists(st.integers(0, 400), max_size=8))
def test_any_input_in_any_pieces_has_the_same_answers(login: bytes, lines: bytes, cuts: list[int]) -> None:
    data = login + lines
    whole, events, world = conversation(data, [])
    pieces, piece_events, _ = conversation(data, cuts)
    octets, octet_events, _ = conversation(data, list(range(len(data))))
    assert whole == pieces == octets
    assert events == piece_events == octet_events
    assert whole.endswith(b"\r\n")
    ends = [event for event in events if isinstance(event, Disconnected | Violation)]
    assert len(ends) == world.session.closing
    assert not world.session.waiting


@given(LOGIN, LINES)
def test_only_quit_removes_and_only_what_was_marked(login: bytes, lines: bytes) -> None:
    _, events, world = conversation(login + lines, [])
    quits = [event for event in events if isinstance(event, Quit)]
    assert len(quits) <= 1
    assert world.removed == [ref.uidl for event in quits for ref in event.deleted]
    if world.removed:
        assert b"DELE" in lines.upper()


@given(st.lists(LINE, max_size=30))
def test_each_line_has_one_response(lines: list[bytes]) -> None:
    """In lockstep: a status line for each line sent, and a text behind it that is ended as it must be."""
    world = World(SETTINGS).log_in()
    for line in lines:
        answer = world.say(line + b"\r\n")
        if world.session.closing:
            break
        first, _, text = answer.partition(b"\r\n")
        assert FIRST_LINE.fullmatch(first)
        assert (text == b"") is not (text.endswith(b".\r\n"))
