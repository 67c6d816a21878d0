"""Exchanges in which the server has to ask, and has the last word (RFC 4954 section 4, RFC 5802)."""

from base64 import b64decode, b64encode

import attrs
import pytest

from mailsuite.model import reply as replies
from mailsuite.wire.sasl.steps import DigestClaim, HopelessClaim, ScramClaim, ScramQuestion
from mailsuite.wire.smtp.events import Ask, Authenticate, Hello, Mail
from tests.wire.proofs import PARAMETERS, ScramClient
from tests.wire.smtp.conftest import BINDINGS

NAMES = ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "CRAM-MD5")
LOGGED_IN = "235 2.7.0 You are logged in"
WRONG = "535 5.7.8 That name and password do not fit together"
CANCELLED = "501 5.5.2 Authentication is cancelled"


@pytest.fixture
def session(begin):
    """Inside TLS, after EHLO; claims are judged."""
    conversation = begin(True, tls_required=True, auth_required=True, auth_mechanisms=NAMES)
    del conversation.answers[Authenticate]
    conversation.say("EHLO x")
    conversation.events.clear()
    return conversation


def challenge(answer: str) -> bytes:
    """What a line with a challenge says."""
    assert answer.startswith("334 "), answer
    return b64decode(answer[4:])


def b64(message: bytes) -> str:
    return b64encode(message).decode()


def prove(conversation, client: ScramClient, mechanism: str = "SCRAM-SHA-256") -> str:
    first = challenge(conversation.say(f"AUTH {mechanism} {b64(client.first())}"))
    answer: str = conversation.say(b64(client.final(first)))
    return answer


@pytest.mark.parametrize(
    ("mechanism", "client"),
    [
        ("SCRAM-SHA-256", ScramClient()),
        ("scram-sha-1", ScramClient(hash="sha1")),
        (
            "SCRAM-SHA-256-PLUS",
            ScramClient(header="p=tls-exporter,,", binding=BINDINGS["tls-exporter"]),
        ),
    ],
)
@pytest.mark.parametrize("acknowledgement", ["", "="])
def test_a_login(session, mechanism: str, client: ScramClient, acknowledgement: str) -> None:
    client = attrs.evolve(client)
    assert client.believes(challenge(prove(session, client, mechanism)))
    assert session.say(acknowledgement) == LOGGED_IN
    ask, login = session.events
    assert ask == Ask(ScramQuestion("joe", client.hash))
    assert isinstance(login.claim, ScramClaim)
    assert session.say("AUTH SCRAM-SHA-256").startswith("503 5.5.1")
    assert session.say("MAIL FROM:<>").startswith("250")


def test_without_an_initial_response(session) -> None:
    client = ScramClient()
    assert session.say("AUTH SCRAM-SHA-256") == "334 "
    first = challenge(session.say(b64(client.first())))
    assert client.believes(challenge(session.say(b64(client.final(first)))))
    assert session.say("") == LOGGED_IN


def test_binding_after_starttls(begin) -> None:
    conversation = begin(tls_available=True, tls_required=True, auth_mechanisms=NAMES)
    del conversation.answers[Authenticate]
    conversation.say("EHLO x", "STARTTLS")
    conversation.session.tls_started({"tls-exporter": b"inner"})
    client = ScramClient(header="p=tls-exporter,,", binding=b"inner")
    conversation.say("EHLO x")
    assert client.believes(challenge(prove(conversation, client, "SCRAM-SHA-256-PLUS")))


@pytest.mark.parametrize("last", ["MAIL FROM:<>", "*", "dj0=", " ", "=="])
def test_who_does_not_believe_us_is_not_logged_in(session, last: str) -> None:
    prove(session, ScramClient())
    heard = session.send(f"{last}\r\nMAIL FROM:<>\r\n".encode())
    assert heard == replies.EXCHANGE_CANCELLED.encode()
    assert session.session.closing
    assert not [event for event in session.events if isinstance(event, Mail)]


@pytest.mark.parametrize("last", [b"\n", b"x" * 12300 + b"\r\n"])
def test_what_is_no_line_is_no_acknowledgement(session, last: bytes) -> None:
    prove(session, ScramClient())
    assert session.send(last) == replies.EXCHANGE_CANCELLED.encode()
    assert session.session.closing


def test_a_wrong_proof_is_refused_at_once(session) -> None:
    assert prove(session, ScramClient(password="guess")) == WRONG
    assert session.say("MAIL FROM:<>").startswith("530")


@pytest.mark.parametrize("last", [b"\r\n", b"*\r\n", b"=\r\n", b"NOOP\r\n", b"\n", b"x" * 12300 + b"\r\n"])
def test_whatever_is_said_to_an_error_it_stays_refused(session, last: bytes) -> None:
    answer = prove(session, ScramClient(header="p=tls-exporter,,"), "SCRAM-SHA-256-PLUS")
    assert challenge(answer) == b"e=channel-bindings-dont-match"
    assert session.send(last).decode() == WRONG + "\r\n"
    assert session.send(b"\r\n").startswith(b"500 ")
    assert session.say("MAIL FROM:<>").startswith("530")


def test_the_third_wrong_proof_closes(session) -> None:
    for _ in range(2):
        assert prove(session, ScramClient(password="guess")) == WRONG
    client = ScramClient(password="guess")
    first = challenge(session.say(f"AUTH SCRAM-SHA-256 {b64(client.first())}"))
    last = session.send(f"{b64(client.final(first))}\r\n".encode())
    assert last.decode().split("\r\n") == [WRONG, "421 4.7.0 Too many failed logins", ""]
    assert session.session.closing


def test_a_proof_that_nobody_can_judge_now_is_not_called_wrong(session) -> None:
    session.answers[Authenticate] = replies.AUTHENTICATION_UNAVAILABLE
    assert prove(session, ScramClient()).startswith("454 4.7.0")
    assert session.say("NOOP").startswith("250")


def test_a_question_that_nobody_can_answer_now(session) -> None:
    session.answers[Ask] = replies.AUTHENTICATION_UNAVAILABLE
    first = b64(ScramClient().first())
    assert session.say(f"AUTH SCRAM-SHA-256 {first}").startswith("454 4.7.0")
    assert session.say("NOOP").startswith("250")


def test_parameters_that_nobody_asked_for(session) -> None:
    with pytest.raises(RuntimeError, match="no event"):
        session.session.scram_parameters(PARAMETERS)
    session.session.receive(b"AUTH PLAIN AGEAYg==\r\n")
    session.session.next_event()
    with pytest.raises(RuntimeError, match="no event"):
        session.session.scram_parameters(PARAMETERS)


def test_answers_for_a_client_that_was_sent_away(session) -> None:
    session.session.receive(f"AUTH SCRAM-SHA-256 {b64(ScramClient().first())}\r\n".encode())
    assert session.session.next_event() == Ask(ScramQuestion("joe", "sha256"))
    session.session.timed_out()
    session.session.bytes_to_send()
    session.session.scram_parameters(PARAMETERS)
    assert session.session.bytes_to_send() == b""


def test_drained_while_a_question_is_open(session) -> None:
    session.session.receive(f"AUTH SCRAM-SHA-256 {b64(ScramClient().first())}\r\n".encode())
    session.session.next_event()
    session.session.drain()
    assert not session.session.closing
    session.session.scram_parameters(PARAMETERS)
    assert session.session.bytes_to_send().endswith(replies.STOPPING.encode())
    assert session.session.closing


def test_cram_md5(session) -> None:
    stamp = challenge(session.say("AUTH CRAM-MD5"))
    assert stamp.endswith(b"@mx.example.net>")
    assert session.say(b64(b"joe " + b"0" * 32)) == WRONG
    assert session.events == [Authenticate(DigestClaim("CRAM-MD5", "joe", stamp, "0" * 32))]


def test_a_downgrade_is_noticed(session) -> None:
    """RFC 5802 section 6: the client could bind, and was shown a list without -PLUS."""
    answer = session.say(f"AUTH SCRAM-SHA-256 {b64(ScramClient(header='y,,').first())}")
    assert challenge(answer) == b"e=server-does-support-channel-binding"
    assert session.say("") == WRONG
    assert session.events == [Authenticate(HopelessClaim("SCRAM-SHA-256", "joe", "downgrade"))]


def test_ehlo_forgets_nothing_that_matters(session) -> None:
    prove(session, ScramClient())
    session.say("")
    assert session.say("EHLO y").startswith("250")
    assert session.events[-1] == Hello("y", True)
    assert session.say("MAIL FROM:<>").startswith("250")
