"""A client session from the greeting to QUIT, without a transaction."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailsuite.model import reply as replies
from mailsuite.model.reply import Reply
from mailsuite.wire.sasl.client import Credentials
from mailsuite.wire.smtp.client.awaited import PATIENCE, Awaited
from mailsuite.wire.smtp.client.events import (
    STARTTLS_INJECTION,
    Closing,
    Finished,
    Greeted,
    Lost,
    Ready,
    TlsNow,
    TlsRefused,
    TurnedAway,
    Violation,
    WasReset,
)
from mailsuite.wire.smtp.client.extensions import NOTHING_OFFERED, Extensions
from mailsuite.wire.smtp.client.session import ClientSession, ClientSettings
from tests.wire.smtp.client.server import ALL, Dialogue, letter, met, ready


def kinds(events: list[object]) -> list[type]:
    return [type(event) for event in events]


def fresh(**settings: bool) -> Dialogue:
    return Dialogue(ClientSession(ClientSettings("client.example", **settings)))


@pytest.mark.parametrize("name", ["", "two words", "a\r\nb", "käse.example", "x" * 256])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        ClientSettings(name)


@pytest.mark.parametrize("name", ["client.example", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_a_name_that_is_one(name: str) -> None:
    assert ClientSettings(name).hello == name


def test_the_way_of_a_session() -> None:
    dialogue = fresh()
    session = dialogue.session
    assert session.waiting_for is Awaited.GREETING
    assert dialogue.hear("220-mx.example.net ESMTP", "220 be kind") == [
        Greeted(Reply(220, "", ("mx.example.net ESMTP", "be kind")))
    ]
    assert session.waiting_for is None
    assert not session.idle
    session.hello()
    assert dialogue.said() == ["EHLO client.example"]
    assert session.waiting_for is Awaited.HELLO
    offered = Extensions(size=99, pipelining=True)
    assert dialogue.hear("250-mx.example.net", "250-PIPELINING", "250 SIZE 99") == [Ready(offered)]
    assert session.extensions == offered
    assert session.idle
    session.reset()
    assert session.waiting_for is Awaited.RESET
    assert dialogue.said() == ["RSET"]
    assert dialogue.hear("250 2.0.0 OK") == [WasReset()]
    session.quit()
    assert dialogue.said() == ["QUIT"]
    assert session.waiting_for is Awaited.QUIT
    assert not session.ended
    assert dialogue.hear("221 2.0.0 Bye") == [Finished()]
    assert session.ended
    assert session.waiting_for is None


def test_every_wait_has_its_patience() -> None:
    assert set(PATIENCE) == set(Awaited)
    rfc = {  # RFC 5321 section 4.5.3.2
        Awaited.GREETING: 300,
        Awaited.MAIL: 300,
        Awaited.RCPT: 300,
        Awaited.DATA_START: 120,
        Awaited.DATA_BLOCK: 180,
        Awaited.DATA_END: 600,
    }
    assert {each: PATIENCE[each] for each in rfc} == rfc


def test_lmtp_says_lhlo() -> None:
    dialogue = met(lmtp=True)
    dialogue.session.hello()
    assert dialogue.said() == ["LHLO client.example"]
    assert kinds(dialogue.hear("500 5.5.1 What?")) == [TurnedAway]


@pytest.mark.parametrize("code", [500, 501, 502, 504, 550])
def test_helo_where_ehlo_is_not_known(code: int) -> None:
    dialogue = met()
    dialogue.session.hello()
    dialogue.said()
    assert dialogue.hear(f"{code} what?") == []
    assert dialogue.said() == ["HELO client.example"]
    assert dialogue.session.waiting_for is Awaited.HELLO
    assert dialogue.hear("250-mx.example.net", "250 PIPELINING") == [Ready(NOTHING_OFFERED)]
    dialogue.session.send(letter())
    assert dialogue.said() == ["MAIL FROM:<ann@example.net>"]


@pytest.mark.parametrize("refusal", ["450 4.7.1 Later", "554 5.7.1 Never", "521 5.3.2 No mail here"])
def test_turned_away_by_the_answer_to_hello(refusal: str) -> None:
    dialogue = met()
    dialogue.session.hello()
    dialogue.said()
    (event,) = dialogue.hear(refusal)
    assert isinstance(event, TurnedAway)
    assert event.reply.code == int(refusal[:3])
    with pytest.raises(RuntimeError):
        dialogue.session.hello()
    dialogue.session.quit()
    assert dialogue.said() == ["QUIT"]


def test_turned_away_by_helo_too() -> None:
    dialogue = met()
    dialogue.session.hello()
    assert kinds(dialogue.hear("502 what?")) == []
    assert kinds(dialogue.hear("502 what?")) == [TurnedAway]


@pytest.mark.parametrize("greeting", ["554 5.7.1 Not you", "450 later", "521 never"])
def test_turned_away_by_the_greeting(greeting: str) -> None:
    dialogue = fresh()
    assert kinds(dialogue.hear(greeting)) == [TurnedAway]
    dialogue.session.quit()
    assert dialogue.said() == ["QUIT"]
    assert dialogue.hear("221 Bye") == [Finished()]


def test_turned_away_by_rset() -> None:
    dialogue = ready()
    dialogue.session.reset()
    assert kinds(dialogue.hear("502 5.5.1 What?")) == [TurnedAway]


# STARTTLS


def test_tls_forgets_what_was_said_in_clear() -> None:
    dialogue = ready(*ALL, "STARTTLS", "AUTH PLAIN")
    session = dialogue.session
    session.start_tls()
    assert dialogue.said() == ["STARTTLS"]
    assert session.waiting_for is Awaited.TLS
    assert dialogue.hear("220 2.0.0 Go") == [TlsNow()]
    assert session.waiting_for is Awaited.TLS
    assert not session.tls_active
    session.tls_started()
    assert session.tls_active
    assert session.extensions == NOTHING_OFFERED
    assert dialogue.said() == ["EHLO client.example"]
    assert session.waiting_for is Awaited.HELLO
    assert dialogue.hear("250-mx.example.net", "250 REQUIRETLS") == [Ready(Extensions(require_tls=True))]


def test_tls_in_lmtp() -> None:
    dialogue = ready("STARTTLS", lmtp=True)
    dialogue.session.start_tls()
    dialogue.said()
    dialogue.hear("220 Go")
    dialogue.session.tls_started()
    assert dialogue.said() == ["LHLO client.example"]


@pytest.mark.parametrize("refusal", ["454 4.7.0 Not now", "502 5.5.1 What?"])
def test_no_tls_after_all(refusal: str) -> None:
    dialogue = ready("STARTTLS")
    dialogue.session.start_tls()
    (event,) = dialogue.hear(refusal)
    assert isinstance(event, TlsRefused)
    assert dialogue.session.idle


@pytest.mark.parametrize("behind", [b"250-PIPELINING\r\n", b"2", b"\x16\x03\x01", b"421 4.3.2 Bye\r\n"])
@pytest.mark.parametrize("together", [True, False])
def test_what_is_said_in_clear_behind_starttls_is_an_attack(behind: bytes, together: bool) -> None:
    dialogue = ready("STARTTLS")
    dialogue.session.start_tls()
    dialogue.said()
    events = dialogue.hear("220 Go", behind) if together else dialogue.hear("220 Go") + dialogue.hear(behind)
    assert isinstance(events[-1], Violation)
    assert events[-1].kind == STARTTLS_INJECTION
    assert dialogue.session.ended
    dialogue.session.tls_started()
    assert dialogue.said() == []
    assert not dialogue.session.tls_active


# Steps


STEPS: dict[str, Callable[[ClientSession], object]] = {
    "hello": lambda session: session.hello(),
    "start_tls": lambda session: session.start_tls(),
    "tls_started": lambda session: session.tls_started(),
    "authenticate": lambda session: session.authenticate(Credentials("joe", "secret")),
    "derived": lambda session: session.derived(b""),
    "send": lambda session: session.send(letter()),
    "body": lambda session: session.body(b"x"),
    "end_body": lambda session: session.end_body(),
    "reset": lambda session: session.reset(),
    "quit": lambda session: session.quit(),
}


@pytest.mark.parametrize(
    ("begin", "possible"),
    [
        (fresh, set()),
        (met, {"hello", "quit"}),
        (ready, {"start_tls", "authenticate", "send", "reset", "quit"}),
    ],
)
def test_a_step_out_of_turn_is_a_mistake_of_ours(begin: Callable[[], Dialogue], possible: set[str]) -> None:
    for name, step in STEPS.items():
        session = begin().session
        if name in possible:
            step(session)
        else:
            with pytest.raises(RuntimeError, match="out of turn"):
                step(session)
            assert session.bytes_to_send() in (b"", b"EHLO client.example\r\n")


def test_after_the_end_no_step_does_anything() -> None:
    dialogue = ready()
    dialogue.hear("421 4.3.2 Bye")
    dialogue.said()
    for step in STEPS.values():
        step(dialogue.session)
    assert dialogue.hear("250 OK", "250 OK") == []
    assert dialogue.said() == []
    assert not dialogue.session.idle
    assert not dialogue.session.in_body


# The end


def test_the_server_closes_at_any_time() -> None:
    bye = Closing(Reply(421, "4.3.2", ("Bye",), closes=True))
    for dialogue in (fresh(), met(), ready()):
        assert dialogue.hear("421 4.3.2 Bye") == [bye]
        assert dialogue.session.ended
    dialogue = met()
    dialogue.session.hello()
    assert dialogue.hear("421 4.3.2 Bye") == [bye]
    # Between the greeting and what the shell makes of it.
    dialogue = fresh()
    assert kinds(dialogue.hear("220 mx", "421 4.3.2 Bye")) == [Greeted, Closing]
    dialogue.session.hello()
    assert dialogue.said() == []


def test_the_connection_is_lost() -> None:
    for dialogue, awaited in ((fresh(), Awaited.GREETING), (met(), None), (ready(), None)):
        dialogue.session.closed()
        dialogue.session.closed()
        assert dialogue.told() == [Lost(awaited, replies.NEXT_HOP_LOST, False)]
        assert dialogue.session.ended


def test_time_is_up() -> None:
    dialogue = fresh()
    dialogue.session.timed_out()
    assert dialogue.told() == [Lost(Awaited.GREETING, replies.NEXT_HOP_SLOW, False)]
    assert dialogue.hear("220 mx") == []


@pytest.mark.parametrize(
    "end",
    [
        lambda dialogue: dialogue.session.closed(),
        lambda dialogue: dialogue.session.timed_out(),
        lambda dialogue: dialogue.hear("421 Bye"),
        lambda dialogue: dialogue.hear("500 What?"),
        lambda dialogue: dialogue.hear("354 Go"),
        lambda dialogue: dialogue.hear("nonsense"),
        lambda dialogue: dialogue.hear("221 Bye", "221 Bye"),
    ],
)
def test_after_quit_nothing_is_a_failure(end: Callable[[Dialogue], object]) -> None:
    dialogue = ready()
    dialogue.session.quit()
    dialogue.said()
    end(dialogue)
    dialogue.told()
    dialogue.session.closed()
    dialogue.told()
    assert dialogue.events == [Finished()]


def test_quit_while_the_server_begins_to_speak() -> None:
    dialogue = ready()
    assert dialogue.hear(b"421 Ti") == []
    dialogue.session.quit()
    assert dialogue.told() == [Finished()]
    assert dialogue.said() == []
