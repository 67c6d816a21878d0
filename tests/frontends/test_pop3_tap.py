"""What a tap shows of lines that come before those in front of them are answered (features row S-I07)."""

from __future__ import annotations

from base64 import b64encode

import attrs
import pytest

from mailsuite.frontends.pop3_tap import MAX_KEPT, ProtocolTap
from mailsuite.observe.log import Log
from mailsuite.observe.protocol_log import Level

CANARY = b"top canary of the tap"
"""A password that looks like a command."""
RESPONSE = b64encode(b"\0joe\0" + CANARY)
OK = b"+OK Done\r\n"
NO = b"-ERR You are logged in already\r\n"


@attrs.define(eq=False)
class Tapped:
    """A session in a few words: what was shown of it, C from the client and S to it."""

    level: Level = "commands"
    logged_in: bool = True
    exchanging: bool = False
    shown: list[str] = attrs.field(factory=list)
    tap: ProtocolTap = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tap = ProtocolTap(
            Log(self._line),
            lambda: self.level,
            lambda: self.logged_in,
            lambda: self.exchanging,
            lambda: self.shown.append("gone"),
        )
        self.tap.said(b"+OK mail.example.test POP3 ready\r\n")
        self.shown.clear()

    def _line(self, line: str, level: str) -> None:
        _, _, event, text = line.split(maxsplit=3)
        mark = {"pop3.command": "C", "pop3.reply": "S", "pop3.octets": "O"}[event]
        self.shown.append(f"{mark} {text.partition('=')[2]}")


@pytest.fixture(params=["commands", "raw"])
def tapped(request: pytest.FixtureRequest) -> Tapped:
    return Tapped(request.param)


def test_behind_an_auth_that_is_refused(tapped: Tapped) -> None:
    """As of a client that has lost count of its logins, and sends AUTH and response at once."""
    tapped.tap.received(b"AUTH PLAIN\r\n" + RESPONSE + b"\r\n")
    tapped.tap.said(NO)
    tapped.tap.said(b"-ERR Unknown command\r\n")
    tapped.tap.received(b"STAT\r\n")
    assert [line for line in tapped.shown if line[0] == "C"] == ['C "AUTH PLAIN"', "C ***", "C STAT"]


@pytest.mark.parametrize("command", [b"AUTH LOGIN", b"pass x", b" APOP joe", b"\xffauth"])
def test_until_that_command_has_its_own_answer(tapped: Tapped, command: bytes) -> None:
    tapped.tap.received(b"NOOP\r\nNOOP\r\n" + command + b"\r\n")
    tapped.tap.said(OK + OK)
    tapped.tap.received(CANARY + b"\r\n")
    assert tapped.shown[-1] == "C ***"
    tapped.tap.said(NO)
    tapped.tap.received(b"STAT\r\n")
    assert tapped.shown[-1] == "C STAT"


def test_the_last_of_several_counts(tapped: Tapped) -> None:
    tapped.tap.received(b"AUTH LOGIN\r\nAUTH LOGIN\r\n")
    tapped.tap.said(NO)
    tapped.tap.received(CANARY + b"\r\n")
    assert tapped.shown[-1] == "C ***"


def test_a_response_that_crosses_the_refusal(tapped: Tapped) -> None:
    """Of what is no command the length is shown, after the login as before it."""
    tapped.tap.received(b"AUTH PLAIN\r\n")
    tapped.tap.said(NO)
    tapped.tap.received(RESPONSE[:7])
    tapped.tap.received(RESPONSE[7:] + b"\r\n")
    assert tapped.shown[-1] == f'C "*** ({len(RESPONSE)} octets)"'


def test_a_challenge_answers_an_auth(tapped: Tapped) -> None:
    tapped.logged_in = False
    tapped.tap.received(b"AUTH PLAIN\r\n")
    tapped.exchanging = True
    tapped.tap.said(b"+ \r\n")
    tapped.tap.received(RESPONSE + b"\r\n")
    tapped.exchanging = False
    tapped.tap.said(OK)
    tapped.tap.received(b"STAT\r\n")
    assert tapped.shown == ['C "AUTH PLAIN"', 'S "+ ***"', "C ***", 'S "+OK Done"', "C STAT"]


def test_answers_to_nothing_lift_no_mask(tapped: Tapped) -> None:
    """As the greeting, and the answer to what came before the tap was put on."""
    tapped.tap.said(OK + OK)
    tapped.tap.received(b"AUTH LOGIN\r\n" + CANARY + b"\r\n")
    assert tapped.shown[-1] == "C ***"


def test_a_listing_is_one_answer(tapped: Tapped) -> None:
    tapped.tap.received(b"LIST\r\nAUTH LOGIN\r\n")
    tapped.tap.said(b"+OK 2 messages (50 octets)\r\n1 25\r\n2 25\r\n.\r\n")
    tapped.tap.received(CANARY + b"\r\n")
    assert tapped.shown[-1] == "C ***"


def test_of_an_endless_line_the_start_is_kept(tapped: Tapped) -> None:
    """Its end alone may look like a command."""
    tapped.tap.received(b"PASS " + b"x" * MAX_KEPT)
    for _ in range(3):
        tapped.tap.received(b" " * MAX_KEPT + CANARY)
    tapped.tap.received(b"\r\n")
    assert tapped.shown == ['C "PASS ***"']


def test_it_goes_when_nobody_watches_any_more() -> None:
    tapped = Tapped("sessions")
    tapped.tap.received(b"STAT\r\n")
    tapped.tap.said(OK)
    assert tapped.shown == ["gone"]
