"""AUTH towards a smarthost (RFC 4954; features row S-A14)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import pytest

from mailsuite.model.reply import NEXT_HOP_LACKS_MECHANISM
from mailsuite.wire.sasl.client import Credentials, Derive
from mailsuite.wire.smtp.client.awaited import Awaited
from mailsuite.wire.smtp.client.events import (
    UNFIT_REPLY,
    UNPROVEN_SERVER,
    Authenticated,
    AuthenticationFailed,
    Closing,
    Violation,
)
from mailsuite.wire.smtp.session import ServerSession, SessionSettings
from tests.wire.proofs import NAME, PARAMETERS, PASSWORD, Keys
from tests.wire.smtp.client.server import Dialogue, ready
from tests.wire.smtp.conftest import Conversation

JOE = Credentials(NAME, PASSWORD)


def b64(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def offered(names: str, tls_active: bool = True, **settings: Any) -> Dialogue:
    return ready(f"AUTH {names}", tls_active=tls_active, **settings)


def test_plain() -> None:
    dialogue = offered("LOGIN PLAIN")
    dialogue.session.authenticate(JOE)
    assert dialogue.said() == [f"AUTH PLAIN {b64(f'{chr(0)}{NAME}{chr(0)}{PASSWORD}')}"]
    assert dialogue.session.waiting_for is Awaited.LOGIN
    (event,) = dialogue.hear("235 2.7.0 In")
    assert isinstance(event, Authenticated)
    assert event.reply.enhanced == "2.7.0"
    assert dialogue.session.idle


def test_login() -> None:
    dialogue = offered("LOGIN")
    dialogue.session.authenticate(JOE)
    assert dialogue.said() == ["AUTH LOGIN"]
    dialogue.hear(f"334 {b64('Username:')}")
    assert dialogue.said() == [b64(NAME)]
    dialogue.hear(f"334 {b64('Who cares?')}")
    assert dialogue.said() == [b64(PASSWORD)]
    assert isinstance(dialogue.hear("235 2.7.0 In")[0], Authenticated)


def test_cram_md5() -> None:
    """The example of RFC 2195 section 2."""
    dialogue = offered("CRAM-MD5 PLAIN")
    dialogue.session.authenticate(Credentials("tim", "tanstaaftanstaaf"))
    assert dialogue.said() == ["AUTH CRAM-MD5"]
    dialogue.hear("334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+")
    assert dialogue.said() == ["dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"]


@pytest.mark.parametrize("code", ["535 5.7.8 No", "454 4.7.0 Not now", "504 5.5.4 What?", "334 "])
def test_refused(code: str) -> None:
    """A challenge behind the last response is none that PLAIN knows."""
    dialogue = offered("PLAIN")
    dialogue.session.authenticate(JOE)
    dialogue.said()
    events = dialogue.hear(code)
    if code.startswith("334"):
        assert dialogue.said() == ["*"]
        events = dialogue.hear("501 5.5.2 Cancelled")
    (event,) = events
    assert isinstance(event, AuthenticationFailed)
    assert event.mechanism == "PLAIN"
    assert event.reply.is_positive is False
    assert dialogue.session.idle
    dialogue.session.authenticate(JOE)


@pytest.mark.parametrize(
    ("names", "wanted", "settings"),
    [
        ("", ("PLAIN",), {}),
        ("GSSAPI XOAUTH2", ("GSSAPI", "XOAUTH2"), {}),
        ("PLAIN", ("CRAM-MD5",), {}),
        ("PLAIN LOGIN", ("PLAIN", "LOGIN"), {"tls_active": False}),
    ],
)
def test_none_that_fits(names: str, wanted: tuple[str, ...], settings: dict[str, bool]) -> None:
    dialogue = offered(names, **settings)
    dialogue.session.authenticate(JOE, wanted)
    assert dialogue.told() == [AuthenticationFailed(NEXT_HOP_LACKS_MECHANISM, "")]
    assert dialogue.said() == []
    assert dialogue.session.idle


def test_the_password_is_shown_in_clear_where_that_is_wanted() -> None:
    dialogue = offered("PLAIN", tls_active=False, plaintext_auth=True)
    dialogue.session.authenticate(JOE)
    assert dialogue.said()[0].startswith("AUTH PLAIN ")


def test_our_order_counts() -> None:
    dialogue = offered("PLAIN CRAM-MD5 SCRAM-SHA-256")
    dialogue.session.authenticate(JOE, ("XOAUTH2", "CRAM-MD5", "PLAIN"))
    assert dialogue.said() == ["AUTH CRAM-MD5"]


def test_what_scram_cannot_carry_goes_by_another() -> None:
    dialogue = offered("SCRAM-SHA-256 PLAIN")
    dialogue.session.authenticate(Credentials("joe", "bell\x07"))
    assert dialogue.said()[0].startswith("AUTH PLAIN ")


def test_a_long_initial_response_waits_for_its_challenge() -> None:
    """RFC 4954 section 4: AUTH is a command of 512 octets at most."""
    long = Credentials("n" * 255, "p" * 255)
    dialogue = offered("PLAIN")
    dialogue.session.authenticate(long)
    assert dialogue.said() == ["AUTH PLAIN"]
    dialogue.hear("334 ")
    (response,) = dialogue.said()
    assert b64decode(response) == f"\0{long.name}\0{long.password}".encode()
    for length, octets in ((190, 509), (191, 12)):
        dialogue = offered("PLAIN")
        dialogue.session.authenticate(Credentials("n" * 180, "p" * length))
        (line,) = dialogue.said()
        assert len(line) + 2 == octets
    dialogue = offered("PLAIN")
    dialogue.session.authenticate(long)
    dialogue.said()
    dialogue.hear(f"334 {b64('surprise')}")
    assert dialogue.said() == ["*"]


@pytest.mark.parametrize("challenge", ["334 no base64", "334 YQ", "334 YQ==YQ==", f"334-{b64('a')}\r\n334 !"])
def test_a_challenge_that_is_no_base64(challenge: str) -> None:
    dialogue = offered("CRAM-MD5")
    dialogue.session.authenticate(JOE)
    dialogue.said()
    dialogue.hear(challenge)
    assert dialogue.said() == ["*"]
    assert isinstance(dialogue.hear("501 5.5.2 Cancelled")[0], AuthenticationFailed)


@pytest.mark.parametrize("answer", ["235 2.7.0 In", "334 ", "250 OK"])
def test_who_has_cancelled_is_not_let_in(answer: str) -> None:
    dialogue = offered("CRAM-MD5")
    dialogue.session.authenticate(JOE)
    dialogue.hear("334 !")
    (event,) = dialogue.hear(answer)
    assert isinstance(event, Violation)
    assert event.kind == UNFIT_REPLY


def test_endless_challenges() -> None:
    for name, rounds in (("LOGIN", 2), ("CRAM-MD5", 1)):
        dialogue = offered(name)
        dialogue.session.authenticate(JOE)
        dialogue.said()
        for _ in range(rounds):
            dialogue.hear(f"334 {b64('a')}")
            assert dialogue.said() != ["*"]
        dialogue.hear(f"334 {b64('a')}")
        assert dialogue.said() == ["*"]


# SCRAM


def asked(names: str = "SCRAM-SHA-256") -> tuple[Dialogue, str, Derive]:
    """After Derive; the first message of the client, too."""
    dialogue = offered(names)
    dialogue.session.authenticate(JOE)
    first = b64decode(dialogue.said()[0].split(" ")[2]).decode()
    nonce = first.partition(",r=")[2]
    (event,) = dialogue.hear(f"334 {b64(f'r={nonce}SERVER,s={b64(PARAMETERS.salt)},i=4096')}")
    assert isinstance(event, Derive)
    assert PASSWORD not in repr(event)
    assert dialogue.said() == []
    return dialogue, first, event


def test_the_server_has_to_prove_itself_too() -> None:
    for wrong in ("235 2.7.0 In", "250 OK", f"334 {b64('v=' + b64('wrong'))}", f"334 {b64('v=!')}"):
        dialogue, _, derive = asked()
        dialogue.session.derived(derive.salted_password())
        dialogue.said()
        (event,) = dialogue.hear(wrong)
        assert isinstance(event, Violation)
        assert event.kind == UNPROVEN_SERVER
        assert dialogue.said() == []


def test_while_the_key_is_derived() -> None:
    dialogue, _, derive = asked()
    assert dialogue.session.waiting_for is None
    with pytest.raises(RuntimeError):
        dialogue.session.quit()
    assert isinstance(dialogue.hear("421 Bye")[0], Closing)
    dialogue.session.derived(derive.salted_password())
    assert dialogue.said() == []


@pytest.mark.parametrize(("name", "hash"), [("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-1", "sha1")])
def test_scram(name: str, hash: str) -> None:
    dialogue, first, derive = asked(name)
    assert derive.hash == hash
    dialogue.session.derived(derive.salted_password())
    final = b64decode(dialogue.said()[0]).decode()
    unproved, _, proof = final.rpartition(",p=")
    nonce = first.partition(",r=")[2]
    assert unproved == f"c=biws,r={nonce}SERVER"
    server_first = f"r={nonce}SERVER,s={b64(PARAMETERS.salt)},i=4096"
    auth_message = f"{first.removeprefix('n,,')},{server_first},{unproved}".encode()
    keys = Keys.of(PASSWORD, PARAMETERS, hash)
    assert proof == b64(keys.proof(auth_message))
    dialogue.hear(f"334 {b64('v=' + b64(keys.server_signature(auth_message)))}")
    assert dialogue.said() == [""]
    assert isinstance(dialogue.hear("235 2.7.0 In")[0], Authenticated)


# Our own server


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_our_own_server_lets_us_in(name: str, password: str) -> None:
    server = Conversation(
        ServerSession(
            SessionSettings(
                "mx.example.net",
                auth_mechanisms=(name,),
                octets=lambda count: b"s" * count,
                seconds=lambda: 1_700_000_000.0,
            ),
            tls_active=True,
        ),
        {},
    )
    dialogue = offered(name)
    assert server.send(b"EHLO client.example\r\n").startswith(b"250")
    dialogue.session.authenticate(Credentials(NAME, password))
    for _ in range(5):
        dialogue.hear_octets(server.send(dialogue.session.bytes_to_send()))
        if isinstance(event := dialogue.events[-1] if dialogue.events else None, Derive):
            dialogue.events.clear()
            dialogue.session.derived(event.salted_password())
    (event,) = dialogue.events
    if password == PASSWORD:
        assert isinstance(event, Authenticated)
    else:
        assert isinstance(event, AuthenticationFailed)
        assert event.reply.code == 535
