"""Exchanges in which the server has to ask, and has the last word (RFC 5034 section 4, RFC 5802)."""

from __future__ import annotations

from base64 import b64decode, b64encode

import attrs
import pytest

from mailsuite.model import response
from mailsuite.wire.pop3.session import Ask, Disconnected, Login, OutOfTurn, Violation
from mailsuite.wire.sasl.steps import DigestClaim, HopelessClaim, ScramClaim, ScramQuestion
from tests.wire.pop3.world import BINDINGS, CLEAR, World, refs
from tests.wire.proofs import PARAMETERS, ScramClient, judged

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "CRAM-MD5", "PLAIN")
SETTINGS = attrs.evolve(CLEAR, sasl_mechanisms=MECHANISMS, tls_available=True)
WELCOME = b"+OK 3 messages (75 octets)\r\n"
WRONG = b"-ERR [AUTH] Name or password is wrong\r\n"
CANCELLED = b"-ERR Authentication is cancelled\r\n"


def challenge(answer: bytes) -> bytes:
    """What a line with a challenge says."""
    assert answer.startswith(b"+ "), answer
    return b64decode(answer[2:])


def line(message: bytes) -> bytes:
    return b64encode(message) + b"\r\n"


def asked(client: ScramClient, mechanism: bytes = b"SCRAM-SHA-256", tls: bool = False, **more: bool) -> World:
    """A world that has been sent the client's first message."""
    world = World(SETTINGS, tls, **more)
    world.take()
    world.session.receive(b"AUTH " + mechanism + b" " + line(client.first()))
    world.run()
    return world


def proved(
    client: ScramClient, mechanism: bytes = b"SCRAM-SHA-256", tls: bool = False
) -> tuple[World, bytes]:
    """A world that has been sent the client's proof, and what it answers."""
    world = asked(client, mechanism, tls)
    return world, world.say(line(client.final(challenge(world.take()))))


@pytest.mark.parametrize(
    ("mechanism", "client", "tls"),
    [
        (b"SCRAM-SHA-256", ScramClient(), False),
        (b"scram-sha-256", ScramClient(), True),
        (b"SCRAM-SHA-1", ScramClient(hash="sha1"), False),
        (
            b"SCRAM-SHA-256-PLUS",
            ScramClient(header="p=tls-exporter,,", binding=BINDINGS["tls-exporter"]),
            True,
        ),
        (
            b"SCRAM-SHA-256-PLUS",
            ScramClient(header="p=tls-server-end-point,,", binding=BINDINGS["tls-server-end-point"]),
            True,
        ),
    ],
)
@pytest.mark.parametrize("acknowledgement", [b"\r\n", b"=\r\n", b"\n"])
def test_a_login(mechanism: bytes, client: ScramClient, tls: bool, acknowledgement: bytes) -> None:
    world, answer = proved(client, mechanism, tls)
    assert client.believes(challenge(answer))
    assert not world.session.logged_in
    assert world.say(acknowledgement) == WELCOME
    assert world.session.logged_in
    ask, login = world.events
    assert ask == Ask(ScramQuestion("joe", "sha1" if mechanism.endswith(b"-1") else "sha256"))
    assert isinstance(login, Login)
    assert isinstance(login.claim, ScramClaim)
    assert (login.claim.mechanism, login.claim.authcid) == (mechanism.decode().upper(), "joe")
    assert world.say(b"STAT\r\n") == b"+OK 3 75\r\n"
    assert world.say(b"AUTH SCRAM-SHA-256\r\n") == b"-ERR You are logged in already\r\n"


def test_without_an_initial_response() -> None:
    client = ScramClient()
    world = World(SETTINGS)
    world.take()
    assert world.say(b"AUTH SCRAM-SHA-256\r\n") == b"+ \r\n"
    answer = world.say(line(client.final(challenge(world.say(line(client.first()))))))
    assert client.believes(challenge(answer))
    assert world.say(b"\r\n") == WELCOME


def test_binding_after_stls() -> None:
    client = ScramClient(header="p=tls-exporter,,", binding=BINDINGS["tls-exporter"])
    world = World(SETTINGS)
    world.take()
    assert b"PLUS" not in world.say(b"CAPA\r\n")
    world.say(b"STLS\r\n")
    assert b"SCRAM-SHA-256-PLUS" in world.say(b"CAPA\r\n")
    first = challenge(world.say(b"AUTH SCRAM-SHA-256-PLUS " + line(client.first())))
    assert client.believes(challenge(world.say(line(client.final(first)))))


def test_a_client_that_thinks_we_cannot_bind_was_led_astray() -> None:
    """RFC 5802 section 6: its ``y`` says that it could, and was shown a list without -PLUS."""
    world = asked(ScramClient(header="y,,"), tls=True)
    assert challenge(world.take()) == b"e=server-does-support-channel-binding"
    assert world.say(b"\r\n") == WRONG
    assert world.events == [Login(HopelessClaim("SCRAM-SHA-256", "joe", "downgrade"))]


@pytest.mark.parametrize("last", [b"STAT\r\n", b"*\r\n", b"dj0=\r\n", b" \r\n"])
def test_who_does_not_believe_us_is_not_logged_in(last: bytes) -> None:
    """Nor is anything removed: the session never was in TRANSACTION."""
    world, answer = proved(ScramClient())
    assert answer.startswith(b"+ ")
    assert world.say(last + b"DELE 1\r\nQUIT\r\n") == CANCELLED
    assert world.session.closing
    assert not world.session.logged_in
    assert world.events[-1] == Disconnected("login-declined")
    assert world.removed == []


def test_a_wrong_proof_is_refused_at_once() -> None:
    world, answer = proved(ScramClient(password="guess"))
    assert answer == WRONG
    assert not world.session.closing
    assert world.say(b"STAT\r\n") == b"-ERR Log in first\r\n"


@pytest.mark.parametrize("last", [b"\r\n", b"*\r\n", b"=\r\n", b"STAT\r\n"])
def test_whatever_is_said_to_an_error_it_stays_refused(last: bytes) -> None:
    world, answer = proved(ScramClient(header="p=tls-exporter,,"), b"SCRAM-SHA-256-PLUS", tls=True)
    assert challenge(answer) == b"e=channel-bindings-dont-match"
    assert world.say(last) == WRONG
    assert not world.session.closing
    assert world.say(b"STAT\r\n") == b"-ERR Log in first\r\n"


def test_the_third_wrong_proof_closes() -> None:
    client = ScramClient(password="guess")
    world = World(SETTINGS)
    world.take()
    for _ in range(3):
        assert not world.session.closing
        first = world.say(b"AUTH SCRAM-SHA-256 " + line(client.first()))
        assert world.say(line(client.final(challenge(first)))) == WRONG
    assert world.session.closing
    assert world.events[-1] == Disconnected("failed-logins")


@pytest.mark.parametrize(
    "refusal", [response.MAILDROP_IN_USE, response.TEMPORARY_TROUBLE, response.LOGGED_IN_TOO_SOON]
)
def test_a_proof_that_helps_nothing_today_is_not_called_wrong(refusal: response.Response) -> None:
    client = ScramClient()
    world = asked(client)
    final = client.final(challenge(world.take()))
    world.answers = False
    world.say(line(final))
    world.session.refuse(refusal)
    assert world.take() == refusal.encode()
    assert world.say(b"STAT\r\n") == b"-ERR Log in first\r\n"


def test_a_question_that_nobody_can_answer_now() -> None:
    world = asked(ScramClient(), answers=False)
    assert world.events == [Ask(ScramQuestion("joe", "sha256"))]
    with pytest.raises(OutOfTurn):
        world.session.logged_in_as(refs())
    world.session.refuse(response.TEMPORARY_TROUBLE)
    assert world.take() == response.TEMPORARY_TROUBLE.encode()
    assert world.say(b"N" * 600 + b"\r\n") == b"-ERR The command is too long\r\n"
    assert world.events[-1] == Violation("oversize-command")


def test_parameters_that_nobody_asked_for() -> None:
    world = World(SETTINGS)
    with pytest.raises(OutOfTurn):
        world.session.scram_parameters(PARAMETERS)


def test_answers_for_a_client_that_was_sent_away() -> None:
    world = asked(ScramClient(), answers=False)
    world.session.timed_out()
    world.session.scram_parameters(PARAMETERS)
    assert world.take() == b""


@pytest.mark.parametrize("at", ["question", "challenge", "last words"])
def test_drained_on_the_way(at: str) -> None:
    client = ScramClient()
    world = asked(client, answers=at != "question")
    if at == "question":
        world.session.drain()
        assert not world.session.closing
        world.session.scram_parameters(PARAMETERS)
    else:
        if at == "last words":
            world.say(line(client.final(challenge(world.take()))))
        world.session.drain()
    assert world.session.closing
    assert world.take().endswith(response.SHUTTING_DOWN.encode())
    assert not world.session.logged_in


@pytest.mark.parametrize("octets", [12288, 12289])
def test_last_words_are_answered_by_a_line_of_a_response_s_length(octets: int) -> None:
    world, _ = proved(ScramClient())
    answer = world.say(b"A" * (octets - 2) + b"\r\n")
    assert answer == (CANCELLED if octets == 12288 else b"-ERR The command is too long\r\n")
    assert world.session.closing


def test_cram_md5() -> None:
    world = World(SETTINGS)
    world.take()
    stamp = challenge(world.say(b"AUTH CRAM-MD5\r\n"))
    assert stamp.endswith(b"@mail.example.net>")
    digest = DigestClaim("CRAM-MD5", "joe", stamp, "0" * 32)
    assert judged(digest) is None
    assert world.say(line(b"joe " + b"0" * 32)) == WRONG
    assert world.events == [Login(digest)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"n,,",
        b"n,,n=joe",
        b"n,,n=,r=x",
        b"x,,n=joe,r=x",
        b"n,a=ann,n=joe,r=x",
        b"n,,n=jo=e,r=x",
        b"",
    ],
)
def test_first_messages_that_make_no_sense(data: bytes) -> None:
    world = World(SETTINGS)
    world.take()
    answer = world.say(b"AUTH SCRAM-SHA-256\r\n" + line(data))
    assert b"\r\n-ERR" in answer
    assert world.say(b"STAT\r\n") == b"-ERR Log in first\r\n"
